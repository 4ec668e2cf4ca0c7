/* kv.h -- what the two files about nexus.kv share.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_KV_H
#define NEXUS_MODULE_KV_H

#include "module/module_priv.h"
#include "script/wait.h"
#include "state/kv.h"

#define KV_CLASS "nexus.Store"

/* The userdata of a policy. */
struct kv_handle {
    struct kv_store *store; /* NULL: the policy is only being checked */
    struct blob *held;      /* a value on its way to Lua, which may raise in between */
};

/* The store at 1, which may be used now; *host gets the host. What an error left is given back. */
struct kv_handle *l_kv_check(lua_State *lua, struct host **host);

/* The same, for what changes it. */
struct kv_handle *l_kv_check_change(lua_State *lua, struct host **host);

/* Pushes a value of the store, and gives it back; NULL becomes nil. */
void l_kv_push_value(lua_State *lua, struct kv_handle *handle, struct blob *value);

/* The value at the index, encoded; held by the caller. */
struct blob *l_kv_encode(lua_State *lua, int index) MUST_CHECK;

/* The key at an index: a string, or an integer, which becomes text in its place. */
struct slice l_kv_key(lua_State *lua, int index);

static inline struct kv_time kv_time_of(const struct host *host)
{
    return (struct kv_time){host->now(host), host->wall(host)};
}

int l_kv_update(lua_State *lua);
int l_kv_each(lua_State *lua);

#endif
