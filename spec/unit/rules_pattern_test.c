/* rules_pattern_test.c -- the notation: what is accepted, what is refused and where, what matches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "core/rules_pattern.h"
#include "unit.h"

static struct slice org_only(void *ctx, struct slice name)
{
    return slice_eq(name, SLICE("org")) ? slice_of(ctx) : (struct slice){0};
}

/* Kinds as letters: l s * and a final R. */
static void spell(const struct rules_pattern *pattern, char *out)
{
    for (size_t i = 0; i < pattern->count; i++)
        *out++ = "ls*"[pattern->at[i].kind];
    if (pattern->has_rest)
        *out++ = 'R';
    *out = '\0';
}

TEST(accepted)
{
    static const struct {
        const char *text, *kinds;
        size_t captures;
    } rows[] = {
        {"a", "l", 0},
        {"com.acme.org.{org}.user.*", "lll*l*", 1},
        {"com.acme.**", "llR", 0},
        {"**", "R", 0},
        {"*", "*", 0},
        {"{x}", "*", 1},
        {"{session.org}", "s", 0},
        {"{session.org}.{session.org}.**", "ssR", 0},
        {"{session}", "*", 1},
        {"{a-b_C9}.{b}", "**", 2},
        {"m\xc3\xbcller.Topic-1", "ll", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct rules_pattern pattern;
        struct rules_error error = {.at = 0};
        char kinds[16];

        arena_init(&arena);
        if (rules_pattern_parse(&pattern, &arena, slice_of(rows[i].text), &error) != 0) {
            UNIT_FAIL("\"%s\": %s", rows[i].text, error.words);
        } else {
            spell(&pattern, kinds);
            EXPECT_STR(kinds, rows[i].kinds);
            EXPECT_EQ(pattern.captures, rows[i].captures);
        }
        arena_fini(&arena);
    }
}

#define NOT_ALONE "is no part of a component; *, ** and {name} are components of their own"
#define NO_COMPONENT                                                                              \
    "is not a component: {name} or {session.name} stands alone, and a name has letters, digits, " \
    "'_' and '-'"
#define NO_CHARACTER "is in no URI: those have no white space, no '#' and no U+0000"

TEST(refused)
{
    static const struct {
        const char *text;
        size_t at;
        const char *words;
    } rows[] = {
        {"", 0, "a pattern is empty; ** is all URIs"},
        {".", 0, "component 1 is empty; write * for any component"},
        {"a..b", 2, "component 2 is empty; write * for any component"},
        {"a.b.", 4, "component 3 is empty; write * for any component"},
        {".a", 0, "component 1 is empty; write * for any component"},
        {"a.**.b", 2, "** is only allowed as the last component"},
        {"**.**", 0, "** is only allowed as the last component"},
        {"a.b*", 3, "\"b*\": '*' " NOT_ALONE},
        {"a.***", 2, "\"***\": '*' " NOT_ALONE},
        {"a.b{c}", 3, "\"b{c}\": '{' " NOT_ALONE},
        {"a.b}", 3, "\"b}\": '}' " NOT_ALONE},
        {"a.{c}b", 2, "\"{c}b\" " NO_COMPONENT},
        {"a.{}", 2, "\"{}\" " NO_COMPONENT},
        {"a.{session.}", 2, "\"{session.}\" " NO_COMPONENT},
        {"a.{session.x y}", 2, "\"{session.x y}\" " NO_COMPONENT},
        {"a.{session.x.y}", 2, "\"{session.x.y}\" " NO_COMPONENT},
        {"a.{x y}", 2, "\"{x y}\" " NO_COMPONENT},
        {"a.{x.y}", 2, "\"{x.y}\": only {session.x} has a point between braces"},
        {"a.{x", 2, "'{' without '}'"},
        {"{x}.b.{x}", 6, "{x} captures twice; give each capture its own name"},
        {"a.b c", 2, "component 2 " NO_CHARACTER},
        {"a#.b", 0, "component 1 " NO_CHARACTER},
        {"a.\xff", 0, "a pattern is not valid UTF-8"},
        {"{a}.{b}.{c}.{d}.{e}.{f}.{g}.{h}.{i}.{j}.{k}.{l}.{m}.{n}.{o}.{p}.{q}", 64,
         "more than 16 captures; write * for those not needed"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct rules_pattern pattern;
        struct rules_error error = {.at = 0};

        arena_init(&arena);
        EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_of(rows[i].text), &error),
                  ERR_CONFIG);
        EXPECT_EQ(error.at, rows[i].at);
        EXPECT_STR(error.words, rows[i].words);
        arena_fini(&arena);
    }
}

