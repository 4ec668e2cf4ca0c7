/* database_run.c -- jobs of a database, on a thread of the pool: all that speaks to SQLite.
 *
 * What statements may do is bounded: no file other than the database's own, no transaction that is
 * not nexus.sqlite's, no settings that could harm, 30 seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "module/database_priv.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_LENGTH     (16 * 1024 * 1024) /* of a row, and of a value */
#define MAX_SQL        (1024 * 1024)
#define LOOK_EACH      5000 /* instructions of SQLite between two looks at the clock */
#define SHOWN_AROUND   24
#define MAX_STATEMENTS 1000 /* of one script */

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- what may be done ---- */

static bool is_pragma_allowed(const char *name)
{
    static const char *const allowed[] = {
        "table_info",       "table_xinfo",     "table_list",  "index_list",     "index_info",
        "index_xinfo",      "foreign_keys",    "optimize",    "user_version",   "foreign_key_check",
        "foreign_key_list", "integrity_check", "quick_check", "application_id", NULL};

    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (sqlite3_stricmp(name, allowed[i]) == 0)
            return true;
    }
    return false;
}

static int deny(struct database *db, const char *before, const char *what, const char *instead)
{
    snprintf(db->denied, sizeof(db->denied), "%s%.60s is not allowed%s", before, what, instead);
    return SQLITE_DENY;
}

