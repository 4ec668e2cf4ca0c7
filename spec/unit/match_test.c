/* match_test.c -- the index of URIs against a list that is searched from end to end.
 *
 * URIs are made of very few letters, so that labels are cut in two and joined, patterns share
 * components, and most look-ups match something.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/rng.h"
#include "core/match.h"
#include "unit.h"

#define MAX_ENTRIES 512
#define MAX_LEN     64

struct item {
    struct match_entry entry;
    char uri[MAX_LEN];
};

static struct item *items[MAX_ENTRIES];
static size_t item_count;

/* ---- what is right, by definition ---- */

static bool is_equal(const struct item *item, enum match match, struct slice uri)
{
    return item->entry.match == match && slice_eq(item->entry.uri, uri);
}

static struct item *find_slowly(enum match match, struct slice uri)
{
    for (size_t i = 0; i < item_count; i++)
        if (is_equal(items[i], match, uri))
            return items[i];
    return NULL;
}

/* True when wildcard a is literal at the first component where only one of them is. */
static bool is_literal_first(struct slice a, struct slice b)
{
    bool more_a = true, more_b = true;

    while (more_a && more_b) {
        struct slice x = uri_component(&a, &more_a), y = uri_component(&b, &more_b);

        if ((x.len == 0) != (y.len == 0))
            return x.len != 0;
    }
    return false;
}

/* True when match_all finds a before b; of one match policy, when a CALL goes to a. */
static bool is_better(const struct match_entry *a, const struct match_entry *b)
{
    if (a->match != b->match)
        return a->match < b->match; /* exact, prefix, wildcard */
    if (a->match == MATCH_PREFIX)
        return a->uri.len > b->uri.len;
    return is_literal_first(a->uri, b->uri);
}

/* True when the prefix ends where a component of the URI does. */
static bool is_whole(struct slice prefix, struct slice uri)
{
    return prefix.len == 0 || prefix.len == uri.len || prefix.data[prefix.len - 1] == '.' ||
           uri.data[prefix.len] == '.';
}

/* Exact, then the longest prefix, then a wildcard; a wildcard before the longest prefix when no
 * prefix that matches is whole (WAMP: "Pattern-based Registrations"). */
static struct match_entry *best_slowly(struct slice uri)
{
    struct match_entry *best[MATCH_COUNT] = {0};
    bool has_whole = false;

    for (size_t i = 0; i < item_count; i++) {
        struct match_entry *entry = &items[i]->entry;
        struct match_entry **slot = &best[entry->match];

        if (!uri_matches(entry->uri, entry->match, uri))
            continue;
        has_whole |= entry->match == MATCH_PREFIX && is_whole(entry->uri, uri);
        if (*slot == NULL || is_better(entry, *slot))
            *slot = entry;
    }
    if (best[MATCH_EXACT] != NULL)
        return best[MATCH_EXACT];
    if (best[MATCH_PREFIX] != NULL && (has_whole || best[MATCH_WILDCARD] == NULL))
        return best[MATCH_PREFIX];
    return best[MATCH_WILDCARD];
}

/* ---- the index ---- */

struct found {
    const struct match_entry *entries[MAX_ENTRIES];
    size_t count;
};

static void add_found(void *ctx, struct match_entry *entry)
{
    struct found *found = ctx;

    if (found->count < MAX_ENTRIES)
        found->entries[found->count] = entry;
    found->count++;
}

static void insert(struct match_index *index, enum match match, struct slice uri)
{
    struct item *item = mem_alloc(sizeof *item);

    memcpy(item->uri, uri.data, uri.len);
    item->entry = (struct match_entry){slice_make(item->uri, uri.len), match};
    match_insert(index, &item->entry);
    items[item_count++] = item;
}

static void remove_at(struct match_index *index, size_t i)
{
    struct item *item = items[i];

    match_remove(index, &item->entry);
    items[i] = items[--item_count];
    memset(item, 0x5a, sizeof *item); /* the index must not look at it again */
    mem_free(item);
}

static void remove_all(struct match_index *index)
{
    while (item_count != 0)
        remove_at(index, item_count - 1);
}

