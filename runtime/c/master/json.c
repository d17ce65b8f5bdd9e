/* Numbers and strings of JSON. */
#include "master/json.h"

void ms_json_number(ms_bytes *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    ms_bytes_append(out, digits + at, sizeof digits - at);
}

static void put_fraction(ms_bytes *out, uint64_t value, uint64_t unit, size_t digit_count)
{
    char digits[16] = ".";
    uint64_t rest = value % unit;
    for (size_t i = digit_count; i > 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    ms_json_number(out, value / unit);
    ms_bytes_append(out, digits, digit_count + 1);
}

void ms_json_us(ms_bytes *out, uint64_t ns)
{
    put_fraction(out, ns, 1000, 3);
}

void ms_json_seconds(ms_bytes *out, uint64_t ns)
{
    put_fraction(out, ns / 1000, 1000000, 6);
}

/* The bytes of the UTF-8 sequence that begins here, 0 when it is none. */
static size_t sequence_size(const uint8_t *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 : at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;
    if (size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool too_small = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool no_character = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return size > 1 && (too_small || no_character) ? 0 : size;
}

static void put_character(ms_bytes *out, const uint8_t *at, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    if (size == 0) {
        ms_json_raw(out, "\\ufffd");
    } else if (at[0] == '"' || at[0] == '\\') {
        char escaped[2] = {'\\', (char)at[0]};
        ms_bytes_append(out, escaped, 2);
    } else if (at[0] == '\n') {
        ms_json_raw(out, "\\n");
    } else if (at[0] < 0x20 || at[0] == 0x7f) {
        char escaped[6] = {'\\', 'u', '0', '0', hex[at[0] >> 4], hex[at[0] & 15]};
        ms_bytes_append(out, escaped, 6);
    } else {
        ms_bytes_append(out, at, size);
    }
}

void ms_json_string(ms_bytes *out, const void *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = at + size;
    ms_json_raw(out, "\"");
    while (at < end) {
        size_t one = sequence_size(at, (size_t)(end - at));
        put_character(out, at, one);
        at += one == 0 ? 1 : one;
    }
    ms_json_raw(out, "\"");
}
