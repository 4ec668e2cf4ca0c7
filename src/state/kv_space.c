/* kv_space.c -- spaces, and the stores that are open in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "state/kv_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

int kv_fail(struct kv_error *error, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error->words, sizeof(error->words), format, args);
    va_end(args);
    return err;
}

const char *kv_owner(const struct kv_space *space, char out[160])
{
    if (space->realm == NULL)
        return "the router";
    snprintf(out, 160, "realm %.150s", space->realm);
    return out;
}

struct kv_space *kv_space_new(const struct kv_space_options *options)
{
    struct kv_space *space = mem_zero(1, sizeof(*space));
    ssize_t got;

    if (options->realm != NULL)
        space->realm = mem_copy(options->realm, strlen(options->realm));
    if (options->folder != NULL)
        space->folder = mem_copy(options->folder, strlen(options->folder));
    space->max_entries = options->max_entries == 0 ? KV_MAX_ENTRIES : options->max_entries;
    space->max_bytes = options->max_bytes == 0 ? KV_MAX_BYTES : options->max_bytes;
    space->is_shared = options->is_shared;
    do
        got = getrandom(space->seed, sizeof(space->seed), 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == (ssize_t)sizeof(space->seed));
    pthread_mutex_init(&space->lock, NULL);
    list_init(&space->stores);
    return space;
}

/* ---- stores ---- */

static struct kv_store *store_new(struct kv_space *space, struct slice name)
{
    unsigned shards = space->is_shared ? KV_SHARDS : 1;
    struct kv_store *store = mem_zero(1, sizeof(*store) + shards * sizeof(struct kv_shard));

    store->space = space;
    store->name = mem_copy(name.data, name.len);
    store->shard_count = shards;
    for (unsigned i = 0; i < shards; i++)
        kv_shard_init(&store->shards[i], store);
    return store;
}

/* The counters of the space go on without it. */
static void store_free(struct kv_store *store)
{
    for (unsigned i = 0; i < store->shard_count; i++)
        kv_shard_fini(&store->shards[i]);
    atomic_fetch_sub(&store->space->entries, atomic_load(&store->entries));
    atomic_fetch_sub(&store->space->bytes, atomic_load(&store->bytes));
    mem_free(store->name);
    mem_free(store);
}

static void set_options(struct kv_store *store, const struct kv_store_options *options)
{
    if (options->evicts != KV_UNSAID)
        atomic_store(&store->evicts, options->evicts == KV_YES);
    if (options->max_entries != 0)
        atomic_store(&store->max_entries, options->max_entries);
    if (options->max_bytes != 0)
        atomic_store(&store->max_bytes, options->max_bytes);
}

static struct kv_store *find(struct kv_space *space, struct slice name)
{
    list_each (&space->stores, link, after) {
        struct kv_store *store = container_of(link, struct kv_store, link);

        if (slice_eq(slice_of(store->name), name))
            return store;
    }
    return NULL;
}

static struct kv_store *open_again(struct kv_store *store, const struct kv_store_options *options,
                                   struct kv_error *error)
{
    if (options->persists != KV_UNSAID && store->persists != (options->persists == KV_YES)) {
        kv_fail(error, ERR_IN_USE,
                "the store \"%s\" is open with persist = %s, and keeps that as long as the router "
                "runs",
                store->name, store->persists ? "true" : "false");
        return NULL;
    }
    set_options(store, options);
    return store;
}

static int load(struct kv_store *store, struct kv_time time, struct kv_error *error)
{
    struct kv_space *space = store->space;

    if (space->file == NULL)
        space->file = kv_file_open(space, error);
    if (space->file == NULL)
        return ERR_IO;
    return kv_file_read(space->file, store, time, error);
}

static struct kv_store *open_new(struct kv_space *space, struct slice name,
                                 const struct kv_store_options *options, struct kv_time time,
                                 struct kv_error *error)
{
    struct kv_store *store;
    char owner[160];

    if (space->store_count == KV_MAX_STORES) {
        kv_fail(error, ERR_FULL, "no room for the store \"%.*s\": %s has %d of them",
                SLICE_ARG(name), kv_owner(space, owner), KV_MAX_STORES);
        return NULL;
    }
    if (options->persists == KV_YES && space->folder == NULL) {
        kv_fail(error, ERR_CONFIG,
                "the store \"%.*s\" cannot persist: the configuration has no data_folder",
                SLICE_ARG(name));
        return NULL;
    }
    store = store_new(space, name);
    store->persists = options->persists == KV_YES;
    set_options(store, options);
    if (store->persists && load(store, time, error) != 0) {
        store_free(store);
        return NULL;
    }
    list_append(&space->stores, &store->link);
    space->store_count++;
    return store;
}

struct kv_store *kv_open(struct kv_space *space, struct slice name,
                         const struct kv_store_options *options, struct kv_time time,
                         struct kv_error *error)
{
    struct kv_store *store;

    if (name.len == 0 || name.len > KV_MAX_NAME_LEN || memchr(name.data, '\0', name.len) != NULL) {
        kv_fail(error, ERR_INVALID, "the name of a store is a text of 1 to %d octets",
                KV_MAX_NAME_LEN);
        return NULL;
    }
    pthread_mutex_lock(&space->lock);
    store = find(space, name);
    if (store != NULL)
        store = open_again(store, options, error);
    else
        store = open_new(space, name, options, time, error);
    pthread_mutex_unlock(&space->lock);
    return store;
}

struct slice kv_name(const struct kv_store *store)
{
    return slice_of(store->name);
}

/* ---- the end ---- */

int kv_space_flush(struct kv_space *space, struct kv_error *error)
{
    struct kv_file *file;

    pthread_mutex_lock(&space->lock);
    file = space->file;
    pthread_mutex_unlock(&space->lock);
    return file == NULL ? 0 : kv_file_flush(file, error);
}

int kv_space_close(struct kv_space *space, struct kv_error *error)
{
    int err = 0;

    if (space == NULL)
        return 0;
    if (space->file != NULL)
        err = kv_file_close(space->file, error);
    space->file = NULL;
    list_each (&space->stores, link, after)
        store_free(container_of(link, struct kv_store, link));
    pthread_mutex_destroy(&space->lock);
    mem_free(space->realm);
    mem_free(space->folder);
    mem_free(space);
    return err;
}
