/* stage.c -- a virtual router with a realm and its policy, as an object of Lua. That object owns it, or
 * it is lent, and whoever made it ends it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "testing/stage.h"

#include "base/mem.h"
#include "base/writer.h"
#include "script/source.h"
#include "script/values.h"
#include "state/state.h"
#include "wire/uri.h"

#include <lauxlib.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STAGE             "nexus.testing.stage"
#define PATIENCE_MS       10000
#define MAX_PATIENCE_S    600
#define CHECK_PATIENCE_MS 5000
#define MAX_WALL_MS       4e12                    /* the year 2096 */
#define MAX_ADVANCE_S     3.2e9                   /* a hundred years */
#define WALL_START        UINT64_C(1767225600000) /* 2026-01-01 */
#define MAX_OPEN_FOLDERS  16

struct box {
    struct stage *stage; /* NULL: it could not be made */
    bool is_lent;
};

/* ---- the end ---- */

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void stage_close(struct stage *stage)
{
    if (stage->router != NULL)
        actors_close(stage);
    router_free(stage->router);
    policy_free(stage->policy);
    if (stage->state != NULL)
        (void)router_state_close(stage->state); /* it says itself what it could not write */
    stage->state = NULL;
    arena_fini(&stage->web);
    arena_init(&stage->web);
    if (*stage->folder != '\0')
        (void)nftw(stage->folder, remove_one, MAX_OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    arena_fini(&stage->arena);
    arena_init(&stage->arena);
    stage->router = NULL;
    stage->policy = NULL;
    *stage->folder = '\0';
}

void stage_free(struct stage *stage)
{
    stage_close(stage);
    mem_free(stage);
}

static int l_close(lua_State *lua)
{
    const struct box *box = luaL_checkudata(lua, 1, STAGE);

    if (box->is_lent)
        return luaL_error(lua, "this router ends by itself");
    l_stage_expect_rest(lua, box->stage);
    l_web_forget(lua, box->stage);
    stage_close(box->stage);
    return 0;
}

/* Whatever points to the stage keeps its object as a user value. */
static int l_gc(lua_State *lua)
{
    struct box *box = lua_touserdata(lua, 1);

    if (box->stage != NULL && !box->is_lent)
        stage_free(box->stage);
    box->stage = NULL;
    return 0;
}

struct stage *l_stage_check(lua_State *lua, int index)
{
    struct stage *stage = ((struct box *)luaL_checkudata(lua, index, STAGE))->stage;

    luaL_argcheck(lua, stage->router != NULL, index, "the router is closed");
    return stage;
}

void l_stage_expect_rest(lua_State *lua, const struct stage *stage)
{
    if (stage->lua != NULL)
        luaL_error(lua,
                   "not within the function of router:answer_http, while the router is at work");
}

struct stage *l_stage_rest(lua_State *lua, int index)
{
    struct stage *stage = l_stage_check(lua, index);

    l_stage_expect_rest(lua, stage);
    return stage;
}

/* ---- the beginning ---- */

static const char *keep_field(lua_State *lua, struct stage *stage, const char *key,
                              const char *otherwise)
{
    const char *text = otherwise;
    size_t len = otherwise == NULL ? 0 : strlen(otherwise);
    char *copy;

    if (lua_getfield(lua, 1, key) != LUA_TNIL)
        text = luaL_checklstring(lua, -1, &len);
    lua_pop(lua, 1);
    if (text == NULL)
        return NULL;
    copy = arena_alloc(&stage->arena, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* settings.file, of the settings at the top. */
static void keep_settings_file(lua_State *lua, struct stage *stage)
{
    size_t len;
    const char *path;

    if (lua_getfield(lua, -1, "file") == LUA_TSTRING) {
        path = lua_tolstring(lua, -1, &len);
        if (source_is_data(path))
            stage->use.config.settings_file =
                arena_copy(&stage->arena, slice_make(path, len + 1)).data;
    }
    lua_pop(lua, 1);
}

static void l_keep_settings(lua_State *lua, struct stage *stage)
{
    struct blob *blob;

    if (lua_getfield(lua, 1, "settings") != LUA_TNIL) {
        (void)l_values_begin(lua, CODEC_MSGPACK);
        l_values_put(lua, -1, VALUES_DICT, "settings");
        blob = l_values_end(lua);
        stage->use.config.settings = arena_copy(&stage->arena, blob_slice(blob));
        blob_drop(blob);
        keep_settings_file(lua, stage);
    }
    lua_pop(lua, 1);
}

static void l_keep_secrets(lua_State *lua, struct stage *stage)
{
    struct secret *secrets;
    size_t count = 0;

    if (lua_getfield(lua, 1, "secrets") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    luaL_checktype(lua, -1, LUA_TTABLE);
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1))
        count++;
    secrets = arena_alloc(&stage->arena, (count + 1) * sizeof(*secrets));
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        struct slice name, value;

        luaL_argcheck(lua, lua_type(lua, -2) == LUA_TSTRING && lua_type(lua, -1) == LUA_TSTRING, 1,
                      "secrets are names and strings");
        name.data = lua_tolstring(lua, -2, &name.len);
        value.data = lua_tolstring(lua, -1, &value.len);
        name = arena_copy(&stage->arena, slice_make(name.data, name.len + 1));
        value = arena_copy(&stage->arena, value);
        secrets[stage->use.config.secret_count++] = (struct secret){name.data, value};
    }
    stage->use.config.secrets = secrets;
    lua_pop(lua, 1);
}

/* Other realms that there are, where everybody may do everything; the policy may call there. */
static void l_keep_others(lua_State *lua, struct stage *stage)
{
    lua_Integer count;
    const char **names;

    if (lua_getfield(lua, 1, "other_realms") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    luaL_checktype(lua, -1, LUA_TTABLE);
    count = luaL_len(lua, -1);
    names = arena_alloc(&stage->arena, ((size_t)count + 1) * sizeof(*names));
    for (lua_Integer i = 0; i < count; i++) {
        struct slice name = {0};

        lua_rawgeti(lua, -1, i + 1);
        if (lua_type(lua, -1) == LUA_TSTRING)
            name.data = lua_tolstring(lua, -1, &name.len);
        if (!uri_is_valid(name, MATCH_EXACT, false))
            luaL_error(lua, "other_realms[%d]: found \"%s\"; allowed: the name of a realm",
                       (int)i + 1, luaL_tolstring(lua, -1, NULL));
        names[i] = arena_copy(&stage->arena, slice_make(name.data, name.len + 1)).data;
        lua_pop(lua, 1);
    }
    names[count] = NULL;
    stage->use.config.other_realms = names;
    stage->other_count = (size_t)count;
    lua_pop(lua, 1);
}

/* False: stage->wrong says why. */
static bool make_folder(struct stage *stage)
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || *parent == '\0')
        parent = "/tmp";
    if (snprintf(stage->folder, sizeof(stage->folder), "%s/nexus-test-XXXXXX", parent) <
            (int)sizeof(stage->folder) &&
        mkdtemp(stage->folder) != NULL) {
        stage->use.config.data_folder = stage->folder;
        return true;
    }
    *stage->folder = '\0';
    snprintf(stage->wrong, sizeof(stage->wrong), "cannot make a folder for data in \"%s\": %s",
             parent, strerror(errno));
    return false;
}

