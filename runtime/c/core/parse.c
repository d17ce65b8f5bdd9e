/* Values read from text. White space around and a sign are fine; anything else that is not the value fails. */
#include "core/fail.h"
#include "core/task.h"
#include "ms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct span {
    const uint8_t *at;
    const uint8_t *end;
} span;

static inline bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The text without the space around it. */
static span trimmed(ms_vector s)
{
    span inner = {NULL, NULL};
    if (s.count == 0)
        return inner;
    inner.at = s.data;
    inner.end = inner.at + s.count;
    while (inner.at < inner.end && is_space(*inner.at))
        inner.at++;
    while (inner.end > inner.at && is_space(inner.end[-1]))
        inner.end--;
    return inner;
}

static bool take_sign(span *s)
{
    bool is_negative = s->at < s->end && *s->at == '-';
    if (s->at < s->end && (*s->at == '-' || *s->at == '+'))
        s->at++;
    return is_negative;
}

/* ---- Integers ---- */

/* False when it is no integer, or one beyond `max` in size (one more below zero). */
static bool read_integer(ms_vector text, uint64_t max, int64_t *value)
{
    span s = trimmed(text);
    bool is_negative = take_sign(&s);
    uint64_t magnitude = 0;
    if (s.at == s.end)
        return false;
    for (; s.at < s.end; s.at++) {
        if (!is_digit(*s.at))
            return false;
        uint64_t digit = *s.at - '0';
        if (magnitude > (max + is_negative - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    *value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

int32_t ms_parse_int(ms_vector s)
{
    int64_t value;
    if (!read_integer(s, INT32_MAX, &value))
        ms_fail_parse(s, "int");
    return (int32_t)value;
}

int64_t ms_parse_long(ms_vector s)
{
    int64_t value;
    if (!read_integer(s, INT64_MAX, &value))
        ms_fail_parse(s, "long");
    return value;
}

/* ---- Floating point ---- */

/* A decimal number taken apart: mantissa * 10^exponent, when it is exact. */
typedef struct decimal {
    uint64_t mantissa;
    int32_t exponent;
    bool is_exact;
} decimal;

enum { EXACT_DIGIT_COUNT = 15, EXACT_POWER_MAX = 22, EXPONENT_MAX = 100000 };

static void take_digits(span *s, decimal *d, uint32_t *digit_count, bool is_fraction)
{
    for (; s->at < s->end && is_digit(*s->at); s->at++) {
        if (*digit_count < EXACT_DIGIT_COUNT || d->mantissa == 0) {
            d->mantissa = d->mantissa * 10 + (*s->at - '0');
            d->exponent -= is_fraction && d->exponent > -EXPONENT_MAX;
        } else {
            d->is_exact = false;
        }
        if (d->mantissa != 0)
            ++*digit_count;
    }
}

static bool take_exponent(span *s, decimal *d)
{
    int32_t exponent = 0;
    s->at++;
    bool is_negative = take_sign(s);
    if (s->at == s->end)
        return false;
    for (; s->at < s->end && is_digit(*s->at); s->at++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*s->at - '0');
    d->exponent += is_negative ? -exponent : exponent;
    return true;
}

/* digits [. digits] [e [sign] digits], with at least one digit before the exponent. */
static bool take_decimal(span s, decimal *d)
{
    uint32_t digit_count = 0;
    const uint8_t *start = s.at;
    *d = (decimal){.is_exact = true};
    take_digits(&s, d, &digit_count, false);
    bool has_digits = s.at > start;
    if (s.at < s.end && *s.at == '.') {
        start = ++s.at;
        take_digits(&s, d, &digit_count, true);
        has_digits = has_digits || s.at > start;
    }
    if (!has_digits)
        return false;
    if (s.at < s.end && (*s.at == 'e' || *s.at == 'E') && !take_exponent(&s, d))
        return false;
    return s.at == s.end;
}

/* libc's reading of text that is known to be a decimal number. A float is not read as a double first: it would be rounded twice. */
static double read_slowly(span s, bool is_float)
{
    char buffer[128];
    uint64_t size = (uint64_t)(s.end - s.at);
    char *copy = size < sizeof buffer ? buffer : ms_alloc(size + 1);
    ms_task_check_stack();
    memcpy(copy, s.at, size);
    copy[size] = '\0';
    double value = is_float ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    if (copy != buffer)
        ms_free(copy, size + 1);
    return value;
}

static bool is_word(span s, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(s.end - s.at) == size && memcmp(s.at, word, size) == 0;
}

static bool read_number(ms_vector text, bool is_float, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    span s = trimmed(text);
    if (s.at == s.end)
        return false;
    bool is_negative = take_sign(&s);
    decimal d;
    if (s.at < s.end && is_word(s, "inf"))
        *value = (double)INFINITY;
    else if (s.at < s.end && is_word(s, "nan"))
        *value = (double)NAN;
    else if (!take_decimal(s, &d))
        return false;
    else if (!is_float && d.is_exact && d.exponent >= -EXACT_POWER_MAX && d.exponent <= EXACT_POWER_MAX)
        *value = d.exponent < 0 ? (double)d.mantissa / powers[-d.exponent] : (double)d.mantissa * powers[d.exponent];
    else
        *value = read_slowly(s, is_float);
    if (is_negative)
        *value = -*value;
    return true;
}

double ms_parse_double(ms_vector s)
{
    double value;
    if (!read_number(s, false, &value))
        ms_fail_parse(s, "double");
    return value;
}

float ms_parse_float(ms_vector s)
{
    double value;
    if (!read_number(s, true, &value))
        ms_fail_parse(s, "float");
    return (float)value;
}

/* ---- Words of the command line ---- */

bool ms_parse_bool(ms_vector s)
{
    span inner = {s.data, (const uint8_t *)s.data + s.count};
    bool is_true = s.count > 0 && is_word(inner, "true");
    if (!is_true && !(s.count > 0 && is_word(inner, "false")))
        ms_fail_parse(s, "bool");
    return is_true;
}

uint8_t ms_parse_char(ms_vector s)
{
    if (s.count != 1)
        ms_fail_parse(s, "char");
    return *(const uint8_t *)s.data;
}
