/* module_sqlite_test.c -- nexus.sqlite, with files in a folder of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module_kit.h"

#include <sqlite3.h>

#define NEXUS "local nexus <const> = require 'nexus' local db <const> = nexus.sqlite('users.db') "

static char folder[] = "/tmp/nexus-sqlite-XXXXXX", file[64];

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[80];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(path, sizeof(path), "%s%s", file, ends[i]);
        unlink(path);
    }
}

static void open_kit(void)
{
    static bool has_folder;

    if (!has_folder) {
        EXPECT(mkdtemp(folder) != NULL);
        snprintf(file, sizeof(file), "%s/users.db", folder);
    }
    has_folder = true;
    remove_files();
    kit_config.data_folder = folder;
    kit_open_module();
}

static void close_kit(void)
{
    kit_close_module();
    remove_files();
}

__attribute__((destructor)) static void remove_folder(void)
{
    char path[80];

    for (size_t i = 0; i < 3; i++) {
        static const char *const within[] = {"/a/b/x.db", "/a/b", "/a"};

        snprintf(path, sizeof(path), "%s%s", folder, within[i]);
        (void)remove(path);
    }
    rmdir(folder);
}

#define TABLE                                                           \
    "db:exec('CREATE TABLE u (name TEXT PRIMARY KEY, age, note); ' .. " \
    "\"INSERT INTO u VALUES ('alice', 30, NULL); INSERT INTO u VALUES ('bob', 4.5, 'x')\") "

TEST(values_go_and_come)
{
    open_kit();
    EXPECT_RESULT(NEXUS TABLE
                  "local r = db:row('SELECT * FROM u WHERE name = ?', 'alice') "
                  "return r.name, r.age, r.note, db:row('SELECT 1 WHERE 0'), "
                  "nexus.type(r.age), nexus.type(db:row('SELECT age FROM u WHERE age < 5').age)",
                  "alice\t30\tnull\tnil\tinteger\tfloat");
    EXPECT_RESULT(NEXUS "local r = db:row('SELECT ? a, ? b, ? c, ? d, ? e, ? f', nexus.null, "
                        "nexus.bytes('\\0\\xff'), 1 << 62, 0.5, true, 'h\\0i') "
                        "return nexus.type(r.a), nexus.type(r.b), #r.b, r.c == 1 << 62, r.d, r.e, "
                        "#r.f",
                  "null\tbytes\t2\ttrue\t0.5\t1\t3");
    EXPECT_RESULT(NEXUS "return db:exec(\"INSERT INTO u VALUES ('carol', ?, ?)\", 1, 2), "
                        "db:exec('UPDATE u SET age = 7')",
                  "1\t3\t3");
    EXPECT_RESULT(NEXUS "local n, id = db:exec(\"INSERT INTO u VALUES (?, 1, 1)\", 'dave') "
                        "return n, id",
                  "1\t4");
    /* What is bound is no SQL. */
    EXPECT_RESULT(NEXUS "return db:row('SELECT 1 FROM u WHERE name = ?', \"x' OR '1' = '1\")",
                  "nil");
    close_kit();
}

TEST(wrong_arguments)
{
    open_kit();
    EXPECT_FAILS(NEXUS "db:row('SELECT ?', nil)",
                 "policy.lua:1: nexus.sqlite: users.db: value 1 is nil; allowed: nexus.null for "
                 "NULL");
    EXPECT_FAILS(NEXUS "db:row('SELECT ?', {})",
                 "policy.lua:1: nexus.sqlite: users.db: value 1 is a table; allowed: nexus.null, "
                 "boolean, number, string, nexus.bytes");
    EXPECT_FAILS(NEXUS "db:row('SELECT ?, ?', 1)",
                 "policy.lua:1: nexus.sqlite: users.db: found 1 values; the SQL wants 2");
    EXPECT_FAILS(NEXUS "db:exec('DELETE FROM u WHERE name = ?; SELECT 1')",
                 "policy.lua:1: nexus.sqlite: users.db: no such table: u");
    EXPECT_FAILS(
        NEXUS "db:row('SELECT 1; SELECT 2')",
        "policy.lua:1: nexus.sqlite: users.db: more than one statement; exec without values takes "
        "several");
    EXPECT_FAILS(NEXUS "db:row('')",
                 "policy.lua:1: nexus.sqlite: users.db: there is no statement in the SQL");
    EXPECT_FAILS(NEXUS "db:row('SELEC 1')", "policy.lua:1: nexus.sqlite: users.db: near \"SELEC\": "
                                            "syntax error, at octet 1 of the SQL: "
                                            "\"SELEC 1\"");
    EXPECT_FAILS(NEXUS "db:row()",
                 "policy.lua:1: bad argument #1 to 'row' (string expected, got no value)");
    EXPECT_FAILS("require 'nexus'.sqlite()",
                 "policy.lua:1: bad argument #1 to 'sqlite' (string expected, got no value)");
    close_kit();
}

