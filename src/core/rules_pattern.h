/* rules_pattern.h -- the notation for URIs in policies, parsed, and what it matches by definition.
 *
 *     com.acme.org.{org}.user.*      {org} is one component, and captures it; * is one component
 *     com.acme.org.{session.org}.**  the session's attribute org; a final ** is any number, also none
 *
 * A URI without any of these is a pattern that matches itself. rules.h finds what matches
 * faster, in a tree; here a pattern is compared component by component.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RULES_PATTERN_H
#define NEXUS_CORE_RULES_PATTERN_H

#include "base/arena.h"
#include "wire/uri.h"

#define MAX_RULE_CAPTURES 16

/* What a component of a pattern is, most specific first; rules are compared by this order. */
enum rules_kind { RULES_LITERAL, RULES_SESSION, RULES_ANY, RULES_REST };

struct rules_component {
    enum rules_kind kind;
    struct slice text; /* the literal; the attribute; the name of a capture, empty for '*' */
};

struct rules_pattern {
    struct slice text;                /* as written */
    const struct rules_component *at; /* all but a final ** */
    size_t count;                     /* at most MAX_URI_COMPONENTS */
    size_t captures;                  /* how many components have a name */
    bool has_rest;                    /* it ends in ** */
};

/* What is wrong with a pattern, a rule or a set of them. */
struct rules_error {
    char words[320]; /* for people: where, what was found, what is allowed */
    size_t at;       /* of a pattern: the octet at which it goes wrong, from 0 */
};

/* The session's attribute of that name when it is a text; else data is NULL, which matches
 * nothing. Must give the same answer for as long as one question is judged. */
typedef struct slice rules_attribute_fn(void *ctx, struct slice name);

/* The components of a URI, or of all URIs of some shape: where data is NULL the component
 * is one that nobody has named, different from every literal and attribute. */
struct rules_point {
    struct slice at[MAX_URI_COMPONENTS];
    size_t count;
};

/* Parses `text`, which lives as long as the pattern. Returns 0 or ERR_CONFIG with the error
 * filled in. */
int rules_pattern_parse(struct rules_pattern *pattern, struct arena *arena, struct slice text,
                        struct rules_error *error) MUST_CHECK;

/* True when the pattern matches, for a session with these attributes. */
bool rules_pattern_matches(const struct rules_pattern *pattern, const struct rules_point *point,
                           rules_attribute_fn *attribute, void *ctx);

/* Below, at and above 0: `a` is more, equally, less specific than `b`. Both match the same URI. */
int rules_pattern_compare(const struct rules_pattern *a, const struct rules_pattern *b);

/* True when the two match the same URIs in every session. Names of captures do not matter. */
bool rules_pattern_equal(const struct rules_pattern *a, const struct rules_pattern *b);

/* Cuts a URI into its components; those that are empty have no data. False when there are
 * more than MAX_URI_COMPONENTS. */
bool rules_point_split(struct rules_point *point, struct slice uri);

#endif
