/* realm_calls.h -- calls and events of a policy, in its realm and in others.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_REALM_CALLS_H
#define NEXUS_POLICY_REALM_CALLS_H

#include "module/module.h"

/* realm:call(uri, ...) and realm:call{ uri, args = , kwargs = , timeout = , on_progress = } */
int l_realm_call(lua_State *lua);

/* realm:publish(topic, args, kwargs, options) */
int l_realm_publish(lua_State *lua);

/* Opens what they need in a state. */
void l_realm_calls_open(lua_State *lua);

#endif
