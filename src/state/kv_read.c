/* kv_read.c -- what looks into a store.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "state/kv_priv.h"

struct blob *kv_get(struct kv_store *store, struct slice key, uint64_t now, uint64_t *version)
{
    uint64_t hash = kv_hash(store->space, key);
    struct kv_shard *shard = kv_shard_of(store, hash);
    struct blob *value = NULL;
    struct kv_entry *entry;

    pthread_mutex_lock(&shard->lock);
    entry = kv_shard_find(shard, key, hash, now);
    if (entry != NULL) {
        value = blob_hold(entry->value);
        if (atomic_load_explicit(&store->evicts, memory_order_relaxed))
            kv_shard_touch(shard, entry);
    }
    if (version != NULL)
        *version = entry == NULL ? 0 : entry->version;
    pthread_mutex_unlock(&shard->lock);
    return value;
}

uint64_t kv_size(struct kv_store *store, uint64_t now)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < store->shard_count; i++) {
        struct kv_shard *shard = &store->shards[i];

        pthread_mutex_lock(&shard->lock);
        kv_shard_purge(shard, now);
        size += shard->index.count - deadlines_count_due(&shard->deadlines, now);
        pthread_mutex_unlock(&shard->lock);
    }
    return size;
}

/* ---- walks ---- */

static bool begins_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

static struct blob *next_of_shard(struct kv_shard *shard, struct slice prefix, uint64_t now,
                                  struct kv_cursor *cursor)
{
    struct slice from = cursor->has_begun ? slice_make(cursor->last, cursor->len) : prefix;
    struct kv_entry *entry = kv_shard_seek(shard, from, cursor->has_begun);
    struct slice key;

    while (entry != NULL && deadline_is_set(&entry->expiry) && entry->expiry.at <= now)
        entry = entry->next[0];
    if (entry == NULL)
        return NULL;
    key = kv_entry_key(entry);
    if (!begins_with(key, prefix))
        return NULL;
    memcpy(cursor->last, key.data, key.len);
    cursor->len = key.len;
    cursor->has_begun = true;
    return blob_hold(entry->value);
}

struct blob *kv_next(struct kv_store *store, struct slice prefix, uint64_t now,
                     struct kv_cursor *cursor)
{
    for (; cursor->shard < store->shard_count; cursor->shard++, cursor->has_begun = false) {
        struct kv_shard *shard = &store->shards[cursor->shard];
        struct blob *value;

        pthread_mutex_lock(&shard->lock);
        value = next_of_shard(shard, prefix, now, cursor);
        pthread_mutex_unlock(&shard->lock);
        if (value != NULL)
            return value;
    }
    return NULL;
}

/* ---- the truth of it ---- */

static bool shard_is_sound(struct kv_shard *shard, uint64_t *entries, uint64_t *bytes)
{
    size_t listed = 0, ordered = 0;

    for (struct kv_entry *entry = shard->first[0]; entry != NULL; entry = entry->next[0]) {
        struct slice key = kv_entry_key(entry);

        if (entry->next[0] != NULL && kv_shard_seek(shard, key, true) != entry->next[0])
            return false;
        if (kv_shard_seek(shard, key, false) != entry ||
            kv_shard_find(shard, key, entry->node.hash, 0) != entry)
            return false;
        *bytes += kv_cost(entry->key_len, entry->value->len);
        ordered++;
    }
    list_each (&shard->recent, link, after)
        listed++;
    *entries += ordered;
    return ordered == listed && ordered == shard->index.count;
}

bool kv_is_sound(struct kv_store *store)
{
    uint64_t entries = 0, bytes = 0;
    bool is_sound = true;

    for (unsigned i = 0; i < store->shard_count; i++) {
        pthread_mutex_lock(&store->shards[i].lock);
        is_sound &= shard_is_sound(&store->shards[i], &entries, &bytes);
        pthread_mutex_unlock(&store->shards[i].lock);
    }
    return is_sound && entries == atomic_load(&store->entries) &&
           bytes == atomic_load(&store->bytes);
}
