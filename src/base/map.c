/* map.c -- two hash maps with linear probing.
 *
 * Invariant: between the slot that an entry's hash names and the slot it lives
 * in, every slot is taken. Removal keeps it by moving later entries back, so
 * there are no tombstones. At most half of the slots are taken: fuller tables are
 * slower, mostly at removal. When fewer than 1/8 of a large table
 * are, it is halved.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_SLOTS 8

/* A table this small is not worth halving: one whose count swings would be rebuilt all the time. */
#define SMALL_SLOTS 512

static bool is_crowded(size_t count, size_t mask)
{
    return count > (mask + 1) / 2;
}

static bool is_sparse(size_t count, size_t mask)
{
    return mask + 1 > SMALL_SLOTS && count < (mask + 1) / 8;
}

/* True when an entry that belongs at `home` and lives at `at` may move to the
 * free slot `hole` before it: home is not behind the hole, around the ring. */
static bool may_move(size_t home, size_t at, size_t hole, size_t mask)
{
    return ((at - home) & mask) >= ((at - hole) & mask);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The pair becomes one number with a secret factor, so that which pairs collide depends on the
 * seed; then two rounds spread it. One is not enough: it leaves ids in sequence in clumps. */
static size_t slot_of(const struct map *map, uint64_t a, uint64_t b)
{
    uint64_t factor = (map->seed ^ UINT64_C(0x9e3779b97f4a7c15)) | 1;
    uint64_t pair = (a * factor + b) ^ map->seed;
    uint64_t once = fold(pair, UINT64_C(0xa0761d6478bd642f));

    return (size_t)fold(once, UINT64_C(0xe7037ed1a0b428db)) & map->mask;
}

void map_init(struct map *map, uint64_t seed)
{
    *map = (struct map){.seed = seed};
}

void map_fini(struct map *map)
{
    mem_free(map->entries);
    map_init(map, map->seed);
}

static void resize_map(struct map *map, size_t slots)
{
    struct map_entry *old = map->entries;
    size_t old_slots = old == NULL ? 0 : map->mask + 1;

    map->entries = mem_zero(slots, sizeof(*map->entries));
    map->mask = slots - 1;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].value == NULL)
            continue;
        size_t at = slot_of(map, old[i].a, old[i].b);
        while (map->entries[at].value != NULL)
            at = (at + 1) & map->mask;
        map->entries[at] = old[i];
    }
    mem_free(old);
}

/* The entry of (a, b), or the free one where it would be. The map has entries. */
static struct map_entry *find_entry(const struct map *map, uint64_t a, uint64_t b)
{
    size_t at = slot_of(map, a, b);

    for (;;) {
        struct map_entry *entry = &map->entries[at];
        if ((entry->a == a && entry->b == b) || entry->value == NULL)
            return entry;
        at = (at + 1) & map->mask;
    }
}

void *map_get(const struct map *map, uint64_t a, uint64_t b)
{
    return map->count == 0 ? NULL : find_entry(map, a, b)->value;
}

void *map_put(struct map *map, uint64_t a, uint64_t b, void *value)
{
    CHECK(value != NULL);
    if (map->entries == NULL)
        resize_map(map, FIRST_SLOTS);

    struct map_entry *entry = find_entry(map, a, b);
    void *replaced = entry->value;
    if (replaced == NULL) {
        if (is_crowded(map->count + 1, map->mask)) {
            resize_map(map, (map->mask + 1) * 2);
            entry = find_entry(map, a, b);
        }
        map->count++;
    }
    *entry = (struct map_entry){a, b, value};
    return replaced;
}

void *map_remove(struct map *map, uint64_t a, uint64_t b)
{
    if (map->count == 0)
        return NULL;

    struct map_entry *entry = find_entry(map, a, b);
    void *removed = entry->value;
    if (removed == NULL)
        return NULL;

    size_t hole = (size_t)(entry - map->entries);
    size_t at = (hole + 1) & map->mask;
    for (; map->entries[at].value != NULL; at = (at + 1) & map->mask) {
        const struct map_entry *next = &map->entries[at];
        if (!may_move(slot_of(map, next->a, next->b), at, hole, map->mask))
            continue;
        map->entries[hole] = *next;
        hole = at;
    }
    map->entries[hole] = (struct map_entry){0};
    map->count--;
    if (is_sparse(map->count, map->mask))
        resize_map(map, (map->mask + 1) / 2);
    return removed;
}

