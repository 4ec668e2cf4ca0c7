/* uri.h -- validity, components, and matching of URIs.
 *
 * WAMP: "URIs", "Pattern-based Subscriptions", "Pattern-based Registrations".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_URI_H
#define NEXUS_WIRE_URI_H

#include "base/slice.h"

#define MAX_URI_LEN        4096
#define MAX_URI_COMPONENTS 64

/* How a subscription or registration applies to URIs; also how its own URI is checked. */
enum match { MATCH_EXACT, MATCH_PREFIX, MATCH_WILDCARD, MATCH_COUNT };

/* "exact", "prefix", "wildcard". */
const char *match_name(enum match match);

/* True when the URI follows the loose or strict grammar for its use. Too long, too many components,
 * U+0000 inside, or no UTF-8: false. */
bool uri_is_valid(struct slice uri, enum match use, bool strict);

/* True for the prefix itself and everything that begins with it and a dot. */
bool uri_is_within(struct slice uri, struct slice prefix);

/* True when the pattern matches the URI (by definition, component by component: the index in
 * core/match.c gives the same answers faster, and is tested against this). */
bool uri_matches(struct slice pattern, enum match match, struct slice uri);

/* Cuts the next component off *rest. Start with the whole URI and *more = true; *more becomes
 * false with the last component. */
struct slice uri_component(struct slice *rest, bool *more);

#endif