static int on_action(void *ctx, int action, const char *first, const char *second,
                     const char *schema, const char *trigger)
{
    struct database *db = ctx;

    (void)schema;
    (void)trigger;
    if (db->is_ours)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_ATTACH: /* VACUUM is made of it */
        return deny(db, "", "ATTACH or VACUUM", ": a database is one file");
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return deny(db, "", first, "; use db:transaction(fn)");
    case SQLITE_PRAGMA:
        if (is_pragma_allowed(first))
            return SQLITE_OK;
        return deny(db, "PRAGMA ", first, "");
    case SQLITE_FUNCTION:
        if (second != NULL && sqlite3_stricmp(second, "load_extension") == 0)
            return deny(db, "", second, "");
        return SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

static int on_progress(void *ctx)
{
    const struct database *db = ctx;

    return __atomic_load_n(&db->job->is_canceled, __ATOMIC_RELAXED) || now_ms() > db->job_ends_at;
}

/* ---- trouble ---- */

/* "near line" is not what SQLite says, so what is around the place is shown. */
static void add_place(struct database *db, struct db_job *job, const char *sql)
{
    int at = sqlite3_error_offset(db->connection);
    size_t len = strlen(job->trouble), sql_len = sql == NULL ? 0 : strlen(sql), shown;

    if (at < 0 || (size_t)at > sql_len)
        return;
    shown = sql_len - (size_t)at < SHOWN_AROUND ? sql_len - (size_t)at : SHOWN_AROUND;
    while (shown != 0 && (sql[(size_t)at + shown] & 0xc0) == 0x80)
        shown--;
    snprintf(job->trouble + len, sizeof(job->trouble) - len, ", at octet %d of the SQL: \"%.*s\"",
             at + 1, (int)shown, sql + at);
}

static bool fail(struct database *db, struct db_job *job, const char *sql)
{
    const char *words =
        db->connection == NULL ? "not enough memory" : sqlite3_errmsg(db->connection);
    int code = db->connection == NULL ? SQLITE_NOMEM : sqlite3_errcode(db->connection);

    if (code == SQLITE_AUTH && db->denied[0] != '\0')
        words = db->denied;
    if (code == SQLITE_INTERRUPT && now_ms() > db->job_ends_at)
        words = "the statement took longer than 30 s";
    snprintf(job->trouble, sizeof(job->trouble), "%s", words);
    if (db->connection != NULL && code != SQLITE_INTERRUPT)
        add_place(db, job, sql);
    return false;
}

/* ---- the connection ---- */

static bool set_up(struct database *db)
{
    sqlite3 *connection = db->connection;

    sqlite3_extended_result_codes(connection, 0);
    sqlite3_busy_timeout(connection, DB_BUSY_MS);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, MAX_LENGTH);
    sqlite3_limit(connection, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL);
    sqlite3_limit(connection, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_progress_handler(connection, LOOK_EACH, on_progress, db);
    sqlite3_set_authorizer(connection, on_action, db);
    db->is_ours = true;
    return sqlite3_exec(connection,
                        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                        "PRAGMA foreign_keys = ON",
                        NULL, NULL, NULL) == SQLITE_OK;
}

static void shut(struct database *db)
{
    for (size_t i = 0; i < DB_CACHED; i++) {
        sqlite3_finalize(db->cached[i].stmt);
        mem_free(db->cached[i].sql);
    }
    memset(db->cached, 0, sizeof(db->cached));
    sqlite3_close_v2(db->connection);
    db->connection = NULL;
}

/* The data folder and those within it that the name has are made when they are missing. */
static void make_folders(const struct database *db)
{
    char *slash = db->path + strlen(db->path) - strlen(db->name) - 1;

    for (; slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(db->path, 0700); /* what goes wrong shows when the file is opened */
        *slash = '/';
    }
}

static bool open_connection(struct database *db, struct db_job *job)
{
    bool is_open;

    if (db->connection != NULL)
        return true;
    make_folders(db);
    is_open = sqlite3_open_v2(db->path, &db->connection,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              NULL) == SQLITE_OK &&
              set_up(db);
    db->is_ours = false;
    if (!is_open) {
        fail(db, job, NULL);
        shut(db);
    }
    return is_open;
}

/* ---- statements ---- */

/* A place for a statement: a free one, else the one that was not used for longest. */
static struct db_statement *place_for(struct database *db)
{
    struct db_statement *oldest = NULL;

    for (size_t i = 0; i < DB_CACHED; i++) {
        struct db_statement *statement = &db->cached[i];

        if (statement->stmt == NULL)
            return statement;
        if (!statement->is_used && (oldest == NULL || statement->used_at < oldest->used_at))
            oldest = statement;
    }
    if (oldest == NULL) { /* all are of cursors: one that is not kept */
        oldest = mem_zero(1, sizeof(*oldest));
        return oldest;
    }
    sqlite3_finalize(oldest->stmt);
    mem_free(oldest->sql);
    *oldest = (struct db_statement){0};
    return oldest;
}

static bool is_cached(const struct database *db, const struct db_statement *statement)
{
    return statement >= db->cached && statement < db->cached + DB_CACHED;
}

static void give_back(struct database *db, struct db_statement *statement)
{
    sqlite3_reset(statement->stmt);
    sqlite3_clear_bindings(statement->stmt);
    statement->is_used = false;
    if (is_cached(db, statement))
        return;
    sqlite3_finalize(statement->stmt);
    mem_free(statement->sql);
    mem_free(statement);
}

static bool is_blank(const char *sql)
{
    return sql[strspn(sql, " \t\r\n;")] == '\0';
}

/* The statement of a text; NULL with the job's trouble. */
static struct db_statement *take_statement(struct database *db, struct db_job *job)
{
    const char *sql = job->sql.data, *rest;
    struct db_statement *statement;
    sqlite3_stmt *stmt;

    for (size_t i = 0; i < DB_CACHED; i++) {
        statement = &db->cached[i];
        if (statement->stmt != NULL && !statement->is_used && strcmp(statement->sql, sql) == 0) {
            statement->used_at = ++db->uses;
            statement->is_used = true;
            return statement;
        }
    }
    if (sqlite3_prepare_v3(db->connection, sql, (int)job->sql.len + 1, SQLITE_PREPARE_PERSISTENT,
                           &stmt, &rest) != SQLITE_OK) {
        fail(db, job, sql);
        return NULL;
    }
    if (stmt == NULL || !is_blank(rest)) {
        snprintf(job->trouble, sizeof(job->trouble),
                 stmt == NULL ? "there is no statement in the SQL"
                              : "more than one statement; exec without values takes several");
        sqlite3_finalize(stmt);
        return NULL;
    }
    statement = place_for(db);
    statement->stmt = stmt;
    statement->sql = mem_copy(sql, job->sql.len);
    statement->used_at = ++db->uses;
    statement->is_used = true;
    return statement;
}

static int bind_value(sqlite3_stmt *stmt, int i, const struct db_value *value)
{
    switch (value->tag) {
    case DB_INTEGER:
        return sqlite3_bind_int64(stmt, i, value->integer);
    case DB_FLOAT:
        return sqlite3_bind_double(stmt, i, value->real);
    case DB_TEXT:
        return sqlite3_bind_text(stmt, i, value->text.data, (int)value->text.len, SQLITE_TRANSIENT);
    case DB_BLOB:
        return sqlite3_bind_blob(stmt, i, value->text.data, (int)value->text.len, SQLITE_TRANSIENT);
    case DB_NULL:
    case DB_NAME:
    case DB_ROW_END:
        break;
    }
    return sqlite3_bind_null(stmt, i);
}

static bool bind_values(struct database *db, struct db_job *job, sqlite3_stmt *stmt)
{
    int wanted = sqlite3_bind_parameter_count(stmt);
    struct slice from = writer_slice(&job->values);
    struct db_value value;

    if (wanted != (int)job->value_count) {
        snprintf(job->trouble, sizeof(job->trouble), "found %u values; the SQL wants %d",
                 job->value_count, wanted);
        return false;
    }
    for (int i = 1; db_take(&from, &value); i++) {
        if (bind_value(stmt, i, &value) != SQLITE_OK)
            return fail(db, job, NULL);
    }
    return true;
}

/* ---- rows ---- */

static void put_names(struct db_job *job, sqlite3_stmt *stmt)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++)
        db_put_text(&job->rows, DB_NAME, slice_of(sqlite3_column_name(stmt, i)));
    writer_put(&job->rows, DB_ROW_END);
}

