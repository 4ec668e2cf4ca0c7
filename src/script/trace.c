/* trace.c -- see trace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/trace.h"

#include <lauxlib.h>

#include <stdio.h>

#define TRACE_LEVELS 20

void trace_place(lua_State *lua, int level, char *out, size_t len)
{
    lua_Debug frame;

    out[0] = '\0';
    for (; level < TRACE_LEVELS && lua_getstack(lua, level, &frame) != 0; level++) {
        if (lua_getinfo(lua, "Sl", &frame) != 0 && frame.currentline > 0) {
            snprintf(out, len, "%s:%d: ", frame.short_src, frame.currentline);
            return;
        }
    }
}

void trace_all(lua_State *lua, int level, char *out, size_t len)
{
    lua_Debug frame;
    size_t at = 0;

    out[0] = '\0';
    for (int i = 0; i < TRACE_LEVELS && lua_getstack(lua, level + i, &frame) != 0; i++) {
        int wrote;

        if (lua_getinfo(lua, "Sln", &frame) == 0 || *frame.what == 'C')
            continue;
        wrote = snprintf(out + at, len - at, "%s%s:%d in %s", at == 0 ? "" : "\n", frame.short_src,
                         frame.currentline,
                         *frame.what == 'm'   ? "main chunk"
                         : frame.name != NULL ? frame.name
                                              : "a function");
        if (wrote < 0 || (size_t)wrote >= len - at)
            return;
        at += (size_t)wrote;
    }
}
