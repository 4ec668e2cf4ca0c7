/* errors.h -- WAMP errors as values of Lua: what nexus.error makes, and calls raise.
 *
 * A table with uri, args and kwargs; `message` is the first argument if that is a text. They are
 * told from other tables by their metatable.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_ERRORS_H
#define NEXUS_POLICY_ERRORS_H

#include "base/slice.h"
#include "module/module.h"
#include "wire/codec.h"

/* Makes one of a list and a dict at the top of the stack (args, kwargs), and pops them. */
void l_errors_push(lua_State *lua, struct slice uri);

/* Raises one whose only argument is a text. */
int l_errors_raise_words(lua_State *lua, const char *uri, const char *words);

/* True when the value at the index is one. */
bool l_errors_is(lua_State *lua, int index);

/* Writes uri, args and kwargs of the one at the index, as ERROR has them. */
void l_errors_put(lua_State *lua, struct encoder *e, int index);

/* "uri: message" of the one at the index, without raising; for the log. */
bool errors_describe(lua_State *lua, int index, char *out, size_t len);

/* nexus.error, nexus.raise. */
extern const struct module_table policy_errors;

#endif
