/* realm.h -- nexus.realm: what a policy may do in its realm and ask about it.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_REALM_H
#define NEXUS_POLICY_REALM_H

#include "core/look.h"
#include "module/module.h"

struct mind;

extern const struct module_table policy_realm, policy_realm_field;

/* Attribute values that a selector (a table at the index) wants; keys of `others` (NULL-terminated) are
 * none of them. */
#define MAX_WANTS 16
size_t l_realm_wants(lua_State *lua, int index, const char *const *others,
                     struct look_want wants[MAX_WANTS]);

/* Numbers of sessions: an object of Lua, so that they are given back whatever raises. */
struct realm_ids {
    uint64_t *of; /* owned array */
    size_t count, cap;
    size_t next; /* the first that was not given out */
    bool with_trusted;
};

/* The sessions of clients that have what is wanted; at the top of the stack. */
struct realm_ids *l_realm_find(lua_State *lua, const struct mind *mind,
                               const struct look_want *wants, size_t count);

/* Ends a session; false: there is none. */
bool realm_end_session(struct mind *mind, uint64_t session, const char *reason, const char *words);

#endif
