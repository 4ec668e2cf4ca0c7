/* http.c -- nexus.http as policies see it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "module/module_priv.h"
#include "module/web.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

#define FUNCTION "nexus.http"

/* Where the options are. */
#define AT_OPTIONS 1

static const char *const option_names[] = {"method",   "url",       "body",
                                           "headers",  "timeout",   "connect_timeout",
                                           "max_size", "redirects", NULL};

/* ---- options ---- */

static double seconds_of(lua_State *lua, const char *name, double fallback)
{
    double seconds = fallback;

    if (lua_getfield(lua, AT_OPTIONS, name) != LUA_TNIL) {
        seconds = lua_tonumber(lua, -1);
        if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) || seconds > MAX_WEB_SECONDS)
            luaL_error(lua, FUNCTION ".%s: found %s; allowed: seconds, from 0.001 to %d", name,
                       luaL_tolstring(lua, -1, NULL), MAX_WEB_SECONDS);
    }
    lua_pop(lua, 1);
    return seconds;
}

static lua_Integer count_of(lua_State *lua, const char *name, lua_Integer fallback,
                            lua_Integer least, lua_Integer most)
{
    lua_Integer count = fallback;

    if (lua_getfield(lua, AT_OPTIONS, name) != LUA_TNIL) {
        count = lua_tointeger(lua, -1);
        if (!lua_isinteger(lua, -1) || count < least || count > most)
            luaL_error(lua, FUNCTION ".%s: found %s; allowed: an integer from %I to %I", name,
                       luaL_tolstring(lua, -1, NULL), least, most);
    }
    lua_pop(lua, 1);
    return count;
}

/* Stays on the stack. */
static const char *method_of(lua_State *lua)
{
    static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", NULL};

    if (lua_getfield(lua, AT_OPTIONS, "method") == LUA_TNIL)
        return "GET";
    for (size_t i = 0; known[i] != NULL && lua_type(lua, -1) == LUA_TSTRING; i++) {
        if (strcmp(known[i], lua_tostring(lua, -1)) == 0)
            return known[i];
    }
    luaL_error(lua,
               FUNCTION ".method: found %s; allowed: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
               luaL_tolstring(lua, -1, NULL));
    return NULL;
}

/* A text of RFC 9110, section 5.6.2. */
static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len != 0;
}

static bool is_ours(const char *name)
{
    static const char *const ours[] = {"host",       "content-length", "transfer-encoding",
                                       "connection", "expect",         "upgrade",
                                       "te",         "trailer",        NULL};

    for (size_t i = 0; ours[i] != NULL; i++) {
        if (strcasecmp(ours[i], name) == 0)
            return true;
    }
    return false;
}

/* A name at -2, its value at the top. Returns how long both are. */
static size_t check_header(lua_State *lua)
{
    struct slice name = {NULL, 0}, value = {NULL, 0};

    if (lua_type(lua, -2) == LUA_TSTRING)
        name.data = lua_tolstring(lua, -2, &name.len);
    if (name.data == NULL || !is_token(name))
        return (size_t)luaL_error(
            lua, FUNCTION ".headers: found a name \"%s\"; allowed: letters, digits and -",
            name.data == NULL ? luaL_typename(lua, -2) : name.data);
    if (is_ours(name.data))
        luaL_error(lua, FUNCTION ".headers: %s is not yours to set", name.data);
    if (lua_type(lua, -1) == LUA_TSTRING)
        value.data = lua_tolstring(lua, -1, &value.len);
    if (value.data == NULL || memchr(value.data, '\r', value.len) != NULL ||
        memchr(value.data, '\n', value.len) != NULL || memchr(value.data, '\0', value.len) != NULL)
        luaL_error(lua, FUNCTION ".headers: %s: found a %s; allowed: a text of one line", name.data,
                   value.data == NULL ? luaL_typename(lua, -1) : "text of several lines");
    return name.len + value.len + 4;
}

