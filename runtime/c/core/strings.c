/* The built-in functions on strings. Results own their memory; arguments are only read. */
#include "core/fail.h"
#include "ms.h"

#include <string.h>

static inline bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static ms_vector copy_bytes(const uint8_t *bytes, uint64_t size)
{
    return ms_vector_copy((ms_vector){(void *)(uintptr_t)bytes, (uint32_t)size, 0}, 1);
}

/* ---- Comparing and finding ---- */

int32_t ms_string_compare(ms_vector left, ms_vector right)
{
    uint32_t common = left.count < right.count ? left.count : right.count;
    int order = common == 0 ? 0 : memcmp(left.data, right.data, common);
    return order != 0 ? order : (left.count > right.count) - (left.count < right.count);
}

bool ms_string_equal(ms_vector left, ms_vector right)
{
    return left.count == right.count && (left.count == 0 || memcmp(left.data, right.data, left.count) == 0);
}

int32_t ms_string_find(ms_vector s, ms_vector piece)
{
    if (piece.count == 0)
        return 0;
    if (piece.count > s.count)
        return -1;
    const uint8_t *found = memmem(s.data, s.count, piece.data, piece.count);
    return found == NULL ? -1 : (int32_t)(found - (const uint8_t *)s.data);
}

int32_t ms_string_find_char(ms_vector s, uint8_t c)
{
    const uint8_t *found = s.count == 0 ? NULL : memchr(s.data, c, s.count);
    return found == NULL ? -1 : (int32_t)(found - (const uint8_t *)s.data);
}

/* ---- Splitting and joining ---- */

/* The end of the part that begins at `at`: the next separator, or `end`. */
static const uint8_t *part_end(const uint8_t *at, const uint8_t *end, ms_vector separator)
{
    if (at == end)
        return end;
    const uint8_t *found = separator.count == 1 ? memchr(at, *(const uint8_t *)separator.data, (size_t)(end - at))
                                                : memmem(at, (size_t)(end - at), separator.data, separator.count);
    return found == NULL ? end : found;
}

ms_vector ms_split(ms_vector s, ms_vector separator)
{
    static const uint8_t nothing[1];
    if (separator.count == 0)
        ms_fail_message("empty separator");
    const uint8_t *at = s.count == 0 ? nothing : s.data;
    const uint8_t *end = at + s.count;
    uint64_t count = 1;
    for (const uint8_t *stop = part_end(at, end, separator); stop < end; stop = part_end(stop + separator.count, end, separator))
        count++;
    ms_vector parts = ms_vector_new((int64_t)count, sizeof(ms_vector));
    ms_vector *part = parts.data;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *stop = part_end(at, end, separator);
        part[i] = copy_bytes(at, (uint64_t)(stop - at));
        at = stop + separator.count;
    }
    return parts;
}

/* Moves *at behind the next word and gives the word's start; null when there is none. */
static const uint8_t *next_word(const uint8_t **at, const uint8_t *end)
{
    while (*at < end && is_space(**at))
        ++*at;
    const uint8_t *start = *at;
    while (*at < end && !is_space(**at))
        ++*at;
    return start == *at ? NULL : start;
}

/* Without a branch for each byte, which nobody could foretell. */
static int64_t count_words(const uint8_t *bytes, uint32_t size)
{
    int64_t count = 0;
    bool was_space = true;
    for (uint32_t i = 0; i < size; i++) {
        bool space = is_space(bytes[i]);
        count += was_space & !space;
        was_space = space;
    }
    return count;
}

ms_vector ms_split_space(ms_vector s)
{
    if (s.count == 0)
        return (ms_vector){0};
    const uint8_t *at = s.data, *end = at + s.count, *word;
    ms_vector parts = ms_vector_new(count_words(at, s.count), sizeof(ms_vector));
    ms_vector *part = parts.data;
    while ((word = next_word(&at, end)) != NULL)
        *part++ = copy_bytes(word, (uint64_t)(at - word));
    return parts;
}

ms_vector ms_join(ms_vector parts, ms_vector separator)
{
    const ms_vector *part = parts.data;
    uint64_t size = 0;
    for (uint32_t i = 0; i < parts.count; i++)
        size += part[i].count + (i == 0 ? 0 : separator.count);
    ms_vector joined = ms_vector_new((int64_t)size, 1);
    joined.count = 0;
    for (uint32_t i = 0; i < parts.count; i++) {
        if (i > 0)
            joined = ms_vector_append(joined, separator, 1);
        joined = ms_vector_append(joined, part[i], 1);
    }
    return joined;
}

ms_vector ms_trim(ms_vector s)
{
    const uint8_t *bytes = s.data;
    uint32_t low = 0, high = s.count;
    while (low < high && is_space(bytes[low]))
        low++;
    while (high > low && is_space(bytes[high - 1]))
        high--;
    return low == high ? (ms_vector){0} : copy_bytes(bytes + low, high - low);
}

/* ---- Other cases, other pieces ---- */

/* A copy in which the letters from `first` to `first` + 25 have the other case. */
static ms_vector other_case(ms_vector s, uint8_t first)
{
    ms_vector changed = ms_vector_copy(s, 1);
    uint8_t *bytes = changed.data;
    for (uint32_t i = 0; i < changed.count; i++)
        bytes[i] ^= (uint8_t)(bytes[i] - first) < 26 ? 0x20 : 0;
    return changed;
}

ms_vector ms_upper(ms_vector s)
{
    return other_case(s, 'a');
}

ms_vector ms_lower(ms_vector s)
{
    return other_case(s, 'A');
}

static inline uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(to, bytes, size);
    return to + size;
}

ms_vector ms_replace(ms_vector s, ms_vector piece, ms_vector other)
{
    if (piece.count == 0)
        ms_fail_message("empty separator");
    if (s.count == 0)
        return (ms_vector){0};
    const uint8_t *at = s.data, *end = at + s.count;
    int64_t found = 0;
    for (const uint8_t *stop = part_end(at, end, piece); stop < end; stop = part_end(stop + piece.count, end, piece))
        found++;
    ms_vector replaced = ms_vector_new((int64_t)s.count + found * ((int64_t)other.count - (int64_t)piece.count), 1);
    uint8_t *to = replaced.data;
    for (; found > 0; found--) {
        const uint8_t *stop = part_end(at, end, piece);
        to = put(to, at, (size_t)(stop - at));
        to = put(to, other.data, other.count);
        at = stop + piece.count;
    }
    (void)put(to, at, (size_t)(end - at));
    return replaced;
}

bool ms_starts_with(ms_vector s, ms_vector piece)
{
    return piece.count == 0 || (piece.count <= s.count && memcmp(s.data, piece.data, piece.count) == 0);
}

bool ms_ends_with(ms_vector s, ms_vector piece)
{
    return piece.count == 0 ||
           (piece.count <= s.count && memcmp((const uint8_t *)s.data + (s.count - piece.count), piece.data, piece.count) == 0);
}