/* Everything that a look-up says about one URI. */
static void check_look_up(const struct match_index *index, struct slice uri)
{
    struct found found = {.count = 0};
    size_t expected = 0;

    match_all(index, uri, add_found, &found);
    for (size_t i = 0; i < item_count; i++)
        expected += uri_matches(items[i]->entry.uri, items[i]->entry.match, uri);
    EXPECT_EQ(found.count, expected);
    for (size_t i = 0; i < found.count && i < MAX_ENTRIES; i++) {
        EXPECT(uri_matches(found.entries[i]->uri, found.entries[i]->match, uri));
        if (i > 0)
            EXPECT(is_better(found.entries[i - 1], found.entries[i]));
    }
    EXPECT(match_best(index, uri) == best_slowly(uri));
    for (int match = 0; match < MATCH_COUNT; match++) {
        const struct item *item = find_slowly((enum match)match, uri);

        EXPECT(match_find(index, (enum match)match, uri) == (item == NULL ? NULL : &item->entry));
    }
}

/* ---- random URIs ---- */

static struct slice random_uri(struct rng *rng, char *room, unsigned letters, bool is_pattern)
{
    size_t len = 0, components = 1 + rng_below(rng, 5);

    for (size_t c = 0; c < components; c++) {
        size_t word = rng_below(rng, 4) + (is_pattern ? 0 : 1);

        if (c > 0)
            room[len++] = '.';
        for (size_t i = 0; i < word; i++)
            room[len++] = (char)('a' + rng_below(rng, letters));
    }
    return slice_make(room, len);
}

static void random_step(struct match_index *index, struct rng *rng, unsigned letters, size_t most)
{
    enum match match = (enum match)rng_below(rng, MATCH_COUNT);
    char room[MAX_LEN];
    struct slice uri = random_uri(rng, room, letters, match != MATCH_EXACT);

    if (item_count < most && rng_below(rng, most) >= item_count / 2) {
        if (find_slowly(match, uri) == NULL)
            insert(index, match, uri);
    } else if (item_count != 0) {
        remove_at(index, rng_below(rng, item_count));
    }
    EXPECT_EQ(match_count(index), item_count);
}

static void run_random(uint64_t seed, unsigned letters, size_t most, unsigned steps)
{
    struct match_index index;
    struct rng rng;
    char room[MAX_LEN];

    rng_init(&rng, rng_fill_seeded, &seed);
    match_init(&index, rng_u64(&rng), rng_u64(&rng));
    for (unsigned step = 0; step < steps; step++) {
        random_step(&index, &rng, letters, most);
        check_look_up(&index, random_uri(&rng, room, letters, false));
        if (step % 1000 == 999)
            remove_all(&index); /* empty trees are thrown away and made anew */
    }
    remove_all(&index);
    match_fini(&index);
}

TEST(random_entries_of_two_letters)
{
    run_random(1, 2, 400, 20000);
}

TEST(random_entries_of_one_letter)
{
    run_random(2, 1, 60, 10000);
}

TEST(random_entries_of_five_letters)
{
    run_random(3, 5, 500, 20000);
}

TEST(a_few_entries_that_come_and_go)
{
    for (uint64_t seed = 10; seed < 20; seed++)
        run_random(seed, 2, 6, 3000);
}

/* ---- by hand ---- */

static void check_prefixes_of(struct slice uri, const char *const *order, size_t count)
{
    struct match_index index;

    match_init(&index, 1, 2);
    for (size_t i = 0; i < count; i++)
        insert(&index, MATCH_PREFIX, slice_of(order[i]));
    for (size_t i = 0; i <= uri.len; i++)
        check_look_up(&index, slice_make(uri.data, i));
    for (size_t i = 0; i < count; i++) {
        remove_at(&index, 0);
        check_look_up(&index, uri);
    }
    match_fini(&index);
}

TEST(a_label_is_cut_and_joined_again)
{
    static const char *const orders[][4] = {
        {"com.abc", "com.abd", "com.ab", "com"}, {"com", "com.ab", "com.abc", "com.abd"},
        {"com.abd", "com", "com.abc", "com.ab"}, {"", "c", "com.abc", "com.abcd"},
        {"com.abcd", "com.abc", "c", ""},        {"x", "com.a", "com.b", "com.c"},
    };

    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        check_prefixes_of(SLICE("com.abcd"), orders[i], 4);
}

