/* rules.h -- who may do what: the authorization rules of the roles of one realm.
 *
 * A rule allows, denies or asks about actions on the URIs of a pattern. The most specific
 * pattern wins, compared component by component from the left: a literal, {session.x}, '*' or
 * {name}, and last '**'. Where two are equal, a rule of the role itself goes before an
 * inherited one, then deny before ask before allow. What no rule matches is denied.
 *
 * SUBSCRIBE and REGISTER may have a pattern of their own, and are judged by containment: by
 * every URI that the pattern could ever match. One that is denied, or that no rule matches,
 * denies it; else one that is asked about makes it a question. A prefix is one of text: "com.acme"
 * is also for com.acmex, "com.acme." is not. Reserved URIs (wamp.*) are judged as all others.
 *
 * Rules are added in any order, then compiled: a tree of components for each role, with the
 * inherited rules in it. After that nothing changes, so threads may share them. A decision is
 * one walk down the tree; it allocates nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RULES_H
#define NEXUS_CORE_RULES_H

#include "core/rules_pattern.h"

struct audience;

#define RULE_NO_ROLE UINT32_MAX

enum rule_action { RULE_CALL, RULE_REGISTER, RULE_PUBLISH, RULE_SUBSCRIBE, RULE_ACTION_COUNT };

/* For sets of actions. */
#define RULE_BIT(action) (1U << (action))
#define RULE_ALL_ACTIONS (RULE_BIT(RULE_ACTION_COUNT) - 1)

/* The strictest first: that is the order in which they beat each other. */
enum rule_effect { RULE_DENY, RULE_ASK, RULE_ALLOW, RULE_EFFECT_COUNT };

/* Whether the session is named to whoever receives. */
enum rule_disclose { RULE_DISCLOSE_AS_ASKED, RULE_DISCLOSE_NEVER, RULE_DISCLOSE_ALWAYS };

struct rule {
    enum rule_effect effect;
    unsigned actions;   /* a set of RULE_BIT */
    struct slice uri;   /* the pattern */
    struct slice where; /* its place in the source, "policy.lua:14": for errors and explanations */

    /* What an allow rule may carry; the others leave it as it is here. */
    enum rule_disclose disclose; /* RULE_DISCLOSE_AS_ASKED */
    int64_t trustlevel;          /* -1: none */
    uint64_t timeout_ms;         /* upper bound for calls; 0: none */
    /* Who may get what is published: held by the rules, without a tree; NULL: everybody. A copy of
     * the pointer is what makes two rules equal. */
    const struct audience *filter;
    /* They stand before those of the message: an encoded dict in MessagePack; len 0: none. */
    struct slice options;

    uint32_t role; /* set by rules_add: where the rule is written, not who inherited it */
};

struct rules;

/* No roles, no rules. */
struct rules *rules_new(void);
void rules_free(struct rules *rules);

/* Adds a role; `inherit` is the name of another one, added earlier or later, or empty. Returns 0
 * and the role's index, which counts from 0, or ERR_CONFIG with the error filled in. */
int rules_add_role(struct rules *rules, struct slice name, struct slice inherit, struct slice where,
                   uint32_t *role, struct rules_error *error) MUST_CHECK;

/* Adds a copy of a rule to a role. Returns 0, or ERR_CONFIG with the error filled in. */
int rules_add(struct rules *rules, uint32_t role, const struct rule *rule,
              struct rules_error *error) MUST_CHECK;

/* Compiles, once. Returns 0, or ERR_CONFIG with the error filled in: a role inherits from one
 * that is not there, or from itself; or of two rules it cannot be told which one counts, since
 * they are for the same URIs and differ in no more than what they carry. After an error nothing
 * but rules_free is allowed. */
int rules_freeze(struct rules *rules, struct rules_error *error) MUST_CHECK;

/* Reads "call subscribe" or "*" into a set of actions. Returns 0, or ERR_CONFIG. */
int rules_parse_actions(struct slice text, unsigned *actions, struct rules_error *error) MUST_CHECK;

/* "call", "register", "publish", "subscribe"; "deny", "ask", "allow". */
const char *rules_action_name(enum rule_action action);
const char *rules_effect_name(enum rule_effect effect);

/* The index of a role, or RULE_NO_ROLE. */
uint32_t rules_find_role(const struct rules *rules, struct slice name);
struct slice rules_role_name(const struct rules *rules, uint32_t role);
size_t rules_role_count(const struct rules *rules);

/* How many rules there are, and each of them in the order they were added. */
size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t i);

/* The names of the attributes in patterns, each once: i from 0, until data is NULL. */
struct slice rules_attribute_name(const struct rules *rules, size_t i);

struct rules_question {
    uint32_t role;
    enum rule_action action;
    enum match match; /* of a SUBSCRIBE or REGISTER; else MATCH_EXACT */
    struct slice uri; /* valid by the grammar; one that is not is denied */
    rules_attribute_fn *attribute;
    void *ctx; /* for `attribute` */
};

struct rules_capture {
    struct slice name;
    struct slice value; /* of the question's URI; data is NULL where its pattern leaves it open */
};

struct rules_verdict {
    enum rule_effect effect;
    /* The rule that decided, or NULL: none matches. For a pattern that is allowed it is the one
     * that decides what no more specific rule does. */
    const struct rule *rule;
    size_t capture_count;
    struct rules_capture captures[MAX_RULE_CAPTURES]; /* of `rule`, from the left */
};

/* Judges; returns verdict->effect. The rules must be frozen. */
enum rule_effect rules_decide(const struct rules *rules, const struct rules_question *question,
                              struct rules_verdict *verdict);

#define MAX_RULES_EXPLAINED 32

/* For people: the verdict, and what it was chosen from. */
struct rules_explanation {
    struct rules_verdict verdict;
    /* A URI that the question's pattern matches, and that alone has the same verdict by the same
     * rule; of an exact question, its URI. Data is NULL when it matches no URI at all. */
    struct slice example;
    size_t beaten_count;                            /* also of those that have no place here */
    const struct rule *beaten[MAX_RULES_EXPLAINED]; /* also match the example; best first */
    char text[MAX_URI_LEN];                         /* what `example` points into */
};

/* The same judgement, slowly, with its reasons. */
void rules_explain(const struct rules *rules, const struct rules_question *question,
                   struct rules_explanation *explanation);

#endif
