/* module_state_test.c -- nexus.kv, nexus.limiter and nexus.metrics, as policies use them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/writer.h"
#include "module_kit.h"
#include "state/state.h"

#define NEXUS "local nexus = require 'nexus' "
#define KV    NEXUS "local kv = nexus.kv('s') "

static struct state *state;
static struct router_state *router_state;
static uint64_t now;

static uint64_t test_now(const struct host *host)
{
    (void)host;
    return now;
}

static uint64_t test_wall(const struct host *host)
{
    (void)host;
    return 1767323045678 + now;
}

static void open_state(void)
{
    struct state_options options = {.realm = "com.acme"};

    router_state = router_state_open(&options);
    options.metrics = router_state->metrics;
    state = state_open(&options);
    now = 1000;
}

/* A state of Lua; what was opened before is there. */
static void open_lua(void)
{
    kit_open_module();
    kit_config.router_state = router_state;
    kit_host.now = test_now;
    kit_host.wall = test_wall;
    host_set_state(&kit_host, state);
}

static void open_all(void)
{
    open_state();
    open_lua();
}

static void close_all(void)
{
    kit_close_module();
    kit_config.router_state = NULL;
    EXPECT_EQ(state_close(state), 0);
    EXPECT_EQ(router_state_close(router_state), 0);
}

/* ---- kv ---- */

TEST(values_come_back_as_they_were)
{
    open_all();
    EXPECT_RESULT(KV "kv:set('a', { n = 1, f = 1.0, list = { 1, 2 }, empty = nexus.list(), "
                     "null = nexus.null, bytes = nexus.bytes('x') }) "
                     "local a = kv:get('a') "
                     "return a.n, a.f, #a.list, nexus.type(a.empty), a.null == nexus.null, "
                     "nexus.type(a.bytes), kv:get('b'), kv:size()",
                  "1\t1.0\t2\tlist\ttrue\tbytes\tnil\t1");
    EXPECT_RESULT(KV "local a = kv:get('a') a.n = 2 return kv:get('a').n", "1"); /* a copy */
    EXPECT_RESULT(KV "return kv:delete('a'), kv:delete('a'), kv:size()", "true\tfalse\t0");
    EXPECT_RESULT(KV "kv:set(7, 'seven') kv:set('f', false) return kv:get('7'), kv:get('f')",
                  "seven\tfalse");
    EXPECT_RESULT(KV "return tostring(kv)", "nexus.Store: s");
    close_all();
}

TEST(stores_outlive_the_state_of_lua)
{
    open_all();
    EXPECT_RESULT(KV "kv:set('a', 1) nexus.kv('r', { scope = 'router' }):set('b', 2) return 1",
                  "1");
    kit_close_module();
    open_lua();
    EXPECT_RESULT(KV "return kv:get('a'), nexus.kv('r'):get('b'), "
                     "nexus.kv('r', { scope = 'router' }):get('b')",
                  "1\tnil\t2");
    close_all();
}

TEST(add_incr_and_ttl)
{
    open_all();
    EXPECT_RESULT(KV "return kv:add('a', 1, { ttl = 1.5 }), kv:add('a', 2), kv:get('a')",
                  "true\tfalse\t1");
    EXPECT_RESULT(KV "return kv:incr('n'), kv:incr('n', 5), kv:incr('m', -1, { start = 10 }), "
                     "kv:incr('t', 1, { ttl = 1 })",
                  "1\t6\t9\t1");
    now += 1499;
    EXPECT_RESULT(KV "return kv:get('a'), kv:get('t'), kv:size()", "1\tnil\t3");
    now += 1;
    EXPECT_RESULT(KV "return kv:get('a'), kv:add('a', 'x'), kv:incr('n')", "nil\ttrue\t7");
    EXPECT_FAILS(KV "kv:incr('a')",
                 "policy.lua:1: kv:incr: the value in the store \"s\" is no integer");
    EXPECT_FAILS(KV "kv:set('a', 1.5) kv:incr('a')",
                 "policy.lua:1: kv:incr: the value in the store \"s\" is no integer");
    EXPECT_FAILS(KV "kv:incr('n', math.maxinteger)",
                 "policy.lua:1: kv:incr: the sum in the store \"s\" would be beyond 64 bits: 7 and "
                 "9223372036854775807");
    close_all();
}

