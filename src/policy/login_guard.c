/* login_guard.c -- see login_guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/login_guard.h"

#include "auth/digest.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>

static const char too_many_failures[] =
    "too many logins from this address have failed; try again later";
static const char too_many_logins[] =
    "too many sessions of this address are being opened at this time";

struct entry {
    struct list link; /* of its table, the one that failed last at the end */
    uint64_t failed_at;
    uint32_t failures;
    uint32_t joining;                    /* logins under way, in guard->joining */
    uint64_t late_until[GUARD_MAX_LATE]; /* of an address: when answers are due */
    size_t key_len;
    char key[];
};

struct table {
    struct strmap entries; /* owned */
    struct list order;
};

struct guard_board {
    pthread_mutex_t lock;
    struct table addresses; /* which failed */
};

struct guard {
    struct guard_limits limits;
    struct guard_board *board; /* borrowed, or own_board */
    struct guard_board *own_board;
    struct table joining; /* addresses */
    struct table authids; /* which failed */
};

/* ---- entries ---- */

static void table_init(struct table *table, struct rng *rng)
{
    strmap_init(&table->entries, rng_u64(rng), rng_u64(rng));
    list_init(&table->order);
}

static void table_fini(struct table *table)
{
    list_each (&table->order, node, after)
        mem_free(container_of(node, struct entry, link));
    strmap_fini(&table->entries);
}

static struct entry *find(const struct table *table, struct slice key)
{
    return strmap_get(&table->entries, key);
}

static void forget(struct table *table, struct entry *entry)
{
    list_remove(&entry->link);
    strmap_remove(&table->entries, slice_make(entry->key, entry->key_len));
    mem_free(entry);
}

/* What is under way has an end of its own, and is counted until then. */
static bool is_idle(const struct entry *entry)
{
    return entry->joining == 0;
}

/* The answer that is due first. */
static uint64_t *first_due(struct entry *entry)
{
    uint64_t *first = &entry->late_until[0];

    for (size_t i = 1; i < GUARD_MAX_LATE; i++) {
        if (entry->late_until[i] < *first)
            first = &entry->late_until[i];
    }
    return first;
}

/* Looks at some only; when all of them are busy the table is larger for a while. */
static void make_room(struct table *table)
{
    struct list *node = list_first(&table->order);

    for (unsigned i = 0; i < 64 && node != NULL; i++, node = list_first(&table->order)) {
        struct entry *oldest = container_of(node, struct entry, link);

        if (is_idle(oldest)) {
            forget(table, oldest);
            return;
        }
        list_remove(node);
        list_append(&table->order, node);
    }
}

static struct entry *make(struct table *table, struct slice key)
{
    struct entry *entry = mem_zero(1, sizeof(*entry) + key.len);

    if (table->entries.count >= GUARD_MAX_ENTRIES)
        make_room(table);
    memcpy(entry->key, key.data, key.len);
    entry->key_len = key.len;
    list_append(&table->order, &entry->link);
    strmap_put(&table->entries, slice_make(entry->key, key.len), entry);
    return entry;
}

static struct entry *find_or_make(struct table *table, struct slice key)
{
    struct entry *entry = find(table, key);

    return entry != NULL ? entry : make(table, key);
}

/* What was long ago counts no more. The clocks of two threads may differ a little. */
static void age(struct entry *entry, uint64_t now)
{
    if (now > entry->failed_at && now - entry->failed_at >= GUARD_FORGET_MS)
        entry->failures = 0;
}

static uint32_t delay_of(const struct guard *guard, const struct entry *entry)
{
    uint32_t max = guard->limits.max_delay_ms, over;

    if (entry->failures <= guard->limits.free_failures)
        return 0;
    over = entry->failures - guard->limits.free_failures - 1;
    if (over >= 16 || (uint32_t)GUARD_FIRST_MS << over > max)
        return max;
    return (uint32_t)GUARD_FIRST_MS << over;
}

/* ---- the guard ---- */

