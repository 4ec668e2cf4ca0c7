/* tls_watch.h -- sees that files of certificates have changed, by looking at them.
 *
 * A change counts when nothing has changed any more for a moment, since programs write several
 * files one after the other; and only when what is in the files is different. Names are followed
 * as they are at the time: files that are replaced, and links that point elsewhere, are changes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_TLS_WATCH_H
#define NEXUS_DAEMON_TLS_WATCH_H

#include "daemon/config.h"

/* How long nothing may change before it is believed, and the steps of that. */
#define TLS_SETTLED_MS 200
#define TLS_STEP_MS    50

struct tls_watch;

/* Starts a thread that calls `changed`; NULL when there is nothing to look at, or the interval is
 * 0. */
struct tls_watch *tls_watch_start(const struct config *config, void (*changed)(void *ctx),
                                  void *ctx);

/* Ends it; `changed` is not called any more. NULL is fine. */
void tls_watch_stop(struct tls_watch *watch);

#endif
