/* map_test.c -- both maps against a plain table that is searched from end to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/map.h"
#include "base/rng.h"
#include "unit.h"

#define KEYS 300 /* of the model: many enough to grow, few enough to collide */

struct model_row {
    uint64_t a, b;
    char text[24];
    void *value; /* what the map must hold; NULL: nothing */
};

static struct model_row rows[KEYS];
static char values[4096]; /* their addresses are the values */

static struct rng seeded(uint64_t *state)
{
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, state);
    return rng;
}

static void make_rows(struct rng *rng)
{
    for (size_t i = 0; i < KEYS; i++) {
        /* Close together, far apart, and equal in one half. */
        rows[i].a = i % 3 == 0 ? i : i % 3 == 1 ? rng_u64(rng) : 7;
        rows[i].b = i % 3 == 0 ? 0 : i;
        snprintf(rows[i].text, sizeof(rows[i].text), "%.*s%zu", (int)(i % 19),
                 "com.example.topic.x", i);
        rows[i].value = NULL;
    }
}

static size_t model_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < KEYS; i++)
        count += rows[i].value != NULL;
    return count;
}

static void compare_map(const struct map *map)
{
    size_t at = 0, walked = 0, found = 0;

    EXPECT_EQ(map->count, model_count());
    for (size_t i = 0; i < KEYS; i++)
        EXPECT(map_get(map, rows[i].a, rows[i].b) == rows[i].value);
    for (const struct map_entry *e; (e = map_next(map, &at)) != NULL; walked++) {
        for (size_t i = 0; i < KEYS; i++)
            found += rows[i].a == e->a && rows[i].b == e->b && rows[i].value == e->value;
    }
    EXPECT_EQ(walked, map->count);
    EXPECT_EQ(found, map->count);
    EXPECT(map->entries == NULL || map->count <= (map->mask + 1) / 2);
}

static void compare_strmap(const struct strmap *map)
{
    size_t at = 0, walked = 0, found = 0;

    EXPECT_EQ(map->count, model_count());
    for (size_t i = 0; i < KEYS; i++)
        EXPECT(strmap_get(map, slice_of(rows[i].text)) == rows[i].value);
    for (const struct strmap_entry *e; (e = strmap_next(map, &at)) != NULL; walked++) {
        for (size_t i = 0; i < KEYS; i++)
            found += slice_eq(slice_of(rows[i].text), e->key) && rows[i].value == e->value;
    }
    EXPECT_EQ(walked, map->count);
    EXPECT_EQ(found, map->count);
    EXPECT(map->entries == NULL || map->count <= (map->mask + 1) / 2);
}

/* Phases in which the map mostly grows and mostly shrinks. */
static bool chooses_put(struct rng *rng, size_t step)
{
    return rng_below(rng, 10) < (step / 1500 % 2 == 0 ? 7 : 3);
}

TEST(map_behaves_like_the_model)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        uint64_t state = seed;
        struct rng rng = seeded(&state);
        struct map map;

        make_rows(&rng);
        map_init(&map, seed == 0 ? 0 : rng_u64(&rng));
        for (size_t step = 0; step < 9000; step++) {
            struct model_row *row = &rows[rng_below(&rng, KEYS)];
            void *before = row->value;
            if (chooses_put(&rng, step)) {
                row->value = &values[rng_below(&rng, sizeof(values))];
                EXPECT(map_put(&map, row->a, row->b, row->value) == before);
            } else {
                row->value = NULL;
                EXPECT(map_remove(&map, row->a, row->b) == before);
            }
            if (step % 250 == 0)
                compare_map(&map);
        }
        compare_map(&map);
        map_fini(&map);
        EXPECT_EQ(map.count, 0);
        EXPECT(map_get(&map, 1, 1) == NULL);
    }
}

TEST(strmap_behaves_like_the_model)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        uint64_t state = seed + 100;
        struct rng rng = seeded(&state);
        struct strmap map;

        make_rows(&rng);
        strmap_init(&map, rng_u64(&rng), rng_u64(&rng));
        for (size_t step = 0; step < 9000; step++) {
            struct model_row *row = &rows[rng_below(&rng, KEYS)];
            struct slice key = slice_of(row->text);
            void *before = row->value;
            if (chooses_put(&rng, step)) {
                row->value = &values[rng_below(&rng, sizeof(values))];
                EXPECT(strmap_put(&map, key, row->value) == before);
            } else {
                row->value = NULL;
                EXPECT(strmap_remove(&map, key) == before);
            }
            if (step % 250 == 0)
                compare_strmap(&map);
        }
        compare_strmap(&map);
        strmap_fini(&map);
        EXPECT_EQ(map.count, 0);
        EXPECT(strmap_get(&map, SLICE("x")) == NULL);
    }
}

