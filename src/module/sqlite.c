/* sqlite.c -- nexus.sqlite: databases, rows and transactions as policies see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "module/database.h"
#include "module/module_priv.h"
#include "script/door.h"

#include <stdio.h>

#define DATABASE_NAME    "nexus.Database"
#define ROWS_NAME        "nexus.Rows"
#define TRANSACTION_NAME "nexus.Transaction"
#define FUNCTION         "nexus.sqlite"
#define MAX_FILE_NAME    200
#define MAX_VALUES       200
#define MAX_BATCH        10000
#define MAX_SQL          ((size_t)1048576)

/* The object of a policy. The file is opened when it is first used. */
struct handle {
    char name[MAX_FILE_NAME + 1];
};

/* What db:rows gives, and the iterator itself. */
struct rows {
    struct database *db;      /* held; NULL: closed */
    struct db_cursor *cursor; /* held */
    struct slice sql;         /* owned; data NULL: the cursor has it */
    struct writer values;
    unsigned value_count;
    lua_Integer batch; /* 0: row by row */
    bool is_busy;      /* a fetch is under way */
    bool is_ended;     /* there is no more to fetch */

    struct blob *fetched; /* owned; NULL: none */
    struct slice rest;    /* of it */
    size_t left;          /* rows in it */
    char name[MAX_FILE_NAME + 1];
};

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
    struct handle *handle;

    if (allowed != NULL)
        return luaL_error(lua, FUNCTION ": found \"%s\"; allowed: %s", name.data, allowed);
    if (host_lacks_folder(host_of(lua)))
        return luaL_error(lua, FUNCTION ": %s: " DATABASE_NO_FOLDER, name.data);
    handle = lua_newuserdatauv(lua, sizeof(*handle), 0);
    memcpy(handle->name, name.data, name.len + 1);
    luaL_setmetatable(lua, DATABASE_NAME);
    return 1;
}

static const struct handle *check_handle(lua_State *lua)
{
    return luaL_checkudata(lua, 1, DATABASE_NAME);
}

/* ---- jobs ---- */

static void drop_job(struct wait *wait)
{
    db_job_leave(container_of(wait, struct db_job, wait));
}

static struct db_job *job_of(struct wait *wait)
{
    return container_of(wait, struct db_job, wait);
}

static void l_check_trouble(lua_State *lua, const char *name, const struct db_job *job)
{
    if (job->trouble[0] != '\0')
        luaL_error(lua, FUNCTION ": %s: %s", name, job->trouble);
}

static struct database *l_hold(lua_State *lua, const char *name)
{
    struct host *host = l_host_waits(lua);
    struct database *db;
    char words[160];

    db = database_hold(host, name, words, sizeof(words));
    if (db == NULL)
        luaL_error(lua, FUNCTION ": %s: %s", name, words);
    return db;
}

/* A job for the database of that name. */
static struct db_job *l_job(lua_State *lua, const char *name, enum db_job_kind kind)
{
    struct database *db = l_hold(lua, name);
    struct db_job *job = db_job_new(db, kind, door_serial(lua));

    database_drop(db); /* the job holds it as well */
    return job;
}

