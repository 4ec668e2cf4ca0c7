/* state.h -- all that outlives the states of Lua of one realm.
 *
 * It is opened when the realm begins, given to each state of Lua that runs the
 * realm's policy, one after the other or two at once, and closed when the realm
 * ends and no state of Lua is left.
 *
 * The router has two things of this kind as well, which all realms use: the space
 * of stores with `scope = "router"`, and the registry of metrics. router_state holds
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_STATE_H
#define NEXUS_STATE_STATE_H

#include "state/kv.h"
#include "state/limiter.h"
#include "state/metrics.h"

struct state_options {
    const char *realm;
    const char *folder;                    /* where files go; NULL: stores cannot persist */
    uint64_t kv_max_entries, kv_max_bytes; /* of all stores of the realm; 0: the defaults of kv.h */
    size_t max_buckets;                    /* of all limiters; 0: LIMITER_BUCKETS */
    size_t max_series;                     /* of all metrics; 0: METRICS_MAX_SERIES */
    struct metrics
        *metrics; /* the router's; borrowed until state_close. NULL: nothing is counted */
};

struct state {
    struct kv_space *kv;
    struct limiters *limiters;
    struct metrics_scope *metrics; /* of the policy */
    struct metrics_scope *counts;  /* of the router about the policy, which cannot fill it */
};

/* Never NULL: nothing is opened on disk before a policy asks for it. Options are copied. */
struct state *state_open(const struct state_options *options);

/* Brings to disk what is not there yet, and says in the log if it cannot. Returns 0 or ERR_IO then.
 * NULL is fine. */
int state_close(struct state *state);

struct router_state {
    struct kv_space *kv;
    struct metrics *metrics;
};

/* options->realm, ->metrics, ->max_buckets and ->max_series are not looked at. */
struct router_state *router_state_open(const struct state_options *options);

/* After all state_close. */
int router_state_close(struct router_state *state);

#endif
