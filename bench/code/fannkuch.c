#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10;
    int *p = malloc(n * sizeof *p), *q = malloc(n * sizeof *q), *count = calloc(n, sizeof *count);
    for (int i = 0; i < n; i++)
        p[i] = i;
    int flips_max = 0, checksum = 0, permutations = 0, r = n;
    while (true) {
        while (r != 1) {
            count[r - 1] = r;
            r--;
        }
        for (int i = 0; i < n; i++)
            q[i] = p[i];
        int flips = 0, k = q[0];
        while (k != 0) {
            for (int low = 0, high = k; low < high; low++, high--) {
                int t = q[low];
                q[low] = q[high];
                q[high] = t;
            }
            flips++;
            k = q[0];
        }
        if (flips > flips_max)
            flips_max = flips;
        checksum += permutations % 2 == 0 ? flips : -flips;
        while (true) {
            if (r == n) {
                printf("%d %d\n", checksum, flips_max);
                return 0;
            }
            int first = p[0];
            for (int i = 0; i < r; i++)
                p[i] = p[i + 1];
            p[r] = first;
            if (--count[r] > 0)
                break;
            r++;
        }
        permutations++;
    }
}