TEST(all_bytes_may_begin_a_label)
{
    struct match_index index;
    char uri[3] = "a.";

    match_init(&index, 1, 2);
    for (int byte = 255; byte > ' '; byte--) {
        uri[2] = (char)byte;
        insert(&index, MATCH_PREFIX, slice_make(uri, 3));
    }
    for (int byte = 255; byte > ' '; byte--) {
        uri[2] = (char)byte;
        check_look_up(&index, slice_make(uri, 3));
    }
    remove_all(&index);
    match_fini(&index);
}

TEST(the_empty_index_matches_nothing)
{
    struct match_index index;

    match_init(&index, 1, 2);
    check_look_up(&index, SLICE("com.x"));
    check_look_up(&index, SLICE(""));
    match_fini(&index);
}

/* Every wildcard over one URI of 10 components: literal or empty at each place. */
TEST(all_wildcards_of_one_uri_come_in_order)
{
    struct match_index index;
    struct found found = {.count = 0};
    char room[MAX_LEN];

    match_init(&index, 1, 2);
    for (unsigned mask = 0; mask < 512; mask++) {
        size_t len = 0;

        for (unsigned place = 0; place < 9; place++) {
            if (place > 0)
                room[len++] = '.';
            if ((mask >> place & 1) != 0)
                room[len++] = (char)('a' + place);
        }
        insert(&index, MATCH_WILDCARD, slice_make(room, len));
    }
    match_all(&index, SLICE("a.b.c.d.e.f.g.h.i"), add_found, &found);
    EXPECT_EQ(found.count, 512);
    for (size_t i = 1; i < found.count; i++)
        EXPECT(is_better(found.entries[i - 1], found.entries[i]));
    EXPECT_SLICE(match_best(&index, SLICE("a.b.c.d.e.f.g.h.i"))->uri, SLICE("a.b.c.d.e.f.g.h.i"));
    check_look_up(&index, SLICE("a.b.x.d.e.x.g.h.x"));
    check_look_up(&index, SLICE("a.b.c.d.e.f.g.h"));
    remove_all(&index);
    match_fini(&index);
}

/* The deepest URI there may be, with a fork at each component. */
TEST(sixty_four_components)
{
    struct match_index index;
    char uri[2 * MAX_URI_COMPONENTS], pattern[2 * MAX_URI_COMPONENTS];
    struct match_entry entries[MAX_URI_COMPONENTS];
    char patterns[MAX_URI_COMPONENTS][2 * MAX_URI_COMPONENTS];
    size_t len = 2 * MAX_URI_COMPONENTS - 1;

    match_init(&index, 1, 2);
    for (size_t i = 0; i < len; i++)
        uri[i] = i % 2 == 0 ? 'a' : '.';
    /* Pattern k: literal up to component k, empty there, literal behind it except for the last,
     * which does not match unless k is the last. */
    for (size_t k = 0; k < MAX_URI_COMPONENTS; k++) {
        size_t at = 0;

        for (size_t c = 0; c < MAX_URI_COMPONENTS; c++) {
            if (c > 0)
                pattern[at++] = '.';
            if (c != k)
                pattern[at++] = c == MAX_URI_COMPONENTS - 1 && k != 0 ? 'z' : 'a';
        }
        memcpy(patterns[k], pattern, at);
        entries[k] = (struct match_entry){slice_make(patterns[k], at), MATCH_WILDCARD};
        match_insert(&index, &entries[k]);
    }
    /* Only pattern 0 and the last one match; the last is literal for longer. */
    EXPECT(match_best(&index, slice_make(uri, len)) == &entries[MAX_URI_COMPONENTS - 1]);
    match_remove(&index, &entries[MAX_URI_COMPONENTS - 1]);
    EXPECT(match_best(&index, slice_make(uri, len)) == &entries[0]);
    for (size_t k = 0; k + 1 < MAX_URI_COMPONENTS; k++)
        match_remove(&index, &entries[k]);
    match_fini(&index);
}

TEST(an_entry_twice_is_a_mistake_of_ours)
{
    struct match_index index;
    struct match_entry one = {SLICE("com.x"), MATCH_EXACT}, two = one;

    match_init(&index, 1, 2);
    match_insert(&index, &one);
    EXPECT_ABORT(match_insert(&index, &two));
    EXPECT_ABORT(match_remove(&index, &two));
    EXPECT_ABORT(match_fini(&index));
    match_remove(&index, &one);
    match_fini(&index);
}
