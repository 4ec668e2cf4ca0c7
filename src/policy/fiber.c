/* fiber.c -- see fiber.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/fiber.h"

#include "base/mem.h"
#include "policy/handlers.h"
#include "policy/mind.h"
#include "policy/waiting.h"

#include <lauxlib.h>

#include <stdio.h>

#define NS_PER_MS   UINT64_C(1000000)
#define TURN_NS     (2 * NS_PER_MS) /* of fibers, one after the other; then the loop has its turn */
#define TURN_PERIOD 16              /* steps between two looks at the clock */

/* ---- versions ---- */

bool version_is_live(const struct version *version)
{
    return version->mind->current == version || version->turns != &version->mind->fibers;
}

void version_drop(struct version *version)
{
    if (--version->refs != 0)
        return;
    waiting_forget(version);
    tasks_stop(version);
    map_fini(&version->timers);
    realm_clear_timer(version->mind->realm, &version->drain);
    list_remove(&version->of_mind);
    policy_free(version->policy);
    mem_free(version);
}

/* ---- the end ---- */

static void drop_wait(struct fiber *fiber)
{
    struct wait *wait = fiber->wait;

    fiber->wait = NULL;
    if (wait == NULL)
        return;
    wait->wake = NULL;
    wait->drop(wait);
}

/* What it has spawned goes on without it. */
static void orphan(struct fiber *fiber)
{
    if (fiber->spawned == 0)
        return;
    list_each (&fiber->version->fibers, node, after) {
        struct fiber *other = container_of(node, struct fiber, of_version);

        if (other->parent == fiber)
            other->parent = NULL;
    }
    fiber->spawned = 0;
}

static void finish(struct fiber *fiber, enum fiber_end end, const struct door_answer *answer)
{
    struct version *version = fiber->version;

    realm_clear_timer(fiber->fibers->realm, &fiber->clock);
    list_remove(&fiber->of_version);
    list_remove(&fiber->link);
    fiber->fibers->count--;
    if (fiber->parent != NULL)
        fiber->parent->spawned--;
    orphan(fiber);
    mind_count(version->mind, fiber, end, answer);
    fiber->run = NULL;
    fiber->version = NULL;
    fiber->kind->end(fiber, end, answer);
    version_drop(version);
}

void version_abandon(struct version *version)
{
    waiting_forget(version);
    tasks_stop(version);
    realm_clear_timer(version->mind->realm, &version->drain);
    list_each (&version->fibers, node, after) {
        struct fiber *fiber = container_of(node, struct fiber, of_version);

        drop_wait(fiber);
        realm_clear_timer(fiber->fibers->realm, &fiber->clock);
        list_remove(&fiber->link);
        list_remove(&fiber->of_version);
        fiber->parent = NULL;
        fiber->run = NULL;
        fiber->version = NULL;
        version->refs--;
        fiber->fibers->count--;
        fiber->kind->end(fiber, FIBER_CANCELED, NULL);
    }
}

/* ---- turns ---- */

static void run_ready(struct fibers *fibers);

static void make_ready(struct fiber *fiber)
{
    if (!list_is_linked(&fiber->link))
        list_append(&fiber->fibers->ready, &fiber->link);
    run_ready(fiber->fibers);
}

static void on_wake(struct wait *wait)
{
    make_ready(wait->sleeper);
}

static void on_clock(struct realm_timer *timer)
{
    struct fiber *fiber = container_of(timer, struct fiber, clock);

    fiber->is_late = true;
    snprintf(fiber->late, sizeof(fiber->late), "not done after %g s",
             (double)fiber->wall_ms / 1000);
    fiber_cancel(fiber, fiber->late);
}

