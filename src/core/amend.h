/* amend.h -- a message as those who judged it want it: some of it replaced, the rest as it was.
 *
 * What a grant replaces may be in any serializer. What does not fit the message is
 * not done in part: the caller denies the whole.
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_AMEND_H
#define NEXUS_CORE_AMEND_H

#include "core/ask.h"
#include "core/options.h"
#include "core/session.h"

/* Valid until the next step, or as long as what it was made of. */
struct amended {
    struct msg msg;
    struct options options; /* with what was granted, but for what is done by now */
};

/* PUBLISH, CALL, SUBSCRIBE or REGISTER; `given` is what the rules granted, `grant` what was said
 * beyond that. Returns NULL, or in words, which live until the next step, why it cannot be done. */
const char *amend_request(struct core *core, const struct session *session, const struct msg *msg,
                          const struct grant *given, const struct grant *grant,
                          struct amended *amended) MUST_CHECK;

/* The same for more input of a call: what was said of its procedure and options with the first
 * message counts for all, so here only the payload does. */
const char *amend_chunk(struct core *core, const struct msg *msg, const struct grant *grant,
                        struct amended *amended) MUST_CHECK;

/* And for a YIELD, and for an ERROR, whose URI may be replaced as well. */
const char *amend_answer(struct core *core, const struct msg *msg, const struct grant *grant,
                         struct amended *amended) MUST_CHECK;

#endif
