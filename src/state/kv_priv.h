/* kv_priv.h -- how spaces, stores and their shards are made.
 *
 * Locks are taken in this order: space, shard, and file last of all; nobody holds two
 * shards.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_KV_PRIV_H
#define NEXUS_STATE_KV_PRIV_H

#include "base/deadlines.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "state/index.h"
#include "state/kv.h"

#include <pthread.h>
#include <stdatomic.h>

#define KV_SHARDS     16 /* of a store that several threads use all the time */
#define KV_MAX_HEIGHT 12

struct kv_file;

struct kv_entry {
    struct index_node node;
    struct deadline expiry;
    struct list recent; /* shard->recent, of stores that evict */
    struct list dirty;  /* shard->dirty, of stores that persist */
    struct blob *value; /* held */
    uint64_t version;
    uint64_t wall_expiry; /* 0: never */
    uint32_t key_len;
    uint8_t height;
    bool is_written;         /* the file has an entry with this key, or soon will */
    struct kv_entry *next[]; /* height of them, in the order of keys; the key is behind them */
};

/* A key that the file still has. */
struct kv_grave {
    struct list link;
    uint32_t key_len;
    char key[];
};

struct kv_shard {
    pthread_mutex_t lock; /* for all below, and the entries */
    struct kv_store *store;
    struct index index;
    struct deadlines deadlines;
    struct kv_entry *first[KV_MAX_HEIGHT]; /* heads of the lists in order */
    struct list recent;                    /* least recently used first */
    struct list dirty, graves;             /* what the file does not know yet */
    uint64_t version;
};

struct kv_store {
    struct list link; /* space->stores */
    struct kv_space *space;
    char *name;
    bool persists;
    atomic_bool evicts;
    atomic_uint_fast64_t max_entries, max_bytes; /* 0: the space's alone */
    atomic_uint_fast64_t entries, bytes;
    unsigned shard_count;
    struct kv_shard shards[];
};

struct kv_space {
    char *realm, *folder;
    uint64_t max_entries, max_bytes;
    bool is_shared;
    uint64_t seed[2];
    atomic_uint_fast64_t entries, bytes;
    pthread_mutex_t lock; /* stores and file */
    struct list stores;
    unsigned store_count;
    struct kv_file *file; /* NULL: no store persists so far */
};

__attribute__((format(printf, 3, 4))) int kv_fail(struct kv_error *error, int err,
                                                  const char *format, ...);

/* "realm com.acme", "the router", as messages have it. */
const char *kv_owner(const struct kv_space *space, char out[160]);

/* ---- one shard, its lock held: kv_shard.c ---- */

void kv_shard_init(struct kv_shard *shard, struct kv_store *store);
void kv_shard_fini(struct kv_shard *shard);

struct slice kv_entry_key(const struct kv_entry *entry);

/* The entry under a key, NULL when it has expired or is not there. */
struct kv_entry *kv_shard_find(struct kv_shard *shard, struct slice key, uint64_t hash,
                               uint64_t now);

/* The first entry whose key is not before `key`, or is after it. */
struct kv_entry *kv_shard_seek(const struct kv_shard *shard, struct slice key, bool is_after);

/* Puts in a value under a key that is not there. */
struct kv_entry *kv_shard_insert(struct kv_shard *shard, struct slice key, uint64_t hash,
                                 struct blob *value);
void kv_shard_replace(struct kv_shard *shard, struct kv_entry *entry, struct blob *value);
void kv_shard_expire_at(struct kv_shard *shard, struct kv_entry *entry, uint64_t at, uint64_t wall);
void kv_shard_remove(struct kv_shard *shard, struct kv_entry *entry);

/* Takes out some of what has expired. */
void kv_shard_purge(struct kv_shard *shard, uint64_t now);

/* It was used: it will be evicted late. */
void kv_shard_touch(struct kv_shard *shard, struct kv_entry *entry);

static inline uint64_t kv_hash(const struct kv_space *space, struct slice key)
{
    return hash_bytes(key, space->seed[0], space->seed[1]);
}

static inline struct kv_shard *kv_shard_of(struct kv_store *store, uint64_t hash)
{
    return &store->shards[(hash >> 32) % store->shard_count];
}

static inline uint64_t kv_cost(size_t key_len, size_t value_len)
{
    return KV_ENTRY_COST + key_len + value_len;
}

/* ---- on disk: kv_file.c ---- */

/* Opens the file of a space and starts its thread; NULL with words. */
struct kv_file *kv_file_open(struct kv_space *space, struct kv_error *error) MUST_CHECK;
int kv_file_close(struct kv_file *file, struct kv_error *error);
int kv_file_flush(struct kv_file *file, struct kv_error *error) MUST_CHECK;

/* Reads a store that is not in the space's list yet. */
int kv_file_read(struct kv_file *file, struct kv_store *store, struct kv_time time,
                 struct kv_error *error) MUST_CHECK;

/* Something changed; wakes the thread up when there is enough of it. */
void kv_file_stir(struct kv_file *file);

#endif
