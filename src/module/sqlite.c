/* sqlite.c -- nexus.sqlite: databases as policies see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "module/sqlite_priv.h"
#include "script/door.h"

#define DATABASE_NAME "nexus.Database"
#define MAX_SQL       ((size_t)1048576)

/* ---- names ---- */

/* Words for a name that leads out of the folder; NULL: it does not. */
static const char *check_name(struct slice name)
{
    struct slice rest = name;

    if (name.len == 0 || name.len > MAX_FILE_NAME)
        return "a name of 1 to 200 octets";
    if (memchr(name.data, '\0', name.len) != NULL || *name.data == ':')
        return "the name of a file";
    if (*name.data == '/')
        return "a path within the data folder, so none that begins with /";
    while (rest.len != 0) {
        const char *end = memchr(rest.data, '/', rest.len);
        struct slice part =
            slice_make(rest.data, end == NULL ? rest.len : (size_t)(end - rest.data));

        if (part.len == 0 || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE("..")))
            return "a path within the data folder, without . and ..";
        rest = slice_make(rest.data + part.len, rest.len - part.len);
        if (rest.len == 1)
            return "the name of a file, not of a folder";
        if (rest.len != 0)
            rest = slice_make(rest.data + 1, rest.len - 1);
    }
    return NULL;
}

static int l_sqlite(lua_State *lua)
{
    struct slice name = check_slice(lua, 1);
    const char *allowed = check_name(name);
    struct sqlite *handle;

    if (allowed != NULL)
        return luaL_error(lua, FUNCTION ": found \"%s\"; allowed: %s", name.data, allowed);
    if (host_lacks_folder(host_of(lua)))
        return luaL_error(lua, FUNCTION ": %s: " DATABASE_NO_FOLDER, name.data);
    handle = lua_newuserdatauv(lua, sizeof(*handle), 0);
    memcpy(handle->name, name.data, name.len + 1);
    luaL_setmetatable(lua, DATABASE_NAME);
    return 1;
}

const struct sqlite *l_sqlite_check(lua_State *lua)
{
    return luaL_checkudata(lua, 1, DATABASE_NAME);
}

/* ---- jobs ---- */

static void drop_job(struct wait *wait)
{
    db_job_leave(container_of(wait, struct db_job, wait));
}

struct db_job *sqlite_job_of(struct wait *wait)
{
    return container_of(wait, struct db_job, wait);
}

void l_sqlite_check_trouble(lua_State *lua, const char *name, const struct db_job *job)
{
    if (job->trouble[0] != '\0')
        luaL_error(lua, FUNCTION ": %s: %s", name, job->trouble);
}

struct database *l_sqlite_hold(lua_State *lua, const char *name)
{
    struct host *host = l_host_waits(lua);
    struct database *db;
    char words[160];

    db = database_hold(host, name, words, sizeof(words));
    if (db == NULL)
        luaL_error(lua, FUNCTION ": %s: %s", name, words);
    return db;
}

struct db_job *l_sqlite_job(lua_State *lua, const char *name, enum db_job_kind kind)
{
    struct database *db = l_sqlite_hold(lua, name);
    struct db_job *job = db_job_new(db, kind, door_serial(lua));

    database_drop(db); /* the job holds it as well */
    return job;
}

int l_sqlite_start(lua_State *lua, const char *name, struct db_job *job,
                   void (*push)(lua_State *lua, struct wait *wait))
{
    const struct host *host = host_of(lua);

    job->at = host->now(host);
    job->wait.push = push;
    job->wait.drop = drop_job;
    if (!db_job_start(job)) {
        lua_pushfstring(lua, FUNCTION ": %s: %s", name, job->trouble);
        db_job_leave(job);
        luaL_where(lua, 1);
        lua_insert(lua, -2);
        lua_concat(lua, 2);
        return lua_error(lua);
    }
    return l_wait(lua, &job->wait);
}

struct slice l_sqlite_check_sql(lua_State *lua, const char *name)
{
    struct slice sql = check_slice(lua, 2);

    if (memchr(sql.data, '\0', sql.len) != NULL || sql.len > MAX_SQL)
        luaL_error(lua, FUNCTION ": %s: found %d octets of SQL; allowed: at most 1048576, no NUL",
                   name, (int)sql.len);
    return sql;
}

/* ---- row, exec ---- */

static void push_first(lua_State *lua, struct wait *wait)
{
    const struct db_job *job = sqlite_job_of(wait);
    struct slice rest = writer_slice(&job->rows);

    l_sqlite_check_trouble(lua, l_sqlite_check(lua)->name, job);
    if (job->row_count == 0) {
        lua_pushnil(lua);
        return;
    }
    sqlite_push_names(lua, &rest);
    sqlite_push_row(lua, lua_gettop(lua), &rest);
    lua_remove(lua, -2);
}

static void push_changes(lua_State *lua, struct wait *wait)
{
    const struct db_job *job = sqlite_job_of(wait);

    l_sqlite_check_trouble(lua, l_sqlite_check(lua)->name, job);
    lua_pushinteger(lua, job->changes);
    lua_pushinteger(lua, job->last_id);
}

static int l_run(lua_State *lua, enum db_job_kind kind,
                 void (*push)(lua_State *lua, struct wait *wait))
{
    const struct sqlite *handle = l_sqlite_check(lua);
    struct slice sql = l_sqlite_check_sql(lua, handle->name);
    struct db_job *job;

    l_sqlite_check_values(lua, handle->name, 3);
    job = l_sqlite_job(lua, handle->name, kind);
    job->sql = slice_make(mem_copy(sql.data, sql.len), sql.len);
    job->value_count = sqlite_put_values(lua, 3, &job->values);
    job->max_rows = 1;
    job->max_bytes = SIZE_MAX;
    vm_charge(lua, 20 + sql.len / 64);
    return l_sqlite_start(lua, handle->name, job, push);
}

static int l_row(lua_State *lua)
{
    return l_run(lua, DB_ROW, push_first);
}

static int l_exec(lua_State *lua)
{
    return l_run(lua, DB_EXEC, push_changes);
}

/* ---- the tables ---- */

#define VALUES "...: nexus.Null|boolean|number|string|nexus.Bytes"

static const struct module_row database_rows[] = {
    {"row", l_row, "fun(self, sql: string, " VALUES "): table?",
     "The first row as a dict, or nil. Values are always bound.", SQL_ERRORS},
    {"rows", l_sqlite_rows, "fun(self, sql: string, " VALUES "): nexus.Rows",
     "All rows: for row in db:rows(sql) do.", SQL_ERRORS},
    {"exec", l_exec, "fun(self, sql: string, " VALUES "): integer, integer",
     "Runs a statement, or without values several; gives the number of rows that changed and the "
     "id of the last that was inserted.",
     SQL_ERRORS},
    {"transaction", NULL, "fun(self, fn: fun(db: nexus.Database): ...): ...",
     "Calls the function; what it did counts when it returns, and not at all when it raises or is "
     "ended. Others wait meanwhile, for 30 s at most.",
     SQL_ERRORS "; a transaction within a transaction"},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_row rows[] = {
    {"sqlite", l_sqlite, "fun(file: string): nexus.Database",
     "A database of SQLite in the data folder. The file is opened when it is first used.",
     "A name that leads out of the folder"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_database = {DATABASE_NAME, database_rows, sqlite_set_transaction};
const struct module_table module_sqlite = {"nexus", rows, NULL};
