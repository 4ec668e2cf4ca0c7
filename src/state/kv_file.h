/* kv_file.h -- the file of a space and its thread: what their two files share.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_KV_FILE_H
#define NEXUS_STATE_KV_FILE_H

#include "state/kv_priv.h"

#include <sqlite3.h>

#define BATCH KV_FLUSH_COUNT

/* One thing to write. */
struct deed {
    struct kv_store *store;
    char *key; /* owned */
    uint32_t key_len;
    struct blob *value; /* held; NULL: the key goes */
    uint64_t wall_expiry;
};

struct kv_file {
    struct kv_space *space;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *put, *drop;
    pthread_mutex_t db_lock; /* for the three above; taken by who holds no other but the space's */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wakes, rests;
    pthread_t thread;
    bool is_closing;
    uint64_t wanted, done; /* flushes asked for, and answered */
    struct kv_error error; /* of the last try; "": it went well */

    atomic_size_t stirred; /* changes since the thread last looked */

    struct deed batch[BATCH]; /* the thread's */
    size_t count;
};

/* Runs statements; returns a code of SQLite. */
int kv_file_run(struct kv_file *file, const char *sql);

/* What SQLite says it failed at: ERR_IO, with words. */
int kv_file_fail(struct kv_file *file, struct kv_error *error, const char *doing);

/* Starts the thread; returns 0 or an errno. */
int kv_writer_start(struct kv_file *file);

/* After the thread has ended. */
void kv_file_free(struct kv_file *file);

#endif
