/* audience_tree.h -- what a predicate says of sessions, by what it looked at.
 *
 * A predicate that looks at the same attributes and sees the same values says the
 * same. So whoever runs it notes what it looked at, in order, and adds the way and
 * the answer; the next session that goes the same way needs no run. Each node
 * names what is looked at next, its children are the values seen so far
 * (absent is one of them), and a leaf is yes or no.
 *
 *     tree = audience_tree_new(core);
 *     core_each_subscriber(core, question, grant, fn, ctx);  where fn does
 *         if (audience_tree_ask(tree, session) == AUDIENCE_UNKNOWN)
 *             audience_tree_add(tree, session, looks, count, run the predicate);
 *     decision.grant.audience = audience_of_tree(tree);
 *
 * A predicate that looks at what only one session has, or whose last MAX_AUDIENCE_MISSES
 * answers were of no use to any other session, is asked for each session. Lists are
 * such a thing, unless they are asked for a member. Who is not in the tree is not
 * let in.
 *
 * A tree belongs to one core, whose thread it is used on, and is freed before it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_AUDIENCE_TREE_H
#define NEXUS_CORE_AUDIENCE_TREE_H

#include "wire/codec.h"

struct core;
struct session;
struct audience_tree;

enum audience_answer { AUDIENCE_UNKNOWN, AUDIENCE_NO, AUDIENCE_YES };

/* What a predicate looked at. */
enum audience_look_kind {
    LOOK_VALUE, /* the value of an attribute */
    LOOK_HAS,   /* whether it is a value, or has it as a member */
    LOOK_SELF,  /* something that no other session shares */
};

struct audience_look {
    enum audience_look_kind kind;
    struct slice attribute; /* VALUE, HAS */
    struct token value;     /* HAS; one that no attribute can have is LOOK_SELF */
};

struct audience_tree *audience_tree_new(struct core *core);
void audience_tree_free(struct audience_tree *tree); /* NULL is fine */

/* What is known of the session. */
enum audience_answer audience_tree_ask(struct audience_tree *tree, const struct session *session);

/* Adds what the predicate said of a session, and what it looked at for that, each thing once. The
 * order is the one in which it looked first. */
void audience_tree_add(struct audience_tree *tree, const struct session *session,
                       const struct audience_look *looks, size_t count, bool is_in);

/* The same as AUDIENCE_YES; changes nothing. */
bool audience_tree_admits(const struct audience_tree *tree, const struct session *session);

/* How many answers are kept for one session each, and not for what some have in common. */
size_t audience_tree_per_session(const struct audience_tree *tree);

#endif
