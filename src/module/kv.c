/* kv.c -- nexus.kv: stores that outlive the state of Lua.
 *
 * Values are kept as MessagePack, so what comes back is a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/kv.h"

#include "base/err.h"

/* A change that costs a look-up, a copy and an allocation. */
#define CHARGE 10

/* ---- handles ---- */

struct kv_handle *l_kv_check(lua_State *lua, struct host **host)
{
    struct kv_handle *handle = luaL_checkudata(lua, 1, KV_CLASS);

    *host = l_host_acts(lua);
    if (handle->store == NULL)
        luaL_error(lua, "nexus.kv: there are no stores here");
    blob_drop(handle->held);
    handle->held = NULL;
    vm_charge(lua, CHARGE);
    return handle;
}

struct kv_handle *l_kv_check_change(lua_State *lua, struct host **host)
{
    (void)l_host_changes(lua);
    return l_kv_check(lua, host);
}

static int l_gc(lua_State *lua)
{
    struct kv_handle *handle = luaL_checkudata(lua, 1, KV_CLASS);

    blob_drop(handle->held);
    handle->held = NULL;
    return 0;
}

static int l_tostring(lua_State *lua)
{
    const struct kv_handle *handle = luaL_checkudata(lua, 1, KV_CLASS);

    if (handle->store == NULL)
        lua_pushliteral(lua, KV_CLASS);
    else
        lua_pushfstring(lua, KV_CLASS ": %s", kv_name(handle->store).data);
    return 1;
}

void l_kv_push_value(lua_State *lua, struct kv_handle *handle, struct blob *value)
{
    if (value == NULL) {
        lua_pushnil(lua);
        return;
    }
    handle->held = value;
    l_values_push(lua, CODEC_MSGPACK, blob_slice(value), "value");
    handle->held = NULL;
    blob_drop(value);
}

struct blob *l_kv_encode(lua_State *lua, int index)
{
    l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, index, VALUES_ANY, "value");
    return l_values_end(lua);
}

struct slice l_kv_key(lua_State *lua, int index)
{
    struct slice key = {0};

    if (lua_type(lua, index) != LUA_TSTRING && !lua_isinteger(lua, index)) {
        luaL_typeerror(lua, index, "string or integer");
        return key;
    }
    key.data = lua_tolstring(lua, index, &key.len);
    return key;
}

/* ---- options of changes ---- */

/* The field of the table at the index, on the stack. */
static int field(lua_State *lua, int index, const char *name)
{
    if (lua_isnoneornil(lua, index)) {
        lua_pushnil(lua);
        return LUA_TNIL;
    }
    return lua_getfield(lua, index, name);
}

/* `ttl` of the options at the index, in ms. */
static uint64_t ttl_of(lua_State *lua, int index, const char *function)
{
    lua_Number seconds;

    if (field(lua, index, "ttl") == LUA_TNIL) {
        lua_pop(lua, 1);
        return 0;
    }
    seconds = lua_tonumber(lua, -1);
    if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) ||
        seconds > (lua_Number)KV_MAX_TTL_MS / 1000)
        luaL_error(lua, "%s: ttl: found %s; allowed: seconds, from 0.001 to %d", function,
                   lua_type(lua, -1) == LUA_TNUMBER ? lua_tostring(lua, -1)
                                                    : luaL_typename(lua, -1),
                   (int)(KV_MAX_TTL_MS / 1000));
    lua_pop(lua, 1);
    return (uint64_t)(seconds * 1000 + 0.5);
}

static void check_options(lua_State *lua, int index, const char *function, const char *const *known)
{
    if (!lua_isnoneornil(lua, index))
        l_module_check_keys(lua, index, function, known);
}

/* ---- methods ---- */

static int l_get(lua_State *lua)
{
    struct host *host;
    struct kv_handle *handle = l_kv_check(lua, &host);
    struct slice key = l_kv_key(lua, 2);

    l_kv_push_value(lua, handle, kv_get(handle->store, key, host->now(host), NULL));
    return 1;
}

