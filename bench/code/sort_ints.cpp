// The reference of sort_ints.ms with std::sort.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char **argv)
{
    int n = argc > 1 ? std::atoi(argv[1]) : 1000000;
    std::uint32_t x = 1;
    std::vector<int> v;
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        v.push_back(static_cast<int>(x >> 1));
    }
    std::sort(v.begin(), v.end());
    std::printf("%d %d %d\n", v[0], v[n / 3], v[n - 1]);
}
