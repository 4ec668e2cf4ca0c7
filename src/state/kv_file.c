/* kv_file.c -- the file of a space: opened, checked, and read. Who writes it is kv_writer.c.
 *
 * SQLite keeps a log of its own beside the file, so a transaction is there or not
 * there after a kill. The file is locked as long as it is open: two routers on
 * one file would each lose what the other writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/kv_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x6e786b76 /* "nxkv" */
#define LAYOUT         1
#define BUSY_MS        1000
#define MAX_FILE_NAME  200

int kv_file_fail(struct kv_file *file, struct kv_error *error, const char *doing)
{
    return kv_fail(error, ERR_IO, "%s: cannot %s: %s", file->path, doing, sqlite3_errmsg(file->db));
}

/* ---- where it is ---- */

/* Letters, digits, "-", "_" and "." stay, but no "." at the beginning. "@router" cannot come of a
 * realm. False: it is too long, and cutting it would make one file of two realms. */
static bool file_name(const struct kv_space *space, char out[MAX_FILE_NAME])
{
    static const char digits[] = "0123456789ABCDEF";
    const char *realm = space->realm;
    size_t at = 0;

    if (realm == NULL) {
        memcpy(out, "@router", sizeof "@router");
        return true;
    }
    for (size_t i = 0; realm[i] != '\0'; i++) {
        unsigned char c = (unsigned char)realm[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i != 0);

        if (at + sizeof "%00" > MAX_FILE_NAME)
            return false;
        if (is_plain) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    out[at] = '\0';
    return true;
}

static int set_path(struct kv_file *file, struct kv_error *error)
{
    const struct kv_space *space = file->space;
    char name[MAX_FILE_NAME];
    size_t len;

    if (!file_name(space, name))
        return kv_fail(error, ERR_TOO_LONG,
                       "the name of the realm is too long for a file, so no store can persist");
    len = strlen(space->folder) + strlen(name) + sizeof "/.kv";
    file->path = mem_alloc(len);
    snprintf(file->path, len, "%s/%s.kv", space->folder, name);
    return 0;
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

int kv_file_run(struct kv_file *file, const char *sql)
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
        return kv_file_fail(file, error, "read");
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
    const char *words = NULL;
    int err = 0;

    if (sqlite3_prepare_v2(file->db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        words = (const char *)sqlite3_column_text(statement, 0);
    if (words == NULL)
        err = kv_file_fail(file, error, "check it");
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
    if (kv_file_run(file, "PRAGMA locking_mode = EXCLUSIVE") != SQLITE_OK)
        return kv_file_fail(file, error, "open");
    err = check_kind(file, error); /* before anything of it is changed */
    if (err == 0)
        err = check_pages(file, error);
    if (err != 0)
        return err;
    if (kv_file_run(file,
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE") !=
            SQLITE_OK ||
        kv_file_run(file, table) != SQLITE_OK ||
        sqlite3_prepare_v2(file->db, put, -1, &file->put, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(file->db, drop, -1, &file->drop, NULL) != SQLITE_OK)
        return kv_file_fail(file, error, "open");
    return 0;
}

void kv_file_free(struct kv_file *file)
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

struct kv_file *kv_file_open(struct kv_space *space, struct kv_error *error)
{
    struct kv_file *file = mem_zero(1, sizeof(*file));
    pthread_condattr_t by_monotonic;
    int err;

    file->space = space;
    pthread_mutex_init(&file->db_lock, NULL);
    pthread_mutex_init(&file->lock, NULL);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&file->wakes, &by_monotonic);
    pthread_cond_init(&file->rests, NULL);
    pthread_condattr_destroy(&by_monotonic);
    err = set_path(file, error);
    if (err == 0)
        err = make_file(file, error);
    if (err == 0 && sqlite3_open_v2(file->path, &file->db,
                                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        err = kv_file_fail(file, error, "open");
    if (err == 0)
        err = set_up(file, error);
    if (err == 0 && kv_writer_start(file) != 0)
        err = kv_fail(error, ERR_IO, "%s: cannot start the thread that writes it", file->path);
    if (err == 0)
        return file;
    kv_file_free(file);
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
        err = kv_file_fail(file, error, "read");
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
    return rc == SQLITE_DONE ? 0 : kv_file_fail(file, error, "read");
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
        err = kv_file_fail(file, error, "read");
    if (err == 0) {
        sqlite3_bind_text(statement, 1, store->name, -1, SQLITE_STATIC);
        err = read_rows(file, store, statement, time, error);
    }
    sqlite3_finalize(statement);
    store->persists = true;
    pthread_mutex_unlock(&file->db_lock);
    return err;
}