static void settle(struct fiber *fiber, const struct door_answer *answer)
{
    struct fibers *fibers = fiber->fibers;

    fiber->run = answer->run;
    switch (answer->outcome) {
    case DOOR_RETURNED:
        finish(fiber, FIBER_RETURNED, answer);
        return;
    case DOOR_FAILED:
        finish(fiber, FIBER_FAILED, answer);
        return;
    case DOOR_KILLED:
        finish(fiber, fiber->cancel != NULL && !fiber->is_late ? FIBER_CANCELED : FIBER_FAILED,
               answer);
        return;
    case DOOR_SLICED:
        fibers->sliced = fiber;
        break;
    case DOOR_WAITING:
        fiber->wait = wait_of(answer);
        break;
    }
    if (fiber->ends_at != NEVER && !deadline_is_set(&fiber->clock.deadline))
        realm_set_timer(fibers->realm, &fiber->clock, fiber->ends_at);
    if (fiber->wait == NULL)
        return;
    wait_sleep(fiber->wait, on_wake, fiber);
    if (fiber->cancel != NULL) { /* while it ran */
        drop_wait(fiber);
        make_ready(fiber);
    }
}

/* What a wait stood for may be wanted anew by the next lines of Lua: so it is dropped here, unless its
 * push raises. */
static void push_results(lua_State *lua, void *ctx)
{
    struct wait **wait = ctx;

    if ((*wait)->push != NULL)
        (*wait)->push(lua, *wait);
    (*wait)->drop(*wait);
    *wait = NULL;
}

static void begin(struct fiber *fiber, struct door_answer *answer)
{
    const struct fiber_kind *kind = fiber->kind;
    struct policy *policy = fiber->version->policy;
    struct door_call call = {.push = kind->push,
                             .take = kind->take,
                             .caught = kind->caught,
                             .ctx = fiber,
                             .budget = policy->budgets[kind->budget]};

    call.budget.wall_ns = fiber->fibers->wall_ns;
    door_enter(policy->vm, &call, answer);
}

static void go_on(struct fiber *fiber, struct door_answer *answer)
{
    struct wait *wait = fiber->wait;

    fiber->wait = NULL;
    if (wait == NULL) {
        door_resume(fiber->run, NULL, NULL, answer);
        return;
    }
    wait->wake = NULL;
    door_resume(fiber->run, push_results, &wait, answer);
    if (wait != NULL)
        wait->drop(wait);
}

/* One step of a fiber: its beginning, or whatever comes after it waited or was sliced. */
static void step(struct fiber *fiber)
{
    struct fibers *fibers = fiber->fibers;
    struct fiber *before = fibers->running;
    struct door_answer answer;

    if (fiber->run == NULL && fiber->cancel != NULL) {
        finish(fiber, FIBER_CANCELED, NULL);
        return;
    }
    fibers->running = fiber;
    if (fiber->run == NULL) {
        begin(fiber, &answer);
    } else if (fiber->cancel != NULL) {
        drop_wait(fiber);
        door_cancel(fiber->run, fiber->is_late ? DOOR_WALL : DOOR_CANCELED, fiber->cancel, &answer);
    } else {
        go_on(fiber, &answer);
    }
    fibers->running = before;
    settle(fiber, &answer);
}

static void on_turn(uv_idle_t *turn);

/* Steps what is ready; all but the one that was sliced wait for that. */
static void run_ready(struct fibers *fibers)
{
    struct list *node;
    uint64_t began = 0;
    unsigned steps = 0;

    if (fibers->is_running || fibers->is_stopped)
        return;
    fibers->is_running = true;
    while (fibers->sliced == NULL && (node = list_first(&fibers->ready)) != NULL) {
        if (++steps % TURN_PERIOD == 0) { /* fibers that begin fibers may do so for ever */
            uint64_t now = uv_hrtime();

            began = began == 0 ? now : began;
            if (now - began >= TURN_NS && fibers->has_handle)
                break;
        }
        list_remove(node);
        step(container_of(node, struct fiber, link));
    }
    fibers->is_running = false;
    if (!fibers->has_handle)
        return; /* fibers_start goes on */
    if (fibers->sliced != NULL || list_first(&fibers->ready) != NULL)
        uv_idle_start(&fibers->turn, on_turn);
    else
        uv_idle_stop(&fibers->turn);
}

