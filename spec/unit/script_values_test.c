/* script_values_test.c -- wire values to Lua and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "script/values.h"
#include "script_kit.h"
#include "trip_kit.h"
#include "wire_kit.h"

#define NEXUS  "local nexus = require 'nexus'\n"
#define VALUES 1500 /* random ones, for each pair of serializers */

/* ---- a value as text, with the entries of dicts in order and each key once ---- */

static struct text canon(struct reader *r, const struct token *token);

/* text_add takes 512 octets at most. */
static void add_text(struct text *to, const struct text *from)
{
    for (size_t at = 0; at < from->len; at += 400)
        text_add(to, "%.400s", from->data + at);
}

static int compare_entries(const void *a, const void *b)
{
    const struct text *left = a, *right = b;

    return strcmp(left->data, right->data);
}

/* Keys are followed by 0x01, which no shown text has, and by the value. */
static void canon_map(struct reader *r, struct text *out)
{
    struct text entries[64];
    struct token token = {.type = TOKEN_NULL};
    size_t count = 0;

    for (;;) {
        struct text value, *entry = &entries[count];
        size_t len;

        EXPECT(reader_next(r, &token) == 0);
        if (token.type == TOKEN_END)
            break;
        *entry = (struct text){0};
        add_token(entry, &token);
        text_add(entry, "\x01");
        len = entry->len;
        for (size_t i = 0; i < count; i++) {
            if (strncmp(entries[i].data, entry->data, len) == 0) {
                text_free(&entries[i]);
                entries[i] = *entry;
                entry = &entries[i];
                break;
            }
        }
        EXPECT(reader_next(r, &token) == 0);
        value = canon(r, &token);
        text_add(entry, "%s", "");
        add_text(entry, &value);
        text_free(&value);
        count += entry == &entries[count];
        CHECK(count < ARRAY_LEN(entries));
    }
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < count; i++) {
        add_text(out, &entries[i]);
        text_add(out, ",");
        text_free(&entries[i]);
    }
}

static struct text canon(struct reader *r, const struct token *token)
{
    struct text out = {0};
    struct token item = {.type = TOKEN_NULL};

    if (token->type == TOKEN_FLOAT)
        text_add(&out, "f:%.17g", token->real);
    else if (token->type == TOKEN_TEXT || token->type == TOKEN_BYTES)
        for (size_t i = 0; i <= token->text.len; i++)
            text_add(&out, i == 0 ? "%c" : "%02x",
                     i == 0 ? (token->type == TOKEN_TEXT ? 't' : 'h')
                            : (unsigned char)token->text.data[i - 1]);
    else
        add_token(&out, token);
    if (token->type == TOKEN_MAP) {
        canon_map(r, &out);
    } else if (token->type == TOKEN_LIST) {
        for (;;) {
            struct text value;

            EXPECT(reader_next(r, &item) == 0);
            if (item.type == TOKEN_END)
                break;
            value = canon(r, &item);
            add_text(&out, &value);
            text_add(&out, ";");
            text_free(&value);
        }
    }
    return out;
}

static struct text canon_of(enum codec codec, struct slice bytes)
{
    struct token token = {.type = TOKEN_NULL};
    struct fault fault;
    struct arena arena;
    struct reader r;
    struct text out;

    arena_init(&arena);
    reader_init(&r, codec, bytes, &arena, &fault);
    EXPECT(reader_next(&r, &token) == 0);
    out = canon(&r, &token);
    arena_fini(&arena);
    return out;
}

/* ---- there and back ---- */

/* Through Lua: held by the caller. */
static struct blob *travel(enum codec from, struct slice bytes, enum codec to)
{
    struct trip trip = {.from = from, .to = to, .bytes = bytes};
    char words[300];

    if (vm_try(kit.vm, l_trip, &trip, words, sizeof(words)) != 0) {
        UNIT_FAIL("%s to %s: %s", codec_name(from), codec_name(to), words);
        return NULL;
    }
    return trip.result;
}

TEST(random_values_come_back_the_same)
{
    kit_open();
    for (uint64_t seed = 1; seed <= VALUES / KIT_SLOW; seed++) {
        for (enum codec from = 0; from < CODEC_COUNT; from++) {
            struct blob *value = random_value(from, seed, seed % 2 == 0);
            struct blob *back = travel(from, blob_slice(value), from);
            struct text was = canon_of(from, blob_slice(value));
            struct text is = canon_of(from, blob_slice(back));

            if (strcmp(was.data, is.data) != 0)
                UNIT_FAIL("seed %d, %s: %.200s is %.200s", (int)seed, codec_name(from), was.data,
                          is.data);
            text_free(&was);
            text_free(&is);
            blob_drop(value);
            blob_drop(back);
        }
    }
    kit_close();
}

