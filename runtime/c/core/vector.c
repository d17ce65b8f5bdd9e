/* Vectors of any element type, their elements moved as bytes. What an element owns is the compiled program's affair.
 *
 * The memory of a vector always has capacity * element_size bytes; that is the size it is freed with. Static data has capacity 0 and is
 * copied before it would be written. Elements without size (a struct without fields) have no memory, whatever the capacity. */
#include "core/fail.h"
#include "core/heap.h"
#include "ms.h"

#include <string.h>

/* The first elements that a vector makes room for: fewer where they are large, for many vectors (of children, say) stay small. */
enum { FIRST_COUNT = 4, FIRST_COUNT_OF_LARGE = 2, LARGE_SIZE = 17, DOUBLED_COUNT_MAX = 1024 };

static uint32_t checked_count(int64_t count)
{
    if (count < 0 || count > (int64_t)MS_COUNT_MAX)
        ms_fail_size(count);
    return (uint32_t)count;
}

static uint32_t checked_sum(uint64_t left, uint64_t right)
{
    uint64_t sum = left + right;
    if (sum < left || sum > INT64_MAX)
        sum = INT64_MAX;
    return checked_count((int64_t)sum);
}

static void *element(ms_vector v, uint64_t index, uint64_t element_size)
{
    return (uint8_t *)v.data + index * element_size;
}

static void copy_elements(void *to, const void *from, uint64_t count, uint64_t element_size)
{
    if (count * element_size > 0)
        memcpy(to, from, count * element_size);
}

static ms_vector with_capacity(ms_vector v, uint32_t capacity, uint64_t element_size)
{
    uint64_t new_size = capacity * element_size;
    if (new_size > 0)
        v.data = ms_heap_resize(v.data, v.capacity * element_size, v.count * element_size, new_size);
    v.capacity = capacity;
    return v;
}

ms_vector ms_vector_grow(ms_vector v, uint64_t count, uint64_t element_size)
{
    if (count <= v.capacity)
        return v;
    (void)checked_sum(count, 0);
    uint64_t capacity = v.capacity <= DOUBLED_COUNT_MAX ? 2 * (uint64_t)v.capacity : v.capacity + v.capacity / 2;
    if (capacity < count)
        capacity = count;
    uint64_t first_count = element_size >= LARGE_SIZE ? FIRST_COUNT_OF_LARGE : FIRST_COUNT;
    if (capacity < first_count)
        capacity = first_count;
    if (element_size > 0)
        capacity = ms_heap_good_size(capacity * element_size) / element_size;
    return with_capacity(v, capacity > MS_COUNT_MAX ? MS_COUNT_MAX : (uint32_t)capacity, element_size);
}

ms_vector ms_vector_new(int64_t count, uint64_t element_size)
{
    ms_vector v = {.count = checked_count(count)};
    v.capacity = v.count;
    if (v.count * element_size > 0)
        v.data = ms_alloc(v.count * element_size);
    return v;
}

ms_vector ms_vector_zero(int64_t count, uint64_t element_size)
{
    ms_vector v = {.count = checked_count(count)};
    v.capacity = v.count;
    if (v.count * element_size > 0)
        v.data = ms_heap_alloc_zero(v.count * element_size);
    return v;
}

ms_vector ms_vector_resize(ms_vector v, int64_t count, uint64_t element_size)
{
    uint32_t new_count = checked_count(count);
    if (new_count > v.count) {
        v = ms_vector_grow(v, new_count, element_size);
        if (element_size > 0)
            memset(element(v, v.count, element_size), 0, (new_count - v.count) * element_size);
    }
    v.count = new_count;
    return v;
}

ms_vector ms_vector_copy(ms_vector v, uint64_t element_size)
{
    ms_vector copy = ms_vector_new(v.count, element_size);
    copy_elements(copy.data, v.data, v.count, element_size);
    return copy;
}

void ms_slice_check(int64_t low, int64_t high, int64_t count)
{
    if (low < 0 || high < low || high > count)
        ms_fail_slice(low, high, count);
}

ms_vector ms_vector_slice(ms_vector v, int64_t low, int64_t high, uint64_t element_size)
{
    ms_slice_check(low, high, v.count);
    if (low == high)
        return (ms_vector){0};
    return ms_vector_copy((ms_vector){element(v, (uint64_t)low, element_size), (uint32_t)(high - low), 0}, element_size);
}

ms_vector ms_vector_concat(ms_vector left, ms_vector right, uint64_t element_size)
{
    ms_vector both = ms_vector_new(checked_sum(left.count, right.count), element_size);
    copy_elements(both.data, left.data, left.count, element_size);
    if (right.count > 0)
        copy_elements(element(both, left.count, element_size), right.data, right.count, element_size);
    return both;
}

ms_vector ms_vector_append(ms_vector v, ms_vector right, uint64_t element_size)
{
    if (right.count == 0)
        return v;
    v = ms_vector_grow(v, (uint64_t)v.count + right.count, element_size);
    copy_elements(element(v, v.count, element_size), right.data, right.count, element_size);
    v.count += right.count;
    return v;
}

ms_vector ms_vector_open(ms_vector v, int64_t index, uint64_t element_size)
{
    if (index < 0 || index > (int64_t)v.count)
        ms_fail_index(index, v.count);
    v = ms_vector_grow(v, (uint64_t)v.count + 1, element_size);
    if (element_size > 0)
        memmove(element(v, (uint64_t)index + 1, element_size), element(v, (uint64_t)index, element_size),
                (v.count - (uint64_t)index) * element_size);
    v.count++;
    return v;
}

ms_vector ms_vector_close(ms_vector v, int64_t index, uint64_t element_size)
{
    if (index < 0 || index >= (int64_t)v.count)
        ms_fail_index(index, v.count);
    if (v.capacity == 0)
        v = ms_vector_copy(v, element_size);
    if (element_size > 0)
        memmove(element(v, (uint64_t)index, element_size), element(v, (uint64_t)index + 1, element_size),
                (v.count - (uint64_t)index - 1) * element_size);
    v.count--;
    return v;
}

void ms_reverse(void *data, uint64_t count, uint64_t element_size)
{
    uint8_t buffer[64];
    uint8_t *low = data;
    uint8_t *high = (uint8_t *)data + (count > 0 ? count - 1 : 0) * element_size;
    for (; low < high; low += element_size, high -= element_size) {
        for (uint64_t done = 0; done < element_size; done += sizeof buffer) {
            uint64_t size = element_size - done < sizeof buffer ? element_size - done : sizeof buffer;
            memcpy(buffer, low + done, size);
            memcpy(low + done, high + done, size);
            memcpy(high + done, buffer, size);
        }
    }
}
