/* details.h -- what others may know of a session: its details, and their values as tags.
 *
 * The details are one encoded dict, written when the session begins: who it is, how
 * it is connected, and what its client said of itself in HELLO. Each value that can
 * be compared is a tag as well, so that filters compare numbers.
 *
 * WAMP: "Session Meta API", "Subscriber Black- and Whitelisting".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_DETAILS_H
#define NEXUS_CORE_DETAILS_H

#include "core/ask.h"
#include "core/hello.h"
#include "core/reply.h"
#include "core/session.h"
#include "wire/transport.h"

/* The serializer in which details are kept: compact, and all values fit. */
#define DETAILS_CODEC CODEC_MSGPACK

/* Makes the details and tags of a new session. `codec` is that of the attributes in hello; those
 * of the decision stand before them, whatever the client says of itself. */
void details_init(struct core *core, struct session *session, const struct welcome *welcome,
                  const struct hello *hello, enum codec codec, const struct transport *transport,
                  const struct decision *decision);
void details_fini(struct core *core, struct session *session);

/* Writes the dict: what others are shown of it (knobs meta_strict, expose). */
void details_encode(struct encoder *e, struct core *core, const struct session *session);

/* Changes attributes: null takes one away, any other value sets it. Returns 0, or ERR_INVALID or
 * ERR_TOO_LONG with words in the fault (wamp.error.invalid_argument) and nothing changed. */
int details_modify(struct core *core, struct session *session, enum codec codec, struct slice delta,
                   struct fault *fault) MUST_CHECK;

/* Takes the attributes away that only the client has given: from now on these names are for others. */
void details_disown(struct core *core, struct session *session, const struct slice *names,
                    size_t count);

#endif
