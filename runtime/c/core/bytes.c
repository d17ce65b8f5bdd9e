/* The growable buffer. Knows nothing but malloc. */
#include "core/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_CAPACITY = 64 };

void ms_bytes_init(ms_bytes *bytes)
{
    *bytes = (ms_bytes){0};
}

void ms_bytes_free(ms_bytes *bytes)
{
    free(bytes->data);
    ms_bytes_init(bytes);
}

bool ms_bytes_reserve(ms_bytes *bytes, size_t more)
{
    assert(bytes->size <= bytes->capacity);
    if (more <= bytes->capacity - bytes->size)
        return true;
    if (more > SIZE_MAX / 2 - bytes->size)
        return false;
    size_t capacity = bytes->capacity + bytes->capacity / 2;
    if (capacity < bytes->size + more)
        capacity = bytes->size + more;
    if (capacity < SMALLEST_CAPACITY)
        capacity = SMALLEST_CAPACITY;
    uint8_t *data = realloc(bytes->data, capacity);
    if (data == NULL)
        return false;
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

bool ms_bytes_append(ms_bytes *bytes, const void *source, size_t size)
{
    if (!ms_bytes_reserve(bytes, size))
        return false;
    if (size > 0)
        memcpy(bytes->data + bytes->size, source, size);
    bytes->size += size;
    return true;
}

void ms_bytes_clear(ms_bytes *bytes)
{
    bytes->size = 0;
}

void ms_bytes_consume(ms_bytes *bytes, size_t size)
{
    assert(size <= bytes->size);
    bytes->size -= size;
    if (size > 0 && bytes->size > 0)
        memmove(bytes->data, bytes->data + size, bytes->size);
}
