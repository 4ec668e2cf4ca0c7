/* kv_writer.c -- the thread that brings changes of stores to their file.
 *
 * It sleeps until something changes, waits a moment for more, takes what
 * changed from the shards (some at a time, so that nobody waits long for a lock),
 * and writes it in one transaction. What cannot be written is kept and tried
 * again each second; entries that change meanwhile are in the list of changes
 * once, however often they do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "state/kv_file.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define TAKEN_AT_ONCE 64 /* from one shard, with its lock held */
#define RETRY_MS      1000
#define STACK         ((size_t)512 * 1024)

/* ---- what changed ---- */

void kv_file_stir(struct kv_file *file)
{
    size_t before = atomic_fetch_add(&file->stirred, 1);

    if (before != 0 && before + 1 != KV_FLUSH_COUNT)
        return;
    pthread_mutex_lock(&file->lock);
    pthread_cond_signal(&file->wakes);
    pthread_mutex_unlock(&file->lock);
}

static struct deed *deed_new(struct kv_file *file, struct kv_store *store, struct slice key)
{
    struct deed *deed = &file->batch[file->count++];

    *deed = (struct deed){
        .store = store, .key = mem_copy(key.data, key.len), .key_len = (uint32_t)key.len};
    return deed;
}

/* Graves first: a key may have come back since. */
static size_t take_some(struct kv_file *file, struct kv_shard *shard)
{
    size_t room = BATCH - file->count, most = room < TAKEN_AT_ONCE ? room : TAKEN_AT_ONCE;
    size_t taken = 0;
    struct list *link;

    pthread_mutex_lock(&shard->lock);
    for (; taken < most && (link = list_first(&shard->graves)) != NULL; taken++) {
        struct kv_grave *grave = container_of(link, struct kv_grave, link);

        deed_new(file, shard->store, slice_make(grave->key, grave->key_len));
        list_remove(link);
        mem_free(grave);
    }
    for (; taken < most && (link = list_first(&shard->dirty)) != NULL; taken++) {
        struct kv_entry *entry = container_of(link, struct kv_entry, dirty);
        struct deed *deed = deed_new(file, shard->store, kv_entry_key(entry));

        deed->value = blob_hold(entry->value);
        deed->wall_expiry = entry->wall_expiry;
        entry->is_written = true;
        list_remove(link);
    }
    pthread_mutex_unlock(&shard->lock);
    return taken;
}

/* Fills the batch as far as there is something. */
static void collect(struct kv_file *file)
{
    struct kv_space *space = file->space;
    struct list *link;

    pthread_mutex_lock(&space->lock);
    link = space->stores.next;
    pthread_mutex_unlock(&space->lock);
    while (link != &space->stores && file->count < BATCH) {
        struct kv_store *store = container_of(link, struct kv_store, link);

        for (unsigned i = 0; i < store->shard_count && store->persists; i++) {
            while (take_some(file, &store->shards[i]) != 0)
                ;
        }
        pthread_mutex_lock(&space->lock);
        link = link->next;
        pthread_mutex_unlock(&space->lock);
    }
}

/* ---- writing ---- */

static int write_deed(struct kv_file *file, const struct deed *deed)
{
    sqlite3_stmt *statement = deed->value == NULL ? file->drop : file->put;
    int rc;

    sqlite3_bind_text(statement, 1, deed->store->name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, deed->key, (int)deed->key_len, SQLITE_STATIC);
    if (deed->value != NULL) {
        sqlite3_bind_blob(statement, 3, deed->value->data, (int)deed->value->len, SQLITE_STATIC);
        if (deed->wall_expiry == 0)
            sqlite3_bind_null(statement, 4);
        else
            sqlite3_bind_int64(statement, 4, (sqlite3_int64)deed->wall_expiry);
    }
    rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_batch(struct kv_file *file, struct kv_error *error)
{
    int rc, err = 0;

    pthread_mutex_lock(&file->db_lock);
    rc = kv_file_run(file, "BEGIN");
    for (size_t i = 0; rc == SQLITE_OK && i < file->count; i++)
        rc = write_deed(file, &file->batch[i]);
    if (rc == SQLITE_OK)
        rc = kv_file_run(file, "COMMIT");
    if (rc != SQLITE_OK) {
        err = kv_file_fail(file, error, "write");
        if (sqlite3_get_autocommit(file->db) == 0)
            (void)kv_file_run(file, "ROLLBACK");
    }
    pthread_mutex_unlock(&file->db_lock);
    return err;
}

static void forget_batch(struct kv_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        mem_free(file->batch[i].key);
        blob_drop(file->batch[i].value);
    }
    file->count = 0;
}