TEST(files_stay_in_the_folder)
{
    static const char *const names[] = {"",      "/etc/x", "../x",     "a/../../x", "a//b",
                                        "a/./b", "a/",     ":memory:", "..",        "a\\0b"};
    char code[200];

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(code, sizeof(code), "require 'nexus'.sqlite('%s')", names[i]);
        EXPECT_EQ(kit_run(code), DOOR_FAILED);
        EXPECT(strstr(kit.answer.message, "allowed: ") != NULL);
    }
    EXPECT_FAILS("require 'nexus'.sqlite('../x')",
                 "policy.lua:1: nexus.sqlite: found \"../x\"; allowed: a path within the data "
                 "folder, without . and ..");
    EXPECT_RESULT("return require 'nexus'.sqlite('a/b/x.db'):row('SELECT 1 one').one", "1");
    EXPECT_FAILS("require 'nexus'.sqlite('a/b'):row('SELECT 1')",
                 "policy.lua:1: nexus.sqlite: a/b: unable to open database file");
    kit_config.data_folder = NULL;
    EXPECT_FAILS("require 'nexus'.sqlite('x.db'):row('SELECT 1')",
                 "policy.lua:1: nexus.sqlite: x.db: the configuration has no data_folder, where "
                 "databases are");
    close_kit();
}

TEST(statements_that_would_break_out)
{
    static const char *const cases[][2] = {
        {"ATTACH '/tmp/other.db' AS o", "ATTACH or VACUUM is not allowed: a database is one file"},
        {"VACUUM INTO '/tmp/other.db'", "ATTACH or VACUUM is not allowed: a database is one file"},
        {"VACUUM", "ATTACH or VACUUM is not allowed"},
        {"BEGIN", "BEGIN is not allowed; use db:transaction(fn)"},
        {"SAVEPOINT x", "BEGIN is not allowed; use db:transaction(fn)"},
        {"PRAGMA journal_mode = OFF", "PRAGMA journal_mode is not allowed"},
        {"PRAGMA temp_store_directory = '/'", "PRAGMA temp_store_directory is not allowed"},
        {"SELECT load_extension('x')", "not authorized to use function: load_extension"},
    };
    char code[300];

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(code, sizeof(code), NEXUS "db:exec([[%s]])", cases[i][0]);
        EXPECT_EQ(kit_run(code), DOOR_FAILED);
        if (strstr(kit.answer.message, cases[i][1]) == NULL)
            UNIT_FAIL("%s: %s", cases[i][0], kit.answer.message);
    }
    EXPECT_RESULT(NEXUS "return db:row('PRAGMA user_version').user_version", "0");
    close_kit();
}

#define MANY                                                                                      \
    "db:exec('CREATE TABLE IF NOT EXISTS n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT " \
    "i + 1 FROM c WHERE i < 1200) SELECT i FROM c') "

