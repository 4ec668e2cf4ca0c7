/* instant_test.c -- instants as text, against the calendar of the C library and by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/instant.h"
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

#include <time.h>

#define MS_IN_DAY UINT64_C(86400000)
#define UNTOUCHED UINT64_C(0x5eed)

static struct slice format(uint64_t instant)
{
    static char text[INSTANT_LEN];

    return instant_format(instant, text);
}

/* Reads out of an allocation of just that length, so that nothing behind it goes unnoticed. */
static bool parse(struct slice text, uint64_t *instant)
{
    char *exact = mem_alloc(text.len);
    bool is_one;

    if (text.len != 0)
        memcpy(exact, text.data, text.len);
    *instant = UNTOUCHED;
    is_one = instant_parse(slice_make(exact, text.len), instant);
    mem_free(exact);
    return is_one;
}

static void expect_parsed(const char *text, uint64_t expected)
{
    uint64_t instant;

    if (!parse(slice_of(text), &instant))
        UNIT_FAIL("\"%s\" is refused", text);
    else if (instant != expected)
        UNIT_FAIL("\"%s\" is read as %llu, expected %llu", text, (unsigned long long)instant,
                  (unsigned long long)expected);
}

static void expect_refused(const char *text)
{
    uint64_t instant;

    if (parse(slice_of(text), &instant))
        UNIT_FAIL("\"%s\" is read as %llu", text, (unsigned long long)instant);
    if (instant != UNTOUCHED)
        UNIT_FAIL("\"%s\" is refused, but has changed the instant", text);
}

static struct slice format_by_library(uint64_t instant)
{
    static char text[64];
    time_t seconds = (time_t)(instant / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
             (unsigned)(instant % 1000));
    return slice_of(text);
}

static void check_both_ways(uint64_t instant)
{
    struct slice text = format(instant);
    uint64_t again;

    EXPECT_SLICE(text, format_by_library(instant));
    EXPECT(parse(text, &again));
    EXPECT_EQ(again, instant);
}

TEST(instants_are_written_in_utc_with_milliseconds)
{
    EXPECT_SLICE(format(0), SLICE("1970-01-01T00:00:00.000Z"));
    EXPECT_SLICE(format(UINT64_C(1767323045678)), SLICE("2026-01-02T03:04:05.678Z"));
    EXPECT_SLICE(format(UINT64_C(951782400000)), SLICE("2000-02-29T00:00:00.000Z"));
    EXPECT_SLICE(format(INSTANT_LAST), SLICE("9999-12-31T23:59:59.999Z"));
}

TEST(what_has_no_text_is_written_as_the_last_instant)
{
    EXPECT_SLICE(format(INSTANT_LAST + 1), SLICE("9999-12-31T23:59:59.999Z"));
    EXPECT_SLICE(format(UINT64_MAX), SLICE("9999-12-31T23:59:59.999Z"));
}

TEST(the_first_and_last_millisecond_of_every_day)
{
    for (uint64_t day = 0; day <= INSTANT_LAST / MS_IN_DAY; day++) {
        check_both_ways(day * MS_IN_DAY);
        check_both_ways(day * MS_IN_DAY + MS_IN_DAY - 1);
    }
}

TEST(random_instants_come_back)
{
    uint64_t state = 1;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    for (int i = 0; i < 200000; i++)
        check_both_ways(rng_below(&rng, INSTANT_LAST + 1));
}

TEST(letters_in_either_case_and_offsets)
{
    expect_parsed("2026-01-02T03:04:05.678Z", UINT64_C(1767323045678));
    expect_parsed("2026-01-02t03:04:05.678z", UINT64_C(1767323045678));
    expect_parsed("2026-01-02T03:04:05Z", UINT64_C(1767323045000));
    expect_parsed("2026-01-02T05:34:05.678+02:30", UINT64_C(1767323045678));
    expect_parsed("2026-01-01T19:04:05.678-08:00", UINT64_C(1767323045678));
    expect_parsed("2026-01-02T03:04:05.678+00:00", UINT64_C(1767323045678));
    expect_parsed("2026-01-02T03:04:05.678-00:00", UINT64_C(1767323045678));
    expect_parsed("2026-01-03T03:03:05.678+23:59", UINT64_C(1767323045678));
}

TEST(fractions_are_cut_to_milliseconds)
{
    expect_parsed("1970-01-01T00:00:01.5Z", 1500);
    expect_parsed("1970-01-01T00:00:01.05Z", 1050);
    expect_parsed("1970-01-01T00:00:01.0009Z", 1000);
    expect_parsed("1970-01-01T00:00:01.9999999999999999999999999999999999999999Z", 1999);
    expect_parsed("1970-01-01T00:00:01.000000000000000000000000000000000000000000+00:00", 1000);
}

