/* module_basics_test.c -- nexus.uri, the codecs, clocks, config, secrets, log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "module_kit.h"
#include "wire/codec.h"

#define NEXUS "local nexus <const> = require 'nexus' "

TEST(uri_valid_and_matches)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return nexus.uri.valid('com.acme.x'), nexus.uri.valid('com..x'),"
                        "nexus.uri.valid('Com.x'), nexus.uri.valid('Com.x', 'strict'),"
                        "nexus.uri.valid('\xff')",
                  "true\tfalse\ttrue\tfalse\tfalse");
    EXPECT_RESULT(NEXUS "return nexus.uri.matches('com.*.x', 'com.a.x'),"
                        "nexus.uri.matches('com.**', 'com'), nexus.uri.matches('com.**', 'org.a'),"
                        "nexus.uri.matches('com.{session.x}', 'com.a')",
                  "true\ttrue\tfalse\tfalse");
    EXPECT_FAILS(NEXUS "return nexus.uri.matches('com.**.x', 'com.a')",
                 "policy.lua:1: nexus.uri.matches: \"com.**.x\": ** is only allowed as the last "
                 "component");
    EXPECT_FAILS(NEXUS "return nexus.uri.valid('x', 'lose')",
                 "policy.lua:1: bad argument #2 to 'valid' (invalid option 'lose')");
    kit_close_module();
}

TEST(uri_split_and_join)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "local a = nexus.uri.split('com.acme.x') return #a, a[1], a[3], "
                        "nexus.type(a), #nexus.uri.split('com..x')",
                  "3\tcom\tx\tlist\t3");
    EXPECT_FAILS(NEXUS "nexus.uri.split('com acme')",
                 "policy.lua:1: nexus.uri.split: found \"com acme\"; allowed: a URI");
    EXPECT_RESULT(NEXUS "return nexus.uri.join('com', 'acme', 7), nexus.uri.join{'a', 'b'}",
                  "com.acme.7\ta.b");
    EXPECT_FAILS(NEXUS "nexus.uri.join('com', 'a.b')",
                 "policy.lua:1: nexus.uri.join: component 2 is \"a.b\"; allowed: a component of a "
                 "URI, without points, white space and #");
    EXPECT_FAILS(NEXUS "nexus.uri.join('com', '')",
                 "policy.lua:1: nexus.uri.join: component 2 is \"\"; allowed: a component of a "
                 "URI, without points, white space and #");
    EXPECT_FAILS(NEXUS "nexus.uri.join('com', nil)",
                 "policy.lua:1: nexus.uri.join: component 2 is a nil; allowed: a string or an "
                 "integer");
    EXPECT_FAILS(NEXUS "nexus.uri.join()",
                 "policy.lua:1: nexus.uri.join: found 0 components; allowed: 1 to 64");
    EXPECT_FAILS(NEXUS "nexus.uri.join(('x'):rep(3000), ('y'):rep(3000))",
                 "policy.lua:1: nexus.uri.join: the URI gets longer than 4096 octets");
    kit_close_module();
}

TEST(uri_matcher)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "local m = nexus.uri.matcher('com.acme.alarm.{kind}.*.{id}.**') "
                        "local a = m('com.acme.alarm.fire.x.7.y.z') "
                        "return a.kind, a.id, m('com.acme.alarm.fire.x'), m(''), m('com..x'),"
                        "next(nexus.uri.matcher('a.b')('a.b'))",
                  "fire\t7\tnil\tnil\tnil\tnil");
    EXPECT_FAILS(NEXUS "nexus.uri.matcher('com.{session.org}')",
                 "policy.lua:1: nexus.uri.matcher: \"com.{session.org}\": there is no session "
                 "here; allowed: literals, *, {name} and a final **");
    EXPECT_FAILS(NEXUS "nexus.uri.matcher('com.{a}.{a}')",
                 "policy.lua:1: nexus.uri.matcher: \"com.{a}.{a}\": {a} captures twice; give each "
                 "capture its own name");
    EXPECT_EQ(kit_run(NEXUS "nexus.uri.matcher(('x.'):rep(100000))"), DOOR_FAILED);
    kit_close_module();
}

TEST(codecs)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return nexus.json.encode{ a = 1, b = 1.0, c = nexus.null, "
                        "d = nexus.list(), e = {} }",
                  "{\"a\":1,\"b\":1.0,\"c\":null,\"d\":[],\"e\":{}}");
    EXPECT_RESULT(NEXUS "local v = nexus.json.decode('[1, 1.0, null, {}, []]') "
                        "return nexus.type(v[1]), nexus.type(v[2]), nexus.type(v[3]),"
                        "nexus.type(v[4]), nexus.type(v[5])",
                  "integer\tfloat\tnull\tdict\tlist");
    EXPECT_RESULT(NEXUS "for _, c in ipairs{ 'json', 'msgpack', 'cbor' } do "
                        "local t = nexus[c].decode(nexus[c].encode{ n = 2^53|0, s = 'a', "
                        "b = nexus.bytes('\\xff') }) "
                        "assert(t.n == 9007199254740992 and t.s == 'a' and "
                        "tostring(t.b) == '\\xff') end return 'fine'",
                  "fine");
    EXPECT_FAILS(NEXUS "nexus.json.encode{ a = { 1, 0/0 } }",
                 "policy.lua:1: value.a[2]: NaN cannot be sent as JSON");
    EXPECT_FAILS(NEXUS "nexus.json.encode{ a = { b = print } }",
                 "policy.lua:1: value.a.b: function cannot be sent");
    EXPECT_EQ(kit_run(NEXUS "nexus.json.decode('{\"a\": tru}')"), DOOR_FAILED);
    EXPECT(strstr(kit.answer.message, "policy.lua:1: value: ") == kit.answer.message);
    kit_close_module();
}

/* Short texts that want much: what they announce is not believed. */
TEST(codec_bombs)
{
    static const char *const bombs[] = {
        "nexus.msgpack.decode('\\xdf\\xff\\xff\\xff\\xff')",
        "nexus.msgpack.decode('\\xdd\\x7f\\xff\\xff\\xff')",
        "nexus.cbor.decode('\\x9b\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff')",
        "nexus.cbor.decode('\\x5b\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff')",
        "nexus.json.decode(('['):rep(1000000))",
        "nexus.msgpack.decode(('\\x91'):rep(1000000))",
        "nexus.cbor.decode(('\\x81'):rep(1000000))",
        "nexus.json.encode(('x'):rep(15 * 1024 * 1024) .. ('\\1'):rep(1024 * 1023))",
    };

    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        char code[300];

        kit_open_module();
        snprintf(code, sizeof(code), NEXUS "return #%s", bombs[i]);
        EXPECT(kit_run(code) != DOOR_RETURNED || i == 7);
        EXPECT(vm_memory(kit.vm) <= vm_memory_max(kit.vm));
        kit_close_module();
    }
}