static void note_line(void *ctx, const char *line)
{
    struct writer *lines = ctx;

    if (lines->len != 0)
        writer_put(lines, '\n');
    writer_write(lines, line, strlen(line));
}

/* Raises what was said when there is no policy; frees the lines. */
static void l_expect_policy(lua_State *lua, const struct stage *stage, struct writer *lines)
{
    if (stage->policy != NULL) {
        writer_fini(lines);
        return;
    }
    /* Without memory for the words this leaks them: there is nothing left to tell then. */
    lua_pushlstring(lua, lines->len == 0 ? "" : writer_slice(lines).data, lines->len);
    writer_fini(lines);
    lua_error(lua);
}

/* As the daemon does it. What is wrong with it is raised, all of it. */
static void l_load_policy(lua_State *lua, struct stage *stage, const char *path)
{
    struct writer lines;

    writer_init(&lines, 0);
    stage->policy = policy_load(path, &stage->use.config, note_line, &lines);
    l_expect_policy(lua, stage, &lines);
}

static void write_metrics(void *ctx, struct writer *page)
{
    metrics_write(ctx, page);
}

/* False: stage->wrong says why. */
static bool make_router(struct stage *stage, uint64_t wall, const char *name)
{
    size_t count = 1 + stage->other_count;
    struct realm_options *realms = mem_zero(count, sizeof(*realms));
    struct router_options options = {.workers = 1,
                                     .realms = realms,
                                     .realm_count = count,
                                     .is_virtual = true,
                                     .virtual_wall = wall,
                                     .write_metrics = write_metrics,
                                     .metrics_ctx = stage->state->metrics};

    for (size_t i = 0; i < count; i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = i == 0 ? name : stage->use.config.other_realms[i - 1];
    }
    if (stage->policy != NULL) {
        stage->use.policy = stage->policy;
        policy_configure(&stage->use, &realms[0]);
    }
    stage->router = router_new(&options, stage->wrong, sizeof(stage->wrong));
    mem_free(realms);
    if (stage->router == NULL)
        return false;
    stage->realm = router_realm(stage->router, name);
    stage->mind = realm_mind(stage->realm);
    return true;
}