TEST(rows_one_by_one)
{
    open_kit();
    EXPECT_RESULT(NEXUS MANY "local sum, n = 0, 0 for row in db:rows('SELECT i FROM n') do "
                             "sum = sum + row.i n = n + 1 end return sum, n",
                  "720600\t1200");
    EXPECT_RESULT(NEXUS "local n = 0 for row in db:rows('SELECT i FROM n WHERE i > ?', 1190) do "
                        "n = n + 1 if n == 3 then break end end return n",
                  "3");
    EXPECT_RESULT(NEXUS "local sizes = {} for batch in db:rows('SELECT i FROM n'):batches(500) do "
                        "sizes[#sizes + 1] = #batch .. nexus.type(batch) end "
                        "return table.concat(sizes, ' ')",
                  "500list 500list 200list");
    EXPECT_RESULT(NEXUS "local all = db:rows('SELECT i FROM n ORDER BY i'):all() "
                        "local none = db:rows('SELECT i FROM n WHERE 0'):all() "
                        "return #all, all[1200].i, #none, nexus.type(none)",
                  "1200\t1200\t0\tlist");
    EXPECT_RESULT(NEXUS "local it = db:rows('SELECT i FROM n WHERE i < 3') "
                        "return it().i, it().i, it(), it()",
                  "1\t2\tnil\tnil");
    /* Wide rows, in more than one fetch. */
    EXPECT_RESULT(NEXUS "local n = 0 for row in db:rows('SELECT zeroblob(100000) b FROM n') do "
                        "n = n + #row.b end return n",
                  "120000000");
    close_kit();
}

TEST(rows_have_limits)
{
    open_kit();
    EXPECT_FAILS(NEXUS MANY "db:rows('SELECT a.i FROM n a, n b'):all()",
                 "policy.lua:1: nexus.sqlite: users.db: more than 100000 rows or 16 MiB; take them "
                 "one by one, "
                 "or in batches");
    EXPECT_FAILS(NEXUS "db:rows('SELECT 1'):batches(0)",
                 "policy.lua:1: nexus.sqlite: users.db: batches of 0; allowed: 1 to 10000");
    EXPECT_FAILS(NEXUS "local r = db:rows('SELECT 1') r() r:all()",
                 "policy.lua:1: nexus.sqlite: users.db: all after rows were read");
    EXPECT_FAILS(NEXUS "for _ in db:rows('SELECT nme FROM n') do end",
                 "policy.lua:1: nexus.sqlite: users.db: no such column: nme, at octet 8 of the "
                 "SQL: \"nme FROM "
                 "n\"");
    EXPECT_FAILS(NEXUS "local open = {} for i = 1, 70 do open[i] = db:rows('SELECT i, ' .. i .. "
                       "', zeroblob(200000) FROM n') open[i]() end",
                 "policy.lua:1: nexus.sqlite: users.db: rows of 64 statements are being read; "
                 "allowed are 64 at "
                 "once");
    EXPECT_FAILS(NEXUS "db:row('SELECT zeroblob(1000000000)')",
                 "policy.lua:1: nexus.sqlite: users.db: string or blob too big");
    close_kit();
}

/* ---- transactions ---- */

TEST(transactions)
{
    open_kit();
    EXPECT_RESULT(NEXUS TABLE "return db:transaction(function(t) t:exec('DELETE FROM u') "
                              "return 'a', nil, t:row('SELECT count(*) n FROM u').n end)",
                  "a\tnil\t0");
    EXPECT_RESULT(NEXUS "return db:row('SELECT count(*) n FROM u').n", "0");
    EXPECT_FAILS(NEXUS "db:transaction(function() db:exec(\"INSERT INTO u VALUES ('x', 1, 1)\") "
                       "error('no') end)",
                 "policy.lua:1: no");
    EXPECT_RESULT(NEXUS "return db:row('SELECT count(*) n FROM u').n", "0");
    EXPECT_FAILS(NEXUS "db:transaction(function() db:transaction(function() end) end)",
                 "policy.lua:1: nexus.sqlite: users.db: a transaction within a transaction");
    EXPECT_RESULT(NEXUS "local ok = pcall(db.transaction, db, function() "
                        "db:exec(\"INSERT INTO u VALUES ('x', 1, 1)\") db:exec('bad') end) "
                        "return ok, db:row('SELECT count(*) n FROM u').n",
                  "false\t0");
    EXPECT_EQ(kit_run(NEXUS "db:transaction(1)"), DOOR_FAILED);
    EXPECT_RESULT(NEXUS "return db:row('SELECT count(*) n FROM u').n", "0");
    close_kit();
}

#define ADD "db:exec(\"INSERT INTO u VALUES ('x', 1, 1)\") "

