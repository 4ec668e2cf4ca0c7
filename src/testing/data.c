/* data.c -- the stores and databases of a policy, for its tests: what the policy sees, without
 * waiting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/blob.h"
#include "script/values.h"
#include "state/state.h"
#include "testing/stage.h"

#include <lauxlib.h>

#include <sqlite3.h>
#include <time.h>

#define STORE     "nexus.testing.store"
#define DATABASE  "nexus.testing.database"
#define BUSY_MS   5000
#define LIMIT_S   5        /* of one statement */
#define LOOK_EACH 10000    /* steps of SQLite between two looks at the clock */
#define MAX_VALUE 16777216 /* octets */
#define MAX_ROWS  100000

/* ---- stores ---- */

struct store_handle {
    struct stage *stage; /* kept alive by the user value */
    struct kv_store *of;
};

static struct slice check_text(lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_checklstring(lua, index, &text.len);
    return text;
}

static struct kv_time time_of(const struct stage *stage)
{
    return (struct kv_time){router_now(stage->router), router_wall(stage->router)};
}

static struct store_handle *check_store(lua_State *lua)
{
    struct store_handle *store = luaL_checkudata(lua, 1, STORE);

    luaL_argcheck(lua, store->stage->router != NULL, 1, "the router is closed");
    return store;
}

/* stage:kv(name) */
int l_store_new(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);
    struct slice name = check_text(lua, 2);
    const struct state *state = stage->mind == NULL ? NULL : policy_state(stage->mind);
    struct kv_error error;
    struct store_handle *store;

    if (state == NULL || state->kv == NULL)
        return luaL_argerror(lua, 1, "the realm has no policy");
    luaL_argcheck(lua, name.len != 0 && name.len <= KV_MAX_NAME_LEN, 2, "1 to 100 octets");
    store = lua_newuserdatauv(lua, sizeof(*store), 1);
    *store = (struct store_handle){.stage = stage};
    store->of = kv_open(state->kv, name, &(struct kv_store_options){.persists = KV_UNSAID},
                        time_of(stage), &error);
    if (store->of == NULL)
        return luaL_error(lua, "%s", error.words);
    lua_pushvalue(lua, 1);
    lua_setiuservalue(lua, -2, 1);
    luaL_setmetatable(lua, STORE);
    return 1;
}

static int l_get(lua_State *lua)
{
    struct store_handle *store = check_store(lua);
    struct blob *value = kv_get(store->of, check_text(lua, 2), time_of(store->stage).now, NULL);

    l_vm_guest(lua);
    if (value == NULL)
        return 0;
    lua_pushlstring(lua, value->data, value->len);
    blob_drop(value);
    l_values_push(lua, CODEC_MSGPACK, check_text(lua, -1), "value");
    return 1;
}

/* set(key, value [, seconds]) */
static int l_set(lua_State *lua)
{
    struct store_handle *store = check_store(lua);
    struct kv_change change = {.key = check_text(lua, 2)};
    lua_Number seconds = luaL_optnumber(lua, 4, 0);
    struct kv_error error = {""};
    int err;

    luaL_argcheck(lua, seconds >= 0 && seconds * 1e3 <= (lua_Number)KV_MAX_TTL_MS, 4, "seconds");
    change.ttl_ms = (uint64_t)(seconds * 1e3);
    l_vm_guest(lua);
    if (!lua_isnil(lua, 3)) {
        (void)l_values_begin(lua, CODEC_MSGPACK);
        l_values_put(lua, 3, VALUES_ANY, "value");
        change.value = l_values_end(lua);
    }
    err = kv_change(store->of, &change, time_of(store->stage), &error);
    if (change.value != NULL)
        blob_drop(change.value);
    if (err != 0 && err != ERR_NOT_FOUND)
        return luaL_error(lua, "%s", *error.words == '\0' ? err_words(err) : error.words);
    return 0;
}

