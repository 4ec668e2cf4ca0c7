/* door.c -- see door.h.
 *
 * The life of a run. l_enter is the bottom of its coroutine: it lets the caller
 * push, calls the function protected, and lets the caller take the results; so
 * everything that may raise is within the coroutine. An error of the policy ends
 * l_enter in good order and the coroutine goes back to the pool. A coroutine that
 * was killed, or that an error left otherwise, is thrown away: an error raised
 * by a hook can leave hooks switched off in it.
 *
 * Killing. The hook yields, and the run is not resumed. Where C functions stand
 * in between and nothing can yield (the comparator of a sort), it raises, again
 * at each instruction, until something can. Coroutines of the policy pass both on
 * to whom resumed them (lib_coroutine.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/door.h"

#include "base/check.h"
#include "base/mem.h"
#include "script/door_priv.h"
#include "script/trace.h"

#include <lauxlib.h>

#include <stdio.h>

#define POOL_MAX     64 /* idle coroutines kept */
#define NESTING_MAX  16 /* entries within entries: C stack */
#define GRACE_MEMORY ((size_t)256 * 1024)

/* ---- budgets ---- */

void door_on_refusal(struct vm *vm)
{
    struct door_run *run = vm->run;

    if (run == NULL || vm->running == NULL)
        return;
    /* Lua collects garbage after the first refusal and asks once more. */
    if (vm->heap.refused < 2)
        trace_place(vm->running, 0, run->refused_at, sizeof(run->refused_at));
    else
        run->is_out_of_memory = true;
}

static int step_len(const struct vm *vm)
{
    return vm->heap.large != 0 ? VM_STEP_LARGE : VM_STEP;
}

/* A budget has run out: says where, once. */
static void fire(struct door_run *run, lua_State *lua, enum door_limit limit)
{
    struct door_answer *answer = run->answer;
    char at[100];

    run->fired = limit;
    if (run->is_closing)
        return;
    if (lua != NULL) {
        trace_place(lua, 0, at, sizeof(at));
        trace_all(lua, 0, answer->trace, sizeof(answer->trace));
    }
    if (limit == DOOR_MEMORY)
        snprintf(at, sizeof(at), "%s", run->refused_at);
    else if (lua == NULL)
        at[0] = '\0';
    snprintf(answer->message, sizeof(answer->message), "%s", at);
    budget_words(run, limit, answer->message + strlen(at), sizeof(answer->message) - strlen(at));
}

/* ---- the hook ---- */

bool door_is_ending(const struct vm *vm)
{
    return vm->run != NULL && vm->run->fired != DOOR_NO_LIMIT;
}

/* What is raised needs no memory, and nobody gets to look at it. */
static int raise_end(lua_State *lua)
{
    static const char mark = 0;

    lua_pushlightuserdata(lua, (void *)(uintptr_t)&mark); // NOLINT(performance-no-int-to-ptr)
    return lua_error(lua);
}

int door_end(lua_State *lua)
{
    if (!lua_isyieldable(lua))
        return raise_end(lua);
    vm_of(lua)->yielding = YIELD_KILL;
    return lua_yield(lua, 0);
}

/* True when the run is at its end, or has just come to it. */
static bool is_over(struct door_run *run, lua_State *lua, uint64_t now)
{
    enum door_limit limit;

    if (run->fired != DOOR_NO_LIMIT)
        return true;
    limit = budget_limit(run, now);
    if (limit == DOOR_NO_LIMIT)
        return false;
    fire(run, lua, limit);
    return true;
}

static bool can_slice(const struct door_run *run, lua_State *lua, uint64_t now)
{
    uint64_t slice_ns = run->call.budget.slice_ns;

    return slice_ns != 0 && !run->is_closing && now - run->segment_at >= slice_ns &&
           run->vm->pinned == 0 && lua_isyieldable(lua);
}

void door_on_count(lua_State *lua, lua_Debug *debug)
{
    struct vm *vm = vm_of(lua);
    struct door_run *run = vm->run;
    uint64_t now;

    if (UNLIKELY(debug->event == LUA_HOOKLINE)) {
        cover_line(lua, debug);
        return;
    }
    if (run == NULL)
        return;
    now = budget_now();
    budget_look(run, now);
    run->instructions += (uint64_t)lua_gethookcount(lua);
    if (is_over(run, lua, now)) {
        lua_sethook(lua, door_on_count, vm_hook_mask, 1);
        door_end(lua);
        return;
    }
    if (lua_gethookcount(lua) != step_len(vm))
        lua_sethook(lua, door_on_count, vm_hook_mask, step_len(vm));
    if (can_slice(run, lua, now)) {
        vm->yielding = YIELD_SLICE;
        lua_yield(lua, 0);
    }
}

