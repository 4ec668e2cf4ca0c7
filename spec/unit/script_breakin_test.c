/* script_breakin_test.c -- policies that will not stop, eat memory, or reach for what is not theirs.
 *
 * Each is stopped within its budget (50 ms of CPU, 16 MiB of growth), a pcall
 * around it has no say, and the state works on. The bound on time is generous:
 * what it must tell apart is "soon" from "never".
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/vm_priv.h"
#include "script_kit.h"

#define SOON_MS (1000.0 * KIT_SLOW)

static void expect_alive(void)
{
    kit.call.take = kit_take;
    EXPECT_RESULT("return 1 + 1", "2");
}

static void expect_killed(const char *code, enum door_limit limit, enum door_limit or_limit)
{
    enum door_outcome outcome = kit_run(code);

    if (outcome != DOOR_KILLED || (kit.answer.limit != limit && kit.answer.limit != or_limit))
        UNIT_FAIL("not killed as expected: outcome %d, limit %s, results \"%s\", %s\n  %s",
                  (int)outcome, door_limit_name(kit.answer.limit), kit.results, kit.answer.message,
                  code);
    if (kit.ms > SOON_MS)
        UNIT_FAIL("took %.0f ms: %s", kit.ms, code);
    if (strncmp(kit.answer.message, "policy.lua:", 11) != 0)
        UNIT_FAIL("the message names no place: \"%s\"", kit.answer.message);
    EXPECT(door_waiting(kit.vm) == 0);
    expect_alive();
}

static void expect_stopped(const char *code)
{
    kit_open();
    expect_killed(code, DOOR_STRETCH, DOOR_STRETCH);
    kit_close();
}

/* With all the time in the world. */
static void expect_starved(const char *code)
{
    kit_open();
    kit.call.budget.stretch_ns = 60000 * KIT_MS;
    expect_killed(code, DOOR_MEMORY, DOOR_MEMORY);
    kit_close();
}

/* Time or memory, whichever is first. */
static void expect_ended(const char *code)
{
    kit_open();
    expect_killed(code, DOOR_MEMORY, DOOR_STRETCH);
    kit_close();
}

/* An error of its own, soon. */
static void expect_refused(const char *code, const char *words)
{
    kit_open();
    EXPECT_FAILS(code, words);
    EXPECT(kit.ms < SOON_MS);
    expect_alive();
    kit_close();
}

/* ---- loops ---- */

TEST(a_plain_loop)
{
    expect_stopped("while true do end");
    expect_stopped("::again:: goto again");
    expect_stopped("for i = 1, math.huge do end");
}

TEST(a_loop_in_pcall_in_a_loop)
{
    expect_stopped("while true do pcall(function() while true do end end) end");
}

TEST(a_loop_in_nested_pcalls)
{
    expect_stopped("local function f() while true do pcall(f) end end f()");
    expect_stopped("while true do pcall(pcall, pcall, function() while true do end end) end");
}

TEST(a_loop_in_the_handler_of_xpcall)
{
    expect_stopped("xpcall(function() error('x') end, function() while true do end end)");
    expect_stopped("xpcall(function() while true do end end, function() while true do end end)");
    expect_stopped("while true do xpcall(error, function() while true do end end) end");
}

TEST(a_loop_in_a_finalizer)
{
    expect_refused("setmetatable({}, { __gc = function() while true do end end })",
                   "policy.lua:1: __gc is not offered; use <close> variables");
    kit_open();
    /* A finalizer that is put there later is none. */
    EXPECT_RESULT("local meta, ran = {}, false\n"
                  "setmetatable({}, meta); meta.__gc = function() ran = true end\n"
                  "for i = 1, 100000 do local t = {} end return ran",
                  "false");
    kit_close();
}

TEST(repetition_of_nothing)
{
    kit_open();
    EXPECT_RESULT("return #(''):rep(1 << 60), #(''):rep(1 << 60, '')", "0\t0");
    EXPECT(kit.ms < SOON_MS);
    kit_close();
    expect_refused("return ('x'):rep(1 << 62, 'y')", "policy.lua:1: resulting string too large");
}

TEST(repetition_of_much)
{
    expect_starved("return ('x'):rep(1 << 40)");
    expect_starved("local s = 'x' while true do s = s:rep(2) end");
    expect_ended("while true do pcall(string.rep, 'x', 1 << 30) end");
}

