/* script_door_test.c -- entering, waiting, going on, being ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "script/vm_priv.h"
#include "script_kit.h"

/* ---- a module with functions that wait and that enter again ---- */

static int l_wait(lua_State *lua)
{
    return door_wait(lua, (struct door_wait){.kind = (int)luaL_optinteger(lua, 1, 0)});
}

static void push_inner(lua_State *lua, void *ctx)
{
    if (!vm_load(lua, slice_of(ctx), "inner.lua"))
        lua_error(lua);
}

static int take_first;

static void take_integer(lua_State *lua, int count, void *ctx)
{
    (void)ctx;
    take_first = count == 0 ? -1 : (int)lua_tointeger(lua, 1);
}

/* enter(code, ms): the outcome, the first result or the message. */
static int l_enter(lua_State *lua)
{
    char code[500];
    struct door_call call = {.push = push_inner, .take = take_integer, .ctx = code};
    struct door_answer answer;

    snprintf(code, sizeof(code), "%s", luaL_checkstring(lua, 1));
    call.budget.stretch_ns = (uint64_t)luaL_optinteger(lua, 2, 50) * KIT_MS;
    door_enter(vm_of(lua), &call, &answer);
    lua_pushinteger(lua, (lua_Integer)answer.outcome);
    if (answer.outcome == DOOR_RETURNED)
        lua_pushinteger(lua, take_first);
    else
        lua_pushstring(lua, answer.message);
    if (answer.run != NULL)
        door_cancel(answer.run, DOOR_CANCELED, "not wanted", &answer);
    return 2;
}

static int l_open_router(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"wait", l_wait}, {"enter", l_enter}, {NULL, NULL}};

    luaL_newlib(lua, functions);
    return 1;
}

static void open_router(void)
{
    kit_open();
    EXPECT(vm_provide(kit.vm, "router", l_open_router) == 0);
}

#define ROUTER "local router = require 'router'\n"

static void push_two(lua_State *lua, void *ctx)
{
    lua_pushstring(lua, ctx);
    lua_pushinteger(lua, 2);
}

static void push_error(lua_State *lua, void *ctx)
{
    luaL_error(lua, "%s", (const char *)ctx);
}

static char give[20] = "given";

/* Goes on until the run has ended. */
static unsigned go_on(void)
{
    unsigned times = 0;

    while (kit.answer.run != NULL && times < 10000) {
        door_resume(kit.answer.run, push_two, give, &kit.answer);
        times++;
    }
    return times;
}

static void expect_waits(const char *code, unsigned times, const char *results)
{
    open_router();
    kit_run(code);
    EXPECT_EQ(go_on(), times);
    if (kit.answer.outcome != DOOR_RETURNED)
        UNIT_FAIL("%s: %s", code, kit.answer.message);
    EXPECT_STR(kit.results, results);
    EXPECT_EQ(door_waiting(kit.vm), 0);
    kit_close();
}

/* ---- results and errors ---- */

TEST(results_come_back)
{
    kit_open();
    EXPECT_RESULT("return 1, 'two', nil, true, 2.5", "1\ttwo\tnil\ttrue\t2.5");
    EXPECT_RESULT("", "");
    kit_close();
}

static int l_deep(lua_State *lua)
{
    return luaL_error(lua, "from C");
}

TEST(an_error_has_its_place_and_its_way)
{
    kit_open();
    EXPECT_FAILS("local function inner(t)\n return t.x.y\nend\nlocal function outer() inner({}) "
                 "return 1 end\nouter()",
                 "policy.lua:2: attempt to index a nil value (field 'x')");
    EXPECT_STR(kit.answer.trace, "policy.lua:2 in inner\npolicy.lua:4 in outer\n"
                                 "policy.lua:5 in main chunk");
    EXPECT_FAILS("return 1 +", "policy.lua:1: unexpected symbol near <eof>");
    EXPECT_FAILS("error('mine', 0)", "mine");
    EXPECT(vm_provide(kit.vm, "deep", l_deep) == 0);
    EXPECT_FAILS("require 'deep'", "from C");
    kit_close();
}

static void take_badly(lua_State *lua, int count, void *ctx)
{
    (void)ctx;
    luaL_error(lua, "%d results cannot be taken", count);
}

static void take_error(lua_State *lua, int count, void *ctx)
{
    (void)ctx;
    EXPECT(count == 1 && lua_gettop(lua) == 1);
    lua_getfield(lua, 1, "uri");
    snprintf(kit.results, sizeof(kit.results), "%s", lua_tostring(lua, -1));
}

