/* module_kit.h -- what the tests of the room `module` share: a state with the module, a host, and a
 * loop that wakes up what waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_MODULE_KIT_H
#define NEXUS_SPEC_MODULE_KIT_H

#include "module/host.h"
#include "module/module.h"
#include "script/wait.h"
#include "script_kit.h"

#include <uv.h>

static struct host kit_host;
static struct host_config kit_config;
static uv_loop_t kit_loop;

static inline int kit_l_open_nexus(lua_State *lua)
{
    static const struct module_table *const none[] = {NULL};

    return l_module_open(lua, none);
}

static inline int kit_l_set_host(lua_State *lua)
{
    l_host_set(lua, lua_touserdata(lua, 1));
    return 0;
}

static inline void kit_mask(void *ctx, char *text)
{
    (void)ctx;
    host_mask(&kit_host, text);
}

static inline void kit_open_module(void)
{
    kit_open_with((struct vm_options){.mask = kit_mask});
    EXPECT_EQ(uv_loop_init(&kit_loop), 0);
    host_init(&kit_host);
    kit_host.realm = "com.acme";
    kit_host.version = "c0ffee";
    kit_host.config = &kit_config;
    kit_host.loop = &kit_loop;
    EXPECT_EQ(vm_try(kit.vm, kit_l_set_host, &kit_host, NULL, 0), 0);
    EXPECT_EQ(vm_provide(kit.vm, "nexus", kit_l_open_nexus), 0);
}

static inline void kit_close_module(void)
{
    kit_close();
    host_fini(&kit_host);
    uv_run(&kit_loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&kit_loop), 0);
}

/* ---- runs that wait ---- */

/* One run of its own; several may be under way. */
struct kit_run {
    struct door_answer answer;
    struct wait *wait;
    bool is_awake, is_over;
    char results[400];
};

static inline void kit_wake(struct wait *wait)
{
    struct kit_run *run = wait->sleeper;

    run->is_awake = true;
}

static inline void kit_push_wait(lua_State *lua, void *ctx)
{
    struct wait *wait = ctx;

    if (wait->push != NULL)
        wait->push(lua, wait);
}

/* After each step of a run. */
static inline void kit_settle(struct kit_run *run)
{
    struct wait *before = run->wait;

    run->wait = NULL;
    run->is_awake = false;
    if (before != NULL)
        before->drop(before);
    run->is_over = run->answer.outcome != DOOR_WAITING;
    if (run->is_over) {
        snprintf(run->results, sizeof(run->results), "%.399s",
                 run->answer.outcome == DOOR_RETURNED ? kit.results : run->answer.message);
        return;
    }
    run->wait = wait_of(&run->answer);
    wait_sleep(run->wait, kit_wake, run);
}

static inline void kit_begin(struct kit_run *run, const char *code)
{
    *run = (struct kit_run){0};
    kit.code = code;
    kit.results[0] = '\0';
    door_enter(kit.vm, &kit.call, &run->answer);
    kit_settle(run);
}

/* Goes on until the run ends. */
static inline void kit_end(struct kit_run *run)
{
    while (!run->is_over) {
        while (!run->is_awake)
            uv_run(&kit_loop, UV_RUN_ONCE);
        kit.results[0] = '\0';
        door_resume(run->answer.run, kit_push_wait, run->wait, &run->answer);
        kit_settle(run);
    }
}

static inline void kit_cancel(struct kit_run *run)
{
    struct wait *wait = run->wait;

    door_cancel(run->answer.run, DOOR_CANCELED, "canceled", &run->answer);
    run->wait = NULL;
    wait->drop(wait);
    run->is_over = true;
}

/* As kit_run of script_kit.h, for what may wait. */
static inline enum door_outcome kit_run_all(const char *code)
{
    struct kit_run run;

    kit_begin(&run, code);
    kit_end(&run);
    kit.answer = run.answer;
    return kit.answer.outcome;
}

#define kit_run(code) kit_run_all(code)

#endif
