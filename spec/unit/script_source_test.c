/* script_source_test.c -- the files of a policy: which are read, versions, errors, modules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script_kit.h"

#include <limits.h>
#include <sys/stat.h>

static char root[PATH_MAX];
static char words[SOURCE_WORDS_LEN];

static const char *in_root(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    EXPECT(snprintf(path, PATH_MAX, "%s/%s", root, name) < PATH_MAX);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_root(name), "w");

    EXPECT(file != NULL);
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
}

static void open_root(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(root, sizeof(root), "%s/script_source_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    EXPECT(mkdtemp(root) != NULL);
    words[0] = '\0';
    EXPECT(mkdir(in_root("acme"), 0700) == 0 && mkdir(in_root("acme/lib"), 0700) == 0 &&
           mkdir(in_root("acme/spec"), 0700) == 0 && mkdir(in_root("acme/.git"), 0700) == 0);
    put("acme/policy.lua", "local rules = require 'rules'\nreturn rules.name, "
                           "require('lib.tokens').count");
    put("acme/rules.lua", "return { name = 'rules' }");
    put("acme/lib/tokens.lua", "return { count = 3 }");
    put("acme/spec/policy_spec.lua", "describe(");
    put("acme/.git/x.lua", "(");
    put("acme/.hidden.lua", "(");
    put("acme/my-file.lua", "(");
    put("acme/notes.txt", "(");
}

static void close_root(void)
{
    char command[PATH_MAX + 20];

    snprintf(command, sizeof(command), "rm -r '%s'", root);
    EXPECT(system(command) == 0);
}

static struct source *must_read(const char *name)
{
    struct source *source = source_read(in_root(name), words);

    if (source == NULL)
        UNIT_FAIL("%s", words);
    return source;
}

static void expect_unreadable(const char *name, const char *why)
{
    struct source *source = source_read(in_root(name), words);

    if (source != NULL || strstr(words, why) == NULL)
        UNIT_FAIL("%s: \"%s\", expected \"%s\"", name, words, why);
    source_drop(source);
}

TEST(a_folder_is_read)
{
    struct source *source;

    open_root();
    source = must_read("acme");
    EXPECT_EQ(source_count(source), 3);
    EXPECT_STR(source_at(source, 0)->name, "lib/tokens.lua");
    EXPECT_STR(source_at(source, 1)->name, "policy.lua");
    EXPECT_STR(source_at(source, 2)->name, "rules.lua");
    EXPECT_STR(source_entry(source)->label, "acme/policy.lua");
    EXPECT_STR(source_label(source), "acme");
    EXPECT_STR(source_module(source, "lib.tokens")->label, "acme/lib/tokens.lua");
    EXPECT(source_module(source, "lib") == NULL && source_module(source, "rule") == NULL);
    EXPECT(source_module(source, "rules.lua") == NULL && source_module(NULL, "rules") == NULL);
    EXPECT(source_compiles(source, words));
    source_drop(source);
    source = must_read("acme/rules.lua");
    EXPECT_STR(source_entry(source)->label, "acme/rules.lua");
    EXPECT_EQ(source_count(source), 3);
    source_drop(source);
    close_root();
}

TEST(versions_are_of_names_and_contents)
{
    struct source *first, *again, *other;

    open_root();
    first = must_read("acme");
    put("acme/notes.txt", "other");
    put("acme/spec/policy_spec.lua", "other");
    again = must_read("acme");
    EXPECT_EQ(strlen(source_version(first)), SOURCE_VERSION_LEN);
    EXPECT_STR(source_version(first), source_version(again));
    put("acme/rules.lua", "return { name = 'rules', x = 1 }");
    other = must_read("acme");
    EXPECT(strcmp(source_version(first), source_version(other)) != 0);
    source_drop(other);
    put("acme/rules.lua", "return { name = 'rules' }");
    EXPECT(rename(in_root("acme/lib"), in_root("acme/lib2")) == 0);
    other = must_read("acme");
    EXPECT(strcmp(source_version(first), source_version(other)) != 0);
    source_drop(other);
    source_drop(again);
    source_drop(first);
    close_root();
}

/* echo -n ... | sha256sum, over the name with its NUL, the length and a blank, the text */
TEST(a_version_is_a_sha_256)
{
    struct source *source = source_of_text("acme/policy.lua", SLICE("return {}"));

    EXPECT_STR(source_version(source),
               "6ca234fc7262eba601288d4e1a47f297a890594691f0219689cf98442b6c5178");
    EXPECT_STR(source_entry(source)->name, "policy.lua");
    EXPECT_STR(source_label(source), "acme");
    EXPECT(source_folder(source) == NULL);
    source_drop(source);
}