const struct map_entry *map_next(const struct map *map, size_t *at)
{
    if (map->entries == NULL)
        return NULL;
    while (*at <= map->mask) {
        const struct map_entry *entry = &map->entries[(*at)++];
        if (entry->value != NULL)
            return entry;
    }
    return NULL;
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

/* Eight bytes, least significant first; compilers make one load of it. */
static inline uint64_t load_le(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* The last, incomplete word: the rest of the bytes, and the length on top. */
static inline uint64_t last_word(const unsigned char *p, size_t len)
{
    uint64_t word = (uint64_t)len << 56;

    for (size_t i = 0; i < len % 8; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(struct slice bytes, uint64_t seed0, uint64_t seed1)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct sip s = {
        seed0 ^ UINT64_C(0x736f6d6570736575),
        seed1 ^ UINT64_C(0x646f72616e646f6d),
        seed0 ^ UINT64_C(0x6c7967656e657261),
        seed1 ^ UINT64_C(0x7465646279746573),
    };

    for (size_t left = bytes.len; left >= 8; left -= 8, at += 8) {
        uint64_t word = load_le(at);
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    uint64_t last = last_word(at, bytes.len);
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void strmap_init(struct strmap *map, uint64_t seed0, uint64_t seed1)
{
    *map = (struct strmap){.seed = {seed0, seed1}};
}

void strmap_fini(struct strmap *map)
{
    mem_free(map->entries);
    strmap_init(map, map->seed[0], map->seed[1]);
}

static void resize_strmap(struct strmap *map, size_t slots)
{
    struct strmap_entry *old = map->entries;
    size_t old_slots = old == NULL ? 0 : map->mask + 1;

    map->entries = mem_zero(slots, sizeof(*map->entries));
    map->mask = slots - 1;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].value == NULL)
            continue;
        size_t at = (size_t)old[i].hash & map->mask;
        while (map->entries[at].value != NULL)
            at = (at + 1) & map->mask;
        map->entries[at] = old[i];
    }
    mem_free(old);
}

static struct strmap_entry *find_str(const struct strmap *map, struct slice key, uint64_t hash)
{
    size_t at = (size_t)hash & map->mask;

    for (;;) {
        struct strmap_entry *entry = &map->entries[at];
        if (entry->value == NULL || (entry->hash == hash && slice_eq(entry->key, key)))
            return entry;
        at = (at + 1) & map->mask;
    }
}

void *strmap_get(const struct strmap *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    return find_str(map, key, hash_bytes(key, map->seed[0], map->seed[1]))->value;
}

void *strmap_put(struct strmap *map, struct slice key, void *value)
{
    CHECK(value != NULL);
    if (map->entries == NULL)
        resize_strmap(map, FIRST_SLOTS);

    uint64_t hash = hash_bytes(key, map->seed[0], map->seed[1]);
    struct strmap_entry *entry = find_str(map, key, hash);
    void *replaced = entry->value;
    if (replaced == NULL) {
        if (is_crowded(map->count + 1, map->mask)) {
            resize_strmap(map, (map->mask + 1) * 2);
            entry = find_str(map, key, hash);
        }
        map->count++;
    }
    *entry = (struct strmap_entry){key, value, hash};
    return replaced;
}

void *strmap_remove(struct strmap *map, struct slice key)
{
    if (map->count == 0)
        return NULL;

    uint64_t hash = hash_bytes(key, map->seed[0], map->seed[1]);
    struct strmap_entry *entry = find_str(map, key, hash);
    void *removed = entry->value;
    if (removed == NULL)
        return NULL;

    size_t hole = (size_t)(entry - map->entries);
    size_t at = (hole + 1) & map->mask;
    for (; map->entries[at].value != NULL; at = (at + 1) & map->mask) {
        if (!may_move((size_t)map->entries[at].hash, at, hole, map->mask))
            continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (struct strmap_entry){0};
    map->count--;
    if (is_sparse(map->count, map->mask))
        resize_strmap(map, (map->mask + 1) / 2);
    return removed;
}

const struct strmap_entry *strmap_next(const struct strmap *map, size_t *at)
{
    if (map->entries == NULL)
        return NULL;
    while (*at <= map->mask) {
        const struct strmap_entry *entry = &map->entries[(*at)++];
        if (entry->value != NULL)
            return entry;
    }
    return NULL;
}
