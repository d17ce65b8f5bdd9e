/* Shows where a glider is after 20 generations. */

#include <stdio.h>
#include <string.h>
#include "life.h"

int main(void)
{
    board now = {{0, 1}, {0, 0, 1}, {1, 1, 1}}, next;
    for (int generation = 0; generation < 20; generation++) {
        step(now, next);
        memcpy(now, next, sizeof now);
    }
    for (int row = 0; row < HEIGHT; row++) {
        for (int column = 0; column < WIDTH; column++) putchar(now[row][column] ? '#' : '.');
        putchar('\n');
    }
    return 0;
}
