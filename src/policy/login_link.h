/* login_link.h -- what the connection of a login proves: its TLS channel, the client's certificate.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGIN_LINK_H
#define NEXUS_POLICY_LOGIN_LINK_H

#include "auth/auth.h"
#include "wire/transport.h"

/* Borrows from the transport. */
struct login_link {
    struct auth_bindings bindings;
    struct auth_certificate certificate;
};

/* Fills in what the request says of the connection; it points to `link` then. */
void login_link_read(struct login_link *link, struct auth_request *request,
                     const struct transport *transport);

#endif
