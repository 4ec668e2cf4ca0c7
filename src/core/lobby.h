/* lobby.h -- where a peer is while it has no session: the way to a realm.
 *
 * Pure. Says what to do with the first message of a peer (or the first after
 * GOODBYE): to which realm its HELLO goes, or with which ABORT it is sent away.
 *
 * WAMP: "Session Establishment", "Protocol Violation".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LOBBY_H
#define NEXUS_CORE_LOBBY_H

#include "core/action.h"
#include "wire/msg.h"

/* Judges a message (fault NULL) or what is no message (msg NULL) of a peer without a session.
 * True: it is a HELLO, `*realm` (borrowed from msg or transport) is where it goes. False: the
 * answer is in `out`. */
bool lobby_receive(uint64_t peer, const struct transport *transport, const struct msg *msg,
                   const struct fault *fault, bool strict_uris, struct slice *realm,
                   struct outbox *out);

/* There is no such realm (reason WAMP_NO_SUCH_REALM), or the router is closing
 * (WAMP_CLOSE_SYSTEM_SHUTDOWN): says so and closes. */
void lobby_refuse(uint64_t peer, enum codec codec, const char *reason, const char *words,
                  struct outbox *out);

#endif
