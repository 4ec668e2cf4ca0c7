/* address.h -- where to listen, as people write it.
 *
 *   127.0.0.1:8080   [::1]:8080   localhost:8080   tls://0.0.0.0:8443   unix:/run/nexus.sock
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_ADDRESS_H
#define NEXUS_DAEMON_ADDRESS_H

#include "base/arena.h"

struct address {
    const char *host, *port; /* NULL for a unix socket */
    const char *unix_path;   /* NULL for TCP */
    bool is_tls;
};

/* Takes an address apart. Returns NULL, or what is wrong with it (in words). */
const char *address_parse(struct address *address, const char *text, struct arena *arena);

/* What an address may be, for error messages. */
#define ADDRESS_ALLOWED "\"host:port\", \"[::1]:port\", \"tls://host:port\" or \"unix:/path\""

#endif