TEST(a_pattern_that_backtracks)
{
    expect_ended("while true do pcall(string.find, ('a'):rep(3000), ('.-'):rep(20) .. 'b') end");
    kit_open();
    kit.call.budget.stretch_ns = 10000 * KIT_MS;
    EXPECT_FAILS("return (('a'):rep(3000)):find(('.-'):rep(20) .. 'b')",
                 "policy.lua:1: pattern takes too long (more than 2012000 steps)");
    EXPECT(kit.ms < SOON_MS);
    EXPECT_FAILS("return (('a'):rep(3000)):gsub(('a*'):rep(20) .. 'b', '')",
                 "policy.lua:1: pattern takes too long (more than 2012000 steps)");
    EXPECT(kit.ms < SOON_MS);
    kit_close();
}

TEST(table_move_without_end)
{
    expect_refused("table.move({}, 1, 1 << 40, 2)",
                   "policy.lua:1: bad argument #3 to 'move' (too many items to move)");
    expect_refused("table.move({}, math.mininteger, math.maxinteger, 2)",
                   "policy.lua:1: bad argument #3 to 'move' (too many items to move)");
}

#define NOT_PLAIN(name)                                                      \
    "policy.lua:1: bad argument #1 to '" name "' (a plain table is wanted, " \
    "this one has __index, __newindex or __len)"

TEST(a_table_with_a_len_of_its_own)
{
    expect_refused(
        "table.insert(setmetatable({}, { __len = function() return 1 << 40 end }), 1, 2)",
        NOT_PLAIN("insert"));
    expect_refused("table.concat(setmetatable({}, { __index = tostring }), '', 1, 1 << 60)",
                   NOT_PLAIN("concat"));
    expect_refused("table.sort(setmetatable({}, { __index = rawlen }))", NOT_PLAIN("sort"));
    expect_refused("table.unpack(setmetatable({}, { __index = rawlen }))", NOT_PLAIN("unpack"));
}

TEST(there_is_no_load)
{
    expect_refused("load('x = 1')",
                   "policy.lua:1: there is no global \"load\"; declare it with local");
    expect_refused("return string.dump(print)",
                   "policy.lua:1: attempt to call a nil value (field 'dump')");
    expect_refused("dofile('/etc/passwd')",
                   "policy.lua:1: there is no global \"dofile\"; declare it with local");
}

TEST(a_loop_in_a_coroutine)
{
    expect_stopped("coroutine.wrap(function() while true do end end)()");
    expect_stopped("coroutine.wrap(function() coroutine.wrap(function() while true do end end)() "
                   "end)()");
    expect_stopped("while true do coroutine.resume(coroutine.create(function() while true do end "
                   "end)) end");
    /* Short-lived coroutines, none of which runs long. */
    expect_stopped("while true do coroutine.wrap(function() end)() end");
    expect_stopped("local f = coroutine.wrap(function() while true do coroutine.yield() end end)\n"
                   "while true do f() end");
}

TEST(code_after_a_killed_coroutine_does_not_run)
{
    kit_open();
    expect_killed("local r = coroutine.wrap(function() while true do end end)()\n"
                  "print('went on') return true",
                  DOOR_STRETCH, DOOR_STRETCH);
    EXPECT_STR(kit.said, "");
    kit_close();
}

TEST(a_loop_in_a_comparator)
{
    expect_stopped("table.sort({ 3, 1, 2 }, function() while true do end end)");
    expect_stopped("while true do pcall(table.sort, { 3, 1, 2 }, function() while true do end end) "
                   "end");
}

TEST(a_loop_in_a_gsub_callback)
{
    expect_stopped("(('x'):rep(10)):gsub('.', function() while true do end end)");
    expect_stopped("while true do pcall(string.gsub, 'x', '.', function() while true do end end) "
                   "end");
}

TEST(a_coroutine_within_a_comparator)
{
    expect_stopped("table.sort({ 3, 1, 2 }, coroutine.wrap(function() while true do end end))");
    expect_stopped("table.sort({ 3, 1, 2 }, function() pcall(coroutine.wrap(function()\n"
                   "while true do pcall(function() while true do end end) end end)) end)");
}

TEST(a_close_that_loops_after_the_kill)
{
    expect_stopped("local x <close> = setmetatable({}, { __close = function() while true do end "
                   "end })\nwhile true do end");
    expect_stopped("local function again() while true do pcall(again) end end\n"
                   "local x <close> = setmetatable({}, { __close = again })\n"
                   "local y <close> = setmetatable({}, { __close = again })\nagain()");
    expect_stopped("local x <close> = setmetatable({}, { __close = function()\n"
                   "coroutine.wrap(function() while true do end end)() end })\nwhile true do end");
}