TEST(update_is_one_step)
{
    open_all();
    EXPECT_RESULT(KV "return kv:update('a', function(v) return (v or 0) + 1 end), "
                     "kv:update('a', function(v) return v + 1 end), kv:get('a')",
                  "1\t2\t2");
    EXPECT_RESULT(KV "return kv:update('a', function() end), kv:size(), "
                     "kv:update('a', function(v) return v end), kv:size()",
                  "nil\t0\tnil\t0");
    EXPECT_RESULT(KV "kv:set('t', 1, { ttl = 1 }) kv:update('t', function() return 2 end) "
                     "return kv:get('t')",
                  "2");
    now += 1000;
    EXPECT_RESULT(KV "return kv:get('t')", "nil");
    EXPECT_RESULT(KV "local tries = 0 "
                     "kv:update('c', function(v) tries = tries + 1 "
                     "if tries == 1 then kv:set('c', 40) end return (v or 0) + 2 end) "
                     "return kv:get('c'), tries",
                  "42\t2");
    EXPECT_FAILS(KV "kv:update('c', function() return kv:incr('c') end)",
                 "policy.lua:1: kv:update: the value was changed by somebody else in each of 100 "
                 "tries; does the function change it itself?");
    EXPECT_FAILS(KV "kv:update('c', function() error('no', 0) end)", "no");
    EXPECT_FAILS(KV "kv:update('c', function() nexus.crypto.password_hash('x') end)",
                 "policy.lua:1: cannot wait in the function of kv:update");
    EXPECT_FAILS(KV "kv:update('c', function() return print end)",
                 "policy.lua:1: value: function cannot be sent");
    close_all();
}

TEST(each_walks_in_order_and_may_wait)
{
    open_all();
    EXPECT_RESULT(KV "for i = 1, 5 do kv:set('u:' .. i, i) end kv:set('v', 0) "
                     "local seen = {} "
                     "kv:each('u:', function(k, v) seen[#seen + 1] = k .. '=' .. v "
                     "if v == 2 then kv:delete('u:2') kv:delete('u:3') kv:set('u:35', 9) end end) "
                     "return table.concat(seen, ' ')",
                  "u:1=1 u:2=2 u:35=9 u:4=4 u:5=5");
    EXPECT_RESULT(KV "local n = 0 kv:each('', function() n = n + 1 return n < 2 end) return n",
                  "2");
    EXPECT_RESULT(KV "local n = 0 kv:each('u:', function(k) "
                     "n = n + #nexus.crypto.pbkdf2('p', 'saltsalt', { iterations = 1000 }) "
                     "return n < 96 end) return n",
                  "96");
    EXPECT_RESULT(NEXUS "local kv, n = nexus.kv('r', { scope = 'router' }), 0 "
                        "for i = 1, 100 do kv:set('k' .. i, i) end "
                        "kv:each('k', function(_, v) n = n + v end) return n",
                  "5050");
    EXPECT_FAILS(KV "kv:each('', function() error('stop', 0) end)", "stop");
    close_all();
}

TEST(quotas_are_said)
{
    open_all();
    EXPECT_FAILS(NEXUS
                 "local kv = nexus.kv('q', { max_entries = 1 }) kv:set('a', 1) kv:set('b', 1)",
                 "policy.lua:1: kv:set: the store \"q\" is full: max_entries of the store is 1");
    EXPECT_RESULT(NEXUS "local kv = nexus.kv('q', { evict = 'lru' }) kv:set('b', 1) "
                        "return kv:get('a'), kv:get('b')",
                  "nil\t1");
    close_all();
}

