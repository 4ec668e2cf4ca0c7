/* values.h -- wire values to Lua and back, so that they survive the round trip.
 *
 * Integers stay integers and floats floats; null, binary, integers beyond 64 bits
 * and empty lists and dicts are things of their own. What cannot be sent is an
 * error that names where in the value it is: "kwargs.items[3].price".
 *
 * Keys of a dict are written in the order of their octets, so equal values are
 * equal bytes. Keys that are integers or booleans, which some serializers allow,
 * come and go in dicts that were received; others are refused.
 *
 * All functions here raise, and belong into protected code: the callbacks of the
 * door, functions that Lua calls, vm_try.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_VALUES_H
#define NEXUS_SCRIPT_VALUES_H

#include "script/vm.h"
#include "wire/codec.h"

/* Levels of lists and dicts; a few of MAX_DEPTH are for the message around them. */
#define VALUES_DEPTH_MAX (MAX_DEPTH - 4)

/* What a table without elements is, and what the outermost value must be. */
enum values_shape { VALUES_ANY, VALUES_LIST, VALUES_DICT };

/* Pushes one encoded value; bytes behind it are an error. `path` names it in messages. */
void l_values_push(lua_State *lua, enum codec codec, struct slice bytes, const char *path);

/* Begins to encode: what an error left of an earlier one is thrown away. The encoder is borrowed
 * from the state; others may write to it as well. */
struct encoder *l_values_begin(lua_State *lua, enum codec codec);

/* Writes the value at the index. */
void l_values_put(lua_State *lua, int index, enum values_shape shape, const char *path);

/* Writes what is on the stack from `first` to `last` as one list; `path` names the list. */
void l_values_put_items(lua_State *lua, int first, int last, const char *path);

/* The encoder between the two. */
struct encoder *l_values_encoder(lua_State *lua);

/* What was written; held by the caller. */
struct blob *l_values_end(lua_State *lua) MUST_CHECK;

/* Pushes null, binary, an integer of any length in decimal digits. */
void l_values_push_null(lua_State *lua);
void l_values_push_bytes(lua_State *lua, struct slice bytes);
void l_values_push_big(lua_State *lua, struct slice digits);

/* What is at the index: null; binary. */
bool values_is_null(lua_State *lua, int index);
bool values_is_octets(lua_State *lua, int index);

/* The octets of a string or of nexus.bytes at the index; raises for others. */
struct slice l_values_check_octets(lua_State *lua, int index);

/* Opens the module `nexus` as far as values go: a table of functions at the top, for whoever offers
 * policies more than that. */
int l_open_values(lua_State *lua);

/* Marks the table at the top as list or dict. */
void l_values_mark(lua_State *lua, enum values_shape shape);

#endif
