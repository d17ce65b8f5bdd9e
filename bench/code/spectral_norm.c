/* The reference of spectral_norm.ms: the same steps in the same order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double cell(int i, int j) {
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void times(const double *v, double *out, int n) {
    for (int i = 0; i < n; i++) {
        double sum = 0.0;
        for (int j = 0; j < n; j++) sum += cell(i, j) * v[j];
        out[i] = sum;
    }
}

static void times_transposed(const double *v, double *out, int n) {
    for (int i = 0; i < n; i++) {
        double sum = 0.0;
        for (int j = 0; j < n; j++) sum += cell(j, i) * v[j];
        out[i] = sum;
    }
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 3000;
    double *u = malloc(sizeof(double) * (size_t)n);
    double *v = malloc(sizeof(double) * (size_t)n);
    double *w = malloc(sizeof(double) * (size_t)n);
    for (int i = 0; i < n; i++) u[i] = 1.0, v[i] = w[i] = 0.0;
    for (int round = 0; round < 10; round++) {
        times(u, w, n);
        times_transposed(w, v, n);
        times(v, w, n);
        times_transposed(w, u, n);
    }
    double vbv = 0.0, vv = 0.0;
    for (int i = 0; i < n; i++) {
        vbv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    printf("%.17g\n", sqrt(vbv / vv));
    free(u), free(v), free(w);
    return 0;
}
