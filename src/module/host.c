/* host.c -- see host.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/host.h"

#include "base/check.h"
#include "module/database.h"
#include "module/web.h"
#include "module/work.h"
#include "state/state.h"

#include <lauxlib.h>

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static const char host_key = 0;

static uint64_t ms_of(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t machine_now(const struct host *host)
{
    (void)host;
    return ms_of(CLOCK_MONOTONIC);
}

static uint64_t machine_wall(const struct host *host)
{
    (void)host;
    return ms_of(CLOCK_REALTIME);
}

static double seconds_of(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double host_monotonic(const struct host *host)
{
    return host->now == machine_now ? seconds_of(CLOCK_MONOTONIC) : (double)host->now(host) / 1e3;
}

double host_time(const struct host *host)
{
    return host->wall == machine_wall ? seconds_of(CLOCK_REALTIME) : (double)host->wall(host) / 1e3;
}

static void machine_random(const struct host *host, void *out, size_t len)
{
    char *at = out;

    (void)host;
    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

const char *const host_c_modules[] = {HOST_C_MODULE, NULL};

void host_init(struct host *host)
{
    static const struct host_config nothing = {.c_modules = host_c_modules, .is_unknown = true};

    *host = (struct host){
        .config = &nothing, .now = machine_now, .wall = machine_wall, .random = machine_random};
}

bool host_lacks_folder(const struct host *host)
{
    return host->config->data_folder == NULL && !host->config->is_unknown;
}

void l_host_set(lua_State *lua, struct host *host)
{
    lua_pushlightuserdata(lua, host);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &host_key);
}

struct host *host_of(lua_State *lua)
{
    struct host *host;

    lua_rawgetp(lua, LUA_REGISTRYINDEX, &host_key);
    host = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    return host;
}

struct host *l_host_acts(lua_State *lua)
{
    struct host *host = host_of(lua);

    if (host->is_loading)
        luaL_error(lua, "not while loading; use policy.on_load");
    return host;
}

struct host *l_host_changes(lua_State *lua)
{
    struct host *host = l_host_acts(lua);
    const char *words = host->forbids == NULL ? NULL : host->forbids(lua);

    if (words != NULL)
        luaL_error(lua, "%s", words);
    return host;
}

struct host *l_host_waits(lua_State *lua)
{
    struct host *host = l_host_changes(lua);

    l_wait_allowed(lua);
    if (host->loop == NULL)
        luaL_error(lua, "cannot wait here: the policy is only being checked");
    return host;
}

void host_set_state(struct host *host, const struct state *state)
{
    host->kv = state->kv;
    host->limiters = state->limiters;
    host->metrics = state->metrics;
    if (host->config->router_state != NULL)
        host->router_kv = host->config->router_state->kv;
}

void host_stop(struct host *host)
{
    database_stop_all(host);
    web_leave(host);
}

void host_fini(struct host *host)
{
    work_leave(host);
    database_leave_all(host);
    web_leave(host);
}

/* ---- secrets ---- */

#define MIN_MASKED 6

/* How much of the text is a secret; the longest one. */
static size_t secret_at(const struct host_config *config, const char *text, size_t len)
{
    size_t longest = 0;

    for (size_t i = 0; i < config->secret_count; i++) {
        struct slice value = config->secrets[i].value;
        size_t most = value.len < len ? value.len : len;

        if (value.len < MIN_MASKED || most < MIN_MASKED || most <= longest)
            continue;
        if (memcmp(text, value.data, most) == 0)
            longest = most;
    }
    return longest;
}

void host_mask(const struct host *host, char *text)
{
    const struct host_config *config = host->config;
    size_t len = strlen(text);
    char *out = text;

    if (config->secret_count == 0)
        return;
    while (len != 0) {
        size_t hidden = secret_at(config, text, len);

        if (hidden != 0) {
            memcpy(out, "***", 3);
            out += 3;
            text += hidden;
            len -= hidden;
        } else {
            *out++ = *text++;
            len--;
        }
    }
    *out = '\0';
}
