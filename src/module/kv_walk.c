/* kv_walk.c -- what calls back into Lua from a store: update, each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "module/kv.h"

#define MAX_TRIES 100

/* ---- update ---- */

/* One try: false when somebody else was faster. The new value is at the top then. */
static bool try_update(lua_State *lua, struct kv_handle *handle, const struct host *host)
{
    struct kv_change change = {.key = l_kv_key(lua, 2), .keeps_ttl = true, .is_same = true};
    struct kv_error error;
    struct blob *value;
    int err;

    lua_settop(lua, 3);
    lua_pushvalue(lua, 3);
    value = kv_get(handle->store, change.key, host->now(host), &change.version);
    l_kv_push_value(lua, handle, value);
    lua_call(lua, 1, 1);
    if (lua_isnil(lua, 4) && change.version == 0)
        return true;
    if (!lua_isnil(lua, 4))
        change.value = l_kv_encode(lua, 4);
    err = kv_change(handle->store, &change, kv_time_of(host), &error);
    blob_drop(change.value);
    if (err != 0 && err != ERR_IN_USE)
        luaL_error(lua, "kv:update: %s", error.words);
    return err == 0;
}

int l_kv_update(lua_State *lua)
{
    struct host *host;
    struct kv_handle *handle = l_kv_check_change(lua, &host);

    (void)l_kv_key(lua, 2);
    luaL_checktype(lua, 3, LUA_TFUNCTION);
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        if (try_update(lua, handle, host))
            return 1;
    }
    return luaL_error(lua,
                      "kv:update: the value was changed by somebody else in each of %d tries; does "
                      "the function change it itself?",
                      MAX_TRIES);
}

/* ---- each: store, prefix, function and cursor are at 1 to 4 ---- */

static int l_go_on(lua_State *lua, int status, lua_KContext ctx);

static int l_walk(lua_State *lua)
{
    for (;;) {
        struct host *host;
        struct kv_handle *handle = l_kv_check(lua, &host);
        struct kv_cursor *cursor = lua_touserdata(lua, 4);
        struct blob *value = kv_next(handle->store, check_slice(lua, 2), host->now(host), cursor);

        if (value == NULL)
            return 0;
        lua_settop(lua, 4);
        lua_pushvalue(lua, 3);
        handle->held = value; /* the key may raise */
        lua_pushlstring(lua, cursor->last, cursor->len);
        l_kv_push_value(lua, handle, value);
        lua_callk(lua, 2, 1, 0, l_go_on);
        if (lua_type(lua, -1) == LUA_TBOOLEAN && !lua_toboolean(lua, -1))
            return 0;
    }
}

static int l_go_on(lua_State *lua, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lua_type(lua, -1) == LUA_TBOOLEAN && !lua_toboolean(lua, -1))
        return 0;
    return l_walk(lua);
}

int l_kv_each(lua_State *lua)
{
    struct host *host;

    (void)l_kv_check(lua, &host);
    (void)l_kv_key(lua, 2);
    luaL_checktype(lua, 3, LUA_TFUNCTION);
    lua_settop(lua, 3);
    memset(lua_newuserdatauv(lua, sizeof(struct kv_cursor), 0), 0, sizeof(struct kv_cursor));
    return l_walk(lua);
}
