/* store.h -- where events are kept: the interface, and the store in memory.
 *
 * A core asks its store for two things: logs, one for each pattern with event
 * history, and the retained events of topics. The store in memory is bounded by
 * numbers of the configuration and gone with the process; another one has the
 * same ten functions.
 *
 * WAMP: "Event History", "Event Retention".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_STORE_H
#define NEXUS_CORE_STORE_H

#include "core/record.h"
#include "wire/uri.h"

struct log_limits {
    uint32_t max_events; /* at least 1 */
    uint32_t max_age_s;  /* 0: no bound */
    uint64_t max_bytes;  /* 0: no bound */
};

/* Which events of a log are wanted. Positions are in order of receipt, whatever the order of the
 * answer. */
struct log_query {
    bool is_reverse;                /* newest first */
    uint64_t limit;                 /* how many at most, after all conditions */
    uint64_t from_wall, until_wall; /* ms since 1970, both included; 0, UINT64_MAX: any */
    struct slice topic;             /* data NULL: any */
    /* Positions, 0: none. At or after `from` and after `after`: nothing matches when the log does
     * not have that publication. At or before `until` and before `before`: no bound when it does
     * not. */
    uint64_t from_publication, after_publication, until_publication, before_publication;
    bool (*wants)(void *ctx, struct record *); /* a last condition; NULL: none */
    void (*found)(void *ctx, struct record *); /* borrowed for the call */
    void *ctx;
};

struct log_answer {
    bool is_full; /* the log has dropped older events */
    bool is_more; /* more events match than `limit` */
};

struct store_log; /* of the store */

/* Bounds of the retained events of one realm. */
struct retained_limits {
    uint32_t max_topics;
    uint64_t max_bytes;
};

/* Restricted events that are kept for one topic, next to the one for everybody. */
#define MAX_RESTRICTED 16

typedef void retained_found_fn(void *ctx, struct slice topic, struct record *const *newest_first,
                               size_t count);

struct store_counts {
    uint64_t logged, logged_bytes;                      /* events in logs */
    uint64_t retained_topics, retained, retained_bytes; /* topics, events, their bytes */
};

struct store_ops {
    /* Logs. uri is copied. `now` is the wall clock in ms. */
    struct store_log *(*log_open)(void *store, enum match match, struct slice uri,
                                  const struct log_limits *limits);
    void (*log_close)(void *store, struct store_log *log);
    /* Keeps the record (takes a reference of its own). */
    void (*log_append)(void *store, struct store_log *log, struct record *record, uint64_t now);
    void (*log_query)(void *store, struct store_log *log, const struct log_query *query,
                      uint64_t now, struct log_answer *answer);

    /* Retained events. A record that is not restricted replaces all of its topic; false: full,
     * nothing was kept. */
    bool (*retain)(void *store, struct record *record);
    void (*forget)(void *store, struct slice topic);
    /* Calls `found` for each topic that matches, the one that was updated longest ago first, with
     * its records from the newest to the oldest; at most `limit` topics. */
    void (*retained)(void *store, enum match match, struct slice uri, size_t limit,
                     retained_found_fn *found, void *ctx);

    void (*count)(const void *store, struct store_counts *counts);
    void (*check)(const void *store); /* CHECKs its invariants */
    void (*free)(void *store);
};

struct store {
    const struct store_ops *ops;
    void *store;
};

/* A store in memory. */
struct store store_memory(const struct retained_limits *limits, uint64_t seed0, uint64_t seed1);

#endif