static struct stage *stage_new(uint32_t patience_ms)
{
    struct stage *stage = mem_zero(1, sizeof(*stage));

    *stage = (struct stage){.patience_ms = patience_ms, .first_line = lines_count()};
    list_init(&stage->actors);
    arena_init(&stage->arena);
    arena_init(&stage->web);
    return stage;
}

/* A folder for data, with nothing in it. `config`: NULL, or what the policy is told. False:
 * stage->wrong says why. */
static bool furnish(struct stage *stage, const struct host_config *config)
{
    stage->use.config.c_modules = host_c_modules;
    if (config != NULL)
        stage->use.config = *config;
    if (!make_folder(stage))
        return false;
    stage->state = router_state_open(&(struct state_options){.folder = stage->folder});
    stage->use.config.router_state = stage->state;
    stage->use.config.http_answer = web_answer;
    return true;
}

static struct box *l_box_new(lua_State *lua, bool is_lent)
{
    struct box *box = lua_newuserdatauv(lua, sizeof(*box), 0);

    *box = (struct box){.is_lent = is_lent};
    luaL_setmetatable(lua, STAGE);
    return box;
}

void l_stage_lend(lua_State *lua, struct stage *stage)
{
    l_box_new(lua, true)->stage = stage;
}

static lua_Number l_number_field(lua_State *lua, const char *key, lua_Number otherwise,
                                 lua_Number max)
{
    lua_Number number;

    lua_getfield(lua, 1, key);
    number = luaL_optnumber(lua, -1, otherwise);
    lua_pop(lua, 1);
    if (!(number > 0 && number <= max))
        luaL_error(lua, "%s: found %f; allowed: above 0, at most %f", key, number, max);
    return number;
}

/* new{ policy = path, realm = , settings = , secrets = , other_realms = , wall = ms, patience = s } */
int l_stage_new(lua_State *lua)
{
    struct stage *stage;
    const char *path;
    lua_Number patience, wall;
    struct box *box;

    l_vm_guest(lua);
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    patience = l_number_field(lua, "patience", PATIENCE_MS / 1e3, MAX_PATIENCE_S);
    wall = l_number_field(lua, "wall", (lua_Number)WALL_START, MAX_WALL_MS);
    box = l_box_new(lua, false);
    stage = box->stage = stage_new((uint32_t)(patience * 1e3));
    if (!furnish(stage, NULL))
        return luaL_error(lua, "%s", stage->wrong);
    l_keep_settings(lua, stage);
    l_keep_secrets(lua, stage);
    l_keep_others(lua, stage);
    path = keep_field(lua, stage, "policy", NULL);
    if (path != NULL && strcmp(path, "open") != 0) {
        l_load_policy(lua, stage, path);
        stage->use.path = path;
        stage->use.rechecks = true;
    }
    if (!make_router(stage, (uint64_t)wall, keep_field(lua, stage, "realm", "realm1")))
        return luaL_error(lua, "%s", stage->wrong);
    return 1;
}

struct stage *stage_of_policy(const struct policy *policy, const char *realm, policy_say_fn *say,
                              void *ctx)
{
    struct stage *stage = stage_new(CHECK_PATIENCE_MS);

    if (furnish(stage, policy_config(policy)))
        stage->policy = policy_again(policy, &stage->use.config, say, ctx);
    if (stage->policy != NULL && make_router(stage, WALL_START, realm))
        return stage;
    if (*stage->wrong != '\0')
        say(ctx, stage->wrong);
    stage_free(stage);
    return NULL;
}

