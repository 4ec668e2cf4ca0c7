/* sqlite_transaction.c -- db:transaction: all of it counts, or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/sqlite_priv.h"
#include "script/door.h"

#define TRANSACTION_NAME "nexus.Transaction"

/* Lives in a <close> variable around the function: what ends it otherwise rolls back. */
struct transaction {
    struct database *db; /* held; NULL: it is over */
    uint64_t owner;
};

static void transaction_end(struct transaction *transaction)
{
    struct database *db = transaction->db;

    if (db == NULL)
        return;
    transaction->db = NULL;
    if (database_is_held_by(db, transaction->owner)) {
        struct db_job *job = db_job_new(db, DB_ROLLBACK, transaction->owner);

        job->is_left = true;
        (void)db_job_start(job);
    }
    database_drop(db);
}

static int l_transaction_close(lua_State *lua)
{
    transaction_end(luaL_checkudata(lua, 1, TRANSACTION_NAME));
    return 0;
}

static void push_begun(lua_State *lua, struct wait *wait)
{
    struct transaction *transaction = luaL_checkudata(lua, 2, TRANSACTION_NAME);
    struct db_job *job = sqlite_job_of(wait);

    l_sqlite_check_trouble(lua, l_sqlite_check(lua)->name, job);
    job->is_taken = true;
    transaction->owner = job->owner;
    transaction->db = job->db;
    database_hold_more(job->db);
    lua_pushvalue(lua, 2);
}

/* Argument: the database. Gives the transaction. */
static int l_begin(lua_State *lua)
{
    const struct sqlite *handle = l_sqlite_check(lua);
    struct transaction *transaction;
    struct db_job *job;

    lua_settop(lua, 1);
    transaction = lua_newuserdatauv(lua, sizeof(*transaction), 0);
    *transaction = (struct transaction){0};
    luaL_setmetatable(lua, TRANSACTION_NAME);
    job = l_sqlite_job(lua, handle->name, DB_BEGIN);
    return l_sqlite_start(lua, handle->name, job, push_begun);
}

/* What the function of the policy returned is behind the two. */
static void push_committed(lua_State *lua, struct wait *wait)
{
    struct transaction *transaction = luaL_checkudata(lua, 2, TRANSACTION_NAME);
    int top = lua_gettop(lua);

    l_sqlite_check_trouble(lua, l_sqlite_check(lua)->name, sqlite_job_of(wait));
    transaction_end(transaction);
    luaL_checkstack(lua, top, NULL);
    for (int i = 3; i <= top; i++)
        lua_pushvalue(lua, i);
}

/* Arguments: the database, the transaction, and what shall be returned. */
static int l_commit(lua_State *lua)
{
    const struct sqlite *handle = l_sqlite_check(lua);
    const struct transaction *transaction = luaL_checkudata(lua, 2, TRANSACTION_NAME);
    struct db_job *job;

    if (transaction->db == NULL)
        return luaL_error(lua, FUNCTION ": %s: the transaction is over", handle->name);
    job = l_sqlite_job(lua, handle->name, DB_COMMIT);
    return l_sqlite_start(lua, handle->name, job, push_committed);
}

static int l_ended(lua_State *lua, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(lua);
}

/* The upvalue is of Lua, so that the function of the policy may wait. */
static int l_transaction(lua_State *lua)
{
    const struct sqlite *handle = l_sqlite_check(lua);
    struct database *db;
    bool is_within;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    db = l_sqlite_hold(lua, handle->name);
    is_within = database_is_held_by(db, door_serial(lua));
    database_drop(db);
    if (is_within)
        return luaL_error(lua, FUNCTION ": %s: a transaction within a transaction", handle->name);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_callk(lua, 2, LUA_MULTRET, 0, l_ended);
    return lua_gettop(lua);
}

static const char transaction_code[] = "local begin, commit = ... "
                                       "return function(db, fn) "
                                       "local transaction <close> = begin(db) "
                                       "return commit(db, transaction, fn(db)) "
                                       "end";

void sqlite_set_transaction(lua_State *lua)
{
    lua_getfield(lua, -1, "__index");
    if (!vm_load(lua, slice_of(transaction_code), "nexus.sqlite"))
        lua_error(lua);
    lua_pushcfunction(lua, l_begin);
    lua_pushcfunction(lua, l_commit);
    lua_call(lua, 2, 1);
    lua_pushcclosure(lua, l_transaction, 1);
    lua_setfield(lua, -2, "transaction");
    lua_pop(lua, 1);
}

/* ---- the table ---- */

static const struct module_row transaction_rows[] = {
    {"__close", l_transaction_close, NULL, NULL, NULL},
    {"__gc", l_transaction_close, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_transaction = {TRANSACTION_NAME, transaction_rows, NULL};
