/* waiting.c -- see waiting.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/waiting.h"

#include "base/mem.h"
#include "policy/errors.h"
#include "policy/mind.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_SECONDS 86400
#define MAX_SPAWNED 100 /* of one call, that live */
#define MAX_TIMERS  10000

static uint64_t check_seconds(lua_State *lua, int index)
{
    double seconds = luaL_checknumber(lua, index);

    luaL_argcheck(lua, seconds >= 0 && seconds <= MAX_SECONDS, index, "seconds, from 0 to 86400");
    return (uint64_t)(seconds * 1000 + 0.5);
}

/* ---- sleep ---- */

struct nap {
    struct wait wait;
    struct realm_timer timer;
    struct realm *realm;
};

static void on_nap_over(struct realm_timer *timer)
{
    wait_done(&container_of(timer, struct nap, timer)->wait);
}

static void drop_nap(struct wait *wait)
{
    struct nap *nap = container_of(wait, struct nap, wait);

    realm_clear_timer(nap->realm, &nap->timer);
    mem_free(nap);
}

static int nap_for(lua_State *lua, uint64_t ms)
{
    struct nap *nap;

    l_wait_allowed(lua);
    nap = mem_zero(1, sizeof(*nap));
    nap->wait.drop = drop_nap;
    nap->timer.fire = on_nap_over;
    nap->realm = policy_of(lua)->version->mind->realm;
    realm_set_timer(nap->realm, &nap->timer, realm_now(nap->realm) + ms);
    return l_wait(lua, &nap->wait);
}

static int l_sleep(lua_State *lua)
{
    return nap_for(lua, check_seconds(lua, 1));
}

static int l_breathe(lua_State *lua)
{
    return nap_for(lua, 0);
}

/* ---- calls within calls ---- */

/* A function that runs beside the one that wanted it. */
struct child {
    struct fiber fiber;
    struct vm *vm;
    struct gathering *gathering; /* who waits for it; NULL: nobody (any more) */
    int call;                    /* reference to { n = , function, arguments... } */
    int results;                 /* to { n = , results... }, or to the error */
    bool is_over, is_sound, has_error;
    char words[400]; /* what ended it, where no error was raised */
};

/* Several children, and somebody who waits for all of them. */
struct gathering {
    struct wait wait;
    size_t count, left;
    bool is_spread;              /* the results of the only child, else the first one of each */
    const struct child *culprit; /* the first that failed */
    struct child *children[];
};

static void unref(const struct child *child, int ref)
{
    luaL_unref(vm_lua(child->vm), LUA_REGISTRYINDEX, ref);
}

static void child_free(struct child *child)
{
    unref(child, child->call);
    unref(child, child->results);
    mem_free(child);
}

static struct child *child_at(void *ctx)
{
    return container_of((struct fiber *)ctx, struct child, fiber);
}

static void push_call(lua_State *lua, void *ctx)
{
    const struct child *child = child_at(ctx);
    int table, count;

    lua_rawgeti(lua, LUA_REGISTRYINDEX, child->call);
    table = lua_gettop(lua);
    lua_getfield(lua, table, "n");
    count = (int)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    luaL_checkstack(lua, count + 1, NULL);
    for (int i = 1; i <= count; i++)
        lua_rawgeti(lua, table, i);
    lua_remove(lua, table);
}

/* The values from `first` to the top as one table; pops them. */
static int pack(lua_State *lua, int first)
{
    int count = lua_gettop(lua) - first + 1;

    lua_createtable(lua, count, 1);
    lua_insert(lua, first);
    for (int i = count; i >= 1; i--)
        lua_rawseti(lua, first, i);
    lua_pushinteger(lua, count);
    lua_setfield(lua, first, "n");
    return luaL_ref(lua, LUA_REGISTRYINDEX);
}

static void take_results(lua_State *lua, int count, void *ctx)
{
    struct child *child = child_at(ctx);

    (void)count;
    child->results = pack(lua, 1);
}

static void take_error(lua_State *lua, int count, void *ctx)
{
    struct child *child = child_at(ctx);

    (void)count;
    lua_pushvalue(lua, 1);
    child->results = luaL_ref(lua, LUA_REGISTRYINDEX);
    child->has_error = true;
}