/* Takes the job over; raises when there are too many. */
static int l_start(lua_State *lua, const char *name, struct db_job *job,
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

/* ---- values ---- */

/* Raises for what no database holds. */
static void l_check_values(lua_State *lua, const char *name, int from)
{
    int top = lua_gettop(lua);
    size_t len = 0;

    if (top - from + 1 > MAX_VALUES)
        luaL_error(lua, FUNCTION ": %s: found %d values; allowed: %d", name, top - from + 1,
                   MAX_VALUES);
    for (int i = from; i <= top; i++) {
        int type = lua_type(lua, i);

        if (type == LUA_TNIL)
            luaL_error(lua, FUNCTION ": %s: value %d is nil; allowed: nexus.null for NULL", name,
                       i - from + 1);
        if (values_is_octets(lua, i) || type == LUA_TSTRING)
            len += l_values_check_octets(lua, i).len;
        if (len > MAX_DB_VALUES)
            luaL_error(lua, FUNCTION ": %s: the values have more than %d octets", name,
                       MAX_DB_VALUES);
        if (values_is_null(lua, i) || values_is_octets(lua, i))
            continue;
        if (type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING)
            luaL_error(lua,
                       FUNCTION ": %s: value %d is a %s; allowed: nexus.null, boolean, number, "
                                "string, nexus.bytes",
                       name, i - from + 1, luaL_typename(lua, i));
    }
}

static void put_value(lua_State *lua, int index, struct writer *to)
{
    int64_t integer;
    double real;

    switch (lua_type(lua, index)) {
    case LUA_TBOOLEAN:
        integer = lua_toboolean(lua, index);
        db_put_number(to, DB_INTEGER, &integer);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index)) {
            integer = lua_tointeger(lua, index);
            db_put_number(to, DB_INTEGER, &integer);
        } else {
            real = lua_tonumber(lua, index);
            db_put_number(to, DB_FLOAT, &real);
        }
        break;
    case LUA_TSTRING:
        db_put_text(to, DB_TEXT, check_slice(lua, index));
        break;
    default:
        if (values_is_null(lua, index))
            writer_put(to, DB_NULL);
        else
            db_put_text(to, DB_BLOB, l_values_check_octets(lua, index));
        break;
    }
}

static unsigned put_values(lua_State *lua, int from, struct writer *to)
{
    int top = lua_gettop(lua);

    for (int i = from; i <= top; i++)
        put_value(lua, i, to);
    return (unsigned)(top < from ? 0 : top - from + 1);
}

static struct slice l_check_sql(lua_State *lua, const char *name)
{
    struct slice sql = check_slice(lua, 2);

    if (memchr(sql.data, '\0', sql.len) != NULL || sql.len > MAX_SQL)
        luaL_error(lua, FUNCTION ": %s: found %d octets of SQL; allowed: at most 1048576, no NUL",
                   name, (int)sql.len);
    return sql;
}

/* ---- rows to Lua ---- */

static void push_value(lua_State *lua, const struct db_value *value)
{
    switch (value->tag) {
    case DB_INTEGER:
        lua_pushinteger(lua, value->integer);
        break;
    case DB_FLOAT:
        lua_pushnumber(lua, value->real);
        break;
    case DB_TEXT:
        lua_pushlstring(lua, value->text.data, value->text.len);
        break;
    case DB_BLOB:
        l_values_push_bytes(lua, value->text);
        break;
    case DB_NULL:
    case DB_NAME:
    case DB_ROW_END:
        l_values_push_null(lua);
        break;
    }
}

/* Pushes a list of the names of columns, and moves past them. */
static void push_names(lua_State *lua, struct slice *rest)
{
    struct db_value value;
    lua_Integer count = 0;

    lua_newtable(lua);
    while (db_take(rest, &value) && value.tag == DB_NAME) {
        lua_pushlstring(lua, value.text.data, value.text.len);
        lua_rawseti(lua, -2, ++count);
    }
}

/* Pushes the next row as a dict; the list of names is at the index. */
static void push_row(lua_State *lua, int names, struct slice *rest)
{
    struct db_value value;

    lua_createtable(lua, 0, (int)lua_rawlen(lua, names));
    for (lua_Integer i = 1; db_take(rest, &value) && value.tag != DB_ROW_END; i++) {
        lua_rawgeti(lua, names, i);
        push_value(lua, &value);
        lua_rawset(lua, -3);
    }
    vm_charge(lua, 20);
}

static void push_list(lua_State *lua, int names, struct slice *rest, size_t count)
{
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        push_row(lua, names, rest);
        lua_rawseti(lua, -2, (lua_Integer)i);
    }
    l_values_mark(lua, VALUES_LIST);
}

/* ---- row, exec ---- */

static void push_first(lua_State *lua, struct wait *wait)
{
    const struct db_job *job = job_of(wait);
    struct slice rest = writer_slice(&job->rows);

    l_check_trouble(lua, check_handle(lua)->name, job);
    if (job->row_count == 0) {
        lua_pushnil(lua);
        return;
    }
    push_names(lua, &rest);
    push_row(lua, lua_gettop(lua), &rest);
    lua_remove(lua, -2);
}

