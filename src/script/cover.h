/* cover.h -- which lines of policies ran, for tests: one tally for the whole process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_COVER_H
#define NEXUS_SCRIPT_COVER_H

#include <lua.h>

/* From now on lines are counted, in all states. Before any of them is made: it slows them down. */
void cover_start(void);

/* Pushes a table: label of a file -> line -> how often it ran. */
void l_cover_push(lua_State *lua);

#endif
