/* hello.h -- HELLO.Details: who a client says it is and what it can do.
 *
 * WAMP: "Session Establishment", "Feature Announcement".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_HELLO_H
#define NEXUS_CORE_HELLO_H

#include "core/features.h"
#include "core/limits.h"
#include "wire/msg.h"

/* Anything else the client said of itself: kept as an attribute of the session. */
struct hello_attribute {
    struct slice key;
    struct slice value; /* encoded */
};

/* Everything borrowed from the message or the arena. */
struct hello {
    unsigned roles;    /* bit set of 1 << enum role */
    uint32_t features; /* bit set of enum feature */
    struct slice authid, authrole;
    struct slice authmethods; /* encoded list; len 0: absent or empty */
    struct slice authextra;   /* encoded dict; len 0: absent */
    unsigned attribute_count;
    struct hello_attribute attributes[MAX_ATTRIBUTES];
};

/* Reads and checks the Details of a HELLO. Returns 0 or an ERR_* with a fault that names the
 * key: a protocol violation. */
int hello_read(struct hello *hello, const struct msg *msg, struct arena *arena,
               struct fault *fault) MUST_CHECK;

/* True when the client is willing to use this method (no list means: anonymous). */
bool hello_offers(const struct hello *hello, enum codec codec, struct slice method,
                  struct arena *arena);

#endif