/* ---- the table of rows ---- */

static void check_row(const struct module_table *table, const struct module_row *row)
{
    const char *field = strchr(table->name, '.');
    bool is_class = field != NULL && field[1] >= 'A' && field[1] <= 'Z';
    bool is_hidden = strncmp(row->name, "__", 2) == 0;
    char code[200];

    if (!is_hidden && (row->type == NULL || row->words == NULL || *row->words == '\0'))
        UNIT_FAIL("%s.%s is not described", table->name, row->name);
    else if (row->fn != NULL && !is_hidden && strncmp(row->type, "fun(", 4) != 0)
        UNIT_FAIL("%s.%s is a function of type %s", table->name, row->name, row->type);
    if (is_class || is_hidden)
        return;
    snprintf(code, sizeof(code), NEXUS "return nexus%s.%s ~= nil", field == NULL ? "" : field,
             row->name);
    if (kit_run(code) != DOOR_RETURNED || strcmp(kit.results, "true") != 0)
        UNIT_FAIL("%s.%s is described, and not there", table->name, row->name);
}

TEST(what_is_described_is_there)
{
    kit_open_module();
    for (const struct module_table *const *table = module_tables(); *table != NULL; table++) {
        for (const struct module_row *row = (*table)->rows; row->name != NULL; row++)
            check_row(*table, row);
    }
    kit_close_module();
}

