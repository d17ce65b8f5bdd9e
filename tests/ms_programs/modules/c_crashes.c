/* C functions that do not come back. */
#include <signal.h>
#include <stdlib.h>

int follow(int address)
{
    return *(volatile int *)(long)address;
}

int give_up(int unused)
{
    (void)unused;
    abort();
}

int leave(int status)
{
    exit(status);
}

int be_sent(int number)
{
    raise(number);
    return number;
}

int turn_for_ever(int n)
{
    for (volatile int i = n;; i++) {
    }
}

/* Takes memory until there is none, or so many megabytes; gives how many, and keeps none. */
int hoard(int megabytes)
{
    void **last = NULL;
    int count = 0;
    for (; count < megabytes; count++) {
        void **block = calloc(1, 1 << 20);
        if (block == NULL)
            break;
        *block = last;
        last = block;
    }
    while (last != NULL) {
        void **block = last;
        last = *block;
        free(block);
    }
    return count;
}