/* Lua in between gives what the transcoder gives, up to the order of keys. */
TEST(random_values_change_serializers)
{
    kit_open();
    for (uint64_t seed = 1; seed <= VALUES / KIT_SLOW; seed++) {
        for (enum codec from = 0; from < CODEC_COUNT; from++) {
            enum codec to = (from + 1 + seed % 2) % CODEC_COUNT;
            struct blob *value = random_value(from, seed, true);
            struct blob *there = travel(from, blob_slice(value), to);
            struct blob *wanted = transcode(from, blob_slice(value), to);
            struct text was = canon_of(to, blob_slice(wanted));
            struct text is = canon_of(to, blob_slice(there));

            CHECK(was.data != NULL && is.data != NULL);
            if (strcmp(was.data, is.data) != 0)
                UNIT_FAIL("seed %d, %s to %s: %.200s is %.200s", (int)seed, codec_name(from),
                          codec_name(to), was.data, is.data);
            text_free(&was);
            text_free(&is);
            blob_drop(value);
            blob_drop(there);
            blob_drop(wanted);
        }
    }
    kit_close();
}

/* Equal values are equal bytes, in whatever order they were made. */
TEST(keys_are_in_order)
{
    kit_open();
    EXPECT_RESULT(NEXUS "return nexus.json.encode{ b = 1, a = 2, ['a b'] = 3, [''] = 4, B = 5 }",
                  "{\"\":4,\"B\":5,\"a\":2,\"a b\":3,\"b\":1}");
    EXPECT_RESULT(NEXUS "local t, u = {}, {} for i = 1, 200 do t['k' .. i] = i end\n"
                        "for i = 200, 1, -1 do u['k' .. i] = i end\n"
                        "return nexus.json.encode(t) == nexus.json.encode(u)",
                  "true");
    kit_close();
}

/* ---- against lua-cjson ---- */

static int l_sample(lua_State *lua)
{
    struct blob *value = random_value(CODEC_JSON, (uint64_t)lua_tointeger(lua, 1), true);
    struct slice text = blob_slice(value);

    lua_pushlstring(lua, text.data, text.len);
    blob_drop(value);
    return 1;
}

static int l_open_samples(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushcfunction(lua, l_sample);
    lua_setfield(lua, -2, "get");
    return 1;
}

TEST(the_same_as_lua_cjson)
{
    static const char *const c_modules[] = {"cjson", NULL};
    char code[1500];

    kit_open_with((struct vm_options){.c_modules = c_modules});
    kit.call.budget = (struct door_budget){0};
    EXPECT(vm_provide(kit.vm, "samples", l_open_samples) == 0);
    snprintf(code, sizeof(code),
             "local nexus, cjson, samples = require 'nexus', require 'cjson', require 'samples'\n"
             "local function same(a, b)\n"
             "  local kind = nexus.type(a)\n"
             "  if kind == 'null' then return b == cjson.null end\n"
             "  if kind == 'bytes' then return type(b) == 'string' and b:sub(1, 1) == '\\0' end\n"
             "  if kind == 'integer' or kind == 'float' then\n"
             "    local x, y = tonumber(tostring(a)) + 0.0, b + 0.0\n"
             "    return x == y or math.abs(x - y) <= math.abs(x) * 1e-13 end\n"
             "  if type(a) ~= 'table' then return a == b end\n"
             "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
             "  for k in pairs(b) do if a[k] == nil then return false end end\n"
             "  return true\n"
             "end\n"
             "local tables = 0\n"
             "for i = 1, %d do\n"
             "  local text = samples.get(i)\n"
             "  local ours, theirs = nexus.json.decode(text), cjson.decode(text)\n"
             "  if type(ours) == 'table' then tables = tables + 1 end\n"
             "  if not same(ours, theirs) then error('read: ' .. text) end\n"
             "  if not same(ours, cjson.decode(nexus.json.encode(ours))) then\n"
             "    error('write: ' .. text) end\n"
             "end\n"
             "return tables > 10",
             2000 / KIT_SLOW);
    EXPECT_RESULT(code, "true");
    kit_close();
}

/* ---- kinds ---- */

