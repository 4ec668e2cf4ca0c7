/* database.c -- the queue of a database, on the thread of the loop. What runs is database_run.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/database.h"

#include "base/mem.h"
#include "module/database_priv.h"

#include <stdio.h>

/* ---- values ---- */

void db_put_number(struct writer *w, enum db_tag tag, const void *eight)
{
    writer_put(w, (char)tag);
    writer_write(w, eight, 8);
}

void db_put_text(struct writer *w, enum db_tag tag, struct slice text)
{
    uint32_t len = (uint32_t)text.len;

    writer_put(w, (char)tag);
    writer_write(w, &len, sizeof(len));
    writer_write(w, text.data, text.len);
}

bool db_take(struct slice *from, struct db_value *value)
{
    size_t used = 1;
    uint32_t len;

    if (from->len == 0)
        return false;
    value->tag = (enum db_tag) * from->data;
    if (value->tag == DB_INTEGER || value->tag == DB_FLOAT) {
        memcpy(&value->integer, from->data + 1, 8);
        used += 8;
    } else if (value->tag == DB_TEXT || value->tag == DB_BLOB || value->tag == DB_NAME) {
        memcpy(&len, from->data + 1, sizeof(len));
        value->text = slice_make(from->data + 1 + sizeof(len), len);
        used += sizeof(len) + len;
    }
    *from = slice_make(from->data + used, from->len - used);
    return true;
}

/* ---- databases ---- */

struct database *database_hold(struct host *host, const char *name, char *words, size_t len)
{
    struct database *db;
    unsigned count = 0;

    for (db = host->databases; db != NULL; db = db->next, count++) {
        if (strcmp(db->name, name) == 0) {
            db->refs++;
            return db;
        }
    }
    if (host->config->data_folder == NULL) {
        snprintf(words, len, DATABASE_NO_FOLDER);
        return NULL;
    }
    if (count == MAX_DATABASES) {
        snprintf(words, len, "more than %d databases are open", MAX_DATABASES);
        return NULL;
    }
    db = mem_zero(1, sizeof(*db));
    db->name = mem_copy(name, strlen(name));
    db->path = mem_alloc(strlen(host->config->data_folder) + strlen(name) + 2);
    sprintf(db->path, "%s/%s", host->config->data_folder, name);
    db->loop = host->loop;
    db->refs = 2; /* the host's and the caller's */
    list_init(&db->queue);
    db->next = host->databases;
    host->databases = db;
    return db;
}

void database_hold_more(struct database *db)
{
    db->refs++;
}

static void database_free(struct database *db)
{
    mem_free(db->name);
    mem_free(db->path);
    mem_free(db);
}

/* The last job of all closes the connection, which may take a while. */
void database_drop(struct database *db)
{
    struct db_job *job;

    if (--db->refs != 0)
        return;
    if (db->connection == NULL) {
        database_free(db);
        return;
    }
    job = db_job_new(db, DB_QUIT, 0);
    job->is_left = true;
    (void)db_job_start(job);
}

void database_leave_all(struct host *host)
{
    while (host->databases != NULL) {
        struct database *db = host->databases;

        host->databases = db->next;
        database_drop(db);
    }
}

bool database_is_held_by(const struct database *db, uint64_t owner)
{
    return db->holder != 0 && db->holder == owner;
}

/* ---- jobs ---- */

struct db_job *db_job_new(struct database *db, enum db_job_kind kind, uint64_t owner)
{
    struct db_job *job = mem_zero(1, sizeof(*job));

    job->db = db;
    job->kind = kind;
    job->owner = owner;
    db->refs++;
    list_init(&job->link);
    writer_init(&job->values, 0);
    writer_init(&job->rows, 0);
    return job;
}

void db_cursor_drop(struct db_cursor *cursor)
{
    if (cursor != NULL && --cursor->refs == 0)
        mem_free(cursor);
}

static void job_free(struct db_job *job)
{
    struct database *db = job->db;
    bool is_last = job->kind == DB_QUIT;

    db->waiting -= job->waiting;
    writer_fini(&job->values);
    writer_fini(&job->rows);
    mem_free((void *)(uintptr_t)job->sql.data);
    db_cursor_drop(job->cursor);
    mem_free(job);
    if (is_last)
        database_free(db);
    else
        database_drop(db);
}

static void on_thread(uv_work_t *request)
{
    struct database *db = container_of(request, struct database, request);

    database_run(db, db->running);
}

static void go_on(struct database *db);

/* Nobody waits for this. */
static void roll_back(struct database *db, bool is_eviction)
{
    struct db_job *job = db_job_new(db, DB_ROLLBACK, db->holder);

    job->is_left = true;
    job->is_eviction = is_eviction;
    list_prepend(&db->queue, &job->link);
    db->queued++;
}

/* Who has the database from now on. */
static void pass_on(struct database *db, const struct db_job *job)
{
    bool is_right = job->trouble[0] == '\0';

    if (job->kind == DB_BEGIN && is_right) {
        db->holder = job->owner;
        db->held_since = job->at;
        if (job->is_left)
            roll_back(db, false);
    } else if (job->kind == DB_ROLLBACK || (job->kind == DB_COMMIT && is_right)) {
        db->holder = 0;
    }
    if (job->is_eviction)
        db->evicted[db->evictions++ % ARRAY_LEN(db->evicted)] = job->owner;
}

