/* A set of small numbers that finds its next member quickly: a bit for each number, and a bit for each word of those that is not 0.
 *
 * Looking for a member costs two words, and one more for each 4096 numbers that are not in the set. */
#ifndef MS_BITSET_H
#define MS_BITSET_H

#include <stdbool.h>
#include <stdint.h>

#define MS_NO_MEMBER 0xffffffffu

typedef struct ms_bitset {
    uint64_t *words;
    uint64_t *summary;
    uint32_t word_count; /* a multiple of 64 */
} ms_bitset;

/* Room for the numbers below `capacity`. False: no memory, nothing changed. */
bool ms_bitset_reserve(ms_bitset *set, uint32_t capacity);
void ms_bitset_free(ms_bitset *set);
/* The first member that is `from` or more, else the first of all; MS_NO_MEMBER when there is none. */
uint32_t ms_bitset_next(const ms_bitset *set, uint32_t from);

static inline void ms_bitset_add(ms_bitset *set, uint32_t number)
{
    set->words[number / 64] |= (uint64_t)1 << number % 64;
    set->summary[number / 4096] |= (uint64_t)1 << number / 64 % 64;
}

static inline void ms_bitset_remove(ms_bitset *set, uint32_t number)
{
    set->words[number / 64] &= ~((uint64_t)1 << number % 64);
    if (set->words[number / 64] == 0)
        set->summary[number / 4096] &= ~((uint64_t)1 << number / 64 % 64);
}
#endif