/* Leaves the table of headers, or nil. */
static void check_headers(lua_State *lua)
{
    size_t len = 0;
    int count = 0;

    if (lua_getfield(lua, AT_OPTIONS, "headers") == LUA_TNIL)
        return;
    if (lua_type(lua, -1) != LUA_TTABLE)
        luaL_error(lua, FUNCTION ".headers: found a %s; allowed: a table of texts by name",
                   luaL_typename(lua, -1));
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        len += check_header(lua);
        if (++count > MAX_WEB_HEADERS || len > MAX_WEB_HEADER_LEN)
            luaL_error(lua, FUNCTION ".headers: found more than %d, or %d octets; allowed are both",
                       MAX_WEB_HEADERS, MAX_WEB_HEADER_LEN);
    }
}

/* Leaves the octets of the body on the stack, or nil. A table is sent as JSON. */
static bool check_body(lua_State *lua)
{
    const struct encoder *e;
    bool is_json = false;

    if (lua_getfield(lua, AT_OPTIONS, "body") == LUA_TTABLE) {
        e = l_values_begin(lua, CODEC_JSON);
        l_values_put(lua, lua_gettop(lua), VALUES_ANY, "body");
        lua_pushlstring(lua, writer_slice(&e->out).data, writer_slice(&e->out).len);
        blob_drop(l_values_end(lua));
        lua_remove(lua, -2);
        is_json = true;
    }
    if (!lua_isnil(lua, -1)) {
        if (lua_type(lua, -1) != LUA_TSTRING && !values_is_octets(lua, lua_gettop(lua)))
            luaL_error(lua, FUNCTION ".body: found a %s; allowed: string, nexus.bytes, a table",
                       luaL_typename(lua, -1));
        if (l_values_check_octets(lua, lua_gettop(lua)).len > MAX_WEB_BODY)
            luaL_error(lua, FUNCTION ".body: found more than %d octets", MAX_WEB_BODY);
    }
    return is_json;
}

/* Leaves the URL. */
static struct slice check_url(lua_State *lua)
{
    struct slice url = {NULL, 0};

    if (lua_getfield(lua, AT_OPTIONS, "url") == LUA_TSTRING)
        url.data = lua_tolstring(lua, -1, &url.len);
    if (url.data == NULL || url.len > MAX_WEB_URL || memchr(url.data, '\0', url.len) != NULL)
        luaL_error(lua, FUNCTION ".url: found a %s of %d octets; allowed: a text of at most %d",
                   luaL_typename(lua, -1), (int)url.len, MAX_WEB_URL);
    return url;
}

/* ---- the request ---- */

static int wrong(lua_State *lua, struct web_request *request)
{
    size_t len = strcspn(request->url, "?#"); /* what is behind may be a secret */

    lua_pushfstring(lua, FUNCTION ": %s ", request->method);
    lua_pushlstring(lua, request->url, len);
    lua_pushfstring(lua, ": %s", request->trouble);
    lua_concat(lua, 3);
    return 1;
}

static void push_answer(lua_State *lua, struct wait *wait)
{
    struct web_request *request = container_of(wait, struct web_request, wait);
    struct slice head = writer_slice(&request->head), body = writer_slice(&request->answer);
    size_t at = 0;

    if (request->trouble[0] != '\0') {
        wrong(lua, request);
        luaL_error(lua, "%s", lua_tostring(lua, -1));
    }
    lua_createtable(lua, 0, 3);
    lua_pushinteger(lua, request->status);
    lua_setfield(lua, -2, "status");
    lua_newtable(lua);
    while (head.data != NULL && at < head.len) {
        const char *name = head.data + at, *value = name + strlen(name) + 1;

        at += strlen(name) + strlen(value) + 2;
        lua_pushstring(lua, name);
        lua_pushvalue(lua, -1);
        if (lua_rawget(lua, -3) == LUA_TSTRING) { /* several are one, as RFC 9110 has it */
            lua_pushfstring(lua, "%s, %s", lua_tostring(lua, -1), value);
            lua_remove(lua, -2);
        } else {
            lua_pop(lua, 1);
            lua_pushstring(lua, value);
        }
        lua_rawset(lua, -3);
    }
    lua_setfield(lua, -2, "headers");
    lua_pushlstring(lua, body.data == NULL ? "" : body.data, body.len);
    lua_setfield(lua, -2, "body");
    vm_charge(lua, 50 + body.len / 64);
}

