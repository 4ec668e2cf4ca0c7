/* ready.h -- the policies that come with nexusd, by their names.
 *
 * They are folders: share/nexus/policies beside an installed nexusd, lua/policies of the source for
 * one in a build folder, or in what NEXUS_POLICIES names. What is in them is not known here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_READY_H
#define NEXUS_BASE_READY_H

#include "base/arena.h"

/* "open", which is the router's own, and has no folder, is the first; NULL behind the last one. */
const char *ready_name(size_t i);
bool ready_is(const char *name);

/* `"open", "users", ...` */
const char *ready_names(struct arena *arena);

/* The folder of one, or NULL when the name is none. When the folder is not there the path is that where it
 * should be, so whoever reads it says so. */
const char *ready_path(const char *name, struct arena *arena);

#endif
