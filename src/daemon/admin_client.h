/* admin_client.h -- a client of WAMP that waits for each answer: for commands that talk to a router
 * by its admin_socket. RawSocket and MessagePack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_ADMIN_CLIENT_H
#define NEXUS_DAEMON_ADMIN_CLIENT_H

#include "wire/msg.h"

/* More than any reload may take. */
#define ADMIN_TIMEOUT_S 60

struct admin_client;

/* The socket that a command means: what its flag says, or the variable NEXUS_ADMIN. NULL: none. */
const char *admin_socket(const char *flag);

/* Connects, and joins a realm (NULL: the first one with a policy). NULL: it was said on standard error
 * why not. */
struct admin_client *admin_open(const char *command, const char *path, const char *realm);
void admin_close(struct admin_client *client);

/* Calls a procedure; `put` (NULL: there are none) writes its arguments. The RESULT or ERROR, which is
 * borrowed until the next call, or NULL: it was said why there is none. */
const struct msg *admin_call(struct admin_client *client, const char *uri,
                             void (*put)(struct encoder *e, const void *ctx), const void *ctx);

/* Of the last message: what walks over it needs memory. */
struct arena *admin_arena(struct admin_client *client);

#endif
