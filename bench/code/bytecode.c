#include <stdio.h>
#include <stdlib.h>

static const int CODE[] = {
    1, 0,                /*  0 push 0: the sum */
    1, 0,                /*  2 push 0: i */
    4, 3, 1, 7, 8, 5, 3, /*  4 get i, push 7, xor, add to the sum */
    4, 2, 1, 1, 6, 9, 2, /* 11 i + 1, set */
    4, 2, 2, 3, 10, 4,   /* 18 i < n? jump to 4 */
    0};

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10000000;
    int *stack = calloc(64, sizeof *stack);
    int pc = 0, sp = 0, i = 0;
    unsigned sum = 0;
    while (1) {
        switch (CODE[pc]) {
        case 0:
            printf("%d %d %d\n", (int)sum, i, stack[sp]);
            return 0;
        case 1:
            stack[sp++] = CODE[pc + 1];
            pc += 2;
            break;
        case 2:
            stack[sp++] = n;
            pc += 1;
            break;
        case 3:
            sp -= 2;
            stack[sp] = stack[sp] < stack[sp + 1];
            sp++;
            pc++;
            break;
        case 4:
            stack[sp++] = i;
            pc += 2;
            break;
        case 5:
            sum += (unsigned)stack[--sp];
            pc += 2;
            break;
        case 6:
            sp--;
            stack[sp - 1] += stack[sp];
            pc++;
            break;
        case 7:
            pc++;
            break;
        case 8:
            sp--;
            stack[sp - 1] ^= stack[sp];
            pc++;
            break;
        case 9:
            i = stack[--sp];
            pc += 2;
            break;
        case 10:
            pc = stack[--sp] != 0 ? CODE[pc + 1] : pc + 2;
            break;
        default:
            abort();
        }
    }
}
