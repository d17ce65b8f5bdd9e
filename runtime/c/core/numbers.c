/* Floating point as text: the shortest digits that read back equal, laid out as Python's repr does.
 *
 * A number v = m * 2^e reads back from every decimal that is closer to it than half the gap to its neighbours. It is scaled by a
 * power of ten, so that it has 17 or 18 digits before the point, and held with 64 bits behind it, and so is half the gap. Then as many
 * digits as possible are rounded away while the result stays within half a gap. The powers of ten are exact to 2^-125, so what is
 * computed is off by less than SLACK units in the last place; whatever lies closer to a limit than that, and powers of two, whose lower
 * neighbour is closer than the upper one, are left to libc's exact conversions, tried with more and more digits. */
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number 0.d1d2d3... * 10^point; the last digit is not 0, except for zero itself. */
typedef struct decimal {
    char digits[24];
    int count;
    int point;
} decimal;

/* The number mantissa * 2^exponent. */
typedef struct binary {
    uint64_t mantissa;
    int exponent;
} binary;

typedef unsigned __int128 fixed; /* 64 bits before the point, 64 behind it */

enum { POINT_MIN = -3, POINT_MAX = 16, COARSE_STEP = 28, COARSE_FIRST = -11, SLACK = 16 };

/* ---- Powers of ten ---- */

typedef struct power {
    uint64_t high; /* the highest bit is 1 */
    uint64_t low;
} power;

/* 10^(28 * i), rounded down to 128 bits, i from COARSE_FIRST on. */
static const power coarse_powers[] = {
    {0xe61acf033d1a45df, 0x6fb92487298e33bd}, /* 10^-308 */
    {0xe858ad248f5c22c9, 0xd1b3400f8f9cff68}, /* 10^-280 */
    {0xea9c227723ee8bcb, 0x465e15a979c1cadc}, /* 10^-252 */
    {0xece53cec4a314ebd, 0xa4f8bf5635246428}, /* 10^-224 */
    {0xef340a98172aace4, 0x86fb897116c87c34}, /* 10^-196 */
    {0xf18899b1bc3f8ca1, 0xdc44e6c3cb279ac1}, /* 10^-168 */
    {0xf3e2f893dec3f126, 0x5a89dba3c3efccfa}, /* 10^-140 */
    {0xf64335bcf065d37d, 0x4d4617b5ff4a16d5}, /* 10^-112 */
    {0xf8a95fcf88747d94, 0x75a44c6397ce912a}, /* 10^-84 */
    {0xfb158592be068d2e, 0xeed6e2f0f0d56712}, /* 10^-56 */
    {0xfd87b5f28300ca0d, 0x8bca9d6e188853fc}, /* 10^-28 */
    {0x8000000000000000, 0x0000000000000000}, /* 10^0 */
    {0x813f3978f8940984, 0x4000000000000000}, /* 10^28 */
    {0x82818f1281ed449f, 0xbff8f10e7a8921a4}, /* 10^56 */
    {0x83c7088e1aab65db, 0x792667c6da79e0fa}, /* 10^84 */
    {0x850fadc09923329e, 0x03e2cf6bc604ddb0}, /* 10^112 */
    {0x865b86925b9bc5c2, 0x0b8a2392ba45a9b2}, /* 10^140 */
    {0x87aa9aff79042286, 0x90fb44d2f05d0842}, /* 10^168 */
    {0x88fcf317f22241e2, 0x441fece3bdf81f03}, /* 10^196 */
    {0x8a5296ffe33cc92f, 0x82bd6b70d99aaa6f}, /* 10^224 */
    {0x8bab8eefb6409c1a, 0x1ad089b6c2f7548e}, /* 10^252 */
    {0x8d07e33455637eb2, 0xdb0b487b6423e1e8}, /* 10^280 */
    {0x8e679c2f5e44ff8f, 0x570f09eaa7ea7648}, /* 10^308 */
    {0x8fcac257558ee4e6, 0x213a4f0aa5e8a7b1}, /* 10^336 */
};

static const uint64_t fine_powers[] = {1,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       10000000000000000000u};

static int floor_log2_of_power(int k)
{
    return (k * 1741647) >> 19; /* exact for |k| < 340 and a little beyond */
}

static int floor_log10_of_power_of_two(int k)
{
    return (k * 78913) >> 18; /* exact for the exponents of doubles */
}

