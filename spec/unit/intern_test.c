/* intern_test.c -- numbers for values: equal ones, typed ones, counted ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "core/intern.h"
#include "core/limits.h"
#include "unit.h"

static struct token text_token(struct slice text)
{
    return (struct token){.type = TOKEN_TEXT, .text = text};
}

TEST(equal_texts_have_one_number)
{
    struct intern in;
    uint32_t a, b;

    intern_init(&in, 1, 2);
    a = intern_text(&in, SLICE("red"));
    b = intern_text(&in, SLICE("blue"));
    EXPECT(a != INTERN_NONE && b != INTERN_NONE && a != b);
    EXPECT_EQ(intern_text(&in, SLICE("red")), a);
    EXPECT_EQ(intern_find_text(&in, SLICE("red")), a);
    EXPECT_SLICE(intern_get_text(&in, b), SLICE("blue"));
    intern_drop(&in, a);
    intern_drop(&in, a);
    intern_drop(&in, b);
    intern_fini(&in);
}

TEST(finding_makes_nothing)
{
    struct intern in;
    struct token token = {.type = TOKEN_UINT, .natural = 5};

    intern_init(&in, 1, 2);
    EXPECT_EQ(intern_find_text(&in, SLICE("red")), INTERN_NONE);
    EXPECT_EQ(intern_find_token(&in, &token), INTERN_NONE);
    EXPECT_EQ(intern_find_text(&in, SLICE("")), INTERN_NONE);
    EXPECT_EQ(in.by_bytes.count, 0);
    intern_fini(&in);
}

TEST(a_number_goes_with_the_last_who_holds_it)
{
    struct intern in;
    uint32_t a, b;

    intern_init(&in, 1, 2);
    a = intern_text(&in, SLICE("red"));
    (void)intern_text(&in, SLICE("red"));
    intern_drop(&in, a);
    EXPECT_EQ(intern_find_text(&in, SLICE("red")), a);
    intern_drop(&in, a);
    EXPECT_EQ(intern_find_text(&in, SLICE("red")), INTERN_NONE);
    b = intern_text(&in, SLICE("blue"));
    EXPECT_EQ(b, a); /* used again */
    EXPECT_ABORT((intern_drop(&in, b), intern_drop(&in, b)));
    intern_drop(&in, b);
    intern_drop(&in, INTERN_NONE);
    intern_fini(&in);
}

TEST(values_are_typed)
{
    struct token tokens[] = {
        text_token(SLICE("3")),
        text_token(SLICE("true")),
        text_token(SLICE("")),
        {.type = TOKEN_BOOL, .boolean = true},
        {.type = TOKEN_BOOL, .boolean = false},
        {.type = TOKEN_UINT, .natural = 3},
        {.type = TOKEN_UINT, .natural = UINT64_MAX},
        {.type = TOKEN_INT, .integer = -1}, /* the same bits as the one before */
        {.type = TOKEN_INT, .integer = -3},
        {.type = TOKEN_FLOAT, .real = 3.0},
        {.type = TOKEN_FLOAT, .real = 0.5},
    };
    uint32_t ids[ARRAY_LEN(tokens)];
    struct intern in;

    intern_init(&in, 1, 2);
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        ids[i] = intern_token(&in, &tokens[i]);
        EXPECT(ids[i] != INTERN_NONE);
        for (size_t k = 0; k < i; k++)
            EXPECT(ids[k] != ids[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
        EXPECT_EQ(intern_find_token(&in, &tokens[i]), ids[i]);
    EXPECT_EQ(intern_text(&in, SLICE("3")), ids[0]);
    intern_fini(&in);
}

TEST(what_is_no_scalar_has_no_number)
{
    static const enum token_type types[] = {TOKEN_NULL, TOKEN_BIGNUM, TOKEN_BYTES, TOKEN_EXT,
                                            TOKEN_LIST, TOKEN_MAP,    TOKEN_END,   TOKEN_DONE};
    struct intern in;

    intern_init(&in, 1, 2);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct token token = {.type = types[i]};

        EXPECT_EQ(intern_token(&in, &token), INTERN_NONE);
        EXPECT_EQ(intern_find_token(&in, &token), INTERN_NONE);
    }
    EXPECT_EQ(in.by_bytes.count, 0);
    intern_fini(&in);
}

TEST(texts_have_a_longest)
{
    static char text[MAX_ATTRIBUTE_LEN + 1];
    struct intern in;
    uint32_t id;

    memset(text, 'x', sizeof text);
    intern_init(&in, 1, 2);
    id = intern_text(&in, slice_make(text, MAX_ATTRIBUTE_LEN));
    EXPECT(id != INTERN_NONE);
    EXPECT_SLICE(intern_get_text(&in, id), slice_make(text, MAX_ATTRIBUTE_LEN));
    EXPECT_EQ(intern_text(&in, slice_make(text, sizeof text)), INTERN_NONE);
    EXPECT_EQ(intern_find_text(&in, slice_make(text, sizeof text)), INTERN_NONE);
    EXPECT_EQ(intern_get_text(&in, INTERN_NONE).len, 0);
    intern_fini(&in);
}

/* Against counts kept by hand; the table must not grow when numbers can be used again. */
TEST(random_values_come_and_go)
{
    enum { VALUES = 300, STEPS = 100000 };
    unsigned held[VALUES] = {0};
    uint32_t ids[VALUES] = {0};
    uint64_t seed = 7;
    struct intern in;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &seed);
    intern_init(&in, rng_u64(&rng), rng_u64(&rng));
    for (unsigned step = 0; step < STEPS; step++) {
        size_t i = rng_below(&rng, VALUES);
        struct token token = {.type = TOKEN_UINT, .natural = i};

        if (rng_below(&rng, 2) == 0) {
            uint32_t id = intern_token(&in, &token);

            EXPECT(held[i] == 0 || id == ids[i]);
            ids[i] = id;
            held[i]++;
        } else if (held[i] != 0) {
            intern_drop(&in, ids[i]);
            held[i]--;
        }
        EXPECT_EQ(intern_find_token(&in, &token), held[i] == 0 ? INTERN_NONE : ids[i]);
        EXPECT(in.id_count <= VALUES + 1);
    }
    for (size_t i = 0; i < VALUES; i++)
        for (; held[i] != 0; held[i]--)
            intern_drop(&in, ids[i]);
    EXPECT_EQ(in.by_bytes.count, 0);
    intern_fini(&in);
}