static int l_size(lua_State *lua)
{
    struct store_handle *store = check_store(lua);

    lua_pushinteger(lua, (lua_Integer)kv_size(store->of, time_of(store->stage).now));
    return 1;
}

/* keys([prefix]): a list, in order */
static int l_keys(lua_State *lua)
{
    struct store_handle *store = check_store(lua);
    struct slice prefix = slice_of(luaL_optstring(lua, 2, ""));
    uint64_t now = time_of(store->stage).now;
    struct kv_cursor cursor = {.has_begun = false};
    struct blob *value;
    lua_Integer count = 0;

    lua_newtable(lua);
    while ((value = kv_next(store->of, prefix, now, &cursor)) != NULL) {
        blob_drop(value);
        lua_pushlstring(lua, cursor.last, cursor.len);
        lua_rawseti(lua, -2, ++count);
    }
    return 1;
}

/* ---- databases ---- */

struct database_handle {
    sqlite3 *of;             /* owned; NULL: closed */
    sqlite3_stmt *statement; /* owned; one that raised is ended with the next */
    time_t ends_at;
};

/* Also policy.check has it: one file, in its folder, and no end of memory or time. */
static int on_action(void *ctx, int action, const char *first, const char *second, const char *name,
                     const char *trigger)
{
    (void)ctx;
    (void)first;
    (void)second;
    (void)name;
    (void)trigger;
    return action == SQLITE_ATTACH || action == SQLITE_DETACH || action == SQLITE_PRAGMA
               ? SQLITE_DENY
               : SQLITE_OK;
}

static int on_progress(void *ctx)
{
    const struct database_handle *database = ctx;

    return time(NULL) > database->ends_at;
}