TEST(what_cannot_be_read)
{
    open_root();
    expect_unreadable("nowhere", "No such file or directory");
    expect_unreadable("acme/lib", "there is no policy.lua in this folder");
    expect_unreadable("acme/my-file.lua", "a policy's name is letters, digits and _, then .lua");
    expect_unreadable("acme/notes.txt", "a policy's name is letters");
    EXPECT(symlink("/etc/passwd", in_root("acme/passwd.lua")) == 0);
    expect_unreadable("acme", "acme/passwd.lua: is a link to outside of the policy's folder");
    EXPECT(unlink(in_root("acme/passwd.lua")) == 0);
    EXPECT(symlink("/etc", in_root("acme/etc")) == 0);
    expect_unreadable("acme", "acme/etc: is a link to outside of the policy's folder");
    EXPECT(unlink(in_root("acme/etc")) == 0);
    EXPECT(symlink("loop.lua", in_root("acme/loop.lua")) == 0);
    expect_unreadable("acme", "Too many levels of symbolic links");
    EXPECT(unlink(in_root("acme/loop.lua")) == 0);
    EXPECT(symlink("..", in_root("acme/lib/up")) == 0);
    expect_unreadable("acme", "is a link to outside of the policy's folder");
    EXPECT(unlink(in_root("acme/lib/up")) == 0);
    for (char path[] = "acme/d/d/d/d/d/d/d/d/d", *at = path + 6;; at += 2) {
        char was = *at;

        *at = '\0';
        EXPECT(mkdir(in_root(path), 0700) == 0);
        *at = was;
        if (was == '\0')
            break;
    }
    expect_unreadable("acme", "folders are nested deeper than 8");
    close_root();
}

/* A folder may be a link that is swapped, and a file a link within. */
TEST(links_that_are_fine)
{
    struct source *source;

    open_root();
    EXPECT(symlink("acme", in_root("current")) == 0);
    EXPECT(symlink("../rules.lua", in_root("acme/lib/same.lua")) == 0);
    source = must_read("current");
    EXPECT_STR(source_entry(source)->label, "acme/policy.lua");
    EXPECT(source_module(source, "lib.same") != NULL);
    source_drop(source);
    close_root();
}

TEST(a_file_of_data)
{
    struct source *source, *other;

    open_root();
    EXPECT(mkdir(in_root("etc"), 0700) == 0);
    put("etc/users.lua", "return { alice = 1 }");
    source = source_read_with(in_root("acme"), in_root("etc/users.lua"), words);
    EXPECT_STR(source_data(source)->label, "etc/users.lua");
    EXPECT(source_module(source, "settings.file") == source_data(source));
    EXPECT_STR(source_folder_at(source, 2), in_root("etc"));
    put("etc/users.lua", "return { alice = 2 }");
    other = source_read_with(in_root("acme"), in_root("etc/users.lua"), words);
    EXPECT(strcmp(source_version(source), source_version(other)) != 0);
    source_drop(other);
    source_drop(source);
    put("etc/users.json", "{\"a\":\"]==]\"}");
    source = source_read_with(in_root("acme"), in_root("etc/users.json"), words);
    EXPECT(slice_eq(source_data(source)->text,
                    SLICE("return require \"nexus\".json.decode [===[{\"a\":\"]==]\"}]===]")));
    source_drop(source);
    EXPECT(source_read_with(in_root("acme"), in_root("etc/none.lua"), words) == NULL);
    EXPECT(strstr(words, "etc/none.lua: No such file or directory") != NULL);
    EXPECT(source_read_with(in_root("acme"), in_root("etc"), words) == NULL);
    EXPECT(strstr(words, "etc: is no file, or longer than 4 MiB") != NULL);
    EXPECT(source_is_data("a.lua") && source_is_data("b/c.json") && !source_is_data("a.csv"));
    close_root();
}