/* Writes all that there is. */
static int write_all(struct kv_file *file, struct kv_error *error)
{
    for (;;) {
        int err;

        collect(file);
        if (file->count == 0)
            return 0;
        err = write_batch(file, error);
        if (err != 0)
            return err;
        forget_batch(file);
    }
}

/* ---- the thread ---- */

static void rest(struct kv_file *file, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!file->is_closing && file->wanted == file->done &&
           atomic_load(&file->stirred) < KV_FLUSH_COUNT &&
           pthread_cond_timedwait(&file->wakes, &file->lock, &until) != ETIMEDOUT)
        ;
}

/* After a failure only time, a flush or the end are reasons to try again. */
static void rest_after_failure(struct kv_file *file)
{
    atomic_store(&file->stirred, 0);
    rest(file, RETRY_MS);
}

static void await_work(struct kv_file *file, bool has_failed)
{
    if (has_failed) {
        rest_after_failure(file);
        return;
    }
    while (!file->is_closing && file->wanted == file->done && atomic_load(&file->stirred) == 0)
        pthread_cond_wait(&file->wakes, &file->lock);
    rest(file, KV_FLUSH_MS);
}

static void tell(struct kv_file *file, const struct kv_error *error, bool had_failed)
{
    if (error->words[0] != '\0' && !had_failed)
        log_line(LOG_ERROR, "store-not-written", error->words, "realm", file->space->realm, NULL);
    else if (error->words[0] == '\0' && had_failed)
        log_line(LOG_INFO, "store-written", "what could not be written is written", "file",
                 file->path, NULL);
}

static void *work(void *ctx)
{
    struct kv_file *file = ctx;
    bool has_failed = false, is_last;

    pthread_mutex_lock(&file->lock);
    do {
        struct kv_error error = {0};
        uint64_t wanted;

        await_work(file, has_failed);
        wanted = file->wanted;
        is_last = file->is_closing;
        atomic_store(&file->stirred, 0);
        pthread_mutex_unlock(&file->lock);
        (void)write_all(file, &error);
        tell(file, &error, has_failed);
        has_failed = error.words[0] != '\0';
        pthread_mutex_lock(&file->lock);
        file->error = error;
        file->done = wanted;
        pthread_cond_broadcast(&file->rests);
    } while (!is_last);
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

int kv_writer_start(struct kv_file *file)
{
    sigset_t all, before;
    pthread_attr_t small;
    int err;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK); /* there may be thousands of realms */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&file->thread, &small, work, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&small);
    return err;
}

int kv_file_flush(struct kv_file *file, struct kv_error *error)
{
    uint64_t wanted;
    int err;

    pthread_mutex_lock(&file->lock);
    wanted = ++file->wanted;
    pthread_cond_signal(&file->wakes);
    while (file->done < wanted)
        pthread_cond_wait(&file->rests, &file->lock);
    *error = file->error;
    err = error->words[0] == '\0' ? 0 : ERR_IO;
    pthread_mutex_unlock(&file->lock);
    return err;
}

int kv_file_close(struct kv_file *file, struct kv_error *error)
{
    int err;

    pthread_mutex_lock(&file->lock);
    file->is_closing = true;
    pthread_cond_signal(&file->wakes);
    pthread_mutex_unlock(&file->lock);
    pthread_join(file->thread, NULL);
    *error = file->error;
    err = error->words[0] == '\0' ? 0 : ERR_IO;
    forget_batch(file);
    kv_file_free(file);
    return err;
}