void door_check(lua_State *lua)
{
    struct vm *vm = vm_of(lua);
    uint64_t now;

    if (vm->run == NULL)
        return;
    now = budget_now();
    budget_look(vm->run, now);
    if (is_over(vm->run, lua, now)) {
        lua_sethook(lua, door_on_count, vm_hook_mask, 1);
        raise_end(lua);
    }
}

/* ---- the entry that runs ---- */

void door_last_stretch(lua_State *lua, const struct door_budget *budget, const char *words)
{
    struct door_run *run = vm_of(lua)->run;

    run->call.no_wait = words;
    run->call.budget = *budget;
    run->call.budget.slice_ns = 0;
    run->began_at = run->segment_at = run->segment_cpu_at = 0;
    run->stretch_ns = run->cpu_ns = 0;
}

bool door_is_over(lua_State *lua)
{
    return vm_of(lua)->run->fired != DOOR_NO_LIMIT;
}

void *door_ctx(lua_State *lua)
{
    const struct door_run *run = vm_of(lua)->run;

    return run == NULL ? NULL : run->call.ctx;
}

uint64_t door_serial(lua_State *lua)
{
    const struct door_run *run = vm_of(lua)->run;

    return run == NULL ? 0 : run->serial;
}

/* ---- the bottom of a coroutine ---- */

/* The message of the error value at the index, without asking its metamethods. */
static void describe(lua_State *lua, int index, char *out, size_t len)
{
    if (lua_type(lua, index) == LUA_TSTRING)
        snprintf(out, len, "%s", lua_tostring(lua, index));
    else if (lua_isinteger(lua, index))
        snprintf(out, len, "%lld", lua_tointeger(lua, index));
    else if (lua_type(lua, index) == LUA_TNUMBER)
        snprintf(out, len, "%.14g", lua_tonumber(lua, index));
    else {
        size_t at;

        trace_place(lua, 1, out, len);
        at = strlen(out);
        snprintf(out + at, len - at, "an error that is no text but a %s",
                 luaL_typename(lua, index));
    }
}

/* The same, or the words that whoever made the state has for it. */
static void l_describe(lua_State *lua, int index, char *out, size_t len)
{
    const struct vm_options *options = &vm_of(lua)->options;

    if (options->describe == NULL || lua_type(lua, index) == LUA_TSTRING ||
        !options->describe(lua, index, out, len))
        describe(lua, index, out, len);
}

static int l_on_error(lua_State *lua)
{
    struct door_run *run = vm_of(lua)->run;
    struct door_answer *answer = run->answer;

    if (run->fired == DOOR_NO_LIMIT && !run->is_closing) {
        l_describe(lua, 1, answer->message, sizeof(answer->message));
        trace_all(lua, 1, answer->trace, sizeof(answer->trace));
    }
    return 1;
}

static int l_leave(lua_State *lua, int status, lua_KContext ctx)
{
    struct door_run *run = vm_of(lua)->run;

    (void)ctx;
    if (run->fired != DOOR_NO_LIMIT)
        return 0;
    if (status == LUA_ERRMEM) {
        run->is_out_of_memory = true;
        fire(run, NULL, DOOR_MEMORY);
        return 0;
    }
    if (status != LUA_OK && status != LUA_YIELD) {
        if (run->answer->message[0] == '\0')
            l_describe(lua, -1, run->answer->message, sizeof(run->answer->message));
        if (run->call.caught != NULL) {
            lua_replace(lua, 1);
            lua_settop(lua, 1);
            run->call.caught(lua, 1, run->call.ctx);
        }
        return 0;
    }
    lua_remove(lua, 1);
    if (run->call.take != NULL) {
        luaL_checkstack(lua, LUA_MINSTACK, NULL);
        run->call.take(lua, lua_gettop(lua), run->call.ctx);
    }
    run->has_returned = true;
    return 0;
}

static int l_enter(lua_State *lua)
{
    struct door_run *run = vm_of(lua)->run;
    int status;

    lua_pushcfunction(lua, l_on_error);
    run->call.push(lua, run->call.ctx);
    status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 1, 0, l_leave);
    return l_leave(lua, status, 0);
}

/* ---- the pool ---- */

static int l_new_thread(lua_State *lua)
{
    struct door_run *run = lua_touserdata(lua, 1);
    lua_State *co = lua_newthread(lua);

    run->ref = luaL_ref(lua, LUA_REGISTRYINDEX);
    run->co = co;
    vm_set_tag(co, TAG_POOLED);
    return 0;
}

