/* Floating point as text: the shortest digits that read back equal, laid out as Python's repr does.
 *
 * Most numbers that programs print are short decimals m / 10^k with m < 2^50. Those are found by trying k = 0, 1, 2, ...: m and 10^k
 * are exact, so m / 10^k is rounded once, as reading "m e-k" would be; and since neighbouring candidates lie further apart than
 * doubles do, the first k that reads back gives the only shortest digits. Everything else tries 16 and 17 digits of libc's exact
 * conversion; where the gap to the next double is narrower below than above (powers of two), a candidate of 16 digits just above
 * may read back though the nearest one does not, so that one is tried as well. */
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number 0.d1d2d3... * 10^point; the last digit is not 0, except for zero itself. */
typedef struct decimal {
    char digits[20];
    int count;
    int point;
} decimal;

enum { POINT_MIN = -3, POINT_MAX = 16, SHORT_POWER_MAX = 22 };

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* ---- The digits ---- */

static void cut_zeros(decimal *d)
{
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

static bool find_short(double value, decimal *d)
{
    const double limit = 1125899906842624.0; /* 2^50 */
    for (int k = 0; k <= SHORT_POWER_MAX; k++) {
        double scaled = value * powers_of_ten[k];
        if (scaled >= limit)
            return false;
        double whole = (double)(int64_t)(scaled + 0.5);
        if (whole / powers_of_ten[k] == value) {
            d->count = (int)ms_format_long(d->digits, (int64_t)whole);
            d->point = d->count - k;
            cut_zeros(d);
            return true;
        }
    }
    return false;
}

/* Takes the digits out of libc's "d.ddde-xx". */
static void take_apart(const char *text, int precision, decimal *d)
{
    d->digits[0] = text[0];
    if (precision > 1)
        memcpy(d->digits + 1, text + 2, (size_t)precision - 1);
    d->count = precision;
    d->point = atoi(strchr(text, 'e') + 1) + 1;
}

static bool reads_back(const decimal *d, double value, bool is_float)
{
    char text[48];
    snprintf(text, sizeof text, "0.%.*se%d", d->count, d->digits, d->point);
    return is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

/* The next larger number with as many digits. */
static void step_up(decimal *d)
{
    int i = d->count - 1;
    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
    } else {
        d->digits[0] = '1';
        d->point++;
    }
}

static void find_by_trying(double value, int first, int last, bool is_float, decimal *d)
{
    char text[48];
    int exponent;
    bool is_power_of_two = frexp(value, &exponent) == 0.5;
    for (int precision = first; precision <= last; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        take_apart(text, precision, d);
        if (precision == last || reads_back(d, value, is_float))
            break;
        if (is_power_of_two) {
            step_up(d);
            if (reads_back(d, value, is_float))
                break;
        }
    }
    cut_zeros(d);
}

/* ---- The layout ---- */

static char *put(char *at, const char *bytes, int count)
{
    memcpy(at, bytes, (size_t)count);
    return at + count;
}

static char *put_zeros(char *at, int count)
{
    memset(at, '0', (size_t)count);
    return at + count;
}

static char *put_plain(char *at, const decimal *d)
{
    if (d->point <= 0) {
        at = put_zeros(put(at, "0.", 2), -d->point);
        return put(at, d->digits, d->count);
    }
    if (d->count <= d->point) {
        at = put_zeros(put(at, d->digits, d->count), d->point - d->count);
        return put(at, ".0", 2);
    }
    at = put(put(at, d->digits, d->point), ".", 1);
    return put(at, d->digits + d->point, d->count - d->point);
}

static char *put_scientific(char *at, const decimal *d)
{
    int exponent = d->point - 1;
    *at++ = d->digits[0];
    if (d->count > 1)
        at = put(put(at, ".", 1), d->digits + 1, d->count - 1);
    at = put(at, exponent < 0 ? "e-" : "e+", 2);
    if (exponent < 0)
        exponent = -exponent;
    if (exponent < 10)
        *at++ = '0';
    return at + ms_format_long(at, exponent);
}

static uint32_t format(char *buffer, double value, bool is_float)
{
    if (isnan(value))
        return (uint32_t)(put(buffer, "nan", 3) - buffer);
    char *at = buffer;
    if (signbit(value))
        *at++ = '-';
    value = fabs(value);
    if (isinf(value))
        return (uint32_t)(put(at, "inf", 3) - buffer);
    if (value == 0)
        return (uint32_t)(put(at, "0.0", 3) - buffer);
    decimal d;
    if (is_float)
        find_by_trying(value, 1, 9, true, &d);
    else if (!find_short(value, &d))
        find_by_trying(value, value < 1e-300 ? 1 : 15, 17, false, &d);
    bool is_plain = d.point >= POINT_MIN && d.point <= POINT_MAX;
    return (uint32_t)((is_plain ? put_plain(at, &d) : put_scientific(at, &d)) - buffer);
}

uint32_t ms_format_double(char *buffer, double value)
{
    return format(buffer, value, false);
}

uint32_t ms_format_float(char *buffer, float value)
{
    return format(buffer, (double)value, true);
}

void ms_text_double(ms_vector *text, double value)
{
    char buffer[MS_NUMBER_SIZE];
    ms_text_bytes(text, buffer, ms_format_double(buffer, value));
}

void ms_text_float(ms_vector *text, float value)
{
    char buffer[MS_NUMBER_SIZE];
    ms_text_bytes(text, buffer, ms_format_float(buffer, value));
}
