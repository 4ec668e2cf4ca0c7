/* database_priv.h -- what the two threads of a database share: one has it while a job runs.
 *
 * Private to database.c and database_run.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_DATABASE_PRIV_H
#define NEXUS_MODULE_DATABASE_PRIV_H

#include "module/database.h"

#define DB_CACHED 32 /* statements that are kept */

struct sqlite3;
struct sqlite3_stmt;

struct db_statement {
    struct sqlite3_stmt *stmt; /* owned; NULL: the place is free */
    char *sql;                 /* owned; NULL: it is not kept when its cursor is closed */
    uint64_t used_at;
    bool is_used; /* by a cursor */
};

struct database {
    struct database *next; /* of the host */
    char *name, *path;     /* owned */
    uv_loop_t *loop;
    unsigned refs;

    /* Of the loop's thread. */
    struct list queue;
    unsigned queued;
    size_t waiting; /* octets of all jobs that are not over */
    struct db_job *running;
    uv_work_t request;
    uint64_t holder; /* the run that has a transaction; 0: none */
    uint64_t held_since;
    uint64_t evicted[8]; /* runs that lost theirs */
    unsigned evictions;
    bool is_stopped; /* the loop is about to end, or has: no more threads */

    /* Of the thread that runs a job. */
    struct sqlite3 *connection; /* owned; NULL: not open yet */
    struct db_statement cached[DB_CACHED];
    uint64_t uses;
    unsigned cursors;
    bool is_ours;     /* BEGIN and the like are the router's own */
    char denied[160]; /* what the author of a statement may not do */
    uint64_t job_ends_at;
    const struct db_job *job;
};

/* Does a job; on any thread, one job of a database at a time. */
void database_run(struct database *db, struct db_job *job);

#endif
