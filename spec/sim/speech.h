/* speech.h -- the parts of a message that a peer is about to send, by choice.
 *
 * Everything is written with the encoders of wire, so a message has the same
 * chances in every serializer. POLITE peers choose among what is legal; the
 * others stray from it now and then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_SPEECH_H
#define NEXUS_SPEC_SPEECH_H

#include "world.h"

/* One message of one peer. */
struct speech {
    struct world *world;
    struct peer *peer;
    struct choices *c;
    struct encoder e;
    bool strays; /* the message at hand need not be right */
};

/* True one time in `n` in a message that strays. */
bool speech_may_stray(struct speech *s, unsigned n);

/* Writes a value that does not belong here, or returns false: the caller writes the right one. */
bool speech_put_stray(struct speech *s);

/* Any value; one of the names. */
void speech_put_value(struct speech *s, unsigned depth);
void speech_put_name(struct speech *s, const char *const *names, unsigned count);

/* An id; the id of the next request. */
void speech_put_id(struct speech *s, uint64_t id);
void speech_put_request(struct speech *s);

/* A URI, most often a good one; one that some peer has registered; a pattern. */
void speech_put_uri(struct speech *s);
void speech_put_procedure(struct speech *s);
void speech_put_pattern(struct speech *s);

/* Options or Details as this type of message may have. */
void speech_put_options(struct speech *s, enum msg_type type);

/* One of the router's own procedures, as the head of a CALL goes on; and arguments for it that may
 * do what they say, or may be anything. */
void speech_put_meta_call(struct speech *s);

/* Options of a PUBLISH as a value. */
void speech_put_publish_options(struct speech *s);

/* No arguments, some, or a raw payload. */
void speech_put_payload(struct speech *s);

#endif
