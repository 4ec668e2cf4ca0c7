/* rules_kit.h -- rules written as lines, and sessions as lists of attributes.
 *
 *     "user < guest"                         a role that inherits
 *     "allow call subscribe com.acme.**"     a rule of the role above it
 *
 * Lines are counted from 1; the place of a rule is the number of its line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_RULES_KIT_H
#define NEXUS_SPEC_RULES_KIT_H

#include "base/check.h"
#include "core/rules.h"
#include "unit.h"

#define MAX_KIT_ATTRIBUTES 8

/* Attributes of a session by name; ends with a NULL. */
struct kit_session {
    const char *names[MAX_KIT_ATTRIBUTES];
    const char *values[MAX_KIT_ATTRIBUTES]; /* NULL: no text */
};

static inline struct slice kit_attribute(void *ctx, struct slice name)
{
    const struct kit_session *session = ctx;

    for (size_t i = 0; session->names[i] != NULL; i++) {
        if (slice_eq(slice_of(session->names[i]), name))
            return slice_of(session->values[i]);
    }
    return (struct slice){0};
}

static inline enum rule_effect kit_effect(struct slice word)
{
    for (unsigned i = 0; i < RULE_EFFECT_COUNT; i++) {
        if (slice_eq(word, slice_of(rules_effect_name((enum rule_effect)i))))
            return (enum rule_effect)i;
    }
    return RULE_EFFECT_COUNT;
}

/* The text before `mark`, which must be in it, and what is behind. */
static inline struct slice kit_cut(struct slice *text, char mark, bool last)
{
    const char *at =
        last ? memrchr(text->data, mark, text->len) : memchr(text->data, mark, text->len);
    struct slice before;

    CHECK(at != NULL);
    before = slice_make(text->data, (size_t)(at - text->data));
    *text = slice_make(at + 1, text->len - before.len - 1);
    return before;
}

/* Adds one line. A rule that carries something has it in *extra, or NULL. */
static inline int kit_add(struct rules *rules, const char *line, uint32_t *role, unsigned number,
                          const struct rule *extra, struct rules_error *error)
{
    char where[24];
    struct rule rule = {.trustlevel = -1};
    struct slice rest = slice_of(line);
    size_t word = strcspn(line, " ");
    int err;

    if (extra != NULL)
        rule = *extra;
    (void)snprintf(where, sizeof(where), "%u", number);
    rule.where = slice_of(where);
    rule.effect = kit_effect(slice_make(line, word));
    if (rule.effect == RULE_EFFECT_COUNT) {
        size_t behind = line[word] == '\0' ? word : word + 3;

        return rules_add_role(rules, slice_make(line, word), slice_of(line + behind), rule.where,
                              role, error);
    }
    (void)kit_cut(&rest, ' ', false);
    err = rules_parse_actions(kit_cut(&rest, ' ', true), &rule.actions, error);
    rule.uri = rest;
    return err != 0 ? err : rules_add(rules, *role, &rule, error);
}

/* The rules of these lines, which end with a NULL; NULL and the error when they are wrong. */
static inline struct rules *kit_try(const char *const *lines, struct rules_error *error)
{
    struct rules *rules = rules_new();
    uint32_t role = 0;
    int err = 0;

    for (unsigned i = 0; err == 0 && lines[i] != NULL; i++)
        err = kit_add(rules, lines[i], &role, i + 1, NULL, error);
    if (err == 0)
        err = rules_freeze(rules, error);
    if (err == 0)
        return rules;
    rules_free(rules);
    return NULL;
}

static inline struct rules *kit_rules(const char *const *lines)
{
    struct rules_error error;
    struct rules *rules = kit_try(lines, &error);

    if (rules == NULL) {
        printf("%s\n", error.words);
        CHECK(rules != NULL);
    }
    return rules;
}

/* "subscribe prefix com.acme." as a question of a role; "call com.acme.x" is exact. */
static inline struct rules_question kit_question(const struct rules *rules, const char *role,
                                                 struct kit_session *session, const char *text)
{
    struct rules_question question = {
        .role = rules_find_role(rules, slice_of(role)),
        .attribute = kit_attribute,
        .ctx = session,
    };
    struct slice rest = slice_of(text), word = kit_cut(&rest, ' ', false);

    while (!slice_eq(word, slice_of(rules_action_name(question.action))))
        question.action++;
    for (enum match match = 0; match < MATCH_COUNT; match++) {
        struct slice name = slice_of(match_name(match));

        if (slice_starts_with(rest, name) && rest.len > name.len && rest.data[name.len] == ' ') {
            question.match = match;
            (void)kit_cut(&rest, ' ', false);
            break;
        }
    }
    question.uri = rest;
    return question;
}

/* Fails unless the role may do what the text says, or may not: "allow 12" names the effect and
 * the line of the rule, "deny" is that no rule matches. */
static inline void kit_expect(const struct rules *rules, const char *role,
                              struct kit_session *session, const char *text, const char *expected)
{
    struct rules_question question = kit_question(rules, role, session, text);
    struct rules_verdict verdict;
    char have[64];

    (void)rules_decide(rules, &question, &verdict);
    (void)snprintf(have, sizeof(have), "%s%s%.*s", rules_effect_name(verdict.effect),
                   verdict.rule == NULL ? "" : " ",
                   verdict.rule == NULL ? 0 : (int)verdict.rule->where.len,
                   verdict.rule == NULL ? "" : verdict.rule->where.data);
    if (strcmp(have, expected) != 0)
        UNIT_FAIL("%s: %s is \"%s\", expected \"%s\"", role, text, have, expected);
}

#endif