static void finish(struct db_job *job)
{
    job->is_finished = true;
    if (job->is_left)
        job_free(job);
    else
        wait_done(&job->wait);
}

/* The running job is done. False: that was the last, and all is gone. */
static bool end_running(struct database *db)
{
    struct db_job *job = db->running;
    bool is_last = job->kind == DB_QUIT;

    db->running = NULL;
    if (!is_last)
        pass_on(db, job);
    finish(job);
    return !is_last;
}

static void on_done(uv_work_t *request, int status)
{
    struct database *db = container_of(request, struct database, request);

    (void)status;
    if (db->running->kind == DB_QUIT) {
        (void)end_running(db);
        return;
    }
    db->refs++; /* until we have gone on */
    (void)end_running(db);
    go_on(db);
    database_drop(db);
}

/* The first job that may be done now, or NULL. */
static struct db_job *next_job(const struct database *db)
{
    for (struct list *node = db->queue.next; node != &db->queue; node = node->next) {
        struct db_job *job = container_of(node, struct db_job, link);

        if (db->holder == 0 || job->owner == db->holder || job->kind == DB_CLOSE)
            return job;
    }
    return NULL;
}

/* Takes the next job. NULL: there is none, or one runs. */
static struct db_job *take_job(struct database *db)
{
    struct db_job *job = db->running == NULL ? next_job(db) : NULL;

    if (job == NULL)
        return NULL;
    list_remove(&job->link);
    db->queued--;
    db->running = job;
    job->is_within = database_is_held_by(db, job->owner);
    return job;
}

/* On this thread, as there are no others any more. */
static void go_on_here(struct database *db)
{
    struct db_job *job;

    db->refs++;
    while ((job = take_job(db)) != NULL) {
        database_run(db, job);
        if (!end_running(db))
            return;
    }
    database_drop(db);
}

static void go_on(struct database *db)
{
    if (db->is_stopped)
        go_on_here(db);
    else if (take_job(db) != NULL)
        (void)uv_queue_work(db->loop, &db->request, on_thread, on_done);
}

void database_stop_all(struct host *host)
{
    for (struct database *db = host->databases; db != NULL; db = db->next) {
        db->is_stopped = true;
        go_on(db);
    }
}

/* A run that began a transaction and does not end it would keep all others out. */
static void end_late_transaction(struct database *db, const struct db_job *job)
{
    if (db->holder != 0 && db->running == NULL && job->owner != db->holder &&
        job->at >= db->held_since + DB_HOLD_MS)
        roll_back(db, true);
}

static bool is_evicted(const struct database *db, uint64_t owner)
{
    for (size_t i = 0; owner != 0 && i < ARRAY_LEN(db->evicted); i++) {
        if (db->evicted[i] == owner)
            return true;
    }
    return false;
}

bool db_job_start(struct db_job *job)
{
    struct database *db = job->db;
    bool has_waiter = job->kind < DB_CLOSE;

    if (has_waiter && db->is_stopped) {
        snprintf(job->trouble, sizeof(job->trouble), "the router stops");
        return false;
    }
    if (has_waiter && is_evicted(db, job->owner)) {
        snprintf(job->trouble, sizeof(job->trouble),
                 "the transaction was rolled back, as it kept others waiting for %d s",
                 DB_HOLD_MS / 1000);
        return false;
    }
    if (has_waiter && db->queued >= MAX_DB_JOBS) {
        snprintf(job->trouble, sizeof(job->trouble), "%u wait for it already; allowed are %d",
                 db->queued, MAX_DB_JOBS);
        return false;
    }
    if (has_waiter && db->waiting + job->sql.len + job->values.len > MAX_DB_WAITING) {
        snprintf(job->trouble, sizeof(job->trouble),
                 "%zu octets wait for it already; allowed are %d", db->waiting, MAX_DB_WAITING);
        return false;
    }
    job->waiting = job->sql.len + job->values.len;
    db->waiting += job->waiting;
    if (has_waiter)
        end_late_transaction(db, job);
    if (job->kind == DB_ROLLBACK)
        list_prepend(&db->queue, &job->link);
    else
        list_append(&db->queue, &job->link);
    db->queued++;
    go_on(db);
    return true;
}

void db_job_leave(struct db_job *job)
{
    struct database *db = job->db;

    job->is_left = true;
    if (job->kind == DB_BEGIN && job->is_finished && !job->is_taken && job->trouble[0] == '\0') {
        roll_back(db, false);
        go_on(db);
    }
    if (job->is_finished || (!list_is_linked(&job->link) && db->running != job)) {
        job_free(job); /* it is over, or was never begun */
    } else if (job->kind < DB_CLOSE && db->running != job) {
        list_remove(&job->link);
        db->queued--;
        job_free(job);
    } else if (job->kind < DB_CLOSE) {
        __atomic_store_n(&job->is_canceled, true, __ATOMIC_RELAXED);
    }
}
