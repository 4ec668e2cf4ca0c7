/* metrics.c -- nexus.metrics: numbers that are exported with those of the router.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/metrics.h"

#include "module/module_priv.h"

#include <math.h>

#define OWN_PREFIX "nexus_"

/* By type. */
static const char *const classes[] = {"nexus.Counter", "nexus.Gauge", "nexus.Histogram"};
static const char *const functions[] = {"nexus.metrics.counter", "nexus.metrics.gauge",
                                        "nexus.metrics.histogram"};

/* ---- finding ---- */

/* The value at the top as text, in its place. */
static struct slice label_value(lua_State *lua, const char *function, const char *name)
{
    int type = lua_type(lua, -1);

    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        luaL_error(lua, "%s: label \"%s\": found a %s; allowed: a string, a number, a boolean",
                   function, name, luaL_typename(lua, -1));
    luaL_tolstring(lua, -1, NULL);
    lua_replace(lua, -2);
    return check_slice(lua, -1);
}

/* Reads the table at 2. The texts stay on the stack. */
static size_t read_labels(lua_State *lua, const char *function,
                          struct metrics_label labels[METRICS_MAX_LABELS])
{
    size_t count = 0;

    if (lua_isnoneornil(lua, 2))
        return 0;
    luaL_checktype(lua, 2, LUA_TTABLE);
    for (lua_pushnil(lua); lua_next(lua, 2) != 0; count++) {
        if (lua_type(lua, -2) != LUA_TSTRING)
            luaL_error(lua, "%s: the name of a label is a %s; allowed: a string", function,
                       luaL_typename(lua, -2));
        if (count == METRICS_MAX_LABELS)
            luaL_error(lua, "%s: more than %d labels", function, METRICS_MAX_LABELS);
        labels[count].name = check_slice(lua, -2);
        labels[count].value = label_value(lua, function, labels[count].name.data);
        lua_pushvalue(lua, -2); /* the key, to go on with */
    }
    return count;
}

/* Reads the list at 3. */
static size_t read_bounds(lua_State *lua, double bounds[METRICS_MAX_BUCKETS])
{
    size_t count;

    luaL_checktype(lua, 3, LUA_TTABLE);
    count = lua_rawlen(lua, 3);
    if (count == 0 || count > METRICS_MAX_BUCKETS)
        luaL_error(lua, "nexus.metrics.histogram: %d buckets; allowed: from 1 to %d", (int)count,
                   METRICS_MAX_BUCKETS);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(lua, 3, (lua_Integer)i + 1) != LUA_TNUMBER)
            luaL_error(lua, "nexus.metrics.histogram: bucket %d is a %s; allowed: a number",
                       (int)i + 1, luaL_typename(lua, -1));
        bounds[i] = lua_tonumber(lua, -1);
        lua_pop(lua, 1);
    }
    return count;
}

