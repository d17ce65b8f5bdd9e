/* What test-extern and trap-extern call. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int add_all(int a, long b, unsigned char c)
{
    return a + (int)(b % 1000) + c;
}

long widest(int a)
{
    return (long)a * (1L << 40);
}

bool flip(bool b)
{
    return !b;
}

unsigned char next_char(unsigned char c)
{
    return c + 1;
}

float half(float x)
{
    return x / 2;
}

static _Thread_local int count_;

void count(int step)
{
    count_ += step;
}

int counted(void)
{
    return count_;
}

double total(const double *v, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += v[i];
    return sum;
}

int occurrences(const char *s, int size, char c)
{
    int found = 0;
    for (int i = 0; i < size; i++)
        found += s[i] == c;
    return found;
}

int true_count(const bool *v, int size)
{
    int found = 0;
    for (int i = 0; i < size; i++)
        found += v[i];
    return found;
}

bool is_null(const long *v, int size)
{
    return v == NULL && size == 0;
}

bool by_last_digit(int a, int b)
{
    return a % 10 < b % 10;
}

/* Names that the code generator uses for itself. */
int c0(int x)
{
    return x;
}
