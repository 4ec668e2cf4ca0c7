/* cron.c -- see cron.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct field {
    const char *name;
    unsigned min, max;
};

static const struct field fields[] = {
    {"minute", 0, 59}, {"hour", 0, 23},           {"day of the month", 1, 31},
    {"month", 1, 12},  {"day of the week", 0, 7},
};

static bool number(const char **at, unsigned *value)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    *value = (unsigned)strtoul(*at, &end, 10);
    *at = end;
    return *value < 1000;
}

/* One item of a list: "5", "1-5", a star, each with a step or without. */
static bool item(const struct field *field, const char **at, uint64_t *bits)
{
    unsigned from = field->min, to = field->max, step = 1;
    bool is_star = **at == '*';

    if (is_star)
        ++*at;
    else if (!number(at, &from))
        return false;
    if (!is_star)
        to = from;
    if (!is_star && **at == '-') {
        ++*at;
        if (!number(at, &to))
            return false;
    }
    if (**at == '/') {
        ++*at;
        if (!number(at, &step) || step == 0)
            return false;
        if (!is_star && to == from)
            to = field->max;
    }
    if (from < field->min || to > field->max || from > to)
        return false;
    for (unsigned i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool list(const struct field *field, const char *text, uint64_t *bits)
{
    *bits = 0;
    for (;;) {
        if (!item(field, &text, bits))
            return false;
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static bool has(uint64_t bits, int number)
{
    return (bits >> number & 1) != 0;
}

static bool is_day(const struct cron *cron, const struct tm *tm)
{
    bool is_in_month = has(cron->days, tm->tm_mday), is_in_week = has(cron->weekdays, tm->tm_wday);

    if (!has(cron->months, tm->tm_mon + 1))
        return false;
    if (cron->is_any_day || cron->is_any_weekday)
        return is_in_month && is_in_week;
    return is_in_month || is_in_week;
}

uint64_t cron_next(const struct cron *cron, uint64_t wall)
{
    time_t at = (time_t)(wall / 60000 + 1) * 60;
    const time_t end = at + (time_t)5 * 366 * 86400;

    while (at < end) {
        struct tm tm;

        localtime_r(&at, &tm);
        if (!is_day(cron, &tm) && tm.tm_hour < 22)
            at += (22 - tm.tm_hour) * 3600 - tm.tm_min * 60;
        else if (!is_day(cron, &tm) || !has(cron->hours, tm.tm_hour))
            at += 3600 - tm.tm_min * 60; /* by hours, as days may have 23 or 25 of them */
        else if (!has(cron->minutes, tm.tm_min))
            at += 60;
        else
            return (uint64_t)at * 1000;
    }
    return 0;
}

bool cron_parse(struct cron *cron, struct slice text, char words[160])
{
    uint64_t *const bits[] = {&cron->minutes, &cron->hours, &cron->days, &cron->months,
                              &cron->weekdays};
    char copy[120], *at = copy, *part[6];
    size_t count = 0;

    *cron = (struct cron){0};
    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(text));
    while (count < 6 && (part[count] = strtok_r(at, " \t", &at)) != NULL)
        count++;
    if (count != 5 || text.len >= sizeof(copy)) {
        snprintf(words, 160, "found \"%.60s\"; allowed: five fields, as in \"0 6 * * 1-5\"",
                 text.data);
        return false;
    }
    for (size_t i = 0; i < 5; i++) {
        if (list(&fields[i], part[i], bits[i]))
            continue;
        snprintf(words, 160, "found \"%.40s\" for the %s; allowed: numbers from %u to %u", part[i],
                 fields[i].name, fields[i].min, fields[i].max);
        return false;
    }
    cron->is_any_day = part[2][0] == '*';
    cron->is_any_weekday = part[4][0] == '*';
    cron->weekdays |= cron->weekdays >> 7 & 1;
    if (cron_next(cron, 0) == 0) {
        snprintf(words, 160, "found \"%.60s\", which never comes; allowed: days that there are",
                 text.data);
        return false;
    }
    return true;
}
