/* err_test.c -- every error has a name and words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "unit.h"

TEST(knows_every_row_of_the_table)
{
#define EXPECT_ROW(name, number, words)   \
    EXPECT_STR(err_name(name), #name);    \
    EXPECT_STR(err_words(number), words); \
    EXPECT((number) < 0);
    ERR_TABLE(EXPECT_ROW)
#undef EXPECT_ROW
}

TEST(has_an_answer_for_other_numbers)
{
    EXPECT_STR(err_name(0), "OK");
    EXPECT_STR(err_words(0), "no error");
    EXPECT_STR(err_name(-9999), "ERR_UNKNOWN");
    EXPECT_STR(err_words(7), "unknown error");
}
