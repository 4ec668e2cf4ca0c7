/* lua_file.c -- the sandbox, and the way from Lua values to a tree.
 *
 * Instructions are counted by a hook. What runs long within one C function
 * (string.rep, table.move, a pattern) is caught by a timer, which can only end
 * the program; it is a last resort, and says what happened.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/lua_file.h"

#include "daemon/exit_code.h"
#include "daemon/lines.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define HOOK_STEP  10000
#define CHUNK_NAME "=\1" /* stands for the file name, which may be long and Lua would cut it */

struct reading {
    struct slice text;
    struct arena *arena;
    struct report *report;
    struct lines lines;
    size_t memory_used;
    int64_t instructions_left;
    size_t nodes;
    struct node *root;
};

/* ---- budgets ---- */

static void *allocate(void *ctx, void *ptr, size_t old_len, size_t len)
{
    struct reading *reading = ctx;
    size_t held = ptr == NULL ? 0 : old_len;

    if (len > held && reading->memory_used - held + len > MAX_CONFIG_MEMORY)
        return NULL;
    if (len == 0) {
        free(ptr);
        reading->memory_used -= held;
        return NULL;
    }
    void *moved = realloc(ptr, len);
    if (moved != NULL)
        reading->memory_used += len - held;
    return moved;
}

static struct reading *reading_of(lua_State *lua)
{
    void *ctx;

    lua_getallocf(lua, &ctx);
    return ctx;
}

static void l_count(lua_State *lua, lua_Debug *debug)
{
    struct reading *reading = reading_of(lua);

    (void)debug;
    reading->instructions_left -= HOOK_STEP;
    if (reading->instructions_left >= 0)
        return;
    luaL_where(lua, 0); /* a hook has no level of its own: luaL_error would name the caller */
    lua_pushfstring(lua, "stopped after %d million instructions: does it loop?",
                    MAX_CONFIG_INSTRUCTIONS / 1000000);
    lua_concat(lua, 2);
    lua_error(lua);
}

static void on_alarm(int signal)
{
    static const char words[] = "nexusd: the configuration was stopped after 10 seconds\n";

    (void)signal;
    if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
        _exit(EXIT_RUNTIME);
    _exit(EXIT_CONFIG);
}

_Static_assert(MAX_CONFIG_SECONDS == 10, "the words of on_alarm say 10");

static void set_alarm(int seconds)
{
    struct itimerval timer = {.it_value = {.tv_sec = seconds}};

    signal(SIGALRM, seconds == 0 ? SIG_DFL : on_alarm);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- the sandbox ---- */

static int l_env(lua_State *lua)
{
    lua_pushstring(lua, getenv(luaL_checkstring(lua, 1)));
    return 1;
}

static void l_keep(lua_State *lua, const char *const *names)
{
    lua_newtable(lua);
    for (; *names != NULL; names++) {
        lua_getglobal(lua, *names);
        lua_setfield(lua, -2, *names);
    }
}

/* Instead of nil, which would be said of something else or, as the value of an option, not at all. */
static int l_no_name(lua_State *lua)
{
    return luaL_error(lua, "found the name %s, which is nowhere defined; a text is in quotes",
                      luaL_tolstring(lua, 2, NULL));
}

/* Without pcall, since what ends a loop must not be caught; without setmetatable, since
 * finalizers run where no budget counts. */
static void l_open_sandbox(lua_State *lua)
{
    static const char *const base[] = {"assert", "error",    "ipairs",   "next", "pairs",
                                       "select", "tonumber", "tostring", "type", "string",
                                       "table",  "math",     "utf8",     NULL};

    luaL_requiref(lua, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 1);
    luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    lua_settop(lua, 0);
    l_keep(lua, base);
    lua_pushcfunction(lua, l_env);
    lua_setfield(lua, -2, "env");
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, l_no_name);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
}

/* ---- Lua values to nodes ---- */

/* Lua's table order changes from run to run; the order of the text does not. */
static bool is_before(const struct node *a, const struct node *b)
{
    if (a->line != b->line)
        return a->line < b->line;
    if ((a->key == NULL) != (b->key == NULL))
        return a->key == NULL;
    return a->key == NULL ? a->index < b->index : strcmp(a->key, b->key) < 0;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct node *const *left = a, *const *right = b;

    return is_before(*left, *right) ? -1 : is_before(*right, *left);
}

static void sort_children(struct arena *arena, struct node *table)
{
    size_t count = 0;

    for (struct node *child = table->first; child != NULL; child = child->next)
        count++;
    if (count < 2)
        return;
    struct node **all = arena_alloc(arena, count * sizeof(struct node *)), **at = all;
    for (struct node *child = table->first; child != NULL; child = child->next)
        *at++ = child;
    qsort(all, count, sizeof(struct node *), compare_nodes);
    table->first = all[0];
    table->last = all[count - 1];
    for (size_t i = 0; i < count; i++)
        all[i]->next = i + 1 < count ? all[i + 1] : NULL;
}

static struct node *import(struct reading *reading, lua_State *lua, struct node *node,
                           const struct spot *spot, int depth);

static struct node *node_of(struct reading *reading, lua_State *lua)
{
    size_t len;