TEST(kinds_are_told_apart)
{
    kit_open();
    EXPECT_RESULT(NEXUS "local r = {}\n"
                        "for i, v in ipairs(nexus.json.decode('[null,true,7,7.0,1e3,\"x\",[],{},"
                        "18446744073709551615,\"\\\\u0000AAE=\"]')) do r[i] = nexus.type(v) end\n"
                        "return table.concat(r, ' ')",
                  "null boolean integer float float string list dict integer bytes");
    EXPECT_RESULT(NEXUS "return nexus.json.encode{ nexus.null, 7, 7.0, {}, nexus.list(), "
                        "nexus.dict{}, nexus.bytes('\\0\\1'), -0.0, 1 << 63 }",
                  "[null,7,7.0,{},[],{},\"\\u0000AAE=\",-0.0,-9223372036854775808]");
    EXPECT_RESULT(NEXUS "return nexus.type({}), nexus.type({ 1 }), nexus.type({ a = 1 }), "
                        "nexus.type(print), nexus.type(nil), nexus.type(nexus.null), "
                        "tostring(nexus.null)",
                  "dict\tlist\tdict\tfunction\tnil\tnull\tnull");
    kit_close();
}

TEST(integers_and_floats)
{
    kit_open();
    kit_run(NEXUS
            "local d = nexus.json.decode\n"
            "return d'9007199254740993', d'3251278072152162', d'1.0', d'9223372036854775807', "
            "d'-9223372036854775808'");
    EXPECT_STR(kit.results, "9007199254740993\t3251278072152162\t1.0\t9223372036854775807\t"
                            "-9223372036854775808");
    EXPECT_RESULT(NEXUS
                  "for _, c in ipairs{ 'msgpack', 'cbor' } do\n"
                  "local back = nexus[c].decode(nexus[c].encode{ 1 / 0, -1 / 0, 2.0, 2 })\n"
                  "assert(back[1] == math.huge and back[2] == -math.huge)\n"
                  "assert(math.type(back[3]) == 'float' and math.type(back[4]) == 'integer')\n"
                  "local nan = nexus[c].decode(nexus[c].encode(0 / 0)) assert(nan ~= nan)\n"
                  "end return 'fine'",
                  "fine");
    kit_close();
}

TEST(integers_beyond_64_bits)
{
    kit_open();
    EXPECT_RESULT(NEXUS "local b = nexus.json.decode '18446744073709551615'\n"
                        "local n = nexus.json.decode '-123456789012345678901234567890'\n"
                        "local b2 = nexus.cbor.decode(nexus.cbor.encode(b))\n"
                        "return tostring(b), b == b2, b > 1, b > n, n < -5, n < 1.5, b <= b2, "
                        "b > 1e30, tostring(n), nexus.json.encode{ b, n }",
                  "18446744073709551615\ttrue\ttrue\ttrue\ttrue\ttrue\ttrue\tfalse\t"
                  "-123456789012345678901234567890\t"
                  "[18446744073709551615,-123456789012345678901234567890]");
    EXPECT_RESULT(NEXUS "local n = nexus.json.decode '-123456789012345678901234567890'\n"
                        "local p = nexus.json.decode '123456789012345678901234567890'\n"
                        "local e = nexus.json.decode '18446744073709551616'\n"
                        "local function through(x) return "
                        "tostring(nexus.cbor.decode(nexus.cbor.encode(x))) end\n"
                        "return through(n), through(p), through(e)",
                  "-123456789012345678901234567890\t123456789012345678901234567890\t"
                  "18446744073709551616");
    EXPECT_FAILS(NEXUS "nexus.msgpack.encode{ nexus.json.decode '18446744073709551616' }",
                 "policy.lua:2: value[1]: an integer beyond 64 bits cannot be sent as MessagePack");
    kit_close();
}

TEST(binary)
{
    kit_open();
    EXPECT_RESULT(NEXUS "local b = nexus.bytes 'a\\0bcd'\n"
                        "return #b, b == nexus.bytes 'a\\0bcd', b == 'a\\0bcd', "
                        "tostring(b:sub(3)), tostring(b:sub(-2, -2)), #b:sub(9), #b:sub(3, 1), "
                        "tostring(b) == 'a\\0bcd', getmetatable(b), #nexus.bytes(b)",
                  "5\ttrue\tfalse\tbcd\tc\t0\t0\ttrue\tfalse\t5");
    EXPECT_RESULT(NEXUS "for _, c in ipairs{ 'json', 'msgpack', 'cbor' } do\n"
                        "local b = nexus[c].decode(nexus[c].encode(nexus.bytes '\\xff\\0x'))\n"
                        "assert(b == nexus.bytes '\\xff\\0x', c) end return 'fine'",
                  "fine");
    EXPECT_FAILS(NEXUS "nexus.bytes(5)",
                 "policy.lua:2: bad argument #1 to 'bytes' (string or nexus.bytes expected, got "
                 "number)");
    kit_close();
}

