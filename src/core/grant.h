/* grant.h -- what an authorization adds to a request that it allows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_GRANT_H
#define NEXUS_CORE_GRANT_H

#include "base/base.h"

/* All zero: nothing. */
struct grant {
    bool discloses;      /* receivers are told who it is, whatever was asked for */
    bool hides;          /* they are not told */
    bool has_trustlevel; /* trustlevel stands before that of the session */
    bool is_explicit;    /* it was meant for reserved URIs, by name */
    int64_t trustlevel;
    uint64_t timeout_ms; /* upper bound for calls; 0: none */
};

#endif
