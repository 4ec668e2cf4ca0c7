/* watch.h -- notices that the files of a policy have changed.
 *
 * It watches their folders, and the one that the policy's path is in, so that a folder that is
 * renamed or a link that leads to elsewhere is seen as well. What changed is not looked at.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_WATCH_H
#define NEXUS_POLICY_WATCH_H

#include "router/router.h"
#include "script/source.h"

struct watch;

/* Calls `changed` on the realm's thread, when nothing has changed any more for 200 ms. */
struct watch *watch_new(struct realm *realm, const char *path, void (*changed)(void *ctx),
                        void *ctx);

/* These are the folders from now on. */
void watch_source(struct watch *watch, const struct source *source);

/* NULL is fine. */
void watch_free(struct watch *watch);

#endif
