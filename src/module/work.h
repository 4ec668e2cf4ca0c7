/* work.h -- what takes long and needs no Lua: a function on a thread of the pool.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_WORK_H
#define NEXUS_MODULE_WORK_H

#include "base/list.h"
#include "module/host.h"
#include "script/wait.h"

#include <uv.h>

#define MAX_WORK         64 /* of one host, waiting for a thread included */
#define MAX_WORK_RUNNING 2  /* uv has four threads, and databases want some of them */

struct tally;

struct work {
    struct wait wait; /* push is the caller's; the rest is not */
    struct list link; /* tally->queue */
    uv_work_t request;
    struct tally *tally;
    void (*run)(struct work *work);  /* on another thread */
    void (*free)(struct work *work); /* on the loop's thread, when nobody needs it any more */
    bool is_under_way, is_dropped;
};

/* Raises when no work can be begun: while loading, where nothing can wait, or as there is too much
 * already. Call it before anything is allocated. */
struct host *l_work_allowed(lua_State *lua, const char *function);

/* Begins, and waits: `return l_work(lua, &mine->work);`. What push pushes are the results. */
int l_work(lua_State *lua, struct work *work);

/* For host_fini. */
void work_leave(struct host *host);

#endif
