/* cover.c -- see cover.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/cover.h"

#include "base/map.h"
#include "base/mem.h"
#include "script/vm_priv.h"

#include <pthread.h>

/* A file cannot have more (SOURCE_FILE_MAX). */
#define MAX_LINES ((size_t)1024 * 1024)

struct covered {
    size_t count;
    uint32_t *lines; /* owned; at the number of the line */
    char label[];
};

int vm_hook_mask = LUA_MASKCOUNT;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct strmap files; /* label -> struct covered, for as long as the process lives */

void cover_start(void)
{
    pthread_mutex_lock(&lock);
    if (vm_hook_mask == LUA_MASKCOUNT)
        strmap_init(&files, 1, 2);
    vm_hook_mask = LUA_MASKCOUNT | LUA_MASKLINE;
    pthread_mutex_unlock(&lock);
}

static struct covered *find(const char *label)
{
    struct slice name = slice_of(label);
    struct covered *file = strmap_get(&files, name);

    if (file != NULL)
        return file;
    file = mem_zero(1, sizeof(*file) + name.len + 1);
    memcpy(file->label, label, name.len);
    strmap_put(&files, slice_make(file->label, name.len), file);
    return file;
}

static void count_line(struct covered *file, size_t line)
{
    if (line >= file->count) {
        size_t count = line + 256;

        file->lines = mem_grow(file->lines, count * sizeof(*file->lines));
        memset(file->lines + file->count, 0, (count - file->count) * sizeof(*file->lines));
        file->count = count;
    }
    if (file->lines[line] != UINT32_MAX)
        file->lines[line]++;
}

void cover_line(lua_State *lua, lua_Debug *debug)
{
    if (lua_getinfo(lua, "Sl", debug) == 0 || *debug->source != '@' || debug->currentline <= 0 ||
        (size_t)debug->currentline > MAX_LINES)
        return;
    pthread_mutex_lock(&lock);
    count_line(find(debug->source + 1), (size_t)debug->currentline);
    pthread_mutex_unlock(&lock);
}

/* Nothing of Lua may run under the lock; what is pushed here belongs to tests, after they ran. */
void l_cover_push(lua_State *lua)
{
    const struct strmap_entry *at;
    size_t i = 0;

    lua_newtable(lua);
    while (vm_hook_mask != LUA_MASKCOUNT && (at = strmap_next(&files, &i)) != NULL) {
        const struct covered *file = at->value;

        lua_newtable(lua);
        for (size_t line = 1; line < file->count; line++) {
            if (file->lines[line] == 0)
                continue;
            lua_pushinteger(lua, file->lines[line]);
            lua_rawseti(lua, -2, (lua_Integer)line);
        }
        lua_setfield(lua, -2, file->label);
    }
}
