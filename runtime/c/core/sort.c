/* Sorting: a stable merge sort, once for each type of element; many integers are sorted by their digits instead.
 *
 * The left half of what is merged moves to scratch memory of the job's heap, half as large as the data. A task that has been
 * cancelled leaves between two large merges. */
#include "core/heap.h"
#include "core/task.h"
#include "ms.h"

#include <string.h>

enum { INSERTION_COUNT = 12, RADIX_COUNT_MIN = 1024, CHECKED_COUNT_MIN = 1 << 16 };

/* Defines `name`(data, count, scratch) for elements of `type`, of which `left` goes before `right` when BEFORE(left, right). What is in order
 * already costs one comparison for each merge. */
#define DEFINE_MERGE_SORT(name, type, BEFORE)                                                                                \
    static void name(type *data, uint64_t count, type *scratch)                                                             \
    {                                                                                                                       \
        if (count <= INSERTION_COUNT) {                                                                                     \
            for (uint64_t i = 1; i < count; i++) {                                                                          \
                type moving = data[i];                                                                                      \
                uint64_t at = i;                                                                                            \
                for (; at > 0 && BEFORE(moving, data[at - 1]); at--)                                                        \
                    data[at] = data[at - 1];                                                                                \
                data[at] = moving;                                                                                          \
            }                                                                                                               \
            return;                                                                                                         \
        }                                                                                                                   \
        uint64_t middle = count / 2;                                                                                        \
        name(data, middle, scratch);                                                                                        \
        name(data + middle, count - middle, scratch);                                                                       \
        if (!BEFORE(data[middle], data[middle - 1]))                                                                        \
            return;                                                                                                         \
        if (count >= CHECKED_COUNT_MIN)                                                                                     \
            ms_task_check();                                                                                                \
        memcpy(scratch, data, middle * sizeof(type));                                                                       \
        uint64_t left = 0, right = middle, to = 0;                                                                          \
        while (left < middle && right < count) {                                                                            \
            if (BEFORE(data[right], scratch[left]))                                                                         \
                data[to++] = data[right++];                                                                                 \
            else                                                                                                            \
                data[to++] = scratch[left++];                                                                               \
        }                                                                                                                   \
        memcpy(data + to, scratch + left, (middle - left) * sizeof(type));                                                  \
    }

#define LESS(left, right) ((left) < (right))
/* NaN goes last; what compares equal, NaN or zero of either sign, stays as it was. */
#define LESS_NAN_LAST(left, right) ((left) < (right) || ((left) == (left) && (right) != (right)))
#define LESS_STRING(left, right) (ms_string_compare((left), (right)) < 0)

DEFINE_MERGE_SORT(sort_ints, int32_t, LESS)
DEFINE_MERGE_SORT(sort_longs, int64_t, LESS)
DEFINE_MERGE_SORT(sort_doubles, double, LESS_NAN_LAST)
DEFINE_MERGE_SORT(sort_floats, float, LESS_NAN_LAST)
DEFINE_MERGE_SORT(sort_strings, ms_vector, LESS_STRING)

/* ---- By digits: one pass for each byte in which the numbers differ at all ---- */

#define DEFINE_RADIX_SORT(name, type, bits)                                                                                 \
    static void name(type *data, uint64_t count)                                                                            \
    {                                                                                                                       \
        type *scratch = ms_alloc(count * sizeof(type));                                                                     \
        type *from = data, *to = scratch;                                                                                   \
        const type sign = (type)1 << (bits - 1); /* turns two's complement into an order of unsigned numbers */             \
        for (uint32_t shift = 0; shift < bits; shift += 8) {                                                                \
            uint64_t starts[256] = {0};                                                                                     \
            ms_task_check();                                                                                                \
            for (uint64_t i = 0; i < count; i++)                                                                            \
                starts[((from[i] ^ sign) >> shift) & 255]++;                                                                \
            if (starts[((from[0] ^ sign) >> shift) & 255] == count)                                                         \
                continue;                                                                                                   \
            uint64_t start = 0;                                                                                             \
            for (uint32_t digit = 0; digit < 256; digit++) {                                                                \
                uint64_t digit_count = starts[digit];                                                                       \
                starts[digit] = start;                                                                                      \
                start += digit_count;                                                                                       \
            }                                                                                                               \
            for (uint64_t i = 0; i < count; i++)                                                                            \
                to[starts[((from[i] ^ sign) >> shift) & 255]++] = from[i];                                                  \
            type *sorted = to;                                                                                              \
            to = from;                                                                                                      \
            from = sorted;                                                                                                  \
        }                                                                                                                   \
        if (from != data)                                                                                                   \
            memcpy(data, from, count * sizeof(type));                                                                       \
        ms_free(scratch, count * sizeof(type));                                                                             \
    }

DEFINE_RADIX_SORT(radix_ints, uint32_t, 32)
DEFINE_RADIX_SORT(radix_longs, uint64_t, 64)

/* ---- What compiled programs call ---- */

#define DEFINE_IS_SORTED(name, type)                                                                                        \
    static bool name(const type *data, uint64_t count)                                                                      \
    {                                                                                                                       \
        uint64_t at = 1;                                                                                                    \
        while (at < count && data[at - 1] <= data[at])                                                                      \
            at++;                                                                                                           \
        return at >= count;                                                                                                 \
    }

DEFINE_IS_SORTED(are_sorted_ints, int32_t)
DEFINE_IS_SORTED(are_sorted_longs, int64_t)

#define SORT_WITH_SCRATCH(sort, data, count)                                                                                \
    do {                                                                                                                    \
        uint64_t scratch_size = (count) <= INSERTION_COUNT ? 0 : ((count) + 1) / 2 * sizeof *(data);                        \
        void *scratch = scratch_size == 0 ? NULL : ms_alloc(scratch_size);                                                  \
        sort(data, count, scratch);                                                                                         \
        ms_free(scratch, scratch_size);                                                                                     \
    } while (0)

void ms_sort_int(int32_t *data, uint64_t count)
{
    if (count >= RADIX_COUNT_MIN && !are_sorted_ints(data, count))
        radix_ints((uint32_t *)data, count);
    else
        SORT_WITH_SCRATCH(sort_ints, data, count);
}

void ms_sort_long(int64_t *data, uint64_t count)
{
    if (count >= RADIX_COUNT_MIN && !are_sorted_longs(data, count))
        radix_longs((uint64_t *)data, count);
    else
        SORT_WITH_SCRATCH(sort_longs, data, count);
}

void ms_sort_double(double *data, uint64_t count)
{
    SORT_WITH_SCRATCH(sort_doubles, data, count);
}

void ms_sort_float(float *data, uint64_t count)
{
    SORT_WITH_SCRATCH(sort_floats, data, count);
}

void ms_sort_string(ms_vector *data, uint64_t count)
{
    SORT_WITH_SCRATCH(sort_strings, data, count);
}

void ms_sort_char(uint8_t *data, uint64_t count)
{
    uint64_t counts[256] = {0};
    for (uint64_t i = 0; i < count; i++)
        counts[data[i]]++;
    uint8_t *at = data;
    for (uint32_t value = 0; value < 256 && count > 0; value++) {
        memset(at, (int)value, counts[value]);
        at += counts[value];
    }
}
