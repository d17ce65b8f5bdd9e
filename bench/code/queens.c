#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int place(bool *columns, bool *up, bool *down, int n, int row)
{
    if (row == n)
        return 1;
    int ways = 0;
    for (int c = 0; c < n; c++)
        if (!columns[c] && !up[row + c] && !down[row - c + n]) {
            columns[c] = up[row + c] = down[row - c + n] = true;
            ways += place(columns, up, down, n, row + 1);
            columns[c] = up[row + c] = down[row - c + n] = false;
        }
    return ways;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10;
    printf("%d\n", place(calloc(n, 1), calloc(2 * n, 1), calloc(2 * n + 1, 1), n, 0));
}