TEST(what_is_before_1970_becomes_0)
{
    expect_parsed("1969-12-31T23:59:59.999Z", 0);
    expect_parsed("1970-01-01T00:00:00.001+00:01", 0);
    expect_parsed("0000-01-01T00:00:00+23:59", 0);
    expect_parsed("0000-02-29T00:00:00Z", 0);
    expect_parsed("1969-12-31T23:59:59.001-00:01", 59001);
    expect_parsed("1969-12-31T23:59:60Z", 0);
}

TEST(an_offset_may_lead_past_the_year_9999)
{
    expect_parsed("9999-12-31T23:59:59.999Z", INSTANT_LAST);
    expect_parsed("9999-12-31T23:59:59.999-00:01", INSTANT_LAST + 60000);
    expect_parsed("9999-12-31T23:59:60Z", INSTANT_LAST + 1);
}

TEST(a_leap_second_ends_a_day_of_utc)
{
    expect_parsed("2016-12-31T23:59:60Z", UINT64_C(1483228800000));
    expect_parsed("2016-12-31T23:59:60.25Z", UINT64_C(1483228800250));
    expect_parsed("2016-12-31T15:59:60-08:00", UINT64_C(1483228800000));
    expect_parsed("2017-01-01T05:29:60+05:30", UINT64_C(1483228800000));
    expect_parsed("1960-12-31T23:59:60Z", 0);
    expect_refused("2016-12-31T23:58:60Z");
    expect_refused("2016-12-31T12:00:60Z");
    expect_refused("2016-12-31T23:59:60-08:00");
    expect_refused("1960-12-31T12:00:60Z");
    expect_refused("2016-12-31T23:59:61Z");
}

TEST(months_have_their_days)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const struct {
        unsigned year;
        bool is_leap;
    } years[] = {{0, true},     {4, true},    {100, false},  {400, true},  {1900, false},
                 {1999, false}, {2000, true}, {2023, false}, {2024, true}, {2100, false},
                 {2400, true},  {9996, true}, {9999, false}};

    for (size_t y = 0; y < ARRAY_LEN(years); y++) {
        for (unsigned month = 1; month <= 12; month++) {
            unsigned last = lengths[month - 1] + (month == 2 && years[y].is_leap ? 1U : 0U);

            for (unsigned day = 0; day <= 32; day++) {
                char text[64];
                uint64_t instant;

                snprintf(text, sizeof text, "%04u-%02u-%02uT00:00:00Z", years[y].year, month, day);
                if (parse(slice_of(text), &instant) != (day >= 1 && day <= last))
                    UNIT_FAIL("%s is judged wrongly", text);
            }
        }
    }
}

TEST(anything_else_is_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.",
        "2026-01-02T03:04:05.6x8Z",
        "2026-01-02T03:04:05,678Z",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05Z+00:00",
        "2026-01-02T03:04:05+0000",
        "2026-01-02T03:04:05+00",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+00:60",
        "2026-01-02T03:04:05+-1:00",
        "2026-01-02T03:04:05 UTC",
        "2026-01-02T24:00:00Z",
        "2026-01-02T23:60:00Z",
        "2026-00-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-1-2T03:04:05Z",
        "20260102T030405Z",
        "-026-01-02T03:04:05Z",
        "+2026-01-02T03:04:05Z",
        "12026-01-02T03:04:05Z",
        "2026-01-02T3:04:05Z",
        "2026-01-02T03:04:5Z",
        "2026-W01-5T03:04:05Z",
        "1767323045678",
        "\xd9\xa2\xd9\xa0\xd9\xa2\xd9\xa6-01-02T03:04:05Z",
        "now",
    };
    uint64_t instant;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_refused(bad[i]);
    EXPECT(!parse((struct slice){0}, &instant));
    EXPECT(!parse(SLICE("2026-01-02T03:04:05Z\0"), &instant));
}

TEST(a_text_that_is_cut_short_is_refused)
{
    struct slice whole = SLICE("2026-01-02T03:04:05.678+01:30");
    uint64_t instant;

    for (size_t len = 0; len < whole.len; len++)
        EXPECT(!parse(slice_make(whole.data, len), &instant));
    EXPECT(parse(whole, &instant));
}

/* One character of a good text changed: what is still read, is a text of the same form. */
TEST(a_character_that_is_changed)
{
    struct slice whole = SLICE("2026-01-02T03:04:05.678Z");
    static const size_t fixed[] = {4, 7, 10, 13, 16, 19, 23};
    uint64_t instant;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        for (int c = 0; c < 256; c++) {
            char text[INSTANT_LEN];
            bool is_same;

            memcpy(text, whole.data, whole.len);
            text[fixed[i]] = (char)c;
            is_same = c == whole.data[fixed[i]] || (c == 't' && fixed[i] == 10) ||
                      (c == 'z' && fixed[i] == 23);
            if (parse(slice_make(text, whole.len), &instant) != is_same)
                UNIT_FAIL("\"%.24s\" is judged wrongly", text);
        }
    }
}
