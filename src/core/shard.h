/* shard.h -- rendezvous hashing: which of several keys a message belongs to.
 *
 * The key with the highest score wins; of equal scores the smaller key. When a
 * key comes or goes only what it wins or won moves.
 *
 * WAMP: "Sharded Registration", "Sharded Subscription".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_SHARD_H
#define NEXUS_CORE_SHARD_H

#include "base/slice.h"

/* fmix64(fnv1a64(rkey, a zero octet, key)). */
uint64_t shard_score(struct slice rkey, struct slice key);

/* True when `key` with its score beats `best` with its own. */
bool shard_beats(uint64_t score, struct slice key, uint64_t best_score, struct slice best);

#endif
