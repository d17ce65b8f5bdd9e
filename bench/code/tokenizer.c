#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct found {
    int words, numbers, signs;
    long sum;
    uint32_t hash;
} found;

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static found tokens(const unsigned char *s, int size)
{
    found f = {0};
    int i = 0;
    while (i < size) {
        unsigned char c = s[i];
        if (is_letter(c)) {
            uint32_t hash = 17;
            while (i < size && (is_letter(s[i]) || is_digit(s[i])))
                hash = hash * 31 + s[i++];
            f.words++;
            f.hash ^= hash;
        } else if (is_digit(c)) {
            int value = 0;
            while (i < size && is_digit(s[i]))
                value = value * 10 + (s[i++] - '0');
            f.numbers++;
            f.sum += value;
        } else {
            if (c != ' ' && c != '\n')
                f.signs++;
            i++;
        }
    }
    return f;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100, size = 0;
    char *text = malloc(1000 * 64);
    for (int i = 0; i < 1000; i++)
        size += sprintf(text + size, "total_%d = price%d * (%d + 42);\n", i, i * 7, i * 13);
    long sum = 0;
    found f = {0};
    for (int round = 0; round < rounds; round++) {
        text[round] = 'x';
        f = tokens((unsigned char *)text, size);
        sum += f.sum + f.words;
    }
    printf("%d %d %d %ld %d\n", f.words, f.numbers, f.signs, sum, (int)f.hash);
}
