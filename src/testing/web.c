/* web.c -- what nexus.http gets in a test: what the test says, and never the network.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/values.h"
#include "testing/stage.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_HEADERS ((size_t)64)

struct asking {
    struct stage *stage;
    const struct http_question *question;
    struct http_reply *reply;
};

/* stage:on_http(function(method, url, headers, body) return { status = , headers = , body = } end) */
int l_web_set(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, stage);
    stage->answers_http = true;
    return 0;
}

void l_web_forget(lua_State *lua, struct stage *stage)
{
    lua_pushnil(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, stage);
    stage->answers_http = false;
}

static struct slice keep(struct stage *stage, lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_tolstring(lua, index, &text.len);
    text = arena_copy(&stage->web, text);
    lua_pop(lua, 1);
    return text;
}

static void l_read_headers(lua_State *lua, struct stage *stage, struct http_reply *reply)
{
    struct slice *pairs = arena_alloc(&stage->web, 2 * MAX_HEADERS * sizeof(*pairs));

    if (lua_getfield(lua, -1, "headers") == LUA_TTABLE) {
        for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
            if (reply->header_count == MAX_HEADERS)
                luaL_error(lua, "more than 64 headers");
            pairs[2 * reply->header_count] = keep(stage, lua, -2);
            pairs[2 * reply->header_count++ + 1] = keep(stage, lua, -1);
        }
    }
    lua_pop(lua, 1);
    reply->headers = pairs;
}

static int l_ask(lua_State *lua)
{
    struct asking *asking = lua_touserdata(lua, 1);
    const struct http_question *question = asking->question;

    lua_rawgetp(lua, LUA_REGISTRYINDEX, asking->stage);
    lua_pushlstring(lua, question->method.data, question->method.len);
    lua_pushlstring(lua, question->url.data, question->url.len);
    lua_createtable(lua, 0, (int)question->header_count);
    for (size_t i = 0; i < question->header_count; i++) {
        lua_pushlstring(lua, question->headers[2 * i].data, question->headers[2 * i].len);
        lua_pushlstring(lua, question->headers[2 * i + 1].data, question->headers[2 * i + 1].len);
        lua_rawset(lua, -3);
    }
    lua_pushlstring(lua, question->body.len == 0 ? "" : question->body.data, question->body.len);
    lua_call(lua, 4, 1);
    luaL_checktype(lua, -1, LUA_TTABLE);
    if (lua_getfield(lua, -1, "status") != LUA_TNIL)
        asking->reply->status = (int)luaL_checkinteger(lua, -1);
    lua_pop(lua, 1);
    l_read_headers(lua, asking->stage, asking->reply);
    if (lua_getfield(lua, -1, "body") != LUA_TNIL)
        asking->reply->body = keep(asking->stage, lua, -1);
    return 0;
}

/* Who asks runs the router, or is run by somebody who does. */
bool web_answer(lua_State *asker, const struct host *host, const struct http_question *question,
                struct http_reply *reply)
{
    struct stage *stage = stage_of_config(host->config);
    struct asking asking = {stage, question, reply};
    lua_State *lua = stage->lua == NULL ? asker : stage->lua;
    char words[300];
    struct slice kept;

    arena_reset(&stage->web);
    if (!stage->answers_http) {
        snprintf(words, sizeof(words), "no router:answer_http for %.*s %.*s",
                 SLICE_ARG(question->method), SLICE_ARG(question->url));
    } else {
        lua_pushcfunction(lua, l_ask);
        lua_pushlightuserdata(lua, &asking);
        if (lua_pcall(lua, 1, 0, 0) == LUA_OK)
            return true;
        snprintf(words, sizeof(words), "%s", luaL_tolstring(lua, -1, NULL));
        lua_pop(lua, 2);
    }
    kept = arena_copy(&stage->web, slice_make(words, strlen(words) + 1));
    reply->trouble = kept.data;
    return true;
}
