/* rulings.h -- what nexus.allow and nexus.deny make: an answer with all that goes with it.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_RULINGS_H
#define NEXUS_POLICY_RULINGS_H

#include "base/blob.h"
#include "core/grant.h"
#include "module/module.h"

struct ruling {
    bool is_allowed;
    bool has_keep;
    uint32_t keep_ms;
    struct grant grant;      /* allowed; its slices are the blobs' */
    const char *uri, *words; /* denied; NULL: none; strings of Lua, held by the object */
    struct blob *kwargs;     /* denied; owned */
    bool closes;             /* denied */
    struct blob *parts[4];   /* owned: uri, args, kwargs, options */
};

/* The one at the index, or NULL. */
const struct ruling *rulings_at(lua_State *lua, int index);

/* An empty one, at the top of the stack: what is put into it is given back with it. */
struct ruling *l_rulings_new(lua_State *lua);

/* Takes uri, args, kwargs and options out of a table of changes at the index: what intercept may
 * return, which `of` names in errors. Writes them into the grant; the blobs are the caller's. May
 * raise: then they are in `parts` all the same. */
void l_rulings_changes(lua_State *lua, const char *of, int index, struct grant *grant,
                       struct blob *parts[4]);

extern const struct module_table policy_rulings;

#endif
