/* lib_string.c -- the string library: Lua's own, with other patterns and repetition.
 *
 * Without `dump`, since there is no way to load what it gives. What looks for
 * patterns or repeats text is bounded; the rest moves octets, and the allocator
 * sees that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/pattern.h"
#include "script/vm_priv.h"

#include <lauxlib.h>
#include <lualib.h>

static struct slice check_text(lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_checklstring(lua, index, &text.len);
    return text;
}

/* Where to begin: counted from the end when negative. More than len: nowhere. */
static size_t start_of(lua_State *lua, int index, size_t len)
{
    lua_Integer at = luaL_optinteger(lua, index, 1);

    if (at > 0)
        return (lua_Unsigned)at - 1;
    if (at == 0 || (lua_Unsigned)0 - (lua_Unsigned)at >= len)
        return 0;
    return len - (size_t)((lua_Unsigned)0 - (lua_Unsigned)at);
}

static bool is_plain(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] != '\0' && strchr("^$*+?.([%-", pattern.data[i]) != NULL)
            return false;
    }
    return true;
}

static int find_plain(lua_State *lua, struct slice subject, struct slice wanted, size_t from)
{
    const char *at = memmem(subject.data + from, subject.len - from, wanted.data, wanted.len);

    vm_charge(lua, (subject.len - from) / VM_CHARGE_UNIT);
    if (at == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, at - subject.data + 1);
    lua_pushinteger(lua, at - subject.data + (ptrdiff_t)wanted.len);
    return 2;
}

