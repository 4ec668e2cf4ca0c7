/* msg.h -- a decoded WAMP message: fixed fields, and slices for the rest.
 *
 * Decoding reads the head and finds the extents of options and payload, all of
 * which it validates (grammar, UTF-8, depth) without building anything. So a
 * message that was decoded can be forwarded without fear.
 *
 * WAMP: "Messages".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_MSG_H
#define NEXUS_WIRE_MSG_H

#include "wire/codec.h"
#include "wire/msg_types.h"

enum payload_kind {
    PAYLOAD_NONE, /* no arguments at all, or empty ones */
    PAYLOAD_ARGS, /* args is a list, kwargs a map or absent */
    PAYLOAD_RAW,  /* args is one string or binary: payload transparency */
};

struct payload {
    enum codec codec;
    enum payload_kind kind;
    struct slice args;   /* encoded; len 0: absent (an empty list before kwargs is absent, too) */
    struct slice kwargs; /* encoded; len 0: absent or empty */
};

/* All slices are borrowed from the bytes the message was decoded from, or from the arena. */
struct msg {
    enum msg_type type;
    enum codec codec;
    enum msg_type request_type; /* ERROR: which kind of request failed */
    uint64_t id;                /* request; session (WELCOME); subscription (EVENT); publication
                                   (EVENT_RECEIVED); 0 where the message has none */
    uint64_t second;            /* publication, subscription or registration, where there is one */
    struct slice text;          /* realm, URI, reason, authmethod or signature, unescaped */
    bool is_null;               /* HELLO: the realm was null */
    struct slice dict;          /* Options, Details or Extra: encoded; len 0: absent or empty */
    struct payload payload;
};

struct msg_limits {
    bool raw_payload; /* accept PAYLOAD_RAW (knob ppt.compat) */
};

/* Decodes one message, whoever may send it. The arena keeps unescaped text; it and the bytes
 * must live as long as the message. Returns 0 or a negative ERR_* with fault filled in: every
 * one is a protocol violation. */
int msg_decode(struct msg *msg, enum codec codec, struct slice bytes,
               const struct msg_limits *limits, struct arena *arena,
               struct fault *fault) MUST_CHECK;

/* The number of bytes that its slices hold; and a copy of it whose slices point into `bytes`, which
 * has room for so many. */
size_t msg_len(const struct msg *msg);
void msg_copy(struct msg *copy, const struct msg *msg, char *bytes);

/* True when a router may receive this type of message. */
bool msg_is_for_router(enum msg_type type);

/* Reads an id (1..2^53) out of a token: any integer encoding, and floats with an integral
 * value. False when it is none. */
bool token_is_id(const struct token *token, uint64_t *id);

/* The same for any integer that is not negative. */
bool token_is_natural(const struct token *token, uint64_t *value);

/* ---- walking a dict: known keys are picked out, unknown ones skipped ---- */

struct dict_walk {
    struct reader reader;
    struct slice key;   /* of the current entry */
    struct slice value; /* of the current entry, encoded; borrowed */
    struct token token; /* its first token */
};

/* Starts a walk over an encoded, validated dict (len 0 is fine: no entries). */
void dict_walk(struct dict_walk *walk, enum codec codec, struct slice dict, struct arena *arena);

/* Moves to the next entry; false at the end. Duplicate keys come as they stand: the caller
 * lets the last one win by overwriting. */
bool dict_next(struct dict_walk *walk);

/* The same for the items of a list. */
void list_walk(struct dict_walk *walk, enum codec codec, struct slice list, struct arena *arena);
bool list_next(struct dict_walk *walk);

/* ---- writing the payload of a message ---- */

/* How many list elements it adds (0, 1 or 2), and an upper bound of its bytes when no
 * transcoding is needed. */
unsigned payload_elements(const struct payload *payload);
size_t payload_len(const struct payload *payload);

/* Writes those elements. `wrap_raw`: the receiver does not know PAYLOAD_RAW, so the value
 * is wrapped into a list of one. */
void encode_payload(struct encoder *e, const struct payload *payload, bool wrap_raw);

#endif
