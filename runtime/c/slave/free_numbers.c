/* A stack with room for all numbers, so that giving one back never fails. */
#include "slave/free_numbers.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void ms_free_numbers_close(ms_free_numbers *numbers)
{
    free(numbers->stack);
    *numbers = (ms_free_numbers){0};
}

static void add_from(ms_free_numbers *numbers, uint32_t first)
{
    for (uint32_t number = numbers->capacity; number-- > first && number > 0;)
        numbers->stack[numbers->count++] = number;
}

void *ms_free_numbers_grow(ms_free_numbers *numbers, void *table, size_t place_size)
{
    uint32_t before = numbers->capacity, capacity = before == 0 ? FIRST_CAPACITY : before * 2;
    uint32_t *stack = realloc(numbers->stack, capacity * sizeof *stack);
    if (stack == NULL)
        return NULL;
    numbers->stack = stack;
    table = realloc(table, capacity * place_size);
    if (table == NULL)
        return NULL;
    memset((uint8_t *)table + before * place_size, 0, (capacity - before) * place_size);
    numbers->capacity = capacity;
    add_from(numbers, before);
    return table;
}

uint32_t ms_free_numbers_take(ms_free_numbers *numbers)
{
    return numbers->stack[--numbers->count];
}

void ms_free_numbers_give(ms_free_numbers *numbers, uint32_t number)
{
    numbers->stack[numbers->count++] = number;
}

void ms_free_numbers_clear(ms_free_numbers *numbers)
{
    numbers->count = 0;
    add_from(numbers, 0);
}
