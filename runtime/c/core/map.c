/* Maps: entries in the order of insertion, and a table of slots that leads from a key's hash to its entry. What an entry's value is, and
 * what it owns, is the compiled program's affair; keys that are strings are copied and freed here.
 *
 * A map is one block: header, slots, entries (ms.h). A slot is 0 when it is free; else its upper half is the hash of a key and its lower
 * half the number of the key's entry, counted from 1. A key's first slot is the upper bits of its hash; when that is taken, the
 * next free one behind it. So a slot tells keys apart without a look at the entry, and removing closes the gap instead of
 * leaving a mark. At most 5 of 8 slots are taken, and there are as many entries.
 *
 * A removed entry stays, with hash 0, until the entries are full or more than three quarters of them are removed; then the others
 * move together. Nothing that a program can see depends on a hash. */
#include "core/map.h"

#include "core/fail.h"
#include "core/heap.h"

#include <string.h>
#include <sys/auxv.h>

enum { SLOTS_MIN = 8, SPARSE_MIN = 32 };

/* ---- Hashing ---- */

/* The two halves of the product, folded: the step that wyhash (Wang Yi, in the public domain) is made of. */
static inline uint64_t fold(uint64_t left, uint64_t right)
{
    __extension__ unsigned __int128 product = (unsigned __int128)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t finished(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32) | 1;
}

static inline uint32_t hash_number(uint64_t number)
{
    return finished(fold(number, 0x9e3779b97f4a7c15u));
}

static inline uint64_t read_4(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

static inline uint64_t read_8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* wyhash's way of reading: short strings as two words that overlap, longer ones 16 bytes at a time. */
static inline uint32_t hash_bytes(const uint8_t *at, uint64_t size, uint64_t seed)
{
    const uint64_t first = 0xa0761d6478bd642fu, second = 0xe7037ed1a0b428dbu;
    const uint64_t factor = second ^ (seed << 32 | seed >> 32); /* nobody knows what would make a product 0 */
    uint64_t left = 0, right = 0;
    seed ^= first;
    if (size > 16) {
        uint64_t rest = size;
        for (; rest > 16; rest -= 16, at += 16)
            seed = fold(read_8(at) ^ factor, read_8(at + 8) ^ seed);
        left = read_8(at + rest - 16);
        right = read_8(at + rest - 8);
    } else if (size >= 4) {
        uint64_t step = size >> 3 << 2;
        left = read_4(at) << 32 | read_4(at + step);
        right = read_4(at + size - 4) << 32 | read_4(at + size - 4 - step);
    } else if (size > 0) {
        left = (uint64_t)at[0] << 16 | (uint64_t)at[size >> 1] << 8 | at[size - 1];
    }
    return finished(fold(second ^ size, fold(left ^ factor, right ^ seed)));
}

uint32_t ms_hash_number(uint64_t number)
{
    return hash_number(number);
}

uint32_t ms_hash_bytes(const void *bytes, uint64_t size, uint64_t seed)
{
    return hash_bytes(bytes, size, seed);
}

uint64_t ms_map_seed;

/* Before the program begins: what the kernel gave this process to be unforeseeable with, stirred, since the C library uses it too. */
__attribute__((constructor)) static void choose_seed(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random != NULL)
        ms_map_seed = fold(read_8(random) ^ 0xa0761d6478bd642fu, read_8((const uint8_t *)random + 8) ^ 0xe7037ed1a0b428dbu);
}

