/* limiter.h -- token buckets: how often something may happen, for each of many keys.
 *
 * A limiter is found by its name, and what is in its buckets stays when the
 * policy that uses it is exchanged. A bucket that is full again is as good as
 * none and is forgotten. When there are too many of them, the fullest one of a few
 * that were not used for long is given up, so whoever invents keys gives up his
 * own buckets before those that are in use.
 *
 * All functions may be called from any thread. The time is passed in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_LIMITER_H
#define NEXUS_STATE_LIMITER_H

#include "base/slice.h"

#define LIMITERS_MAX     1000   /* by name, in one set */
#define LIMITER_BUCKETS  100000 /* default of limiters_new */
#define LIMITER_MAX_KEY  256    /* octets */
#define LIMITER_MAX_RATE 1e9
#define LIMITER_MIN_RATE 1e-6 /* once in eleven days */

struct limiters;
struct limiter;

/* Those of one realm. At most max_buckets in all; 0: LIMITER_BUCKETS. */
struct limiters *limiters_new(size_t max_buckets);
void limiters_free(struct limiters *set);

/* The limiter with that name; `rate` tokens a second come in, up to `burst`. One that is there gets
 * the new numbers and keeps its levels. NULL: there are LIMITERS_MAX already. */
struct limiter *limiter_open(struct limiters *set, struct slice name, double rate,
                             double burst) MUST_CHECK;

/* Takes n tokens, at most `burst`, out of the bucket of a key. Else it takes nothing, and
 * *retry_after_s says when they will be there if nobody takes any. */
bool limiter_take(struct limiter *limiter, struct slice key, double n, uint64_t now_ms,
                  double *retry_after_s) MUST_CHECK;

/* What a bucket can hold: more can never be taken at once. */
double limiter_burst(struct limiter *limiter);

/* How many buckets are remembered. */
size_t limiters_count(struct limiters *set);

#endif
