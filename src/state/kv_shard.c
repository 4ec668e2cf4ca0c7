/* kv_shard.c -- the entries of one shard: found by hash, kept in order, and expiring.
 *
 * The order of keys is a skip list. How high an entry stands in it is taken from
 * its hash, which is keyed by a secret, so nobody chooses it. Counters of the
 * store and of the space are kept by whoever calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "state/kv_priv.h"

#define PURGED_AT_ONCE 8

struct slice kv_entry_key(const struct kv_entry *entry)
{
    return slice_make((const char *)&entry->next[entry->height], entry->key_len);
}

void kv_shard_init(struct kv_shard *shard, struct kv_store *store)
{
    *shard = (struct kv_shard){.store = store};
    pthread_mutex_init(&shard->lock, NULL);
    index_init(&shard->index);
    deadlines_init(&shard->deadlines);
    list_init(&shard->recent);
    list_init(&shard->dirty);
    list_init(&shard->graves);
}

static void entry_free(struct kv_entry *entry)
{
    blob_drop(entry->value);
    mem_free(entry);
}

void kv_shard_fini(struct kv_shard *shard)
{
    struct index_node *node = NULL;
    size_t at = 0;

    while ((node = index_next(&shard->index, &at, node)) != NULL) {
        struct kv_entry *entry = container_of(node, struct kv_entry, node);

        node = node->next;
        entry_free(entry);
    }
    list_each (&shard->graves, link, after)
        mem_free(container_of(link, struct kv_grave, link));
    index_fini(&shard->index);
    deadlines_fini(&shard->deadlines);
    pthread_mutex_destroy(&shard->lock);
}

/* ---- order ---- */

/* Two bits a level, of those that choose neither shard nor chain. */
static unsigned height_of(uint64_t hash)
{
    unsigned height = 1;

    for (hash >>= 40; height < KV_MAX_HEIGHT && (hash & 3) == 0; hash >>= 2)
        height++;
    return height;
}

static int compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int sign = len == 0 ? 0 : memcmp(a.data, b.data, len);

    if (sign != 0)
        return sign;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* For each level the pointer to the first entry that is not before the key. */
static void find_links(struct kv_shard *shard, struct slice key,
                       struct kv_entry **links[KV_MAX_HEIGHT])
{
    struct kv_entry **tower = shard->first;

    for (unsigned level = KV_MAX_HEIGHT; level-- > 0;) {
        while (tower[level] != NULL && compare(kv_entry_key(tower[level]), key) < 0)
            tower = tower[level]->next;
        links[level] = &tower[level];
    }
}

struct kv_entry *kv_shard_seek(const struct kv_shard *shard, struct slice key, bool is_after)
{
    struct kv_entry *const *tower = shard->first;

    for (unsigned level = KV_MAX_HEIGHT; level-- > 0;) {
        while (tower[level] != NULL &&
               compare(kv_entry_key(tower[level]), key) < (is_after ? 1 : 0))
            tower = tower[level]->next;
    }
    return tower[0];
}

/* ---- what the file is to know ---- */

static void soil(struct kv_shard *shard, struct kv_entry *entry)
{
    if (!shard->store->persists)
        return;
    if (!list_is_linked(&entry->dirty))
        list_append(&shard->dirty, &entry->dirty);
    if (shard->store->space->file != NULL)
        kv_file_stir(shard->store->space->file);
}

static void bury(struct kv_shard *shard, struct kv_entry *entry)
{
    struct kv_grave *grave;

    if (list_is_linked(&entry->dirty))
        list_remove(&entry->dirty);
    if (!entry->is_written)
        return;
    grave = mem_alloc(sizeof(*grave) + entry->key_len);
    *grave = (struct kv_grave){.key_len = entry->key_len};
    memcpy(grave->key, kv_entry_key(entry).data, entry->key_len);
    list_append(&shard->graves, &grave->link);
    if (shard->store->space->file != NULL)
        kv_file_stir(shard->store->space->file);
}

/* ---- changes ---- */

struct kv_entry *kv_shard_insert(struct kv_shard *shard, struct slice key, uint64_t hash,
                                 struct blob *value)
{
    unsigned height = height_of(hash);
    size_t tower = height * sizeof(struct kv_entry *);
    struct kv_entry *entry = mem_alloc(index_node_room(sizeof(*entry) + tower + key.len));
    struct kv_entry **links[KV_MAX_HEIGHT];

    *entry = (struct kv_entry){.node.hash = hash,
                               .value = blob_hold(value),
                               .version = ++shard->version,
                               .key_len = (uint32_t)key.len,
                               .height = (uint8_t)height};
    if (key.len != 0)
        memcpy((char *)entry->next + tower, key.data, key.len);
    find_links(shard, key, links);
    for (unsigned level = 0; level < height; level++) {
        entry->next[level] = *links[level];
        *links[level] = entry;
    }
    index_put(&shard->index, &entry->node);
    list_append(&shard->recent, &entry->recent);
    soil(shard, entry);
    return entry;
}

void kv_shard_replace(struct kv_shard *shard, struct kv_entry *entry, struct blob *value)
{
    struct blob *before = entry->value;

    entry->value = blob_hold(value);
    entry->version = ++shard->version;
    blob_drop(before);
    soil(shard, entry);
}

void kv_shard_expire_at(struct kv_shard *shard, struct kv_entry *entry, uint64_t at, uint64_t wall)
{
    entry->wall_expiry = at == NEVER ? 0 : wall;
    if (at == NEVER)
        deadlines_cancel(&shard->deadlines, &entry->expiry);
    else
        deadlines_set(&shard->deadlines, &entry->expiry, at);
}

void kv_shard_remove(struct kv_shard *shard, struct kv_entry *entry)
{
    struct kv_store *store = shard->store;
    struct kv_entry **links[KV_MAX_HEIGHT];
    uint64_t cost = kv_cost(entry->key_len, entry->value->len);

    find_links(shard, kv_entry_key(entry), links);
    for (unsigned level = 0; level < entry->height; level++) {
        CHECK(*links[level] == entry);
        *links[level] = entry->next[level];
    }
    index_remove(&shard->index, &entry->node);
    deadlines_cancel(&shard->deadlines, &entry->expiry);
    list_remove(&entry->recent);
    bury(shard, entry);
    atomic_fetch_sub_explicit(&store->entries, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&store->space->entries, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&store->bytes, cost, memory_order_relaxed);
    atomic_fetch_sub_explicit(&store->space->bytes, cost, memory_order_relaxed);
    entry_free(entry);
}

void kv_shard_purge(struct kv_shard *shard, uint64_t now)
{
    for (unsigned i = 0; i < PURGED_AT_ONCE && deadlines_next(&shard->deadlines) <= now; i++) {
        struct deadline *due = deadlines_due(&shard->deadlines, now);

        kv_shard_remove(shard, container_of(due, struct kv_entry, expiry));
    }
}

void kv_shard_touch(struct kv_shard *shard, struct kv_entry *entry)
{
    list_remove(&entry->recent);
    list_append(&shard->recent, &entry->recent);
}

struct kv_entry *kv_shard_find(struct kv_shard *shard, struct slice key, uint64_t hash,
                               uint64_t now)
{
    struct index_node *node = index_chain(&shard->index, hash);

    for (; node != NULL; node = node->next) {
        struct kv_entry *entry = container_of(node, struct kv_entry, node);

        if (node->hash != hash || !slice_eq(kv_entry_key(entry), key))
            continue;
        if (!deadline_is_set(&entry->expiry) || entry->expiry.at > now)
            return entry;
        kv_shard_remove(shard, entry);
        return NULL;
    }
    return NULL;
}