static inline bool same_bytes(const uint8_t *left, const uint8_t *right, uint64_t size)
{
    if (size > 16)
        return memcmp(left, right, size) == 0;
    if (size >= 8)
        return read_8(left) == read_8(right) && read_8(left + size - 8) == read_8(right + size - 8);
    if (size >= 4)
        return read_4(left) == read_4(right) && read_4(left + size - 4) == read_4(right + size - 4);
    for (uint64_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return false;
    return true;
}

/* ---- The block ---- */

static inline uint64_t slot_count(const ms_map *map)
{
    return (uint64_t)map->mask + 1;
}

static inline uint64_t entries_max(uint64_t slots)
{
    return slots / 8 * 5;
}

static uint64_t block_size(uint64_t slots, uint64_t entry_size)
{
    return sizeof(ms_map) + slots * sizeof(uint64_t) + entries_max(slots) * entry_size;
}

static inline uint64_t *slots_of(const ms_map *map)
{
    return (uint64_t *)(uintptr_t)(map + 1);
}

static inline uint8_t *entry_of(const ms_map *map, uint64_t index, uint64_t entry_size)
{
    return (uint8_t *)(slots_of(map) + slot_count(map)) + index * entry_size;
}

static inline uint64_t first_slot(const ms_map *map, uint64_t hash)
{
    return hash >> map->shift;
}

static inline uint64_t seed_of(const ms_map *map)
{
    return map == NULL || map->is_seeded ? ms_map_seed : 0;
}

static inline uint32_t hash_in(const uint8_t *entry, uint64_t hash_offset)
{
    uint32_t hash;
    memcpy(&hash, entry + hash_offset, sizeof hash);
    return hash;
}

static inline void set_hash(uint8_t *entry, uint64_t hash_offset, uint32_t hash)
{
    memcpy(entry + hash_offset, &hash, sizeof hash);
}

static inline uint64_t free_slot(const ms_map *map, uint32_t hash)
{
    const uint64_t *slots = slots_of(map);
    uint64_t at = first_slot(map, hash);
    while (slots[at] != 0)
        at = (at + 1) & map->mask;
    return at;
}

static ms_map *new_block(uint64_t slots, uint64_t entry_size, uint64_t hash_offset, bool is_seeded)
{
    ms_map *map = ms_alloc(block_size(slots, entry_size));
    uint8_t bits = 0;
    while ((uint64_t)1 << bits < slots)
        bits++;
    *map = (ms_map){.mask = (uint32_t)(slots - 1),
        .shift = (uint8_t)(32 - bits),
        .hash_offset = (uint8_t)hash_offset,
        .is_seeded = is_seeded};
    memset(slots_of(map), 0, slots * sizeof(uint64_t));
    return map;
}

/* Moves the entries of `from` that are there to the front of `to`, which may be the same map; its slots are free. */
static void take_entries(ms_map *to, const ms_map *from, uint64_t entry_size)
{
    uint64_t hash_offset = from->hash_offset;
    uint64_t *slots = slots_of(to);
    uint8_t *entry = entry_of(to, 0, entry_size);
    const uint8_t *old = entry_of(from, 0, entry_size), *end = old + from->used * entry_size;
    uint32_t taken = 0;
    for (; old < end; old += entry_size) {
        uint32_t hash = hash_in(old, hash_offset);
        if (hash == 0)
            continue;
        if (entry != old)
            memcpy(entry, old, entry_size);
        slots[free_slot(to, hash)] = (uint64_t)hash << 32 | ++taken;
        entry += entry_size;
    }
    to->count = to->used = taken;
}

static void close_gaps(ms_map *map, uint64_t entry_size)
{
    memset(slots_of(map), 0, slot_count(map) * sizeof(uint64_t));
    take_entries(map, map, entry_size);
}

static uint64_t slots_for(uint64_t count)
{
    uint64_t slots = SLOTS_MIN;
    while (entries_max(slots) < count)
        slots *= 2;
    return slots;
}

/* The map with room for one entry more. */
static ms_map *with_room(ms_map *map, uint64_t entry_size, uint64_t hash_offset)
{
    if (map == NULL)
        return new_block(SLOTS_MIN, entry_size, hash_offset, true);
    if (map->count >= MS_COUNT_MAX)
        ms_fail_size((int64_t)MS_COUNT_MAX + 1);
    if (map->count < map->used - map->used / 4) {
        close_gaps(map, entry_size);
        return map;
    }
    ms_map *larger = new_block(2 * slot_count(map), entry_size, hash_offset, map->is_seeded);
    take_entries(larger, map, entry_size);
    ms_map_free(map, entry_size);
    return larger;
}

/* A new entry, whose value is zero, with its slot at `at`, which is free; there is room for it. */
static inline uint8_t *append(ms_map *map, uint64_t at, uint32_t hash, uint64_t entry_size, uint64_t hash_offset)
{
    uint8_t *entry = entry_of(map, map->used, entry_size);
    slots_of(map)[at] = (uint64_t)hash << 32 | ++map->used;
    map->count++;
    memset(entry, 0, entry_size);
    set_hash(entry, hash_offset, hash);
    return entry;
}

/* Frees the slot at `gap` and moves those behind it up that would not be found any more. */
static void free_slot_at(ms_map *map, uint64_t gap)
{
    uint64_t *slots = slots_of(map);
    uint64_t mask = map->mask;
    for (uint64_t at = (gap + 1) & mask; slots[at] != 0; at = (at + 1) & mask) {
        uint64_t distance = (at - first_slot(map, slots[at] >> 32)) & mask;
        if (distance >= ((at - gap) & mask)) {
            slots[gap] = slots[at];
            gap = at;
        }
    }
    slots[gap] = 0;
}

static void take_out(ms_map *map, uint64_t at, uint8_t *entry, uint64_t entry_size)
{
    free_slot_at(map, at);
    set_hash(entry, map->hash_offset, 0);
    map->count--;
    while (map->used > 0 && hash_in(entry_of(map, map->used - 1, entry_size), map->hash_offset) == 0)
        map->used--;
}

/* Whether moving the entries together now costs no more than the removals that made it necessary. */
static bool is_sparse(const ms_map *map)
{
    return map->used > SPARSE_MIN && map->count < map->used / 4 && map->used >= slot_count(map) / 16;
}

ms_map *ms_map_new(uint64_t count, uint64_t entry_size, uint64_t hash_offset)
{
    if (count > MS_COUNT_MAX)
        ms_fail_size((int64_t)count);
    return count == 0 ? NULL : new_block(slots_for(count), entry_size, hash_offset, true);
}

ms_map *ms_map_copy(const ms_map *map, uint64_t entry_size)
{
    if (map == NULL || map->count == 0)
        return NULL;
    uint64_t slots = slots_for(map->count);
    if (map->count == map->used && slots == slot_count(map)) {
        ms_map *copy = ms_alloc(block_size(slots, entry_size));
        memcpy(copy, map, sizeof(ms_map) + slots * sizeof(uint64_t) + map->used * entry_size);
        return copy;
    }
    ms_map *copy = new_block(slots, entry_size, map->hash_offset, map->is_seeded);
    take_entries(copy, map, entry_size);
    return copy;
}

ms_map *ms_map_clear(ms_map *map, uint64_t entry_size)
{
    if (map == NULL)
        return NULL;
    if (map->used < slot_count(map) / 16) {
        /* Clearing so many slots again and again would cost more than the few pairs that come between. */
        ms_map_free(map, entry_size);
        return NULL;
    }
    memset(slots_of(map), 0, slot_count(map) * sizeof(uint64_t));
    map->count = map->used = 0;
    return map;
}

void ms_map_free(ms_map *map, uint64_t entry_size)
{
    if (map != NULL)
        ms_free(map, block_size(slot_count(map), entry_size));
}

/* ---- Keys ---- */

#define HASH_CHAR(key, map) hash_number(key)
#define HASH_INT(key, map) hash_number((uint32_t)(key))
#define HASH_LONG(key, map) hash_number((uint64_t)(key))
#define SAME_NUMBER(left, right) ((left) == (right))
#define KEEP_NUMBER(key) (key)
#define LEAVE_NUMBER(key) ((void)0)

#define HASH_STRING(key, map) hash_bytes((key).data, (key).count, seed_of(map))
#define SAME_STRING(left, right) ((left).count == (right).count && same_bytes((left).data, (right).data, (left).count))
#define KEEP_STRING(key) ((key).capacity == 0 ? ms_vector_copy((key), 1) : (key))
#define LEAVE_STRING(key) ms_free((key).data, (key).capacity)

/* Defines the functions of ms.h for keys of one type; KIND is NUMBER or STRING. `search` gives the entry of a key and its slot, or null
 * and the free slot where its search ended. */
#define DEFINE_MAP(name, type, HASH, KIND, offset)                                                                          \
    static inline uint8_t *search_##name(const ms_map *map, type key, uint32_t hash, uint64_t entry_size, uint64_t *slot)   \
    {                                                                                                                       \
        const uint64_t *slots = slots_of(map);                                                                              \
        for (uint64_t at = first_slot(map, hash);; at = (at + 1) & map->mask) {                                             \
            uint64_t found = slots[at];                                                                                     \
            if (found >> 32 == hash) {                                                                                      \
                uint8_t *entry = entry_of(map, (uint32_t)found - 1, entry_size);                                            \
                if (SAME_##KIND(*(const type *)entry, key)) {                                                               \
                    *slot = at;                                                                                             \
                    return entry;                                                                                           \
                }                                                                                                           \
            } else if (found == 0) {                                                                                        \
                *slot = at;                                                                                                 \
                return NULL;                                                                                                \
            }                                                                                                               \
        }                                                                                                                   \
    }                                                                                                                       \
                                                                                                                            \
    void *ms_map_find_##name(const ms_map *map, type key, uint64_t entry_size)                                              \
    {                                                                                                                       \
        uint64_t slot;                                                                                                      \
        return map == NULL ? NULL : search_##name(map, key, HASH(key, map), entry_size, &slot);                             \
    }                                                                                                                       \
                                                                                                                            \
    ms_map_slot ms_map_at_##name(ms_map *map, type key, uint64_t entry_size)                                                \
    {                                                                                                                       \
        uint32_t hash = HASH(key, map);                                                                                     \
        uint64_t slot = 0;                                                                                                  \
        if (map != NULL) {                                                                                                  \
            uint8_t *found = search_##name(map, key, hash, entry_size, &slot);                                              \
            if (found != NULL) {                                                                                            \
                LEAVE_##KIND(key);                                                                                          \
                return (ms_map_slot){map, found};                                                                           \
            }                                                                                                               \
        }                                                                                                                   \
        type kept = KEEP_##KIND(key);                                                                                       \
        if (map == NULL || map->used == entries_max(slot_count(map))) {                                                     \
            map = with_room(map, entry_size, offset);                                                                       \
            slot = free_slot(map, hash);                                                                                    \
        }                                                                                                                   \
        uint8_t *entry = append(map, slot, hash, entry_size, offset);                                                       \
        memcpy(entry, &kept, sizeof kept);                                                                                  \
        return (ms_map_slot){map, entry};                                                                                   \
    }                                                                                                                       \
                                                                                                                            \
    void *ms_map_take_##name(ms_map *map, type key, uint64_t entry_size)                                                    \
    {                                                                                                                       \
        if (map == NULL)                                                                                                    \
            return NULL;                                                                                                    \
        if (is_sparse(map))                                                                                                 \
            close_gaps(map, entry_size);                                                                                    \
        uint64_t slot;                                                                                                      \
        uint8_t *entry = search_##name(map, key, HASH(key, map), entry_size, &slot);                                        \
        if (entry != NULL)                                                                                                  \
            take_out(map, slot, entry, entry_size);                                                                         \
        return entry;                                                                                                       \
    }

DEFINE_MAP(char, uint8_t, HASH_CHAR, NUMBER, 4)
DEFINE_MAP(int, int32_t, HASH_INT, NUMBER, 4)
DEFINE_MAP(long, int64_t, HASH_LONG, NUMBER, 8)
DEFINE_MAP(string, ms_vector, HASH_STRING, STRING, 16)