TEST(an_error_that_is_an_object_is_taken)
{
    kit_open();
    kit.call.caught = take_error;
    EXPECT_FAILS("local x = 1 error({ uri = 'com.example.error' })",
                 "policy.lua:1: an error that is no text but a table");
    EXPECT_STR(kit.results, "com.example.error");
    EXPECT_FAILS("error()", "attempt to index a nil value");
    EXPECT_RESULT("return 1", "1");
    kit_close();
}

static void push_badly(lua_State *lua, void *ctx)
{
    (void)ctx;
    luaL_error(lua, "cannot be pushed");
}

TEST(errors_of_the_caller_s_callbacks)
{
    kit_open();
    kit.call.take = take_badly;
    EXPECT_FAILS("return 1, 2", "2 results cannot be taken");
    kit.call.push = push_badly;
    EXPECT_FAILS("return 1, 2", "cannot be pushed");
    kit.call.push = kit_push_code;
    kit.call.take = NULL;
    EXPECT(kit_run("return 1") == DOOR_RETURNED);
    kit_close();
}

TEST(coroutines_are_pooled)
{
    char first[100];

    kit_open();
    kit_run("return tostring(coroutine.running())");
    snprintf(first, sizeof(first), "%.99s", kit.results);
    EXPECT_FAILS("error('x')", "policy.lua:1: x");
    EXPECT_RESULT("return tostring(coroutine.running())", first);
    kit_close();
}

/* ---- waiting ---- */

TEST(a_run_waits_and_goes_on)
{
    open_router();
    EXPECT(kit_run(ROUTER "local a, b = router.wait(7) return a, b, router.wait(8)") ==
           DOOR_WAITING);
    EXPECT_EQ(kit.answer.wait.kind, 7);
    EXPECT_EQ(door_waiting(kit.vm), 1);
    door_resume(kit.answer.run, push_two, give, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_WAITING);
    EXPECT_EQ(kit.answer.wait.kind, 8);
    door_resume(kit.answer.run, NULL, NULL, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_RETURNED);
    EXPECT_STR(kit.results, "given\t2");
    EXPECT_EQ(door_waiting(kit.vm), 0);
    kit_close();
}

TEST(what_is_waited_for_may_fail)
{
    open_router();
    kit_run(ROUTER "\nreturn router.wait()");
    door_resume(kit.answer.run, push_error, give, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_FAILED);
    EXPECT_STR(kit.answer.message, "policy.lua:3: given");
    kit_run(ROUTER "return pcall(router.wait)");
    door_resume(kit.answer.run, push_error, give, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_RETURNED);
    EXPECT_STR(kit.results, "false\tgiven");
    kit_close();
}

TEST(waiting_is_possible_nearly_everywhere)
{
    expect_waits(ROUTER "return pcall(function() return router.wait() end)", 1, "true\tgiven\t2");
    expect_waits(ROUTER "return xpcall(router.wait, print)", 1, "true\tgiven\t2");
    expect_waits(ROUTER "return xpcall(error, function() return router.wait() end)", 1,
                 "false\tgiven\t2");
    expect_waits(ROUTER "local t = setmetatable({}, { __index = function(_, k) return k .. "
                        "router.wait() end }) return t.x",
                 1, "xgiven");
    expect_waits(ROUTER "local sum = '' for a in router.wait, nil, nil do sum = sum .. a\n"
                        "if #sum > 10 then return sum end end",
                 3, "givengivengiven");
    expect_waits(ROUTER "do local x <close> = setmetatable({}, { __close = function()\n"
                        "router.wait() end }) end return 1",
                 1, "1");
}

TEST(a_generator_waits_for_the_whole)
{
    expect_waits(ROUTER "local f = coroutine.wrap(function()\n"
                        "for i = 1, 3 do coroutine.yield(i .. router.wait()) end end)\n"
                        "return f(), f(), f()",
                 3, "1given\t2given\t3given");
    expect_waits(ROUTER "local co = coroutine.create(function(a)\n"
                        "local b = coroutine.wrap(function() return router.wait() end)()\n"
                        "return a .. b end)\n"
                        "local ok, r = coroutine.resume(co, 'x')\n"
                        "return ok, r, coroutine.status(co)",
                 1, "true\txgiven\tdead");
    expect_waits(ROUTER "local co = coroutine.create(function() router.wait() error('x') end)\n"
                        "local ok, r = coroutine.resume(co) return ok, r, coroutine.status(co)",
                 1, "false\tpolicy.lua:2: x\tdead");
}

