/* match.c -- the index of URIs. See match.h.
 *
 *   prefixes "com.a", "com.ab.", "net"      wildcards "com..x", "com.b.x"
 *
 *        (root)                                   (root)
 *        /    \                                     | com
 *   "com.a"  "net" *                                o
 *      *                                       any / \ b
 *      |                                          o   o
 *     "b." *                                    x |   | x
 *                                                 *   *      * = entry
 *
 * A radix node's label is the bytes between its parent and itself; labels of
 * siblings differ in their first byte and are sorted by it. A node without an
 * entry has at least two kids (radix) or one (wildcard), except the root.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/match.h"

#include "base/check.h"
#include "base/mem.h"

/* ---- prefixes: a radix tree ---- */

struct radix_node {
    struct match_entry *entry; /* borrowed; NULL: only a fork */
    struct radix_node *parent; /* borrowed; NULL: the root */
    struct radix_node **kids;  /* owned; sorted by first byte of their labels */
    size_t kid_count;
    size_t label_len;
    char label[];
};

static struct radix_node *radix_new(struct slice label)
{
    struct radix_node *node = mem_alloc(sizeof *node + label.len);

    *node = (struct radix_node){.label_len = label.len};
    if (label.len != 0)
        memcpy(node->label, label.data, label.len);
    return node;
}

/* Where the kid beginning with `byte` is, or would be inserted. */
static size_t radix_place(const struct radix_node *node, char byte, bool *found)
{
    size_t low = 0, high = node->kid_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if ((unsigned char)node->kids[mid]->label[0] < (unsigned char)byte)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < node->kid_count && node->kids[low]->label[0] == byte;
    return low;
}

static void radix_add_kid(struct radix_node *node, size_t place, struct radix_node *kid)
{
    node->kids = mem_grow(node->kids, (node->kid_count + 1) * sizeof(struct radix_node *));
    memmove(node->kids + place + 1, node->kids + place,
            (node->kid_count - place) * sizeof(struct radix_node *));
    node->kids[place] = kid;
    node->kid_count++;
    kid->parent = node;
}

static size_t common_len(struct slice a, struct slice b)
{
    size_t len = 0;

    while (len < a.len && len < b.len && a.data[len] == b.data[len])
        len++;
    return len;
}

/* Cuts a node in two, so that its label is `len` long; returns the upper half, which takes the
 * node's place. */
static struct radix_node *radix_split(struct radix_node *node, size_t len)
{
    struct radix_node *upper = radix_new(slice_make(node->label, len));

    upper->parent = node->parent;
    memmove(node->label, node->label + len, node->label_len - len);
    node->label_len -= len;
    radix_add_kid(upper, 0, node);
    return upper;
}

static void radix_insert(struct radix_node *root, struct match_entry *entry)
{
    struct radix_node *node = root;
    struct slice rest = entry->uri;

    while (rest.len != 0) {
        bool found;
        size_t place = radix_place(node, rest.data[0], &found);

        if (!found) {
            struct radix_node *leaf = radix_new(rest);

            leaf->entry = entry;
            radix_add_kid(node, place, leaf);
            return;
        }

        CHECK(node->kids != NULL); /* one was found there */

        struct radix_node *kid = node->kids[place];
        size_t len = common_len(slice_make(kid->label, kid->label_len), rest);

        if (len < kid->label_len)
            kid = node->kids[place] = radix_split(kid, len);
        rest = slice_make(rest.data + len, rest.len - len);
        node = kid;
    }
    CHECK(node->entry == NULL);
    node->entry = entry;
}

static void radix_free(struct radix_node *node)
{
    mem_free(node->kids);
    mem_free(node);
}

/* A fork with a single kid is not needed: both become one node in *slot. */
static void radix_join(struct radix_node **slot)
{
    struct radix_node *node = *slot, *kid = node->kids[0];
    struct radix_node *joined = mem_alloc(sizeof *joined + node->label_len + kid->label_len);

    *joined = (struct radix_node){.entry = kid->entry,
                                  .parent = node->parent,
                                  .kids = kid->kids,
                                  .kid_count = kid->kid_count,
                                  .label_len = node->label_len + kid->label_len};
    memcpy(joined->label, node->label, node->label_len);
    memcpy(joined->label + node->label_len, kid->label, kid->label_len);
    for (size_t i = 0; i < joined->kid_count; i++)
        joined->kids[i]->parent = joined;
    *slot = joined;
    mem_free(kid);
    radix_free(node);
}

static void radix_drop_kid(struct radix_node *node, size_t place)
{
    radix_free(node->kids[place]);
    node->kid_count--;
    memmove(node->kids + place, node->kids + place + 1,
            (node->kid_count - place) * sizeof(struct radix_node *));
}

