#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct point {
    double x, y;
} point;

typedef struct center {
    double x, y;
    int count;
} center;

static uint32_t seed = 1;

static double coordinate(void)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % 10000 / 100.0;
}

int main(int argc, char **argv)
{
    enum { k = 16 };
    int n = argc > 1 ? atoi(argv[1]) : 200000;
    point *points = malloc(n * sizeof *points), means[k];
    for (int i = 0; i < n; i++) {
        points[i].x = coordinate();
        points[i].y = coordinate();
    }
    for (int c = 0; c < k; c++)
        means[c] = points[c];
    for (int round = 0; round < 20; round++) {
        center sums[k] = {0};
        for (int i = 0; i < n; i++) {
            int best = 0;
            double nearest = INFINITY;
            for (int c = 0; c < k; c++) {
                double dx = points[i].x - means[c].x, dy = points[i].y - means[c].y, d = dx * dx + dy * dy;
                if (d < nearest) {
                    nearest = d;
                    best = c;
                }
            }
            sums[best].x += points[i].x;
            sums[best].y += points[i].y;
            sums[best].count++;
        }
        for (int c = 0; c < k; c++)
            if (sums[c].count > 0)
                means[c] = (point){sums[c].x / sums[c].count, sums[c].y / sums[c].count};
    }
    for (int c = 0; c < k; c++)
        printf("%.17g %.17g\n", means[c].x, means[c].y);
}