static void put_column(struct writer *rows, sqlite3_stmt *stmt, int i)
{
    int64_t integer;
    double real;

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(stmt, i);
        db_put_number(rows, DB_INTEGER, &integer);
        break;
    case SQLITE_FLOAT:
        real = sqlite3_column_double(stmt, i);
        db_put_number(rows, DB_FLOAT, &real);
        break;
    case SQLITE_TEXT:
        db_put_text(
            rows, DB_TEXT,
            slice_make(sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i)));
        break;
    case SQLITE_BLOB:
        db_put_text(
            rows, DB_BLOB,
            slice_make(sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i)));
        break;
    default:
        writer_put(rows, DB_NULL);
        break;
    }
}

/* True when there may be more. */
static bool step_rows(struct database *db, struct db_job *job, sqlite3_stmt *stmt)
{
    put_names(job, stmt);
    while (job->row_count < job->max_rows && job->rows.len < job->max_bytes) {
        int code = sqlite3_step(stmt);

        if (code == SQLITE_DONE)
            return false;
        if (code != SQLITE_ROW)
            return fail(db, job, NULL);
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            put_column(&job->rows, stmt, i);
        writer_put(&job->rows, DB_ROW_END);
        job->row_count++;
    }
    return true;
}

/* ---- jobs ---- */

/* Of a statement that may return rows which nobody wants. */
static bool run_to_end(struct database *db, struct db_job *job, sqlite3_stmt *stmt, const char *sql)
{
    int code;

    do
        code = sqlite3_step(stmt);
    while (code == SQLITE_ROW);
    if (code == SQLITE_DONE)
        return true;
    return fail(db, job, sql);
}

/* Several statements, one after the other, without values. */
static bool run_script(struct database *db, struct db_job *job)
{
    const char *sql = job->sql.data;

    for (unsigned i = 0; !is_blank(sql); i++) {
        sqlite3_stmt *stmt;
        const char *rest;
        bool is_right;

        if (i == MAX_STATEMENTS) {
            snprintf(job->trouble, sizeof(job->trouble), "more than %d statements", MAX_STATEMENTS);
            return false;
        }
        if (sqlite3_prepare_v2(db->connection, sql, -1, &stmt, &rest) != SQLITE_OK)
            return fail(db, job, sql);
        is_right = stmt == NULL ||
                   (sqlite3_bind_parameter_count(stmt) == 0 ? run_to_end(db, job, stmt, NULL)
                                                            : bind_values(db, job, stmt));
        sqlite3_finalize(stmt);
        if (!is_right)
            return false;
        sql = rest;
    }
    return true;
}

