/* values_write.c -- Lua values to an encoder.
 *
 * Tables are read raw: no metamethod runs, so nothing changes under the walk and
 * nothing waits. The frames of the walk are the path for messages, and how a table
 * within itself is found.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/utf8.h"
#include "script/values_priv.h"

#include <lauxlib.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define INSERTION_MAX  16   /* so many keys are sorted by insertion, on the C stack */
#define BIG_DIGITS_MAX 1000 /* of an integer in CBOR: turning digits to octets is quadratic */

struct frame {
    const void *table;
    bool is_map;
    lua_Integer integer; /* the index, or a key that is no text */
    struct slice key;    /* data NULL: it is `integer` */
};

struct writing {
    lua_State *lua;
    struct vm *vm;
    struct encoder *e;
    const char *path;
    unsigned depth, depth_max;
    unsigned values;
    struct frame frames[VALUES_DEPTH_MAX + 1]; /* the first one may be an item of the message's */
};

static void put(struct writing *writing, int index, enum values_shape shape);

/* ---- errors ---- */

static bool is_name(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' &&
            !(i != 0 && c >= '0' && c <= '9'))
            return false;
    }
    return key.len != 0 && key.len <= 100;
}

static void l_add_frame(lua_State *lua, luaL_Buffer *path, const struct frame *frame)
{
    struct slice key = frame->key;

    if (key.data == NULL) {
        lua_pushfstring(lua, "[%I]", (LUAI_UACINT)frame->integer);
        luaL_addvalue(path);
    } else if (is_name(key)) {
        luaL_addchar(path, '.');
        luaL_addlstring(path, key.data, key.len);
    } else {
        luaL_addstring(path, "[\"");
        luaL_addlstring(path, key.data, key.len < 100 ? key.len : 100);
        luaL_addstring(path, "\"]");
    }
}

static int l_refuse(struct writing *writing, const char *words)
{
    lua_State *lua = writing->lua;
    luaL_Buffer path;

    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    luaL_buffinit(lua, &path);
    luaL_addstring(&path, writing->path);
    for (unsigned i = 0; i < writing->depth; i++)
        l_add_frame(lua, &path, &writing->frames[i]);
    luaL_pushresult(&path);
    return luaL_error(lua, "%s: %s", lua_tostring(lua, -1), words);
}

/* ---- scalars ---- */

static void put_text(struct writing *writing, struct slice text)
{
    if (!utf8_is_valid(text))
        l_refuse(writing, "the string is not valid UTF-8; nexus.bytes() makes it binary");
    if (writing->e->codec == CODEC_JSON && text.len != 0 && *text.data == '\0')
        l_refuse(writing, "a string that begins with U+0000 means binary in JSON; "
                          "nexus.bytes() makes it binary");
    encode_text(writing->e, text);
}

static void put_number(struct writing *writing, int index)
{
    lua_Number number;

    if (lua_isinteger(writing->lua, index)) {
        encode_int(writing->e, lua_tointeger(writing->lua, index));
        return;
    }
    number = lua_tonumber(writing->lua, index);
    if (writing->e->codec == CODEC_JSON && !isfinite(number))
        l_refuse(writing,
                 isnan(number) ? "NaN cannot be sent as JSON" : "infinity cannot be sent as JSON");
    encode_float(writing->e, number);
}

/* A MessagePack extension, which the encoder has no word for. */
static void put_ext(struct writing *writing, const struct octets *octets)
{
    unsigned char *at = arena_alloc(&writing->vm->scratch, octets->len + 6);
    size_t len = octets->len, head = 0;

    if (len == 1 || len == 2 || len == 4 || len == 8 || len == 16) {
        at[head++] = (unsigned char)(0xd4 + __builtin_ctz((unsigned)len));
    } else if (len <= UINT8_MAX) {
        at[head++] = 0xc7;
        at[head++] = (unsigned char)len;
    } else if (len <= UINT16_MAX) {
        at[head++] = 0xc8;
        at[head++] = (unsigned char)(len >> 8);
        at[head++] = (unsigned char)len;
    } else {
        at[head++] = 0xc9;
        for (int shift = 24; shift >= 0; shift -= 8)
            at[head++] = (unsigned char)(len >> shift);
    }
    at[head++] = (unsigned char)octets->ext_type;
    memcpy(at + head, octets->data, len);
    encode_value(writing->e, CODEC_MSGPACK, slice_make(at, head + len));
}