TEST(a_close_gets_a_little_time)
{
    kit_open();
    expect_killed("local x <close> = setmetatable({}, { __close = function() print('closed') end "
                  "})\nwhile true do end",
                  DOOR_STRETCH, DOOR_STRETCH);
    EXPECT_STR(kit.said, "info policy.lua:1: closed\n");
    kit_close();
}

/* An error raised by a hook leaves the hooks of its thread off. */
TEST(a_close_that_loops_after_a_kill_in_a_comparator)
{
    expect_stopped("local x <close> = setmetatable({}, { __close = function() while true do end "
                   "end })\ntable.sort({ 3, 1, 2 }, function() while true do end end)");
}

TEST(a_killed_coroutine_is_closed_by_a_later_entry)
{
    kit_open();
    expect_killed("local co = coroutine.create(function()\n"
                  "  local x <close> = setmetatable({}, { __close = function() while true do end "
                  "end })\n"
                  "  table.sort({ 3, 1, 2 }, function() while true do end end) end)\n"
                  "require('kept').set(co) coroutine.resume(co)",
                  DOOR_STRETCH, DOOR_STRETCH);
    EXPECT_FAILS("coroutine.close(require('kept').get())",
                 "policy.lua:1: the coroutine waits for the router");
    EXPECT_RESULT("return coroutine.resume(require('kept').get())",
                  "false\tthe coroutine waits for the router");
    kit_close();
}

TEST(strings_of_megabytes_are_compared)
{
    expect_stopped("local a, b = ('x'):rep(4000000), ('x'):rep(3999999) .. 'x'\n"
                   "while true do local c = a == b end");
    expect_stopped("local a, b = ('x'):rep(4000000), ('x'):rep(3999999) .. 'y'\n"
                   "while true do local c = a < b end");
}

TEST(a_number_of_megabytes)
{
    expect_ended("local s = ('1'):rep(4000000) while true do local n = pcall(function() return s + "
                 "1 end) end");
    expect_ended("local s = ('1'):rep(4000000) while true do local n = tonumber(s) end");
    expect_ended("local s = ('1'):rep(4000000) while true do pcall(function() return s | 1 end) "
                 "end");
}

TEST(functions_whose_time_no_instruction_shows)
{
    expect_stopped("local s = ('x'):rep(1000000) while true do utf8.len(s) end");
    expect_stopped("local s = ('b'):rep(1000000) while true do string.packsize(s) end");
    expect_stopped("local s = ('x'):rep(1000000) while true do s:find('y', 1, true) end");
    expect_stopped("local s = ('x'):rep(1000000) while true do s:find('y') end");
    expect_stopped("local s = ('x'):rep(1000000) while true do s:match('[a-w]') end");
    expect_ended("local s = ('x'):rep(1000000) while true do s:upper() end");
    expect_ended("local s = ('x'):rep(1000000) while true do s:gsub('y', 'z') end");
    expect_ended("local s = ('x'):rep(1000000) while true do local t = s .. s end");
    expect_ended("while true do table.unpack({}, 1, 200000) end");
}

TEST(a_big_table)
{
    const char *fill = "local t = {} for i = 1, 100000 do t[i] = i end\n";
    const char *loops[] = {
        "while true do table.insert(t, 1, 0); t[#t] = nil end",
        "while true do table.remove(t, 1); t[#t + 1] = 1 end",
        "while true do table.sort(t, function(a, b) return a > b end) end",
        "while true do table.sort(t) end",
        "while true do table.sort(t, function() return true end) end",
        "while true do table.concat(t) end",
        "while true do table.move(t, 1, #t, 2) t[#t] = nil end",
        "while true do for k in pairs(t) do t[k] = nil end next(t) end",
        "for i = 1, #t do t[i] = nil end while true do next(t) end",
    };
    char code[400];

    for (size_t i = 0; i < ARRAY_LEN(loops); i++) {
        snprintf(code, sizeof(code), "%s%s", fill, loops[i]);
        expect_ended(code);
    }
}

