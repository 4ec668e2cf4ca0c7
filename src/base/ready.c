/* ready.c -- see ready.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/ready.h"

#include "base/base.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"open",           "users",   "jwt",
                                    "scram-users",    "tenants", "presence",
                                    "retained-state", "webhook", "audit"};

const char *ready_name(size_t i)
{
    return i < ARRAY_LEN(names) ? names[i] : NULL;
}

bool ready_is(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* The pieces, one behind the other. */
static char *join(struct arena *arena, const char *const *pieces, size_t count)
{
    size_t len = 1, at = 0;
    char *text;

    for (size_t i = 0; i < count; i++)
        len += strlen(pieces[i]);
    text = arena_alloc(arena, len);
    for (size_t i = 0; i < count; i++) {
        len = strlen(pieces[i]);
        memcpy(text + at, pieces[i], len);
        at += len;
    }
    text[at] = '\0';
    return text;
}

const char *ready_names(struct arena *arena)
{
    const char *all = "";

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *pieces[] = {all, i == 0 ? "\"" : ", \"", names[i], "\""};

        all = join(arena, pieces, ARRAY_LEN(pieces));
    }
    return all;
}

/* The folder of the program, or of the library that this is in. False: nobody says. */
static bool own_folder(char path[PATH_MAX], bool is_program)
{
    Dl_info info;
    ssize_t len;
    char *slash;

    if (is_program) {
        len = readlink("/proc/self/exe", path, PATH_MAX - 1);
        if (len <= 0)
            return false;
        path[len] = '\0';
    } else if (dladdr((const void *)names, &info) == 0 || info.dli_fname == NULL ||
               realpath(info.dli_fname, path) == NULL) {
        return false;
    }
    slash = strrchr(path, '/');
    if (slash == NULL)
        return false;
    *(slash == path ? slash + 1 : slash) = '\0';
    return true;
}

static const char *look(struct arena *arena, const char *folder, const char *name, bool is_program)
{
    /* Of an installed program, of one in build/PRESET; of the library in lua/nexus below that. */
    static const char *const beside[2][2] = {
        {"/../../../../share/nexus/policies/", "/../../../../lua/policies/"},
        {"/../share/nexus/policies/", "/../../lua/policies/"}};

    char real[PATH_MAX];

    for (size_t i = 0; i < 2; i++) {
        const char *pieces[] = {folder, beside[is_program][i], name};
        const char *path = join(arena, pieces, ARRAY_LEN(pieces));

        if (realpath(path, real) != NULL)
            return join(arena, (const char *[]){real}, 1);
    }
    return NULL;
}

const char *ready_path(const char *name, struct arena *arena)
{
    const char *named = getenv("NEXUS_POLICIES"), *path = NULL;
    const char *pieces[] = {"/usr/share/nexus/policies", "/", name};
    char folder[PATH_MAX];

    if (!ready_is(name))
        return NULL;
    if (named != NULL && *named != '\0') {
        pieces[0] = named;
        return join(arena, pieces, ARRAY_LEN(pieces));
    }
    if (own_folder(folder, true))
        path = look(arena, folder, name, true);
    if (path == NULL && own_folder(folder, false))
        path = look(arena, folder, name, false);
    return path != NULL ? path : join(arena, pieces, ARRAY_LEN(pieces));
}
