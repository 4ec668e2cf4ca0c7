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
#include "core/number_set.h"
#include "core/options.h"
#include "core/session.h"

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

/* Whether a client may filter like that: by attributes that are `filterable` (see core.h), and by
 * lists. Returns 0, or ERR_INVALID with a fault that names the option
 * (wamp.error.option_not_allowed, wamp.error.invalid_argument). */
int filters_check(const struct options *options, const char *const *filterable,
                  struct fault *fault) MUST_CHECK;

/* Makes the filters of a publication. Returns 0, or ERR_TOO_LONG with a fault that names the
 * option (wamp.error.option_not_allowed). */
int filters_build(struct filter_set *set, const struct options *options, enum codec codec,
                  const struct intern *intern, bool empty_eligible_is_absent, struct arena *arena,
                  struct fault *fault) MUST_CHECK;

/* True when the session passes all of them. */
bool filters_pass(const struct filter_set *set, const struct session *session);

#endif
