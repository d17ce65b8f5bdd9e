#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *made(int n, uint32_t x)
{
    char *s = malloc(n + 1);
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        s[i] = (char)('a' + (x >> 16) % 4);
    }
    s[n] = '\0';
    return s;
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, int a_size, const char *b, int b_size)
{
    int *row = malloc((b_size + 1) * sizeof *row);
    for (int j = 0; j <= b_size; j++)
        row[j] = j;
    for (int i = 0; i < a_size; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < b_size; j++) {
            int cost = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = min(cost, min(diagonal, row[j]) + 1);
        }
    }
    return row[b_size];
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10000;
    printf("%d\n", distance(made(n, 1), n, made(n, 2), n));
}