static void radix_remove(struct radix_node **root, const struct match_entry *entry)
{
    struct radix_node **slot = root, **parent = NULL;
    struct slice rest = entry->uri;
    size_t place = 0;

    while (rest.len != 0) {
        bool found;

        place = radix_place(*slot, rest.data[0], &found);
        CHECK(found);
        parent = slot;
        slot = &(*slot)->kids[place];
        rest = slice_make(rest.data + (*slot)->label_len, rest.len - (*slot)->label_len);
    }
    CHECK((*slot)->entry == entry);
    (*slot)->entry = NULL;
    if (parent == NULL)
        return;
    if ((*slot)->kid_count == 1) {
        radix_join(slot);
    } else if ((*slot)->kid_count == 0) {
        radix_drop_kid(*parent, place);
        if (parent != root && (*parent)->entry == NULL && (*parent)->kid_count == 1)
            radix_join(parent);
    }
}

/* The deepest node whose path from the root is a prefix of the URI: it and its ancestors hold
 * all prefixes that match, the longest first. */
static const struct radix_node *radix_deepest(const struct radix_node *node, struct slice rest)
{
    while (rest.len != 0) {
        bool found;
        size_t place = radix_place(node, rest.data[0], &found);

        if (!found)
            break;

        const struct radix_node *kid = node->kids[place];

        if (!slice_starts_with(rest, slice_make(kid->label, kid->label_len)))
            break;
        rest = slice_make(rest.data + kid->label_len, rest.len - kid->label_len);
        node = kid;
    }
    return node;
}

/* The next entry on the way up, that of *node included; NULL at the end. */
static struct match_entry *radix_climb(const struct radix_node **node)
{
    while (*node != NULL) {
        struct match_entry *entry = (*node)->entry;

        *node = (*node)->parent;
        if (entry != NULL)
            return entry;
    }
    return NULL;
}

/* ---- wildcards: a tree of components ---- */

struct wildcard_node {
    struct match_entry *entry; /* borrowed; NULL: nothing ends here */
    struct wildcard_node *any; /* owned; the kid under an empty component */
    struct strmap kids;        /* owned; literal component -> kid */
    size_t component_len;
    char component[]; /* what leads here; empty under `any` */
};

static struct wildcard_node *wildcard_new(const struct match_index *index, struct slice component)
{
    struct wildcard_node *node = mem_zero(1, sizeof *node + component.len);

    strmap_init(&node->kids, index->seed[0], index->seed[1]);
    node->component_len = component.len;
    if (component.len != 0)
        memcpy(node->component, component.data, component.len);
    return node;
}

static void wildcard_free(struct wildcard_node *node)
{
    strmap_fini(&node->kids);
    mem_free(node);
}

static void wildcard_insert(const struct match_index *index, struct wildcard_node *node,
                            struct match_entry *entry)
{
    struct slice rest = entry->uri;
    bool more = true;

    while (more) {
        struct slice component = uri_component(&rest, &more);
        struct wildcard_node *kid =
            component.len == 0 ? node->any : strmap_get(&node->kids, component);

        if (kid == NULL) {
            kid = wildcard_new(index, component);
            if (component.len == 0)
                node->any = kid;
            else
                strmap_put(&node->kids, slice_make(kid->component, kid->component_len), kid);
        }
        node = kid;
    }
    CHECK(node->entry == NULL);
    node->entry = entry;
}

static bool wildcard_is_empty(const struct wildcard_node *node)
{
    return node->entry == NULL && node->any == NULL && node->kids.count == 0;
}

static void wildcard_remove(struct wildcard_node *root, const struct match_entry *entry)
{
    struct wildcard_node *path[MAX_URI_COMPONENTS + 1] = {root};
    struct slice rest = entry->uri;
    bool more = true;
    size_t depth = 0;

    while (more) {
        struct slice component = uri_component(&rest, &more);
        struct wildcard_node *node = path[depth];

        CHECK(depth < MAX_URI_COMPONENTS);
        path[++depth] = component.len == 0 ? node->any : strmap_get(&node->kids, component);
        CHECK(path[depth] != NULL);
    }
    CHECK(path[depth]->entry == entry);
    path[depth]->entry = NULL;
    for (; depth > 0 && wildcard_is_empty(path[depth]); depth--) {
        struct wildcard_node *node = path[depth];

        if (node->component_len == 0)
            path[depth - 1]->any = NULL;
        else
            strmap_remove(&path[depth - 1]->kids, slice_make(node->component, node->component_len));
        wildcard_free(node);
    }
}

/* Where a walk turns back: the literal kid was tried, `any` is still to come. */
struct fork {
    const struct wildcard_node *any;
    struct slice rest;
    bool more;
};

/* Visits every matching wildcard, literal components before empty ones, until `found` says
 * stop by returning false. One fork is remembered for each component at the most. */