/* Decimal digits to octets, the most significant one first; returns how many. */
static size_t to_octets(unsigned char *out, size_t room, struct slice digits, bool minus_one)
{
    size_t len = 0;

    for (size_t i = 0; i < digits.len; i++) {
        unsigned carry = (unsigned)(digits.data[i] - '0');

        for (size_t n = 0; n < len || carry != 0; n++) {
            carry += n < len ? out[room - 1 - n] * 10U : 0;
            out[room - 1 - n] = (unsigned char)carry;
            carry >>= 8;
            len = n + 1 > len ? n + 1 : len;
        }
    }
    for (size_t n = 0; minus_one && n < len && out[room - 1 - n]-- == 0; n++)
        continue;
    memmove(out, out + room - len, len);
    return len;
}

/* Tag 2 or 3 and octets. */
static void put_cbor_big(struct writing *writing, struct slice digits)
{
    bool is_negative = *digits.data == '-';
    unsigned char *at, *octets;
    size_t len, head = 0;

    digits.data += is_negative;
    digits.len -= is_negative;
    if (digits.len > BIG_DIGITS_MAX)
        l_refuse(writing, "an integer of more than 1000 digits cannot be sent as CBOR");
    at = arena_alloc(&writing->vm->scratch, digits.len + 8);
    octets = arena_alloc(&writing->vm->scratch, digits.len + 8);
    len = to_octets(octets, digits.len + 8, digits, is_negative);
    at[head++] = is_negative ? 0xc3 : 0xc2;
    if (len < 24) {
        at[head++] = (unsigned char)(0x40 + len);
    } else if (len <= UINT8_MAX) {
        at[head++] = 0x58;
        at[head++] = (unsigned char)len;
    } else {
        at[head++] = 0x59;
        at[head++] = (unsigned char)(len >> 8);
        at[head++] = (unsigned char)len;
    }
    memcpy(at + head, octets, len);
    encode_value(writing->e, CODEC_CBOR, slice_make(at, head + len));
}

static void put_big(struct writing *writing, const struct big *big)
{
    struct slice digits = slice_make(big->digits, big->len);
    bool fits = big->len < 20 || (big->len == 20 && *big->digits != '-' &&
                                  strncmp(big->digits, "18446744073709551615", 20) <= 0);
    char text[24];

    if (fits) {
        memcpy(text, big->digits, big->len);
        text[big->len] = '\0';
        encode_uint(writing->e, strtoull(text, NULL, 10));
    } else if (writing->e->codec == CODEC_JSON) {
        encode_value(writing->e, CODEC_JSON, digits);
    } else if (writing->e->codec == CODEC_CBOR) {
        put_cbor_big(writing, digits);
    } else {
        l_refuse(writing, "an integer beyond 64 bits cannot be sent as MessagePack");
    }
}

static void put_userdata(struct writing *writing, int index)
{
    const struct octets *octets = values_octets_of(writing->lua, index);
    const struct big *big = octets != NULL ? NULL : values_big_of(writing->lua, index);

    if (octets != NULL && octets->is_ext && writing->e->codec == CODEC_MSGPACK)
        put_ext(writing, octets);
    else if (octets != NULL)
        encode_bytes(writing->e, slice_make(octets->data, octets->len));
    else if (big != NULL)
        put_big(writing, big);
    else
        l_refuse(writing, "an object cannot be sent");
}

