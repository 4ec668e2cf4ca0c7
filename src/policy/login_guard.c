/* login_guard.c -- see login_guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/login_guard.h"

#include "auth/digest.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <uv.h>

#include <stdio.h>

static const char too_many_failures[] =
    "too many logins from this address have failed; try again later";
static const char too_many_logins[] =
    "too many sessions of this address are being opened at this time";

enum kind { KIND_ADDRESS, KIND_AUTHID, KIND_COUNT };

struct entry {
    struct list link; /* of those of its kind, the one that failed last at the end */
    uint64_t failed_at;
    uint32_t failures;
    uint32_t joining;                    /* of an address */
    uint64_t late_until[GUARD_MAX_LATE]; /* of an address: when answers are due */
    size_t key_len;
    char key[];
};

struct guard {
    struct guard_limits limits;
    struct {
        struct strmap entries; /* owned */
        struct list order;
    } of[KIND_COUNT];
};

/* ---- entries ---- */

static struct entry *find(const struct guard *guard, enum kind kind, struct slice key)
{
    return strmap_get(&guard->of[kind].entries, key);
}

static void forget(struct guard *guard, enum kind kind, struct entry *entry)
{
    list_remove(&entry->link);
    strmap_remove(&guard->of[kind].entries, slice_make(entry->key, entry->key_len));
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
static void make_room(struct guard *guard, enum kind kind)
{
    struct list *order = &guard->of[kind].order, *node = list_first(order);

    for (unsigned i = 0; i < 64 && node != NULL; i++, node = list_first(order)) {
        struct entry *oldest = container_of(node, struct entry, link);

        if (is_idle(oldest)) {
            forget(guard, kind, oldest);
            return;
        }
        list_remove(node);
        list_append(order, node);
    }
}

static struct entry *make(struct guard *guard, enum kind kind, struct slice key)
{
    struct entry *entry = mem_zero(1, sizeof(*entry) + key.len);

    if (guard->of[kind].entries.count >= GUARD_MAX_ENTRIES)
        make_room(guard, kind);
    memcpy(entry->key, key.data, key.len);
    entry->key_len = key.len;
    list_append(&guard->of[kind].order, &entry->link);
    strmap_put(&guard->of[kind].entries, slice_make(entry->key, key.len), entry);
    return entry;
}

static struct entry *find_or_make(struct guard *guard, enum kind kind, struct slice key)
{
    struct entry *entry = find(guard, kind, key);

    return entry != NULL ? entry : make(guard, kind, key);
}

/* What was long ago counts no more. */
static void age(struct entry *entry, uint64_t now)
{
    if (now - entry->failed_at >= GUARD_FORGET_MS)
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

struct guard *guard_new(const struct guard_limits *limits, struct rng *rng)
{
    struct guard *guard = mem_zero(1, sizeof(*guard));

    guard->limits = *limits;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        strmap_init(&guard->of[kind].entries, rng_u64(rng), rng_u64(rng));
        list_init(&guard->of[kind].order);
    }
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        list_each (&guard->of[kind].order, node, after)
            mem_free(container_of(node, struct entry, link));
        strmap_fini(&guard->of[kind].entries);
    }
    mem_free(guard);
}

void guard_address(const char *peer, char address[GUARD_ADDRESS_LEN])
{
    const char *port = peer == NULL ? NULL : strrchr(peer, ':');
    unsigned char octets[16];
    char text[64];

    address[0] = '\0';
    if (port == NULL || (size_t)(port - peer) >= sizeof(text))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)(port - peer), peer);
    if (strncmp(text, "tcp4:", 5) == 0) {
        snprintf(address, GUARD_ADDRESS_LEN, "%.*s", GUARD_ADDRESS_LEN - 1, text + 5);
    } else if (strncmp(text, "tcp6:[", 6) == 0) {
        text[strcspn(text, "]%")] = '\0';
        if (uv_inet_pton(AF_INET6, text + 6, octets) == 0) {
            digest_hex(octets, 8, address);
            address[16] = '\0';
        }
    }
}

const char *guard_enter(struct guard *guard, const char *address)
{
    struct entry *entry;

    if (*address == '\0')
        return NULL;
    entry = find_or_make(guard, KIND_ADDRESS, slice_of(address));
    if (entry->joining >= guard->limits.max_joining_of_an_address)
        return too_many_logins;
    entry->joining++;
    return NULL;
}

void guard_leave(struct guard *guard, const char *address)
{
    struct entry *entry = find(guard, KIND_ADDRESS, slice_of(address));

    if (entry == NULL || entry->joining == 0)
        return;
    entry->joining--;
    if (is_idle(entry) && entry->failures == 0)
        forget(guard, KIND_ADDRESS, entry);
}

const char *guard_judge(struct guard *guard, const char *address, uint64_t now)
{
    struct entry *entry = find(guard, KIND_ADDRESS, slice_of(address));

    if (entry == NULL)
        return NULL;
    return *first_due(entry) > now ? too_many_failures : NULL;
}

static uint32_t count_failure(struct guard *guard, enum kind kind, struct slice key, uint64_t now)
{
    struct entry *entry;

    if (key.len == 0)
        return 0;
    entry = find_or_make(guard, kind, key);
    age(entry, now);
    if (entry->failures < UINT32_MAX)
        entry->failures++;
    entry->failed_at = now;
    list_remove(&entry->link);
    list_append(&guard->of[kind].order, &entry->link);
    return delay_of(guard, entry);
}

uint32_t guard_fail(struct guard *guard, const char *address, struct slice authid, uint64_t now)
{
    unsigned char hash[DIGEST_LEN];
    uint32_t delay, other;

    if (guard->limits.max_delay_ms == 0)
        return 0;
    digest_sha256(authid, hash); /* they can be long, and there are many */
    delay = count_failure(guard, KIND_ADDRESS, slice_of(address), now);
    other = authid.len == 0
                ? 0
                : count_failure(guard, KIND_AUTHID, slice_make(hash, sizeof(hash)), now);
    if (delay < other)
        delay = other;
    if (delay != 0 && *address != '\0')
        *first_due(find(guard, KIND_ADDRESS, slice_of(address))) = now + delay;
    return delay;
}

void guard_succeed(struct guard *guard, struct slice authid)
{
    unsigned char hash[DIGEST_LEN];
    struct entry *entry;

    if (authid.len == 0 || guard->of[KIND_AUTHID].entries.count == 0)
        return;
    digest_sha256(authid, hash);
    entry = find(guard, KIND_AUTHID, slice_make(hash, sizeof(hash)));
    if (entry != NULL)
        forget(guard, KIND_AUTHID, entry);
}
