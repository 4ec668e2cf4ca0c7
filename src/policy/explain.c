/* explain.c -- see explain.h. The judging is that of core/rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/explain.h"

#include "base/arena.h"
#include "base/mem.h"
#include "policy/policy_priv.h"
#include "policy/records.h"
#include "wire/msg.h"
#include "wire/uri.h"

#include <stdio.h>
#include <stdlib.h>

static void put(struct writer *out, const char *text)
{
    writer_write(out, text, strlen(text));
}

static void put_slice(struct writer *out, struct slice text)
{
    writer_write(out, text.data, text.len);
}

/* ---- judging ---- */

struct subject {
    const struct explain_question *question;
    struct arena *arena;
};

/* The text of a list of one, as of a session that has one value of that name. */
static struct slice only_text(struct slice list, enum codec codec, struct arena *arena)
{
    struct dict_walk item;
    struct slice text, none = {0};

    list_walk(&item, codec, list, arena);
    if (!list_next(&item) || item.token.type != TOKEN_TEXT)
        return none;
    text = item.token.text;
    return list_next(&item) ? none : text;
}

static struct slice attribute_of(void *ctx, struct slice name)
{
    const struct subject *subject = ctx;
    const struct explain_question *question = subject->question;
    struct dict_walk entry;
    struct slice found = {0};

    dict_walk(&entry, question->codec, question->attributes, subject->arena);
    while (dict_next(&entry)) {
        if (!slice_eq(entry.key, name))
            continue;
        found = (struct slice){0};
        if (entry.token.type == TOKEN_TEXT)
            found = entry.token.text;
        else if (entry.token.type == TOKEN_LIST)
            found = only_text(entry.value, question->codec, subject->arena);
    }
    return found;
}

/* False: no session has an attribute of that name, or of that type; words say so. */
static bool knows(const struct policy *policy, const struct dict_walk *entry, char *words)
{
    const struct attribute *attribute = policy_attribute(policy, entry->key);
    const char *wanted = attribute == NULL ? NULL : records_wanted(attribute, &entry->token);
    int len = (int)(entry->key.len < 60 ? entry->key.len : 60);
    struct guess guess;
    char meant[128];

    if (!policy_knows_attribute(policy, entry->key, &guess))
        snprintf(words, EXPLAIN_WORDS_LEN, "no attribute \"%.*s\"%s", len, entry->key.data,
                 guess_words(&guess, meant));
    else if (wanted != NULL && entry->token.type != TOKEN_LIST)
        snprintf(words, EXPLAIN_WORDS_LEN, "%.*s must be %s, as policy.attributes says", len,
                 entry->key.data, wanted);
    else
        return true;
    return false;
}

/* The same of all. */
static bool knows_all(const struct policy *policy, const struct subject *subject, char *words)
{
    const struct explain_question *question = subject->question;
    struct dict_walk entry;

    dict_walk(&entry, question->codec, question->attributes, subject->arena);
    while (dict_next(&entry)) {
        if (!knows(policy, &entry, words))
            return false;
    }
    return true;
}

static uint32_t role_of(const struct rules *rules, struct slice name)
{
    uint32_t role = rules_find_role(rules, name);

    return role != RULE_NO_ROLE ? role : rules_find_role(rules, SLICE("*"));
}

static int by_name(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->data, right->data, len);

    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

/* False, with words that name those that there are. */
static bool no_role(const struct rules *rules, struct slice role, char *words)
{
    size_t count = rules_role_count(rules);
    struct slice *names = mem_zero(count + 1, sizeof(*names));
    struct writer out;

    for (size_t i = 0; i < count; i++)
        names[i] = rules_role_name(rules, (uint32_t)i);
    qsort(names, count, sizeof(*names), by_name);
    writer_init(&out, 0);
    for (size_t i = 0; i < count; i++) {
        put(&out, i == 0 ? "; there are " : ", ");
        put_slice(&out, names[i]);
    }
    snprintf(words, EXPLAIN_WORDS_LEN, "the policy has no role \"%.*s\"%.*s",
             (int)(role.len < 100 ? role.len : 100), role.data,
             (int)(out.len < 150 ? out.len : 150), (const char *)writer_slice(&out).data);
    writer_fini(&out);
    mem_free(names);
    return false;
}

