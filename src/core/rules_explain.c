/* rules_explain.c -- why a question was judged as it was: an example, and what was beaten.
 *
 * It goes through all rules one by one, not down the tree.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/rules_priv.h"

/* The rules that match, best first. */
struct ranking {
    struct rules_entry entries[MAX_RULES_EXPLAINED];
    size_t kept, count;
};

/* Below 0: `a` goes before `b`. */
static int compare(const struct rules_entry *a, const struct rules_entry *b)
{
    int order = rules_pattern_compare(&a->item->pattern, &b->item->pattern);

    return order != 0 ? order : rules_entry_compare(a, b);
}

static void rank(struct ranking *ranking, const struct rules_entry *entry)
{
    size_t i = ranking->kept;

    ranking->count++;
    if (i == MAX_RULES_EXPLAINED) {
        if (compare(&ranking->entries[--i], entry) < 0)
            return;
    } else {
        ranking->kept++;
    }
    for (; i != 0 && compare(entry, &ranking->entries[i - 1]) < 0; i--)
        ranking->entries[i] = ranking->entries[i - 1];
    ranking->entries[i] = *entry;
}

static void rank_all(struct ranking *ranking, const struct rules_role *role,
                     const struct rules_question *question, const struct rules_point *point)
{
    unsigned distance = 0;

    for (; role != NULL; role = role->parent, distance++) {
        for (const struct rules_item *item = role->first; item != NULL; item = item->next) {
            struct rules_entry entry = {.item = item, .distance = distance};

            if ((item->rule.actions & RULE_BIT(question->action)) != 0 &&
                rules_pattern_matches(&item->pattern, point, question->attribute, question->ctx))
                rank(ranking, &entry);
        }
    }
}

static bool append(struct rules_explanation *to, struct slice text)
{
    if (sizeof(to->text) - to->example.len < text.len)
        return false;
    if (text.len != 0)
        memcpy(to->text + to->example.len, text.data, text.len);
    to->example.len += text.len;
    return true;
}

/* What a component of a question with a prefix must begin with: nothing but for the one in which
 * the prefix ends. */
static struct slice stem_at(const struct rules_question *question, size_t at)
{
    struct slice rest = question->uri, component = {0};
    bool more = question->match == MATCH_PREFIX;
    size_t i = 0;

    for (; i <= at && more; i++)
        component = uri_component(&rest, &more);
    return i == at + 1 && !more ? component : (struct slice){0};
}

/* Writes the URIs of the point with a word for what is open: `len` letters. False when that is
 * too long for a URI. */
static bool write_example(struct rules_explanation *to, const struct rules_question *question,
                          const struct rules_point *point, size_t len)
{
    size_t open = 0;

    to->example = slice_make(to->text, 0);
    for (size_t i = 0; i < point->count; i++) {
        bool is_given = point->at[i].data != NULL;

        if (i != 0 && !append(to, SLICE(".")))
            return false;
        if (!append(to, is_given ? point->at[i] : stem_at(question, i)))
            return false;
        for (size_t k = 0; !is_given && k < len; k++) {
            if (!append(to, SLICE("x")))
                return false;
        }
        open += !is_given;
    }
    return point->count != 0 && (open != 0 || len == 1);
}

/* Words are tried until one is in no rule and no attribute, so that the verdict is the same. */
static bool find_example(const struct rules *rules, struct rules_explanation *to,
                         const struct rules_question *question, const struct rules_point *point)
{
    for (size_t len = 1; write_example(to, question, point, len); len++) {
        struct rules_question exact = *question;
        struct rules_verdict verdict;

        exact.match = MATCH_EXACT;
        exact.uri = to->example;
        if (rules_decide(rules, &exact, &verdict) == to->verdict.effect &&
            verdict.rule == to->verdict.rule)
            return true;
    }
    return false;
}

void rules_explain(const struct rules *rules, const struct rules_question *question,
                   struct rules_explanation *explanation)
{
    struct ranking ranking = {.count = 0};
    struct rules_reason reason;
    struct rules_point point;

    explanation->beaten_count = 0;
    (void)rules_decide(rules, question, &explanation->verdict);
    (void)rules_judge(rules, question, &reason);
    if (!find_example(rules, explanation, question, &reason.point)) {
        explanation->example = (struct slice){0};
        return;
    }
    if (!rules_point_split(&point, explanation->example))
        return;
    rank_all(&ranking, rules->roles[question->role], question, &point);
    for (size_t i = 0; i < ranking.kept; i++) {
        const struct rule *rule = &ranking.entries[i].item->rule;

        if (rule != explanation->verdict.rule)
            explanation->beaten[explanation->beaten_count++] = rule;
    }
    explanation->beaten_count += ranking.count - ranking.kept;
}
