/* distance_test.c -- how unlike two words are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/distance.h"
#include "unit.h"

struct row {
    const char *a, *b;
    unsigned distance, any_case;
};

TEST(letters_put_in_taken_out_exchanged_and_swapped)
{
    static const struct row rows[] = {
        {"", "", 0, 0},          {"", "abc", 3, 3},          {"abc", "", 3, 3},
        {"deny", "deny", 0, 0},  {"dney", "deny", 1, 1},     {"den", "deny", 1, 1},
        {"denny", "deny", 1, 1}, {"dony", "deny", 1, 1},     {"Deny", "deny", 1, 0},
        {"DENY", "deny", 4, 0},  {"allow", "ask", 4, 4},     {"authorise", "authorize", 1, 1},
        {"ogr", "org", 1, 1},    {"abcdef", "badcfe", 3, 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice a = slice_of(rows[i].a), b = slice_of(rows[i].b);

        EXPECT_EQ(distance_between(a, b, false), rows[i].distance);
        EXPECT_EQ(distance_between(b, a, false), rows[i].distance);
        EXPECT_EQ(distance_between(a, b, true), rows[i].any_case);
    }
}

TEST(words_of_the_greatest_length)
{
    char a[MAX_DISTANCE_LEN], b[MAX_DISTANCE_LEN];

    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    EXPECT_EQ(distance_between(slice_make(a, sizeof(a)), slice_make(b, sizeof(b)), true),
              MAX_DISTANCE_LEN);
}
