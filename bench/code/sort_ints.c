/* The reference of sort_ints.ms with the C library's qsort. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000000;
    uint32_t x = 1;
    int *v = malloc(n * sizeof *v);
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        v[i] = (int)(x >> 1);
    }
    qsort(v, n, sizeof *v, compare);
    printf("%d %d %d\n", v[0], v[n / 3], v[n - 1]);
}