static void set_up(struct database_handle *database)
{
    sqlite3 *of = database->of;

    sqlite3_busy_timeout(of, BUSY_MS);
    sqlite3_limit(of, SQLITE_LIMIT_LENGTH, MAX_VALUE);
    sqlite3_limit(of, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(of, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_db_config(of, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(of, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* It does not outlive the test, so nobody waits for the disk. */
    (void)sqlite3_exec(of, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    sqlite3_progress_handler(of, LOOK_EACH, on_progress, database);
    sqlite3_set_authorizer(of, on_action, NULL);
}

static struct database_handle *check_database(lua_State *lua)
{
    struct database_handle *database = luaL_checkudata(lua, 1, DATABASE);

    luaL_argcheck(lua, database->of != NULL, 1, "the database is closed");
    return database;
}

/* stage:sqlite(file) */
int l_database_new(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);
    const char *name = luaL_checkstring(lua, 2);
    struct database_handle *database;
    const char *path;

    luaL_argcheck(lua, *name != '\0' && *name != '/' && strstr(name, "..") == NULL, 2,
                  "the name of a file in the data folder");
    path = lua_pushfstring(lua, "%s/%s", stage->folder, name);
    database = lua_newuserdatauv(lua, sizeof(*database), 0);
    *database = (struct database_handle){.of = NULL};
    luaL_setmetatable(lua, DATABASE);
    if (sqlite3_open(path, &database->of) != SQLITE_OK)
        return luaL_error(lua, "%s: %s", name, sqlite3_errmsg(database->of));
    set_up(database);
    return 1;
}

static int l_database_close(lua_State *lua)
{
    struct database_handle *database = luaL_checkudata(lua, 1, DATABASE);

    sqlite3_finalize(database->statement);
    sqlite3_close_v2(database->of);
    *database = (struct database_handle){.of = NULL};
    return 0;
}

static void bind(lua_State *lua, sqlite3_stmt *statement, int place, int index)
{
    struct slice text;

    switch (lua_type(lua, index)) {
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index))
            sqlite3_bind_int64(statement, place, lua_tointeger(lua, index));
        else
            sqlite3_bind_double(statement, place, lua_tonumber(lua, index));
        break;
    case LUA_TBOOLEAN:
        sqlite3_bind_int(statement, place, lua_toboolean(lua, index));
        break;
    case LUA_TSTRING:
        text.data = lua_tolstring(lua, index, &text.len);
        sqlite3_bind_text(statement, place, text.data, (int)text.len, SQLITE_TRANSIENT);
        break;
    case LUA_TUSERDATA:
        text = l_values_check_octets(lua, index);
        sqlite3_bind_blob(statement, place, text.data, (int)text.len, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_bind_null(statement, place);
    }
}

static void l_push_row(lua_State *lua, sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);

    lua_createtable(lua, 0, count);
    for (int i = 0; i < count; i++) {
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER:
            lua_pushinteger(lua, sqlite3_column_int64(statement, i));
            break;
        case SQLITE_FLOAT:
            lua_pushnumber(lua, sqlite3_column_double(statement, i));
            break;
        case SQLITE_NULL:
            continue;
        default:
            lua_pushlstring(
                lua,
                sqlite3_column_blob(statement, i) == NULL ? "" : sqlite3_column_blob(statement, i),
                (size_t)sqlite3_column_bytes(statement, i));
        }
        lua_setfield(lua, -2, sqlite3_column_name(statement, i));
    }
}

/* Runs a statement with the values above index 2; leaves the rows, at most so many, in a table. */
static int l_run(lua_State *lua, lua_Integer max_rows)
{
    struct database_handle *database = check_database(lua);
    struct slice sql = check_text(lua, 2);
    int top = lua_gettop(lua), result;
    lua_Integer count = 0;

    l_vm_guest(lua);
    luaL_argcheck(lua, sql.len <= MAX_VALUE, 2, "the SQL is too long");
    sqlite3_finalize(database->statement);
    database->statement = NULL;
    database->ends_at = time(NULL) + LIMIT_S;
    if (sqlite3_prepare_v2(database->of, sql.data, (int)sql.len, &database->statement, NULL) !=
        SQLITE_OK)
        return luaL_error(lua, "%s", sqlite3_errmsg(database->of));
    for (int i = 3; i <= top; i++)
        bind(lua, database->statement, i - 2, i);
    lua_newtable(lua);
    while ((result = sqlite3_step(database->statement)) == SQLITE_ROW && count < max_rows) {
        l_push_row(lua, database->statement);
        lua_rawseti(lua, -2, ++count);
    }
    sqlite3_finalize(database->statement);
    database->statement = NULL;
    if (result == SQLITE_ROW && max_rows == MAX_ROWS)
        return luaL_error(lua, "there are more than %d rows", MAX_ROWS);
    if (result != SQLITE_DONE && result != SQLITE_ROW)
        return luaL_error(lua, "%s", sqlite3_errmsg(database->of));
    return 1;
}

/* exec(sql, ...): how many rows changed */
static int l_exec(lua_State *lua)
{
    l_run(lua, 0);
    lua_pushinteger(lua, sqlite3_changes(check_database(lua)->of));
    return 1;
}

/* row(sql, ...): the first one, or nil */
static int l_row(lua_State *lua)
{
    l_run(lua, 1);
    lua_rawgeti(lua, -1, 1);
    return 1;
}

/* rows(sql, ...): a list */
static int l_rows(lua_State *lua)
{
    return l_run(lua, MAX_ROWS);
}

void l_data_open(lua_State *lua)
{
    static const luaL_Reg store[] = {
        {"get", l_get}, {"set", l_set}, {"size", l_size}, {"keys", l_keys}, {NULL, NULL}};
    static const luaL_Reg database[] = {{"exec", l_exec},
                                        {"row", l_row},
                                        {"rows", l_rows},
                                        {"close", l_database_close},
                                        {NULL, NULL}};

    luaL_newmetatable(lua, STORE);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    luaL_newlib(lua, store);
    lua_setfield(lua, -2, "__index");
    luaL_newmetatable(lua, DATABASE);
    lua_pushcfunction(lua, l_database_close);
    lua_setfield(lua, -2, "__gc");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    luaL_newlib(lua, database);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 2);
}