TEST(waiting_is_refused_by_name)
{
    static const struct {
        const char *code, *words;
    } cases[] = {
        {"table.sort({ 2, 1 }, function() router.wait() end)",
         "policy.lua:2: cannot wait in a comparator of table.sort"},
        {"(('x'):gsub('x', function() router.wait() end))",
         "policy.lua:2: cannot wait in a callback of string.gsub"},
        {"tostring(setmetatable({}, { __tostring = function() router.wait() end }))",
         "policy.lua:2: cannot wait in __tostring"},
        {"table.sort({ 2, 1 }, coroutine.wrap(function() router.wait() end))",
         "policy.lua:2: policy.lua:2: cannot wait here: a function of the router called this one "
         "and does not wait"},
    };
    char code[300];

    open_router();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(code, sizeof(code), ROUTER "return %s", cases[i].code);
        if (kit_run(code) != DOOR_FAILED ||
            (i != 3 && strcmp(kit.answer.message, cases[i].words) != 0))
            UNIT_FAIL("%s: %s", code, kit.answer.message);
    }
    EXPECT(strstr(kit.answer.message, "cannot wait here") != NULL);
    kit.call.no_wait = "cannot wait in a filter predicate; look it up in policy.filter";
    EXPECT_FAILS(ROUTER "router.wait()",
                 "policy.lua:2: cannot wait in a filter predicate; look it up in policy.filter");
    kit_close();
}

/* A generator that waits for one entry is out of reach for the others. */
TEST(a_waiting_generator_is_nobody_else_s)
{
    struct door_run *first;

    open_router();
    kit_run(ROUTER "local co = coroutine.create(function() return router.wait() end)\n"
                   "require('kept').set(co) return coroutine.resume(co)");
    EXPECT(kit.answer.outcome == DOOR_WAITING);
    first = kit.answer.run;
    EXPECT_RESULT("return coroutine.resume(require('kept').get())",
                  "false\tthe coroutine waits for the router");
    EXPECT_FAILS("coroutine.close(require('kept').get())",
                 "policy.lua:1: the coroutine waits for the router");
    door_resume(first, push_two, give, &kit.answer);
    EXPECT_STR(kit.results, "true\tgiven\t2");
    kit_close();
}

TEST(many_wait_at_once)
{
    static struct door_run *runs[1000];

    open_router();
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_run(ROUTER "return router.wait()");
        runs[i] = kit.answer.run;
    }
    EXPECT_EQ(door_waiting(kit.vm), ARRAY_LEN(runs));
    for (size_t i = 0; i < ARRAY_LEN(runs); i += 2)
        door_resume(runs[i], push_two, give, &kit.answer);
    EXPECT_EQ(door_waiting(kit.vm), ARRAY_LEN(runs) / 2);
    kit_close(); /* with the rest still waiting */
}

/* ---- ending ---- */

TEST(a_waiting_run_is_canceled)
{
    open_router();
    kit_run(ROUTER "local x <close> = setmetatable({}, { __close = function() print('closed') end "
                   "})\nrouter.wait()\nprint('went on')");
    door_cancel(kit.answer.run, DOOR_WALL, "not done after 5 s", &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_WALL);
    EXPECT_STR(kit.answer.message, "policy.lua:3: not done after 5 s");
    EXPECT_STR(kit.said, "info policy.lua:2: closed\n");
    EXPECT_EQ(door_waiting(kit.vm), 0);
    kit_close();
}

TEST(canceling_is_not_held_off)
{
    open_router();
    kit_run(ROUTER "for i = 1, 1000 do pcall(router.wait) end\nreturn 'fine'");
    door_cancel(kit.answer.run, DOOR_CANCELED, "canceled by the caller", &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_CANCELED);
    EXPECT_STR(kit.answer.message, "canceled by the caller");
    kit_run(ROUTER "while true do pcall(router.wait) end");
    door_cancel(kit.answer.run, DOOR_CANCELED, "canceled by the caller", &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_STRETCH);
    EXPECT_RESULT("return 1", "1");
    kit_close();
}

TEST(a_generator_that_waits_is_canceled)
{
    open_router();
    kit_run(ROUTER "for a in coroutine.wrap(function() coroutine.yield(router.wait()) end) do end");
    EXPECT(kit.answer.outcome == DOOR_WAITING);
    door_cancel(kit.answer.run, DOOR_CANCELED, "canceled", &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED);
    EXPECT(strstr(kit.answer.message, "canceled") != NULL);
    kit_close();
}

