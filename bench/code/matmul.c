/* The reference of matmul.ms: rows on their own, the same steps in the same order. */
#include <stdio.h>
#include <stdlib.h>

static double **zero(int n) {
    double **m = malloc(sizeof(double *) * (size_t)n);
    for (int i = 0; i < n; i++) m[i] = calloc((size_t)n, sizeof(double));
    return m;
}

static double **matrix(int n, double seed) {
    double **m = zero(n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) m[i][j] = seed * (i - j) * (i + j) / n;
    return m;
}

static double **product(double **a, double **b, int n) {
    double **c = zero(n);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            double x = a[i][k];
            for (int j = 0; j < n; j++) c[i][j] += x * b[k][j];
        }
    }
    return c;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1000;
    double **c = product(matrix(n, 1.0), matrix(n, 2.0), n);
    double trace = 0.0;
    for (int i = 0; i < n; i++) trace += c[i][i];
    printf("%.17g %.17g\n", trace, c[n / 2][n / 3]);
    return 0;
}
