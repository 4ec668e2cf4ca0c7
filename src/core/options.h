/* options.h -- the Options and Details that the router knows, one row each.
 *
 * Known keys are checked for type and value, unknown ones ignored. The structure
 * is the union of what all messages may carry; a message without options costs
 * one assignment.
 *
 * WAMP: "Extensibility", and the options of each feature.
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_OPTIONS_H
#define NEXUS_CORE_OPTIONS_H

#include "core/grant.h"
#include "wire/msg.h"
#include "wire/uri.h"

enum invoke {
    INVOKE_SINGLE,
    INVOKE_ROUNDROBIN,
    INVOKE_RANDOM,
    INVOKE_FIRST,
    INVOKE_LAST,
    INVOKE_COUNT,
    INVOKE_UNKNOWN = INVOKE_COUNT /* a string that is none of them: the knob decides */
};

enum cancel_mode { CANCEL_KILLNOWAIT, CANCEL_KILL, CANCEL_SKIP, CANCEL_COUNT };

/* Texts that are copied to the receiver as they came: payload passthru, the older payload
 * transparency, and transaction_hash. */
#define PASSED_OPTIONS(X)               \
    X(PPT_SCHEME, "ppt_scheme")         \
    X(PPT_SERIALIZER, "ppt_serializer") \
    X(PPT_CIPHER, "ppt_cipher")         \
    X(PPT_KEYID, "ppt_keyid")           \
    X(ENC_ALGO, "enc_algo")             \
    X(ENC_SERIALIZER, "enc_serializer") \
    X(ENC_KEY, "enc_key")               \
    X(TRANSACTION_HASH, "transaction_hash")

#define PASSED_ENUM(name, wire) PASS_##name,
enum passed { PASSED_OPTIONS(PASSED_ENUM) PASS_COUNT };
#undef PASSED_ENUM

/* One `eligible*` or `exclude*` option. */
struct filter_option {
    bool is_eligible;
    bool by_session;        /* `eligible`, `exclude`: session ids; else an attribute */
    bool is_no_list;        /* some other value: a fault */
    struct slice attribute; /* "authid", "authrole", any other */
    struct slice values;    /* the encoded value */
};

struct options {
    bool acknowledge, exclude_me, disclose_me, retain, get_retained;
    bool progress, receive_progress, disclose_caller, forward_timeout, force_reregister;
    enum match match;
    enum invoke invoke;
    enum cancel_mode mode;
    bool has_mode;
    uint64_t timeout, concurrency;
    struct slice rkey, nkey, runmode; /* len 0 with data NULL: absent */
    unsigned passed;                  /* bit set of 1 << enum passed */
    struct slice pass[PASS_COUNT];    /* valid where the bit is set */
    struct slice custom;              /* ERROR: the dict itself if it has keys `_x...`, `x_...` */
    enum codec custom_codec;
    struct slice asked; /* not of the message: the URI that was replaced; or none */
    struct grant grant; /* not of the message: what its authorization added */
    unsigned filter_count;
    struct filter_option *filters; /* in the arena */
};

/* Reads the options of a message (for EVENT, RESULT and other messages to clients as well: a
 * client library checks them the same way). Everything borrowed from msg or the arena.
 * Returns 0 or an ERR_* with a fault that names the key: a protocol violation. */
int options_read(struct options *options, const struct msg *msg, struct arena *arena,
                 struct fault *fault) MUST_CHECK;

/* "single", "roundrobin", ... and "killnowait", ... */
const char *invoke_name(enum invoke invoke);
const char *cancel_mode_name(enum cancel_mode mode);

/* Writes the passed options of the set as key and value; says how many pairs that is. */
unsigned options_passed_count(const struct options *options);
void options_encode_passed(struct encoder *e, const struct options *options);

/* True when a non-empty ppt_scheme puts the message into payload passthru mode. */
static inline bool options_is_ppt(const struct options *options)
{
    return (options->passed & (1U << PASS_PPT_SCHEME)) != 0 &&
           options->pass[PASS_PPT_SCHEME].len != 0;
}

#endif
