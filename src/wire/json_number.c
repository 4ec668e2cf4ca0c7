/* json_number.c -- numbers as JSON spells them, read and written exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/json_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Powers of ten that a double holds exactly. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Integers up to here are exact as doubles. */
#define EXACT_MAX (UINT64_C(1) << 53)

/* Decimal numbers of up to 15 digits name different doubles. */
#define SHORT_MAX 1e15

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at != end && is_digit(*at))
        at++;
    return at;
}

/* The integer part: no digit before another when it is 0. */
static const char *scan_integer(const char *at, const char *end, struct json_number *number)
{
    const char *first = at;
    uint64_t value = 0;

    if (at == end || !is_digit(*at))
        return NULL;
    if (*at == '0')
        return at + 1;
    /* Nineteen digits always fit. */
    while (at != end && is_digit(*at) && at - first < 19)
        value = value * 10 + (uint64_t)(*at++ - '0');
    for (; at != end && is_digit(*at); at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            number->is_big = true;
    number->magnitude = value;
    return at;
}

const char *json_number_scan(const char *at, const char *end, struct json_number *number)
{
    const char *digits;

    number->magnitude = 0;
    number->is_real = number->is_big = false;
    number->is_negative = at != end && *at == '-';
    at = scan_integer(at + number->is_negative, end, number);
    if (at == NULL || at == end)
        return at;
    if (*at == '.') {
        number->is_real = true;
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    if (at != end && (*at | 0x20) == 'e') {
        number->is_real = true;
        digits = at + 1;
        if (digits != end && (*digits == '+' || *digits == '-'))
            digits++;
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    return at;
}

/* The exact way for short numbers: one multiplication or division of two exact doubles is
 * rounded once, so it is right. False when the number is not that short. */
static bool short_real(struct slice text, double *value)
{
    const char *at = text.data, *end = text.data + text.len;
    bool is_negative = *at == '-', is_down = false;
    uint64_t mantissa = 0;
    long scale = 0, exponent = 0;
    double real;

    if (text.len > 24)
        return false;
    for (at += is_negative; at != end && *at != '.' && is_digit(*at); at++)
        mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    if (at != end && *at == '.')
        for (at++; at != end && is_digit(*at); at++, scale--)
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    if (at - text.data > 18)
        return false; /* the mantissa may have overflowed */
    if (at != end) {
        at++;
        is_down = *at == '-';
        for (at += !is_digit(*at); at != end && exponent < 1000; at++)
            exponent = exponent * 10 + (*at - '0');
        scale += is_down ? -exponent : exponent;
    }
    if (mantissa > EXACT_MAX || scale < -22 || scale > 22)
        return false;
    real = (double)mantissa;
    real = scale < 0 ? real / powers[-scale] : real * powers[scale];
    *value = is_negative ? -real : real;
    return true;
}

double json_number_real(struct slice text, struct arena *arena)
{
    double value;
    char *copy;

    if (short_real(text, &value))
        return value;
    copy = arena_alloc(arena, text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return strtod(copy, NULL);
}

static size_t digit_count(uint64_t value)
{
    size_t count = 1;

    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t json_number_put_uint(char *out, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    size_t len = digit_count(value);
    char *at = out + len;

    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (value % 100), 2);
    }
    if (value >= 10)
        memcpy(out, pairs + 2 * value, 2);
    else
        *out = (char)('0' + value);
    return len;
}

/* Numbers with few decimals, such as prices and readings, without the general way. With at most
 * 15 digits the decimal number that divides back to the same double is the shortest there is. */
static size_t put_short_real(char *out, double value)
{
    double magnitude = fabs(value);
    char *at = out;
    unsigned decimals = 1;
    uint64_t scaled = 0, unit;
    char fraction[20];
    size_t len;

    for (; decimals <= 6; decimals++) {
        if (magnitude * powers[decimals] >= SHORT_MAX)
            return 0;
        scaled = (uint64_t)llround(magnitude * powers[decimals]);
        if ((double)scaled / powers[decimals] == magnitude)
            break;
    }
    if (decimals > 6)
        return 0;
    if (signbit(value))
        *at++ = '-';
    unit = (uint64_t)powers[decimals];
    at += json_number_put_uint(at, scaled / unit);
    *at++ = '.';
    len = json_number_put_uint(fraction, unit + scaled % unit); /* a 1, then all decimals */
    memcpy(at, fraction + 1, len - 1);
    return (size_t)(at - out) + len - 1;
}

size_t json_number_put_real(char *out, double value)
{
    size_t len = put_short_real(out, value);

    if (len != 0)
        return len;
    /* Subnormal numbers have fewer digits to lose. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        len = (size_t)snprintf(out, JSON_NUMBER_MAX, "%.*g", precision, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (memchr(out, '.', len) == NULL && memchr(out, 'e', len) == NULL) {
        memcpy(out + len, ".0", 2);
        len += 2;
    }
    return len;
}
