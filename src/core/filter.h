/* filter.h -- who may get an event: black- and whitelists as sets of numbers.
 *
 * Built once for a publication, in scratch memory; a subscriber costs a look into
 * one small set for each option, never a comparison of strings.
 *
 * WAMP: "Subscriber Black- and Whitelisting", for any attribute of a session.
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_FILTER_H
#define NEXUS_CORE_FILTER_H

#include "core/intern.h"
#include "core/options.h"
#include "core/session.h"

/* A set of numbers: a short list is searched, a long one hashed. */
struct number_set {
    const uint64_t *slots; /* 0 is a free slot, and never a member */
    uint32_t count;        /* slots in use */
    uint32_t mask;         /* 0: not hashed */
};

struct filter {
    bool is_eligible;
    bool by_session;
    bool by_identity; /* authid or authrole: does not change while a session lasts */
    uint32_t key;     /* interned name; INTERN_NONE: no session has such an attribute */
    struct number_set values;
};

struct filter_set {
    struct filter *filters; /* in the arena */
    unsigned count;
};

/* Makes the filters of a publication. Returns 0, or ERR_TOO_LONG with a fault that names the
 * option (wamp.error.option_not_allowed). */
int filters_build(struct filter_set *set, const struct options *options, enum codec codec,
                  const struct intern *intern, bool empty_eligible_is_absent, struct arena *arena,
                  struct fault *fault) MUST_CHECK;

/* True when the session passes all of them. */
bool filters_pass(const struct filter_set *set, const struct session *session);

#endif