static bool judge(const struct policy *policy, struct subject *subject,
                  struct rules_explanation *explanation, char *words)
{
    const struct explain_question *question = subject->question;
    struct rules_question asked = {.action = question->action,
                                   .match = question->match,
                                   .uri = question->uri,
                                   .attribute = attribute_of,
                                   .ctx = subject};
    struct slice role = attribute_of(subject, SLICE("authrole"));

    if (role.len == 0) {
        snprintf(words, EXPLAIN_WORDS_LEN, "authrole is missing; it must be a text");
        return false;
    }
    if (!uri_is_valid(question->uri, question->match, false)) {
        snprintf(words, EXPLAIN_WORDS_LEN, "found \"%.*s\"; allowed: a URI",
                 (int)(question->uri.len < 200 ? question->uri.len : 200), question->uri.data);
        return false;
    }
    if (!question->is_session && !knows_all(policy, subject, words))
        return false;
    asked.role = role_of(policy->rules, role);
    if (asked.role == RULE_NO_ROLE)
        return no_role(policy->rules, role, words);
    rules_explain(policy->rules, &asked, explanation);
    return true;
}

bool explain_attributes(const struct policy *policy, const struct explain_question *question,
                        struct rules_explanation *explanation, char *words)
{
    struct arena arena;
    struct subject subject = {question, &arena};
    bool is_judged;

    arena_init(&arena);
    is_judged = judge(policy, &subject, explanation, words);
    arena_fini(&arena);
    return is_judged;
}

/* ---- words ---- */

/* "policy.lua:14  user: deny * com.acme.admin.**" */
static void put_rule(struct writer *out, const struct rules *rules, const struct rule *rule)
{
    const char *between = "";

    put_slice(out, rule->where);
    put(out, "  ");
    put_slice(out, rules_role_name(rules, rule->role));
    put(out, ": ");
    put(out, rules_effect_name(rule->effect));
    put(out, " ");
    if (rule->actions == RULE_ALL_ACTIONS)
        put(out, "*");
    for (unsigned i = 0; i < RULE_ACTION_COUNT && rule->actions != RULE_ALL_ACTIONS; i++) {
        if ((rule->actions & RULE_BIT(i)) == 0)
            continue;
        put(out, between);
        put(out, rules_action_name((enum rule_action)i));
        between = " ";
    }
    put(out, " ");
    put_slice(out, rule->uri);
}

const char *explain_effect(enum rule_effect effect)
{
    static const char *const words[] = {
        [RULE_DENY] = "denied", [RULE_ASK] = "asked", [RULE_ALLOW] = "allowed"};

    return words[effect];
}

void explain_write(struct writer *out, const struct policy *policy,
                   const struct rules_explanation *explanation)
{
    const struct rules_verdict *verdict = &explanation->verdict;
    char effect[16];

    snprintf(effect, sizeof(effect), "%-7s", explain_effect(verdict->effect));
    put(out, effect);
    if (policy == NULL || verdict->rule == NULL) {
        put(out, verdict->effect == RULE_ALLOW ? " there are no rules" : " no rule is for it");
        return;
    }
    put(out, " rule  ");
    put_rule(out, policy->rules, verdict->rule);
    for (size_t i = 0; i < explanation->beaten_count && i < MAX_RULES_EXPLAINED; i++) {
        put(out, "\n        beats ");
        put_rule(out, policy->rules, explanation->beaten[i]);
    }
    if (verdict->effect != RULE_ASK)
        return;
    put(out, "\n        asks  ");
    put(out, policy->has_authorize ? policy->authorize_at : "nobody: there is no");
    put(out, policy->has_authorize ? "  policy.authorize" : " policy.authorize");
}

/* ---- names ---- */

bool explain_read_action(struct slice name, enum rule_action *action)
{
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++) {
        *action = (enum rule_action)i;
        if (slice_eq(name, slice_of(rules_action_name(*action))))
            return true;
    }
    return false;
}

bool explain_read_match(struct slice name, enum match *match)
{
    static const struct {
        const char *name;
        enum match match;
    } known[] = {{"exact", MATCH_EXACT}, {"prefix", MATCH_PREFIX}, {"wildcard", MATCH_WILDCARD}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        *match = known[i].match;
        if (slice_eq(name, slice_of(known[i].name)))
            return true;
    }
    return false;
}
