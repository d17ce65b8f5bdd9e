/* The reference of sieve.ms: the same steps in the same order. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int count_primes(int n) {
    bool *composite = calloc((size_t)n + 1, sizeof(bool));
    int count = 0;
    for (int i = 2; i < n + 1; i++) {
        if (composite[i]) continue;
        count++;
        for (long j = (long)i * i; j <= n; j += i) composite[j] = true;
    }
    free(composite);
    return count;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 50000000;
    printf("%d\n", count_primes(n));
    return 0;
}
