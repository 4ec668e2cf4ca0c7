/* kv_file.c -- the file of a space, and the thread that writes to it.
 *
 * The thread sleeps until something changes, waits a moment for more, takes what
 * changed from the shards (some at a time, so that nobody waits long for a lock),
 * and writes it in one transaction. What cannot be written is kept and tried
 * again each second; entries that change meanwhile are in the list of changes
 * once, however often they do.
 *
 * SQLite keeps a log of its own beside the file, so a transaction is there or not
 * there after a kill. The file is locked as long as it is open: two routers on
 * one file would each lose what the other writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "state/kv_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APPLICATION_ID 0x6e786b76 /* "nxkv" */
#define LAYOUT         1
#define BATCH          KV_FLUSH_COUNT
#define TAKEN_AT_ONCE  64 /* from one shard, with its lock held */
#define RETRY_MS       1000
#define BUSY_MS        1000
#define MAX_FILE_NAME  200

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

static int fail_db(struct kv_file *file, struct kv_error *error, const char *doing)
{
    return kv_fail(error, ERR_IO, "%s: cannot %s: %s", file->path, doing, sqlite3_errmsg(file->db));
}

/* ---- where it is ---- */

/* Letters, digits, "-", "_" and "." stay, but no "." at the beginning; a name that is too long ends
 * in a hash of it. "@router" cannot come of a realm. */
