/* address.c -- who is at the other end: words for people, and counts per address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

#include <arpa/inet.h>
#include <stdio.h>

void address_words_of(const struct sockaddr_storage *from, char *out, size_t out_len)
{
    char text[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (from->ss_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        snprintf(out, out_len, "tcp4:%s:%u", text, ntohs(v4.sin_port));
        return;
    }
    memcpy(&v6, from, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
        snprintf(out, out_len, "tcp4:%s:%u", text, ntohs(v6.sin6_port));
        return;
    }
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    snprintf(out, out_len, "tcp6:[%s]:%u", text, ntohs(v6.sin6_port));
}

void address_words(int fd, const char *unix_path, char *out, size_t out_len)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;

    if (unix_path != NULL) {
        snprintf(out, out_len, "unix:%s", unix_path);
        return;
    }
    if (getpeername(fd, (struct sockaddr *)&from, &len) != 0) {
        snprintf(out, out_len, "unknown");
        return;
    }
    address_words_of(&from, out, out_len);
}

/* An IPv4 address is the same one however it came. */
void address_octets(const struct sockaddr_storage *from, unsigned char octets[16])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff};

    if (from->ss_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        memcpy(mapped + 12, &v4.sin_addr, 4);
        memcpy(octets, mapped, 16);
        return;
    }
    memcpy(&v6, from, sizeof v6);
    memcpy(octets, &v6.sin6_addr, 16);
}

static bool is_v4(const unsigned char octets[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(octets, mapped, sizeof mapped) == 0;
}

struct address *address_hold(struct net *net, const struct sockaddr_storage *from, bool *is_full)
{
    struct address *address;
    unsigned char octets[16];
    uint64_t key[2];

    *is_full = false;
    if (net->limits.max_connections_per_address == 0 ||
        (from->ss_family != AF_INET && from->ss_family != AF_INET6))
        return NULL;
    address_octets(from, octets);
    memcpy(key, octets, sizeof key);
    if (!is_v4(octets)) /* whoever has one address of a network of 64 bits has them all */
        key[1] = 0;
    address = map_get(&net->addresses, key[0], key[1]);
    if (address == NULL) {
        address = mem_zero(1, sizeof *address);
        address->a = key[0];
        address->b = key[1];
        map_put(&net->addresses, key[0], key[1], address);
    }
    if (address->count >= net->limits.max_connections_per_address) {
        *is_full = true;
        return NULL;
    }
    address->count++;
    return address;
}

void address_drop(struct net *net, struct address *address)
{
    if (--address->count != 0)
        return;
    map_remove(&net->addresses, address->a, address->b);
    mem_free(address);
}
