/* uri_test.c -- the grammar of URIs, the reserved ones, and matching by definition.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"
#include "wire/uri.h"

struct row {
    const char *uri;
    const char *marks; /* loose: exact prefix wildcard; strict: exact prefix wildcard */
};

TEST(grammar)
{
    static const struct row rows[] = {
        {"com.myapp.topic1", "yyy yyy"},
        {"com.myapp.Topic-1", "yyy nnn"},
        {"com.myapp.", "nyy nyy"},
        {"com..topic", "nny nny"},
        {"this.is.a..", "nny nny"},
        {"...", "nny nny"},
        {".com.myapp", "nny nny"},
        {".", "nny nny"},
        {"", "nyy nyy"},
        {"com.my app", "nnn nnn"},
        {"com.my#app", "nnn nnn"},
        {"com.my\napp", "nnn nnn"},
        {"com.myapp\n", "nnn nnn"},
        {"com.m\xc3\xbcller.x", "yyy nnn"},
        {"a", "yyy yyy"},
        {"_.0.z", "yyy yyy"},
        {"a\x1f", "nnn nnn"},
        {"a\x1c", "nnn nnn"},
        {"a\x0e", "yyy nnn"},
        {"a\x7f", "yyy nnn"},
        {"a\xc2\x85", "nnn nnn"},           /* U+0085 */
        {"a\xc2\xa0", "nnn nnn"},           /* U+00A0 */
        {"a\xe1\x9a\x80", "nnn nnn"},       /* U+1680 */
        {"a\xe2\x80\x80", "nnn nnn"},       /* U+2000 */
        {"a\xe2\x80\x8a", "nnn nnn"},       /* U+200A */
        {"a\xe2\x80\x8b", "yyy nnn"},       /* U+200B, which is no white space */
        {"a\xe2\x80\xa8", "nnn nnn"},       /* U+2028 */
        {"a\xe2\x80\xa9.b", "nnn nnn"},     /* U+2029 */
        {"a\xe2\x80\xaf", "nnn nnn"},       /* U+202F */
        {"a\xe2\x81\x9f", "nnn nnn"},       /* U+205F */
        {"a\xe3\x80\x80", "nnn nnn"},       /* U+3000 */
        {"a\xf0\x9f\x98\x80.b", "yyy nnn"}, /* beyond 16 bits */
        {"a.\xff", "nnn nnn"},              /* what is no UTF-8 */
        {"a.\xc3\xa9\xc3", "nnn nnn"},
        {"\xe2\x28\xa1.b#", "nnn nnn"},
    };
    static const enum match uses[] = {MATCH_EXACT, MATCH_PREFIX, MATCH_WILDCARD};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(uses); k++) {
            struct slice uri = slice_of(rows[i].uri);

            if (uri_is_valid(uri, uses[k], false) != (rows[i].marks[k] == 'y') ||
                uri_is_valid(uri, uses[k], true) != (rows[i].marks[k + 4] == 'y'))
                UNIT_FAIL("'%s' as %s", rows[i].uri, match_name(uses[k]));
        }
    }
    EXPECT(!uri_is_valid(slice_make("a\0b", 3), MATCH_EXACT, false));
    EXPECT(!uri_is_valid(slice_make("\0", 1), MATCH_WILDCARD, false));
    EXPECT(uri_is_valid((struct slice){0}, MATCH_PREFIX, true));
}

TEST(limits)
{
    char text[MAX_URI_LEN + 2];

    memset(text, 'a', sizeof(text));
    EXPECT(uri_is_valid(slice_make(text, MAX_URI_LEN), MATCH_EXACT, true));
    EXPECT(!uri_is_valid(slice_make(text, MAX_URI_LEN + 1), MATCH_EXACT, true));
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = '.';
    EXPECT(uri_is_valid(slice_make(text, 2 * MAX_URI_COMPONENTS - 1), MATCH_EXACT, true));
    EXPECT(!uri_is_valid(slice_make(text, 2 * MAX_URI_COMPONENTS + 1), MATCH_EXACT, true));
    EXPECT(!uri_is_valid(slice_make(text, 2 * MAX_URI_COMPONENTS), MATCH_PREFIX, false));
    memset(text, '.', sizeof(text));
    EXPECT(uri_is_valid(slice_make(text, MAX_URI_COMPONENTS - 1), MATCH_WILDCARD, false));
    EXPECT(!uri_is_valid(slice_make(text, MAX_URI_COMPONENTS), MATCH_WILDCARD, false));
}

