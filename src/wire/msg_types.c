/* msg_types.c -- the names of messages, out of the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/msg_types.h"

const char *msg_name(uint64_t code)
{
#define ROW(name, code, direction, shape) [code] = #name,
    static const char *const names[] = {MSG_TABLE(ROW)};
#undef ROW

    return code < ARRAY_LEN(names) ? names[code] : NULL;
}