static void thread_drop(struct door_run *run)
{
    if (run->co == NULL)
        return;
    vm_set_tag(run->co, TAG_HELD);
    luaL_unref(run->vm->lua, LUA_REGISTRYINDEX, run->ref);
    run->co = NULL;
}

static struct door_run *run_take(struct vm *vm)
{
    struct list *first = list_first(&vm->idle);
    struct door_run *run;

    if (first != NULL) {
        run = container_of(first, struct door_run, link);
        list_remove(&run->link);
        vm->idle_count--;
    } else {
        run = mem_zero(1, sizeof(*run));
        run->vm = vm;
    }
    list_append(&vm->busy, &run->link);
    return run;
}

/* The run has ended. A coroutine in good order is kept for the next entry. */
static void run_give(struct door_run *run)
{
    struct vm *vm = run->vm;

    list_remove(&run->link);
    if (run->co == NULL || vm->idle_count >= POOL_MAX) {
        thread_drop(run);
        mem_free(run);
        return;
    }
    lua_settop(run->co, 0);
    list_append(&vm->idle, &run->link);
    vm->idle_count++;
}

static void free_runs(struct list *runs)
{
    list_each (runs, node, after) {
        list_remove(node);
        mem_free(container_of(node, struct door_run, link));
    }
}

void door_fini(struct vm *vm)
{
    free_runs(&vm->idle);
    free_runs(&vm->busy);
    vm->idle_count = 0;
}

size_t door_waiting(const struct vm *vm)
{
    size_t count = 0;

    for (const struct list *node = vm->busy.next; node != &vm->busy; node = node->next)
        count++;
    return count;
}

/* ---- running ---- */

/* What of a state belongs to the run that runs; entries may nest. */
struct frame {
    lua_State *running;
    struct door_run *run;
    unsigned pinned;
    size_t limit;
};

static struct frame frame_push(struct door_run *run, size_t limit)
{
    struct vm *vm = run->vm;
    struct frame before = {vm->running, vm->run, vm->pinned, vm->heap.limit};

    vm->running = run->co;
    vm->run = run;
    vm->pinned = 0;
    vm->yielding = YIELD_POLICY;
    vm->heap.limit = limit;
    vm->nesting++;
    lua_sethook(run->co, door_on_count, vm_hook_mask, step_len(vm));
    return before;
}

static void frame_pop(struct vm *vm, struct frame before)
{
    vm->running = before.running;
    vm->run = before.run;
    vm->pinned = before.pinned;
    vm->heap.limit = before.limit;
    vm->yielding = YIELD_POLICY;
    vm->nesting--;
}

static size_t memory_limit(const struct door_run *run)
{
    const struct vm *vm = run->vm;
    size_t growth = run->call.budget.growth;
    size_t max = vm->options.memory;

    if (growth == 0 || vm->heap.held >= max || growth > max - vm->heap.held)
        return max;
    return vm->heap.held + growth;
}

/* Lets <close> variables of a coroutine that is never resumed do what they want, a little. */
static void close_killed(struct door_run *run)
{
    struct vm *vm = run->vm;
    struct frame before;

    run->is_closing = true;
    run->is_out_of_memory = false;
    run->fired = DOOR_NO_LIMIT;
    run->segment_at = run->segment_cpu_at = 0;
    before = frame_push(run, vm->options.memory + GRACE_MEMORY);
    (void)lua_resetthread(run->co);
    frame_pop(vm, before);
}

/* It did not end where it waited, or was in the middle of a slice: says where it is now. */
static void say_canceled(struct door_run *run, bool has_yielded)
{
    struct door_answer *answer = run->answer;
    char at[100] = "";

    if (has_yielded) {
        trace_place(run->co, 0, at, sizeof(at));
        trace_all(run->co, 0, answer->trace, sizeof(answer->trace));
    }
    snprintf(answer->message, sizeof(answer->message), "%s%s", at, run->cancel_words);
}

static void end_killed(struct door_run *run, enum door_limit limit, bool has_yielded)
{
    struct door_answer *answer = run->answer;

    answer->outcome = DOOR_KILLED;
    answer->limit = limit;
    if (answer->message[0] == '\0' && run->canceled != DOOR_NO_LIMIT)
        say_canceled(run, has_yielded);
    if (has_yielded)
        close_killed(run);
    thread_drop(run);
    run_give(run);
}

static void end_failed(struct door_run *run, int status)
{
    struct door_answer *answer = run->answer;

    if (status == LUA_ERRMEM) {
        fire(run, NULL, DOOR_MEMORY);
        end_killed(run, DOOR_MEMORY, false);
        return;
    }
    answer->outcome = DOOR_FAILED;
    if (status != LUA_OK) {
        describe(run->co, -1, answer->message, sizeof(answer->message));
        thread_drop(run);
    }
    run_give(run);
}

