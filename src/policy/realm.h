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

/* Ends a session; false: there is none. */
bool realm_end_session(struct mind *mind, uint64_t session, const char *reason, const char *words);

#endif
