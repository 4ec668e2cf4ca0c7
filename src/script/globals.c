/* globals.c -- see globals.h.
 *
 * The binary form of Lua 5.4, as lua_dump writes it: a header, then functions
 * within functions, each with its instructions, constants, upvalues and lines.
 * Numbers are seven bits to an octet, the last one marked. What is read was
 * compiled a moment ago in this process; all the same no read goes past the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/globals.h"

#include "script/vm_priv.h"

#include <lauxlib.h>

#define HEADER_LEN   31 /* up to the first number of the first function */
#define OP_GETTABUP  11
#define OP_SETTABUP  15
#define LINE_IS_FAR  (-128) /* the line is in the other table */
#define TAG_FLOAT    0x13
#define TAG_INTEGER  0x03
#define TAG_SHORT    0x04
#define TAG_LONG     0x14
#define UPVALUES_MAX 255
#define NAMES_MAX    256 /* constants that an instruction can name */

struct dump {
    lua_State *lua;
    const unsigned char *at, *end;
    const char *label;
    bool is_broken; /* not the form that we know */
    bool has_found; /* the message is pushed */
};

/* One function, while it is read. */
struct body {
    size_t line; /* where it begins */
    const unsigned char *code;
    size_t code_count;
    struct slice names[NAMES_MAX]; /* constants; data NULL: not a short string */
    bool is_env[UPVALUES_MAX + 1]; /* upvalues that are the environment */
    const unsigned char *lines;    /* a signed octet for each instruction */
    size_t line_count;
    const unsigned char *far; /* pairs of instruction and line */
    size_t far_count;
};

/* ---- reading ---- */

static const unsigned char *take(struct dump *dump, size_t len)
{
    const unsigned char *at = dump->at;

    if ((size_t)(dump->end - dump->at) < len) {
        dump->is_broken = true;
        dump->at = dump->end;
        return NULL;
    }
    dump->at += len;
    return at;
}

static unsigned take_octet(struct dump *dump)
{
    const unsigned char *at = take(dump, 1);

    return at == NULL ? 0 : *at;
}

static size_t take_number(struct dump *dump)
{
    size_t number = 0;

    for (int i = 0; i < 10 && !dump->is_broken; i++) {
        unsigned octet = take_octet(dump);

        number = number << 7 | (octet & 0x7f);
        if ((octet & 0x80) != 0)
            return number;
    }
    dump->is_broken = true;
    return 0;
}

static struct slice take_text(struct dump *dump)
{
    size_t len = take_number(dump);
    const unsigned char *at = len == 0 ? NULL : take(dump, len - 1);

    return slice_make(at, at == NULL ? 0 : len - 1);
}

static void take_constants(struct dump *dump, struct body *body)
{
    size_t count = take_number(dump);

    for (size_t i = 0; i < count && !dump->is_broken; i++) {
        unsigned tag = take_octet(dump);
        struct slice text = {NULL, 0};

        if (tag == TAG_FLOAT || tag == TAG_INTEGER)
            take(dump, 8);
        else if (tag == TAG_SHORT || tag == TAG_LONG)
            text = take_text(dump);
        if (i < NAMES_MAX)
            body->names[i] = tag == TAG_SHORT ? text : slice_make(NULL, 0);
    }
}

/* The environment of a chunk is its only upvalue; functions within get it handed on. A local
 * that is called _ENV is none of it. */
static void take_upvalues(struct dump *dump, struct body *body, const struct body *outer)
{
    size_t count = take_number(dump);

    for (size_t i = 0; i < count && !dump->is_broken; i++) {
        const unsigned char *upvalue = take(dump, 3);

        if (upvalue == NULL || i > UPVALUES_MAX)
            continue;
        if (outer == NULL)
            body->is_env[i] = i == 0;
        else
            body->is_env[i] = upvalue[0] == 0 && outer->is_env[upvalue[1]];
    }
}

static void take_lines(struct dump *dump, struct body *body)
{
    size_t count;

    body->line_count = take_number(dump);
    body->lines = take(dump, body->line_count);
    body->far_count = take_number(dump);
    body->far = dump->at;
    for (size_t i = 0; i < 2 * body->far_count && !dump->is_broken; i++)
        take_number(dump);
    count = take_number(dump);
    for (size_t i = 0; i < count && !dump->is_broken; i++) {
        take_text(dump);
        take_number(dump);
        take_number(dump);
    }
    count = take_number(dump);
    for (size_t i = 0; i < count && !dump->is_broken; i++)
        take_text(dump);
}

