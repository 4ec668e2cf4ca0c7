/* rules_priv.h -- what the sources of rules share: the rules as written, and compiled.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RULES_PRIV_H
#define NEXUS_CORE_RULES_PRIV_H

#include "base/map.h"
#include "core/rules.h"

/* A node with more literals under it than this finds them by their hash. */
#define FEW_LITERALS 4

/* A rule as written. */
struct rules_item {
    struct rule rule;
    struct rules_pattern pattern;
    size_t order;            /* how many rules were added before */
    struct rules_item *next; /* of the same role, in the order added */
};

/* A rule in the tree of a role, which may have inherited it. */
struct rules_entry {
    const struct rules_item *item;
    unsigned distance;              /* 0: the role's own; 1: of the role it inherits from; ... */
    const struct rules_entry *next; /* with the same pattern */
};

/* Rules with the same pattern. */
struct rules_leaf {
    const struct rules_entry *best[RULE_ACTION_COUNT]; /* NULL: none of this action */
    const struct rules_entry *entries;
};

/* A component of patterns; the way from the root to it is how they begin. */
struct rules_node {
    struct slice text;           /* a literal or the name of an attribute */
    struct rules_node *next;     /* sibling of the same kind */
    struct rules_node *literals; /* first child of each kind */
    struct rules_node *sessions;
    struct rules_node *any;
    struct strmap by_text; /* the literals, when there are more than FEW_LITERALS */
    size_t literal_count;
    struct rules_leaf end, rest;  /* patterns that end here; those that go on with ** */
    unsigned below;               /* actions of rules at and below this node */
    unsigned strict;              /* actions that a best one of those denies or asks about */
    struct rules_node *next_made; /* of all trees */
};

struct rules_role {
    struct slice name, inherit, where;
    struct rules_item *first, **last;
    struct rules_role *parent;
    struct rules_node *root;
    size_t deepest; /* components of the longest pattern, ** aside */
    unsigned mark;  /* the last walk up that came by */
    uint32_t index;
};

struct rules {
    struct arena arena;
    struct rules_role **roles; /* owned; the roles are in the arena */
    struct rules_item **items; /* owned, likewise */
    struct slice *attributes;  /* owned; the names */
    size_t role_count, item_count, attribute_count;
    struct strmap by_name;    /* name -> struct rules_role */
    struct rules_node *nodes; /* all of them */
    bool is_frozen;
};

/* Writes "where: words" and returns ERR_CONFIG. */
int rules_fail(struct rules_error *error, struct slice where, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Compiles the tree of a role whose parents are known. Returns 0 or ERR_CONFIG. */
int rules_compile(struct rules *rules, struct rules_role *role, struct rules_error *error);

/* Below 0: `a` goes before `b`, if both match the same URI with equally specific patterns. */
int rules_entry_compare(const struct rules_entry *a, const struct rules_entry *b);

/* The literal child, or NULL. */
struct rules_node *rules_node_literal(const struct rules_node *node, struct slice text);

/* What is looked for in a tree: the entry that decides about one point. */
struct rules_search {
    enum rule_action action;
    rules_attribute_fn *attribute;
    void *ctx;
    const struct rules_point *point;
    const struct rules_entry *found;
    unsigned char path[MAX_URI_COMPONENTS + 1]; /* kinds of components on the way */
    unsigned char found_path[MAX_URI_COMPONENTS + 1];
    size_t found_depth;
};

/* The entry that decides, or NULL. Sets s->found; the rest of *s is as the caller has set it. */
const struct rules_entry *rules_search(struct rules_search *s, const struct rules_node *root);

/* Why a verdict is what it is. */
struct rules_reason {
    const struct rules_entry *entry; /* NULL: no rule */
    struct rules_point point;        /* what it decided about; no component: there is no URI */
    struct rules_point given;        /* the same, without what only the entry's pattern says */
};

/* Judges a question with a pattern. */
enum rule_effect rules_contain(const struct rules_role *role, const struct rules_question *question,
                               struct rules_reason *reason);

/* The same as rules_decide, with the reason. */
enum rule_effect rules_judge(const struct rules *rules, const struct rules_question *question,
                             struct rules_reason *reason);

#endif
