/* fiber.h -- calls of functions of a policy, taken in turns on the thread of a realm's home.
 *
 * A fiber is one call: of a hook, a handler, a task, or of a function that one of these has
 * spawned. It runs when no other fiber of its realm is in the middle of a slice, may wait
 * (script/wait.h), and ends once: with results, an error, out of a budget, or canceled. Whoever
 * starts one puts a struct fiber into something of his own; it is his again when `end` is called.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_FIBER_H
#define NEXUS_POLICY_FIBER_H

#include "base/list.h"
#include "base/map.h"
#include "policy/policy_priv.h"
#include "router/router.h"
#include "script/wait.h"

#include <uv.h>

struct fiber;
struct mind;
struct reads;

#define MAX_FIBERS 10000 /* of a realm, that have begun and are not over */

enum fiber_end {
    FIBER_RETURNED,
    FIBER_FAILED, /* it raised, or a budget ran out: answer has words */
    FIBER_CANCELED,
};

/* What all fibers of a sort have in common. The functions' ctx is the fiber. */
struct fiber_kind {
    const char *hook; /* for the log and for metrics */
    enum budget_kind budget;
    door_push_fn push;
    door_take_fn take, caught; /* may be NULL */
    void (*end)(struct fiber *fiber, enum fiber_end end, const struct door_answer *answer);
    bool is_quiet; /* somebody else says what went wrong */
};

struct fiber {
    struct list link;       /* fibers->ready, or none */
    struct list of_version; /* version->fibers */
    struct fibers *fibers;
    struct version *version; /* held */
    const struct fiber_kind *kind;
    struct door_run *run; /* NULL: it has not begun, or is over */
    struct wait *wait;    /* owned: what it waits for */
    struct realm_timer clock;
    uint64_t ends_at;     /* its time on the wall is over, realm_now */
    uint64_t wall_ms;     /* how long that is */
    uint64_t began_ns;    /* for metrics */
    const char *cancel;   /* it is to end with these words; static or living as long */
    bool is_late;         /* its time is over */
    bool is_judging;      /* a predicate runs: nothing may be changed */
    struct reads *reads;  /* what it looks at is noted there; NULL: nowhere */
    struct fiber *parent; /* who spawned it and counts it; NULL: nobody, or gone */
    uint64_t session;     /* on whose behalf it runs, for the log; 0: nobody's */
    unsigned spawned;     /* that live, of this one */
    char late[40];        /* "not done after 5 s", when it was not */
};

/* All fibers of a realm. */
struct fibers {
    struct mind *mind;
    struct realm *realm;
    struct list ready;
    struct fiber *sliced;  /* it goes first */
    struct fiber *running; /* the one whose Lua is being run; NULL: none */
    bool is_running, is_stopped, has_handle;
    size_t count;     /* begun and not over */
    uint64_t wall_ns; /* of each one, by the machine's clock; 0: the realm's clock counts */
    uv_idle_t turn;
};

/* A policy that runs: the current one of a realm, an older one with fibers left, or one that tries
 * the current one out (rehearsal.h). */
struct version {
    struct mind *mind;
    struct fibers *turns;  /* the mind's, or its own */
    struct policy *policy; /* owned */
    unsigned refs;         /* the mind's while it is current, and one for each fiber */
    struct list fibers;
    struct list of_mind;
    struct realm_timer drain; /* when its fibers have to be over; set when another took over */
    struct list tasks;        /* owned: struct task */
    struct map timers;        /* id -> of nexus.after, owned */
    uint64_t last_timer;
};

/* It may begin something that lasts. */
bool version_is_live(const struct version *version);

void version_drop(struct version *version);

/* Cancels all its fibers. The caller holds the version. */
void version_end(struct version *version, const char *words);

/* The loop will not run any more: its fibers end as canceled, where they are, and no Lua runs. */
void version_abandon(struct version *version);

void fibers_init(struct fibers *fibers, struct mind *mind, struct realm *realm);

/* On the thread of the loop. */
void fibers_start(struct fibers *fibers);

/* The loop will not run any more: nothing is begun or gone on with. */
void fibers_stop(struct fibers *fibers);

/* Until it is released no fiber is stepped: for who walks what code of a policy may change. They nest:
 * release gets what hold has returned. */
bool fibers_hold(struct fibers *fibers) MUST_CHECK;
void fibers_release(struct fibers *fibers, bool was_held);

/* Begins a call, with the parent, reads and session that it has; it may be over when this returns.
 * wall_ms: its time if that is less than what its
 * budget says; 0: that. */
void fiber_start(struct fiber *fiber, struct version *version, const struct fiber_kind *kind,
                 uint64_t wall_ms);

/* Ends it: where it waits, `words` are raised, and again at each further wait. `end` is called, now
 * or later. Fine when it is over, and for the one that runs. */
void fiber_cancel(struct fiber *fiber, const char *words);

static inline bool fiber_is_alive(const struct fiber *fiber)
{
    return fiber->version != NULL;
}

/* Raises while a policy is loaded, and in predicates: nothing may be done to the realm there. */
void l_policy_may_act(lua_State *lua);

/* The one that runs this; NULL while a policy is loaded. */
struct fiber *fiber_of(lua_State *lua);

#endif