    if (lua_type(lua, -1) == LUA_TBOOLEAN)
        return node_bool(reading->arena, lua_toboolean(lua, -1) != 0);
    if (lua_isinteger(lua, -1))
        return node_int(reading->arena, lua_tointeger(lua, -1));
    if (lua_type(lua, -1) == LUA_TNUMBER) {
        struct node *node = node_new(reading->arena, NODE_REAL);
        node->real = lua_tonumber(lua, -1);
        return node;
    }
    if (lua_type(lua, -1) == LUA_TSTRING) {
        const char *text = lua_tolstring(lua, -1, &len);
        if (strlen(text) == len)
            return node_text(reading->arena, text);
        struct node *node = node_new(reading->arena, NODE_OTHER);
        node->text = "string with a NUL byte in it";
        return node;
    }
    if (lua_type(lua, -1) == LUA_TTABLE)
        return node_new(reading->arena, NODE_TABLE);
    struct node *node = node_new(reading->arena, NODE_OTHER);
    node->text = luaL_typename(lua, -1); /* a string literal of Lua */
    return node;
}

/* The key below the value on the stack; NULL for list items. Must not change the key itself:
 * lua_next needs it. */
static const char *key_of(struct reading *reading, lua_State *lua)
{
    if (lua_isinteger(lua, -2))
        return NULL;
    lua_pushvalue(lua, -2);
    const char *key = arena_format(reading->arena, "%s", luaL_tolstring(lua, -1, NULL));
    lua_pop(lua, 2);
    return key;
}

static void import_child(struct reading *reading, lua_State *lua, struct node *table,
                         const struct spot *spot, int depth)
{
    const char *key = key_of(reading, lua);
    struct node *child = node_of(reading, lua);

    if (key == NULL)
        child->index = lua_tointeger(lua, -2);
    const struct spot *found = lines_find(&reading->lines, spot, slice_of(key), child->index);
    child->line = found != NULL ? found->line : table->line;
    node_add(reading->arena, table, key, child);
    import(reading, lua, child, found, depth + 1);
}

/* Fills in the children of the table on top of the stack. */
static struct node *import(struct reading *reading, lua_State *lua, struct node *node,
                           const struct spot *spot, int depth)
{
    if (node->type != NODE_TABLE)
        return node;
    if (depth > MAX_TREE_DEPTH) {
        *node = (struct node){.type = NODE_OTHER,
                              .text = "table within too many tables",
                              .key = node->key,
                              .index = node->index,
                              .name = node->name,
                              .line = node->line,
                              .next = node->next};
        return node;
    }
    luaL_checkstack(lua, 6, NULL);
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        if (++reading->nodes > MAX_CONFIG_NODES)
            luaL_error(lua, "more than %d values", MAX_CONFIG_NODES);
        import_child(reading, lua, node, spot, depth);
    }
    sort_children(reading->arena, node);
    return node;
}

/* ---- one protected entry ---- */

static int l_evaluate(lua_State *lua)
{
    struct reading *reading = reading_of(lua);

    l_open_sandbox(lua);
    if (luaL_loadbufferx(lua, reading->text.data, reading->text.len, CHUNK_NAME, "t") != LUA_OK)
        return lua_error(lua);
    lua_pushvalue(lua, 1);
    lua_setupvalue(lua, -2, 1); /* _ENV */
    lua_sethook(lua, l_count, LUA_MASKCOUNT, HOOK_STEP);
    lua_call(lua, 0, 1);
    lua_sethook(lua, NULL, 0, 0);

    reading->root = node_of(reading, lua);
    reading->root->name = "";
    import(reading, lua, reading->root, reading->lines.root, 1);
    return 0;
}

/* Lua's message begins with "\1:LINE: " when it knows where. */
static void report_failure(struct reading *reading, const char *words)
{
    unsigned line = 0;

    if (words == NULL)
        words = "the file raised an error that is not a string";
    if (words[0] == '\1' && words[1] == ':') {
        char *rest;
        line = (unsigned)strtoul(words + 2, &rest, 10);
        words = strncmp(rest, ": ", 2) == 0 ? rest + 2 : rest;
    }
    if (strcmp(words, "not enough memory") == 0)
        report_error(reading->report, 0, "stopped: it uses more than %u MiB",
                     MAX_CONFIG_MEMORY >> 20);
    else
        report_error(reading->report, line, "%s", words);
}

static void evaluate(struct reading *reading)
{
    lua_State *lua = lua_newstate(allocate, reading);

    if (lua == NULL) {
        report_error(reading->report, 0, "no memory for Lua");
        return;
    }
    lua_pushcfunction(lua, l_evaluate);
    if (lua_pcall(lua, 0, 0, 0) != LUA_OK) {
        report_failure(reading, lua_tostring(lua, -1));
        reading->root = NULL;
    }
    lua_close(lua);
}

struct node *lua_file_read(struct slice text, struct arena *arena, struct report *report)
{
    struct reading reading = {.text = text,
                              .arena = arena,
                              .report = report,
                              .instructions_left = MAX_CONFIG_INSTRUCTIONS};

    lines_read(&reading.lines, text, arena);
    set_alarm(MAX_CONFIG_SECONDS);
    evaluate(&reading);
    set_alarm(0);

    struct node *root = reading.root;
    if (root == NULL)
        return NULL;
    if (root->type == NODE_TABLE)
        return root;
    if (root->type == NODE_OTHER && strcmp(root->text, "nil") == 0)
        report_error(report, 0, "the file returns nothing; it must end with: return { ... }");
    else
        report_error(report, 0, "the file returns %s; it must return a table",
                     node_words(arena, root));
    return NULL;
}