static void drop(struct wait *wait)
{
    web_request_leave(container_of(wait, struct web_request, wait));
}

/* The header of that name, at the index of the table of headers, is there. */
static bool has_header(lua_State *lua, int index, const char *wanted)
{
    bool has = false;

    if (lua_isnil(lua, index))
        return false;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        has |= strcasecmp(lua_tostring(lua, -2), wanted) == 0;
    return has;
}

static void add_line(struct web_request *request, const char *name, const char *value)
{
    size_t len = strlen(name) + strlen(value) + 3;
    char *line = mem_alloc(len);
    struct curl_slist *longer;

    snprintf(line, len, *value == '\0' ? "%s;%s" : "%s: %s", name, value);
    longer = curl_slist_append(request->headers, line);
    CHECK(longer != NULL);
    request->headers = longer;
    mem_free(line);
}

static void add_headers(lua_State *lua, int index, struct web_request *request, bool is_json)
{
    if (!lua_isnil(lua, index)) {
        for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
            add_line(request, lua_tostring(lua, -2), lua_tostring(lua, -1));
    }
    if (request->body.data != NULL && !has_header(lua, index, "content-type"))
        add_line(request, "Content-Type",
                 is_json ? "application/json" : "application/octet-stream");
    if (!has_header(lua, index, "user-agent"))
        add_line(request, "User-Agent", "nexus/" NEXUS_VERSION);
    request->headers = curl_slist_append(request->headers, "Expect:");
}

/* ---- answers that are not of the network ---- */

#define MAX_ASKED (2 * MAX_WEB_HEADERS)

static bool is_answered(lua_State *lua, int headers, struct web_request *request)
{
    const struct host *host = host_of(lua);
    struct slice pairs[MAX_ASKED];
    struct http_question question = {.method = slice_of(request->method),
                                     .url = slice_of(request->url),
                                     .body = request->body,
                                     .headers = pairs};
    struct http_reply reply = {.status = 200};

    if (host->http_answer == NULL)
        return false;
    if (!lua_isnil(lua, headers)) {
        for (lua_pushnil(lua); lua_next(lua, headers) != 0; lua_pop(lua, 1)) {
            pairs[2 * question.header_count] = check_slice(lua, -2);
            pairs[2 * question.header_count++ + 1] = check_slice(lua, -1);
        }
    }
    if (!host->http_answer(lua, host, &question, &reply))
        return false;
    if (reply.trouble != NULL)
        snprintf(request->trouble, sizeof(request->trouble), "%s", reply.trouble);
    request->status = reply.status;
    for (size_t i = 0; i < reply.header_count; i++)
        web_put_header(request, reply.headers[2 * i], reply.headers[2 * i + 1]);
    writer_write(&request->answer, reply.body.data, reply.body.len);
    if (request->answer.len > request->max_body)
        snprintf(request->trouble, sizeof(request->trouble),
                 "the answer is longer than %zu octets (max_size)", request->max_body);
    request->is_over = true;
    return true;
}

/* ---- the functions ---- */

static int refuse(lua_State *lua, struct web_request *request)
{
    luaL_where(lua, 1);
    wrong(lua, request);
    lua_concat(lua, 2);
    web_request_leave(request);
    return lua_error(lua);
}

static int start(lua_State *lua, int headers, struct web_request *request)
{
    struct host *host = host_of(lua);
    const char *words;

    request->wait.push = push_answer;
    request->wait.drop = drop;
    if (is_answered(lua, headers, request)) {
        wait_done(&request->wait);
        return l_wait(lua, &request->wait);
    }
    request->place = curl_url();
    CHECK(request->place != NULL);
    if (curl_url_set(request->place, CURLUPART_URL, request->url, 0) != CURLUE_OK) {
        snprintf(request->trouble, sizeof(request->trouble), "it is no URL");
        return refuse(lua, request);
    }
    words = web_check(host, request->place, request->trouble, sizeof(request->trouble));
    if (words != NULL || !web_start(host, request))
        return refuse(lua, request);
    return l_wait(lua, &request->wait);
}

