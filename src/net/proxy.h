/* proxy.h -- the header of the PROXY protocol, versions 1 and 2, and who may send it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_NET_PROXY_H
#define NEXUS_NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PROXY_V1_MAX_LEN 107
#define PROXY_MAX_LEN    2048 /* with what version 2 adds to the addresses, which we pass over */

enum proxy_result {
    PROXY_MORE, /* so far it is a header; all of it belongs to it */
    PROXY_BAD,
    PROXY_DONE,
};

/* Reads a header at the beginning of `data`. Done: how long it is, and the address, whose family
 * is AF_UNSPEC when it names none. */
enum proxy_result proxy_read(const unsigned char *data, size_t len, struct sockaddr_storage *from,
                             size_t *header_len);

/* An IPv4 address is one of IPv6 that begins with ::ffff. */
struct proxy_range {
    unsigned char octets[16];
    unsigned bits;
};

bool proxy_range_read(struct proxy_range *range, const char *text);
bool proxy_range_has(const struct proxy_range *range, const unsigned char octets[16]);

#endif
