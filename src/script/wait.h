/* wait.h -- what a run of Lua waits for, and how it is woken up.
 *
 * A C function of the module that cannot answer at once begins its work, and ends
 * with `return l_wait(lua, &work->wait)`. When the work is done, on the thread of
 * the loop, wait_done wakes the run up: push is called in it, and what that pushes
 * are the results of the function; or it raises.
 *
 *     l_wait_allowed(lua);               before any work is begun: may raise
 *     work = ...; work->wait = (struct wait){.push = , .drop = };
 *     return l_wait(lua, &work->wait);
 *
 * The run owns the wait from l_wait on. `drop` is called exactly once: after push,
 * or instead of it when the run has ended before; the work may still be under way
 * then, and must not call wait_done any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_WAIT_H
#define NEXUS_SCRIPT_WAIT_H

#include "script/door.h"

struct wait {
    /* Pushes the results, all that lies above what was on the stack; or raises. NULL: none. */
    void (*push)(lua_State *lua, struct wait *wait);
    void (*drop)(struct wait *wait);

    /* For whoever runs it. */
    void (*wake)(struct wait *wait);
    void *sleeper;
    bool is_done;
};

/* Raises where nothing can wait: while loading, in a filter predicate, in a comparator. */
void l_wait_allowed(lua_State *lua);

/* What is said where a function of Lua that `fn` called would wait; fn is a C function without
 * upvalues. The words are static. */
void l_wait_blocks(lua_State *lua, lua_CFunction fn, const char *words);

/* Gives the thread back until the wait is done. In the same call of a function as l_wait_allowed, so
 * it cannot raise any more. */
int l_wait(lua_State *lua, struct wait *wait);

/* The work is done. Also before the run sleeps, from within the function that began it. */
void wait_done(struct wait *wait);

/* For the scheduler: what an answer DOOR_WAITING waits for. `wake` is called once it is done; at
 * once when it is done already. */
struct wait *wait_of(const struct door_answer *answer);
void wait_sleep(struct wait *wait, void (*wake)(struct wait *wait), void *sleeper);

#endif
