/* address.c -- takes addresses apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <sys/un.h>

static const char *parse_unix(struct address *address, const char *path, struct arena *arena)
{
    if (*path == '\0')
        return "the path of the socket is missing";
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return "the path of the socket is longer than 107 bytes";
    address->unix_path = arena_copy(arena, slice_make(path, strlen(path) + 1)).data;
    return NULL;
}

static bool is_host_name(const char *host)
{
    if (*host == '-' || *host == '.')
        return false;
    for (; *host != '\0'; host++) {
        if (!isalnum((unsigned char)*host) && *host != '-' && *host != '.')
            return false;
    }
    return true;
}

/* Digits and dots only are meant as an IPv4 address. */
static bool is_host(const char *host, bool is_bracketed)
{
    unsigned char octets[sizeof(struct in6_addr)];

    if (is_bracketed)
        return inet_pton(AF_INET6, host, octets) == 1;
    if (strspn(host, "0123456789.") == strlen(host))
        return inet_pton(AF_INET, host, octets) == 1;
    return is_host_name(host);
}

static bool is_port(const char *port)
{
    size_t len = strlen(port);

    return len >= 1 && len <= 5 && strspn(port, "0123456789") == len &&
           strtol(port, NULL, 10) <= 65535;
}

static const char *parse_tcp(struct address *address, const char *text, struct arena *arena)
{
    const char *colon = strrchr(text, ':');

    if (colon == NULL || (*text == '[' && (colon == text || colon[-1] != ']')))
        return "the port is missing";
    if (!is_port(colon + 1))
        return "the port is not a number from 0 to 65535";
    size_t len = (size_t)(colon - text);
    bool is_bracketed = *text == '[';
    size_t brackets = is_bracketed ? 2 : 0;
    if (!is_bracketed && memchr(text, ':', len) != NULL)
        return "an IPv6 address stands in brackets";
    if (len == 0)
        return "the host is missing; 0.0.0.0 is every IPv4 address of this machine, [::] every one";

    char *host = arena_alloc(arena, len + 1);
    memcpy(host, text + is_bracketed, len - brackets);
    host[len - brackets] = '\0';
    if (!is_host(host, is_bracketed))
        return "the host is neither an IP address nor a name";
    address->host = host;
    address->port = arena_copy(arena, slice_make(colon + 1, strlen(colon + 1) + 1)).data;
    return NULL;
}

const char *address_parse(struct address *address, const char *text, struct arena *arena)
{
    *address = (struct address){0};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(address, text + 5, arena);
    if (strncmp(text, "tls://", 6) == 0) {
        address->is_tls = true;
        text += 6;
    }
    if (strstr(text, "://") != NULL)
        return "an address has no protocol in front (only tls:// when it is to be TLS): each "
               "address speaks WebSocket, RawSocket and HTTP";
    return parse_tcp(address, text, arena);
}
