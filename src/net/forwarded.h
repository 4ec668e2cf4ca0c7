/* forwarded.h -- who is behind an HTTP proxy, by the header that it writes.
 *
 * Both headers are lists, and each proxy adds the address that it was connected from at the end.
 * So they are true from the right up to the first address that is no proxy of ours: that one
 * counts, and what stands left of it anybody may have written. Pure: octets in, an address out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_NET_FORWARDED_H
#define NEXUS_NET_FORWARDED_H

#include "net/net.h"
#include "net/proxy.h"

enum forwarded_result {
    FORWARDED_NOBODY, /* it names nobody whom we could know: "unknown", "_hidden", or nothing */
    FORWARDED_FOUND,
    FORWARDED_BAD, /* a proxy of ours wrote what is no address, or the list cannot be read */
};

/* How long the head of a request is, with the empty line at its end; 0: that has not come. */
size_t forwarded_head_len(struct slice text) MUST_CHECK;

/* Puts the lines `Forwarded` of a head together, as the one list that they are. False: there are more
 * octets than room, or a line that others may read in another way. No NUL is in it. */
bool forwarded_collect(struct slice head, char *list, size_t room, size_t *len) MUST_CHECK;

/* `proxies` are ours. Found: the address; its port is 0 when none is named. */
enum forwarded_result forwarded_read(enum forwarded_header header, struct slice text,
                                     const struct proxy_range *proxies, size_t proxy_count,
                                     struct sockaddr_storage *from);

#endif
