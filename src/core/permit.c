/* permit.c -- see permit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/permit.h"

#include "core/core_priv.h"

struct slice permit_attribute(void *ctx, struct slice name)
{
    const struct permit_subject *subject = ctx;
    const struct session *session = subject->session;
    uint32_t key = intern_find_text(&subject->core->intern, name);
    struct slice found = {0};
    unsigned count = 0;

    for (uint32_t i = 0; key != INTERN_NONE && i < session->tag_count; i++) {
        if (session->tags[i].key != key)
            continue;
        count++;
        if (intern_is_text(&subject->core->intern, session->tags[i].value))
            found = intern_get_text(&subject->core->intern, session->tags[i].value);
    }
    return count == 1 ? found : (struct slice){0};
}

/* No rule is for it. */
static bool is_free(const struct core *core, const struct session *session)
{
    return core->options.rules == NULL || session->is_trusted || session->is_operator;
}

enum rule_effect permit_judge(const struct core *core, const struct session *session,
                              enum rule_action action, enum match match, struct slice uri,
                              struct grant *grant)
{
    struct permit_subject subject = {core, session};
    struct rules_verdict verdict;
    const struct rule *rule;

    *grant = (struct grant){0};
    if (is_free(core, session))
        return RULE_ALLOW;
    if (UNLIKELY(session->rule_role == RULE_NO_ROLE))
        return RULE_DENY; /* the rules have changed since it came */
    if (rules_decide(core->options.rules,
                     &(struct rules_question){.role = session->rule_role,
                                              .action = action,
                                              .match = match,
                                              .uri = uri,
                                              .attribute = permit_attribute,
                                              .ctx = &subject},
                     &verdict) != RULE_ALLOW)
        return verdict.effect;
    rule = verdict.rule;
    *grant = (struct grant){.discloses = rule->disclose == RULE_DISCLOSE_ALWAYS,
                            .hides = rule->disclose == RULE_DISCLOSE_NEVER,
                            .has_trustlevel = rule->trustlevel >= 0,
                            .is_explicit = core_reserves(core, rule->uri),
                            .trustlevel = rule->trustlevel,
                            .timeout_ms = rule->timeout_ms,
                            .codec = CODEC_MSGPACK,
                            .options = rule->options,
                            .audience = action == RULE_PUBLISH ? rule->filter : NULL};
    return RULE_ALLOW;
}

bool permit_explain(const struct core *core, const struct session *session, enum rule_action action,
                    enum match match, struct slice uri, struct rules_explanation *explanation,
                    enum rule_effect *effect)
{
    struct permit_subject subject = {core, session};

    *effect = RULE_ALLOW;
    if (is_free(core, session))
        return false;
    *effect = RULE_DENY;
    if (session->rule_role == RULE_NO_ROLE)
        return false;
    rules_explain(core->options.rules,
                  &(struct rules_question){.role = session->rule_role,
                                           .action = action,
                                           .match = match,
                                           .uri = uri,
                                           .attribute = permit_attribute,
                                           .ctx = &subject},
                  explanation);
    *effect = explanation->verdict.effect;
    return true;
}

uint32_t permit_role(const struct core *core, struct slice authrole)
{
    uint32_t role;

    if (core->options.rules == NULL)
        return 0;
    role = rules_find_role(core->options.rules, authrole);
    return role != RULE_NO_ROLE ? role : rules_find_role(core->options.rules, SLICE("*"));
}
