/* The game of life on a board whose edges meet. */

enum { WIDTH = 32, HEIGHT = 12 };

typedef unsigned char board[HEIGHT][WIDTH];

/* The next generation. */
void step(board from, board to);