static void wildcard_walk(const struct wildcard_node *node, struct slice uri,
                          bool (*found)(void *ctx, struct match_entry *entry), void *ctx)
{
    struct fork forks[MAX_URI_COMPONENTS];
    size_t fork_count = 0;
    struct slice rest = uri;
    bool more = true;

    for (;;) {
        const struct wildcard_node *next = NULL;

        if (!more) {
            if (node->entry != NULL && !found(ctx, node->entry))
                return;
        } else {
            struct slice component = uri_component(&rest, &more);

            next = strmap_get(&node->kids, component);
            if (next == NULL)
                next = node->any;
            else if (node->any != NULL && fork_count < MAX_URI_COMPONENTS)
                forks[fork_count++] = (struct fork){node->any, rest, more};
        }
        if (next == NULL) {
            if (fork_count == 0)
                return;
            fork_count--;
            next = forks[fork_count].any;
            rest = forks[fork_count].rest;
            more = forks[fork_count].more;
        }
        node = next;
    }
}

/* ---- the index ---- */

void match_init(struct match_index *index, uint64_t seed0, uint64_t seed1)
{
    *index = (struct match_index){.seed = {seed0, seed1}};
    for (size_t i = 0; i < MATCH_COUNT; i++)
        strmap_init(&index->by_uri[i], seed0, seed1 + i);
}

void match_fini(struct match_index *index)
{
    CHECK(match_count(index) == 0);
    for (size_t i = 0; i < MATCH_COUNT; i++)
        strmap_fini(&index->by_uri[i]);
}

void match_insert(struct match_index *index, struct match_entry *entry)
{
    CHECK(strmap_put(&index->by_uri[entry->match], entry->uri, entry) == NULL);
    switch (entry->match) {
    case MATCH_PREFIX:
        if (index->prefixes == NULL)
            index->prefixes = radix_new((struct slice){0});
        radix_insert(index->prefixes, entry);
        break;
    case MATCH_WILDCARD:
        if (index->wildcards == NULL)
            index->wildcards = wildcard_new(index, (struct slice){0});
        wildcard_insert(index, index->wildcards, entry);
        break;
    case MATCH_EXACT:
    case MATCH_COUNT:
        break;
    }
}

void match_remove(struct match_index *index, struct match_entry *entry)
{
    CHECK(strmap_remove(&index->by_uri[entry->match], entry->uri) == entry);
    if (entry->match == MATCH_PREFIX) {
        radix_remove(&index->prefixes, entry);
        if (index->by_uri[MATCH_PREFIX].count == 0) {
            radix_free(index->prefixes);
            index->prefixes = NULL;
        }
    } else if (entry->match == MATCH_WILDCARD) {
        wildcard_remove(index->wildcards, entry);
        if (index->by_uri[MATCH_WILDCARD].count == 0) {
            wildcard_free(index->wildcards);
            index->wildcards = NULL;
        }
    }
}

struct match_entry *match_find(const struct match_index *index, enum match match, struct slice uri)
{
    return strmap_get(&index->by_uri[match], uri);
}

/* The longest prefix that matches; *is_whole tells whether any of them, this or a shorter one,
 * ends where a component of the URI does. */
static struct match_entry *best_prefix(const struct match_index *index, struct slice uri,
                                       bool *is_whole)
{
    const struct radix_node *node = radix_deepest(index->prefixes, uri);
    struct match_entry *longest = radix_climb(&node);

    *is_whole = false;
    for (const struct match_entry *entry = longest; entry != NULL && !*is_whole;
         entry = radix_climb(&node)) {
        size_t len = entry->uri.len;

        *is_whole = len == 0 || len == uri.len || uri.data[len] == '.' || uri.data[len - 1] == '.';
    }
    return longest;
}

static bool keep_first(void *ctx, struct match_entry *entry)
{
    *(struct match_entry **)ctx = entry;
    return false;
}

struct match_entry *match_best(const struct match_index *index, struct slice uri)
{
    struct match_entry *best = strmap_get(&index->by_uri[MATCH_EXACT], uri);
    struct match_entry *wildcard = NULL;
    bool is_whole = false;

    if (best == NULL && index->prefixes != NULL)
        best = best_prefix(index, uri, &is_whole);
    else
        is_whole = best != NULL;
    if (!is_whole && index->wildcards != NULL)
        wildcard_walk(index->wildcards, uri, keep_first, &wildcard);
    return wildcard == NULL ? best : wildcard;
}

struct visit {
    match_found_fn *found;
    void *ctx;
};

static bool visit(void *ctx, struct match_entry *entry)
{
    struct visit *v = ctx;

    v->found(v->ctx, entry);
    return true;
}

void match_all(const struct match_index *index, struct slice uri, match_found_fn *found, void *ctx)
{
    struct match_entry *exact = strmap_get(&index->by_uri[MATCH_EXACT], uri);

    if (exact != NULL)
        found(ctx, exact);
    if (index->prefixes != NULL) {
        const struct radix_node *node = radix_deepest(index->prefixes, uri);
        struct match_entry *entry;

        while ((entry = radix_climb(&node)) != NULL)
            found(ctx, entry);
    }
    if (index->wildcards != NULL)
        wildcard_walk(index->wildcards, uri, visit, &(struct visit){found, ctx});
}

size_t match_count(const struct match_index *index)
{
    size_t count = 0;

    for (size_t i = 0; i < MATCH_COUNT; i++)
        count += index->by_uri[i].count;
    return count;
}
