#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned char *next(const unsigned char *cells, int n)
{
    unsigned char *made = calloc((size_t)n * n, 1);
    for (int y = 0; y < n; y++) {
        int above = (y + n - 1) % n * n, here = y * n, below = (y + 1) % n * n;
        for (int x = 0; x < n; x++) {
            int left = x == 0 ? n - 1 : x - 1, right = x == n - 1 ? 0 : x + 1;
            int around = cells[above + left] + cells[above + x] + cells[above + right] + cells[here + left] + cells[here + right] +
                         cells[below + left] + cells[below + x] + cells[below + right];
            if (around == 3 || (around == 2 && cells[here + x] == 1))
                made[here + x] = 1;
        }
    }
    return made;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 500, alive = 0;
    uint32_t x = 1;
    unsigned char *cells = malloc((size_t)n * n);
    for (int i = 0; i < n * n; i++) {
        x = x * 1103515245u + 12345u;
        cells[i] = x >> 16 & 1;
    }
    for (int round = 0; round < 100; round++) {
        unsigned char *made = next(cells, n);
        free(cells);
        cells = made;
    }
    for (int i = 0; i < n * n; i++)
        alive += cells[i];
    printf("%d\n", alive);
}
