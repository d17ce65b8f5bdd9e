/* Maps as blocks: putting in, taking out, order, strings as keys, and that nothing is left over. Against a dictionary they are driven by
 * tests/test_runtime_maps.py. */
#include "core/map.h"
#include "tests/check.h"
#include "tests/program.h"

/* map<int, long>: key, hash, value. */
typedef struct pair {
    int32_t key;
    uint32_t hash;
    int64_t value;
} pair;

/* map<string, int> */
typedef struct word {
    ms_vector key;
    uint32_t hash;
    int32_t value;
} word;

static pair *pairs(const ms_map *map)
{
    return (pair *)((uintptr_t)(map + 1) + ((uint64_t)map->mask + 1) * 8);
}

static ms_map *put(ms_map *map, int32_t key, int64_t value)
{
    ms_map_slot slot = ms_map_at_int(map, key, sizeof(pair));
    ((pair *)slot.entry)->value = value;
    return slot.map;
}

static void grow_block(void)
{
    ms_map *map = NULL;
    CHECK(ms_map_find_int(map, 1, sizeof(pair)) == NULL && ms_map_take_int(map, 1, sizeof(pair)) == NULL);
    for (int32_t i = 0; i < 100000; i++) {
        ms_map_slot slot = ms_map_at_int(map, i * 7, sizeof(pair));
        CHECK(((pair *)slot.entry)->value == 0);
        ((pair *)slot.entry)->value = i;
        map = slot.map;
    }
    CHECK_INT(map->count, 100000);
    CHECK(map->used <= ((uint64_t)map->mask + 1) / 8 * 5);
    for (int32_t i = 0; i < 100000; i++) {
        CHECK(pairs(map)[i].key == i * 7 && pairs(map)[i].value == i);
        CHECK(ms_map_find_int(map, i * 7, sizeof(pair)) == &pairs(map)[i]);
        CHECK(ms_map_find_int(map, i * 7 + 1, sizeof(pair)) == NULL);
    }
    ms_map_free(map, sizeof(pair));
}

static void remove_block(void)
{
    ms_map *map = NULL;
    for (int32_t i = 0; i < 1000; i++)
        map = put(map, i, i);
    for (int32_t i = 0; i < 1000; i++) {
        pair *taken = i % 10 == 0 ? NULL : ms_map_take_int(map, i, sizeof(pair));
        CHECK(i % 10 == 0 || (taken->key == i && taken->value == i && taken->hash == 0));
        CHECK(i % 10 == 0 || ms_map_find_int(map, i, sizeof(pair)) == NULL);
    }
    CHECK_INT(map->count, 100);
    CHECK(map->used < 500); /* the gaps were closed */
    for (int32_t i = 0; i < 1000; i += 10)
        CHECK(((pair *)ms_map_find_int(map, i, sizeof(pair)))->value == i);
    ms_map *copy = ms_map_copy(map, sizeof(pair));
    CHECK(copy->count == 100 && copy->used == 100 && copy->mask < map->mask);
    for (int32_t i = 0; i < 100; i++)
        CHECK(pairs(copy)[i].key == i * 10);
    /* The block does not grow for pairs that come and go. */
    for (int32_t i = 0; i < 100000; i++) {
        map = put(map, 5000 + i, i);
        CHECK(ms_map_take_int(map, 5000 + i - 3, sizeof(pair)) != NULL || i < 3);
    }
    CHECK(map->mask < 4096);
    map = ms_map_clear(map, sizeof(pair));
    CHECK(map == NULL || (map->count == 0 && map->used == 0 && ms_map_find_int(map, 0, sizeof(pair)) == NULL));
    map = put(map, 1, 2);
    CHECK_INT(((pair *)ms_map_find_int(map, 1, sizeof(pair)))->value, 2);
    ms_map_free(map, sizeof(pair));
    ms_map_free(copy, sizeof(pair));
}

