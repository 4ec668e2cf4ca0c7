/* rules_decide.c -- the walk down the tree, and verdicts.
 *
 * The walk goes to the more specific child first, so the first leaf it comes to decides. There
 * is one exception: two attributes of a session may have the same value, so {session.a} and
 * {session.b} are equally specific and both match. Then all of them are walked and the ways
 * are compared.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "core/rules_priv.h"

/* Takes the entry if it goes before the one that was found. Its way is s->path[0..depth]. */
static void consider(struct rules_search *s, const struct rules_entry *entry, size_t depth)
{
    if (s->found != NULL) {
        size_t shorter = depth < s->found_depth ? depth : s->found_depth;
        int order = memcmp(s->path, s->found_path, shorter + 1);

        if (order > 0 || (order == 0 && rules_entry_compare(s->found, entry) <= 0))
            return;
    }
    s->found = entry;
    s->found_depth = depth;
    memcpy(s->found_path, s->path, depth + 1);
}

static bool descend(struct rules_search *s, const struct rules_node *node, size_t depth);

static bool is_worth(const struct rules_search *s, const struct rules_node *node)
{
    return node != NULL && (node->below & RULE_BIT(s->action)) != 0;
}

static bool descend_sessions(struct rules_search *s, const struct rules_node *node, size_t depth)
{
    bool found = false;

    for (const struct rules_node *child = node->sessions; child != NULL; child = child->next) {
        struct slice value;

        if (!is_worth(s, child))
            continue;
        value = s->attribute(s->ctx, child->text);
        if (value.data == NULL || !slice_eq(value, s->point->at[depth]))
            continue;
        s->path[depth] = RULES_SESSION;
        found |= descend(s, child, depth + 1);
    }
    return found;
}

/* Returns whether something was found here or below. */
static bool descend(struct rules_search *s, const struct rules_node *node, size_t depth)
{
    const struct rules_entry *entry;

    if (depth == s->point->count) {
        entry = node->end.best[s->action];
        s->path[depth] = RULES_LITERAL;
    } else {
        struct slice component = s->point->at[depth];

        if (component.data != NULL) {
            const struct rules_node *child =
                node->literals == NULL ? NULL : rules_node_literal(node, component);

            s->path[depth] = RULES_LITERAL;
            if (is_worth(s, child) && descend(s, child, depth + 1))
                return true;
            if (node->sessions != NULL && descend_sessions(s, node, depth))
                return true;
        }
        s->path[depth] = RULES_ANY;
        if (is_worth(s, node->any) && descend(s, node->any, depth + 1))
            return true;
        entry = NULL;
    }
    if (entry == NULL) {
        entry = node->rest.best[s->action];
        s->path[depth] = RULES_REST;
    }
    if (entry == NULL)
        return false;
    consider(s, entry, depth);
    return true;
}

const struct rules_entry *rules_search(struct rules_search *s, const struct rules_node *root)
{
    s->found = NULL;
    (void)descend(s, root, 0);
    return s->found;
}

/* Cuts a URI that must be whole: false when a component is empty or there are too many. */
static bool split_exact(struct rules_point *point, struct slice uri)
{
    if (!rules_point_split(point, uri))
        return false;
    for (size_t i = 0; i < point->count; i++) {
        if (point->at[i].data == NULL)
            return false;
    }
    return true;
}

static const struct rules_entry *decide_exact(const struct rules_role *role,
                                              const struct rules_question *question,
                                              struct rules_point *point)
{
    struct rules_search s;

    if (!split_exact(point, question->uri)) {
        point->count = 0;
        return NULL;
    }
    s.action = question->action;
    s.attribute = question->attribute;
    s.ctx = question->ctx;
    s.point = point;
    return rules_search(&s, role->root);
}

static enum rule_effect effect_of(const struct rules_entry *entry)
{
    return entry == NULL ? RULE_DENY : entry->item->rule.effect;
}

static const struct rules_role *role_of(const struct rules *rules,
                                        const struct rules_question *question)
{
    CHECK(rules->is_frozen && question->role < rules->role_count &&
          question->action < RULE_ACTION_COUNT);
    return rules->roles[question->role];
}

enum rule_effect rules_judge(const struct rules *rules, const struct rules_question *question,
                             struct rules_reason *reason)
{
    const struct rules_role *role = role_of(rules, question);

    if (question->match != MATCH_EXACT)
        return rules_contain(role, question, reason);
    reason->entry = decide_exact(role, question, &reason->point);
    reason->given = reason->point;
    return effect_of(reason->entry);
}

/* Captures are read from what the question has given. */
static void set_verdict(struct rules_verdict *verdict, enum rule_effect effect,
                        const struct rules_entry *entry, const struct rules_point *given)
{
    const struct rules_pattern *pattern;

    verdict->effect = effect;
    verdict->rule = entry == NULL ? NULL : &entry->item->rule;
    verdict->capture_count = 0;
    if (entry == NULL || entry->item->pattern.captures == 0)
        return;
    pattern = &entry->item->pattern;
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->at[i].kind == RULES_ANY && pattern->at[i].text.len != 0)
            verdict->captures[verdict->capture_count++] =
                (struct rules_capture){pattern->at[i].text, given->at[i]};
    }
}

/* Kept apart, so that exact questions do not pay for its stack. */
__attribute__((noinline)) static enum rule_effect
decide_pattern(const struct rules_role *role, const struct rules_question *question,
               struct rules_verdict *verdict)
{
    struct rules_reason reason;
    enum rule_effect effect = rules_contain(role, question, &reason);

    set_verdict(verdict, effect, reason.entry, &reason.given);
    return effect;
}

enum rule_effect rules_decide(const struct rules *rules, const struct rules_question *question,
                              struct rules_verdict *verdict)
{
    const struct rules_role *role = role_of(rules, question);
    const struct rules_entry *entry;
    struct rules_point point;

    if (question->match != MATCH_EXACT)
        return decide_pattern(role, question, verdict);
    entry = decide_exact(role, question, &point);
    set_verdict(verdict, effect_of(entry), entry, &point);
    return verdict->effect;
}