static void push_changes(lua_State *lua, struct wait *wait)
{
    const struct db_job *job = job_of(wait);

    l_check_trouble(lua, check_handle(lua)->name, job);
    lua_pushinteger(lua, job->changes);
    lua_pushinteger(lua, job->last_id);
}

static int l_run(lua_State *lua, enum db_job_kind kind,
                 void (*push)(lua_State *lua, struct wait *wait))
{
    const struct handle *handle = check_handle(lua);
    struct slice sql = l_check_sql(lua, handle->name);
    struct db_job *job;

    l_check_values(lua, handle->name, 3);
    job = l_job(lua, handle->name, kind);
    job->sql = slice_make(mem_copy(sql.data, sql.len), sql.len);
    job->value_count = put_values(lua, 3, &job->values);
    job->max_rows = 1;
    job->max_bytes = SIZE_MAX;
    vm_charge(lua, 20 + sql.len / 64);
    return l_start(lua, handle->name, job, push);
}

static int l_row(lua_State *lua)
{
    return l_run(lua, DB_ROW, push_first);
}

static int l_exec(lua_State *lua)
{
    return l_run(lua, DB_EXEC, push_changes);
}

/* ---- rows ---- */

static struct rows *check_rows(lua_State *lua)
{
    return luaL_checkudata(lua, 1, ROWS_NAME);
}

/* Frees all; the cursor is closed on its thread. */
static void rows_close(struct rows *rows)
{
    struct db_job *job;

    if (rows->db == NULL)
        return;
    if (rows->sql.data == NULL && !rows->is_ended) {
        job = db_job_new(rows->db, DB_CLOSE, 0);
        job->cursor = rows->cursor;
        rows->cursor->refs++;
        job->is_left = true;
        (void)db_job_start(job);
    }
    mem_free((void *)(uintptr_t)rows->sql.data);
    rows->sql = (struct slice){0};
    writer_fini(&rows->values);
    if (rows->fetched != NULL)
        blob_drop(rows->fetched);
    rows->fetched = NULL;
    rows->left = 0;
    db_cursor_drop(rows->cursor);
    database_drop(rows->db);
    rows->db = NULL;
}

static int l_rows_close(lua_State *lua)
{
    rows_close(check_rows(lua));
    return 0;
}

static int l_rows(lua_State *lua)
{
    const struct handle *handle = check_handle(lua);
    struct slice sql = l_check_sql(lua, handle->name);
    struct rows *rows;
    struct database *db;

    l_check_values(lua, handle->name, 3);
    rows = lua_newuserdatauv(lua, sizeof(*rows), 1);
    *rows = (struct rows){0};
    memcpy(rows->name, handle->name, sizeof(rows->name));
    luaL_setmetatable(lua, ROWS_NAME);
    lua_insert(lua, 3);
    db = l_hold(lua, handle->name);
    rows->cursor = mem_zero(1, sizeof(*rows->cursor));
    rows->cursor->refs = 1;
    rows->sql = slice_make(mem_copy(sql.data, sql.len), sql.len);
    writer_init(&rows->values, 0);
    rows->db = db;
    rows->value_count = put_values(lua, 4, &rows->values);
    lua_settop(lua, 3);
    lua_pushnil(lua);
    lua_pushnil(lua);
    lua_pushvalue(lua, 3); /* a for loop that is left closes it */
    return 4;
}

/* The next row or batch of what was fetched; nil at the end. */
static void push_next(lua_State *lua, struct rows *rows)
{
    if (rows->left == 0) {
        rows_close(rows);
        lua_pushnil(lua);
        return;
    }
    lua_getiuservalue(lua, 1, 1);
    if (rows->batch != 0) {
        push_list(lua, lua_gettop(lua), &rows->rest, rows->left);
        rows->left = 0;
    } else {
        push_row(lua, lua_gettop(lua), &rows->rest);
        rows->left--;
    }
    lua_remove(lua, -2);
}

