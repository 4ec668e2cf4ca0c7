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
    uv_loop_t *loop;
    struct list queue; /* of work that has no thread yet */
    unsigned under_way, running;
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

    if (host->work == NULL) {
        host->work = mem_zero(1, sizeof(*host->work));
        host->work->loop = host->loop;
        list_init(&host->work->queue);
    }
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

static void run_more(struct tally *tally);

static void on_done(uv_work_t *request, int status)
{
    struct work *work = container_of(request, struct work, request);
    struct tally *tally = work->tally;

    (void)status;
    tally->running--;
    work->is_under_way = false;
    if (work->is_dropped)
        work->free(work);
    else
        wait_done(&work->wait);
    run_more(tally);
    tally->under_way--; /* not before, so that the tally stays */
    tally_drop(tally);
}

static void run_more(struct tally *tally)
{
    struct list *node;

    while (tally->running < MAX_WORK_RUNNING && (node = list_first(&tally->queue)) != NULL) {
        struct work *work = container_of(node, struct work, link);

        list_remove(node);
        tally->running++;
        (void)uv_queue_work(tally->loop, &work->request, on_thread, on_done);
    }
}

static void drop(struct wait *wait)
{
    struct work *work = container_of(wait, struct work, wait);

    if (list_is_linked(&work->link)) { /* it has not begun */
        list_remove(&work->link);
        work->tally->under_way--;
        work->is_under_way = false;
    }
    work->is_dropped = true;
    if (!work->is_under_way)
        work->free(work);
}

int l_work(lua_State *lua, struct work *work)
{
    struct tally *tally = host_of(lua)->work;

    work->wait.drop = drop;
    work->tally = tally;
    work->is_under_way = true;
    tally->under_way++;
    list_append(&tally->queue, &work->link);
    run_more(tally);
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
