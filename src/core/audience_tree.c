/* audience_tree.c -- see audience_tree.h.
 *
 * The edges of all nodes are in one hash table, keyed by node and value, so that going
 * one step is one look into it. The numbers of names and values that are in the tree are
 * counted, so they do not come to mean something else while it lives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/audience_tree.h"

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limits.h"

/* Where an edge leads: to a node, or to an answer. */
#define TO_NO  UINT32_MAX
#define TO_YES (UINT32_MAX - 1)

/* Values of LOOK_HAS; no clash with those of LOOK_VALUE, which are of other nodes. */
#define HAS_NOT 0
#define HAS     1

struct node {
    enum audience_look_kind kind;
    uint32_t key;   /* interned, counted */
    uint32_t value; /* HAS: the same */
};

struct edge {
    uint32_t node, value;
    uint32_t to;
    bool is_used;
};

struct audience_tree {
    struct core *core;  /* borrowed */
    struct node *nodes; /* owned; the first is the root */
    uint32_t node_count, node_cap;
    struct edge *edges; /* owned; a power of two of them, at most half of them used */
    uint32_t edge_count, edge_cap;
    uint32_t *pinned; /* owned; values of edges, counted */
    uint32_t pinned_count, pinned_cap;
    struct map by_session;     /* session id -> a yes or a no */
    uint32_t adds_without_hit; /* in a row */
    bool is_full;              /* nothing is added but answers for sessions */
    uint32_t constant;         /* without any node: the answer, or 0 */
};

static char yes, no; /* values of by_session */

struct audience_tree *audience_tree_new(struct core *core)
{
    struct audience_tree *tree = mem_zero(1, sizeof *tree);

    tree->core = core;
    map_init(&tree->by_session, 1); /* session ids are random enough */
    return tree;
}

void audience_tree_free(struct audience_tree *tree)
{
    if (tree == NULL)
        return;
    for (uint32_t i = 0; i < tree->node_count; i++) {
        intern_drop(&tree->core->intern, tree->nodes[i].key);
        intern_drop(&tree->core->intern, tree->nodes[i].value);
    }
    for (uint32_t i = 0; i < tree->pinned_count; i++)
        intern_drop(&tree->core->intern, tree->pinned[i]);
    mem_free(tree->nodes);
    mem_free(tree->edges);
    mem_free(tree->pinned);
    map_fini(&tree->by_session);
    mem_free(tree);
}

/* ---- edges ---- */

