/* work.c -- see work.h.
 *
 * The count of what is under way outlives the host, as threads end when they end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/work.h"

#include "base/mem.h"

#include <lauxlib.h>

struct tally {
    unsigned under_way;
    bool is_left; /* by its host */
};

static void tally_drop(struct tally *tally)
{
    if (tally->is_left && tally->under_way == 0)
        mem_free(tally);
}

struct host *l_work_allowed(lua_State *lua, const char *function)
{
    struct host *host = l_host_waits(lua);

    if (host->work == NULL)
        host->work = mem_zero(1, sizeof(*host->work));
    if (host->work->under_way >= MAX_WORK)
        luaL_error(lua, "%s: found %d under way in this realm; allowed are %d at once", function,
                   (int)host->work->under_way, MAX_WORK);
    return host;
}

static void on_thread(uv_work_t *request)
{
    struct work *work = container_of(request, struct work, request);

    work->run(work);
}

static void on_done(uv_work_t *request, int status)
{
    struct work *work = container_of(request, struct work, request);
    struct tally *tally = work->tally;

    (void)status;
    tally->under_way--;
    work->is_under_way = false;
    if (work->is_dropped)
        work->free(work);
    else
        wait_done(&work->wait);
    tally_drop(tally);
}

static void drop(struct wait *wait)
{
    struct work *work = container_of(wait, struct work, wait);

    work->is_dropped = true;
    if (!work->is_under_way)
        work->free(work);
}

int l_work(lua_State *lua, struct work *work)
{
    struct host *host = host_of(lua);

    work->wait.drop = drop;
    work->tally = host->work;
    work->tally->under_way++;
    work->is_under_way = true;
    if (uv_queue_work(host->loop, &work->request, on_thread, on_done) != 0) {
        work->tally->under_way--;
        work->free(work);
        return luaL_error(lua, "no thread could be had");
    }
    return l_wait(lua, &work->wait);
}

void work_leave(struct host *host)
{
    if (host->work == NULL)
        return;
    host->work->is_left = true;
    tally_drop(host->work);
    host->work = NULL;
}