TEST(a_sliced_run_is_canceled)
{
    kit_open();
    kit.call.budget.slice_ns = KIT_MS;
    EXPECT(kit_run("while true do end") == DOOR_SLICED);
    door_cancel(kit.answer.run, DOOR_CANCELED, "stopping", &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_CANCELED);
    EXPECT_STR(kit.answer.message, "policy.lua:1: stopping");
    EXPECT_RESULT("return 1", "1");
    kit_close();
}

/* ---- budgets ---- */

TEST(slices)
{
    unsigned slices = 0;

    kit_open();
    kit.call.budget = (struct door_budget){.slice_ns = 2 * KIT_MS, .stretch_ns = 60000 * KIT_MS};
    kit_run("local n = 0 for i = 1, 5000000 do n = n + i end return n");
    while (kit.answer.outcome == DOOR_SLICED) {
        slices++;
        door_resume(kit.answer.run, NULL, NULL, &kit.answer);
    }
    EXPECT(slices > 2);
    EXPECT_STR(kit.results, "12500002500000");
    /* Through a generator as well. */
    kit_run("local f = coroutine.wrap(function() local n = 0\n"
            "for i = 1, 5000000 do n = n + i end return n end) return f()");
    EXPECT(kit.answer.outcome == DOOR_SLICED);
    while (kit.answer.outcome == DOOR_SLICED)
        door_resume(kit.answer.run, NULL, NULL, &kit.answer);
    EXPECT_STR(kit.results, "12500002500000");
    kit_close();
}

TEST(slices_add_up_to_a_stretch)
{
    kit_open();
    kit.call.budget = (struct door_budget){.slice_ns = 2 * KIT_MS, .stretch_ns = 20 * KIT_MS};
    kit_run("while true do end");
    EXPECT(kit.answer.outcome == DOOR_SLICED);
    for (int i = 0; i < 10000 && kit.answer.outcome == DOOR_SLICED; i++)
        door_resume(kit.answer.run, NULL, NULL, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_STRETCH);
    EXPECT_STR(kit.answer.message,
               "policy.lua:1: 20 ms without waiting; call nexus.breathe() in long loops");
    kit_close();
}

TEST(stretches_add_up)
{
    open_router();
    kit.call.budget = (struct door_budget){.stretch_ns = 1000 * KIT_MS, .cpu_ns = 30 * KIT_MS};
    kit_run(ROUTER "while true do for i = 1, 100000 do end router.wait() end");
    for (int i = 0; i < 100000 && kit.answer.outcome == DOOR_WAITING; i++)
        door_resume(kit.answer.run, NULL, NULL, &kit.answer);
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_CPU);
    EXPECT_STR(kit.answer.message, "policy.lua:2: 30 ms of CPU in all");
    kit_close();
}

TEST(the_wall_clock)
{
    kit_open();
    kit.call.budget = (struct door_budget){.wall_ns = 20 * KIT_MS};
    EXPECT(kit_run("while true do end") == DOOR_KILLED);
    EXPECT(kit.answer.limit == DOOR_WALL);
    EXPECT_STR(kit.answer.message, "policy.lua:1: not done after 0.02 s");
    kit_close();
}

/* The same for every run, on every machine. */
TEST(instructions_are_counted)
{
    int at[2] = {0};

    for (int i = 0; i < 2; i++) {
        kit_open();
        kit.call.budget = (struct door_budget){.instructions = 100000};
        EXPECT(kit_run("for i = 1, math.huge do require('kept').set(i) end") == DOOR_KILLED);
        EXPECT(kit.answer.limit == DOOR_INSTRUCTIONS);
        EXPECT_STR(kit.answer.message, "policy.lua:1: more than 100000 instructions");
        kit_run("return require('kept').get()");
        at[i] = atoi(kit.results);
        EXPECT(kit.answer.outcome == DOOR_RETURNED);
        kit_close();
    }
    EXPECT(at[0] > 10000 && at[0] < 20000);
    EXPECT_EQ(at[0], at[1]);
}

