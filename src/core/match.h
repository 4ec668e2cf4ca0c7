/* match.h -- the index of URIs: exact, prefix, wildcard; serves broker and dealer.
 *
 * Exact URIs live in a hash map, prefixes in a radix tree of bytes, wildcards in
 * a tree of components. The cost of a look-up does not grow with entries that do
 * not match (wildcards: that do not match up to some component).
 *
 * Entries are intrusive: whoever is indexed embeds a struct match_entry, and
 * keeps its URI alive as long as it is in the index.
 *
 * WAMP: "Pattern-based Subscriptions", "Pattern-based Registrations".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_MATCH_H
#define NEXUS_CORE_MATCH_H

#include "base/map.h"
#include "wire/uri.h"

struct match_entry {
    struct slice uri; /* owned by whoever embeds this */
    enum match match;
};

struct radix_node;
struct wildcard_node;

struct match_index {
    struct strmap by_uri[MATCH_COUNT]; /* identity: (match, uri) -> entry, borrowed */
    struct radix_node *prefixes;       /* owned; NULL when there are none */
    struct wildcard_node *wildcards;   /* owned; NULL when there are none */
    uint64_t seed[2];
};

void match_init(struct match_index *index, uint64_t seed0, uint64_t seed1);

/* The index must be empty. */
void match_fini(struct match_index *index);

/* Adds an entry whose (match, uri) is not there yet, or takes one out. */
void match_insert(struct match_index *index, struct match_entry *entry);
void match_remove(struct match_index *index, struct match_entry *entry);

/* The entry with exactly this match and URI, or NULL. */
struct match_entry *match_find(const struct match_index *index, enum match match, struct slice uri);

/* The one entry that a CALL of this URI goes to: exact, else the longest prefix, else the
 * wildcard that is literal first from the left; or NULL. When every matching prefix ends in the
 * middle of a component ("a.c3" for "a.c33.x") a wildcard comes before them. */
struct match_entry *match_best(const struct match_index *index, struct slice uri);

/* Calls `found` for every entry that matches: exact, then prefixes (long to short), then
 * wildcards. The index must not change meanwhile. */
typedef void match_found_fn(void *ctx, struct match_entry *entry);
void match_all(const struct match_index *index, struct slice uri, match_found_fn *found, void *ctx);

/* How many entries there are. */
size_t match_count(const struct match_index *index);

#endif
