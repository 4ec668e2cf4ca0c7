/* candidates.h -- who could get an event that is about to be published.
 *
 * For whoever decides who gets it: with a predicate it is asked about those, and
 * nobody else (audience_tree.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CANDIDATES_H
#define NEXUS_CORE_CANDIDATES_H

#include "core/ask.h"

struct core;
struct session;

/* Borrowed until the next step; false: it has seen enough. */
typedef bool candidate_fn(void *ctx, const struct session *session);

/* The sessions that would get the event of a question with NEEDS_FILTER if nothing more was said:
 * those that its publisher's options and the rules let pass. `grant` is what has been decided so
 * far, of which topic and options count; NULL: nothing. A session with several subscriptions
 * comes as often. Of a retained event it is the one that asks for it. */
void core_each_candidate(struct core *core, const struct question *question,
                         const struct grant *grant, candidate_fn *fn, void *ctx);

/* For who asks between two visits: the candidate with this id, or NULL when it has left. */
const struct session *core_candidate(const struct core *core, uint64_t session);
uint64_t core_candidate_id(const struct session *session);

/* Whether an attribute of the session is this value, or has it as a member. */
bool core_candidate_has(const struct core *core, const struct session *session,
                        struct slice attribute, const struct token *value);

/* True when somebody but `excluded`, which may be NULL, would hear of the topic, or a log
 * keeps it. */
bool candidates_exist(const struct core *core, struct slice topic, const struct session *excluded);

#endif