TEST(recursion)
{
    expect_ended("local function f() return f() end f()");
    kit_open();
    kit_run("local function f() return 1 + f() end f()");
    EXPECT(kit.answer.outcome != DOOR_RETURNED && kit.ms < SOON_MS);
    expect_alive();
    kit_run("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] "
            "end return t.x");
    EXPECT(kit.answer.outcome == DOOR_FAILED && strstr(kit.answer.message, "overflow") != NULL);
    kit_run("local function f(s) return (s:gsub('.', f)) end f('x')");
    EXPECT(kit.answer.outcome == DOOR_FAILED && strstr(kit.answer.message, "overflow") != NULL);
    EXPECT(kit_run("local function f() return coroutine.wrap(f)() end f()") == DOOR_FAILED);
    kit_run("local function f(a, b) table.sort({ 2, 1 }, f) end f()");
    EXPECT(kit.answer.outcome == DOOR_FAILED && strstr(kit.answer.message, "overflow") != NULL);
    kit_run("local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return "
            "tostring(t) end return tostring(t)");
    EXPECT(kit.answer.outcome == DOOR_FAILED && strstr(kit.answer.message, "overflow") != NULL);
    expect_alive();
    kit_close();
}

/* lua_resetthread of 5.4.4 does not count the C stack. */
TEST(closes_within_closes)
{
    kit_open();
    kit_run("local function chain(n)\n"
            "  local co = coroutine.create(function()\n"
            "    local x <close> = setmetatable({}, { __close = function()\n"
            "      if n > 0 then coroutine.close(chain(n - 1)) end end })\n"
            "    coroutine.yield() end)\n"
            "  coroutine.resume(co) return co end\n"
            "return coroutine.close(chain(10000))");
    EXPECT(kit.answer.outcome == DOOR_RETURNED);
    expect_alive();
    kit_close();
}

TEST(errors_that_are_objects)
{
    const char *code = "error(setmetatable({}, { __tostring = function() while true do end end }))";

    kit_open();
    EXPECT_FAILS(code, "policy.lua:1: an error that is no text but a table");
    EXPECT_FAILS("error()", "policy.lua:1: an error that is no text but a nil");
    EXPECT_FAILS("error({})", "policy.lua:1: an error that is no text but a table");
    EXPECT_FAILS("error(12)", "12");
    kit_close();
    expect_stopped("print(setmetatable({}, { __tostring = function() while true do end end }))");
    expect_stopped("while true do pcall(tostring, setmetatable({}, { __tostring = function()\n"
                   "while true do end end })) end");
}

/* The collector would need seconds for the first of these, in one step. */
TEST(weak_keys_that_lead_to_each_other)
{
    kit_open();
    EXPECT_FAILS("setmetatable({}, { __mode = 'k' })",
                 "policy.lua:1: __mode is not offered; tables are never weak");
    kit.call.budget.stretch_ns = 5000 * KIT_MS;
    EXPECT_RESULT("local N, weak = 30000, {}\n"
                  "local t, k, p = {}, {}, {}\n"
                  "for i = 1, N do k[i] = {} t[i] = setmetatable({}, weak) p[i] = i end\n"
                  "for i = N, 2, -1 do local j = math.random(i) p[i], p[j] = p[j], p[i] end\n"
                  "for i = 1, N - 1 do t[p[i]][k[p[i]]] = k[p[i + 1]] end\n"
                  "require('kept').set({ t, k[p[1]] }) weak.__mode = 'k' return 1",
                  "1");
    kit.call.budget.stretch_ns = 50 * KIT_MS;
    for (int i = 0; i < 20; i++) {
        kit_run("while true do local x = {} end");
        EXPECT(kit.ms < SOON_MS);
    }
    kit_close();
    kit_open();
    EXPECT_RESULT("local m = {} local t = setmetatable({}, m) m['__mo' .. 'de'] = 'kv'\n"
                  "t[{}] = {} for i = 1, 100000 do local x = {} end return next(t) ~= nil",
                  "true");
    kit_close();
}

/* ---- memory ---- */

TEST(no_memory_for_a_coroutine)
{
    kit_open();
    kit.vm->options.memory = kit.vm->heap.limit = kit.vm->heap.held;
    for (int i = 0; i < 3; i++)
        EXPECT(kit_run("return 1") == DOOR_KILLED && kit.answer.limit == DOOR_MEMORY);
    kit.vm->options.memory = kit.vm->heap.limit = VM_MEMORY;
    expect_alive();
    kit_close();
}

TEST(memory_by_small_things)
{
    expect_starved("local t = {} while true do t[#t + 1] = {} end");
    expect_starved("local t = {} while true do t = { t } end");
    expect_ended("local t = {} for i = 1, math.huge do t[i .. ''] = i end");
    expect_starved("local t = {} while true do t[#t + 1] = coroutine.create(print) end");
    expect_starved("local t = {} while true do t[#t + 1] = function() return t end end");
    expect_ended("local function f(...) return f(1, ...) end f()");
}

