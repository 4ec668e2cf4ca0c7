/* others.h -- nexus.realm_named: other realms, as far as a policy has business in them.
 *
 * The configuration says which (other_realms). A session there begins with the first call or event,
 * on the thread of the policy's own realm, and ends when it has had nothing to do for a while.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_OTHERS_H
#define NEXUS_POLICY_OTHERS_H

#include "module/module.h"

struct mind;
struct service;

/* nexus.realm_named(uri) */
int l_others_named(lua_State *lua);

/* The session in the other realm that is at 1; raises when it is not permitted. Its requests may be
 * sent at once, though nobody knows yet whether there is such a realm. */
struct service *l_others_service(lua_State *lua);

/* Ends them all. */
void others_close(struct mind *mind);

extern const struct module_table policy_other;

#endif
