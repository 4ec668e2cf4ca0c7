/* fault.h -- what a peer did wrong, as a value.
 *
 * A fault becomes ERROR or ABORT. It is filled in where the mistake is found
 * and is never an alarm of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_FAULT_H
#define NEXUS_WIRE_FAULT_H

#include "base/base.h"
#include "base/err.h"

struct fault {
    const char *uri; /* static: a row of wire/errors.h; NULL: no fault */
    int err;         /* ERR_*: ERR_UTF8 closes a WebSocket with 1007, ERR_TOO_LONG with 1009 */
    char words[200]; /* for people; names the offending key or element */
};

/* Fills in a fault and returns err (a negative ERR_*), so that callers write
 *     return fault_set(fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION, "...");   */
int fault_set(struct fault *fault, int err, const char *uri, const char *format, ...)
    PRINTF_LIKE(4, 5);

#endif
