/* reply.h -- the messages a router sends, one function each.
 *
 * Each returns a blob that the caller holds. Messages with a payload of somebody
 * else take it as slices and transcode it only when the serializers differ.
 *
 * WAMP: "Messages".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_REPLY_H
#define NEXUS_CORE_REPLY_H

#include "core/features.h"
#include "core/options.h"
#include "wire/msg.h"

struct blob *reply_abort(enum codec codec, const char *reason, const char *words);

/* The same with what SCRAM calls the reason; NULL: it calls it nothing. */
struct blob *reply_refusal(enum codec codec, const char *reason, const char *words,
                           const char *scram);
struct blob *reply_goodbye(enum codec codec, const char *reason, struct slice words);

/* ERROR of our own: Arguments is [words] unless words is NULL. */
struct blob *reply_error(enum codec codec, enum msg_type request_type, uint64_t request,
                         const char *uri, const char *words);

/* The same with ArgumentsKw: an encoded dict in `from`, or none. */
struct blob *reply_denial(enum codec codec, enum msg_type request_type, uint64_t request,
                          const char *uri, const char *words, enum codec from, struct slice kwargs);

/* PUBLISHED, SUBSCRIBED, REGISTERED: a request and an id. UNSUBSCRIBED, UNREGISTERED: only the
 * request (id 0). */
struct blob *reply_done(enum codec codec, enum msg_type type, uint64_t request, uint64_t id);

/* What the WELCOME says of the session. */
struct welcome {
    uint64_t session;
    struct slice agent, realm, authid, authrole, authmethod, authprovider; /* agent may be empty */
    enum codec extra_codec;
    struct slice authextra; /* encoded dict; len 0: not sent */
    unsigned roles;         /* of the router: bit set of enum router_role */
    unsigned when;          /* which features it has: bit set of enum feature_when */
};

struct blob *reply_welcome(enum codec codec, const struct welcome *welcome);

/* CHALLENGE; extra is an encoded dict in `from`, or empty. */
struct blob *reply_challenge(enum codec codec, struct slice method, enum codec from,
                             struct slice extra);

/* Who called or published, for those who may know. */
struct identity {
    uint64_t session;
    struct slice authid, authrole;
};

#define NO_TRUSTLEVEL (-1)

/* A message with a payload on its way from one session to another. */
struct forward {
    enum codec codec;                /* of the receiver */
    uint64_t id, second;             /* as in struct msg; second is not used by RESULT and ERROR */
    const char *uri_key;             /* "topic" or "procedure", NULL: not sent */
    struct slice uri;                /* its value; for ERROR: the error URI */
    bool progress;                   /* Details.progress */
    bool receive_progress;           /* INVOCATION.Details.receive_progress */
    bool is_retained;                /* EVENT.Details.retained */
    uint64_t timeout;                /* INVOCATION.Details.timeout; 0: not sent */
    const char *identity_key;        /* "caller" or "publisher" */
    const struct identity *identity; /* NULL: not disclosed */
    int64_t trustlevel;              /* NO_TRUSTLEVEL: not sent */
    const struct options *options;   /* of the sender: what is passed on */
    const struct payload *payload;
    bool wrap_raw; /* the receiver does not know payload transparency */
};

struct blob *reply_event(const struct forward *f);

/* Only its Details; and "args" and "kwargs" as entries of a map, where there are any. */
void reply_encode_details(struct encoder *e, const struct forward *f);
void reply_encode_arguments(struct encoder *e, const struct payload *payload);

struct blob *reply_invocation(const struct forward *f);
struct blob *reply_result(const struct forward *f);

/* ERROR(CALL) with a callee's URI and payload. */
struct blob *reply_call_error(const struct forward *f);

/* UNSUBSCRIBED or UNREGISTERED that nobody asked for: request 0, Details {key: id, reason}. */
struct blob *reply_revoked(enum codec codec, enum msg_type type, const char *key, uint64_t id,
                           const char *reason);

struct blob *reply_interrupt(enum codec codec, uint64_t invocation, const char *mode,
                             const char *reason);

#endif