/* And the other way round. */
TEST(what_is_there_is_described)
{
    const struct module_table *const *tables = module_tables();
    char code[100];

    kit_open_module();
    EXPECT_EQ(kit_run(NEXUS "local all = {} for name, value in pairs(nexus) do "
                            "if type(value) == 'table' then for inner in pairs(value) do "
                            "all[#all + 1] = 'nexus.' .. name .. ' ' .. inner end "
                            "else all[#all + 1] = 'nexus ' .. name end end "
                            "return table.concat(all, ';') .. ';'"),
              DOOR_RETURNED);
    for (char *at = kit.results; *at != '\0';) {
        size_t len = strcspn(at, ";");
        bool is_known = false;

        for (size_t i = 0; tables[i] != NULL; i++) {
            for (const struct module_row *row = tables[i]->rows; row->name != NULL; row++) {
                snprintf(code, sizeof(code), "%s %s", tables[i]->name, row->name);
                is_known |= strlen(code) == len && strncmp(code, at, len) == 0;
            }
        }
        if (!is_known)
            UNIT_FAIL("%.*s is there, and not described", (int)len, at);
        at += len + (at[len] == ';');
    }
    kit_close_module();
}

/* ---- clocks ---- */

static uint64_t test_wall(const struct host *host)
{
    (void)host;
    return UINT64_C(1700000000500);
}

static uint64_t test_now(const struct host *host)
{
    (void)host;
    return 42250;
}

TEST(clocks_are_those_of_the_host)
{
    kit_open_module();
    kit_host.wall = test_wall;
    kit_host.now = test_now;
    EXPECT_RESULT(NEXUS "return nexus.now(), nexus.monotonic(), nexus.date(), "
                        "nexus.date('%H:%M', 60), nexus.date('!%Y'), nexus.date('*t', 0).year",
                  "1700000000.5\t42.25\t2023-11-14T22:13:20Z\t00:01\t2023\t1970");
    EXPECT_FAILS(NEXUS "nexus.date('%Q')",
                 "policy.lua:1: bad argument #1 to 'date' (invalid conversion specifier '%Q')");
    EXPECT_FAILS(NEXUS "nexus.date('%Y', 1e300)",
                 "policy.lua:1: bad argument #2 to 'date' (seconds since 1970, of the years 0 to "
                 "9999)");
    EXPECT_EQ(kit_run(NEXUS "nexus.date('%Y', 0/0)"), DOOR_FAILED);
    kit_close_module();
}

static double vm_clock(void *ctx)
{
    (void)ctx;
    return 1700000000.5;
}

TEST(os_has_the_clock_of_its_state)
{
    kit_open_with((struct vm_options){.wall = vm_clock, .now = vm_clock});
    EXPECT_RESULT("return os.time(), os.date('!%Y-%m-%d'), os.clock(), "
                  "os.time{ year = 2000, month = 1, day = 1, hour = 12 } > 0, os.date('!%H', 3600)",
                  "1700000000\t2023-11-14\t1700000000.5\ttrue\t01");
    EXPECT_RESULT("return os.date() == os.date('%c', 1700000000)", "true");
    kit_close();
    kit_open();
    EXPECT_RESULT("return os.time() > 1700000000, #os.date('%Y') , os.clock() < 1e6",
                  "true\t4\ttrue");
    kit_close();
}

TEST(versions)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return nexus.version ~= '', nexus.realm_version", "true\tc0ffee");
    kit_close_module();
}

/* ---- config, secrets ---- */

static struct blob *settings(void)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 100);
    encode_map(&e, 3);
    encode_text_pair(&e, "url", SLICE("http://127.0.0.1/"));
    encode_text(&e, SLICE("hosts"));
    encode_list(&e, 2);
    encode_text(&e, SLICE("a"));
    encode_text(&e, SLICE("b"));
    encode_end(&e);
    encode_text(&e, SLICE("limit"));
    encode_int(&e, 7);
    encode_end(&e);
    return encode_finish(&e);
}

TEST(config_is_read_only)
{
    struct blob *blob = settings();

    kit_config.settings = blob_slice(blob);
    kit_open_module();
    EXPECT_RESULT(NEXUS "local c = nexus.config return c.url, c.limit, #c.hosts, c.nothing, "
                        "table.concat(c.hosts, '+'), nexus.json.encode(c.hosts)",
                  "http://127.0.0.1/\t7\t2\tnil\ta+b\t[\"a\",\"b\"]");
    EXPECT_RESULT(NEXUS
                  "nexus.config.hosts[1] = 'z' local n = 0 for k, v in pairs(nexus.config) do "
                  "n = n + 1 if k == 'hosts' then v[1] = 'z' end end "
                  "return nexus.config.hosts[1], n",
                  "a\t3");
    EXPECT_FAILS(NEXUS "nexus.config.url = 'x'", "policy.lua:1: nexus.config is read-only");
    EXPECT_FAILS(NEXUS "nexus.config = {}", "policy.lua:1: nexus is read-only");
    EXPECT_FAILS("rawset(require 'nexus'.config, 'url', 1)",
                 "policy.lua:1: bad argument #1 to 'rawset' (table expected, got nexus.Config)");
    kit_close_module();
    kit_config.settings = (struct slice){0};
    blob_drop(blob);
    kit_open_module();
    EXPECT_RESULT(NEXUS "return nexus.config.url, next{}", "nil\tnil");
    kit_close_module();
}