/* The loop had its turn. */
static void on_turn(uv_idle_t *turn)
{
    struct fibers *fibers = turn->data;
    struct fiber *fiber = fibers->sliced;

    if (fiber != NULL && !fibers->is_running) {
        fibers->sliced = NULL;
        list_remove(&fiber->link);
        fibers->is_running = true;
        step(fiber);
        fibers->is_running = false;
    }
    run_ready(fibers);
}

void fibers_init(struct fibers *fibers, struct mind *mind, struct realm *realm)
{
    *fibers = (struct fibers){.mind = mind, .realm = realm};
    list_init(&fibers->ready);
}

void fibers_start(struct fibers *fibers)
{
    fibers->has_handle = true;
    uv_idle_init(realm_loop(fibers->realm), &fibers->turn);
    fibers->turn.data = fibers;
    run_ready(fibers);
}

void fibers_stop(struct fibers *fibers)
{
    fibers->is_stopped = true;
    if (fibers->has_handle)
        uv_close((uv_handle_t *)&fibers->turn, NULL);
}

bool fibers_hold(struct fibers *fibers)
{
    bool was_held = fibers->is_running;

    fibers->is_running = true;
    return was_held;
}

void fibers_release(struct fibers *fibers, bool was_held)
{
    fibers->is_running = was_held;
    run_ready(fibers);
}

/* ---- one fiber ---- */

static void set_end(struct fiber *fiber, uint64_t wall_ms)
{
    uint64_t ms = fiber->version->policy->budgets[fiber->kind->budget].wall_ns / NS_PER_MS;

    if (ms == 0 || (wall_ms != 0 && wall_ms < ms))
        ms = wall_ms;
    fiber->ends_at = ms == 0 ? NEVER : realm_now(fiber->fibers->realm) + ms;
    fiber->wall_ms = ms;
}

void fiber_start(struct fiber *fiber, struct version *version, const struct fiber_kind *kind,
                 uint64_t wall_ms)
{
    struct fibers *fibers = version->turns;

    *fiber = (struct fiber){.fibers = fibers,
                            .version = version,
                            .kind = kind,
                            .parent = fiber->parent,
                            .session = fiber->session,
                            .reads = fiber->reads};
    list_init(&fiber->link);
    list_append(&version->fibers, &fiber->of_version);
    version->refs++;
    fibers->count++;
    counts_waiting(&version->mind->counts, fibers->count);
    fiber->clock.fire = on_clock;
    fiber->began_ns = uv_hrtime();
    set_end(fiber, wall_ms);
    make_ready(fiber);
}

void fiber_cancel(struct fiber *fiber, const char *words)
{
    bool was_held;

    if (!fiber_is_alive(fiber))
        return;
    if (fiber->cancel == NULL)
        fiber->cancel = words;
    if (fiber->fibers->running == fiber || fiber->fibers->sliced == fiber)
        return;                            /* it is told when it waits, or has its turn */
    was_held = fibers_hold(fiber->fibers); /* what it waits for may be fibers, which end now */
    drop_wait(fiber);
    make_ready(fiber);
    fibers_release(fiber->fibers, was_held);
}

void version_end(struct version *version, const char *words)
{
    struct fibers *fibers = version->turns;
    bool was_held = fibers_hold(fibers); /* so none is over until all have been told */

    list_each (&version->fibers, node, after)
        fiber_cancel(container_of(node, struct fiber, of_version), words);
    fibers_release(fibers, was_held);
}

void l_policy_may_act(lua_State *lua)
{
    const struct fiber *fiber;

    l_host_acts(lua);
    fiber = fiber_of(lua);
    if (fiber != NULL && fiber->is_judging)
        luaL_error(lua, "cannot act in a filter predicate; do it in policy.filter");
}

struct fiber *fiber_of(lua_State *lua)
{
    const struct policy *policy = policy_of(lua);

    return policy->version == NULL ? NULL : policy->version->turns->running;
}
