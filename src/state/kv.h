/* kv.h -- key-value stores: keys and values are octets, entries may expire.
 *
 * Stores live in a space: one of each realm, and one of the router that all
 * realms may use. A space bounds what all its stores hold together; a store may
 * have bounds of its own, and then either refuses or forgets what was used
 * least recently.
 *
 * All functions may be called from any thread. A realm's space has one lock for
 * each store, and is used by one thread at a time for the most part; the
 * router's has several for each. No call does work for more than a few entries:
 * tables grow bit by bit, and what has expired is taken out a few at a time.
 *
 * Clocks are passed in. `now` is monotonic and decides what has expired; `wall`
 * is what expiries are written to disk in.
 *
 * Stores that persist are written behind: a thread of the space brings changes
 * to a file of SQLite, in one transaction each KV_FLUSH_MS or KV_FLUSH_COUNT
 * changes. What is in memory counts; the file is read when a store is opened
 * for the first time. A process that is killed loses the last batch at most; of that
 * some keys may be written and others not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_KV_H
#define NEXUS_STATE_KV_H

#include "base/blob.h"

/* Defaults of a space. */
#define KV_MAX_ENTRIES UINT64_C(1000000)
#define KV_MAX_BYTES   (UINT64_C(256) << 20)

#define KV_MAX_STORES    1000
#define KV_MAX_KEY_LEN   1024
#define KV_MAX_VALUE_LEN (UINT32_C(16) << 20)
#define KV_MAX_NAME_LEN  100
#define KV_MAX_TTL_MS    (UINT64_C(10) * 365 * 86400 * 1000)

/* Octets that an entry costs besides its key and its value. */
#define KV_ENTRY_COST 192

#define KV_FLUSH_MS    200
#define KV_FLUSH_COUNT 1000

struct kv_space;
struct kv_store;

struct kv_time {
    uint64_t now, wall; /* ms: monotonic, and since 1970 */
};

/* Says what went wrong and where: names the store and the bound, or the file. */
struct kv_error {
    char words[256];
};

struct kv_space_options {
    const char *realm;    /* for messages and the name of the file; NULL: the router's space */
    const char *folder;   /* where files go, made when it is missing; NULL: nothing can persist */
    uint64_t max_entries; /* of all stores together; 0: KV_MAX_ENTRIES */
    uint64_t max_bytes;   /* 0: KV_MAX_BYTES */
    bool is_shared;       /* several threads use it all the time */
};

/* Options are copied. Nothing is opened on disk before a store wants to persist. */
struct kv_space *kv_space_new(const struct kv_space_options *options);

/* Writes what is not yet written, and frees. Returns 0, or ERR_IO when something could not be
 * written; words then name the file. NULL is fine. No store may be used any more. */
int kv_space_close(struct kv_space *space, struct kv_error *error);

/* Waits until all that was changed before is on disk. */
int kv_space_flush(struct kv_space *space, struct kv_error *error) MUST_CHECK;

enum kv_choice { KV_UNSAID, KV_YES, KV_NO };

/* What is unsaid (0) is as the store has it already, else as said here. */
struct kv_store_options {
    enum kv_choice persists; /* no */
    enum kv_choice evicts;   /* no: a full store refuses */
    uint64_t max_entries;    /* those of the space */
    uint64_t max_bytes;
};

/* The store with that name, made or read from disk when it was not open yet; NULL with words when
 * the options cannot be had. Bounds and eviction of an open one are changed; whether it persists
 * cannot be. It belongs to the space. */
struct kv_store *kv_open(struct kv_space *space, struct slice name,
                         const struct kv_store_options *options, struct kv_time time,
                         struct kv_error *error) MUST_CHECK;

struct slice kv_name(const struct kv_store *store);

/* The value, held by the caller, or NULL. *version, which may be NULL, gets a number that no other
 * value of this key has or will have; 0: there is no value. */
struct blob *kv_get(struct kv_store *store, struct slice key, uint64_t now,
                    uint64_t *version) MUST_CHECK;

/* What happens to a key. */
struct kv_change {
    struct slice key;
    struct blob *value; /* borrowed: the store holds it; NULL: the key goes */
    uint64_t ttl_ms;    /* 0: it stays */
    bool keeps_ttl;     /* it expires when the value before would have; ttl_ms is not looked at */
    bool is_new;        /* only if there is no value: else ERR_IN_USE */
    bool is_same;       /* only if the version is still this one: else ERR_IN_USE */
    uint64_t version;
};

/* Returns 0, ERR_IN_USE, ERR_TOO_LONG (key or value), ERR_FULL with words; ERR_NOT_FOUND when a
 * key should go and is not there. */
int kv_change(struct kv_store *store, const struct kv_change *change, struct kv_time time,
              struct kv_error *error) MUST_CHECK;

/* Adds to an integer; without a value it begins with `start`, and ttl_ms counts from then on. Values
 * are MessagePack here. ERR_INVALID: the value is no integer of 64 bits, or the sum is not. */
struct kv_addition {
    struct slice key;
    int64_t n, start;
    uint64_t ttl_ms;
};

int kv_incr(struct kv_store *store, const struct kv_addition *addition, struct kv_time time,
            int64_t *sum, struct kv_error *error) MUST_CHECK;

/* Entries that have not expired. */
uint64_t kv_size(struct kv_store *store, uint64_t now);

/* A walk over the keys with a prefix. Anything may change meanwhile: what is there all the time
 * comes exactly once, what comes or goes may come or not. In the order of the keys, octet by octet;
 * not so in the router's space. */
struct kv_cursor {
    unsigned shard;
    bool has_begun;
    size_t len;
    char last[KV_MAX_KEY_LEN]; /* the key that came last */
};

/* Starts with a cursor of zeros. The next value, held by the caller, whose key is then `last` in the
 * cursor; NULL at the end. */
struct blob *kv_next(struct kv_store *store, struct slice prefix, uint64_t now,
                     struct kv_cursor *cursor) MUST_CHECK;

/* For tests: whether all structures agree with each other. */
bool kv_is_sound(struct kv_store *store);

#endif