TEST(ready_made_policies_are_read_when_they_are_required)
{
    struct source *source;

    open_root();
    EXPECT(mkdir(in_root("ready"), 0700) == 0 && mkdir(in_root("ready/users"), 0700) == 0 &&
           mkdir(in_root("ready/scram-users"), 0700) == 0);
    put("ready/users/policy.lua", "return require 'policies.scram_users'");
    put("ready/scram-users/policy.lua", "return {}");
    EXPECT(setenv("NEXUS_POLICIES", in_root("ready"), 1) == 0);
    source = must_read("acme");
    EXPECT_EQ(source_count(source), 3);
    source_drop(source);
    put("acme/rules.lua", "return require 'policies.users'");
    source = must_read("acme");
    EXPECT_EQ(source_count(source), 5);
    EXPECT_STR(source_module(source, "policies.scram_users")->label, "policies/scram_users.lua");
    source_drop(source);
    EXPECT(remove(in_root("ready/scram-users/policy.lua")) == 0);
    expect_unreadable("acme", "ready/scram-users/policy.lua: No such file or directory");
    EXPECT(unsetenv("NEXUS_POLICIES") == 0);
    close_root();
}

TEST(long_files)
{
    char *text = malloc(SOURCE_FILE_MAX + 2);

    memset(text, ' ', SOURCE_FILE_MAX + 1);
    text[SOURCE_FILE_MAX + 1] = '\0';
    open_root();
    put("acme/long.lua", text);
    expect_unreadable("acme", "acme/long.lua: is longer than 1 MiB");
    free(text);
    close_root();
}

TEST(errors_name_file_and_line)
{
    struct source *source;

    open_root();
    put("acme/lib/tokens.lua", "\n\nlocal x = = 1\n");
    source = must_read("acme");
    EXPECT(!source_compiles(source, words));
    EXPECT_STR(words, "acme/lib/tokens.lua:3: unexpected symbol near '='");
    source_drop(source);
    put("acme/lib/tokens.lua", "\033LuaT");
    source = must_read("acme");
    EXPECT(!source_compiles(source, words));
    EXPECT_STR(words, "acme/lib/tokens.lua: this is compiled code; a policy is text");
    source_drop(source);
    put("acme/lib/tokens.lua", "\xef\xbb\xbfreturn 1");
    source = must_read("acme");
    EXPECT(source_compiles(source, words));
    source_drop(source);
    put("acme/lib/tokens.lua", "\xef\xbb\xbf#!/usr/bin/lua\nreturn = 1");
    source = must_read("acme");
    EXPECT(!source_compiles(source, words));
    EXPECT_STR(words, "acme/lib/tokens.lua:2: unexpected symbol near '='");
    source_drop(source);
    close_root();
}

static void expect_compiles(const char *text, const char *expected)
{
    struct source *source = source_of_text("policy.lua", slice_of(text));

    words[0] = '\0';
    EXPECT(source_compiles(source, words) == (expected[0] == '\0'));
    if (strcmp(words, expected) != 0)
        UNIT_FAIL("%s\n  \"%s\", expected \"%s\"", text, words, expected);
    source_drop(source);
}

