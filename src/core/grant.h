/* grant.h -- what an authorization adds to a request that it allows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_GRANT_H
#define NEXUS_CORE_GRANT_H

#include "base/slice.h"
#include "wire/codec.h"

struct audience;

/* All zero: nothing. Everything is borrowed as long as the grant. */
struct grant {
    bool discloses;      /* receivers are told who it is, whatever was asked for */
    bool hides;          /* they are not told */
    bool has_trustlevel; /* trustlevel stands before that of the session */
    bool is_explicit;    /* it was meant for reserved URIs, by name */
    int64_t trustlevel;
    uint64_t timeout_ms; /* upper bound for calls; 0: none */

    /* What the message has instead of its own; data NULL: its own. */
    enum codec codec;                /* of the three encoded values */
    struct slice uri;                /* topic or procedure */
    struct slice args, kwargs;       /* encoded list, encoded dict */
    struct slice options;            /* encoded dict: these stand before the client's, key by key;
                                        a null takes the client's away */
    const struct audience *audience; /* who may get the event; NULL: everybody */

    /* Set by the core when it was asked about: what the rules said of the audience besides, and what
     * was said of it alone; and the id of the publication, which exists since it was asked who gets
     * the event (NEEDS_FILTER). 0: that was not asked. */
    const struct audience *rule_audience, *filter_audience;
    uint64_t publication;
};

#endif