TEST(extensions_of_messagepack)
{
    kit_open();
    EXPECT_RESULT(NEXUS "for len = 0, 300 do\n"
                        "  local head = len < 256 and '\\xc7' .. string.char(len)\n"
                        "    or '\\xc8' .. string.pack('>I2', len)\n"
                        "  local v = nexus.msgpack.decode(head .. '\\5' .. ('x'):rep(len))\n"
                        "  assert(nexus.type(v) == 'bytes' and #v == len)\n"
                        "  assert(nexus.msgpack.decode(nexus.msgpack.encode(v)) == v)\n"
                        "  assert(v ~= nexus.bytes(('x'):rep(len)))\n"
                        "end return 'fine'",
                  "fine");
    kit_close();
}

/* ---- refusals ---- */

TEST(what_cannot_be_sent_is_named)
{
    static const struct {
        const char *value, *words;
    } cases[] = {
        {"{ items = { 1, 2, { price = print } } }",
         "value.items[3].price: function cannot be sent"},
        {"{ a = { nil, 2 } }", "value.a[1]: a hole in a list; nexus.null stands for nothing"},
        {"{ 1, 2, nil, 4 }", "value[3]: a hole in a list; nexus.null stands for nothing"},
        {"{ 1, 2, x = 3 }", "value: a list with the key x, which is no index of it"},
        {"{ 1, [2.5] = 3 }", "value: a list with the key 2.5, which is no index of it"},
        {"{ a = { b = 1, [true] = 2 } }",
         "value.a: a dict with the key true, which is a boolean and no string"},
        {"{ [-1] = 2 }", "value: a dict with the key -1, which is a number and no string"},
        {"{ [coroutine.create(print)] = 1 }", NULL},
        {"{ x = '\\xff' }",
         "value.x: the string is not valid UTF-8; nexus.bytes() makes it binary"},
        {"{ ['\\xff'] = 1 }", NULL},
        {"{ ['a b'] = { print } }", "value[\"a b\"][1]: function cannot be sent"},
        {"{ 0 / 0 }", "value[1]: NaN cannot be sent as JSON"},
        {"{ -1 / 0 }", "value[1]: infinity cannot be sent as JSON"},
        {"{ '\\0x' }", "value[1]: a string that begins with U+0000 means binary in JSON; "
                       "nexus.bytes() makes it binary"},
        {"coroutine.create(print)", "value: thread cannot be sent"},
        {"nil", "value: nil cannot be sent"},
        {"(function() local t = {} t.x = { y = t } return t end)()",
         "value.x.y: a table that contains itself"},
        {"(function() local t = {} for i = 1, 200 do t = { t } end return t end)()",
         "value[1][1][1]: nested deeper than 124 lists and dicts"},
        {"setmetatable({ 1, 2, x = 1 }, { __pairs = print })",
         "value: a list with the key x, which is no index of it"},
    };
    char code[300], words[300];

    kit_open();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(code, sizeof(code), NEXUS "return nexus.json.encode(%s)", cases[i].value);
        snprintf(words, sizeof(words), "policy.lua:2: %s",
                 cases[i].words != NULL ? cases[i].words : "");
        if (cases[i].words != NULL)
            EXPECT_FAILS(code, words);
        else
            EXPECT(kit_run(code) == DOOR_FAILED);
    }
    /* Refused things leave the codec usable. */
    EXPECT_RESULT(NEXUS "pcall(nexus.json.encode, { 1, { print } }) return nexus.json.encode{ 1 }",
                  "[1]");
    kit_close();
}