TEST(memory_in_pcall)
{
    expect_starved("local t = {} while true do pcall(function() while true do t[#t + 1] = {} end "
                   "end) end");
    expect_starved("local t = {} pcall(function() while true do t[#t + 1] = {} end end)\n"
                   "t = nil return 'went on'");
}

TEST(memory_across_entries)
{
    kit_open_with((struct vm_options){.memory = (size_t)8 * 1024 * 1024});
    EXPECT_RESULT("return #require('kept')", "0");
    for (int i = 0; i < 20 && kit.answer.outcome == DOOR_RETURNED; i++)
        kit_run("local kept = require 'kept' kept.set(kept.get() .. ('x'):rep(1000000)) return 1");
    EXPECT(kit.answer.outcome == DOOR_KILLED && kit.answer.limit == DOOR_MEMORY);
    EXPECT(vm_memory(kit.vm) <= vm_memory_max(kit.vm));
    expect_alive();
    kit_close();
}

TEST(memory_in_other_size_classes)
{
    kit_open();
    kit.call.budget.growth = 0;
    kit.call.budget.stretch_ns = 20000 * KIT_MS;
    /* Fill and empty with each length: what is held may not add up. */
    EXPECT_RESULT("for len = 1, 30 do local t = {}\n"
                  "for i = 1, 30000 do t[i] = ('x'):rep(len * 16, tostring(i):sub(1, 1)) .. i end\n"
                  "end return 'fine'",
                  "fine");
    EXPECT(vm_memory(kit.vm) <= vm_memory_max(kit.vm));
    kit_close();
}

TEST(encoded_values_are_bounded)
{
    kit_open();
    kit.call.budget.stretch_ns = 20000 * KIT_MS;
    kit_run("local nexus = require 'nexus'\n"
            "local t = { ('x'):rep(1000) } for i = 1, 40 do t = { t, t } end\n"
            "return nexus.json.encode(t)");
    EXPECT(kit.answer.outcome == DOOR_FAILED);
    EXPECT(strncmp(kit.answer.message, "policy.lua:3: value[1][1]", 25) == 0);
    EXPECT(strstr(kit.answer.message, "the whole gets longer than 16777216 bytes") != NULL);
    kit_close();
    expect_stopped("local nexus = require 'nexus'\n"
                   "local t = {} for i = 1, 40 do t = { t, t } end\n"
                   "while true do pcall(nexus.json.encode, t) end");
}

/* ---- what is not theirs ---- */

TEST(the_metatable_of_strings)
{
    kit_open();
    EXPECT_RESULT("return getmetatable('')", "false");
    kit_close();
    expect_refused("setmetatable('', {})",
                   "policy.lua:1: bad argument #1 to 'setmetatable' (table expected, got string)");
    expect_refused("string.rep = nil", "policy.lua:1: string is read-only");
    expect_refused("rawset(string, 'rep', print)", "policy.lua:1: the table is read-only");
    expect_refused("rawset(_G, 'x', print)", "policy.lua:1: the table is read-only");
    expect_refused("table.insert(_G, print)", NOT_PLAIN("insert"));
}

TEST(pairs_hands_out_copies)
{
    kit_open();
    EXPECT_RESULT("local _, t = pairs(string) t.rep = print return ('x'):rep(2)", "xx");
    EXPECT_RESULT("local _, t = pairs(_G) t.string = nil return ('x'):rep(2), string ~= nil",
                  "xx\ttrue");
    kit_close();
}

TEST(the_coroutine_of_the_door)
{
    kit_open();
    EXPECT_RESULT("local kept = require 'kept' kept.set(coroutine.running()) return 1", "1");
    EXPECT_RESULT("local co = require('kept').get() return coroutine.resume(co)",
                  "false\tcannot resume a coroutine of the router");
    EXPECT_FAILS("local co = require('kept').get() return coroutine.close(co)",
                 "policy.lua:1: cannot close a coroutine of the router");
    EXPECT_FAILS("coroutine.yield()", "policy.lua:1: attempt to yield from outside a coroutine");
    EXPECT_FAILS("pcall(coroutine.yield) coroutine.yield()",
                 "policy.lua:1: attempt to yield from outside a coroutine");
    kit_close();
}

TEST(bytecode_is_no_policy)
{
    kit_open();
    EXPECT(kit_run("\033Lua") == DOOR_FAILED);
    EXPECT_STR(kit.answer.message, "policy.lua: this is compiled code; a policy is text");
    kit_close();
}