TEST(growth_counts_within_a_stretch)
{
    open_router();
    kit.call.budget = (struct door_budget){.growth = (size_t)1024 * 1024};
    EXPECT(kit_run("return ('x'):rep(2000000)") == DOOR_KILLED);
    EXPECT(kit.answer.limit == DOOR_MEMORY);
    EXPECT_STR(kit.answer.message,
               "policy.lua:1: not enough memory: it may grow by 1024 KiB without waiting, to 65536 "
               "KiB in all, 16384 KiB of them in one string or table");
    kit_run(ROUTER "local t = {} for i = 1, 8 do t[i] = i .. ('x'):rep(500000) router.wait() end "
                   "return #t");
    EXPECT_EQ(go_on(), 8);
    EXPECT_STR(kit.results, "8");
    kit_close();
}

/* ---- entries within entries ---- */

TEST(entering_from_a_callback)
{
    open_router();
    EXPECT_RESULT(ROUTER "return router.enter('return 42')", "0\t42");
    EXPECT_RESULT(ROUTER "return router.enter('error(1)')", "1\t1");
    EXPECT_RESULT(ROUTER "return router.enter('while true do end', 5)",
                  "2\tinner.lua:1: 5 ms without waiting; call nexus.breathe() in long loops");
    EXPECT_RESULT(ROUTER "return router.enter('require(\"router\").wait()')", "3\t");
    EXPECT_RESULT(ROUTER "local r = {} table.sort({ 2, 1 }, function() r = { router.enter('return "
                         "7') } end) return table.unpack(r)",
                  "0\t7");
    /* The outer one has budgets of its own. */
    EXPECT(kit_run(ROUTER "while true do router.enter('return 1') end") == DOOR_KILLED);
    EXPECT(kit_run(ROUTER "while true do router.enter('for i = 1, 100000 do end') end") ==
           DOOR_KILLED);
    kit_close();
}

TEST(entries_are_not_nested_without_end)
{
    open_router();
    kit_run("local kept = require 'kept'\n" ROUTER
            "local function down() local n, words = router.enter('require(\"kept\").get()()')\n"
            "kept.set(words) end kept.set(down) down() return kept.get()");
    EXPECT(kit.answer.outcome == DOOR_RETURNED);
    kit_close();
}

/* ---- memory runs out wherever it may ---- */

TEST(every_allocation_may_fail)
{
    const char *codes[] = {
        "local t = {} for i = 1, 50 do t[i] = { i .. 'x' } end return #t",
        "return pcall(function() local co = coroutine.wrap(function() coroutine.yield(('x'):rep(90)"
        ") end) return #co() end)",
        "local n = require('nexus') return n.json.encode(n.json.decode('{\"a\":[1,\"b\",{}]}'))",
        "error({ ('x'):rep(100) })",
        "local co = coroutine.create(error) coroutine.resume(co) return coroutine.resume(co)",
        "local function f() return coroutine.wrap(f)() end f()",
        "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = "
        "function() error({ ('x'):rep(100) }) end }) coroutine.yield() end)\n"
        "coroutine.resume(co) return coroutine.close(co)",
    };
    unsigned starved = 0;

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        for (size_t room = 0; room < 40000; room += 61) {
            kit_open();
            /* The state has so much left, and collects what it can. */
            kit.vm->options.memory = kit.vm->heap.limit = kit.vm->heap.held + room;
            kit_run(codes[i]);
            if (kit.answer.outcome == DOOR_KILLED) {
                EXPECT(kit.answer.limit == DOOR_MEMORY);
                starved++;
            } else {
                EXPECT(kit.answer.outcome == DOOR_RETURNED || kit.answer.outcome == DOOR_FAILED);
            }
            kit.vm->options.memory = kit.vm->heap.limit = VM_MEMORY;
            EXPECT_RESULT("return 1 + 1", "2");
            kit_close();
        }
    }
    EXPECT(starved > 50);
}

TEST(garbage_is_collected)
{
    size_t before;

    kit_open();
    EXPECT_RESULT("local t = {} for i = 1, 20000 do t[i] = { i } end return #t", "20000");
    before = vm_memory(kit.vm);
    vm_collect(kit.vm, false);
    vm_collect(kit.vm, true);
    EXPECT(vm_memory(kit.vm) < before / 2);
    kit_close();
}

TEST(a_state_needs_some_memory)
{
    EXPECT(vm_new(&(struct vm_options){.memory = 1000}) == NULL);
    for (size_t len = 1000; len < 600000; len += 5000)
        vm_free(vm_new(&(struct vm_options){.memory = len}));
}

/* ---- whatever policies may do, in mixtures ---- */

#define MIXTURES 1500

