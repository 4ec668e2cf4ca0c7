/* kept.h -- answers of somebody who was asked, for those who would get the same.
 *
 * Whoever answers says which attributes of the session were read for it, in order. An answer
 * is filed under the action, the URI and its match, and then under the values of those
 * attributes: a node of the tree names what is read next, its children are the values, and
 * absent is one of them. Sessions with other values find other answers, or none.
 *
 * Values are numbers of the intern table. What only one session has (its id, an attribute that
 * is a list or a dict) stands for that session, until its attributes change.
 *
 * Bounded by nodes and by bytes; what was not of use for longest goes first. An answer that
 * rewrites the message, says who gets the event, ends the session or has an ERROR of its own
 * making is not kept.
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_KEPT_H
#define NEXUS_CORE_KEPT_H

#include "base/list.h"
#include "base/map.h"
#include "core/ask.h"

struct core;
struct session;
struct forget;

struct kept {
    struct strmap trees[RULE_ACTION_COUNT][MATCH_COUNT]; /* URI -> struct kept_tree, owned */
    struct map nodes;                                    /* (serial of the parent, value) -> node */
    struct list by_use;    /* struct kept_tree; the one that was of use last at the end */
    size_t node_count;     /* roots included */
    size_t len;            /* bytes of URIs, reasons and words */
    size_t answer_count;   /* those that are over but still there included */
    uint64_t last_serial;  /* of nodes, and of sessions that stand for themselves */
    uint64_t last_cleared; /* answers to this question and those before it are not kept */
};

struct kept_answer {
    enum verdict verdict; /* VERDICT_ALLOW or VERDICT_DENY */
    struct grant grant;   /* ALLOW */
    const char *reason;   /* DENY: URI */
    const char *words;    /* or NULL */
    uint64_t until;       /* instant */
    size_t len;           /* of reason and words */
    char bytes[];
};

void kept_init(struct core *core);
void kept_fini(struct core *core);

/* The answer that the session would get, or NULL; borrowed until the next change. */
const struct kept_answer *kept_find(struct core *core, struct session *session,
                                    enum rule_action action, enum match match, struct slice uri);

/* Keeps what was decided, if it says so and can be kept. */
void kept_add(struct core *core, struct session *session, const struct question *question,
              const struct decision *decision);

/* The attributes of the session have changed. */
void kept_forget_session(struct core *core, struct session *session);

/* EV_FORGET */
void kept_forget(struct core *core, const struct forget *forget);

/* Forgets everything, and answers to questions that are open. */
void kept_clear(struct core *core);

void kept_check(const struct core *core);

#endif
