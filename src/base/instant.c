/* instant.c -- instants as text. See instant.h.
 *
 * Days are counted from 0000-01-01 of the Gregorian calendar, so nothing is negative before the
 * end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/instant.h"

#define DAYS_TO_1970   719528
#define DAYS_IN_400    146097 /* years */
#define MINUTES_IN_DAY 1440
#define MS_IN_MINUTE   60000

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_before_year(unsigned year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

/* Months are 1 to 12; 13 gives the length of the year. */
static unsigned days_before_month(unsigned year, unsigned month)
{
    static const unsigned short days[] = {0,   31,  59,  90,  120, 151, 181,
                                          212, 243, 273, 304, 334, 365};

    return days[month - 1] + (month > 2 && is_leap(year) ? 1U : 0U);
}

/* ---- writing ---- */

/* Writes a number with that many digits, and the character behind it. */
static char *put(char *at, unsigned number, unsigned digits, char behind)
{
    for (unsigned i = digits; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
    at[digits] = behind;
    return at + digits + 1;
}

static char *put_date(char *at, unsigned day)
{
    unsigned year = (unsigned)((uint64_t)day * 400 / DAYS_IN_400), month = 1;

    /* By the mean length of a year; that may be one too many, or too few. */
    if (days_before_year(year) > day)
        year--;
    else if (days_before_year(year + 1) <= day)
        year++;
    day -= days_before_year(year);
    while (days_before_month(year, month + 1) <= day)
        month++;
    at = put(at, year, 4, '-');
    at = put(at, month, 2, '-');
    return put(at, day - days_before_month(year, month) + 1, 2, 'T');
}

struct slice instant_format(uint64_t instant, char text[INSTANT_LEN])
{
    uint64_t ms = instant < INSTANT_LAST ? instant : INSTANT_LAST;
    uint64_t minutes = ms / MS_IN_MINUTE;
    unsigned minute = (unsigned)(minutes % MINUTES_IN_DAY);
    char *at = put_date(text, (unsigned)(minutes / MINUTES_IN_DAY) + DAYS_TO_1970);

    at = put(at, minute / 60, 2, ':');
    at = put(at, minute % 60, 2, ':');
    at = put(at, (unsigned)(ms % MS_IN_MINUTE) / 1000, 2, '.');
    put(at, (unsigned)(ms % 1000), 3, 'Z');
    return slice_make(text, INSTANT_LEN);
}

/* ---- reading: each takes its part off the beginning of *rest ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number of exactly that many digits. */
static bool take_number(struct slice *rest, unsigned digits, unsigned *number)
{
    if (rest->len < digits)
        return false;
    *number = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (!is_digit(rest->data[i]))
            return false;
        *number = *number * 10 + (unsigned)(rest->data[i] - '0');
    }
    *rest = slice_make(rest->data + digits, rest->len - digits);
    return true;
}

static bool take_char(struct slice *rest, char c, char other)
{
    if (rest->len == 0 || (rest->data[0] != c && rest->data[0] != other))
        return false;
    *rest = slice_make(rest->data + 1, rest->len - 1);
    return true;
}

static bool take_date(struct slice *rest, unsigned *day)
{
    unsigned year, month, in_month;

    if (!take_number(rest, 4, &year) || !take_char(rest, '-', '-') ||
        !take_number(rest, 2, &month) || !take_char(rest, '-', '-') ||
        !take_number(rest, 2, &in_month))
        return false;
    if (month < 1 || month > 12 || in_month < 1 ||
        in_month > days_before_month(year, month + 1) - days_before_month(year, month))
        return false;
    *day = days_before_year(year) + days_before_month(year, month) + in_month - 1;
    return true;
}

/* "hh:mm", as minutes. */
static bool take_minutes(struct slice *rest, unsigned *minutes)
{
    unsigned hour, minute;

    if (!take_number(rest, 2, &hour) || !take_char(rest, ':', ':') ||
        !take_number(rest, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = hour * 60 + minute;
    return true;
}

/* Seconds, with a fraction or without, as milliseconds; *has_more when that cuts off something. */
static bool take_ms(struct slice *rest, unsigned *ms, bool *has_more)
{
    unsigned worth = 100;

    *has_more = false;
    if (!take_number(rest, 2, ms) || *ms > 60)
        return false;
    *ms *= 1000;
    if (!take_char(rest, '.', '.'))
        return true;
    if (rest->len == 0 || !is_digit(rest->data[0]))
        return false;
    for (unsigned digit; take_number(rest, 1, &digit); worth /= 10) {
        *ms += digit * worth;
        *has_more |= worth == 0 && digit != 0;
    }
    return true;
}

/* How many minutes local time is ahead of UTC. */
static bool take_offset(struct slice *rest, int *ahead)
{
    unsigned minutes;
    bool is_behind;

    *ahead = 0;
    if (take_char(rest, 'Z', 'z'))
        return true;
    is_behind = take_char(rest, '-', '-');
    if ((!is_behind && !take_char(rest, '+', '+')) || !take_minutes(rest, &minutes))
        return false;
    *ahead = is_behind ? -(int)minutes : (int)minutes;
    return true;
}

static bool parse(struct slice text, uint64_t *instant, bool *has_more)
{
    struct slice rest = text;
    unsigned day, minute, ms;
    int ahead;
    int64_t minutes, since_1970;

    if (!take_date(&rest, &day) || !take_char(&rest, 'T', 't') || !take_minutes(&rest, &minute) ||
        !take_char(&rest, ':', ':') || !take_ms(&rest, &ms, has_more) ||
        !take_offset(&rest, &ahead) || rest.len != 0)
        return false;
    minutes = ((int64_t)day - DAYS_TO_1970) * MINUTES_IN_DAY + minute - ahead;
    if (ms >= MS_IN_MINUTE && (minutes + 1) % MINUTES_IN_DAY != 0)
        return false;
    since_1970 = minutes * MS_IN_MINUTE + ms;
    *instant = since_1970 < 0 ? 0 : (uint64_t)since_1970;
    *has_more &= since_1970 >= 0;
    return true;
}

bool instant_parse(struct slice text, uint64_t *instant)
{
    bool has_more;

    return parse(text, instant, &has_more);
}

bool instant_parse_up(struct slice text, uint64_t *instant)
{
    bool has_more;

    if (!parse(text, instant, &has_more))
        return false;
    *instant += has_more;
    return true;
}