struct guard_board *guard_board_new(struct rng *rng)
{
    struct guard_board *board = mem_zero(1, sizeof(*board));

    pthread_mutex_init(&board->lock, NULL);
    table_init(&board->addresses, rng);
    return board;
}

void guard_board_free(struct guard_board *board)
{
    if (board == NULL)
        return;
    table_fini(&board->addresses);
    pthread_mutex_destroy(&board->lock);
    mem_free(board);
}

struct guard *guard_new(const struct guard_limits *limits, struct guard_board *board,
                        struct rng *rng)
{
    struct guard *guard = mem_zero(1, sizeof(*guard));

    guard->limits = *limits;
    guard->own_board = board == NULL ? guard_board_new(rng) : NULL;
    guard->board = board == NULL ? guard->own_board : board;
    table_init(&guard->joining, rng);
    table_init(&guard->authids, rng);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    table_fini(&guard->joining);
    table_fini(&guard->authids);
    guard_board_free(guard->own_board);
    mem_free(guard);
}

const char *guard_enter(struct guard *guard, const char *address)
{
    struct entry *entry;

    if (*address == '\0')
        return NULL;
    entry = find_or_make(&guard->joining, slice_of(address));
    if (entry->joining >= guard->limits.max_joining_of_an_address)
        return too_many_logins;
    entry->joining++;
    return NULL;
}

void guard_leave(struct guard *guard, const char *address)
{
    struct entry *entry = find(&guard->joining, slice_of(address));

    if (entry == NULL || entry->joining == 0)
        return;
    entry->joining--;
    if (entry->joining == 0)
        forget(&guard->joining, entry);
}

const char *guard_judge(struct guard *guard, const char *address, uint64_t now)
{
    struct guard_board *board = guard->board;
    struct entry *entry;
    bool is_busy;

    pthread_mutex_lock(&board->lock);
    entry = find(&board->addresses, slice_of(address));
    is_busy = entry != NULL && *first_due(entry) > now;
    pthread_mutex_unlock(&board->lock);
    return is_busy ? too_many_failures : NULL;
}

static struct entry *count_failure(struct table *table, struct slice key, uint64_t now)
{
    struct entry *entry = find_or_make(table, key);

    age(entry, now);
    if (entry->failures < UINT32_MAX)
        entry->failures++;
    entry->failed_at = now;
    list_remove(&entry->link);
    list_append(&table->order, &entry->link);
    return entry;
}

/* Of the address, in whatever realm; it waits at least for `delay`. */
static uint32_t fail_address(struct guard *guard, const char *address, uint32_t delay, uint64_t now)
{
    struct guard_board *board = guard->board;
    struct entry *entry;
    uint32_t own;

    pthread_mutex_lock(&board->lock);
    entry = count_failure(&board->addresses, slice_of(address), now);
    own = delay_of(guard, entry);
    if (delay < own)
        delay = own;
    if (delay != 0)
        *first_due(entry) = now + delay;
    pthread_mutex_unlock(&board->lock);
    return delay;
}

uint32_t guard_fail(struct guard *guard, const char *address, struct slice authid, uint64_t now)
{
    unsigned char hash[DIGEST_LEN];
    struct slice key = {(const char *)hash, sizeof(hash)};
    uint32_t delay = 0;

    if (guard->limits.max_delay_ms == 0)
        return 0;
    digest_sha256(authid, hash); /* they can be long, and there are many */
    if (authid.len != 0)
        delay = delay_of(guard, count_failure(&guard->authids, key, now));
    return *address == '\0' ? delay : fail_address(guard, address, delay, now);
}

void guard_succeed(struct guard *guard, struct slice authid)
{
    unsigned char hash[DIGEST_LEN];
    struct entry *entry;

    if (authid.len == 0 || guard->authids.entries.count == 0)
        return;
    digest_sha256(authid, hash);
    entry = find(&guard->authids, slice_make(hash, sizeof(hash)));
    if (entry != NULL)
        forget(&guard->authids, entry);
}