/* Nothing of it is run. */
TEST(undeclared_globals_are_found)
{
    static char text[8000];
    size_t at = 0;

    expect_compiles("local function never() return undefined end",
                    "policy.lua:1: there is no global \"undefined\"; declare it with local");
    expect_compiles("local t = {}\n\nfunction t.f()\n  return function()\n x = 1 end end",
                    "policy.lua:5: cannot set the global \"x\"; declare it with local");
    expect_compiles("print = nil", "policy.lua:1: cannot set the global \"print\"; declare it with "
                                   "local");
    expect_compiles("return pritn('x')",
                    "policy.lua:1: there is no global \"pritn\"; declare it with local");
    expect_compiles("local a <const>, b = 1, 2.5 return print, string.rep, _G, a, b, nil, 'x', "
                    "function(...) for k in pairs(_ENV) do tostring(k) end return ... end",
                    "");
    expect_compiles("local _ENV = {} x = 1 return function() return y end", "");
    expect_compiles("local function f(_ENV) return x, function() return y end end return f", "");
    expect_compiles("", "");
    /* Lines far apart, and many of them. */
    for (int i = 0; i < 400; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "print(%d)\n", i);
    memset(text + at, '\n', 300);
    snprintf(text + at + 300, sizeof(text) - at - 300, "undefined()");
    expect_compiles(text,
                    "policy.lua:701: there is no global \"undefined\"; declare it with local");
}

static void expect_files_compile(const char *name, const char *expected)
{
    struct source *source = must_read(name);

    words[0] = '\0';
    EXPECT(source_compiles(source, words) == (expected[0] == '\0'));
    EXPECT_STR(words, expected);
    source_drop(source);
}

/* Beside a file that was named are others that are not for it, such as the configuration. */
TEST(a_file_is_compiled_with_what_it_mentions)
{
    open_root();
    put("acme/nexusd.lua", "return { listen = { env 'LISTEN' } }");
    expect_files_compile("acme/policy.lua", "");
    expect_files_compile("acme",
                         "acme/nexusd.lua:1: there is no global \"env\"; declare it with local");
    put("acme/rules.lua", "return require [[lib.more]]");
    put("acme/lib/more.lua", "return moer");
    expect_files_compile("acme/policy.lua",
                         "acme/lib/more.lua:1: there is no global \"moer\"; declare it with local");
    close_root();
}

/* ---- running it ---- */

static void push_entry(lua_State *lua, void *ctx)
{
    const struct source_file *file = source_entry(ctx);

    if (!vm_load(lua, file->text, file->label))
        lua_error(lua);
}

static void run_source(struct source *source)
{
    kit_open_with((struct vm_options){.source = source});
    kit.call.push = push_entry;
    kit.call.ctx = source;
    door_enter(kit.vm, &kit.call, &kit.answer);
}

TEST(modules_of_the_policy)
{
    struct source *source;

    open_root();
    source = must_read("acme");
    run_source(source);
    EXPECT(kit.answer.outcome == DOOR_RETURNED);
    EXPECT_STR(kit.results, "rules\t3");
    kit_close();
    source_drop(source);
    close_root();
}

TEST(modules_that_are_wrong)
{
    static const struct {
        const char *rules, *words;
    } cases[] = {
        {"return { name = undefined }",
         "acme/rules.lua:1: there is no global \"undefined\"; declare it with local"},
        {"\nreturn = 1", "acme/rules.lua:2: unexpected symbol near '='"},
        {"require 'policy'", "acme/policy.lua:1: module \"rules\" is required while it is being "
                             "loaded"},
        {"require 'rules'", "acme/rules.lua:1: module \"rules\" is required while it is being "
                            "loaded"},
        {"require 'lib.nothing'",
         "acme/rules.lua:1: no module \"lib.nothing\": there is no file acme/lib/nothing.lua, and "
         "no C module of that name is allowed by the configuration"},
        {"while true do end",
         "acme/rules.lua:1: 50 ms without waiting; call nexus.breathe() in long loops"},
    };

    open_root();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source *source;

        put("acme/rules.lua", cases[i].rules);
        source = must_read("acme");
        run_source(source);
        EXPECT_STR(kit.answer.message, cases[i].words);
        EXPECT(kit.answer.outcome == (i == 5 ? DOOR_KILLED : DOOR_FAILED));
        kit_close();
        source_drop(source);
    }
    close_root();
}
