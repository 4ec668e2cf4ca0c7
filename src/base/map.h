/* map.h -- hash maps from numbers and from byte strings to pointers.
 *
 * `map` is keyed by a pair of 64-bit numbers (use 0 for the second when one is
 * enough), `strmap` by bytes that its values own. Both use open addressing,
 * grow and shrink, and are seeded so that a peer cannot choose keys that
 * collide. Values are borrowed and never NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_MAP_H
#define NEXUS_BASE_MAP_H

#include "base/slice.h"

struct map_entry {
    uint64_t a, b;
    void *value; /* NULL: free */
};

struct map {
    struct map_entry *entries; /* owned; a power of two of them, or NULL */
    size_t mask;               /* their number less one */
    size_t count;
    uint64_t seed;
};

void map_init(struct map *map, uint64_t seed);
void map_fini(struct map *map);

/* The value under (a, b), or NULL. */
void *map_get(const struct map *map, uint64_t a, uint64_t b);

/* Stores a value and returns the one it replaces, or NULL. */
void *map_put(struct map *map, uint64_t a, uint64_t b, void *value);

/* Removes and returns the value, or NULL when there is none. */
void *map_remove(struct map *map, uint64_t a, uint64_t b);

/* Walks the map in no particular order: start with *at = 0; NULL at the end.
 * The map must not change meanwhile. */
const struct map_entry *map_next(const struct map *map, size_t *at);

struct strmap_entry {
    struct slice key; /* borrowed from the value */
    void *value;      /* NULL: free */
    uint64_t hash;
};

struct strmap {
    struct strmap_entry *entries;
    size_t mask;
    size_t count;
    uint64_t seed[2];
};

void strmap_init(struct strmap *map, uint64_t seed0, uint64_t seed1);
void strmap_fini(struct strmap *map);
void *strmap_get(const struct strmap *map, struct slice key);

/* The bytes of key must live as long as the entry. Replacing also replaces the key. */
void *strmap_put(struct strmap *map, struct slice key, void *value);
void *strmap_remove(struct strmap *map, struct slice key);
const struct strmap_entry *strmap_next(const struct strmap *map, size_t *at);

/* The keyed hash (SipHash-1-3) behind strmap. */
uint64_t hash_bytes(struct slice bytes, uint64_t seed0, uint64_t seed1);

#endif
