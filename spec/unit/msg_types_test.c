/* msg_types_test.c -- names by code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"
#include "wire/msg_types.h"

TEST(every_row_has_its_name_and_nothing_else_has_one)
{
    unsigned named = 0;

#define ROW(name, code, direction, shape) EXPECT_STR(msg_name(code), #name);
    MSG_TABLE(ROW)
#undef ROW
    for (uint64_t code = 0; code < 5000; code++)
        named += msg_name(code) != NULL;
    EXPECT_EQ(named, 25);
    EXPECT(msg_name(UINT64_MAX) == NULL);
    EXPECT(msg_name(MSG_NONE) == NULL);
}