static void string_block(void)
{
    ms_map *map = NULL;
    char text[64];
    for (int round = 0; round < 2; round++) {
        for (uint32_t size = 0; size < sizeof text; size++) {
            memset(text, 'x', size);
            /* A borrowed key is copied, one that is given is kept, or freed when it is there already. */
            ms_vector key = {text, size, 0};
            if (size % 2 == 1)
                key = ms_vector_copy(key, 1);
            ms_map_slot slot = ms_map_at_string(map, key, sizeof(word));
            map = slot.map;
            ((word *)slot.entry)->value += (int32_t)size;
        }
    }
    memset(text, 'y', sizeof text);
    CHECK_INT(map->count, sizeof text);
    for (uint32_t size = 0; size < sizeof text; size++) {
        memset(text, 'x', size);
        word *found = ms_map_find_string(map, (ms_vector){text, size, 0}, sizeof(word));
        CHECK(found != NULL && found->key.data != text);
        CHECK_INT(found->value, 2 * size);
        if (size > 0) {
            text[size / 2] = 'z';
            CHECK(ms_map_find_string(map, (ms_vector){text, size, 0}, sizeof(word)) == NULL);
            text[size / 2] = 'x';
        }
        word *taken = ms_map_take_string(map, (ms_vector){text, size, 0}, sizeof(word));
        CHECK(taken != NULL && taken->value == (int32_t)(2 * size));
        ms_free(taken->key.data, taken->key.capacity);
    }
    CHECK_INT(map->count, 0);
    ms_map_free(map, sizeof(word));
}

static void empty_block(void)
{
    CHECK(ms_map_copy(NULL, 16) == NULL && ms_map_new(0, 16, 4) == NULL && ms_map_clear(NULL, 16) == NULL);
    ms_map_free(NULL, 16);
    ms_map *map = ms_map_new(1000, sizeof(pair), 4);
    uint32_t mask = map->mask;
    for (int32_t i = 0; i < 1000; i++)
        map = put(map, i, i);
    CHECK_INT(map->mask, mask);
    ms_map_free(map, sizeof(pair));
}

static void grows_in_order(void) { program_finish(grow_block); }
static void closes_gaps(void) { program_finish(remove_block); }
static void owns_strings(void) { program_finish(string_block); }
static void knows_nothing(void) { program_finish(empty_block); }

static void no_long(void) { ms_fail_key_long(-5); }
static void no_char(void) { ms_fail_key_char('\''); }
static void no_bool(void) { ms_fail_key_bool(true); }
static void no_string(void) { ms_fail_key_string((ms_vector){"a\n", 2, 0}); }
static void too_many(void) { ms_map_new(1ull << 31, 16, 4); }

static void fails_with_messages(void)
{
    program_expect(no_long, "no such key: -5", NULL);
    program_expect(no_char, "no such key: '\\''", NULL);
    program_expect(no_bool, "no such key: true", NULL);
    program_expect(no_string, "no such key: \"a\\n\"", NULL);
    program_expect(too_many, "size 2147483648 is too large", NULL);
}

static void hashes_are_never_zero(void)
{
    CHECK(ms_hash_number(0) != 0 && ms_hash_bytes(NULL, 0, 0) != 0);
    CHECK(ms_map_seed != 0);
}

/* Among texts that share half their hash under one seed, few do under another; nor is there one that makes the first product 0. */
static void seeds_tell_texts_apart(void)
{
    uint64_t words[2] = {0, 0};
    uint32_t one = ms_hash_bytes(words, sizeof words, 1), other = ms_hash_bytes(words, sizeof words, 2), same = 0, still = 0;
    for (words[0] = 1; words[0] < 4000000; words[0]++) {
        if (ms_hash_bytes(words, sizeof words, 1) >> 16 == one >> 16) {
            same++;
            still += ms_hash_bytes(words, sizeof words, 2) >> 16 == other >> 16;
        }
    }
    CHECK(same > 20 && still < same / 4);
    words[0] = 0xe7037ed1a0b428dbu;
    one = ms_hash_bytes(words, sizeof words, 12345);
    same = 0;
    for (words[1] = 1; words[1] < 100; words[1]++)
        same += ms_hash_bytes(words, sizeof words, 12345) == one;
    CHECK(same < 10);
}

int main(void)
{
    ms_task_setup();
    RUN(seeds_tell_texts_apart);
    RUN(grows_in_order);
    RUN(closes_gaps);
    RUN(owns_strings);
    RUN(knows_nothing);
    RUN(fails_with_messages);
    RUN(hashes_are_never_zero);
    return 0;
}