/* The rows are at 1 in the function that waits. */
static void push_fetched(lua_State *lua, struct wait *wait)
{
    struct rows *rows = check_rows(lua);
    struct db_job *job = job_of(wait);

    rows->is_busy = false;
    rows->is_ended = job->cursor->is_done;
    if (job->trouble[0] != '\0') {
        char name[MAX_FILE_NAME + 1];

        memcpy(name, rows->name, sizeof(name));
        rows_close(rows);
        l_check_trouble(lua, name, job);
    }
    if (rows->db == NULL)
        luaL_error(lua, FUNCTION ": %s: the rows were closed meanwhile", rows->name);
    if (rows->fetched != NULL)
        blob_drop(rows->fetched);
    rows->left = job->row_count;
    rows->fetched = job->rows.len == 0 ? NULL : writer_freeze(&job->rows);
    rows->rest = slice_make(NULL, 0);
    if (rows->fetched != NULL)
        rows->rest = blob_slice(rows->fetched);
    push_names(lua, &rows->rest);
    lua_setiuservalue(lua, 1, 1);
    push_next(lua, rows);
}

/* Asks for more rows; the results of the function are what comes. */
static int l_fetch(lua_State *lua, struct rows *rows, size_t max_rows, size_t max_bytes,
                   bool must_end, void (*push)(lua_State *lua, struct wait *wait))
{
    struct db_job *job;

    l_host_waits(lua);
    if (rows->is_busy)
        luaL_error(lua, FUNCTION ": %s: these rows are being read already", rows->name);
    job = db_job_new(rows->db, DB_FETCH, door_serial(lua));
    job->cursor = rows->cursor;
    rows->cursor->refs++;
    if (rows->sql.data != NULL) {
        job->sql = rows->sql;
        job->values = rows->values;
        job->value_count = rows->value_count;
        rows->sql = (struct slice){0};
        writer_init(&rows->values, 0);
    }
    job->max_rows = max_rows;
    job->max_bytes = max_bytes;
    job->must_end = must_end;
    rows->is_busy = true;
    return l_start(lua, rows->name, job, push);
}

static int l_next(lua_State *lua)
{
    struct rows *rows = check_rows(lua);

    lua_settop(lua, 1);
    if (rows->db == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    if (rows->left != 0 || rows->is_ended) {
        push_next(lua, rows);
        return 1;
    }
    if (rows->batch != 0)
        return l_fetch(lua, rows, (size_t)rows->batch, MAX_BATCH_BYTES, false, push_fetched);
    return l_fetch(lua, rows, SIZE_MAX, MAX_FETCH_BYTES, false, push_fetched);
}

static void l_check_unread(lua_State *lua, const struct rows *rows, const char *what)
{
    if (rows->db == NULL || rows->sql.data == NULL)
        luaL_error(lua, FUNCTION ": %s: %s after rows were read", rows->name, what);
}

static int l_batches(lua_State *lua)
{
    struct rows *rows = check_rows(lua);
    lua_Integer count = luaL_checkinteger(lua, 2);

    if (count < 1 || count > MAX_BATCH)
        return luaL_error(lua, FUNCTION ": %s: batches of %I; allowed: 1 to %d", rows->name, count,
                          MAX_BATCH);
    l_check_unread(lua, rows, "batches");
    rows->batch = count;
    lua_settop(lua, 1);
    lua_pushnil(lua);
    lua_pushnil(lua);
    lua_pushvalue(lua, 1);
    return 4;
}

static void push_all(lua_State *lua, struct wait *wait)
{
    struct rows *rows = check_rows(lua);
    struct db_job *job = job_of(wait);
    struct slice rest = writer_slice(&job->rows);

    rows->is_busy = false;
    rows->is_ended = job->cursor->is_done;
    rows_close(rows);
    l_check_trouble(lua, rows->name, job);
    push_names(lua, &rest);
    push_list(lua, lua_gettop(lua), &rest, job->row_count);
    lua_remove(lua, -2);
}

static int l_all(lua_State *lua)
{
    struct rows *rows = check_rows(lua);

    lua_settop(lua, 1);
    l_check_unread(lua, rows, "all");
    return l_fetch(lua, rows, MAX_ALL_ROWS + 1, MAX_ALL_BYTES, true, push_all);
}

/* ---- transactions ---- */

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
    struct db_job *job = job_of(wait);

    l_check_trouble(lua, check_handle(lua)->name, job);
    job->is_taken = true;
    transaction->owner = job->owner;
    transaction->db = job->db;
    database_hold_more(job->db);
    lua_pushvalue(lua, 2);
}