TEST(wrong_arguments_are_named)
{
    open_all();
    EXPECT_FAILS(NEXUS "nexus.kv()",
                 "policy.lua:1: bad argument #1 to 'kv' (string expected, got no value)");
    EXPECT_FAILS(NEXUS "nexus.kv('')",
                 "policy.lua:1: bad argument #1 to 'kv' (the name of a store, of 1 to 100 octets)");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { persits = true })",
                 "policy.lua:1: nexus.kv: persits: no such option (did you mean \"persist\"?)");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { persist = 'yes' })",
                 "policy.lua:1: nexus.kv: persist: found a string; allowed: true, false");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { evict = 'fifo' })",
                 "policy.lua:1: nexus.kv: evict: found fifo; allowed: \"refuse\", \"lru\"");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { scope = 1 })",
                 "policy.lua:1: nexus.kv: scope: found 1; allowed: \"realm\", \"router\"");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { max_bytes = 0 })",
                 "policy.lua:1: nexus.kv: max_bytes: found 0; allowed: an integer from 1");
    EXPECT_FAILS(NEXUS "nexus.kv('s', { persist = true })",
                 "policy.lua:1: nexus.kv: the store \"s\" cannot persist: the configuration has no "
                 "data_folder");
    EXPECT_FAILS(KV "kv:get(nil)", "policy.lua:1: bad argument #1 to 'get' (string or integer "
                                   "expected, got nil)");
    EXPECT_FAILS(KV "kv:get(1.5)", "policy.lua:1: bad argument #1 to 'get' (string or integer "
                                   "expected, got number)");
    EXPECT_FAILS(KV "kv:set('a', nil)",
                 "policy.lua:1: bad argument #2 to 'set' (a value that is not nil; delete takes a "
                 "key out)");
    EXPECT_FAILS(KV "kv:set('a', { f = print })", "policy.lua:1: value.f: function cannot be sent");
    EXPECT_FAILS(KV "kv:set('a', 1, { tll = 1 })",
                 "policy.lua:1: kv:set: tll: no such option (did you mean \"ttl\"?)");
    EXPECT_FAILS(KV "kv:set('a', 1, { ttl = 0 })",
                 "policy.lua:1: kv:set: ttl: found 0; allowed: seconds, from 0.001 to 315360000");
    EXPECT_FAILS(KV "kv.get('a')", "policy.lua:1: bad argument #1 to 'get' (nexus.Store expected, "
                                   "got string)");
    close_all();
}

TEST(nothing_acts_while_loading)
{
    open_all();
    kit_host.is_loading = true;
    EXPECT_RESULT(KV "return tostring(kv)", "nexus.Store: s");
    EXPECT_FAILS(KV "kv:get('a')", "policy.lua:1: not while loading; use policy.on_load");
    EXPECT_FAILS(KV "kv:update('a', print)", "policy.lua:1: not while loading; use policy.on_load");
    EXPECT_FAILS(NEXUS "nexus.limiter{ rate = 1 }:take('a')",
                 "policy.lua:1: not while loading; use policy.on_load");
    EXPECT_FAILS(NEXUS "nexus.metrics.counter('n'):inc()",
                 "policy.lua:1: not while loading; use policy.on_load");
    kit_host.kv = NULL; /* as in nexusd check */
    kit_host.limiters = NULL;
    kit_host.metrics = NULL;
    EXPECT_FAILS(NEXUS "nexus.kv('p', { persist = true })",
                 "policy.lua:1: nexus.kv: the store \"p\" cannot persist: the configuration has no "
                 "data_folder");
    kit_config.is_unknown = true;
    EXPECT_RESULT(KV "nexus.kv('p', { persist = true }) nexus.limiter{ rate = 1 } "
                     "nexus.metrics.gauge('g') return tostring(kv)",
                  "nexus.Store");
    kit_config.is_unknown = false;
    kit_host.is_loading = false;
    EXPECT_FAILS(KV "kv:get('a')", "policy.lua:1: nexus.kv: there are no stores here");
    close_all();
}

TEST(functions_that_stores_call_have_budgets)
{
    open_all();
    EXPECT(kit_run(KV "kv:set('a', 1) kv:update('a', function() while true do end end)") ==
           DOOR_KILLED);
    EXPECT(kit_run(KV "kv:update('a', function() while true do pcall(function() "
                      "while true do end end) end end)") == DOOR_KILLED);
    EXPECT(kit_run(KV "kv:each('', function() while true do end end)") == DOOR_KILLED);
    EXPECT(kit_run(KV "while true do kv:each('', function() end) end") == DOOR_KILLED);
    EXPECT(kit_run(KV "while true do kv:get('a') end") == DOOR_KILLED);
    EXPECT(kit_run(NEXUS "local t = {} for i = 1, 1e9 do "
                         "t[i] = nexus.limiter{ name = 'l', rate = 1 } end") == DOOR_KILLED);
    EXPECT_RESULT(KV "return kv:get('a'), getmetatable(kv), kv.__gc", "1\tfalse\tnil");
    close_all();
}

/* A state that has no memory left for a value keeps nothing of it. */
TEST(a_value_that_does_not_fit_into_lua_is_given_back)
{
    open_all();
    kit.call.budget.stretch_ns = 3000 * KIT_MS; /* sanitizers are slow */
    EXPECT_RESULT(NEXUS "local kv = nexus.kv('big') "
                        "for i = 1, 5 do kv:set('k' .. i, ('x'):rep(3000000)) end return kv:size()",
                  "5");
    for (unsigned i = 0; i < 3; i++)
        EXPECT(kit_run(NEXUS
                       "local kv, all = nexus.kv('big'), {} "
                       "for i = 1, 1000 do all[i] = kv:get('k' .. i % 5 + 1) end") == DOOR_KILLED);
    EXPECT_RESULT(NEXUS "return #nexus.kv('big'):get('k1')", "3000000");
    close_all();
}

