/* globals.h -- undeclared globals, found without running the code.
 *
 * Looks through the compiled form of a chunk for accesses to its environment. A
 * function with more than 255 constants may hide some; those are found when they
 * are run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_GLOBALS_H
#define NEXUS_SCRIPT_GLOBALS_H

#include "script/vm.h"

/* Checks the function at the top. True when all its globals are there; else the message, with
 * file and line, is pushed. For protected code. */
bool l_globals_check(lua_State *lua, const char *label);

#endif
