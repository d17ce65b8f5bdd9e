// The reference of split_join.ms with std::string and std::vector.
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static std::vector<std::string> split(const std::string &s, char separator)
{
    std::vector<std::string> parts;
    std::size_t from = 0;
    for (std::size_t found; (found = s.find(separator, from)) != std::string::npos; from = found + 1)
        parts.push_back(s.substr(from, found - from));
    parts.push_back(s.substr(from));
    return parts;
}

static std::vector<std::string> split_space(const std::string &s)
{
    std::vector<std::string> parts;
    std::size_t at = 0;
    while ((at = s.find_first_not_of(" \t\r\n", at)) != std::string::npos) {
        std::size_t end = s.find_first_of(" \t\r\n", at);
        if (end == std::string::npos)
            end = s.size();
        parts.push_back(s.substr(at, end - at));
        at = end;
    }
    return parts;
}

static std::string join(const std::vector<std::string> &v, const std::string &separator)
{
    std::string joined;
    for (std::size_t i = 0; i < v.size(); i++) {
        if (i > 0)
            joined += separator;
        joined += v[i];
    }
    return joined;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? std::atoi(argv[1]) : 1000000;
    std::string line;
    for (int i = 0; i < n; i++) {
        if (i > 0)
            line += ',';
        line += std::to_string(i % 1000);
    }
    std::string other = join(split(line, ','), "; ");
    std::vector<std::string> parts = split_space(other);
    std::printf("%zu %zu %d\n", other.size(), parts.size(), std::atoi(join(split(parts[n - 1], '0'), "1").c_str()));
}
