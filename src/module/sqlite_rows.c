/* sqlite_rows.c -- what db:rows gives: rows one by one, in batches, or all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "module/sqlite_priv.h"
#include "script/door.h"

#define ROWS_NAME "nexus.Rows"
#define MAX_BATCH 10000

/* The object of a policy, and the iterator itself. */
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

int l_sqlite_rows(lua_State *lua)
{
    const struct sqlite *handle = l_sqlite_check(lua);
    struct slice sql = l_sqlite_check_sql(lua, handle->name);
    struct rows *rows;
    struct database *db;

    l_sqlite_check_values(lua, handle->name, 3);
    rows = lua_newuserdatauv(lua, sizeof(*rows), 1);
    *rows = (struct rows){0};
    memcpy(rows->name, handle->name, sizeof(rows->name));
    luaL_setmetatable(lua, ROWS_NAME);
    lua_insert(lua, 3);
    db = l_sqlite_hold(lua, handle->name);
    rows->cursor = mem_zero(1, sizeof(*rows->cursor));
    rows->cursor->refs = 1;
    rows->sql = slice_make(mem_copy(sql.data, sql.len), sql.len);
    writer_init(&rows->values, 0);
    rows->db = db;
    rows->value_count = sqlite_put_values(lua, 4, &rows->values);
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
        sqlite_push_list(lua, lua_gettop(lua), &rows->rest, rows->left);
        rows->left = 0;
    } else {
        sqlite_push_row(lua, lua_gettop(lua), &rows->rest);
        rows->left--;
    }
    lua_remove(lua, -2);
}

/* The rows are at 1 in the function that waits. */
static void push_fetched(lua_State *lua, struct wait *wait)
{
    struct rows *rows = check_rows(lua);
    struct db_job *job = sqlite_job_of(wait);

    rows->is_busy = false;
    rows->is_ended = job->cursor->is_done;
    if (job->trouble[0] != '\0') {
        char name[MAX_FILE_NAME + 1];

        memcpy(name, rows->name, sizeof(name));
        rows_close(rows);
        l_sqlite_check_trouble(lua, name, job);
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
    sqlite_push_names(lua, &rows->rest);
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
    return l_sqlite_start(lua, rows->name, job, push);
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
    struct db_job *job = sqlite_job_of(wait);
    struct slice rest = writer_slice(&job->rows);

    rows->is_busy = false;
    rows->is_ended = job->cursor->is_done;
    rows_close(rows);
    l_sqlite_check_trouble(lua, rows->name, job);
    sqlite_push_names(lua, &rest);
    sqlite_push_list(lua, lua_gettop(lua), &rest, job->row_count);
    lua_remove(lua, -2);
}

static int l_all(lua_State *lua)
{
    struct rows *rows = check_rows(lua);

    lua_settop(lua, 1);
    l_check_unread(lua, rows, "all");
    return l_fetch(lua, rows, MAX_ALL_ROWS + 1, MAX_ALL_BYTES, true, push_all);
}

/* ---- the table ---- */

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

const struct module_table module_rows_class = {ROWS_NAME, rows_rows, NULL};