static void end_child(struct fiber *fiber, enum fiber_end end, const struct door_answer *answer)
{
    struct child *child = child_at(fiber);
    struct gathering *gathering = child->gathering;

    child->is_over = true;
    child->is_sound = end == FIBER_RETURNED;
    if (gathering == NULL) {
        child_free(child);
        return;
    }
    if (!child->is_sound && answer != NULL)
        snprintf(child->words, sizeof(child->words), "%s", answer->message);
    gathering->left--;
    if (!child->is_sound && gathering->culprit == NULL)
        gathering->culprit = child;
    if (gathering->left == 0 || gathering->culprit == child)
        wait_done(&gathering->wait);
}

#define CHILD(name, which)                                           \
    {                                                                \
        name, which, push_call, take_results, NULL, end_child, false \
    }

/* What runs on behalf of a call has what that may take, again. */
#define HELPER(which) \
    [which] = {"parallel", which, push_call, take_results, take_error, end_child, true}

static const struct fiber_kind spawned_kind = CHILD("spawn", BUDGET_TASK);
static const struct fiber_kind timer_kind = CHILD("after", BUDGET_TASK);
static const struct fiber_kind helper_kinds[BUDGET_COUNT] = {
    HELPER(BUDGET_AUTHENTICATE), HELPER(BUDGET_ADMIT),        HELPER(BUDGET_AUTHORIZE),
    HELPER(BUDGET_INTERCEPT),    HELPER(BUDGET_FILTER),       HELPER(BUDGET_PREDICATE),
    HELPER(BUDGET_PROCEDURE),    HELPER(BUDGET_SUBSCRIPTION), HELPER(BUDGET_LIFECYCLE),
    HELPER(BUDGET_TASK),
};

/* A child that will call what is on the stack from `first` on; pops that. May raise. */
static struct child *child_new(lua_State *lua, int first)
{
    int call = pack(lua, first);
    struct child *child = mem_zero(1, sizeof(*child));

    child->vm = policy_of(lua)->vm;
    child->call = call;
    child->results = LUA_NOREF;
    return child;
}

static struct fiber *check_room(lua_State *lua, unsigned more)
{
    struct fiber *parent = fiber_of(lua);

    l_host_changes(lua);
    if (parent == NULL)
        luaL_error(lua, "not here: no call is under way");
    else if (parent->spawned + more > MAX_SPAWNED)
        luaL_error(lua, "a call may have %d functions running beside it", MAX_SPAWNED);
    else if (parent->fibers->count + more > MAX_FIBERS)
        luaL_error(lua, "as many calls run as may (%d)", MAX_FIBERS);
    return parent;
}

static void start(struct child *child, struct fiber *parent, const struct fiber_kind *kind,
                  uint64_t wall_ms)
{
    struct version *version = parent->version;

    parent->spawned++;
    child->fiber.parent = parent;
    child->fiber.session = parent->session;
    fiber_start(&child->fiber, version, kind, wall_ms);
}

/* ---- spawn ---- */

static int l_spawn(lua_State *lua)
{
    struct fiber *parent = check_room(lua, 1);

    luaL_checktype(lua, 1, LUA_TFUNCTION);
    start(child_new(lua, 1), parent, &spawned_kind, 0);
    return 0;
}

/* ---- parallel, timeout ---- */

static void push_one(lua_State *lua, const struct child *child)
{
    lua_rawgeti(lua, LUA_REGISTRYINDEX, child->results);
    lua_rawgeti(lua, -1, 1);
    lua_remove(lua, -2);
}

static void push_all(lua_State *lua, const struct child *child)
{
    int table, count;

    lua_rawgeti(lua, LUA_REGISTRYINDEX, child->results);
    table = lua_gettop(lua);
    lua_getfield(lua, table, "n");
    count = (int)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    luaL_checkstack(lua, count + 1, NULL);
    for (int i = 1; i <= count; i++)
        lua_rawgeti(lua, table, i);
    lua_remove(lua, table);
}

