/* database.h -- one file of SQLite: a connection, and a queue of what it is to do.
 *
 * One job is done at a time, on a thread of the pool. A transaction belongs to one run of Lua;
 * while it lasts only jobs of that run are done. No Lua here.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_DATABASE_H
#define NEXUS_MODULE_DATABASE_H

#include "base/list.h"
#include "base/writer.h"
#include "module/host.h"
#include "script/wait.h"

#include <uv.h>

#define MAX_DATABASES   16 /* open at once, of one host */
#define MAX_DB_JOBS     256
#define MAX_DB_WAITING  67108864 /* octets of SQL and values that wait for one database */
#define MAX_DB_VALUES   16777216 /* of one statement */
#define MAX_CURSORS     64
#define MAX_FETCH_BYTES 262144   /* rows fetched ahead for an iterator */
#define MAX_BATCH_BYTES 4194304  /* of one batch */
#define MAX_ALL_BYTES   16777216 /* of all rows at once */
#define MAX_ALL_ROWS    100000
#define DB_BUSY_MS      2000  /* how long a lock of another program is waited for */
#define DB_JOB_MS       30000 /* how long one job may take */
#define DB_HOLD_MS      30000 /* how long a transaction may keep others waiting */

#define DATABASE_NO_FOLDER "the configuration has no data_folder, where databases are"

struct database;
struct db_statement;

/* From DB_CLOSE on nobody waits for them, and they are done in any case. */
enum db_job_kind { DB_EXEC, DB_ROW, DB_FETCH, DB_BEGIN, DB_COMMIT, DB_CLOSE, DB_ROLLBACK, DB_QUIT };

/* Rows that are being read. Counted on the thread of the loop; the rest is the running job's. */
struct db_cursor {
    unsigned refs;
    struct db_statement *statement; /* NULL: not begun, or at its end */
    bool is_done;
};

/* Values are written by db_put_*: of parameters, and of rows after the names of their columns. */
enum db_tag { DB_NULL, DB_INTEGER, DB_FLOAT, DB_TEXT, DB_BLOB, DB_NAME, DB_ROW_END };

struct db_job {
    struct wait wait;
    struct list link;
    struct database *db; /* held */
    enum db_job_kind kind;
    uint64_t owner; /* the run that wants it */
    uint64_t at;    /* when, by the clock of the host */
    bool is_left, is_finished;
    bool is_taken;    /* DB_BEGIN: somebody will end the transaction */
    bool is_within;   /* of a transaction of its owner */
    bool is_eviction; /* of a transaction that took too long */
    bool is_canceled; /* atomic: the thread looks at it */

    struct slice sql; /* owned, with NUL; data NULL: of the cursor */
    struct writer values;
    unsigned value_count;
    size_t waiting;           /* counted in the database; 0: not */
    struct db_cursor *cursor; /* held */
    size_t max_rows, max_bytes;
    bool must_end; /* more rows than these are an error */

    struct writer rows;
    size_t row_count;
    int64_t changes, last_id;
    char trouble[640]; /* not empty: what went wrong */
};

/* The database of that name; held. NULL with words when there are too many, or no folder. */
struct database *database_hold(struct host *host, const char *name, char *words, size_t len);
void database_hold_more(struct database *db);
void database_drop(struct database *db);

/* A job that is owned by the caller until it is queued. */
struct db_job *db_job_new(struct database *db, enum db_job_kind kind, uint64_t owner);

void db_cursor_drop(struct db_cursor *cursor);

/* Queues it. False with trouble filled in: there are too many; then it is still the caller's. The
 * wait is done when it is; then or earlier db_job_leave must be called, once. */
bool db_job_start(struct db_job *job);
void db_job_leave(struct db_job *job);

/* Whether the run has the transaction. */
bool database_is_held_by(const struct database *db, uint64_t owner);

void db_put_number(struct writer *w, enum db_tag tag, const void *eight);
void db_put_text(struct writer *w, enum db_tag tag, struct slice text);

/* Reads one value or tag; false at the end. */
struct db_value {
    enum db_tag tag;
    union {
        int64_t integer;
        double real;
    };
    struct slice text;
};
bool db_take(struct slice *from, struct db_value *value);

/* For host_stop: from now on only what closes is done, on the thread of the caller. */
void database_stop_all(struct host *host);

/* For host_fini. */
void database_leave_all(struct host *host);

#endif
