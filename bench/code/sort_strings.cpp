// The reference of sort_strings.ms with std::stable_sort, for sort is stable.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    int n = argc > 1 ? std::atoi(argv[1]) : 1000000;
    std::uint32_t x = 1;
    std::vector<std::string> v;
    for (int i = 0; i < n; i++) {
        char text[16];
        x = x * 1103515245u + 12345u;
        std::snprintf(text, sizeof text, "%010d", static_cast<int>(x >> 1));
        v.emplace_back(text);
    }
    std::stable_sort(v.begin(), v.end());
    std::printf("%s %s %s\n", v[0].c_str(), v[n / 3].c_str(), v[n - 1].c_str());
}
