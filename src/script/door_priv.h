/* door_priv.h -- a run, and its budgets.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_DOOR_PRIV_H
#define NEXUS_SCRIPT_DOOR_PRIV_H

#include "script/door.h"
#include "script/vm_priv.h"

struct door_run {
    struct list link; /* vm->idle or vm->busy */
    struct vm *vm;
    lua_State *co; /* counted by ref; NULL: none yet */
    int ref;
    struct door_call call;
    uint64_t serial;            /* of the entry */
    struct door_answer *answer; /* borrowed while it runs */
    door_push_fn wake;
    void *wake_ctx;
    struct door_wait wait;
    const char *cancel_words;
    enum door_limit canceled; /* asked for by door_cancel */
    enum door_limit fired;    /* the budget that ran out */
    bool is_waiting, is_sliced;
    bool is_closing; /* only its <close> variables run */
    bool has_returned;
    bool is_out_of_memory;

    /* Since when, and what was used before. 0: the clock was not looked at yet. */
    uint64_t began_at, segment_at, segment_cpu_at;
    uint64_t stretch_ns; /* earlier segments of this stretch */
    uint64_t cpu_ns;     /* earlier stretches */
    uint64_t instructions;
    char refused_at[80]; /* where memory ran out */
};

/* ---- budget.c ---- */

/* Nanoseconds of the monotonic clock. */
uint64_t budget_now(void);

/* Notes the time if this is the first look in this entry or segment. */
void budget_look(struct door_run *run, uint64_t now);

/* The budget that has run out, if any. */
enum door_limit budget_limit(struct door_run *run, uint64_t now);

/* The run leaves Lua: what it used is added up. A stretch ends where it waits. */
void budget_end(struct door_run *run, bool is_stretch_end);

/* What a limit says to the author of a policy. */
void budget_words(const struct door_run *run, enum door_limit limit, char *out, size_t len);

#endif