/* ---- lists ---- */

static struct frame *frame_of(struct writing *writing)
{
    return &writing->frames[writing->depth - 1];
}

/* Says which key is one too many; it is at the index. */
static void l_refuse_mixed(struct writing *writing, int index)
{
    const char *key;

    writing->depth--;
    luaL_checkstack(writing->lua, LUA_MINSTACK, NULL);
    key = luaL_tolstring(writing->lua, index, NULL);
    l_refuse(writing,
             lua_pushfstring(writing->lua, "a list with the key %s, which is no index of it", key));
}

/* Every key must be one of 1..len, and all of them be there. */
static void check_list(struct writing *writing, int index, lua_Integer len)
{
    lua_State *lua = writing->lua;
    lua_Integer found = 0;

    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        found++;
        if (!lua_isinteger(lua, -1) || lua_tointeger(lua, -1) < 1)
            l_refuse_mixed(writing, lua_gettop(lua));
    }
    if (found == len)
        return;
    for (frame_of(writing)->integer = 1;; frame_of(writing)->integer++) {
        if (lua_rawgeti(lua, index, frame_of(writing)->integer) == LUA_TNIL)
            l_refuse(writing, "a hole in a list; nexus.null stands for nothing");
        lua_pop(lua, 1);
    }
}

static void put_list(struct writing *writing, int index)
{
    lua_State *lua = writing->lua;
    lua_Integer len = (lua_Integer)lua_rawlen(lua, index);
    struct frame *frame = frame_of(writing);

    frame->is_map = false;
    frame->key.data = NULL;
    check_list(writing, index, len);
    encode_list(writing->e, (size_t)len);
    for (lua_Integer i = 1; i <= len; i++) {
        frame->integer = i;
        lua_rawgeti(lua, index, i);
        put(writing, lua_gettop(lua), VALUES_ANY);
        lua_pop(lua, 1);
    }
    encode_end(writing->e);
}

/* ---- dicts ---- */

struct key {
    enum { KEY_BOOL, KEY_INTEGER, KEY_TEXT } kind;
    lua_Integer integer;
    struct slice text;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a, *right = b;
    size_t len = left->text.len < right->text.len ? left->text.len : right->text.len;
    int order;

    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->kind != KEY_TEXT)
        return left->integer < right->integer ? -1 : left->integer > right->integer;
    order = memcmp(left->text.data, right->text.data, len);
    if (order != 0)
        return order;
    return left->text.len < right->text.len ? -1 : left->text.len > right->text.len;
}