static void file_name(const struct kv_space *space, char out[MAX_FILE_NAME + 8])
{
    static const char digits[] = "0123456789ABCDEF";
    const char *realm = space->realm;
    size_t at = 0;

    if (realm == NULL) {
        memcpy(out, "@router", sizeof "@router");
        return;
    }
    for (size_t i = 0; realm[i] != '\0'; i++) {
        unsigned char c = (unsigned char)realm[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i != 0);

        if (at + 3 > MAX_FILE_NAME - 18) { /* FNV-1a: names differ, nobody is kept out by it */
            uint64_t hash = UINT64_C(0xcbf29ce484222325);

            for (const char *p = realm; *p != '\0'; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
            snprintf(out + at, 20, "@%016llx", (unsigned long long)hash);
            return;
        }
        if (is_plain) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    out[at] = '\0';
}

static char *path_of(const struct kv_space *space)
{
    char name[MAX_FILE_NAME + 8];
    size_t len;
    char *path;

    file_name(space, name);
    len = strlen(space->folder) + strlen(name) + sizeof "/.kv";
    path = mem_alloc(len);
    snprintf(path, len, "%s/%s.kv", space->folder, name);
    return path;
}

/* Values may be secrets: nobody else may read them. */
static int make_file(const struct kv_file *file, struct kv_error *error)
{
    const char *folder = file->space->folder;
    int fd;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return kv_fail(error, ERR_IO, "%s: cannot make the folder: %s", folder, strerror(errno));
    fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return kv_fail(error, ERR_IO, "%s: cannot open: %s", file->path, strerror(errno));
    close(fd);
    return 0;
}

/* ---- opening ---- */

static int run(struct kv_file *file, const char *sql)
{
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL);
}

static int number_of(struct kv_file *file, const char *sql, sqlite3_int64 *number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        *number = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return rc;
}

static int check_kind(struct kv_file *file, struct kv_error *error)
{
    sqlite3_int64 id = 0, layout = 0, tables = 0;

    if (number_of(file, "PRAGMA application_id", &id) != SQLITE_OK ||
        number_of(file, "PRAGMA user_version", &layout) != SQLITE_OK ||
        number_of(file, "SELECT count(*) FROM sqlite_schema", &tables) != SQLITE_OK)
        return fail_db(file, error, "read");
    if (id == 0 && layout == 0 && tables == 0)
        return 0;
    if (id != APPLICATION_ID)
        return kv_fail(error, ERR_IO, "%s: this is no file of stores", file->path);
    if (layout != LAYOUT)
        return kv_fail(error, ERR_IO, "%s: written by another version of nexus (layout %d, not %d)",
                       file->path, (int)layout, LAYOUT);
    return 0;
}

static int check_pages(struct kv_file *file, struct kv_error *error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(file->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    const char *words = NULL;
    int err = 0;

    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        words = (const char *)sqlite3_column_text(statement, 0);
    if (words == NULL)
        err = fail_db(file, error, "check it");
    else if (strcmp(words, "ok") != 0)
        err = kv_fail(error, ERR_IO, "%s: the file is damaged: %.120s", file->path, words);
    sqlite3_finalize(statement);
    return err;
}

static int set_up(struct kv_file *file, struct kv_error *error)
{
    static const char table[] = "CREATE TABLE IF NOT EXISTS kv (store TEXT NOT NULL, key BLOB NOT "
                                "NULL, value BLOB NOT NULL, expires INTEGER, "
                                "PRIMARY KEY (store, key)) WITHOUT ROWID;"
                                "PRAGMA application_id = 1853385590; PRAGMA user_version = 1;"
                                "COMMIT";
    static const char put[] = "INSERT INTO kv VALUES (?1, ?2, ?3, ?4) ON CONFLICT (store, key) "
                              "DO UPDATE SET value = ?3, expires = ?4";
    static const char drop[] = "DELETE FROM kv WHERE store = ?1 AND key = ?2";
    int err;

    _Static_assert(APPLICATION_ID == 1853385590 && LAYOUT == 1, "the words above");
    sqlite3_busy_timeout(file->db, BUSY_MS);
    if (run(file, "PRAGMA locking_mode = EXCLUSIVE") != SQLITE_OK)
        return fail_db(file, error, "open");
    err = check_kind(file, error); /* before anything of it is changed */
    if (err == 0)
        err = check_pages(file, error);
    if (err != 0)
        return err;
    if (run(file, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE") !=
            SQLITE_OK ||
        run(file, table) != SQLITE_OK ||
        sqlite3_prepare_v2(file->db, put, -1, &file->put, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(file->db, drop, -1, &file->drop, NULL) != SQLITE_OK)
        return fail_db(file, error, "open");
    return 0;
}

static void file_free(struct kv_file *file)
{
    sqlite3_finalize(file->put);
    sqlite3_finalize(file->drop);
    sqlite3_close(file->db);
    pthread_mutex_destroy(&file->db_lock);
    pthread_mutex_destroy(&file->lock);
    pthread_cond_destroy(&file->wakes);
    pthread_cond_destroy(&file->rests);
    mem_free(file->path);
    mem_free(file);
}

static void *work(void *ctx);

static int start_thread(struct kv_file *file)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&file->thread, NULL, work, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

struct kv_file *kv_file_open(struct kv_space *space, struct kv_error *error)
{
    struct kv_file *file = mem_zero(1, sizeof(*file));
    pthread_condattr_t by_monotonic;
    int err;

    file->space = space;
    file->path = path_of(space);
    pthread_mutex_init(&file->db_lock, NULL);
    pthread_mutex_init(&file->lock, NULL);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&file->wakes, &by_monotonic);
    pthread_cond_init(&file->rests, NULL);
    pthread_condattr_destroy(&by_monotonic);
    err = make_file(file, error);
    if (err == 0 && sqlite3_open_v2(file->path, &file->db,
                                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        err = fail_db(file, error, "open");
    if (err == 0)
        err = set_up(file, error);
    if (err == 0 && start_thread(file) != 0)
        err = kv_fail(error, ERR_IO, "%s: cannot start the thread that writes it", file->path);
    if (err == 0)
        return file;
    file_free(file);
    return NULL;
}

/* ---- reading a store ---- */

/* The file has it already. */
static void mark_written(struct kv_store *store, struct slice key, uint64_t now)
{
    struct kv_shard *shard;
    struct kv_entry *entry;
    uint64_t hash = kv_hash(store->space, key);

    shard = kv_shard_of(store, hash);
    pthread_mutex_lock(&shard->lock);
    entry = kv_shard_find(shard, key, hash, now);
    if (entry != NULL)
        entry->is_written = true;
    pthread_mutex_unlock(&shard->lock);
}

static int take_row(struct kv_store *store, sqlite3_stmt *row, struct kv_time time,
                    struct kv_error *error)
{
    struct kv_change change = {.key = {.len = (size_t)sqlite3_column_bytes(row, 0)}};
    uint64_t expires = (uint64_t)sqlite3_column_int64(row, 2);
    int err;

    change.key.data = sqlite3_column_blob(row, 0);
    change.value =
        blob_copy(slice_make(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)));
    change.ttl_ms = expires > time.wall ? expires - time.wall : 0;
    err = kv_change(store, &change, time, error);
    blob_drop(change.value);
    if (err == 0)
        mark_written(store, change.key, time.now);
    return err;
}

static int read_rows(struct kv_file *file, struct kv_store *store, sqlite3_stmt *statement,
                     struct kv_time time, struct kv_error *error)
{
    int rc, err = 0;

    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && err == 0)
        err = take_row(store, statement, time, error);
    if (err == 0 && rc != SQLITE_DONE)
        err = fail_db(file, error, "read");
    return err;
}

/* What has expired is not read, and goes. */
static int drop_expired(struct kv_file *file, struct kv_store *store, struct kv_time time,
                        struct kv_error *error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(file->db, "DELETE FROM kv WHERE store = ?1 AND expires <= ?2", -1,
                                &statement, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, store->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)time.wall);
        rc = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? 0 : fail_db(file, error, "read");
}

int kv_file_read(struct kv_file *file, struct kv_store *store, struct kv_time time,
                 struct kv_error *error)
{
    sqlite3_stmt *statement = NULL;
    int err;

    pthread_mutex_lock(&file->db_lock);
    store->persists = false; /* what is read is not to be written */
    err = drop_expired(file, store, time, error);
    if (err == 0 &&
        sqlite3_prepare_v2(file->db, "SELECT key, value, expires FROM kv WHERE store = ?1", -1,
                           &statement, NULL) != SQLITE_OK)
        err = fail_db(file, error, "read");
    if (err == 0) {
        sqlite3_bind_text(statement, 1, store->name, -1, SQLITE_STATIC);
        err = read_rows(file, store, statement, time, error);
    }
    sqlite3_finalize(statement);
    store->persists = true;
    pthread_mutex_unlock(&file->db_lock);
    return err;
}

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
    rc = run(file, "BEGIN");
    for (size_t i = 0; rc == SQLITE_OK && i < file->count; i++)
        rc = write_deed(file, &file->batch[i]);
    if (rc == SQLITE_OK)
        rc = run(file, "COMMIT");
    if (rc != SQLITE_OK) {
        err = fail_db(file, error, "write");
        if (sqlite3_get_autocommit(file->db) == 0)
            (void)run(file, "ROLLBACK");
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
    file_free(file);
    return err;
}