/* Lets what nobody waits for be done. */
static void run_others(void)
{
    struct kit_run run;

    kit_begin(&run, NEXUS "return db:row('SELECT count(*) n FROM u').n");
    kit_end(&run);
    EXPECT_STR(run.results, "0");
}

TEST(a_killed_run_rolls_back)
{
    struct kit_run run;

    open_kit();
    EXPECT_RESULT(NEXUS "db:exec('CREATE TABLE u (a, b, c)') return 1", "1");
    for (int steps = 0; steps < 4; steps++) {
        kit_begin(&run, NEXUS "db:transaction(function() " ADD ADD "end)");
        for (int i = 0; i < steps; i++) {
            while (!run.is_awake)
                uv_run(&kit_loop, UV_RUN_ONCE);
            if (i == steps - 1) /* done, and not told yet */
                break;
            door_resume(run.answer.run, kit_push_wait, run.wait, &run.answer);
            kit_settle(&run);
        }
        kit_cancel(&run);
        run_others();
    }
    close_kit();
}

TEST(others_wait_for_a_transaction)
{
    struct kit_run first, second;

    open_kit();
    EXPECT_RESULT(NEXUS "db:exec('CREATE TABLE u (a, b, c)') return 1", "1");
    kit_begin(&first, NEXUS "return db:transaction(function() " ADD
                            "return db:row('SELECT count(*) n FROM u').n end)");
    kit_begin(&second, NEXUS "return db:row('SELECT count(*) n FROM u').n");
    kit_end(&first);
    kit_end(&second);
    EXPECT_STR(first.results, "1");
    EXPECT_STR(second.results, "1");
    close_kit();
}

/* Nothing holds a coroutine that is left in the middle of a transaction. */
TEST(an_abandoned_coroutine_rolls_back)
{
    open_kit();
    EXPECT_RESULT(NEXUS "db:exec('CREATE TABLE u (a, b, c)') "
                        "coroutine.wrap(function() db:transaction(function() " ADD
                        "coroutine.yield() end) end)() return 1",
                  "1");
    vm_collect(kit.vm, true);
    vm_collect(kit.vm, true);
    run_others();
    close_kit();
}

static uint64_t now_ms = 1000;

static uint64_t test_now(const struct host *host)
{
    (void)host;
    return now_ms;
}

static void step_once(struct kit_run *run)
{
    while (!run->is_over && !run->is_awake)
        uv_run(&kit_loop, UV_RUN_ONCE);
    if (!run->is_over) {
        door_resume(run->answer.run, kit_push_wait, run->wait, &run->answer);
        kit_settle(run);
    }
}

/* A coroutine that is kept, so nothing ends its transaction: others do, after 30 s. */
TEST(a_transaction_that_takes_too_long)
{
    struct kit_run second;

    open_kit();
    kit_host.now = test_now;
    EXPECT_RESULT(NEXUS "db:exec('CREATE TABLE u (a, b, c)') return 1", "1");
    EXPECT_RESULT("local kept = require 'kept' " NEXUS
                  "local go = coroutine.wrap(function() return db:transaction(function() " ADD
                  "coroutine.yield() end) end) go() kept.set(go) return 1",
                  "1");
    kit_begin(&second, NEXUS "return db:row('SELECT count(*) n FROM u').n");
    for (int i = 0; i < 10; i++)
        uv_run(&kit_loop, UV_RUN_NOWAIT);
    EXPECT(!second.is_awake);
    now_ms += 30000;
    run_others();
    step_once(&second);
    EXPECT_STR(second.results, "0");
    close_kit();
}

/* ---- trouble ---- */