static void push_gathered(lua_State *lua, struct wait *wait)
{
    const struct gathering *gathering = container_of(wait, struct gathering, wait);
    const struct child *culprit = gathering->culprit;

    if (culprit != NULL && culprit->fiber.is_late) {
        l_errors_raise_words(lua, "wamp.error.timeout", culprit->words);
    } else if (culprit != NULL && culprit->has_error) {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, culprit->results);
        lua_error(lua);
    } else if (culprit != NULL) {
        luaL_error(lua, "%s", culprit->words);
    } else if (gathering->is_spread) {
        push_all(lua, gathering->children[0]);
    } else {
        luaL_checkstack(lua, (int)gathering->count + 2, NULL);
        for (size_t i = 0; i < gathering->count; i++)
            push_one(lua, gathering->children[i]);
    }
}

static void drop_gathering(struct wait *wait)
{
    struct gathering *gathering = container_of(wait, struct gathering, wait);

    for (size_t i = 0; i < gathering->count; i++) {
        struct child *child = gathering->children[i];

        child->gathering = NULL;
        if (child->is_over)
            child_free(child);
        else
            fiber_cancel(&child->fiber, "nobody waits for its result any more");
    }
    mem_free(gathering);
}

/* Holds a gathering whose children are being made, which may raise. */
#define GATHERING_NAME "nexus.gathering"

static int l_gathering_gc(lua_State *lua)
{
    struct gathering **box = lua_touserdata(lua, 1), *gathering = *box;

    *box = NULL;
    if (gathering == NULL)
        return 0;
    for (size_t i = 0; i < gathering->count && gathering->children[i] != NULL; i++)
        child_free(gathering->children[i]);
    mem_free(gathering);
    return 0;
}

static struct gathering **gathering_new(lua_State *lua, size_t count)
{
    struct gathering **box = lua_newuserdatauv(lua, sizeof(*box), 0);

    *box = NULL;
    luaL_setmetatable(lua, GATHERING_NAME);
    *box = mem_zero(1, sizeof(**box) + count * sizeof((*box)->children[0]));
    (*box)->count = count;
    return box;
}

static void open_gathering(lua_State *lua)
{
    luaL_newmetatable(lua, GATHERING_NAME);
    lua_pushcfunction(lua, l_gathering_gc);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}

/* They start when all are there: one may be over at once. */
static int gather(lua_State *lua, struct gathering **box, struct fiber *parent, uint64_t wall_ms)
{
    const struct fiber_kind *kind = &helper_kinds[parent->kind->budget];
    struct gathering *gathering = *box;

    *box = NULL; /* it is the wait's now */

    gathering->wait = (struct wait){.push = push_gathered, .drop = drop_gathering};
    gathering->left = gathering->count;
    for (size_t i = 0; i < gathering->count; i++)
        gathering->children[i]->gathering = gathering;
    for (size_t i = 0; i < gathering->count; i++)
        start(gathering->children[i], parent, kind, wall_ms);
    return l_wait(lua, &gathering->wait);
}

static int l_parallel(lua_State *lua)
{
    struct gathering **box;
    struct fiber *parent;
    size_t count;

    luaL_checktype(lua, 1, LUA_TTABLE);
    count = lua_rawlen(lua, 1);
    l_host_changes(lua);
    l_wait_allowed(lua);
    parent = check_room(lua, (unsigned)(count > MAX_SPAWNED ? MAX_SPAWNED + 1 : count));
    if (count == 0)
        return 0;
    for (size_t i = 1; i <= count; i++) {
        if (lua_rawgeti(lua, 1, (lua_Integer)i) != LUA_TFUNCTION)
            return luaL_error(lua, "nexus.parallel: found a %s at %d; allowed: functions",
                              luaL_typename(lua, -1), (int)i);
        lua_pop(lua, 1);
    }
    luaL_checkstack(lua, 4, NULL);
    box = gathering_new(lua, count);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(lua, 1, (lua_Integer)i + 1);
        (*box)->children[i] = child_new(lua, lua_gettop(lua));
    }
    return gather(lua, box, parent, 0);
}

static int l_timeout(lua_State *lua)
{
    uint64_t ms = check_seconds(lua, 1);
    struct gathering **box;
    struct fiber *parent;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    l_host_changes(lua);
    l_wait_allowed(lua);
    parent = check_room(lua, 1);
    box = gathering_new(lua, 1);
    lua_insert(lua, 2);
    (*box)->is_spread = true;
    (*box)->children[0] = child_new(lua, 3);
    return gather(lua, box, parent, ms == 0 ? 1 : ms);
}