static void sort_keys(struct key *keys, size_t count)
{
    if (count > INSERTION_MAX) {
        qsort(keys, count, sizeof(*keys), compare_keys);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct key key = keys[i];
        size_t at = i;

        for (; at > 0 && compare_keys(&keys[at - 1], &key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static size_t count_keys(lua_State *lua, int index)
{
    size_t count = 0;

    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        count++;
    }
    return count;
}

/* The key at the top. Only a dict that was received may have keys that are no text. */
static struct key key_of(struct writing *writing, bool is_marked)
{
    lua_State *lua = writing->lua;
    struct key key = {.kind = KEY_TEXT};

    if (lua_type(lua, -1) == LUA_TSTRING) {
        key.text.data = lua_tolstring(lua, -1, &key.text.len);
        return key;
    }
    if (is_marked && lua_isboolean(lua, -1)) {
        key.kind = KEY_BOOL;
        key.integer = lua_toboolean(lua, -1);
        return key;
    }
    if (is_marked && lua_isinteger(lua, -1)) {
        key.kind = KEY_INTEGER;
        key.integer = lua_tointeger(lua, -1);
        return key;
    }
    writing->depth--;
    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    luaL_tolstring(lua, -1, NULL);
    l_refuse(writing, lua_pushfstring(lua, "a dict with the key %s, which is a %s and no string",
                                      lua_tostring(lua, -1), luaL_typename(lua, -2)));
    return key;
}

static void put_key(struct writing *writing, const struct key *key)
{
    struct encoder *e = writing->e;
    char digits[24];
    int len;

    if (key->kind == KEY_TEXT) {
        if (!utf8_is_valid(key->text))
            l_refuse(writing, "the key is not valid UTF-8");
        encode_text(e, key->text);
    } else if (e->codec != CODEC_JSON) {
        if (key->kind == KEY_BOOL)
            encode_bool(e, key->integer != 0);
        else
            encode_int(e, key->integer);
    } else if (key->kind == KEY_BOOL) {
        encode_text(e, key->integer != 0 ? SLICE("true") : SLICE("false"));
    } else {
        len = snprintf(digits, sizeof(digits), "%lld", (long long)key->integer);
        encode_text(e, slice_make(digits, (size_t)len));
    }
}

static void push_key(lua_State *lua, const struct key *key)
{
    if (key->kind == KEY_TEXT)
        lua_pushlstring(lua, key->text.data, key->text.len);
    else if (key->kind == KEY_BOOL)
        lua_pushboolean(lua, key->integer != 0);
    else
        lua_pushinteger(lua, key->integer);
}

static void put_dict(struct writing *writing, int index, bool is_marked)
{
    lua_State *lua = writing->lua;
    struct frame *frame = frame_of(writing);
    size_t count = count_keys(lua, index), i = 0;
    struct key few[INSERTION_MAX], *keys = few;
    int top = lua_gettop(lua);

    /* Many keys are kept in memory of the state, where they count. */
    if (count > INSERTION_MAX)
        keys = lua_newuserdatauv(lua, count * sizeof(*keys), 0);
    frame->is_map = true;
    lua_pushnil(lua);
    while (i < count && lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        keys[i++] = key_of(writing, is_marked);
    }
    count = i;
    sort_keys(keys, count);
    encode_map(writing->e, count);
    for (i = 0; i < count; i++) {
        frame->key = keys[i].text;
        frame->integer = keys[i].integer;
        put_key(writing, &keys[i]);
        push_key(lua, &keys[i]);
        lua_rawget(lua, index);
        put(writing, lua_gettop(lua), VALUES_ANY);
        lua_pop(lua, 1);
    }
    lua_settop(lua, top);
    encode_end(writing->e);
}

/* ---- tables ---- */

static bool is_list(lua_State *lua, int index, enum mark mark, enum values_shape shape)
{
    bool is_text;

    if (mark != MARK_NONE)
        return mark == MARK_LIST;
    lua_pushnil(lua);
    if (lua_next(lua, index) == 0)
        return shape == VALUES_LIST;
    is_text = lua_type(lua, -2) == LUA_TSTRING;
    lua_pop(lua, 2);
    return !is_text && lua_rawlen(lua, index) != 0;
}

static void put_table(struct writing *writing, int index, enum values_shape shape)
{
    lua_State *lua = writing->lua;
    const void *table = lua_topointer(lua, index);
    enum mark mark = values_mark_of(lua, index);
    bool as_list;

    for (unsigned i = 0; i < writing->depth; i++) {
        if (writing->frames[i].table == table)
            l_refuse(writing, "a table that contains itself");
    }
    if (writing->depth == writing->depth_max) {
        writing->depth = 3; /* the whole path would be no help */
        l_refuse(writing,
                 lua_pushfstring(lua, "nested deeper than %d lists and dicts", VALUES_DEPTH_MAX));
    }
    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    as_list = is_list(lua, index, mark, shape);
    if (shape == VALUES_LIST && !as_list)
        l_refuse(writing, "a list is wanted, found a dict");
    if (shape == VALUES_DICT && as_list)
        l_refuse(writing, "a dict is wanted, found a list");
    writing->frames[writing->depth++].table = table;
    if (as_list)
        put_list(writing, index);
    else
        put_dict(writing, index, mark == MARK_DICT);
    writing->depth--;
}

static void put(struct writing *writing, int index, enum values_shape shape)
{
    lua_State *lua = writing->lua;
    struct slice text;

    if (++writing->values % VALUES_CHECK_EACH == 0)
        door_check(lua);
    if (writing->e->out.len > writing->vm->options.encode_max)
        l_refuse(writing, lua_pushfstring(lua, "the whole gets longer than %d bytes",
                                          (int)writing->vm->options.encode_max));
    switch (lua_type(lua, index)) {
    case LUA_TBOOLEAN:
        encode_bool(writing->e, lua_toboolean(lua, index) != 0);
        break;
    case LUA_TNUMBER:
        put_number(writing, index);
        break;
    case LUA_TSTRING:
        text.data = lua_tolstring(lua, index, &text.len);
        put_text(writing, text);
        break;
    case LUA_TTABLE:
        put_table(writing, index, shape);
        break;
    case LUA_TUSERDATA:
        put_userdata(writing, index);
        break;
    default:
        if (values_is_null(lua, index)) {
            encode_null(writing->e);
            break;
        }
        l_refuse(writing, lua_pushfstring(lua, "%s cannot be sent", luaL_typename(lua, index)));
    }
}

/* ---- from outside ---- */

struct encoder *l_values_begin(lua_State *lua, enum codec codec)
{
    struct vm *vm = vm_of(lua);

    if (vm->is_encoding)
        encode_discard(&vm->encoder);
    encode_start(&vm->encoder, codec, 0);
    vm->is_encoding = true;
    return &vm->encoder;
}

/* The frames are not cleared: those that count are written first. */
static void start(struct writing *writing, lua_State *lua, const char *path)
{
    struct vm *vm = vm_of(lua);

    CHECK(vm->is_encoding);
    writing->lua = lua;
    writing->vm = vm;
    writing->e = &vm->encoder;
    writing->path = path;
    writing->depth = writing->values = 0;
    writing->depth_max = VALUES_DEPTH_MAX;
    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    arena_reset(&vm->scratch);
}

static void finish(struct writing *writing, size_t before)
{
    arena_reset(&writing->vm->scratch);
    vm_charge(writing->lua, (writing->e->out.len - before) / VM_CHARGE_UNIT);
}

void l_values_put(lua_State *lua, int index, enum values_shape shape, const char *path)
{
    size_t before = vm_of(lua)->encoder.out.len;
    struct writing writing;

    start(&writing, lua, path);
    index = lua_absindex(lua, index);
    if (shape != VALUES_ANY && lua_type(lua, index) != LUA_TTABLE)
        l_refuse(&writing, lua_pushfstring(lua, "a %s is wanted, found a %s",
                                           shape == VALUES_LIST ? "list" : "dict",
                                           luaL_typename(lua, index)));
    put(&writing, index, shape);
    finish(&writing, before);
}

void l_values_put_items(lua_State *lua, int first, int last, const char *path)
{
    size_t before = vm_of(lua)->encoder.out.len;
    struct writing writing;

    start(&writing, lua, path);
    writing.depth = 1;
    writing.depth_max++;
    encode_list(writing.e, (size_t)(last - first) + 1);
    for (int i = first; i <= last; i++) {
        writing.frames[0] = (struct frame){.integer = i - first + 1};
        put(&writing, i, VALUES_ANY);
    }
    encode_end(writing.e);
    finish(&writing, before);
}

struct encoder *l_values_encoder(lua_State *lua)
{
    struct vm *vm = vm_of(lua);

    CHECK(vm->is_encoding);
    return &vm->encoder;
}

struct blob *l_values_end(lua_State *lua)
{
    struct vm *vm = vm_of(lua);

    CHECK(vm->is_encoding);
    vm->is_encoding = false;
    return encode_finish(&vm->encoder);
}