/* Nothing is raised between the encoding and the end of the change. */
static int put(lua_State *lua, const char *function, bool is_new)
{
    static const char *const known[] = {"ttl", NULL};
    struct host *host;
    struct kv_handle *handle = l_kv_check_change(lua, &host);
    struct kv_change change = {.key = l_kv_key(lua, 2), .is_new = is_new};
    struct kv_error error;
    int err;

    if (lua_isnoneornil(lua, 3))
        luaL_argerror(lua, 3, "a value that is not nil; delete takes a key out");
    check_options(lua, 4, function, known);
    change.ttl_ms = ttl_of(lua, 4, function);
    change.value = l_kv_encode(lua, 3);
    err = kv_change(handle->store, &change, kv_time_of(host), &error);
    blob_drop(change.value);
    if (err != 0 && err != ERR_IN_USE)
        return luaL_error(lua, "%s: %s", function, error.words);
    lua_pushboolean(lua, err == 0);
    return 1;
}

static int l_set(lua_State *lua)
{
    put(lua, "kv:set", false);
    return 0;
}

static int l_add(lua_State *lua)
{
    return put(lua, "kv:add", true);
}

static int l_incr(lua_State *lua)
{
    static const char *const known[] = {"ttl", "start", NULL};
    struct host *host;
    struct kv_handle *handle = l_kv_check_change(lua, &host);
    struct kv_addition addition = {.key = l_kv_key(lua, 2), .n = luaL_optinteger(lua, 3, 1)};
    struct kv_error error;
    int64_t sum;

    check_options(lua, 4, "kv:incr", known);
    addition.ttl_ms = ttl_of(lua, 4, "kv:incr");
    if (field(lua, 4, "start") != LUA_TNIL) {
        if (!lua_isinteger(lua, -1))
            return luaL_error(lua, "kv:incr: start: found a %s; allowed: an integer",
                              luaL_typename(lua, -1));
        addition.start = lua_tointeger(lua, -1);
    }
    if (kv_incr(handle->store, &addition, kv_time_of(host), &sum, &error) != 0)
        return luaL_error(lua, "kv:incr: %s", error.words);
    lua_pushinteger(lua, sum);
    return 1;
}

static int l_delete(lua_State *lua)
{
    struct host *host;
    struct kv_handle *handle = l_kv_check_change(lua, &host);
    struct kv_change change = {.key = l_kv_key(lua, 2)};
    struct kv_error error;
    int err = kv_change(handle->store, &change, kv_time_of(host), &error);

    if (err != 0 && err != ERR_NOT_FOUND)
        return luaL_error(lua, "kv:delete: %s", error.words);
    lua_pushboolean(lua, err == 0);
    return 1;
}

static int l_size(lua_State *lua)
{
    struct host *host;
    struct kv_handle *handle = l_kv_check(lua, &host);

    lua_pushinteger(lua, (lua_Integer)kv_size(handle->store, host->now(host)));
    return 1;
}

/* ---- opening ---- */

static enum kv_choice choice_of(lua_State *lua, const char *name)
{
    enum kv_choice choice = KV_UNSAID;

    if (field(lua, 2, name) == LUA_TBOOLEAN)
        choice = lua_toboolean(lua, -1) ? KV_YES : KV_NO;
    else if (!lua_isnil(lua, -1))
        luaL_error(lua, "nexus.kv: %s: found a %s; allowed: true, false", name,
                   luaL_typename(lua, -1));
    lua_pop(lua, 1);
    return choice;
}

