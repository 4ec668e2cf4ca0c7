/* realm_kept.c -- see realm_kept.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/realm_kept.h"

#include "base/mem.h"
#include "core/record.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/realm.h"
#include "script/values.h"
#include "wire/uri.h"

#include <lauxlib.h>

#define RECORDS_NAME "nexus.records"
#define MAX_RECORDS  10000 /* that are looked at */

static const char *const no_others[] = {NULL};

static struct mind *mind_of(lua_State *lua)
{
    luaL_checkudata(lua, 1, policy_realm.name);
    l_policy_may_act(lua);
    return policy_of(lua)->version->mind;
}

/* ---- kept answers ---- */

/* Several attributes: the answers for each of them. That is more than for all of them, and nothing that
 * should be forgotten stays. */
int l_realm_forget(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct look_want wants[MAX_WANTS];
    size_t count = l_realm_wants(lua, 2, no_others, wants);
    struct forget forget = {.name = {0}};

    if (count == 0)
        realm_step(mind->realm, &(struct event){.type = EV_FORGET, .forget = &forget});
    for (size_t i = 0; i < count; i++) {
        forget = (struct forget){wants[i].name, wants[i].value};
        realm_step(mind->realm, &(struct event){.type = EV_FORGET, .forget = &forget});
    }
    return 0;
}

/* ---- judged again ---- */

int l_realm_recheck(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct look_want wants[MAX_WANTS];
    size_t count = l_realm_wants(lua, 2, no_others, wants);
    const struct realm_ids *ids = l_realm_find(lua, mind, wants, count);

    if (count == 0)
        realm_step(mind->realm, &(struct event){.type = EV_RECHECK, .session = 0});
    for (size_t i = 0; count != 0 && i < ids->count; i++)
        realm_step(mind->realm, &(struct event){.type = EV_RECHECK, .session = ids->of[i]});
    lua_pushinteger(lua, (lua_Integer)ids->count);
    return 1;
}

/* ---- retained events ---- */

/* Held, as values are made of them, which may raise: an object of Lua. */
struct records {
    struct record **of; /* owned array */
    size_t count, cap;
};

static int l_records_gc(lua_State *lua)
{
    struct records *records = lua_touserdata(lua, 1);

    for (size_t i = 0; i < records->count; i++)
        record_drop(records->of[i]);
    mem_free(records->of);
    *records = (struct records){0};
    return 0;
}

static bool note_record(void *ctx, const struct record *record)
{
    struct records *records = ctx;

    if (records->count == MAX_RECORDS)
        return false;
    if (records->count == records->cap) {
        records->cap = records->cap == 0 ? 4 : records->cap * 2;
        records->of = mem_grow(records->of, records->cap * sizeof(struct record *));
    }
    records->of[records->count++] = record_hold((struct record *)(uintptr_t)record);
    return true;
}

static void push_record(lua_State *lua, const struct record *record)
{
    l_facts_push_empty(lua, VALUES_DICT);
    l_facts_push_payload(lua, &record->msg, true);
    lua_setfield(lua, -2, "args");
    l_facts_push_payload(lua, &record->msg, false);
    lua_setfield(lua, -2, "kwargs");
    lua_pushinteger(lua, (lua_Integer)record->publication);
    lua_setfield(lua, -2, "publication");
    lua_pushnumber(lua, (double)record->wall / 1000);
    lua_setfield(lua, -2, "at");
    if (record->publisher != 0) {
        lua_pushinteger(lua, (lua_Integer)record->publisher);
        lua_setfield(lua, -2, "publisher");
    }
    lua_pushboolean(lua, record->is_restricted || record->audience != NULL || record->asks_again);
    lua_setfield(lua, -2, "restricted");
}

int l_realm_retained(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct records *records;
    struct slice topic;

    luaL_checktype(lua, 2, LUA_TSTRING);
    topic.data = lua_tolstring(lua, 2, &topic.len);
    if (!uri_is_valid(topic, MATCH_EXACT, false))
        return luaL_error(lua, "retained: found \"%s\"; allowed: a URI", topic.data);
    records = lua_newuserdatauv(lua, sizeof(*records), 0);
    *records = (struct records){0};
    luaL_setmetatable(lua, RECORDS_NAME);
    core_each_retained(realm_core(mind->realm), topic, note_record, records);
    l_facts_push_empty(lua, VALUES_LIST);
    for (size_t i = 0; i < records->count; i++) {
        push_record(lua, records->of[i]);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void l_realm_kept_open(lua_State *lua)
{
    luaL_newmetatable(lua, RECORDS_NAME);
    lua_pushcfunction(lua, l_records_gc);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}
