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
