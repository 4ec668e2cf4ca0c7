/* module.h -- the tables of the module `nexus`: what policies may call, and what is said about it.
 *
 * A row is all there is to know about a function: how it is called, what documentation and the
 * annotations for editors are made from. Rooms above add tables of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_MODULE_H
#define NEXUS_MODULE_MODULE_H

#include "base/log.h"

#include <lua.h>

struct module_row {
    const char *name;
    lua_CFunction fn;   /* NULL: it is set by `open`, or by the room of Lua */
    const char *type;   /* in the syntax of LuaLS: "fun(uri: string): boolean" */
    const char *words;  /* a sentence or two */
    const char *errors; /* what it raises beyond wrong arguments; NULL: nothing */
};

struct module_table {
    /* "nexus"; "nexus.uri" is a field of that; with a capital, "nexus.Database", methods of
     * objects. Several tables may be of one name. */
    const char *name;
    const struct module_row *rows; /* the last has no name */
    /* Sets what is no function into the table at the top of the stack. May be NULL. */
    void (*open)(lua_State *lua);
};

/* The tables of this room; NULL at the end. */
const struct module_table *const *module_tables(void);

/* Opens the module with these tables and those of `more`, NULL-terminated: pushes one table. Once
 * for each state. */
int l_module_open(lua_State *lua, const struct module_table *const *more);

/* Pushes the metatable of objects of the class; room for fields that begin with "__", and what
 * luaL_checkudata finds under the table's name. Opened with the module. */
void l_module_push_class(lua_State *lua, const struct module_table *table);

/* Writes a line of the log for a policy, with what runs there. Without secrets: they are masked before.
 * `fields` may be NULL. */
struct host;
void module_say(lua_State *lua, const struct host *host, enum log_level level, const char *words,
                const char *where, const char *fields);

/* An option of a table of options: NULL at the end of `known`. Raises for keys of the table at the
 * index that are not known, with what may have been meant. */
void l_module_check_keys(lua_State *lua, int index, const char *function, const char *const *known);

#endif
