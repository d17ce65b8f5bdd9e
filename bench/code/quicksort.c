#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void quicksort(int *v, int low, int high)
{
    while (low < high) {
        int pivot = v[low + (high - low) / 2], i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                int t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (j - low < high - i) {
            quicksort(v, low, j);
            low = i;
        } else {
            quicksort(v, i, high);
            high = j;
        }
    }
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000000;
    uint32_t x = 12345;
    int *v = malloc(n * sizeof *v);
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        v[i] = (int)(x >> 1);
    }
    quicksort(v, 0, n - 1);
    printf("%d %d %d\n", v[0], v[n / 2], v[n - 1]);
}
