/* counts.h -- what is counted of the runs of a policy, for /metrics.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_COUNTS_H
#define NEXUS_POLICY_COUNTS_H

#include "script/door.h"
#include "state/metrics.h"

#define COUNTS_HOOKS 48 /* sorts of functions that a policy has; the rest is not counted */

struct hook_counts {
    const char *hook; /* told apart by address */
    struct metric *calls, *seconds, *killed;
};

struct counts {
    struct metrics_scope *scope; /* borrowed; NULL: nothing is counted */
    struct hook_counts hooks[COUNTS_HOOKS];
    size_t hook_count;
    struct metric *waiting, *memory, *rebuilt, *failed_reloads;
};

void counts_init(struct counts *counts, struct metrics_scope *scope);

/* How many fibers there are now. */
void counts_waiting(struct counts *counts, size_t fibers);

/* A run is over. `answer` is how, where it failed or was killed; else NULL. */
void counts_run(struct counts *counts, const char *hook, uint64_t took_ns,
                const struct door_answer *answer);

/* A run came to no answer; `kind` says why. */
void counts_error(struct counts *counts, const char *hook, const char *kind);

/* A state was full, and made anew. */
void counts_rebuilt(struct counts *counts);

/* A reload failed. */
void counts_failed_reload(struct counts *counts);

/* Bytes of the state of Lua. */
void counts_memory(struct counts *counts, size_t bytes);

#endif
