/* The reference of map_words.ms: the same steps, with std::unordered_map, or with flat_map when it is compiled with -DFLAT. */
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "flat_map.hpp"

#ifdef FLAT
typedef flat_map<std::string, int> counts;
#else
struct counts : std::unordered_map<std::string, int> {
    template <class F> void each(F visit) const
    {
        for (auto &pair : *this)
            visit(pair.first, pair.second);
    }
};
#endif

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    int n = argc > 2 ? atoi(argv[2]) : 1000000;
    int64_t different = argc > 3 ? atol(argv[3]) : 50000;
    std::vector<std::string> words;
    uint64_t x = 1;
    for (int i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        words.push_back("word-" + std::to_string((int64_t)(x >> 33) % different));
    }
    counts count;
    for (int round = 0; round < rounds; round++)
        for (const std::string &word : words)
            count[word] += 1;
    int64_t sum = 0;
    count.each([&](const std::string &word, int times) { sum += (int64_t)word.size() * times; });
    printf("%zu %lld %d\n", count.size(), (long long)sum, count[words[0]]);
}