static const char *const leaves[] = {
    "while true do end",
    "router.wait()",
    "error('x')",
    "error({})",
    "coroutine.yield()",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local s = 'x' while true do s = s .. s end",
    "router.enter('while true do end', 2)",
    "router.enter('require(\\'router\\').wait()')",
    "local function f() return f() + 1 end f()",
    "for i = 1, 2000 do local x = {} end",
    "(('a'):rep(300)):find(('.-'):rep(9) .. 'b')",
};

static const char prelude[] =
    ROUTER "local wait = coroutine.yield\n"
           "local function ending(f) return setmetatable({}, { __close = f }) end\n"
           "local function go(co) coroutine.resume(co) return coroutine.close(co) end\n";

/* F is replaced by another one, or by a leaf. */
static const char *const wrappings[] = {
    "pcall(function() F end)",
    "while true do F end",
    "for i = 1, 3 do F end",
    "while true do pcall(function() F end) end",
    "coroutine.wrap(function() F end)()",
    "coroutine.resume(coroutine.create(function() F end))",
    "for a in coroutine.wrap(function() F coroutine.yield(1) F end) do F end",
    "table.sort({ 3, 2, 1 }, function() F end)",
    "(('xy'):gsub('.', function() F end))",
    "xpcall(function() F end, function() F end)",
    "do local x <close> = setmetatable({}, { __close = function() F end }) F end",
    "local v = setmetatable({}, { __index = function() F end }).x",
    "local v = setmetatable({}, { __add = function() F end }) + 1",
    "tostring(setmetatable({}, { __tostring = function() F return '' end }))",
    "go(coroutine.create(function() local x <close> = ending(function() F end) wait() F end))",
    "local co = coroutine.create(function() F end) require('kept').set(co) F",
    "pcall(coroutine.resume, require('kept').get())",
    "pcall(coroutine.close, require('kept').get())",
};

static size_t mix(struct rng *rng, char *out, size_t room, unsigned depth)
{
    const char *piece = depth == 0 || rng_below(rng, 5) == 0
                            ? leaves[rng_below(rng, ARRAY_LEN(leaves))]
                            : wrappings[rng_below(rng, ARRAY_LEN(wrappings))];
    size_t len = 0;

    for (; *piece != '\0' && len + 2 < room; piece++) {
        if (*piece == 'F')
            len += mix(rng, out + len, room - len, depth - 1);
        else
            out[len++] = *piece;
    }
    out[len] = '\0';
    return len;
}

/* Goes on with a run in all the ways there are, until it has ended. */
static void end_somehow(struct rng *rng)
{
    for (int i = 0; kit.answer.run != NULL; i++) {
        struct door_run *run = kit.answer.run;

        if (i > 30 || rng_below(rng, 8) == 0)
            door_cancel(run, DOOR_CANCELED, "enough", &kit.answer);
        else if (rng_below(rng, 4) == 0)
            door_resume(run, push_error, give, &kit.answer);
        else
            door_resume(run, push_two, give, &kit.answer);
    }
}

TEST(mixtures)
{
    static char code[60000];
    unsigned outcomes[DOOR_SLICED + 1] = {0};
    uint64_t seed = 11;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &seed);
    open_router();
    kit.call.budget = (struct door_budget){.stretch_ns = 3 * KIT_MS,
                                           .cpu_ns = 10 * KIT_MS,
                                           .slice_ns = KIT_MS,
                                           .growth = (size_t)1024 * 1024};
    for (int i = 0; i < MIXTURES / KIT_SLOW; i++) {
        double began;

        memcpy(code, prelude, sizeof(prelude));
        mix(&rng, code + sizeof(prelude) - 1, sizeof(code) - sizeof(prelude), 4);
        began = kit_now_ms();
        kit_run(code);
        end_somehow(&rng);
        outcomes[kit.answer.outcome]++;
        if (kit_now_ms() - began > 500.0 * KIT_SLOW)
            UNIT_FAIL("took %.0f ms: %s", kit_now_ms() - began, code);
        EXPECT_EQ(door_waiting(kit.vm), 0);
        EXPECT(kit.vm->running == NULL && kit.vm->run == NULL && kit.vm->nesting == 0 &&
               kit.vm->pinned == 0 && kit.vm->closing == 0);
    }
    EXPECT(outcomes[DOOR_RETURNED] > 0 && outcomes[DOOR_FAILED] > 0 && outcomes[DOOR_KILLED] > 0);
    EXPECT_RESULT("return 1 + 1", "2");
    kit_close();
}
