/* tasks.c -- what a policy does at times. See handlers.h.
 *
 * A task never overlaps itself: the next time is counted from the end of a run. They belong to a
 * version and stop when another takes over; a run that is under way is finished.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/handlers.h"

#define LOOK_MS 60000 /* between two looks at the clock on the wall */

struct task {
    struct fiber fiber;
    struct realm_timer timer;
    struct list of_version;  /* version->tasks */
    struct version *version; /* not held: it knows its tasks */
    struct mind *mind;
    const struct task_spec *spec;
    uint64_t due; /* cron: the time on the wall; 0: there is none */
    bool is_running, is_stopped;
};

static struct task *task_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct task, fiber);
}

/* The clock on the wall may be set while this one runs on, so it is looked at now and then. */
static void wait_for_wall(struct task *task)
{
    struct realm *realm = task->mind->realm;
    uint64_t left = task->due - realm_wall(realm);

    if (left > LOOK_MS && !realm_is_virtual(realm))
        left = LOOK_MS;
    realm_set_timer(realm, &task->timer, realm_now(realm) + left);
}

static void set_next(struct task *task)
{
    struct realm *realm = task->mind->realm;
    const struct task_spec *spec = task->spec;
    uint64_t wall = realm_wall(realm);

    if (spec->every_ms != 0) {
        realm_set_timer(realm, &task->timer,
                        realm_now(realm) + spec->every_ms +
                            (spec->jitter_ms == 0
                                 ? 0
                                 : rng_below(&task->mind->rng, (uint32_t)spec->jitter_ms + 1)));
        return;
    }
    task->due = cron_next(&spec->cron, wall);
    if (task->due != 0)
        wait_for_wall(task);
}

static void task_free(struct task *task)
{
    list_remove(&task->of_version);
    realm_clear_timer(task->mind->realm, &task->timer);
    mem_free(task);
}

static void push(lua_State *lua, void *ctx)
{
    l_policy_push_hook(lua, task_of(ctx)->spec->hook);
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct task *task = task_of(fiber);

    (void)how;
    (void)failure;
    task->is_running = false;
    if (task->is_stopped || task->mind->is_stopped)
        task_free(task);
    else
        set_next(task);
}

static const struct fiber_kind kind = {"task", BUDGET_TASK, push, NULL, NULL, end, false};

static void on_time(struct realm_timer *timer)
{
    struct task *task = container_of(timer, struct task, timer);

    if (task->due > realm_wall(task->mind->realm)) { /* else it would be due again after the run */
        wait_for_wall(task);
        return;
    }
    task->is_running = true;
    task->fiber.parent = NULL;
    fiber_start(&task->fiber, task->version, &kind, 0);
}

void tasks_start(struct version *version)
{
    const struct policy *policy = version->policy;

    for (size_t i = 0; i < policy->task_count; i++) {
        struct task *task = mem_zero(1, sizeof(*task));

        task->version = version;
        task->mind = version->mind;
        task->spec = &policy->tasks[i];
        task->timer.fire = on_time;
        list_append(&version->tasks, &task->of_version);
        set_next(task);
    }
}

void tasks_stop(struct version *version)
{
    list_each (&version->tasks, node, after) {
        struct task *task = container_of(node, struct task, of_version);

        task->is_stopped = true;
        realm_clear_timer(task->mind->realm, &task->timer);
        if (!task->is_running)
            task_free(task);
    }
}