/* Argument: the database. Gives the transaction. */
static int l_begin(lua_State *lua)
{
    const struct handle *handle = check_handle(lua);
    struct transaction *transaction;
    struct db_job *job;

    lua_settop(lua, 1);
    transaction = lua_newuserdatauv(lua, sizeof(*transaction), 0);
    *transaction = (struct transaction){0};
    luaL_setmetatable(lua, TRANSACTION_NAME);
    job = l_job(lua, handle->name, DB_BEGIN);
    return l_start(lua, handle->name, job, push_begun);
}

/* What the function of the policy returned is behind the two. */
static void push_committed(lua_State *lua, struct wait *wait)
{
    struct transaction *transaction = luaL_checkudata(lua, 2, TRANSACTION_NAME);
    int top = lua_gettop(lua);

    l_check_trouble(lua, check_handle(lua)->name, job_of(wait));
    transaction_end(transaction);
    luaL_checkstack(lua, top, NULL);
    for (int i = 3; i <= top; i++)
        lua_pushvalue(lua, i);
}

/* Arguments: the database, the transaction, and what shall be returned. */
static int l_commit(lua_State *lua)
{
    const struct handle *handle = check_handle(lua);
    const struct transaction *transaction = luaL_checkudata(lua, 2, TRANSACTION_NAME);
    struct db_job *job;

    if (transaction->db == NULL)
        return luaL_error(lua, FUNCTION ": %s: the transaction is over", handle->name);
    job = l_job(lua, handle->name, DB_COMMIT);
    return l_start(lua, handle->name, job, push_committed);
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
    const struct handle *handle = check_handle(lua);
    struct database *db;
    bool is_within;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    db = l_hold(lua, handle->name);
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

static void set_transaction(lua_State *lua)
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

/* ---- the tables ---- */

#define VALUES "...: nexus.Null|boolean|number|string|nexus.Bytes"
#define SQL_ERRORS                                                                          \
    "What SQLite says, with the file and the place in the SQL; a database that is locked, " \
    "after 2 s; a statement of more than 30 s"

static const struct module_row database_rows[] = {
    {"row", l_row, "fun(self, sql: string, " VALUES "): table?",
     "The first row as a dict, or nil. Values are always bound.", SQL_ERRORS},
    {"rows", l_rows, "fun(self, sql: string, " VALUES "): nexus.Rows",
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

static const struct module_row rows_rows[] = {
    {"__call", l_next, "fun(self): table?", "The next row or batch; nil at the end.", SQL_ERRORS},
    {"__close", l_rows_close, NULL, NULL, NULL},
    {"__gc", l_rows_close, NULL, NULL, NULL},
    {"batches", l_batches, "fun(self, count: integer): nexus.Rows",
     "Lists of that many rows each, fewer at the end or when they have more than 4 MiB.",
     "Other than 1 to 10000"},
    {"all", l_all, "fun(self): table[]", "A list of all rows.",
     SQL_ERRORS "; more than 100000 rows or 16 MiB"},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_row transaction_rows[] = {
    {"__close", l_transaction_close, NULL, NULL, NULL},
    {"__gc", l_transaction_close, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_row rows[] = {
    {"sqlite", l_sqlite, "fun(file: string): nexus.Database",
     "A database of SQLite in the data folder. The file is opened when it is first used.",
     "A name that leads out of the folder"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_database = {DATABASE_NAME, database_rows, set_transaction};
const struct module_table module_rows_class = {ROWS_NAME, rows_rows, NULL};
const struct module_table module_transaction = {TRANSACTION_NAME, transaction_rows, NULL};
const struct module_table module_sqlite = {"nexus", rows, NULL};
