/* explain.h -- which rule decides and why, in words: for people at a prompt, and for administrators.
 *
 *   denied  rule  policy.lua:14  user: deny * com.acme.admin.**
 *           beats policy.lua:12  user: allow call subscribe com.acme.**
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_EXPLAIN_H
#define NEXUS_POLICY_EXPLAIN_H

#include "base/writer.h"
#include "core/rules.h"
#include "policy/policy.h"

#define EXPLAIN_WORDS_LEN 300

/* What somebody with these attributes would do. */
struct explain_question {
    enum codec codec;
    struct slice attributes; /* encoded dict with authrole in it */
    enum rule_action action;
    enum match match;
    struct slice uri;
    bool is_session; /* the attributes are all that one has */
};

/* Judges it by the rules of a policy. False: there is no answer, and `words` (EXPLAIN_WORDS_LEN) say
 * why. */
bool explain_attributes(const struct policy *policy, const struct explain_question *question,
                        struct rules_explanation *explanation, char *words) MUST_CHECK;

/* Writes it, without a line end behind the last line. Where a rule asks, the last line names
 * policy.authorize. `policy` NULL: there are no rules. */
void explain_write(struct writer *out, const struct policy *policy,
                   const struct rules_explanation *explanation);

/* "denied", "asked", "allowed". */
const char *explain_effect(enum rule_effect effect);

/* The action, the match of that name; false: there is none. */
bool explain_read_action(struct slice name, enum rule_action *action) MUST_CHECK;
bool explain_read_match(struct slice name, enum match *match) MUST_CHECK;

#endif