/* The options are at AT_OPTIONS. */
static int l_begin(lua_State *lua)
{
    struct web_request *request;
    double seconds, connect_seconds;
    lua_Integer max_body, redirects;
    struct slice url, body = {NULL, 0};
    const char *method;
    bool is_json;
    int headers;

    lua_settop(lua, AT_OPTIONS);
    l_module_check_keys(lua, AT_OPTIONS, FUNCTION, option_names);
    method = method_of(lua);
    url = check_url(lua);
    seconds = seconds_of(lua, "timeout", WEB_SECONDS);
    connect_seconds = seconds_of(lua, "connect_timeout", WEB_SECONDS);
    max_body = count_of(lua, "max_size", WEB_BODY, 1, MAX_WEB_BODY);
    redirects = count_of(lua, "redirects", MAX_WEB_REDIRECTS, 0, MAX_WEB_REDIRECTS);
    check_headers(lua);
    headers = lua_gettop(lua);
    is_json = check_body(lua);
    if (!lua_isnil(lua, -1))
        body = l_values_check_octets(lua, lua_gettop(lua));
    l_host_waits(lua);
    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    request = web_request_new();
    request->method = mem_copy(method, strlen(method));
    request->url = mem_copy(url.data, url.len);
    if (body.data != NULL)
        request->body = slice_make(mem_copy(body.data, body.len), body.len);
    request->seconds = seconds;
    request->connect_seconds = connect_seconds < seconds ? connect_seconds : seconds;
    request->max_body = (size_t)max_body;
    request->redirects = (unsigned)redirects;
    add_headers(lua, headers, request, is_json);
    vm_charge(lua, 100 + body.len / 64);
    return start(lua, headers, request);
}

/* Makes a copy of the options at the index, with the method and URL in it, the only thing on the
 * stack aside from the body at 2. */
static void join_options(lua_State *lua, int index, const char *method)
{
    if (!lua_isnoneornil(lua, index))
        luaL_checktype(lua, index, LUA_TTABLE);
    luaL_checktype(lua, 1, LUA_TSTRING);
    lua_settop(lua, index);
    lua_newtable(lua);
    if (!lua_isnil(lua, index)) {
        for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
            lua_pushvalue(lua, -2);
            lua_pushvalue(lua, -2);
            lua_rawset(lua, index + 1);
        }
    }
    lua_pushvalue(lua, 1);
    lua_setfield(lua, index + 1, "url");
    lua_pushstring(lua, method);
    lua_setfield(lua, index + 1, "method");
}

static int l_get(lua_State *lua)
{
    join_options(lua, 2, "GET");
    lua_replace(lua, AT_OPTIONS);
    return l_begin(lua);
}

static int l_post(lua_State *lua)
{
    luaL_checkany(lua, 2);
    join_options(lua, 3, "POST");
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "body");
    lua_replace(lua, AT_OPTIONS);
    return l_begin(lua);
}

static int l_request(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    return l_begin(lua);
}

#define OPTIONS                                                                                \
    "headers?: table<string, string>, timeout?: number, connect_timeout?: number, max_size?: " \
    "integer, redirects?: integer"
#define RESULT "{ status: integer, headers: table<string, string>, body: string }"
#define ERRORS                                                                                   \
    "A host that is not among http_hosts of the configuration; no connection or answer within "  \
    "the timeout (10 s, at most 60); a certificate that does not verify; an answer longer than " \
    "max_size (1 MiB, at most 16); a redirection to another host that is not allowed"

static const struct module_row rows[] = {
    {"get", l_get, "fun(url: string, options?: { " OPTIONS " }): " RESULT,
     "Asks for a URL. Any status is an answer; names of headers are in lower case.", ERRORS},
    {"post", l_post,
     "fun(url: string, body: string|nexus.Bytes|table, options?: { " OPTIONS " }): " RESULT,
     "Sends a body; a table is sent as JSON.", ERRORS},
    {"request", l_request,
     "fun(options: { url: string, method?: string, body?: string|nexus.Bytes|table, " OPTIONS
     " }): " RESULT,
     "The long form. Methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.", ERRORS},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_http = {"nexus.http", rows, NULL};
