#include "life.h"

static int neighbours(board cells, int row, int column)
{
    int count = 0;
    for (int up = HEIGHT - 1; up <= HEIGHT + 1; up++)
        for (int left = WIDTH - 1; left <= WIDTH + 1; left++)
            count += cells[(row + up) % HEIGHT][(column + left) % WIDTH];
    return count - cells[row][column];
}

void step(board from, board to)
{
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            int count = neighbours(from, row, column);
            to[row][column] = count == 3 || (count == 2 && from[row][column]);
        }
}
