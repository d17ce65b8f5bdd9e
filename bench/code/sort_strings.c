/* The reference of sort_strings.ms with the C library's qsort and strcmp. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000000;
    uint32_t x = 1;
    char **v = malloc(n * sizeof *v);
    for (int i = 0; i < n; i++) {
        char text[16];
        x = x * 1103515245u + 12345u;
        snprintf(text, sizeof text, "%010d", (int)(x >> 1));
        v[i] = strdup(text);
    }
    qsort(v, n, sizeof *v, compare);
    printf("%s %s %s\n", v[0], v[n / 3], v[n - 1]);
}
