/* objects.h -- what the objects that hooks receive have in common: fields by name, and methods.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_OBJECTS_H
#define NEXUS_POLICY_OBJECTS_H

#include "core/rules_pattern.h"
#include "module/module.h"

/* For the `open` of a class: fields are read by a function that gets the methods as upvalue 1, and
 * nothing can be assigned. `words`: "call is read-only". */
void l_object_open(lua_State *lua, lua_CFunction index, const char *words);

/* Ends such a function: pushes the method whose name is at 2, or raises `no field "x" of a call`. */
int l_object_method(lua_State *lua, const struct module_table *table, const char *what);

/* The text at the index, as a slice; raises for others. */
struct slice l_object_check_text(lua_State *lua, int index);

/* Whether a text can stand in a message: UTF-8, and no U+0000, which ends it for C. */
bool object_is_said(struct slice text) MUST_CHECK;

/* Such a text at the index; raises for others, in which `what` names it. */
const char *l_object_check_said(lua_State *lua, int index, const char *what);

/* A class of objects that policies never see: they give back what they hold. */
void l_object_open_holder(lua_State *lua, const char *name, lua_CFunction gc);

/* Whether a pattern of a handler matches, and a dict of what it captures. */
bool object_matches(const struct rules_pattern *pattern, struct slice uri);
void l_object_push_captures(lua_State *lua, const struct rules_pattern *pattern, struct slice uri);

/* Of a list of functions at 1: calls each, whatever the others do. */
int l_object_call_each(lua_State *lua);

#endif