static const struct secret secrets[] = {
    {"jwt_key", {"open sesame", 11}},
    {"longer", {"open sesame seed", 16}},
    {"pin", {"1234", 4}},
};

TEST(secrets_are_known_by_name)
{
    kit_config.secrets = secrets;
    kit_config.secret_count = ARRAY_LEN(secrets);
    kit_open_module();
    EXPECT_RESULT(NEXUS "return nexus.secret('jwt_key'), nexus.secret('pin')", "open sesame\t1234");
    EXPECT_FAILS(NEXUS "nexus.secret('jwt_kei')",
                 "policy.lua:1: nexus.secret: found \"jwt_kei\"; the configuration of the realm "
                 "has no such secret (did you mean \"jwt_key\"?)");
    EXPECT_FAILS(NEXUS "error('key is ' .. nexus.secret('jwt_key') .. '!')",
                 "policy.lua:1: key is ***!");
    EXPECT_FAILS(NEXUS "error(nexus.secret('longer') .. nexus.secret('pin'))",
                 "policy.lua:1: ***1234");
    kit_close_module();
    kit_config = (struct host_config){0};
}

TEST(secrets_are_masked_when_cut)
{
    struct host_config config = {.secrets = secrets, .secret_count = ARRAY_LEN(secrets)};
    char text[64];

    host_init(&kit_host);
    kit_host.config = &config;
    snprintf(text, sizeof(text), "a open sesame b open se");
    host_mask(&kit_host, text);
    EXPECT_STR(text, "a *** b ***");
    snprintf(text, sizeof(text), "open ses and open");
    host_mask(&kit_host, text);
    EXPECT_STR(text, "open ses and open");
    snprintf(text, sizeof(text), "open sesame seed");
    host_mask(&kit_host, text);
    EXPECT_STR(text, "***");
}

/* ---- log ---- */

static struct host_run test_run(lua_State *lua)
{
    (void)lua;
    return (struct host_run){"on_join", 17};
}

/* What the log gets from a chunk. */
static void read_log(const char *code, char *out, size_t len)
{
    int ends[2];
    ssize_t got;

    EXPECT_EQ(pipe(ends), 0);
    log_setup(&(struct log_options){.level = LOG_INFO, .fd = ends[1]});
    EXPECT_EQ(kit_run(code), DOOR_RETURNED);
    log_setup(&(struct log_options){.level = LOG_INFO, .fd = 2});
    close(ends[1]);
    got = read(ends[0], out, len - 1);
    out[got < 0 ? 0 : got] = '\0';
    close(ends[0]);
}

TEST(log_lines)
{
    char line[1000];

    kit_config.secrets = secrets;
    kit_config.secret_count = ARRAY_LEN(secrets);
    kit_open_module();
    kit_host.run = test_run;
    read_log(NEXUS "nexus.log.warn('hello', { b = 2, a = nexus.secret('jwt_key') })", line,
             sizeof(line));
    EXPECT(strstr(line, "policy-says") != NULL && strstr(line, "hello") != NULL);
    EXPECT(strstr(line, "realm=com.acme") != NULL && strstr(line, "hook=on_join") != NULL);
    EXPECT(strstr(line, "session=17") != NULL);
    EXPECT(strstr(line, "at=policy.lua:1") != NULL);
    EXPECT(strstr(line, "a=***, b=2") != NULL);
    EXPECT(strstr(line, "sesame") == NULL);
    read_log(NEXUS "nexus.log.debug('hello')", line, sizeof(line));
    EXPECT_STR(line, "");
    EXPECT_FAILS(NEXUS "nexus.log.info('a', 'b')",
                 "policy.lua:1: bad argument #2 to 'info' (table expected, got string)");
    EXPECT_FAILS(NEXUS "local t = {} for i = 1, 100 do t['k' .. i] = i end nexus.log.info('a', t)",
                 "policy.lua:1: nexus.log: more than 64 fields");
    kit_close_module();
    kit_config = (struct host_config){0};
}
