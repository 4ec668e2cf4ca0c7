/* source_compiles.c -- whether the files of a policy can be compiled. See source.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "script/globals.h"
#include "script/source.h"
#include "script/vm.h"

#include <lauxlib.h>

#include <limits.h>
#include <stdio.h>

/* The files that are looked at, in the order in which they were found. */
struct look {
    const struct source *source;
    size_t *files; /* owned: numbers */
    size_t count;
};

static bool is_in(const struct look *look, size_t file)
{
    for (size_t i = 0; i < look->count; i++) {
        if (look->files[i] == file)
            return true;
    }
    return false;
}

/* "lib.tokens" of "lib/tokens.lua". */
static void module_of(const struct source_file *file, char *module, size_t room)
{
    snprintf(module, room, "%s", file->name);
    module[strlen(module) - strlen(".lua")] = '\0';
    for (; *module != '\0'; module++) {
        if (*module == '/')
            *module = '.';
    }
}

static void add_mentioned(struct look *look, struct slice text)
{
    char module[PATH_MAX];

    for (size_t i = 0; i < source_count(look->source); i++) {
        module_of(source_at(look->source, i), module, sizeof(module));
        if (!is_in(look, i) && source_mentions(text, module))
            look->files[look->count++] = i;
    }
}

static void choose(struct look *look)
{
    const struct source *source = look->source;

    for (size_t i = 0; i < source_count(source); i++) {
        const struct source_file *file = source_at(source, i);

        if (!source_is_file(source) || file == source_entry(source) || file == source_data(source))
            look->files[look->count++] = i;
    }
    for (size_t i = 0; source_is_file(source) && i < look->count; i++)
        add_mentioned(look, source_at(source, look->files[i])->text);
}

/* A file of data is one of credentials. Lua's words quote what they find wrong, as is a password whose
 * quotes are not there, and words come into logs: they are cut before it. */
static int l_refuse_data(lua_State *lua)
{
    static const struct {
        const char *cut, *instead;
    } quoting[] = {
        {" near ", ""},
        {"there is no global ", "found a name where a value is wanted"},
        {"cannot set the global ", "found a name that is no local"},
    };
    const char *words = lua_tostring(lua, -1);

    for (size_t i = 0; i < ARRAY_LEN(quoting); i++) {
        const char *end = strstr(words, quoting[i].cut);

        if (end == NULL)
            continue;
        lua_pushlstring(lua, words, (size_t)(end - words));
        lua_pushfstring(lua, "%s%s; what stands there is not shown, since it may be a secret",
                        lua_tostring(lua, -1), quoting[i].instead);
        break;
    }
    return lua_error(lua);
}

static int l_compile_all(lua_State *lua)
{
    const struct look *look = lua_touserdata(lua, 1);

    for (size_t i = 0; i < look->count; i++) {
        const struct source_file *file = source_at(look->source, look->files[i]);

        if (!vm_load(lua, file->text, file->label) || !l_globals_check(lua, file->label))
            return file == source_data(look->source) ? l_refuse_data(lua) : lua_error(lua);
        lua_pop(lua, 1);
    }
    return 0;
}

bool source_compiles(const struct source *source, char words[SOURCE_WORDS_LEN])
{
    struct look look = {source, mem_zero(source_count(source), sizeof(size_t)), 0};
    struct vm *vm = vm_new(&(struct vm_options){.memory = 0});
    int err;

    CHECK(vm != NULL);
    choose(&look);
    err = vm_try(vm, l_compile_all, &look, words, SOURCE_WORDS_LEN);
    vm_free(vm);
    mem_free(look.files);
    return err == 0;
}