TEST(within)
{
    static const char *const reserved[] = {"wamp", "wamp.", "wamp.x", "wamp..count",
                                           "wamp.session."};
    static const char *const free_ones[] = {"",       "wa",    "wampx",          "wampx.foo",
                                            "Wamp.x", ".wamp", ".session.count", "com.wamp"};

    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        EXPECT(uri_is_within(slice_of(reserved[i]), SLICE("wamp")));
    for (size_t i = 0; i < ARRAY_LEN(free_ones); i++)
        EXPECT(!uri_is_within(slice_of(free_ones[i]), SLICE("wamp")));
    EXPECT(uri_is_within(SLICE("com.acme.x"), SLICE("com.acme")));
    EXPECT(!uri_is_within(SLICE("com.acmex"), SLICE("com.acme")));
}

struct match_row {
    enum match match;
    const char *pattern, *uri;
    bool is_match;
};

TEST(matching)
{
    static const struct match_row rows[] = {
        {MATCH_EXACT, "a.b", "a.b", true},
        {MATCH_EXACT, "a.b", "a.b.c", false},
        {MATCH_EXACT, "a.B", "a.b", false},
        {MATCH_PREFIX, "com.myapp.top", "com.myapp.topic", true},
        {MATCH_PREFIX, "com.myapp.top", "com.myapp.top", true},
        {MATCH_PREFIX, "com.myapp.top", "com.myapp.top-1.x", true},
        {MATCH_PREFIX, "com.myapp.top", "com.myapp.to", false},
        {MATCH_PREFIX, "", "anything", true},
        {MATCH_WILDCARD, "a..c", "a.b.c", true},
        {MATCH_WILDCARD, "a..c", "a.b.d", false},
        {MATCH_WILDCARD, "a..c", "a.b.c.d", false},
        {MATCH_WILDCARD, "a..c", "a.c", false},
        {MATCH_WILDCARD, "..", "x.y.z", true},
        {MATCH_WILDCARD, "..", "x.y", false},
        {MATCH_WILDCARD, "", "x", true},
        {MATCH_WILDCARD, "", "x.y", false},
        {MATCH_WILDCARD, "a.b", "a.b", true},
        {MATCH_WILDCARD, "a.b", "a.bb", false},
        {MATCH_WILDCARD, "a.", "a.x", true},
        {MATCH_WILDCARD, "a.", "a", false},
        {MATCH_WILDCARD, ".x", "a.x", true},
        {MATCH_WILDCARD, "..", "x..z", false}, /* an empty component of a URI matches nothing */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (uri_matches(slice_of(rows[i].pattern), rows[i].match, slice_of(rows[i].uri)) !=
            rows[i].is_match)
            UNIT_FAIL("%s '%s' and '%s'", match_name(rows[i].match), rows[i].pattern, rows[i].uri);
}

/* Which of the registrations of a well-known example match which call; the dealer's choice among
 * them is core's. */
TEST(matching_of_overlapping_registrations)
{
    static const struct match_row registered[] = {
        {MATCH_EXACT, "a1.b2.c3.d4.e55", NULL, false},
        {MATCH_PREFIX, "a1.b2.c3", NULL, false},
        {MATCH_PREFIX, "a1.b2.c3.d4", NULL, false},
        {MATCH_WILDCARD, "a1.b2..d4.e5", NULL, false},
        {MATCH_WILDCARD, "a1.b2.c33..e5", NULL, false},
        {MATCH_WILDCARD, "a1.b2..d4.e5..g7", NULL, false},
        {MATCH_WILDCARD, "a1.b2..d4..f6.g7", NULL, false},
    };
    static const char *const calls[][2] = {
        {"a1.b2.c3.d4.e55", "yyynnnn"},  {"a1.b2.c3.d98.e74", "nynnnnn"},
        {"a1.b2.c3.d4.e325", "nyynnnn"}, {"a1.b2.c55.d4.e5", "nnnynnn"},
        {"a1.b2.c33.d4.e5", "nynyynn"},  {"a1.b2.c88.d4.e5.f6.g7", "nnnnnyy"},
        {"a2.b2.c2.d2.e2", "nnnnnnn"},
    };

    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        for (size_t k = 0; k < ARRAY_LEN(registered); k++)
            if (uri_matches(slice_of(registered[k].pattern), registered[k].match,
                            slice_of(calls[i][0])) != (calls[i][1][k] == 'y'))
                UNIT_FAIL("%s and %s", registered[k].pattern, calls[i][0]);
}

TEST(components)
{
    struct slice rest = SLICE("a..bc.");
    bool more = true;

    EXPECT_SLICE(uri_component(&rest, &more), SLICE("a"));
    EXPECT_SLICE(uri_component(&rest, &more), SLICE(""));
    EXPECT_SLICE(uri_component(&rest, &more), SLICE("bc"));
    EXPECT(more);
    EXPECT_SLICE(uri_component(&rest, &more), SLICE(""));
    EXPECT(!more);
}

TEST(names)
{
    EXPECT_STR(match_name(MATCH_EXACT), "exact");
    EXPECT_STR(match_name(MATCH_PREFIX), "prefix");
    EXPECT_STR(match_name(MATCH_WILDCARD), "wildcard");
}