/* ---- looking ---- */

static size_t line_of(const struct dump *dump, const struct body *body, size_t instruction)
{
    struct dump far = {.at = body->far, .end = dump->end};
    size_t line = body->line;

    for (size_t i = 0; i <= instruction && i < body->line_count; i++) {
        signed char step = (signed char)body->lines[i];

        if (step != LINE_IS_FAR) {
            line += (size_t)(ptrdiff_t)step;
            continue;
        }
        for (size_t n = 0; n < body->far_count; n++) {
            size_t where = take_number(&far);

            line = take_number(&far);
            if (where >= i)
                break;
        }
    }
    return line;
}

static void look_at(struct dump *dump, const struct body *body, size_t i)
{
    uint32_t code;
    unsigned op, upvalue;
    struct slice name;

    memcpy(&code, body->code + 4 * i, sizeof(code));
    op = code & 0x7f;
    if (op != OP_GETTABUP && op != OP_SETTABUP)
        return;
    upvalue = op == OP_GETTABUP ? code >> 16 & 0xff : code >> 7 & 0xff;
    name = body->names[op == OP_GETTABUP ? code >> 24 : code >> 16 & 0xff];
    if (!body->is_env[upvalue] || name.data == NULL)
        return;
    lua_pushlstring(dump->lua, name.data, name.len);
    if (op == OP_GETTABUP && sandbox_knows(dump->lua)) {
        lua_pop(dump->lua, 1);
        return;
    }
    dump->has_found = true;
    lua_pushfstring(dump->lua,
                    op == OP_GETTABUP ? "%s:%d: there is no global \"%s\"; declare it with local"
                                      : "%s:%d: cannot set the global \"%s\"; declare it with "
                                        "local",
                    dump->label, (int)line_of(dump, body, i), lua_tostring(dump->lua, -1));
}

static void look_into(struct dump *dump, const struct body *outer)
{
    struct body body = {0};
    size_t count;

    take_text(dump);
    body.line = take_number(dump);
    take_number(dump);
    take(dump, 3);
    body.code_count = take_number(dump);
    body.code = take(dump, body.code_count * 4);
    take_constants(dump, &body);
    take_upvalues(dump, &body, outer);
    count = take_number(dump);
    for (size_t i = 0; i < count && !dump->is_broken && !dump->has_found; i++)
        look_into(dump, &body);
    if (dump->has_found)
        return;
    take_lines(dump, &body);
    for (size_t i = 0; i < body.code_count && !dump->is_broken && !dump->has_found; i++)
        look_at(dump, &body, i);
}

/* ---- from outside ---- */

struct copy {
    luaL_Buffer buffer;
    bool has_begun;
};

/* The buffer is begun here, since it lives above the function that lua_dump finds at the top. */
static int add_piece(lua_State *lua, const void *piece, size_t len, void *ctx)
{
    struct copy *copy = ctx;

    if (!copy->has_begun) {
        luaL_buffinit(lua, &copy->buffer);
        copy->has_begun = true;
    }
    luaL_addlstring(&copy->buffer, piece, len);
    return 0;
}

bool l_globals_check(lua_State *lua, const char *label)
{
    struct dump dump = {.lua = lua, .label = label};
    struct copy copy = {.has_begun = false};
    int function = lua_gettop(lua);
    const char *form;
    size_t len;

    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    lua_dump(lua, add_piece, &copy, 0);
    luaL_pushresult(&copy.buffer);
    form = lua_tolstring(lua, -1, &len);
    if (len > HEADER_LEN + 1 && form[4] == 0x54 && form[12] == 4) {
        dump.at = (const unsigned char *)form + HEADER_LEN + 1;
        dump.end = (const unsigned char *)form + len;
        look_into(&dump, NULL);
    }
    if (!dump.has_found) {
        lua_settop(lua, function);
        return true;
    }
    lua_replace(lua, function + 1);
    lua_settop(lua, function + 1);
    return false;
}
