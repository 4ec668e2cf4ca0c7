/* fault_test.c -- words of faults: whole, cut, and left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "base/utf8.h"
#include "unit.h"
#include "wire/errors.h"
#include "wire/fault.h"

TEST(a_fault_is_filled_in)
{
    struct fault fault = {0};

    EXPECT_EQ(fault_set(&fault, ERR_TOO_LONG, WAMP_INVALID_URI, "%d of %s", 3, "them"),
              ERR_TOO_LONG);
    EXPECT_EQ(fault.err, ERR_TOO_LONG);
    EXPECT_STR(fault.uri, "wamp.error.invalid_uri");
    EXPECT_STR(fault.words, "3 of them");
}

TEST(nobody_needs_to_listen)
{
    EXPECT_EQ(fault_set(NULL, ERR_UTF8, WAMP_INVALID_URI, "words"), ERR_UTF8);
}

TEST(long_words_are_cut_between_characters)
{
    char words[600];

    for (size_t shift = 0; shift < 4; shift++) {
        struct fault fault = {0};
        size_t len = shift;

        memset(words, 'a', sizeof(words));
        for (; len + 4 < sizeof(words); len += 4)
            memcpy(words + len, "\xf0\x9f\x98\x80", 4);
        words[len] = '\0';
        (void)fault_set(&fault, ERR_INVALID, WAMP_INVALID_URI, "%s", words);
        EXPECT(strlen(fault.words) >= sizeof(fault.words) - 5);
        EXPECT(utf8_is_valid(slice_of(fault.words)));
    }
}