/* 10^k * 2^(127 - floor_log2_of_power(k)), rounded down, to about 126 bits. */
static fixed power_of_ten(int k)
{
    int index = (k - COARSE_FIRST * COARSE_STEP) / COARSE_STEP;
    int rest = k - (COARSE_FIRST + index) * COARSE_STEP;
    const power *coarse = &coarse_powers[index];
    fixed fine = rest < 20 ? fine_powers[rest] : (fixed)fine_powers[19] * fine_powers[rest - 19];
    if (rest == 0)
        return (fixed)coarse->high << 64 | coarse->low;
    uint64_t top = (uint64_t)(fine >> 64);
    fine <<= top != 0 ? __builtin_clzll(top) : 64 + __builtin_clzll((uint64_t)fine);
    uint64_t fine_high = (uint64_t)(fine >> 64), fine_low = (uint64_t)fine;
    fixed middle = (fixed)coarse->high * fine_low, other = (fixed)coarse->low * fine_high;
    fixed carry = ((fixed)coarse->low * fine_low >> 64) + (uint64_t)middle + (uint64_t)other;
    fixed product = (fixed)coarse->high * fine_high + (middle >> 64) + (other >> 64) + (carry >> 64);
    return product >> 127 != 0 ? product : product << 1;
}

/* ---- The digits ---- */

static void set_digits(decimal *d, uint64_t whole, int scale)
{
    d->count = (int)ms_format_long(d->digits, (int64_t)whole);
    d->point = d->count - scale;
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

/* Rounds `value` to multiples of 1, 10, 100, ... as long as that moves it by less than `reach`. False when it cannot be told. */
static bool round_within(fixed value, fixed reach, uint64_t *rounded)
{
    uint64_t quotient = (uint64_t)(value >> 64), remainder = 0;
    for (uint64_t unit = 1;; unit *= 10) {
        fixed below = (fixed)remainder << 64 | (uint64_t)value, above = ((fixed)unit << 64) - below;
        fixed distance = below < above ? below : above;
        fixed difference = below < above ? above - below : below - above;
        if (distance > reach + SLACK)
            return unit > 1;
        if (distance + SLACK >= reach || difference <= SLACK)
            return false;
        *rounded = (quotient + (below > above)) * unit;
        if (unit == fine_powers[18])
            return true;
        remainder += quotient % 10 * unit;
        quotient /= 10;
    }
}

static bool find_by_scaling(const binary *b, decimal *d)
{
    int width = 64 - __builtin_clzll(b->mantissa);
    int k = 16 - floor_log10_of_power_of_two(b->exponent + width - 1);
    fixed ten = power_of_ten(k);
    int exponent = floor_log2_of_power(k) - 127 + b->exponent; /* 10^k * 2^b->exponent = ten * 2^exponent */
    uint64_t mantissa = b->mantissa << (64 - width);
    fixed scaled = (fixed)mantissa * (uint64_t)(ten >> 64) + ((fixed)mantissa * (uint64_t)ten >> 64);
    fixed value = scaled >> (-exponent - width - 64); /* the product's lowest 64 bits are gone, its point is 64 bits up */
    fixed reach = ten >> (1 - exponent - 64);
    uint64_t rounded;
    if ((b->mantissa & (b->mantissa - 1)) == 0 || !round_within(value, reach, &rounded))
        return false;
    set_digits(d, rounded, k);
    return true;
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

/* Where the gap is narrower below (powers of two), the nearest decimal may lie below and not read back while the one above does. */
static void find_by_trying(double value, bool is_float, decimal *d)
{
    char text[48];
    int last = is_float ? 9 : 17;
    for (int precision = 1; precision <= last; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        take_apart(text, precision, d);
        if (precision == last || reads_back(d, value, is_float))
            break;
        step_up(d);
        if (reads_back(d, value, is_float))
            break;
    }
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

static void find_digits(double value, bool is_float, decimal *d)
{
    const double whole_limit = 9007199254740992.0; /* 2^53, beyond which whole numbers may have shorter texts */
    const double float_limit = 16777216.0;
    if (value < (is_float ? float_limit : whole_limit) && (double)(uint64_t)value == value) {
        set_digits(d, (uint64_t)value, 0);
        return;
    }
    int exponent;
    binary b = {.mantissa = (uint64_t)ldexp(frexp(value, &exponent), 53)};
    b.exponent = exponent - 53;
    int least = is_float ? -149 : -1074;
    int spare = is_float ? 29 : 0; /* bits of a double's mantissa that are not the number's */
    if (b.exponent + spare < least)
        spare = least - b.exponent;
    b.mantissa >>= spare;
    b.exponent += spare;
    if (!find_by_scaling(&b, d))
        find_by_trying(value, is_float, d);
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
    find_digits(value, is_float, &d);
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
