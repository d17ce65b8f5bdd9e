/* What `format` does beyond `print`: digits after the point, hexadecimal digits, and padding. The template was read by the compiler,
 * so widths and digits are within its limits. */
#include "core/task.h"
#include "core/text.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 500, FIXED_SIZE = 1 + DBL_MAX_10_EXP + 1 + 1 + DIGITS_MAX + 1 };

void ms_text_fixed(ms_vector *text, double value, int32_t digits)
{
    if (!isfinite(value)) {
        ms_text_double(text, value);
        return;
    }
    char buffer[FIXED_SIZE];
    assert(digits >= 0 && digits <= DIGITS_MAX);
    ms_task_check_stack();
    /* libc rounds the exact value, half-way cases to even, and no locale is ever set. */
    int size = snprintf(buffer, sizeof buffer, "%.*f", (int)digits, value);
    ms_text_bytes(text, buffer, (uint64_t)size);
}

void ms_text_hex(ms_vector *text, uint64_t value)
{
    char buffer[16];
    char *at = buffer + sizeof buffer;
    do {
        *--at = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value != 0);
    ms_text_bytes(text, at, (uint64_t)(buffer + sizeof buffer - at));
}

void ms_text_pad(ms_vector *text, uint32_t start, int32_t width, uint8_t way)
{
    uint32_t size = text->count - start;
    if (width <= 0 || size >= (uint32_t)width)
        return;
    uint32_t missing = (uint32_t)width - size;
    if ((uint64_t)text->capacity < (uint64_t)text->count + missing)
        *text = ms_vector_grow(*text, (uint64_t)text->count + missing, 1);
    uint8_t *at = (uint8_t *)text->data + start;
    uint8_t filling = ' ';
    uint32_t before = way == '<' ? size : 0;
    if (way == '0') {
        uint32_t sign = size > 0 && at[0] == '-';
        uint8_t first = size > sign ? at[sign] : 0;
        /* "nan" and "inf" get no zeros. */
        if ((first >= '0' && first <= '9') || (first >= 'a' && first <= 'f')) {
            filling = '0';
            before = sign;
        }
    }
    memmove(at + before + missing, at + before, size - before);
    memset(at + before, filling, missing);
    text->count += missing;
}
