/* msg_types.h -- THE table of WAMP messages: name, code, who may send it, shape.
 *
 * Direction, seen from the router: R received, S sent, B both.
 *
 * Shape: one letter for each element after the message code.
 *   I  id in [1, 2^53]          Z  the same, or 0 (revocations)
 *   T  message type of the request that failed
 *   U  URI, any string           N  URI or null (HELLO.Realm)
 *   S  string                    D  dict
 *   d  dict that may be left out
 *   P  payload: nothing, Arguments, or Arguments and ArgumentsKw
 *
 * WAMP: "Messages", "Message Codes and Direction".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_MSG_TYPES_H
#define NEXUS_WIRE_MSG_TYPES_H

#include "base/base.h"

#define MSG_TABLE(X)             \
    X(HELLO, 1, R, "ND")         \
    X(WELCOME, 2, S, "ID")       \
    X(ABORT, 3, B, "DUP")        \
    X(CHALLENGE, 4, S, "SD")     \
    X(AUTHENTICATE, 5, R, "SD")  \
    X(GOODBYE, 6, B, "DU")       \
    X(ERROR, 8, B, "TIDUP")      \
    X(PUBLISH, 16, R, "IDUP")    \
    X(PUBLISHED, 17, S, "II")    \
    X(SUBSCRIBE, 32, R, "IDU")   \
    X(SUBSCRIBED, 33, S, "II")   \
    X(UNSUBSCRIBE, 34, R, "IId") \
    X(UNSUBSCRIBED, 35, S, "Zd") \
    X(EVENT, 36, S, "IIDP")      \
    X(CALL, 48, R, "IDUP")       \
    X(CANCEL, 49, R, "ID")       \
    X(RESULT, 50, S, "IDP")      \
    X(REGISTER, 64, R, "IDU")    \
    X(REGISTERED, 65, S, "II")   \
    X(UNREGISTER, 66, R, "IId")  \
    X(UNREGISTERED, 67, S, "Zd") \
    X(INVOCATION, 68, S, "IIDP") \
    X(INTERRUPT, 69, S, "ID")    \
    X(YIELD, 70, R, "IDP")       \
    X(EVENT_RECEIVED, 337, R, "I")

#define MSG_ENUM(name, code, direction, shape) MSG_##name = (code),
enum msg_type { MSG_NONE = 0, MSG_TABLE(MSG_ENUM) };
#undef MSG_ENUM

/* "PUBLISH" for MSG_PUBLISH; NULL for a number that is no message. */
const char *msg_name(uint64_t code);

#endif
