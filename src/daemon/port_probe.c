/* port_probe.c -- binds and lets go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/port_probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* With SO_REUSEADDR connections that linger from an earlier run do not count, a listener does. */
static bool is_taken(const struct addrinfo *at)
{
    int one = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);

    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool is_busy = bind(fd, at->ai_addr, at->ai_addrlen) != 0 && errno == EADDRINUSE;
    close(fd);
    return is_busy;
}

int port_probe(const struct listener_options *listeners, size_t count, char *words,
               size_t words_len)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};

    for (size_t i = 0; i < count; i++) {
        const struct listener_options *listener = &listeners[i];
        struct addrinfo *found = NULL;
        if (listener->host == NULL || strcmp(listener->port, "0") == 0)
            continue;
        if (getaddrinfo(listener->host, listener->port, &hints, &found) != 0)
            continue;
        bool is_busy = is_taken(found);
        freeaddrinfo(found);
        if (is_busy) {
            snprintf(words, words_len, "cannot listen on %s port %s: the address is in use",
                     listener->host, listener->port);
            return ERR_IN_USE;
        }
    }
    return 0;
}