TEST(a_locked_database)
{
    sqlite3 *other;

    open_kit();
    EXPECT_RESULT(NEXUS "db:exec('CREATE TABLE u (a)') return 1", "1");
    EXPECT_EQ(sqlite3_open(file, &other), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_FAILS(NEXUS "db:exec('INSERT INTO u VALUES (1)')",
                 "policy.lua:1: nexus.sqlite: users.db: database is locked");
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    EXPECT_RESULT(NEXUS "return (db:exec('INSERT INTO u VALUES (1)'))", "1");
    close_kit();
}

TEST(a_file_that_is_none)
{
    FILE *out;

    open_kit();
    out = fopen(file, "w");
    EXPECT(out != NULL);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", out);
    fclose(out);
    EXPECT_FAILS(NEXUS "db:row('SELECT 1')",
                 "policy.lua:1: nexus.sqlite: users.db: file is not a database");
    close_kit();
}

/* A statement without end stops as soon as nobody waits for it. */
TEST(a_statement_without_end)
{
    struct kit_run run;
    uint64_t began;

    open_kit();
    kit_begin(&run, NEXUS "db:row('WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
                          "SELECT count(*) FROM c')");
    EXPECT_EQ(run.answer.outcome, DOOR_WAITING);
    usleep(50000);
    began = uv_hrtime();
    kit_cancel(&run);
    EXPECT_RESULT(NEXUS "return db:row('SELECT 1 one').one", "1");
    EXPECT(uv_hrtime() - began < UINT64_C(5000000000));
    close_kit();
}

TEST(the_queue_is_bounded)
{
    static struct kit_run runs[300];
    size_t refused = 0;

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_begin(&runs[i], NEXUS "return db:row('SELECT 1 one').one");
        if (runs[i].is_over) {
            EXPECT(strstr(runs[i].results, "256 wait for it already; allowed are 256") != NULL);
            refused++;
        }
    }
    EXPECT(refused > 0);
    for (size_t i = 0; i < ARRAY_LEN(runs); i += 2) {
        if (!runs[i].is_over)
            kit_cancel(&runs[i]);
    }
    for (size_t i = 1; i < ARRAY_LEN(runs); i += 2) {
        if (runs[i].is_over)
            continue;
        kit_end(&runs[i]);
        EXPECT_STR(runs[i].results, "1");
    }
    close_kit();
}

/* One text of a state, many times outside of it. */
TEST(memory_beside_the_state_is_bounded)
{
    static struct kit_run runs[8];
    size_t refused = 0;

    open_kit();
    EXPECT_FAILS(NEXUS "local big = ('x'):rep(6000000) db:row('SELECT ?, ?, ?', big, big, big)",
                 "policy.lua:1: nexus.sqlite: users.db: the values have more than 16777216 "
                 "octets");
    EXPECT_RESULT(NEXUS "require 'kept'.set(('x'):rep(6000000)) return 1", "1");
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_begin(&runs[i], NEXUS "local kept = require 'kept'.get() "
                                  "return db:row('SELECT length(?) + length(?) n', kept, kept).n");
        if (runs[i].is_over) {
            EXPECT(strstr(runs[i].results, "octets wait for it already; allowed are 67108864") !=
                   NULL);
            refused++;
        }
    }
    EXPECT_EQ(refused, 3);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        if (!runs[i].is_over) {
            kit_end(&runs[i]);
            EXPECT_STR(runs[i].results, "12000000");
        }
    }
    EXPECT_RESULT(NEXUS "return db:row('SELECT length(?) n', require 'kept'.get()).n", "6000000");
    close_kit();
}

TEST(not_while_loading)
{
    open_kit();
    kit_host.is_loading = true;
    EXPECT_FAILS(NEXUS "db:row('SELECT 1')", "policy.lua:1: not while loading; use policy.on_load");
    EXPECT_FAILS(NEXUS "db:rows('SELECT 1')",
                 "policy.lua:1: not while loading; use policy.on_load");
    EXPECT_FAILS(NEXUS "db:transaction(print)",
                 "policy.lua:1: not while loading; use policy.on_load");
    kit_host.is_loading = false;
    close_kit();
}

/* The state goes while work is under way, and rows and a transaction are open. */
TEST(a_state_that_ends_in_between)
{
    static struct kit_run runs[3];

    open_kit();
    EXPECT_RESULT(NEXUS MANY "return 1", "1");
    kit_begin(&runs[0], NEXUS "db:transaction(function() db:exec('DELETE FROM n') end)");
    kit_begin(&runs[1], NEXUS "for r in db:rows('SELECT * FROM n') do db:row('SELECT 1') end");
    kit_begin(&runs[2], NEXUS "db:row('SELECT 1')");
    for (int i = 0; i < 3; i++)
        uv_run(&kit_loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        runs[i].wait->drop(runs[i].wait);
    close_kit();
}