static uint64_t bound_of(lua_State *lua, const char *name)
{
    lua_Integer bound = 0;

    if (field(lua, 2, name) != LUA_TNIL) {
        bound = lua_tointeger(lua, -1);
        if (!lua_isinteger(lua, -1) || bound < 1)
            luaL_error(lua, "nexus.kv: %s: found %s; allowed: an integer from 1", name,
                       lua_isinteger(lua, -1) ? lua_tostring(lua, -1) : luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
    return (uint64_t)bound;
}

/* Whether a word is the second of two. */
static enum kv_choice word_of(lua_State *lua, const char *name, const char *no, const char *yes)
{
    enum kv_choice choice = KV_UNSAID;
    const char *word;

    if (field(lua, 2, name) != LUA_TNIL) {
        word = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
        choice = strcmp(word, yes) == 0 ? KV_YES : strcmp(word, no) == 0 ? KV_NO : KV_UNSAID;
        if (choice == KV_UNSAID)
            luaL_error(lua, "nexus.kv: %s: found %s; allowed: \"%s\", \"%s\"", name,
                       luaL_tolstring(lua, -1, NULL), no, yes);
    }
    lua_pop(lua, 1);
    return choice;
}

static int l_kv(lua_State *lua)
{
    static const char *const known[] = {"persist",     "scope",     "evict",
                                        "max_entries", "max_bytes", NULL};
    const struct host *host = host_of(lua);
    struct slice name = check_slice(lua, 1);
    struct kv_store_options options;
    struct kv_handle *handle;
    struct kv_space *space;
    struct kv_error error;

    lua_settop(lua, 2);
    check_options(lua, 2, "nexus.kv", known);
    space = word_of(lua, "scope", "realm", "router") == KV_YES ? host->router_kv : host->kv;
    options = (struct kv_store_options){.persists = choice_of(lua, "persist"),
                                        .evicts = word_of(lua, "evict", "refuse", "lru"),
                                        .max_entries = bound_of(lua, "max_entries"),
                                        .max_bytes = bound_of(lua, "max_bytes")};
    luaL_argcheck(lua, name.len != 0 && name.len <= KV_MAX_NAME_LEN, 1,
                  "the name of a store, of 1 to 100 octets");
    handle = lua_newuserdatauv(lua, sizeof(*handle), 0);
    *handle = (struct kv_handle){0};
    luaL_setmetatable(lua, KV_CLASS);
    if (space == NULL && options.persists == KV_YES && host_lacks_folder(host))
        return luaL_error(
            lua, "nexus.kv: the store \"%s\" cannot persist: the configuration has no data_folder",
            name.data);
    if (space == NULL)
        return 1;
    handle->store = kv_open(space, name, &options, kv_time_of(host), &error);
    if (handle->store == NULL)
        return luaL_error(lua, "nexus.kv: %s", error.words);
    return 1;
}

/* ---- the tables ---- */

static void set_blocks(lua_State *lua)
{
    l_wait_blocks(lua, l_kv_update, "cannot wait in the function of kv:update");
}

static const struct module_row rows[] = {
    {"kv", l_kv,
     "fun(name: string, options?: { persist?: boolean, scope?: \"realm\"|\"router\", evict?: "
     "\"refuse\"|\"lru\", max_entries?: integer, max_bytes?: integer }): nexus.Store",
     "The store with that name: of the realm, or of the router, which all realms share. It "
     "outlives "
     "reloads, and with persist the router too. When it is full it refuses, or forgets what was "
     "used "
     "least recently (\"lru\"). What the options do not say stays as the store has it.",
     "A file that is damaged or used by somebody else; persist of an open store is changed"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_kv = {"nexus", rows, set_blocks};

#define FULL "The store is full; the key or the value is too long; the value cannot be sent"

static const struct module_row methods[] = {
    {"get", l_get, "fun(self, key: string|integer): any",
     "A copy of the value under the key; nil if there is none.", NULL},
    {"set", l_set, "fun(self, key: string|integer, value: any, options?: { ttl?: number })",
     "Puts a value under the key, for ttl seconds or for good.", FULL},
    {"add", l_add,
     "fun(self, key: string|integer, value: any, options?: { ttl?: number }): boolean",
     "The same only if there is no value; says whether.", FULL},
    {"incr", l_incr,
     "fun(self, key: string|integer, n?: integer, options?: { ttl?: number, start?: integer }): "
     "integer",
     "Adds n (1) to an integer and gives the sum. Without a value it begins with start (0), and "
     "expires ttl seconds after that.",
     "The value is no integer; the sum is beyond 64 bits; the store is full"},
    {"delete", l_delete, "fun(self, key: string|integer): boolean",
     "Takes the key out; says whether it was there.", NULL},
    {"update", l_kv_update, "fun(self, key: string|integer, fn: fun(value: any): any): any",
     "Puts what fn makes of the value in its place, as one step; nil is no value, before and "
     "after. fn cannot wait, and is called again when somebody else was faster. The value expires "
     "when "
     "the one before would have. Gives the new value.",
     FULL},
    {"each", l_kv_each, "fun(self, prefix: string, fn: fun(key: string, value: any): boolean?)",
     "Calls fn for each key with that prefix, in order, until it returns false. Stores of the "
     "router "
     "have no order. fn may wait, and may change the store.",
     NULL},
    {"size", l_size, "fun(self): integer", "How many entries there are.", NULL},
    {"__gc", l_gc, NULL, NULL, NULL},
    {"__tostring", l_tostring, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_kv_class = {KV_CLASS, methods, NULL};
