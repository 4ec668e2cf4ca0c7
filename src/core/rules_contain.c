/* rules_contain.c -- judging a SUBSCRIBE or REGISTER with a pattern by all URIs it could match.
 *
 * There are endless URIs, but few need a look. Of a rule that cuts into the question's pattern,
 * take the URIs of one length that both match, and of those one that is as new as can be: every
 * component that neither fixes is a word that no rule and no attribute has. All other rules that
 * match this URI match all the others too. So if this rule does not decide here, it decides
 * nowhere at this length; and if it does, it decides about at least one URI. Hence one decision
 * for each rule that cuts in and each length tells all that can happen.
 *
 * Rules that are no stricter than what was found need no look: where one of those does not
 * decide, the one that does is looked at by itself. What no rule matches is found the same way, by
 * the newest URIs of the question's pattern alone. Lengths matter for prefixes only, up to one
 * more than any rule has components: beyond, every length is like that one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/rules_priv.h"

/* All URIs that the question's pattern matches. */
struct region {
    struct rules_point given; /* components that it fixes; count is that of the longest URIs */
    size_t min;               /* components of the shortest */
    size_t stem_at;           /* the component that begins with `stem`, of a prefix */
    struct slice stem;
};

/* The look at all rules that cut in. */
struct sweep {
    const struct region *region;
    struct rules_search search;
    const struct rules_node *root;
    struct rules_point point;
    struct rules_reason *reason; /* the strictest so far */
    enum rule_effect effect;
};

static bool set_wildcard(struct region *region, struct slice uri)
{
    if (!rules_point_split(&region->given, uri))
        return false;
    region->min = region->given.count;
    region->stem_at = SIZE_MAX;
    return true;
}

static bool set_prefix(struct region *region, struct slice uri, size_t deepest)
{
    struct rules_point *given = &region->given;
    size_t last;

    if (!rules_point_split(given, uri))
        return false;
    last = given->count - 1;
    for (size_t i = 0; i < last; i++) {
        if (given->at[i].data == NULL)
            return false;
    }
    region->min = given->count;
    region->stem_at = last;
    region->stem = given->at[last];
    given->at[last] = (struct slice){0};
    while (given->count < MAX_URI_COMPONENTS && given->count < deepest + 1)
        given->at[given->count++] = (struct slice){0};
    return true;
}

/* True when the region has URIs with this component there. */
static bool admits(const struct region *region, size_t depth, struct slice component)
{
    if (region->given.at[depth].data != NULL)
        return slice_eq(region->given.at[depth], component);
    return depth != region->stem_at || slice_starts_with(component, region->stem);
}

/* Decides about the newest URI of this length, and keeps the reason if it is the strictest.
 * Returns true when nothing can be stricter. */
static bool judge(struct sweep *sweep, size_t count)
{
    const struct rules_entry *entry;
    enum rule_effect effect;

    sweep->point.count = count;
    entry = rules_search(&sweep->search, sweep->root);
    effect = entry == NULL ? RULE_DENY : entry->item->rule.effect;
    if (effect < sweep->effect || sweep->reason->entry == NULL) {
        sweep->effect = effect;
        sweep->reason->entry = entry;
        sweep->reason->point = sweep->point;
    }
    return effect == RULE_DENY;
}

/* For ** behind `depth` components: every length. Returns as judge. */
static bool judge_lengths(struct sweep *sweep, size_t depth)
{
    const struct region *region = sweep->region;

    /* The longest first: they are what a rule without exceptions decides. */
    for (size_t i = depth; i < region->given.count; i++)
        sweep->point.at[i] = region->given.at[i];
    for (size_t count = region->given.count; count >= region->min && count >= depth; count--) {
        if (judge(sweep, count))
            return true;
    }
    return false;
}

/* True when the rule could change what was found. */
static bool is_stricter(const struct sweep *sweep, const struct rules_entry *entry)
{
    return entry != NULL && entry->item->rule.effect < sweep->effect;
}

static bool walk(struct sweep *sweep, const struct rules_node *node, size_t depth);

/* A child that wants this component, which may be none in particular. */
static bool walk_child(struct sweep *sweep, const struct rules_node *child, size_t depth,
                       struct slice component)
{
    if ((child->strict & RULE_BIT(sweep->search.action)) == 0)
        return false;
    sweep->point.at[depth] = component;
    return walk(sweep, child, depth + 1);
}

static bool walk_literals(struct sweep *sweep, const struct rules_node *node, size_t depth)
{
    struct slice given = sweep->region->given.at[depth];

    if (given.data != NULL) {
        const struct rules_node *child = rules_node_literal(node, given);

        return child != NULL && walk_child(sweep, child, depth, child->text);
    }
    for (const struct rules_node *child = node->literals; child != NULL; child = child->next) {
        if (admits(sweep->region, depth, child->text) &&
            walk_child(sweep, child, depth, child->text))
            return true;
    }
    return false;
}

/* A component that URIs can have. */
static bool is_component(struct slice value)
{
    return value.data != NULL && value.len != 0 && memchr(value.data, '.', value.len) == NULL &&
           uri_is_valid(value, MATCH_EXACT, false);
}

static bool walk_sessions(struct sweep *sweep, const struct rules_node *node, size_t depth)
{
    for (const struct rules_node *child = node->sessions; child != NULL; child = child->next) {
        struct slice value = sweep->search.attribute(sweep->search.ctx, child->text);

        if (is_component(value) && admits(sweep->region, depth, value) &&
            walk_child(sweep, child, depth, value))
            return true;
    }
    return false;
}

/* Looks at the rules at and below a node that deny or ask. The way to it is in sweep->point.
 * Returns as judge. */
static bool walk(struct sweep *sweep, const struct rules_node *node, size_t depth)
{
    const struct region *region = sweep->region;

    if (is_stricter(sweep, node->end.best[sweep->search.action]) && depth >= region->min &&
        depth <= region->given.count && judge(sweep, depth))
        return true;
    if (is_stricter(sweep, node->rest.best[sweep->search.action]) && judge_lengths(sweep, depth))
        return true;
    if (depth == region->given.count)
        return false;
    return walk_literals(sweep, node, depth) || walk_sessions(sweep, node, depth) ||
           (node->any != NULL && walk_child(sweep, node->any, depth, region->given.at[depth]));
}

/* The text of components that begin with the stem, and are new apart from that, is not known:
 * they have no data, and no literal can be taken for them. */
enum rule_effect rules_contain(const struct rules_role *role, const struct rules_question *question,
                               struct rules_reason *reason)
{
    struct region region;
    struct sweep sweep;

    reason->entry = NULL;
    reason->point.count = 0;
    reason->given.count = 0;
    if (question->match == MATCH_PREFIX ? !set_prefix(&region, question->uri, role->deepest)
                                        : !set_wildcard(&region, question->uri))
        return RULE_DENY;
    sweep.region = &region;
    sweep.root = role->root;
    sweep.reason = reason;
    sweep.effect = RULE_ALLOW;
    sweep.search.action = question->action;
    sweep.search.attribute = question->attribute;
    sweep.search.ctx = question->ctx;
    sweep.search.point = &sweep.point;
    if (!judge_lengths(&sweep, 0) && (role->root->strict & RULE_BIT(question->action)) != 0)
        (void)walk(&sweep, role->root, 0);
    reason->given = region.given;
    return sweep.effect;
}
