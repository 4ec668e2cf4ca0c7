/* lua_print.h -- an encoded value as Lua, for people to paste.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_LUA_PRINT_H
#define NEXUS_DAEMON_LUA_PRINT_H

#include "wire/codec.h"

/* Writes a validated value without fractions. Texts may hold anything. */
void lua_print(struct writer *out, enum codec codec, struct slice value);

/* A text as Lua writes it, and as a key of a table: alice, or ["a b"]. */
void lua_print_text(struct writer *out, struct slice text);
void lua_print_key(struct writer *out, struct slice key);

#endif
