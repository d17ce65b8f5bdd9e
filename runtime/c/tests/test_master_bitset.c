/* The set of numbers that finds its next member, beside a plain array. */
#include "check.h"

#include "master/bitset.h"

#include <stdlib.h>

enum { CAPACITY = 3 * 4096, ROUNDS = 20000 };

static uint32_t next_of(const bool *members, uint32_t capacity, uint32_t from)
{
    for (uint32_t i = 0; i < capacity; i++) {
        uint32_t number = ((from < capacity ? from : 0) + i) % capacity;
        if (members[number])
            return number;
    }
    return MS_NO_MEMBER;
}

static void test_an_empty_set_has_no_member(void)
{
    ms_bitset set = {0};
    CHECK_INT(ms_bitset_next(&set, 0), MS_NO_MEMBER);
    CHECK(ms_bitset_reserve(&set, 1));
    CHECK_INT(ms_bitset_next(&set, 0), MS_NO_MEMBER);
    CHECK_INT(ms_bitset_next(&set, 1000000), MS_NO_MEMBER);
    ms_bitset_free(&set);
}

/* Mostly few members, so that whole words of the summary are empty. */
static void test_next_goes_round(void)
{
    static bool members[CAPACITY];
    ms_bitset set = {0};
    uint32_t capacity = 100;
    CHECK(ms_bitset_reserve(&set, capacity));
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        if (round == ROUNDS / 2) { /* what was in it stays in it */
            capacity = CAPACITY;
            CHECK(ms_bitset_reserve(&set, capacity));
        }
        uint32_t number = (uint32_t)rand() % capacity, from = (uint32_t)rand() % (capacity + 100);
        bool add = rand() % 16 == 0;
        members[number] = add;
        if (add)
            ms_bitset_add(&set, number);
        else
            ms_bitset_remove(&set, number);
        if (rand() % 2 == 0 && (number = ms_bitset_next(&set, from)) != MS_NO_MEMBER) {
            ms_bitset_remove(&set, number);
            CHECK_INT(number, next_of(members, capacity, from));
            members[number] = false;
        }
        CHECK_INT(ms_bitset_next(&set, from), next_of(members, capacity, from));
    }
    ms_bitset_free(&set);
}

int main(void)
{
    RUN(test_an_empty_set_has_no_member);
    RUN(test_next_goes_round);
    return 0;
}
