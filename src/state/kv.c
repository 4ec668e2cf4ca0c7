/* kv.c -- what changes a store: bounds, conditions, eviction.
 *
 * Bounds are counters that are added to before anything is put in; who comes to a
 * full one takes back what it added. So they hold with several threads too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/kv_priv.h"
#include "wire/codec.h"

#include <inttypes.h>

/* ---- bounds ---- */

static bool take(atomic_uint_fast64_t *counter, uint64_t n, uint64_t max)
{
    uint64_t before = atomic_fetch_add_explicit(counter, n, memory_order_relaxed);

    if (max == 0 || before + n <= max)
        return true;
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
    return false;
}

static void give(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
}

static int full(struct kv_store *store, bool is_own, bool is_bytes, uint64_t max,
                struct kv_error *error)
{
    char owner[160];

    return kv_fail(error, ERR_FULL, "the store \"%s\" is full: %s of %s is %" PRIu64, store->name,
                   is_bytes ? "max_bytes" : "max_entries",
                   is_own ? "the store" : kv_owner(store->space, owner), max);
}

static int take_entries(struct kv_store *store, uint64_t n, struct kv_error *error)
{
    struct kv_space *space = store->space;
    uint64_t max = atomic_load_explicit(&store->max_entries, memory_order_relaxed);

    if (n == 0)
        return 0;
    if (!take(&store->entries, n, max))
        return full(store, true, false, max, error);
    if (take(&space->entries, n, space->max_entries))
        return 0;
    give(&store->entries, n);
    return full(store, false, false, space->max_entries, error);
}

static int take_bytes(struct kv_store *store, uint64_t n, struct kv_error *error)
{
    struct kv_space *space = store->space;
    uint64_t max = atomic_load_explicit(&store->max_bytes, memory_order_relaxed);

    if (!take(&store->bytes, n, max))
        return full(store, true, true, max, error);
    if (take(&space->bytes, n, space->max_bytes))
        return 0;
    give(&store->bytes, n);
    return full(store, false, true, space->max_bytes, error);
}

