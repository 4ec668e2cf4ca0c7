/* audience.h -- who may get an event, as data: what rules and policies say of it.
 *
 * An audience only ever narrows: what the publisher's own options keep out stays
 * out. It is made of conditions on attributes of sessions, joined by "both" and
 * "either", and never changes; it is counted, and may be shared by threads. (One
 * that holds a decision tree is of one realm; see audience_tree.h.)
 *
 * Values compare by type: the integer 3 is not the text "3". An attribute that is a
 * list has each of its members. What is absent equals nothing, on either side:
 * a session without the attribute is not let in by audience_only, and not kept out by
 * audience_except; where the publisher does not have what a value stands for,
 * that value is no value.
 *
 * For a publication an audience is read once, into numbers of the realm; a subscriber
 * then costs a few looks into a small set.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_AUDIENCE_H
#define NEXUS_CORE_AUDIENCE_H

#include "core/audience_tree.h"
#include "core/number_set.h"
#include "wire/codec.h"

struct audience;
struct core;
struct session;

/* One value of a condition. */
struct audience_value {
    bool is_publishers; /* all that the publisher has of the attribute that token.text names */
    struct token token; /* text, boolean, integer or float */
};

/* The name in "{session.name}"; data NULL: the text is nothing but a text. */
struct slice audience_placeholder(struct slice text);

/* Conditions; everything is copied. Those who have one of the values of an attribute, and those
 * who do not. Without values that is nobody, and everybody. NULL with a fault
 * (wamp.error.invalid_argument): a value is none that attributes have, or there are more than
 * MAX_FILTER_VALUES. */
struct audience *audience_only(struct slice attribute, const struct audience_value *values,
                               size_t count, struct fault *fault) MUST_CHECK;
struct audience *audience_except(struct slice attribute, const struct audience_value *values,
                                 size_t count, struct fault *fault) MUST_CHECK;
struct audience *audience_nobody(void);

/* Those that a tree lets in. The tree is owned from now on. */
struct audience *audience_of_tree(struct audience_tree *tree);

/* Those who are in both, or in either one. Holds what it is given. NULL with a fault: they are of
 * more than MAX_AUDIENCE_PARTS conditions. */
struct audience *audience_both(const struct audience *a, const struct audience *b,
                               struct fault *fault) MUST_CHECK;
struct audience *audience_either(const struct audience *a, const struct audience *b,
                                 struct fault *fault) MUST_CHECK;

const struct audience *audience_hold(const struct audience *audience);
void audience_drop(const struct audience *audience); /* NULL is fine */

/* True when nobody can ever be in it, for what it says itself. */
bool audience_is_nobody(const struct audience *audience);

/* True when there is a tree in it, so that it is about those who are there now. */
bool audience_has_tree(const struct audience *audience);

/* How many sessions a predicate had to be asked about for themselves alone. */
size_t audience_per_session(const struct audience *audience);

/* Bytes that it takes, its parts included. */
size_t audience_size(const struct audience *audience);

/* True when nothing in it refers to a publisher or to who is there now: it can be kept. */
bool audience_is_bound(const struct audience *audience);

/* What of it can be kept after its publisher has gone: values that stand for attributes of the
 * publisher are those attributes, and conditions with a tree are left out. Held once; NULL:
 * nothing is left, which lets everybody in. */
const struct audience *audience_bind(const struct audience *audience, const struct core *core,
                                     const struct session *publisher);

/* Whose attributes stand for placeholders: a session, else what was kept of one. */
struct audience_publisher {
    const struct session *session;
    enum codec codec;
    struct slice details; /* encoded dict; len 0: nobody */
};

/* An audience as numbers of a realm; in the arena. */
struct audience_test {
    enum audience_kind {
        AUDIENCE_NOBODY,
        AUDIENCE_ONLY,
        AUDIENCE_EXCEPT,
        AUDIENCE_TREE,
        AUDIENCE_BOTH,
        AUDIENCE_EITHER,
    } kind;
    uint32_t key; /* interned; INTERN_NONE: no session has such an attribute */
    struct number_set values;
    const struct audience_tree *tree;
    const struct audience_test *a, *b;
};

/* Reads it. Valid for the step. */
const struct audience_test *audience_read(const struct audience *audience, struct core *core,
                                          const struct audience_publisher *publisher);

/* True when the session is in the audience. */
bool audience_admits(const struct audience_test *test, const struct session *session);

#endif
