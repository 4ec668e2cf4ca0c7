/* permit.h -- whether a session may do what it asks for, by the rules of its role.
 *
 * A realm without rules allows everything, and a trusted session may do everything.
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_PERMIT_H
#define NEXUS_CORE_PERMIT_H

#include "core/rules.h"
#include "core/session.h"

/* Judges. *grant is filled in when it is allowed. The URI must be valid for its use. */
enum rule_effect permit_judge(const struct core *core, const struct session *session,
                              enum rule_action action, enum match match, struct slice uri,
                              struct grant *grant);

/* Whose attributes a pattern asks for; and the text of one, that is not one of several in a list. */
struct permit_subject {
    const struct core *core;
    const struct session *session;
};

struct slice permit_attribute(void *subject, struct slice name);

/* The same judgement with its reasons. False: none is made, as everything is allowed, or the rules have
 * changed and the session has no role in them (*effect). */
bool permit_explain(const struct core *core, const struct session *session, enum rule_action action,
                    enum match match, struct slice uri, struct rules_explanation *explanation,
                    enum rule_effect *effect);

/* The role of a session by name; RULE_NO_ROLE when the realm has no such role. */
uint32_t permit_role(const struct core *core, struct slice authrole);

#endif