/* The least recently used entry of the store goes, but not the one under `key`. */
static bool evict(struct kv_store *store, struct slice key, uint64_t hash)
{
    bool has_evicted = false;
    unsigned own = (unsigned)(kv_shard_of(store, hash) - store->shards);

    for (unsigned i = 0; i < store->shard_count && !has_evicted; i++) {
        struct kv_shard *shard = &store->shards[(own + i) % store->shard_count];

        pthread_mutex_lock(&shard->lock);
        list_each (&shard->recent, link, after) {
            struct kv_entry *entry = container_of(link, struct kv_entry, recent);

            if (slice_eq(kv_entry_key(entry), key))
                continue;
            kv_shard_remove(shard, entry);
            has_evicted = true;
            break;
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return has_evicted;
}

/* ---- one change of one key, its shard locked ---- */

struct target {
    struct kv_shard *shard;
    struct kv_entry *entry; /* NULL: not there */
    struct slice key;
    uint64_t hash;
};

static int put(struct target *to, struct blob *value, struct kv_error *error)
{
    struct kv_store *store = to->shard->store;
    uint64_t before = to->entry == NULL ? 0 : kv_cost(to->key.len, to->entry->value->len);
    uint64_t after = kv_cost(to->key.len, value->len);
    int err;

    if (after > before && (err = take_bytes(store, after - before, error)) != 0)
        return err;
    if (to->entry == NULL && (err = take_entries(store, 1, error)) != 0) {
        give(&store->bytes, after);
        give(&store->space->bytes, after);
        return err;
    }
    if (before > after) {
        give(&store->bytes, before - after);
        give(&store->space->bytes, before - after);
    }
    if (to->entry == NULL)
        to->entry = kv_shard_insert(to->shard, to->key, to->hash, value);
    else
        kv_shard_replace(to->shard, to->entry, value);
    return 0;
}

static void expire(struct target *to, uint64_t ttl_ms, struct kv_time time)
{
    kv_shard_expire_at(to->shard, to->entry, ttl_ms == 0 ? NEVER : time.now + ttl_ms,
                       time.wall + ttl_ms);
}

static int change_entry(struct target *to, const struct kv_change *change, struct kv_time time,
                        struct kv_error *error)
{
    uint64_t version = to->entry == NULL ? 0 : to->entry->version;
    bool is_there = to->entry != NULL;
    int err;

    if ((change->is_new && is_there) || (change->is_same && version != change->version))
        return ERR_IN_USE;
    if (change->value == NULL) {
        if (!is_there)
            return ERR_NOT_FOUND;
        kv_shard_remove(to->shard, to->entry);
        return 0;
    }
    err = put(to, change->value, error);
    if (err != 0)
        return err;
    if (!change->keeps_ttl || !is_there)
        expire(to, change->keeps_ttl ? 0 : change->ttl_ms, time);
    kv_shard_touch(to->shard, to->entry);
    return 0;
}

/* Finds the key and locks its shard. */
static struct target reach(struct kv_store *store, struct slice key, uint64_t now)
{
    struct target to = {.key = key};

    to.hash = kv_hash(store->space, key);
    to.shard = kv_shard_of(store, to.hash);
    pthread_mutex_lock(&to.shard->lock);
    kv_shard_purge(to.shard, now);
    to.entry = kv_shard_find(to.shard, key, to.hash, now);
    return to;
}

/* What does not fit into an empty store would only empty it. */
static int check_lengths(struct kv_store *store, struct slice key, const struct blob *value,
                         struct kv_error *error)
{
    uint64_t max = atomic_load_explicit(&store->max_bytes, memory_order_relaxed);
    uint64_t cost = kv_cost(key.len, value == NULL ? 0 : value->len);

    if (key.len > KV_MAX_KEY_LEN)
        return kv_fail(error, ERR_TOO_LONG,
                       "a key of %zu octets for the store \"%s\"; allowed: up to %d", key.len,
                       store->name, KV_MAX_KEY_LEN);
    if (value != NULL && value->len > KV_MAX_VALUE_LEN)
        return kv_fail(error, ERR_TOO_LONG,
                       "a value of %" PRIu32
                       " octets for the store \"%s\"; allowed: up to %" PRIu32,
                       value->len, store->name, KV_MAX_VALUE_LEN);
    if (max != 0 && cost > max)
        return full(store, true, true, max, error);
    if (cost > store->space->max_bytes)
        return full(store, false, true, store->space->max_bytes, error);
    return 0;
}

int kv_change(struct kv_store *store, const struct kv_change *change, struct kv_time time,
              struct kv_error *error)
{
    int err = check_lengths(store, change->key, change->value, error);

    if (err != 0)
        return err;
    for (;;) {
        struct target to = reach(store, change->key, time.now);

        err = change_entry(&to, change, time, error);
        pthread_mutex_unlock(&to.shard->lock);
        if (err != ERR_FULL || !atomic_load(&store->evicts) || !evict(store, change->key, to.hash))
            return err;
    }
}

/* ---- integers ---- */

static bool read_integer(const struct blob *value, int64_t *integer)
{
    struct token token = {.type = TOKEN_NULL};
    struct fault fault;
    struct arena arena;
    struct reader r;
    bool is_integer;

    arena_init(&arena);
    reader_init(&r, CODEC_MSGPACK, blob_slice(value), &arena, &fault);
    is_integer = reader_next(&r, &token) == 0 &&
                 (token.type == TOKEN_INT ||
                  (token.type == TOKEN_UINT && token.natural <= (uint64_t)INT64_MAX));
    *integer = token.type == TOKEN_UINT ? (int64_t)token.natural : token.integer;
    arena_fini(&arena);
    return is_integer;
}

static struct blob *integer_new(int64_t integer)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 9);
    if (integer < 0)
        encode_int(&e, integer);
    else
        encode_uint(&e, (uint64_t)integer);
    return encode_finish(&e);
}

static int add(struct target *to, const struct kv_addition *addition, struct kv_time time,
               int64_t *sum, struct kv_error *error)
{
    const char *name = to->shard->store->name;
    int64_t before = addition->start;
    bool is_there = to->entry != NULL;
    struct blob *value;
    int err;

    if (is_there && !read_integer(to->entry->value, &before))
        return kv_fail(error, ERR_INVALID, "the value in the store \"%s\" is no integer", name);
    if (__builtin_add_overflow(before, addition->n, sum))
        return kv_fail(error, ERR_INVALID,
                       "the sum in the store \"%s\" would be beyond 64 bits: %" PRId64
                       " and %" PRId64,
                       name, before, addition->n);
    value = integer_new(*sum);
    err = put(to, value, error);
    blob_drop(value);
    if (err != 0)
        return err;
    if (!is_there)
        expire(to, addition->ttl_ms, time);
    kv_shard_touch(to->shard, to->entry);
    return 0;
}

int kv_incr(struct kv_store *store, const struct kv_addition *addition, struct kv_time time,
            int64_t *sum, struct kv_error *error)
{
    int err = check_lengths(store, addition->key, NULL, error);

    if (err != 0)
        return err;
    for (;;) {
        struct target to = reach(store, addition->key, time.now);

        err = add(&to, addition, time, sum, error);
        pthread_mutex_unlock(&to.shard->lock);
        if (err != ERR_FULL || !atomic_load(&store->evicts) ||
            !evict(store, addition->key, to.hash))
            return err;
    }
}