TEST(marks)
{
    kit_open();
    EXPECT_RESULT(NEXUS "local l = nexus.list() l[1] = 'x' l[#l + 1] = 'y'\n"
                        "table.insert(l, 'z') table.sort(l, function(a, b) return a > b end)\n"
                        "return nexus.json.encode(l), getmetatable(l), #l",
                  "[\"z\",\"y\",\"x\"]\tfalse\t3");
    EXPECT_FAILS(NEXUS "local l = nexus.list() l.x = 1 nexus.json.encode(l)",
                 "policy.lua:2: value: a list with the key x, which is no index of it");
    EXPECT_FAILS(NEXUS "nexus.list(setmetatable({}, {}))",
                 "policy.lua:2: bad argument #1 to 'list' (the table has a metatable already)");
    EXPECT_FAILS(NEXUS "setmetatable(nexus.list(), {})",
                 "policy.lua:2: cannot change a protected metatable");
    EXPECT_RESULT(NEXUS "return nexus.json.encode(nexus.list(nexus.dict()))", "[]");
    kit_close();
}

/* Keys that are no text exist in MessagePack and CBOR. */
TEST(keys_that_are_no_text)
{
    kit_open();
    EXPECT_RESULT(NEXUS "local d = nexus.msgpack.decode '\\x83\\x01\\xa1x\\xff\\xa1y\\xc3\\xa1z'\n"
                        "return d[1], d[-1], d[true], nexus.type(d), nexus.json.encode(d), "
                        "nexus.msgpack.encode(d) == '\\x83\\xc3\\xa1z\\xff\\xa1y\\x01\\xa1x'",
                  "x\ty\tz\tdict\t{\"true\":\"z\",\"-1\":\"y\",\"1\":\"x\"}\ttrue");
    EXPECT_FAILS(NEXUS "nexus.cbor.decode '\\x81\\xa1\\x61x\\xa1\\x41y\\x01'",
                 "policy.lua:2: value[1].x: a key that is binary cannot be given to Lua");
    EXPECT_FAILS(NEXUS "nexus.msgpack.decode '\\x81\\xc0\\x01'",
                 "policy.lua:2: value: a key that is null cannot be given to Lua");
    kit_close();
}

TEST(malformed_bytes)
{
    kit_open();
    EXPECT_FAILS(NEXUS "nexus.json.decode '[1,]'",
                 "policy.lua:2: value: json: expected a value, found ']' at byte 3");
    EXPECT(kit_run(NEXUS "nexus.json.decode '[1] 2'") == DOOR_FAILED);
    EXPECT(kit_run(NEXUS "nexus.json.decode ''") == DOOR_FAILED);
    EXPECT(kit_run(NEXUS "nexus.cbor.decode('\\x9b' .. ('\\xff'):rep(8))") == DOOR_FAILED);
    EXPECT(kit_run(NEXUS "nexus.msgpack.decode '\\xdd\\xff\\xff\\xff\\xff'") == DOOR_FAILED);
    EXPECT(kit_run(NEXUS "nexus.json.decode(('['):rep(200))") == DOOR_FAILED);
    EXPECT_RESULT(NEXUS "return #nexus.json.encode(nexus.json.decode(('['):rep(124) .. "
                        "(']'):rep(124)))",
                  "248");
    kit_close();
}

static int l_shapes(lua_State *lua)
{
    const int *shape = lua_touserdata(lua, 1);
    struct blob *blob;

    lua_newtable(lua);
    l_values_begin(lua, CODEC_JSON);
    l_values_put(lua, -1, (enum values_shape)shape[0], "args");
    blob = l_values_end(lua);
    EXPECT_SLICE(blob_slice(blob), shape[0] == VALUES_LIST ? SLICE("[]") : SLICE("{}"));
    blob_drop(blob);
    return 0;
}

static int l_wrong_shape(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushinteger(lua, 1);
    lua_setfield(lua, -2, "x");
    l_values_begin(lua, CODEC_JSON);
    l_values_put(lua, -1, VALUES_LIST, "args");
    return 0;
}

static int l_no_table(lua_State *lua)
{
    lua_pushinteger(lua, 1);
    l_values_begin(lua, CODEC_JSON);
    l_values_put(lua, -1, VALUES_DICT, "kwargs");
    return 0;
}

TEST(shapes_that_the_protocol_wants)
{
    char words[100];

    kit_open();
    for (int shape = VALUES_ANY; shape <= VALUES_DICT; shape++)
        EXPECT(vm_try(kit.vm, l_shapes, &shape, NULL, 0) == 0);
    EXPECT(vm_try(kit.vm, l_wrong_shape, NULL, words, sizeof(words)) != 0);
    EXPECT_STR(words, "args: a list is wanted, found a dict");
    EXPECT(vm_try(kit.vm, l_no_table, NULL, words, sizeof(words)) != 0);
    EXPECT_STR(words, "kwargs: a dict is wanted, found a number");
    kit_close();
}
