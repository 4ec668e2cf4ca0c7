/* port_probe.h -- is somebody listening there already?
 *
 * Workers share a port with SO_REUSEPORT, and the kernel would let a second
 * nexusd of the same user join them and take half of the connections. So each
 * port is bound once without it, before the router starts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_PORT_PROBE_H
#define NEXUS_DAEMON_PORT_PROBE_H

#include "net/net.h"

/* Tries all TCP addresses with a fixed port. Returns 0, or ERR_IN_USE with words for people. What
 * else may be wrong with an address, net_listen says. */
int port_probe(const struct listener_options *listeners, size_t count, char *words,
               size_t words_len) MUST_CHECK;

#endif
