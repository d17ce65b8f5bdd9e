/* The reference of map_ints.ms: the same steps, with std::unordered_map, or with flat_map when it is compiled with -DFLAT. */
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "flat_map.hpp"

#ifdef FLAT
typedef flat_map<int64_t, int> counts;
#else
struct counts : std::unordered_map<int64_t, int> {
    int lookup(int64_t key, int otherwise) const
    {
        auto found = find(key);
        return found == end() ? otherwise : found->second;
    }
    bool remove(int64_t key) { return erase(key) > 0; }
    template <class F> void each(F visit) const
    {
        for (auto &pair : *this)
            visit(pair.first, pair.second);
    }
};
#endif

static int64_t next(int64_t x)
{
    return (int64_t)((uint64_t)x * 6364136223846793005u + 1442695040888963407u);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 20000000;
    int64_t different = argc > 2 ? atol(argv[2]) : 1000000;
    counts count;
    int64_t x = 1;
    for (int i = 0; i < n; i++) {
        x = next(x);
        count[(int64_t)((uint64_t)x >> 33) % different] += 1;
    }
    int64_t found = 0;
    for (int i = 0; i < n; i++) {
        x = next(x);
        found += count.lookup((int64_t)((uint64_t)x >> 33) % (2 * different), 0);
    }
    int removed = 0;
    for (int64_t key = 0; key < different / 2; key++)
        removed += count.remove(2 * key);
    int64_t sum = 0;
    count.each([&](int64_t key, int times) { sum += key * times; });
    printf("%zu %lld %d %lld\n", count.size(), (long long)found, removed, (long long)sum);
}
