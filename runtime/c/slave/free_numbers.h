/* The numbers of a table's places that nobody has. The lowest are given first; 0 is never given. */
#ifndef MS_FREE_NUMBERS_H
#define MS_FREE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ms_free_numbers {
    uint32_t *stack;
    uint32_t count, capacity; /* `capacity` is that of the table, too */
} ms_free_numbers;

void ms_free_numbers_close(ms_free_numbers *numbers);
/* For a table of which each place is in use: moves it to one with more, which are all zero, and has their numbers. Null: no memory; the table stays
 * where it was. */
void *ms_free_numbers_grow(ms_free_numbers *numbers, void *table, size_t place_size);
/* Only when `count` is not 0. */
uint32_t ms_free_numbers_take(ms_free_numbers *numbers);
void ms_free_numbers_give(ms_free_numbers *numbers, uint32_t number);
/* All are free again. */
void ms_free_numbers_clear(ms_free_numbers *numbers);
#endif