/* ---- after ---- */

/* Belongs to its version: it ends when another one takes over. */
struct after {
    struct realm_timer timer;
    struct version *version;
    struct child *child;
    uint64_t id;
};

void waiting_forget(struct version *version)
{
    for (;;) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&version->timers, &at);
        struct after *after;

        if (entry == NULL)
            return;
        after = entry->value;
        map_remove(&version->timers, after->id, 0);
        realm_clear_timer(version->mind->realm, &after->timer);
        if (version->policy->vm != NULL)
            child_free(after->child);
        mem_free(after);
    }
}

static void on_after(struct realm_timer *timer)
{
    struct after *after = container_of(timer, struct after, timer);
    struct version *version = after->version;
    struct child *child = after->child;

    map_remove(&version->timers, after->id, 0);
    mem_free(after);
    fiber_start(&child->fiber, version, &timer_kind, 0);
}

static int l_after_remove(lua_State *lua)
{
    const uint64_t *id = luaL_checkudata(lua, 1, policy_timers.name);
    struct version *version = policy_of(lua)->version;
    struct after *after;

    l_host_changes(lua);
    after = map_remove(&version->timers, *id, 0);
    lua_pushboolean(lua, after != NULL);
    if (after == NULL)
        return 1;
    realm_clear_timer(version->mind->realm, &after->timer);
    child_free(after->child);
    mem_free(after);
    return 1;
}

static int l_after(lua_State *lua)
{
    uint64_t ms = check_seconds(lua, 1), *id;
    struct version *version;
    struct after *after;
    struct child *child;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    l_host_changes(lua);
    version = policy_of(lua)->version;
    if (!version_is_live(version))
        return luaL_error(lua, "this version of the policy is not the current one any more");
    if (version->timers.count >= MAX_TIMERS)
        return luaL_error(lua, "nexus.after: a policy may have %d timers", MAX_TIMERS);
    id = lua_newuserdatauv(lua, sizeof(*id), 0);
    luaL_setmetatable(lua, policy_timers.name);
    lua_insert(lua, 2);
    child = child_new(lua, 3);
    after = mem_zero(1, sizeof(*after));
    after->timer.fire = on_after;
    after->version = version;
    after->child = child;
    child->fiber.session = fiber_of(lua) == NULL ? 0 : fiber_of(lua)->session;
    *id = after->id = ++version->last_timer;
    map_put(&version->timers, after->id, 0, after);
    realm_set_timer(version->mind->realm, &after->timer, realm_now(version->mind->realm) + ms);
    return 1;
}

/* ---- the table ---- */

static const struct module_row rows[] = {
    {"sleep", l_sleep, "fun(seconds: number)",
     "Waits. Other messages of the session wait behind it; other sessions do not.",
     "Where nothing can wait"},
    {"breathe", l_breathe, "fun()", "Lets everything else run for a moment; for long loops.",
     "Where nothing can wait"},
    {"spawn", l_spawn, "fun(fn: function, ...: any)",
     "Calls a function with these arguments beside the caller, which does not wait for it. It goes "
     "on when the caller is over; what it raises is logged.",
     "More than 100 at one time"},
    {"parallel", l_parallel, "fun(functions: function[]): ...",
     "Calls several functions at once and waits for all: the first result of each, in their order. "
     "When one raises, the others are ended and its error is raised.",
     "Where nothing can wait; more than 100 at one time"},
    {"timeout", l_timeout, "fun(seconds: number, fn: function, ...: any): ...",
     "Calls a function with these arguments and waits for its results. When they are not there in "
     "time it is ended, and wamp.error.timeout is raised.",
     "Where nothing can wait; the time is over"},
    {"after", l_after, "fun(seconds: number, fn: function, ...: any): nexus.Timer",
     "Calls a function with these arguments, once, when so much time has passed. A reload ends it.",
     "More than 10000 at one time"},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_row timer_rows[] = {
    {"remove", l_after_remove, "fun(self: nexus.Timer): boolean",
     "The function will not be called; false: it was, or was removed before.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_waiting = {"nexus", rows, open_gathering};
const struct module_table policy_timers = {"nexus.Timer", timer_rows, NULL};