TEST(too_long)
{
    static char text[MAX_URI_LEN + 1];
    struct arena arena;
    struct rules_pattern pattern;
    struct rules_error error = {.at = 0};

    arena_init(&arena);
    memset(text, 'a', sizeof(text));
    EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_make(text, MAX_URI_LEN), &error), 0);
    EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_make(text, sizeof(text)), &error),
              ERR_CONFIG);
    EXPECT_STR(error.words, "a pattern has 4097 octets; 4096 are allowed");
    for (size_t i = 1; i < 200; i += 2)
        text[i] = '.';
    EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_make(text, 127), &error), 0);
    EXPECT_EQ(pattern.count, MAX_URI_COMPONENTS);
    EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_make(text, 129), &error), ERR_CONFIG);
    EXPECT_EQ(error.at, 128);
    EXPECT_STR(error.words, "more than 64 components, which no URI has");
    /* What an error quotes is cut between characters. */
    memcpy(text, "u*u", 3);
    for (size_t i = 3; i < 199; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_make(text, 199), &error), ERR_CONFIG);
    EXPECT_EQ(error.at, 1);
    EXPECT_SLICE(slice_make(error.words + 1, 59), slice_make(text, 59));
    EXPECT_SLICE(slice_make(error.words + 60, 5), SLICE("\": '*"));
    arena_fini(&arena);
}

TEST(matching)
{
    static const struct {
        const char *pattern, *uri;
        bool matches;
    } rows[] = {
        {"a.b", "a.b", true},
        {"a.b", "a", false},
        {"a.*", "a.b", true},
        {"a.*", "a", false},
        {"a.*", "a.b.c", false},
        {"a.**", "a", true},
        {"a.**", "a.b.c", true},
        {"a.**", "ab", false},
        {"**", "x", true},
        {"{session.org}", "acme", true},
        {"{session.org}", "a", false},
        {"{session.team}", "acme", false},
        {"*.{session.org}.**", "x.acme", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct rules_pattern pattern;
        struct rules_error error;
        struct rules_point point;
        char org[] = "acme";

        arena_init(&arena);
        EXPECT_EQ(rules_pattern_parse(&pattern, &arena, slice_of(rows[i].pattern), &error), 0);
        EXPECT(rules_point_split(&point, slice_of(rows[i].uri)));
        if (rules_pattern_matches(&pattern, &point, org_only, org) != rows[i].matches)
            UNIT_FAIL("%s and %s", rows[i].pattern, rows[i].uri);
        arena_fini(&arena);
    }
}

/* Each is more specific than the next, for the URIs that both match. */
TEST(specificity)
{
    static const char *const order[] = {"a.a",
                                        "a.a.**",
                                        "a.{session.org}",
                                        "a.*",
                                        "a.*.**",
                                        "a.**",
                                        "{session.org}.a",
                                        "{session.org}.**",
                                        "*.a",
                                        "*.*",
                                        "*.**",
                                        "**"};
    struct arena arena;
    struct rules_pattern patterns[ARRAY_LEN(order)];
    struct rules_error error;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        EXPECT_EQ(rules_pattern_parse(&patterns[i], &arena, slice_of(order[i]), &error), 0);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (size_t k = 0; k < ARRAY_LEN(order); k++) {
            int sign = rules_pattern_compare(&patterns[i], &patterns[k]);

            if (i == k ? sign != 0 : (sign < 0) != (i < k))
                UNIT_FAIL("%s and %s: %d", order[i], order[k], sign);
            EXPECT_EQ(rules_pattern_equal(&patterns[i], &patterns[k]), i == k);
        }
    }
    arena_fini(&arena);
}
