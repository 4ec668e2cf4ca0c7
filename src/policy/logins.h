/* logins.h -- how logins are in all realms of this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGINS_H
#define NEXUS_POLICY_LOGINS_H

#include "auth/digest.h"
#include "wire/fault.h"

struct logins {
    /* Challenges of unknown principals come from it; with the same one on several routers, and
     * after a restart, nobody can tell them by a salt that changes. */
    bool has_secret;
    unsigned char secret[DIGEST_LEN];
    bool has_router_key; /* cryptosign: clients can ask who the router is */
    unsigned char router_seed[DIGEST_LEN];
    bool require_binding;  /* cryptosign without channel binding is refused */
    bool tls_unique_tls13; /* cryptosign may be bound by tls-unique there */
    bool reveal_principal; /* who does not exist is told so */
    bool scram_compat;     /* SCRAM is offered as "scram" too, which no binding protects */
    /* After so many failed logins from one address, or of one authid, the answer to the next one
     * that fails is late: 250 ms at first, twice as much each time, and at most max_delay_ms (0:
     * never late). */
    uint32_t free_failures;
    uint32_t max_delay_ms;
};

/* No secret (one is made up), no key, "scram" is offered, 3 failures, 10 s. */
extern const struct logins logins_default;

/* Makes these count for the realms that are opened from now on. Before any thread of a router
 * runs. */
void logins_use(const struct logins *logins);

/* Takes a text for the secret; of at least 32 bytes, space at its end aside. */
int logins_read_secret(struct logins *logins, struct slice text, struct fault *fault) MUST_CHECK;

/* Takes a private key of Ed25519, 64 hex digits, space at its end aside. */
int logins_read_router_key(struct logins *logins, struct slice text,
                           struct fault *fault) MUST_CHECK;

#endif