static int find(lua_State *lua, enum metric_type type)
{
    struct metrics_label labels[METRICS_MAX_LABELS];
    double bounds[METRICS_MAX_BUCKETS];
    struct metrics_options options = {.type = type, .name = check_slice(lua, 1), .labels = labels};
    const struct host *host = host_of(lua);
    struct metric **metric;
    char words[200];

    lua_settop(lua, type == METRIC_HISTOGRAM ? 3 : 2);
    luaL_checkstack(lua, 2 * METRICS_MAX_LABELS + LUA_MINSTACK, NULL);
    if (options.name.len >= strlen(OWN_PREFIX) &&
        memcmp(options.name.data, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
        return luaL_error(lua, "%s: names that begin with " OWN_PREFIX " are the router's",
                          functions[type]);
    options.label_count = read_labels(lua, functions[type], labels);
    if (type == METRIC_HISTOGRAM && !lua_isnil(lua, 3)) {
        options.bound_count = read_bounds(lua, bounds);
        options.bounds = bounds;
    }
    vm_charge(lua, 20);
    metric = lua_newuserdatauv(lua, sizeof(struct metric *), 0);
    *metric = NULL;
    luaL_setmetatable(lua, classes[type]);
    if (host->metrics == NULL)
        return 1;
    *metric = metrics_find(host->metrics, &options, words, sizeof words);
    if (*metric == NULL)
        return luaL_error(lua, "%s: %s", functions[type], words);
    return 1;
}

static int l_counter(lua_State *lua)
{
    return find(lua, METRIC_COUNTER);
}

static int l_gauge(lua_State *lua)
{
    return find(lua, METRIC_GAUGE);
}

static int l_histogram(lua_State *lua)
{
    return find(lua, METRIC_HISTOGRAM);
}

/* ---- counting ---- */

static struct metric *check_metric(lua_State *lua, enum metric_type type)
{
    struct metric *const *metric = luaL_checkudata(lua, 1, classes[type]);

    l_host_changes(lua);
    if (*metric == NULL)
        luaL_error(lua, "nexus.metrics: there are no metrics here");
    return *metric;
}

static double check_number(lua_State *lua, double otherwise)
{
    double n = otherwise < 0 ? luaL_checknumber(lua, 2) : luaL_optnumber(lua, 2, otherwise);

    luaL_argcheck(lua, isfinite(n), 2, "a number that is finite");
    return n;
}

static int l_counter_inc(lua_State *lua)
{
    struct metric *metric = check_metric(lua, METRIC_COUNTER);
    double n = check_number(lua, 1);

    luaL_argcheck(lua, n >= 0, 2, "a counter does not go down; a gauge does");
    if (n < 0x1p53 && n == floor(n))
        metric_add(metric, (uint64_t)n);
    else
        metric_add_real(metric, n);
    return 0;
}

static int l_gauge_set(lua_State *lua)
{
    struct metric *metric = check_metric(lua, METRIC_GAUGE);

    metric_set(metric, check_number(lua, -1));
    return 0;
}

static int l_gauge_inc(lua_State *lua)
{
    struct metric *metric = check_metric(lua, METRIC_GAUGE);

    metric_add_real(metric, check_number(lua, 1));
    return 0;
}

static int l_gauge_dec(lua_State *lua)
{
    struct metric *metric = check_metric(lua, METRIC_GAUGE);

    metric_add_real(metric, -check_number(lua, 1));
    return 0;
}

static int l_observe(lua_State *lua)
{
    struct metric *metric = check_metric(lua, METRIC_HISTOGRAM);

    metric_observe(metric, check_number(lua, -1));
    return 0;
}

/* ---- the tables ---- */

#define ERRORS "The name is another kind of metric already; there are too many series"
#define LABELS "labels?: table<string, string|number|boolean>"

static const struct module_row rows[] = {
    {"counter", l_counter, "fun(name: string, " LABELS "): nexus.Counter",
     "A number that only goes up. The realm is added to the labels.", ERRORS},
    {"gauge", l_gauge, "fun(name: string, " LABELS "): nexus.Gauge",
     "A number that goes up and down.", ERRORS},
    {"histogram", l_histogram, "fun(name: string, " LABELS ", buckets?: number[]): nexus.Histogram",
     "How often values were up to each of the buckets; from 0.001 to 10 unless said otherwise.",
     ERRORS},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_metrics = {"nexus.metrics", rows, NULL};

static const struct module_row counter_rows[] = {
    {"inc", l_counter_inc, "fun(self, n?: number)", "Adds n (1), which is not negative.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_counter = {"nexus.Counter", counter_rows, NULL};

static const struct module_row gauge_rows[] = {
    {"set", l_gauge_set, "fun(self, value: number)", "Sets it.", NULL},
    {"inc", l_gauge_inc, "fun(self, n?: number)", "Adds n (1).", NULL},
    {"dec", l_gauge_dec, "fun(self, n?: number)", "Takes n (1) away.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_gauge = {"nexus.Gauge", gauge_rows, NULL};

static const struct module_row histogram_rows[] = {
    {"observe", l_observe, "fun(self, value: number)", "Counts a value.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_histogram = {"nexus.Histogram", histogram_rows, NULL};
