/* lua_file.h -- a configuration written in Lua becomes a tree.
 *
 * The file is evaluated with string, table, math, utf8 and a few base functions;
 * it reads environment variables with env "NAME" and can do nothing else: no
 * files, no modules, no metatables. Its memory, instructions and time are
 * bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_LUA_FILE_H
#define NEXUS_DAEMON_LUA_FILE_H

#include "daemon/report.h"
#include "daemon/tree.h"

#define MAX_CONFIG_MEMORY       (64u << 20)
#define MAX_CONFIG_INSTRUCTIONS 50000000
#define MAX_CONFIG_SECONDS      10
#define MAX_CONFIG_NODES        200000

/* Evaluates the text; what it returns, or NULL with an error in the report. The text must have
 * a NUL byte behind its end. */
struct node *lua_file_read(struct slice text, struct arena *arena, struct report *report);

#endif
