/* Sorting by a function of the program: the same merge sort over elements of any size. `less` may fail, and then control leaves from
 * inside it: the scratch memory and the elements go with the job's heap. A `less` that contradicts itself gives some order. */
#include "core/heap.h"
#include "ms.h"

#include <string.h>

enum { INSERTION_COUNT = 8 };

typedef bool less_function(const void *left, const void *right);

typedef struct sorting {
    less_function *less;
    uint8_t *scratch; /* half of the elements, one at least */
    uint64_t element_size;
} sorting;

static inline void move_one(uint8_t *to, const uint8_t *from, uint64_t element_size)
{
    switch (element_size) {
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 16: memcpy(to, from, 16); break;
    default: memcpy(to, from, element_size); break;
    }
}

static void insertion_sort(const sorting *s, uint8_t *data, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        uint64_t at = i;
        while (at > 0 && s->less(data + i * s->element_size, data + (at - 1) * s->element_size))
            at--;
        if (at == i)
            continue;
        move_one(s->scratch, data + i * s->element_size, s->element_size);
        memmove(data + (at + 1) * s->element_size, data + at * s->element_size, (i - at) * s->element_size);
        move_one(data + at * s->element_size, s->scratch, s->element_size);
    }
}

static void merge(const sorting *s, uint8_t *data, uint64_t left_count, uint64_t count)
{
    uint64_t size = s->element_size;
    memcpy(s->scratch, data, left_count * size);
    const uint8_t *left = s->scratch, *left_end = s->scratch + left_count * size;
    const uint8_t *right = data + left_count * size, *right_end = data + count * size;
    uint8_t *to = data;
    for (; left < left_end && right < right_end; to += size) {
        const uint8_t **next = s->less(right, left) ? &right : &left;
        move_one(to, *next, size);
        *next += size;
    }
    memcpy(to, left, (size_t)(left_end - left));
}

static void merge_sort(const sorting *s, uint8_t *data, uint64_t count)
{
    if (count <= INSERTION_COUNT) {
        insertion_sort(s, data, count);
        return;
    }
    uint64_t middle = count / 2;
    uint8_t *right = data + middle * s->element_size;
    merge_sort(s, data, middle);
    merge_sort(s, right, count - middle);
    if (s->less(right, right - s->element_size))
        merge(s, data, middle, count);
}

void ms_sort_by(void *data, uint64_t count, uint64_t element_size, bool (*less)(const void *left, const void *right))
{
    if (count < 2 || element_size == 0)
        return;
    uint64_t scratch_size = (count + 1) / 2 * element_size;
    sorting s = {less, ms_alloc(scratch_size), element_size};
    merge_sort(&s, data, count);
    ms_free(s.scratch, scratch_size);
}
