/* fuzz_uri.c -- the index of core/match.h against the definition in wire/uri.h.
 *
 * Input: lines. "e", "p" or "w" and a pattern adds it to the index, or takes it
 * out when it is there; anything else is a URI to look up, with a blank before it
 * or not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "core/match.h"
#include "fuzz.h"

#define MAX_ENTRIES 64

/* The index, and the same entries in a plain list. */
struct shelf {
    struct match_index index;
    struct match_entry *entries[MAX_ENTRIES]; /* owned */
    size_t count;
};

/* What a look-up found, in that order. */
struct findings {
    const struct match_entry *entries[MAX_ENTRIES];
    size_t count;
};

static void on_found(void *ctx, struct match_entry *entry)
{
    struct findings *found = ctx;

    CHECK(found->count < MAX_ENTRIES);
    found->entries[found->count++] = entry;
}

/* True when the wildcard `a` goes before `b`: literal where the other is empty, first from the
 * left. Both match the same URI. */
static bool is_more_literal(struct slice a, struct slice b)
{
    bool more_a = true, more_b = true;

    while (more_a && more_b) {
        struct slice one = uri_component(&a, &more_a), other = uri_component(&b, &more_b);

        if ((one.len == 0) != (other.len == 0))
            return one.len != 0;
    }
    return false;
}

/* True when `a` is to be found before `b`. */
static bool goes_before(const struct match_entry *a, const struct match_entry *b)
{
    if (a->match != b->match)
        return a->match < b->match;
    if (a->match == MATCH_PREFIX)
        return a->uri.len > b->uri.len;
    return a->match == MATCH_WILDCARD && is_more_literal(a->uri, b->uri);
}

/* True when the prefix ends where a component of the URI does. */
static bool is_whole(struct slice prefix, struct slice uri)
{
    return prefix.len == 0 || prefix.len == uri.len || prefix.data[prefix.len - 1] == '.' ||
           uri.data[prefix.len] == '.';
}

/* What a CALL is to find: a wildcard goes before prefixes that all end inside a component. */
static const struct match_entry *choose_best(const struct match_entry *best[MATCH_COUNT],
                                             bool has_whole)
{
    if (best[MATCH_EXACT] != NULL)
        return best[MATCH_EXACT];
    if (best[MATCH_PREFIX] != NULL && (has_whole || best[MATCH_WILDCARD] == NULL))
        return best[MATCH_PREFIX];
    return best[MATCH_WILDCARD];
}

static void look_up(const struct shelf *shelf, struct slice uri)
{
    const struct match_entry *best = match_best(&shelf->index, uri);
    const struct match_entry *bests[MATCH_COUNT] = {0};
    bool has_whole = false;
    struct findings found = {.count = 0};
    size_t expected = 0;

    match_all(&shelf->index, uri, on_found, &found);
    for (size_t i = 0; i < shelf->count; i++) {
        const struct match_entry *entry = shelf->entries[i];

        if (!uri_matches(entry->uri, entry->match, uri))
            continue;
        expected++;
        has_whole |= entry->match == MATCH_PREFIX && is_whole(entry->uri, uri);
        if (bests[entry->match] == NULL || goes_before(entry, bests[entry->match]))
            bests[entry->match] = entry;
    }
    CHECK(found.count == expected);
    CHECK(best == choose_best(bests, has_whole));
    for (size_t i = 0; i < found.count; i++) {
        const struct match_entry *entry = found.entries[i];

        CHECK(uri_matches(entry->uri, entry->match, uri));
        CHECK(i == 0 || entry->match == MATCH_WILDCARD || goes_before(found.entries[i - 1], entry));
        for (size_t k = 0; k < i; k++)
            CHECK(found.entries[k] != entry);
    }
}

static void take_out(struct shelf *shelf, struct match_entry *entry)
{
    size_t i = 0;

    while (shelf->entries[i] != entry)
        i++;
    shelf->entries[i] = shelf->entries[--shelf->count];
    match_remove(&shelf->index, entry);
    CHECK(match_find(&shelf->index, entry->match, entry->uri) == NULL);
    mem_free((void *)(uintptr_t)entry->uri.data);
    mem_free(entry);
}

static void toggle(struct shelf *shelf, enum match match, struct slice pattern)
{
    struct match_entry *entry = match_find(&shelf->index, match, pattern);

    if (entry != NULL) {
        take_out(shelf, entry);
        return;
    }
    if (!uri_is_valid(pattern, match, false) || shelf->count == MAX_ENTRIES)
        return;
    entry = mem_alloc(sizeof(*entry));
    *entry =
        (struct match_entry){slice_make(mem_copy(pattern.data, pattern.len), pattern.len), match};
    shelf->entries[shelf->count++] = entry;
    match_insert(&shelf->index, entry);
    CHECK(match_find(&shelf->index, match, pattern) == entry);
    CHECK(match_count(&shelf->index) == shelf->count);
}

/* The grammars: strict is part of loose, exact is part of both patterns. */
static void check_grammar(struct slice uri)
{
    for (enum match use = 0; use < MATCH_COUNT; use++) {
        bool is_loose = uri_is_valid(uri, use, false);

        CHECK(is_loose || !uri_is_valid(uri, use, true));
        CHECK(is_loose || !uri_is_valid(uri, MATCH_EXACT, false));
        CHECK(!is_loose || uri.len <= MAX_URI_LEN);
    }
    CHECK(uri_matches(uri, MATCH_EXACT, uri) && uri_matches(uri, MATCH_PREFIX, uri));
    if (uri_is_valid(uri, MATCH_EXACT, false))
        CHECK(uri_matches(uri, MATCH_WILDCARD, uri));
}

static void take_line(struct shelf *shelf, struct slice line)
{
    static const char letters[MATCH_COUNT] = {'e', 'p', 'w'};
    struct slice rest = line.len == 0 ? line : slice_make(line.data + 1, line.len - 1);

    for (enum match match = 0; line.len != 0 && match < MATCH_COUNT; match++) {
        if (line.data[0] == letters[match]) {
            toggle(shelf, match, rest);
            return;
        }
    }
    if (line.len != 0 && line.data[0] == ' ')
        line = rest;
    check_grammar(line);
    if (uri_is_valid(line, MATCH_EXACT, false))
        look_up(shelf, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice rest = slice_make(data, len);
    struct shelf shelf = {.count = 0};

    if (!utf8_is_valid(rest))
        return 0;
    match_init(&shelf.index, 1, 2);
    while (rest.len != 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t line = end == NULL ? rest.len : (size_t)(end - rest.data);

        take_line(&shelf, slice_make(rest.data, line));
        line += end != NULL;
        rest = slice_make(rest.data + line, rest.len - line);
    }
    while (shelf.count != 0)
        take_out(&shelf, shelf.entries[shelf.count - 1]);
    match_fini(&shelf.index);
    return 0;
}
