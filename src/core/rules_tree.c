/* rules_tree.c -- the tree of a role: its rules and the inherited ones, by components.
 *
 * Each leaf knows for each action which of its rules counts. That is all that is left to know
 * of rules with the same pattern when a question comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/rules_priv.h"

/* What the building of one tree needs. */
struct builder {
    struct rules *rules;
    struct rules_role *role;
    struct rules_error *error;
};

int rules_entry_compare(const struct rules_entry *a, const struct rules_entry *b)
{
    const struct rule *one = &a->item->rule, *other = &b->item->rule;

    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    if (one->effect != other->effect)
        return one->effect < other->effect ? -1 : 1;
    if (a->item->order != b->item->order)
        return a->item->order < b->item->order ? -1 : 1;
    return 0;
}

struct rules_node *rules_node_literal(const struct rules_node *node, struct slice text)
{
    struct rules_node *child = node->literals;

    if (node->literal_count > FEW_LITERALS)
        return strmap_get(&node->by_text, text);
    while (child != NULL && !slice_eq(child->text, text))
        child = child->next;
    return child;
}

static struct rules_node *make_node(struct rules *rules, struct slice text)
{
    struct rules_node *node = arena_alloc(&rules->arena, sizeof(*node));

    *node = (struct rules_node){.text = text, .next_made = rules->nodes};
    strmap_init(&node->by_text, 3, 4);
    rules->nodes = node;
    return node;
}

static struct rules_node *literal_below(struct rules *rules, struct rules_node *node,
                                        struct slice text)
{
    struct rules_node *child = rules_node_literal(node, text);

    if (child != NULL)
        return child;
    child = make_node(rules, text);
    child->next = node->literals;
    node->literals = child;
    node->literal_count++;
    if (node->literal_count == FEW_LITERALS + 1) {
        for (struct rules_node *each = child->next; each != NULL; each = each->next)
            (void)strmap_put(&node->by_text, each->text, each);
    }
    if (node->literal_count > FEW_LITERALS)
        (void)strmap_put(&node->by_text, text, child);
    return child;
}

static struct rules_node *session_below(struct rules *rules, struct rules_node *node,
                                        struct slice attribute)
{
    struct rules_node *child = node->sessions;

    while (child != NULL && !slice_eq(child->text, attribute))
        child = child->next;
    if (child != NULL)
        return child;
    child = make_node(rules, attribute);
    child->next = node->sessions;
    node->sessions = child;
    return child;
}

/* The child for a component of a pattern, made if need be. */
static struct rules_node *child_for(struct rules *rules, struct rules_node *node,
                                    const struct rules_component *component)
{
    switch (component->kind) {
    case RULES_LITERAL:
        return literal_below(rules, node, component->text);
    case RULES_SESSION:
        return session_below(rules, node, component->text);
    case RULES_ANY:
    case RULES_REST: /* never in a pattern's list */
        break;
    }
    if (node->any == NULL)
        node->any = make_node(rules, (struct slice){0});
    return node->any;
}

static bool same_captures(const struct rules_pattern *a, const struct rules_pattern *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->at[i].kind == RULES_ANY && !slice_eq(a->at[i].text, b->at[i].text))
            return false;
    }
    return true;
}

/* True when it makes no difference which of the two counts. Order is to make none. */
static bool is_as_good(const struct rules_item *a, const struct rules_item *b)
{
    const struct rule *one = &a->rule, *other = &b->rule;

    return one->disclose == other->disclose && one->trustlevel == other->trustlevel &&
           one->timeout_ms == other->timeout_ms && one->filter == other->filter &&
           slice_eq(one->options, other->options) && same_captures(&a->pattern, &b->pattern);
}

/* Looks for a rule of the same role at the same leaf that says the same and carries something
 * else. */
static int check_clash(const struct builder *b, const struct rules_leaf *leaf,
                       const struct rules_entry *added)
{
    const struct rules_item *item = added->item;

    for (const struct rules_entry *entry = leaf->entries; entry != NULL; entry = entry->next) {
        const struct rules_item *other = entry->item;

        if (entry->distance != added->distance || other->rule.effect != item->rule.effect ||
            (other->rule.actions & item->rule.actions) == 0 || is_as_good(other, item))
            continue;
        return rules_fail(b->error, item->rule.where,
                          "this rule and that of %.*s are for the same URIs and actions, and "
                          "differ in their captures or in what they carry; which one counts?",
                          (int)(other->rule.where.len < 80 ? other->rule.where.len : 80),
                          other->rule.where.data);
    }
    return 0;
}

static int insert(const struct builder *b, const struct rules_item *item, unsigned distance)
{
    struct rules_node *node = b->role->root;
    struct rules_entry *entry = arena_alloc(&b->rules->arena, sizeof(*entry));
    struct rules_leaf *leaf;

    *entry = (struct rules_entry){.item = item, .distance = distance};
    node->below |= item->rule.actions;
    for (size_t i = 0; i < item->pattern.count; i++) {
        node = child_for(b->rules, node, &item->pattern.at[i]);
        node->below |= item->rule.actions;
    }
    if (item->pattern.count > b->role->deepest)
        b->role->deepest = item->pattern.count;

    leaf = item->pattern.has_rest ? &node->rest : &node->end;
    int err = check_clash(b, leaf, entry);
    entry->next = leaf->entries;
    leaf->entries = entry;
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++) {
        const struct rules_entry **best = &leaf->best[i];

        if ((item->rule.actions & RULE_BIT(i)) != 0 &&
            (*best == NULL || rules_entry_compare(entry, *best) < 0))
            *best = entry;
    }
    return err;
}

static unsigned strict_of(const struct rules_leaf *leaf)
{
    unsigned set = 0;

    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++) {
        if (leaf->best[i] != NULL && leaf->best[i]->item->rule.effect != RULE_ALLOW)
            set |= RULE_BIT(i);
    }
    return set;
}

/* Returns node->strict. Trees are no deeper than MAX_URI_COMPONENTS. */
static unsigned set_strict(struct rules_node *node)
{
    node->strict = strict_of(&node->end) | strict_of(&node->rest);
    for (struct rules_node *child = node->literals; child != NULL; child = child->next)
        node->strict |= set_strict(child);
    for (struct rules_node *child = node->sessions; child != NULL; child = child->next)
        node->strict |= set_strict(child);
    if (node->any != NULL)
        node->strict |= set_strict(node->any);
    return node->strict;
}

int rules_compile(struct rules *rules, struct rules_role *role, struct rules_error *error)
{
    struct builder b = {rules, role, error};
    unsigned distance = 0;

    role->root = make_node(rules, (struct slice){0});
    for (const struct rules_role *from = role; from != NULL; from = from->parent, distance++) {
        for (const struct rules_item *item = from->first; item != NULL; item = item->next) {
            int err = insert(&b, item, distance);

            if (err != 0)
                return err;
        }
    }
    (void)set_strict(role->root);
    return 0;
}
