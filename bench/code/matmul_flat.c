#include <stdio.h>
#include <stdlib.h>

static double *product(const double *a, const double *b, int n)
{
    double *c = calloc((size_t)n * n, sizeof *c);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            double x = a[i * n + k];
            for (int j = 0; j < n; j++)
                c[i * n + j] += x * b[k * n + j];
        }
    return c;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 500;
    double *a = malloc((size_t)n * n * sizeof *a), *b = malloc((size_t)n * n * sizeof *b);
    for (int i = 0; i < n * n; i++) {
        a[i] = (i % 7) * 0.5;
        b[i] = (i % 11) * 0.25;
    }
    double *c = product(a, b, n);
    printf("%.17g %.17g %.17g\n", c[0], c[n * n / 2 + 1], c[n * n - 1]);
}