TEST(an_empty_map_answers)
{
    struct map map;
    struct strmap strmap;
    size_t at = 0;

    map_init(&map, 1);
    EXPECT(map_get(&map, 1, 2) == NULL);
    EXPECT(map_remove(&map, 1, 2) == NULL);
    EXPECT(map_next(&map, &at) == NULL);
    map_fini(&map);

    strmap_init(&strmap, 1, 2);
    EXPECT(strmap_get(&strmap, SLICE("")) == NULL);
    EXPECT(strmap_remove(&strmap, SLICE("")) == NULL);
    EXPECT(strmap_next(&strmap, &at) == NULL);
    strmap_fini(&strmap);
}

TEST(refuses_null_values)
{
    struct map map;
    struct strmap strmap;

    map_init(&map, 1);
    strmap_init(&strmap, 1, 2);
    EXPECT_ABORT(map_put(&map, 1, 2, NULL));
    EXPECT_ABORT(strmap_put(&strmap, SLICE("k"), NULL));
}

TEST(gives_memory_back)
{
    struct map map;
    struct strmap strmap;
    static char keys[20000][8];

    map_init(&map, 99);
    strmap_init(&strmap, 9, 10);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        snprintf(keys[i], sizeof(keys[i]), "%zu", i);
        map_put(&map, i, 0, values);
        strmap_put(&strmap, slice_of(keys[i]), values);
    }
    EXPECT(map.mask >= ARRAY_LEN(keys));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        EXPECT(map_remove(&map, i, 0) == values);
        EXPECT(strmap_remove(&strmap, slice_of(keys[i])) == values);
    }
    EXPECT(map.mask < 1024);
    EXPECT(strmap.mask < 1024);
    map_fini(&map);
    strmap_fini(&strmap);
}

TEST(replacing_also_replaces_the_key)
{
    struct strmap map;
    char first[] = "key", second[] = "key";

    strmap_init(&map, 3, 4);
    strmap_put(&map, slice_of(first), &values[1]);
    EXPECT(strmap_put(&map, slice_of(second), &values[2]) == &values[1]);
    memset(first, 'x', 3);
    EXPECT(strmap_get(&map, SLICE("key")) == &values[2]);
    strmap_fini(&map);
}

TEST(the_empty_string_is_a_key)
{
    struct strmap map;

    strmap_init(&map, 3, 4);
    strmap_put(&map, slice_make(NULL, 0), &values[5]);
    EXPECT(strmap_get(&map, SLICE("")) == &values[5]);
    EXPECT(strmap_get(&map, SLICE("\0")) == NULL);
    EXPECT(strmap_remove(&map, SLICE("")) == &values[5]);
    strmap_fini(&map);
}

/* The longest run of taken slots says how badly a hash spreads. */
static size_t longest_run(const struct map *map)
{
    size_t longest = 0, run = 0;

    for (size_t i = 0; i <= map->mask; i++) {
        run = map->entries[i].value == NULL ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

TEST(keys_with_a_pattern_spread)
{
    static const int shifts[] = {0, 1, 12, 20, 32, 40};

    for (uint64_t seed = 0; seed < 20; seed++) {
        for (size_t k = 0; k < ARRAY_LEN(shifts); k++) {
            struct map first, second;
            map_init(&first, seed * UINT64_C(0x123456789abcdef1));
            map_init(&second, seed * UINT64_C(0x123456789abcdef1));
            for (uint64_t i = 0; i < 2000; i++) {
                map_put(&first, i << shifts[k], 0, values);
                map_put(&second, 12345, i << shifts[k], values);
            }
            EXPECT(longest_run(&first) < 150);
            EXPECT(longest_run(&second) < 150);
            map_fini(&first);
            map_fini(&second);
        }
    }
}

TEST(hash_depends_on_every_byte_and_on_the_seeds)
{
    char bytes[40];

    for (size_t len = 0; len <= sizeof(bytes); len++) {
        memset(bytes, 'a', sizeof(bytes));
        uint64_t hash = hash_bytes(slice_make(bytes, len), 1, 2);
        EXPECT(hash == hash_bytes(slice_make(bytes, len), 1, 2));
        EXPECT(hash != hash_bytes(slice_make(bytes, len), 1, 3));
        EXPECT(hash != hash_bytes(slice_make(bytes, len), 2, 2));
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 1;
            EXPECT(hash != hash_bytes(slice_make(bytes, len), 1, 2));
            bytes[i] ^= 1;
        }
        if (len != 0)
            EXPECT(hash != hash_bytes(slice_make(bytes, len - 1), 1, 2));
    }
}