/* ---- time ---- */

static int push_outcome(lua_State *lua, struct stage *stage, bool is_done)
{
    stage->lua = NULL;
    if (!is_done)
        return luaL_error(lua, "the router is still busy after %f s", stage->patience_ms / 1e3);
    return 0;
}

static int l_turn(lua_State *lua)
{
    struct stage *stage = l_stage_rest(lua, 1);

    stage->lua = lua;
    return push_outcome(lua, stage, router_turn(stage->router, stage->patience_ms));
}

/* The same, and what other threads do is not waited for. */
static int l_glance(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);

    stage->lua = lua;
    return push_outcome(lua, stage, router_glance(stage->router, stage->patience_ms));
}

/* advance(seconds) */
static int l_advance(lua_State *lua)
{
    struct stage *stage = l_stage_rest(lua, 1);
    lua_Number seconds = luaL_checknumber(lua, 2);

    luaL_argcheck(lua, seconds >= 0 && seconds <= MAX_ADVANCE_S, 2, "seconds, not negative");
    stage->lua = lua;
    return push_outcome(
        lua, stage,
        router_advance(stage->router, (uint64_t)(seconds * 1e3 + 0.5), stage->patience_ms));
}

/* Seconds of the clock; until the next deadline (nil: there is none); since 1970. */
static int l_now(lua_State *lua)
{
    lua_pushnumber(lua, (lua_Number)router_now(l_stage_check(lua, 1)->router) / 1e3);
    return 1;
}

static int l_next(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);
    uint64_t now = router_now(stage->router), next = router_next(stage->router);

    if (next == NEVER)
        return 0;
    lua_pushnumber(lua, next > now ? (lua_Number)(next - now) / 1e3 : 0);
    return 1;
}

static int l_wall(lua_State *lua)
{
    lua_pushnumber(lua, (lua_Number)router_wall(l_stage_check(lua, 1)->router) / 1e3);
    return 1;
}

/* ---- the rest ---- */

static int l_log(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);

    l_vm_guest(lua);
    l_lines_push(lua, stage->first_line);
    return 1;
}

/* The policy is read again; what comes of it is seen when the router turns. */
static int l_reload(lua_State *lua)
{
    static const struct policy_changes no_changes = {.by = "test"};
    const struct stage *stage = l_stage_check(lua, 1);

    luaL_argcheck(lua, stage->use.path != NULL, 1, "it has no file to read again");
    policy_reload_all(stage->router, &no_changes);
    return 0;
}

/* The text of all metrics. */
static int l_metrics(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);
    struct writer out;

    writer_init(&out, 0);
    router_metrics(stage->router, &out);
    lua_pushlstring(lua, out.len == 0 ? "" : writer_slice(&out).data, out.len);
    writer_fini(&out);
    return 1;
}

static int l_folder(lua_State *lua)
{
    lua_pushstring(lua, l_stage_check(lua, 1)->folder);
    return 1;
}

static int l_version(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);

    lua_pushstring(lua, stage->policy == NULL ? "" : policy_version(stage->policy));
    return 1;
}

void l_stage_open(lua_State *lua)
{
    static const luaL_Reg methods[] = {{"turn", l_turn},
                                       {"glance", l_glance},
                                       {"advance", l_advance},
                                       {"now", l_now},
                                       {"next", l_next},
                                       {"wall", l_wall},
                                       {"log", l_log},
                                       {"folder", l_folder},
                                       {"version", l_version},
                                       {"reload", l_reload},
                                       {"open", l_actor_new},
                                       {"metrics", l_metrics},
                                       {"kv", l_store_new},
                                       {"sqlite", l_database_new},
                                       {"on_http", l_web_set},
                                       {"allows", l_judge_allows},
                                       {"explain", l_judge_explain},
                                       {"close", l_close},
                                       {NULL, NULL}};

    luaL_newmetatable(lua, STAGE);
    lua_pushcfunction(lua, l_gc);
    lua_setfield(lua, -2, "__gc");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    luaL_newlib(lua, methods);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
}
