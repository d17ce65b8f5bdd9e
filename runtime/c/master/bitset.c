/* Words, and the words that say which of them to look at. */
#include "master/bitset.h"

#include <stdlib.h>
#include <string.h>

bool ms_bitset_reserve(ms_bitset *set, uint32_t capacity)
{
    uint32_t count = (capacity + 4095) / 4096 * 64;
    if (count <= set->word_count)
        return true;
    uint64_t *words = calloc(count + count / 64, sizeof *words);
    if (words == NULL)
        return false;
    uint64_t *summary = words + count;
    if (set->word_count > 0) {
        memcpy(words, set->words, set->word_count * sizeof *words);
        memcpy(summary, set->summary, set->word_count / 64 * sizeof *words);
    }
    free(set->words);
    *set = (ms_bitset){words, summary, count};
    return true;
}

void ms_bitset_free(ms_bitset *set)
{
    free(set->words);
    *set = (ms_bitset){0};
}

static uint64_t from_bit(uint64_t word, uint32_t bit)
{
    return word & (~(uint64_t)0 << bit);
}

/* The first member in the words from `word` on. */
static uint32_t first_in(const ms_bitset *set, uint32_t word)
{
    uint32_t summary_count = set->word_count / 64;
    for (uint32_t i = word / 64, bit = word % 64; i < summary_count; i++, bit = 0) {
        uint64_t there = from_bit(set->summary[i], bit);
        if (there == 0)
            continue;
        uint32_t found = i * 64 + (uint32_t)__builtin_ctzll(there);
        return found * 64 + (uint32_t)__builtin_ctzll(set->words[found]);
    }
    return MS_NO_MEMBER;
}

uint32_t ms_bitset_next(const ms_bitset *set, uint32_t from)
{
    uint32_t word = from / 64;
    if (word >= set->word_count)
        return first_in(set, 0);
    uint64_t here = from_bit(set->words[word], from % 64);
    if (here != 0)
        return word * 64 + (uint32_t)__builtin_ctzll(here);
    uint32_t found = first_in(set, word + 1);
    return found != MS_NO_MEMBER ? found : first_in(set, 0);
}