/* Whether there is more than one statement: then nothing is kept. */
static bool is_script(const struct db_job *job)
{
    const char *point = job->value_count != 0 ? NULL : memchr(job->sql.data, ';', job->sql.len);

    return point != NULL && !is_blank(point);
}

static void run_exec(struct database *db, struct db_job *job)
{
    int64_t before = sqlite3_total_changes64(db->connection);
    struct db_statement *statement;

    if (is_script(job)) {
        run_script(db, job);
    } else {
        statement = take_statement(db, job);
        if (statement == NULL)
            return;
        if (bind_values(db, job, statement->stmt))
            run_to_end(db, job, statement->stmt, NULL);
        give_back(db, statement);
    }
    job->changes = sqlite3_total_changes64(db->connection) - before;
    job->last_id = sqlite3_last_insert_rowid(db->connection);
}

static void run_row(struct database *db, struct db_job *job)
{
    struct db_statement *statement = take_statement(db, job);

    if (statement == NULL)
        return;
    if (bind_values(db, job, statement->stmt))
        step_rows(db, job, statement->stmt);
    give_back(db, statement);
}

static void close_cursor(struct database *db, struct db_cursor *cursor)
{
    if (cursor->statement != NULL) {
        give_back(db, cursor->statement);
        db->cursors--;
    }
    cursor->statement = NULL;
    cursor->is_done = true;
}

static bool open_cursor(struct database *db, struct db_job *job)
{
    struct db_cursor *cursor = job->cursor;

    if (db->cursors >= MAX_CURSORS) {
        snprintf(job->trouble, sizeof(job->trouble),
                 "rows of %d statements are being read; allowed are %d at once", MAX_CURSORS,
                 MAX_CURSORS);
        return false;
    }
    cursor->statement = take_statement(db, job);
    if (cursor->statement == NULL)
        return false;
    db->cursors++;
    return bind_values(db, job, cursor->statement->stmt);
}

static void run_fetch(struct database *db, struct db_job *job)
{
    struct db_cursor *cursor = job->cursor;
    bool has_more;

    if (cursor->is_done)
        return;
    has_more = (cursor->statement != NULL || open_cursor(db, job)) &&
               step_rows(db, job, cursor->statement->stmt);
    if (has_more && job->must_end && job->trouble[0] == '\0')
        snprintf(job->trouble, sizeof(job->trouble),
                 "more than %d rows or %d MiB; take them one by one, or in batches", MAX_ALL_ROWS,
                 MAX_ALL_BYTES >> 20);
    if (!has_more || job->must_end)
        close_cursor(db, cursor);
}

static void run_own(struct database *db, struct db_job *job, const char *sql)
{
    db->is_ours = true;
    if (sqlite3_exec(db->connection, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(db, job, NULL);
    db->is_ours = false;
}

static void run_job(struct database *db, struct db_job *job)
{
    switch (job->kind) {
    case DB_EXEC:
        run_exec(db, job);
        break;
    case DB_ROW:
        run_row(db, job);
        break;
    case DB_FETCH:
        run_fetch(db, job);
        break;
    case DB_CLOSE:
        close_cursor(db, job->cursor);
        break;
    case DB_BEGIN:
        run_own(db, job, "BEGIN IMMEDIATE");
        break;
    case DB_COMMIT:
        run_own(db, job, "COMMIT");
        break;
    case DB_ROLLBACK:
        if (sqlite3_get_autocommit(db->connection) == 0)
            run_own(db, job, "ROLLBACK");
        break;
    case DB_QUIT:
        shut(db);
        break;
    }
}

/* False with the job's trouble, or when there is nothing to do. */
static bool can_run(struct database *db, struct db_job *job)
{
    if (job->kind >= DB_CLOSE && db->connection == NULL)
        return false; /* nothing is open */
    if (!open_connection(db, job))
        return false;
    if (!job->is_within || job->kind > DB_COMMIT || sqlite3_get_autocommit(db->connection) == 0)
        return true;
    snprintf(job->trouble, sizeof(job->trouble),
             "the transaction was rolled back by an earlier error");
    return false;
}

void database_run(struct database *db, struct db_job *job)
{
    db->job = job;
    db->job_ends_at = now_ms() + DB_JOB_MS;
    db->denied[0] = '\0';
    if (can_run(db, job))
        run_job(db, job);
    db->job = NULL;
}