/* ---- limiter ---- */

TEST(limiters)
{
    open_all();
    EXPECT_RESULT(NEXUS "local l = nexus.limiter{ name = 'l', rate = 2, burst = 10 } "
                        "return l:take('joe', 10), l:take('joe')",
                  "true\tfalse\t0.5");
    kit_close_module(); /* levels outlive it */
    open_lua();
    EXPECT_RESULT(NEXUS "return nexus.limiter{ name = 'l', rate = 2, burst = 10 }:take('joe', 2)",
                  "false\t1.0");
    now += 500;
    EXPECT_RESULT(NEXUS "local l = nexus.limiter{ name = 'l', rate = 2, burst = 10 } "
                        "return l:take('joe'), l:take(17)",
                  "true\ttrue");
    EXPECT_FAILS(NEXUS "nexus.limiter{}",
                 "policy.lua:1: nexus.limiter: rate: found nil; allowed: a number from 1e-06 to "
                 "1000000000.0");
    EXPECT_FAILS(NEXUS "nexus.limiter{ rate = 1, brust = 2 }",
                 "policy.lua:1: nexus.limiter: brust: no such option (did you mean \"burst\"?)");
    EXPECT_FAILS(
        NEXUS "nexus.limiter{ rate = 1, burst = 5 }:take('a', 6)",
        "policy.lua:1: limiter:take: found 6.0; allowed: a number from 0 to 5.0, the burst");
    EXPECT_FAILS(NEXUS "nexus.limiter{ rate = 1 }:take()",
                 "policy.lua:1: bad argument #1 to 'take' (string or integer expected, got no "
                 "value)");
    close_all();
}

/* ---- metrics ---- */

static const char *exported(void)
{
    static char text[4000];
    struct writer out;

    writer_init(&out, 0);
    metrics_write(router_state->metrics, &out);
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(writer_slice(&out)));
    writer_fini(&out);
    return text;
}

TEST(metrics_are_exported)
{
    open_all();
    kit.call.budget.stretch_ns = 3000 * KIT_MS; /* sanitizers are slow */
    EXPECT_RESULT(NEXUS "local m = nexus.metrics "
                        "m.counter('joins', { role = 'user', level = 3 }):inc() "
                        "m.counter('joins', { level = 3, role = 'user' }):inc(2) "
                        "local g = m.gauge('running') g:set(5) g:inc() g:dec(2.5) "
                        "m.histogram('took', nil, { 0.1, 1 }):observe(0.5) return 1",
                  "1");
    EXPECT_STR(exported(), "# TYPE joins counter\n"
                           "joins{realm=\"com.acme\",level=\"3\",role=\"user\"} 3\n"
                           "# TYPE running gauge\n"
                           "running{realm=\"com.acme\"} 3.5\n"
                           "# TYPE took histogram\n"
                           "took_bucket{realm=\"com.acme\",le=\"0.1\"} 0\n"
                           "took_bucket{realm=\"com.acme\",le=\"1\"} 1\n"
                           "took_bucket{realm=\"com.acme\",le=\"+Inf\"} 1\n"
                           "took_sum{realm=\"com.acme\"} 0.5\n"
                           "took_count{realm=\"com.acme\"} 1\n");
    EXPECT_FAILS(
        NEXUS "nexus.metrics.counter('n'):inc(-1)",
        "policy.lua:1: bad argument #1 to 'inc' (a counter does not go down; a gauge does)");
    EXPECT_FAILS(NEXUS "nexus.metrics.counter('running')",
                 "policy.lua:1: nexus.metrics.counter: the metric \"running\" is a gauge already");
    EXPECT_FAILS(NEXUS "nexus.metrics.counter('nexus_calls')",
                 "policy.lua:1: nexus.metrics.counter: names that begin with nexus_ are the "
                 "router's");
    EXPECT_FAILS(NEXUS "nexus.metrics.gauge('g', { role = {} })",
                 "policy.lua:1: nexus.metrics.gauge: label \"role\": found a table; allowed: a "
                 "string, a number, a boolean");
    EXPECT_FAILS(
        NEXUS "for i = 1, 2000 do nexus.metrics.gauge('many', { i = i }) end",
        "policy.lua:1: nexus.metrics.gauge: no room for another series of \"many\": 1000 of "
        "them are allowed");
    close_all();
}