static int search(lua_State *lua, bool wants_place)
{
    struct slice subject = check_text(lua, 1);
    struct slice wanted = check_text(lua, 2);
    size_t from = start_of(lua, 3, subject.len);
    struct pattern p;
    const char *at, *end;

    if (from > subject.len) {
        lua_pushnil(lua);
        return 1;
    }
    if (wants_place && (lua_toboolean(lua, 4) || is_plain(wanted)))
        return find_plain(lua, subject, wanted, from);
    pattern_init(&p, lua, subject, wanted);
    at = subject.data + from;
    end = l_pattern_search(&p, &at);
    vm_charge(lua, p.steps / 2);
    if (end == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    if (!wants_place)
        return l_pattern_push(&p, at, end);
    lua_pushinteger(lua, at - subject.data + 1);
    lua_pushinteger(lua, end - subject.data);
    return l_pattern_push(&p, NULL, NULL) + 2;
}

static int l_find(lua_State *lua)
{
    return search(lua, true);
}

static int l_match(lua_State *lua)
{
    return search(lua, false);
}

/* Upvalues: subject, pattern, where to go on, where the last match ended (-1: nowhere). */
static int l_gmatch_next(lua_State *lua)
{
    struct slice subject = check_text(lua, lua_upvalueindex(1));
    struct slice wanted = check_text(lua, lua_upvalueindex(2));
    lua_Integer from = lua_tointeger(lua, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(lua, lua_upvalueindex(4));
    struct pattern p;

    pattern_init(&p, lua, subject, wanted);
    p.from = wanted.data; /* an anchor would make no sense here: it is an ordinary '^' */
    p.is_anchored = false;
    for (const char *at = subject.data + from; at <= p.subject_end; at++) {
        const char *end = l_pattern_search(&p, &at);

        if (end == NULL)
            break;
        if (end - subject.data == last)
            continue;
        vm_charge(lua, p.steps / 2);
        lua_pushinteger(lua, end - subject.data);
        lua_copy(lua, -1, lua_upvalueindex(3));
        lua_replace(lua, lua_upvalueindex(4));
        return l_pattern_push(&p, at, end);
    }
    vm_charge(lua, p.steps / 2);
    lua_pushinteger(lua, (lua_Integer)subject.len + 1);
    lua_replace(lua, lua_upvalueindex(3));
    return 0;
}

static int l_gmatch(lua_State *lua)
{
    struct slice subject = check_text(lua, 1);
    size_t from = start_of(lua, 3, subject.len);

    check_text(lua, 2);
    lua_settop(lua, 2);
    lua_pushinteger(lua, (lua_Integer)(from > subject.len ? subject.len + 1 : from));
    lua_pushinteger(lua, -1);
    lua_pushcclosure(lua, l_gmatch_next, 4);
    return 1;
}

/* ---- gsub ---- */

/* Adds the text of the replacement, in which %0 to %9 are captures. */
static void add_text(struct pattern *p, luaL_Buffer *out, const char *at, const char *end)
{
    size_t len;
    const char *text = lua_tolstring(p->lua, 3, &len);

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c != '%') {
            luaL_addchar(out, c);
            continue;
        }
        c = text[++i]; /* a NUL is behind the text */
        if (c == '%') {
            luaL_addchar(out, c);
        } else if (c == '0') {
            luaL_addlstring(out, at, (size_t)(end - at));
        } else if (c >= '1' && c <= '9') {
            l_pattern_push_one(p, (unsigned)(c - '1'), at, end);
            luaL_tolstring(p->lua, -1, NULL);
            lua_remove(p->lua, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(p->lua, "invalid use of '%%' in replacement string");
        }
    }
}

/* Adds what the match is replaced by; false: the match itself. */
static bool add_replacement(struct pattern *p, luaL_Buffer *out, const char *at, const char *end)
{
    lua_State *lua = p->lua;
    int count;

    switch (lua_type(lua, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(lua, 3);
        count = l_pattern_push(p, at, end);
        lua_call(lua, count, 1);
        break;
    case LUA_TTABLE:
        l_pattern_push_one(p, 0, at, end);
        lua_gettable(lua, 3);
        break;
    default:
        add_text(p, out, at, end);
        return true;
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        luaL_addlstring(out, at, (size_t)(end - at));
        return false;
    }
    if (!lua_isstring(lua, -1))
        luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
    luaL_addvalue(out);
    return true;
}

int l_string_gsub(lua_State *lua)
{
    struct slice subject = check_text(lua, 1);
    struct slice wanted = check_text(lua, 2);
    int type = lua_type(lua, 3);
    lua_Integer most = luaL_optinteger(lua, 4, (lua_Integer)subject.len + 1);
    lua_Integer count = 0;
    const char *at = subject.data, *last = NULL;
    luaL_Buffer out;
    struct pattern p;

    luaL_argexpected(lua,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    pattern_init(&p, lua, subject, wanted);
    luaL_buffinit(lua, &out);
    while (count < most) {
        const char *end = l_pattern_match(&p, at);

        if (end != NULL && end != last) {
            count++;
            add_replacement(&p, &out, at, end);
            at = last = end;
        } else if (at < p.subject_end) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (p.is_anchored)
            break;
    }
    vm_charge(lua, p.steps / 2);
    if (at < p.subject_end)
        luaL_addlstring(&out, at, (size_t)(p.subject_end - at));
    luaL_pushresult(&out);
    lua_pushinteger(lua, count);
    return 2;
}

/* ---- rep ---- */

static int l_rep(lua_State *lua)
{
    struct slice text = check_text(lua, 1);
    lua_Integer count = luaL_checkinteger(lua, 2);
    struct slice between = {"", 0};
    size_t len;
    luaL_Buffer out;
    char *at;

    if (!lua_isnoneornil(lua, 3))
        between = check_text(lua, 3);
    if (count <= 0 || (text.len == 0 && between.len == 0)) {
        lua_pushliteral(lua, "");
        return 1;
    }
    if (text.len + between.len > (size_t)LUA_MAXINTEGER / (lua_Unsigned)count)
        return luaL_error(lua, "resulting string too large");
    len = (text.len + between.len) * (size_t)count - between.len;
    at = luaL_buffinitsize(lua, &out, len);
    memcpy(at, text.data, text.len);
    if (count > 1)
        memcpy(at + text.len, between.data, between.len);
    /* What is there is doubled until it is long enough. */
    for (size_t done = text.len + between.len; done < len; done *= 2)
        memcpy(at + done, at, done < len - done ? done : len - done);
    luaL_pushresultsize(&out, len);
    return 1;
}

int l_open_string(lua_State *lua)
{
    static const luaL_Reg bounded[] = {
        {"find", l_find},        {"match", l_match}, {"gmatch", l_gmatch},
        {"gsub", l_string_gsub}, {"rep", l_rep},     {NULL, NULL},
    };

    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 0);
    luaL_setfuncs(lua, bounded, 0);
    sandbox_charge(lua, "pack");
    sandbox_charge(lua, "packsize");
    sandbox_charge(lua, "unpack");
    lua_pushnil(lua);
    lua_setfield(lua, -2, "dump");
    return 1;
}