static void suspend(struct door_run *run, enum yielder yielder)
{
    struct door_answer *answer = run->answer;

    run->is_waiting = yielder == YIELD_WAIT;
    run->is_sliced = yielder == YIELD_SLICE;
    if (run->began_at == 0 && run->call.budget.wall_ns != 0)
        run->began_at = budget_now();
    answer->outcome = run->is_waiting ? DOOR_WAITING : DOOR_SLICED;
    answer->run = run;
    answer->wait = run->wait;
    run->answer = NULL;
}

static void settle(struct door_run *run, int status, enum yielder yielder)
{
    bool has_yielded = status == LUA_YIELD;

    budget_end(run, !has_yielded || yielder == YIELD_WAIT);
    if (run->fired != DOOR_NO_LIMIT)
        end_killed(run, run->fired, has_yielded);
    else if (has_yielded && yielder != YIELD_POLICY && yielder != YIELD_KILL)
        suspend(run, yielder);
    else if (run->canceled != DOOR_NO_LIMIT)
        end_killed(run, run->canceled, has_yielded);
    else if (has_yielded || !run->has_returned)
        end_failed(run, status);
    else
        run_give(run);
}

static void mask(const struct vm *vm, struct door_answer *answer)
{
    if (vm->options.mask == NULL)
        return;
    if (answer->message[0] != '\0')
        vm->options.mask(vm->options.mask_ctx, answer->message);
    if (answer->trace[0] != '\0')
        vm->options.mask(vm->options.mask_ctx, answer->trace);
}

static void step(struct door_run *run, struct door_answer *answer)
{
    struct vm *vm = run->vm;
    lua_State *from = vm->running;
    struct frame before;
    enum yielder yielder;
    int status, count;

    answer->outcome = DOOR_RETURNED;
    answer->limit = DOOR_NO_LIMIT;
    answer->run = NULL;
    answer->message[0] = answer->trace[0] = '\0';
    run->answer = answer;
    run->is_waiting = run->is_sliced = false;
    before = frame_push(run, memory_limit(run));
    status = lua_resume(run->co, from, 0, &count);
    yielder = vm->yielding;
    frame_pop(vm, before);
    /* What an entry within an entry took is the outer one's time as well. */
    if (from != NULL)
        lua_sethook(from, door_on_count, vm_hook_mask, 1);
    settle(run, status, yielder);
    mask(vm, answer);
}

static void refuse(struct door_answer *answer, enum door_limit limit, const char *words)
{
    answer->outcome = limit == DOOR_NO_LIMIT ? DOOR_FAILED : DOOR_KILLED;
    answer->limit = limit;
    answer->run = NULL;
    answer->trace[0] = '\0';
    snprintf(answer->message, sizeof(answer->message), "%s", words);
}

void door_enter(struct vm *vm, const struct door_call *call, struct door_answer *answer)
{
    struct door_run *run;

    if (vm->nesting >= NESTING_MAX) {
        refuse(answer, DOOR_NO_LIMIT, "entries into Lua are nested too deeply");
        return;
    }
    run = run_take(vm);
    if (run->co == NULL && vm_try(vm, l_new_thread, run, NULL, 0) != 0) {
        refuse(answer, DOOR_MEMORY, "not enough memory for a coroutine");
        run_give(run);
        return;
    }
    run->call = *call;
    run->serial = ++vm->entries;
    run->canceled = run->fired = DOOR_NO_LIMIT;
    run->is_closing = run->has_returned = run->is_out_of_memory = false;
    run->began_at = run->segment_at = run->segment_cpu_at = 0;
    run->stretch_ns = run->cpu_ns = run->instructions = 0;
    run->refused_at[0] = '\0';
    lua_pushcfunction(run->co, l_enter);
    step(run, answer);
}

void door_resume(struct door_run *run, door_push_fn push, void *ctx, struct door_answer *answer)
{
    CHECK(run->is_waiting || run->is_sliced);
    run->wake = push;
    run->wake_ctx = ctx;
    step(run, answer);
}

void door_cancel(struct door_run *run, enum door_limit limit, const char *words,
                 struct door_answer *answer)
{
    const struct vm *vm = run->vm;

    CHECK(run->is_waiting || run->is_sliced);
    run->canceled = limit;
    run->cancel_words = words;
    if (run->is_waiting) {
        step(run, answer);
        return;
    }
    /* A slice has no point at which it waits. */
    refuse(answer, limit, "");
    run->answer = answer;
    end_killed(run, limit, true); /* it is not there any more */
    mask(vm, answer);
}
