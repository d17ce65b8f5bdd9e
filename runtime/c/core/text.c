/* Formatting of values: integers, truth values, characters, strings, quoted or not. Floating point stands in `numbers.c`, handles in
 * `text_job.c`. Everything is appended to a vector of the job's heap; what the text is for is the caller's affair. */
#include "core/text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* Where `size` more bytes go; the caller adds what it wrote to the count. */
static inline char *room(ms_vector *text, uint64_t size)
{
    if ((uint64_t)text->capacity < (uint64_t)text->count + size)
        *text = ms_vector_grow(*text, (uint64_t)text->count + size, 1);
    return (char *)text->data + text->count;
}

/* ---- Integers ---- */

static uint32_t digit_count(uint64_t value)
{
    uint32_t count = 1;
    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

uint32_t ms_format_long(char *buffer, int64_t value)
{
    bool negative = value < 0;
    uint64_t rest = negative ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t size = digit_count(rest) + negative;
    char *at = buffer + size;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (negative)
        *buffer = '-';
    return size;
}

void ms_text_long(ms_vector *text, int64_t value)
{
    text->count += ms_format_long(room(text, MS_NUMBER_SIZE), value);
}

void ms_text_int(ms_vector *text, int32_t value)
{
    text->count += ms_format_long(room(text, MS_NUMBER_SIZE), value);
}

/* ---- Bytes ---- */

void ms_text_bytes(ms_vector *text, const void *bytes, uint64_t size)
{
    if (size == 0)
        return;
    memcpy(room(text, size), bytes, size);
    text->count += (uint32_t)size;
}

void ms_text_words(ms_vector *text, const char *words)
{
    ms_text_bytes(text, words, strlen(words));
}

void ms_text_string(ms_vector *text, ms_vector value)
{
    ms_text_bytes(text, value.data, value.count);
}

void ms_text_char(ms_vector *text, uint8_t value)
{
    *room(text, 1) = (char)value;
    text->count++;
}

void ms_text_bool(ms_vector *text, bool value)
{
    ms_text_words(text, value ? "true" : "false");
}

void ms_text_state(ms_vector *text, int32_t state)
{
    ms_text_words(text, state == MS_RUNNING ? "running" : state == MS_FINISHED ? "finished" : "failed");
}

/* ---- Quoted ---- */

static uint32_t continuation_bytes(const uint8_t *at, uint32_t count, uint32_t *code)
{
    for (uint32_t i = 1; i <= count; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3f);
    }
    return count + 1;
}

/* The bytes of the character that `left` bytes begin with, 0 when that is not UTF-8 beyond ASCII (overlong forms and surrogates are not). */
static uint32_t decode_wide(const uint8_t *at, uint64_t left, uint32_t *code)
{
    uint32_t size = 0;
    if (at[0] >= 0xc2 && at[0] <= 0xdf && left >= 2) {
        *code = at[0] & 0x1f;
        size = continuation_bytes(at, 1, code);
    } else if (at[0] >= 0xe0 && at[0] <= 0xef && left >= 3) {
        *code = at[0] & 0x0f;
        size = continuation_bytes(at, 2, code);
        if (*code < 0x800 || (*code >= 0xd800 && *code <= 0xdfff))
            size = 0;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4 && left >= 4) {
        *code = at[0] & 0x07;
        size = continuation_bytes(at, 3, code);
        if (*code < 0x10000 || *code > 0x10ffff)
            size = 0;
    }
    return size;
}

/* Control characters, and the separators that end a line on some terminals. */
static bool is_printable_wide(uint32_t code)
{
    return code >= 0xa0 && code != 0x2028 && code != 0x2029;
}

static void escape(ms_vector *text, uint8_t value)
{
    static const char named[] = "\n\t\r\\\0";
    static const char names[] = "ntr\\0";
    const char *found = memchr(named, value, sizeof names - 1);
    char *at = room(text, 4);
    at[0] = '\\';
    if (found != NULL) {
        at[1] = names[found - named];
        text->count += 2;
        return;
    }
    at[1] = 'x';
    at[2] = hex_digits[value >> 4];
    at[3] = hex_digits[value & 15];
    text->count += 4;
}

static void quote_ascii(ms_vector *text, uint8_t value, uint8_t mark)
{
    if (value == mark)
        ms_text_char(text, '\\');
    if (value >= 0x20 && value < 0x7f && value != '\\')
        ms_text_char(text, value);
    else
        escape(text, value);
}

void ms_text_quoted_char(ms_vector *text, uint8_t value)
{
    ms_text_char(text, '\'');
    quote_ascii(text, value, '\'');
    ms_text_char(text, '\'');
}

void ms_text_quoted_string(ms_vector *text, ms_vector value)
{
    const uint8_t *bytes = value.data;
    (void)room(text, (uint64_t)value.count + 2);
    ms_text_char(text, '"');
    for (uint32_t i = 0; i < value.count;) {
        uint32_t code = 0;
        uint32_t size = bytes[i] < 0x80 ? 0 : decode_wide(bytes + i, value.count - i, &code);
        if (size > 0 && is_printable_wide(code)) {
            ms_text_bytes(text, bytes + i, size);
            i += size;
        } else {
            quote_ascii(text, bytes[i], '"');
            i++;
        }
    }
    ms_text_char(text, '"');
}