static uint32_t place_of(uint32_t node, uint32_t value)
{
    return (uint32_t)((((uint64_t)node << 32 | value) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The place of the edge, or the free one where it belongs. */
static struct edge *find_edge(const struct audience_tree *tree, uint32_t node, uint32_t value)
{
    for (uint32_t at = place_of(node, value);; at++) {
        struct edge *edge = &tree->edges[at & (tree->edge_cap - 1)];

        if (!edge->is_used || (edge->node == node && edge->value == value))
            return edge;
    }
}

static void put_edge(struct audience_tree *tree, struct edge edge)
{
    *find_edge(tree, edge.node, edge.value) = edge;
}

static void grow_edges(struct audience_tree *tree)
{
    struct edge *old = tree->edges;
    uint32_t old_cap = tree->edge_cap;

    tree->edge_cap = old_cap == 0 ? 16 : old_cap * 2;
    tree->edges = mem_zero(tree->edge_cap, sizeof *tree->edges);
    for (uint32_t i = 0; i < old_cap; i++)
        if (old[i].is_used)
            put_edge(tree, old[i]);
    mem_free(old);
}

static void add_edge(struct audience_tree *tree, uint32_t node, uint32_t value, uint32_t to)
{
    if (2 * (tree->edge_count + 1) > tree->edge_cap)
        grow_edges(tree);
    put_edge(tree, (struct edge){node, value, to, true});
    tree->edge_count++;
}

/* ---- the way of a session ---- */

static bool has_tag(const struct session *session, uint32_t key, uint32_t value)
{
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == key && session->tags[i].value == value)
            return true;
    return false;
}

/* False: it has something there that is more than one plain value. */
static bool find_value(const struct session *session, uint32_t key, uint32_t *value)
{
    for (uint32_t i = 0; i < session->compound_count; i++)
        if (session->compounds[i] == key)
            return false;
    *value = INTERN_NONE; /* absent */
    for (uint32_t i = 0; i < session->tag_count; i++) {
        if (session->tags[i].key != key)
            continue;
        if (*value != INTERN_NONE)
            return false;
        *value = session->tags[i].value;
    }
    return true;
}

/* What the session shows at a node; false: what nobody else does. */
static bool look(const struct node *node, const struct session *session, uint32_t *value)
{
    switch (node->kind) {
    case LOOK_VALUE:
        return find_value(session, node->key, value);
    case LOOK_HAS:
        *value = has_tag(session, node->key, node->value) ? HAS : HAS_NOT;
        return true;
    case LOOK_SELF:
        break;
    }
    return false;
}

/* Follows the edges from the root; the answer at the end, if there is one. */
static enum audience_answer walk(const struct audience_tree *tree, const struct session *session)
{
    uint32_t at = 0, value;

    if (tree->node_count == 0)
        return tree->constant == TO_YES  ? AUDIENCE_YES
               : tree->constant == TO_NO ? AUDIENCE_NO
                                         : AUDIENCE_UNKNOWN;
    while (look(&tree->nodes[at], session, &value)) {
        const struct edge *edge = tree->edge_cap == 0 ? NULL : find_edge(tree, at, value);

        if (edge == NULL || !edge->is_used)
            return AUDIENCE_UNKNOWN;
        if (edge->to == TO_YES || edge->to == TO_NO)
            return edge->to == TO_YES ? AUDIENCE_YES : AUDIENCE_NO;
        at = edge->to;
    }
    return AUDIENCE_UNKNOWN;
}

static enum audience_answer find(const struct audience_tree *tree, const struct session *session)
{
    if (tree->by_session.count != 0) {
        const char *answer = map_get(&tree->by_session, session->id, 0);

        if (answer != NULL)
            return answer == &yes ? AUDIENCE_YES : AUDIENCE_NO;
    }
    return walk(tree, session);
}

enum audience_answer audience_tree_ask(struct audience_tree *tree, const struct session *session)
{
    enum audience_answer answer = find(tree, session);

    if (answer != AUDIENCE_UNKNOWN)
        tree->adds_without_hit = 0;
    return answer;
}

bool audience_tree_admits(const struct audience_tree *tree, const struct session *session)
{
    return find(tree, session) == AUDIENCE_YES;
}

size_t audience_tree_per_session(const struct audience_tree *tree)
{
    return tree->by_session.count;
}

/* ---- building ---- */

/* The node for what was looked at; `kind` is LOOK_SELF for what cannot be in the tree. */
static struct node node_for(struct intern *intern, const struct audience_look *look)
{
    struct node node = {.kind = look->kind};

    /* These two are no tags. */
    if (look->kind == LOOK_SELF || slice_eq(look->attribute, SLICE("session")) ||
        slice_eq(look->attribute, SLICE("transport")))
        return (struct node){.kind = LOOK_SELF};
    node.key = intern_text(intern, look->attribute);
    if (look->kind == LOOK_HAS)
        node.value = intern_token(intern, &look->value);
    if (node.key != INTERN_NONE && (look->kind == LOOK_VALUE || node.value != INTERN_NONE))
        return node;
    intern_drop(intern, node.key);
    intern_drop(intern, node.value);
    return (struct node){.kind = LOOK_SELF};
}

static bool is_same(const struct node *a, const struct node *b)
{
    return a->kind == b->kind && a->key == b->key && a->value == b->value;
}

/* Takes over the counts of the node. */
static uint32_t add_node(struct audience_tree *tree, struct node node)
{
    if (tree->node_count == tree->node_cap) {
        tree->node_cap = tree->node_cap == 0 ? 8 : tree->node_cap * 2;
        tree->nodes = mem_grow(tree->nodes, tree->node_cap * sizeof *tree->nodes);
    }
    tree->nodes[tree->node_count] = node;
    return tree->node_count++;
}

/* The session holds the value now; the tree does from now on. */
static void pin(struct audience_tree *tree, const struct node *node, uint32_t value)
{
    if (node->kind != LOOK_VALUE || value == INTERN_NONE)
        return;
    if (tree->pinned_count == tree->pinned_cap) {
        tree->pinned_cap = tree->pinned_cap == 0 ? 8 : tree->pinned_cap * 2;
        tree->pinned = mem_grow(tree->pinned, tree->pinned_cap * sizeof *tree->pinned);
    }
    intern_hold(&tree->core->intern, value);
    tree->pinned[tree->pinned_count++] = value;
}

/* What a predicate looked at for a session, being put into the tree. */
struct way {
    const struct session *session;
    const struct audience_look *looks;
    size_t count;
    size_t made;        /* looks that the tree has */
    uint32_t at, value; /* where it ends: the node, and what the session shows there */
};

/* What the session shows at the next look; false: what nobody else does. */
static bool see(const struct audience_tree *tree, const struct way *way, size_t i, uint32_t *value,
                bool *fits)
{
    struct node node = node_for(&tree->core->intern, &way->looks[i]);
    bool is_shared = look(&node, way->session, value);

    if (fits != NULL)
        *fits = is_same(&node, &tree->nodes[way->at]);
    intern_drop(&tree->core->intern, node.key);
    intern_drop(&tree->core->intern, node.value);
    return is_shared;
}

/* False when something was looked at that only this session has. */
static bool is_common(const struct audience_tree *tree, const struct way *way)
{
    uint32_t value;

    for (size_t i = 0; i < way->count; i++)
        if (!see(tree, way, i, &value, NULL))
            return false;
    return true;
}

/* Goes as far as the tree has what was looked at; false when it has something else there, since the
 * predicate is not the same any more. */
static bool find_end(const struct audience_tree *tree, struct way *way)
{
    for (; way->made < way->count; way->made++) {
        const struct edge *edge;
        bool fits;

        if (!see(tree, way, way->made, &way->value, &fits) || !fits)
            return false;
        edge = tree->edge_cap == 0 ? NULL : find_edge(tree, way->at, way->value);
        if (edge == NULL || !edge->is_used) {
            way->made++;
            return true;
        }
        if (edge->to == TO_YES || edge->to == TO_NO)
            return false; /* it knew the session */
        way->at = edge->to;
    }
    return false; /* it looked at less than before, and saw the same */
}

/* From where the way ends in the tree to the answer. */
static void add_way(struct audience_tree *tree, struct way *way, uint32_t answer)
{
    for (; way->made < way->count; way->made++) {
        uint32_t next = add_node(tree, node_for(&tree->core->intern, &way->looks[way->made]));

        pin(tree, &tree->nodes[way->at], way->value);
        add_edge(tree, way->at, way->value, next);
        CHECK(look(&tree->nodes[next], way->session, &way->value));
        way->at = next;
    }
    pin(tree, &tree->nodes[way->at], way->value);
    add_edge(tree, way->at, way->value, answer);
}

/* False: the answer is for this session alone. */
static bool add_shared(struct audience_tree *tree, struct way *way, uint32_t answer)
{
    if (way->count > MAX_AUDIENCE_LOOKS || tree->edge_count + way->count > MAX_AUDIENCE_EDGES ||
        !is_common(tree, way))
        return false;
    if (tree->node_count != 0) {
        if (!find_end(tree, way))
            return false;
    } else if (tree->constant != 0) {
        return false; /* it looked at nothing before */
    } else if (way->count == 0) {
        tree->constant = answer;
        return true;
    } else {
        (void)add_node(tree, node_for(&tree->core->intern, &way->looks[way->made++]));
        CHECK(look(&tree->nodes[0], way->session, &way->value));
    }
    add_way(tree, way, answer);
    return true;
}

void audience_tree_add(struct audience_tree *tree, const struct session *session,
                       const struct audience_look *looks, size_t count, bool is_in)
{
    struct way way = {.session = session, .looks = looks, .count = count};

    if (tree->is_full || !add_shared(tree, &way, is_in ? TO_YES : TO_NO))
        map_put(&tree->by_session, session->id, 0, is_in ? &yes : &no);
    if (++tree->adds_without_hit >= MAX_AUDIENCE_MISSES)
        tree->is_full = true;
}
