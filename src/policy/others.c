/* others.c -- see others.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/others.h"

#include "base/mem.h"
#include "policy/mind.h"
#include "policy/objects.h"
#include "policy/realm_calls.h"

#include <lauxlib.h>

#define LINGER_MS 10000 /* without anything to do */

struct other {
    struct list link; /* mind->others */
    struct mind *mind;
    struct service *service; /* owned */
    struct realm_timer idle;
    char name[];
};

/* ---- sessions ---- */

static void other_free(struct other *other)
{
    realm_clear_timer(other->mind->realm, &other->idle);
    list_remove(&other->link);
    service_close(other->service);
    mem_free(other);
}

void others_close(struct mind *mind)
{
    list_each (&mind->others, node, after)
        other_free(container_of(node, struct other, link));
}

static void stay(struct other *other)
{
    struct realm *realm = other->mind->realm;

    realm_set_timer(realm, &other->idle, realm_now(realm) + LINGER_MS);
}

static void on_idle(struct realm_timer *timer)
{
    struct other *other = container_of(timer, struct other, idle);

    if (other->service->requests.count != 0)
        stay(other);
    else
        other_free(other);
}

static struct other *find(struct mind *mind, struct slice name)
{
    list_each (&mind->others, node, after) {
        struct other *other = container_of(node, struct other, link);

        if (slice_eq(slice_of(other->name), name))
            return other;
    }
    return NULL;
}

static struct other *begin(struct mind *mind, struct slice name)
{
    struct other *other = mem_zero(1, sizeof(*other) + name.len + 1);

    other->mind = mind;
    other->idle.fire = on_idle;
    memcpy(other->name, name.data, name.len);
    list_append(&mind->others, &other->link);
    other->service = service_open(mind, other->name);
    return other;
}

static bool is_permitted(const struct host_config *config, struct slice name)
{
    bool is_match = false;

    for (size_t i = 0; !is_match && config->other_realms != NULL; i++) {
        struct rules_pattern pattern;
        struct rules_error error;
        struct arena arena;

        if (config->other_realms[i] == NULL)
            break;
        arena_init(&arena);
        is_match =
            rules_pattern_parse(&pattern, &arena, slice_of(config->other_realms[i]), &error) == 0 &&
            object_matches(&pattern, name);
        arena_fini(&arena);
    }
    return is_match;
}

/* ---- as policies see them ---- */

/* The name is user value 1 of the object. */
static struct slice name_at(lua_State *lua, int index)
{
    struct slice name;

    luaL_checkudata(lua, index, policy_other.name);
    lua_getiuservalue(lua, index, 1);
    name.data = lua_tolstring(lua, -1, &name.len);
    lua_pop(lua, 1); /* the object keeps it */
    return name;
}

struct service *l_others_service(lua_State *lua)
{
    struct slice name = name_at(lua, 1);
    struct mind *mind = policy_of(lua)->version->mind;
    struct other *other = find(mind, name);

    if (other != NULL && other->service->is_over) {
        other_free(other);
        other = NULL;
    }
    if (other == NULL && !is_permitted(host_of(lua)->config, name))
        luaL_error(lua,
                   "realm_named: the realm \"%s\" is not among the other_realms of this realm "
                   "in the configuration",
                   name.data);
    if (other == NULL)
        other = begin(mind, name);
    stay(other);
    return other->service;
}

int l_others_named(lua_State *lua)
{
    struct slice name = l_object_check_text(lua, 1);

    if (!uri_is_valid(name, MATCH_EXACT, false))
        return luaL_error(lua, "realm_named: found \"%s\"; allowed: the name of a realm",
                          name.data);
    (void)lua_newuserdatauv(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_setiuservalue(lua, -2, 1);
    luaL_setmetatable(lua, policy_other.name);
    return 1;
}

static int l_index(lua_State *lua)
{
    struct slice name = name_at(lua, 1);

    if (lua_type(lua, 2) == LUA_TSTRING && strcmp(lua_tostring(lua, 2), "uri") == 0) {
        lua_pushlstring(lua, name.data, name.len);
        return 1;
    }
    return l_object_method(lua, &policy_other, "a realm_named");
}

static const struct module_row rows[] = {
    {"uri", NULL, "string", "The name of the realm.", NULL},
    {"call", l_realm_call,
     "fun(self: nexus.OtherRealm, uri: string|{ [1]: string, args?: any[], kwargs?: table, "
     "timeout?: number, on_progress?: function }, ...: any): ...",
     "Calls a procedure there and waits, as nexus.realm:call does here. The rules of that realm "
     "are "
     "not asked; its sessions see the authid \"policy@\" and the name of this realm.",
     "The WAMP error of the call (wamp.error.no_such_realm); what the configuration does not "
     "permit; "
     "where nothing can wait"},
    {"publish", l_realm_publish,
     "fun(self: nexus.OtherRealm, topic: string, args?: any[], kwargs?: table, options?: table): "
     "integer?",
     "Publishes an event there. With acknowledge = true it waits and returns the id of the "
     "publication; without, nobody tells that there is no such realm.",
     "What cannot be sent; what the configuration does not permit; with acknowledge the WAMP "
     "error"},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_index, "a realm is read-only");
}

const struct module_table policy_other = {"nexus.OtherRealm", rows, open_class};
