/* values_priv.h -- the userdata that stand for wire values.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_VALUES_PRIV_H
#define NEXUS_SCRIPT_VALUES_PRIV_H

#include "script/values.h"
#include "script/vm_priv.h"

#define VALUES_CHECK_EACH 4096 /* values between two looks at the budgets */

/* Binary. */
struct octets {
    size_t len;
    int8_t ext_type;
    bool is_ext; /* a MessagePack extension of ext_type */
    char data[];
};

/* An integer that does not fit into 64 bits with a sign. */
struct big {
    size_t len;
    char digits[]; /* with '-' in front of negative ones */
};

/* What a value of Lua is on the wire. */
enum mark { MARK_NONE, MARK_LIST, MARK_DICT };

enum mark values_mark_of(lua_State *lua, int index);
const struct octets *values_octets_of(lua_State *lua, int index); /* NULL: it is none */
const struct big *values_big_of(lua_State *lua, int index);

void l_values_push_ext(lua_State *lua, struct slice bytes, int8_t ext_type);

#endif
