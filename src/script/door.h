/* door.h -- the one way by which C enters Lua.
 *
 * An entry is a run: a function of a policy in a coroutine from a pool, with
 * budgets. It returns, fails, is killed because a budget ran out, waits for the
 * router, or has used up its slice. A run that waits or was sliced is gone on
 * with later, by door_resume; the others have ended when the answer is there.
 *
 * A killed run is never resumed, so no pcall of a policy has a say in it, and
 * whatever it may have returned is not looked at. What its `<close>` variables
 * want to do gets a few milliseconds.
 *
 * C functions that Lua calls may enter again, by this door only. A state knows
 * its runs; ending it ends them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_DOOR_H
#define NEXUS_SCRIPT_DOOR_H

#include "script/vm.h"

struct door_run;

enum door_outcome {
    DOOR_RETURNED,
    DOOR_FAILED,  /* an error that nobody caught: message, trace */
    DOOR_KILLED,  /* a budget ran out: limit, message, trace */
    DOOR_WAITING, /* for what `wait` says; go on with door_resume or door_cancel */
    DOOR_SLICED,  /* go on with door_resume, before any other entry into this state */
};

/* Why a run was killed. */
enum door_limit {
    DOOR_NO_LIMIT,
    DOOR_STRETCH,      /* CPU between two waits */
    DOOR_CPU,          /* CPU in all */
    DOOR_WALL,         /* time from the entry on */
    DOOR_INSTRUCTIONS, /* of Lua, in all */
    DOOR_MEMORY,       /* growth in one stretch, or the cap of the state */
    DOOR_CANCELED,     /* by door_cancel */
};

/* 0 is no limit, of the state's own memory aside. Times are looked at every few hundred
 * instructions. */
struct door_budget {
    uint64_t stretch_ns;
    uint64_t cpu_ns;
    uint64_t wall_ns;
    uint64_t slice_ns;
    uint64_t instructions;
    size_t growth; /* bytes the state may grow in one stretch */
};

/* Pushes values, or raises. */
typedef void (*door_push_fn)(lua_State *lua, void *ctx);

/* Reads the results, which are at 1..count; may raise, and the run has failed then. */
typedef void (*door_take_fn)(lua_State *lua, int count, void *ctx);

struct door_call {
    door_push_fn push;   /* the function, then its arguments */
    door_take_fn take;   /* may be NULL */
    door_take_fn caught; /* the same for an error of the policy: its value is at 1; may be NULL */
    void *ctx;           /* borrowed until the run has ended */
    struct door_budget budget;
    const char *no_wait; /* what a function that waits raises; NULL: waiting is fine. Static */
};

/* What a run waits for: a word between the C function that waits and who woke it up. */
struct door_wait {
    int kind;
    void *object;
};

struct door_answer {
    enum door_outcome outcome;
    enum door_limit limit; /* KILLED */
    struct door_run *run;  /* WAITING, SLICED: borrowed until it has ended; else NULL */
    struct door_wait wait; /* WAITING */
    char message[400];     /* FAILED, KILLED: "file:line: words" */
    char trace[1600];      /* the same: a line for each level, innermost first */
};

/* Runs a function until it ends, waits or has used its slice. */
void door_enter(struct vm *vm, const struct door_call *call, struct door_answer *answer);

/* Goes on with a run that waits or was sliced. A waiting one gets what `push` pushes as the
 * results of the function it waits in, or the error that push raises; NULL: no results. */
void door_resume(struct door_run *run, door_push_fn push, void *ctx, struct door_answer *answer);

/* Ends a run that waits or was sliced: at the point where it waits `words` are raised, and
 * again at each further wait. The answer is DOOR_KILLED with this limit. `words` are borrowed
 * until the run has ended. */
void door_cancel(struct door_run *run, enum door_limit limit, const char *words,
                 struct door_answer *answer);

/* For C functions that wait: `return door_wait(lua, wait);`. The results are what door_resume
 * is given. Raises where waiting is not possible. */
int door_wait(lua_State *lua, struct door_wait wait);

/* The pushing context of the running entry: door_call.ctx. NULL outside of entries. */
void *door_ctx(lua_State *lua);

/* A number that no other entry into this state has, or had. 0 outside of entries. */
uint64_t door_serial(lua_State *lua);

/* The rest of the running entry has this budget, as if it began now, and nothing may wait in it:
 * `words` (static) are raised. */
void door_last_stretch(lua_State *lua, const struct door_budget *budget, const char *words);

/* True when a budget of the running entry has run out, and it is about to be ended. */
bool door_is_over(lua_State *lua);

/* Runs that wait or were sliced. */
size_t door_waiting(const struct vm *vm);

/* "stretch", "cpu", "wall", ... */
const char *door_limit_name(enum door_limit limit);

#endif
