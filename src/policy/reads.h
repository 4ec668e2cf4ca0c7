/* reads.h -- what a function of a policy looked at to come to its answer.
 *
 * An answer that depends on a few attributes of a session only is the answer for all sessions that are
 * equal in them: it may be kept (core/kept.h), and the answer of a predicate is good for many
 * subscribers (core/audience_tree.h). Time, stores and databases are not seen here.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_READS_H
#define NEXUS_POLICY_READS_H

#include "core/audience_tree.h"

#define MAX_READS 32

struct reads {
    uint64_t session; /* whose attributes count */
    bool is_unkept;   /* something was read that nobody else shares */
    size_t count;
    struct audience_look looks[MAX_READS];
    struct arena arena; /* of names and values */
};

void reads_init(struct reads *reads);
void reads_fini(struct reads *reads);
void reads_reset(struct reads *reads, uint64_t session);

/* The value of an attribute was read, or whether it is this one, or has it. NULL is fine for all. */
void reads_note_value(struct reads *reads, uint64_t session, struct slice attribute);
void reads_note_has(struct reads *reads, uint64_t session, struct slice attribute,
                    const struct token *value);

/* Something else that belongs to this one question or session. */
void reads_note_own(struct reads *reads);

#endif
