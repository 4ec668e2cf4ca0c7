/* lines.c -- the log of tests: kept instead of written.
 *
 * There is one log in a process, so routers that live at the same time share it. The last lines
 * are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "script/values.h"
#include "testing/stage.h"

#include <lauxlib.h>

#include <pthread.h>

#define MAX_LINES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slice kept[MAX_LINES]; /* owned; line i is at i % MAX_LINES */
static uint64_t count;

static void take(struct slice line)
{
    struct slice *place;

    pthread_mutex_lock(&lock);
    place = &kept[count++ % MAX_LINES];
    mem_free((void *)(uintptr_t)place->data);
    *place = slice_make(mem_copy(line.data, line.len), line.len);
    pthread_mutex_unlock(&lock);
}

uint64_t lines_count(void)
{
    uint64_t now;

    pthread_mutex_lock(&lock);
    now = count;
    pthread_mutex_unlock(&lock);
    return now;
}

int l_lines_capture(lua_State *lua)
{
    static const char *const names[] = {"debug", "info", "warn", "error", NULL};
    int level = luaL_checkoption(lua, 1, "info", names);

    log_setup(&(struct log_options){(enum log_level)level, true, 2});
    log_divert(take);
    return 0;
}

/* Under the lock nothing of Lua may run, which may raise. */
static struct slice line_at(uint64_t i)
{
    struct slice line = {0};

    pthread_mutex_lock(&lock);
    if (i < count && count - i <= MAX_LINES) {
        line = kept[i % MAX_LINES];
        line.data = mem_copy(line.data, line.len);
    }
    pthread_mutex_unlock(&lock);
    return line;
}

void l_lines_push(lua_State *lua, uint64_t first)
{
    uint64_t end = lines_count();
    lua_Integer place = 0;

    lua_newtable(lua);
    if (end - first > MAX_LINES)
        first = end - MAX_LINES;
    for (; first < end; first++) {
        struct slice line = line_at(first);

        if (line.data == NULL)
            continue;
        while (line.len != 0 && line.data[line.len - 1] == '\n')
            line.len--;
        lua_pushlstring(lua, line.data, line.len);
        mem_free((void *)(uintptr_t)line.data);
        line.data = lua_tolstring(lua, -1, &line.len);
        l_values_push(lua, CODEC_JSON, line, "log");
        lua_rawseti(lua, -3, ++place);
        lua_pop(lua, 1);
    }
}
