/* reload.h -- another version of a policy takes over while its realm goes on.
 *
 * Files are read, compiled and checked on another thread. On the thread of the realm's home a state
 * is made of them, between two messages, and takes over: sessions stay, and so does what both
 * versions serve. When a step fails, the version that was there goes on.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_RELOAD_H
#define NEXUS_POLICY_RELOAD_H

#include "policy/mind.h"

#define KEPT_VERSIONS  5
#define MAX_RELOAD_LEN 4000 /* octets of words about a failure */

struct reloads;

/* How a reload ended. */
struct reload_report {
    bool is_done;      /* the new version runs, or there is nothing new */
    bool is_new;       /* it is not the one that ran before */
    const char *words; /* why not, a line each; NULL when it is done */
    const char *version, *previous;
};

/* Who waits for the end of one; `told` is called once. */
struct reload_wish {
    struct list link;
    void (*told)(struct reload_wish *wish, const struct reload_report *report);
};

struct reloads *reloads_new(struct mind *mind, const struct policy_use *use);
void reloads_free(struct reloads *reloads);

/* The loop runs: files are watched from now on. And: it will not run any more. */
void reloads_start(struct reloads *reloads);
void reloads_stop(struct reloads *reloads);

/* Another thread reads or checks. */
bool reloads_is_busy(const struct reloads *reloads);

/* Reads the policy again, when nothing else of this kind is under way. wish NULL: nobody waits. `by` is
 * copied. */
void reloads_wish(struct reloads *reloads, const char *by, struct reload_wish *wish);

/* The same with another configuration, which the realm has from then on if the policy is sound with it;
 * also when the policy is as it was. */
void reloads_configure(struct reloads *reloads, const struct policy_use *use, const char *by);

/* Reads and checks it, and leaves it at that. */
void reloads_check(struct reloads *reloads, struct reload_wish *wish);

/* What a policy says about options of the core, for EV_RULES and the beginning. */
void reload_core_options(const struct policy *policy, struct core_options *options);

/* Goes back to a version that is kept; false: there is no such version. */
bool reloads_roll_back(struct reloads *reloads, const char *version, const char *by,
                       struct reload_wish *wish);

/* A fiber has failed: a version on probation may have to go. */
void reloads_note_failure(struct reloads *reloads, const struct fiber *fiber);

/* One has failed because there was no memory: garbage is collected soon, and when that does not help the
 * state is made anew of the running version. */
void reloads_note_memory(struct reloads *reloads, const struct fiber *fiber);

/* How often that has happened. */
uint64_t reloads_rebuilt(const struct reloads *reloads);

/* What ran, the newest first; NULL behind the last one. */
struct kept_version {
    struct source *source; /* held */
    uint64_t at;           /* wall clock */
    char by[64];
};
const struct kept_version *reloads_history(const struct reloads *reloads, size_t i);

/* Reloads that failed since the start. */
uint64_t reloads_failures(const struct reloads *reloads);

#endif
