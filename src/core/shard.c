/* shard.c -- see shard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/shard.h"

static uint64_t fnv1a(uint64_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t shard_score(struct slice rkey, struct slice key)
{
    uint64_t hash = fnv1a(UINT64_C(0xcbf29ce484222325), rkey.data, rkey.len);

    hash = fnv1a(hash, "", 1); /* the zero octet between them */
    hash = fnv1a(hash, key.data, key.len);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

bool shard_beats(uint64_t score, struct slice key, uint64_t best_score, struct slice best)
{
    size_t len = key.len < best.len ? key.len : best.len;
    int order = len == 0 ? 0 : memcmp(key.data, best.data, len);

    if (score != best_score)
        return score > best_score;
    return order < 0 || (order == 0 && key.len < best.len);
}
