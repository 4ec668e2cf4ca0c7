/* auth_record.h -- what is stored about a principal: identity, and one credential.
 *
 * A policy or a file of users hands it over as a dict, for one method at a time. Every key is
 * checked when it is read: what a record may cost is bounded, and a key that is unknown or not of
 * the method is an error. Words of errors name keys, and never quote a secret.
 *
 * A record never changes. It is counted, because exchanges outlive the table that it came from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_RECORD_H
#define NEXUS_AUTH_RECORD_H

#include "auth/auth_hash.h"
#include "auth/digest.h"
#include "base/rng.h"
#include "wire/codec.h"

#include <stdatomic.h>

struct auth_method;

#define MAX_TICKETS      8
#define MAX_TICKET_LEN   4096 /* also of what a client sends */
#define MAX_SECRET_LEN   4096
#define MAX_PUBKEYS      32
#define MAX_FINGERPRINTS 32
#define MAX_CRA_KEYLEN   256
#define MIN_SCRAM_PBKDF2 4096

/* Which keys of a record are the credential, and which member of the union below is in use. */
enum credential {
    CREDENTIAL_NONE,   /* anonymous, and methods of the policy's own */
    CREDENTIAL_TICKET, /* ticket, or ticket_hash */
    CREDENTIAL_CRA,    /* secret; salt, iterations, keylen */
    CREDENTIAL_SCRAM,  /* kdf, salt, iterations, memory, stored_key, server_key; compat_* */
    CREDENTIAL_KEYS,   /* pubkeys */
    CREDENTIAL_TLS,    /* fingerprints */
};

/* The two ways of computing SCRAM that are in use. They agree about the keys of PBKDF2. */
enum scram_flavour { SCRAM_WAMP, SCRAM_COMPAT, SCRAM_FLAVOURS };

struct scram_keys {
    bool is_known;
    unsigned char stored_key[DIGEST_LEN], server_key[DIGEST_LEN];
};

struct fingerprint {
    size_t len; /* DIGEST_LEN or SHA1_LEN */
    unsigned char bytes[DIGEST_LEN];
};

struct auth_record {
    atomic_uint refs;
    enum credential credential;
    struct slice authid;       /* owned; len 0: the one asked for */
    struct slice authrole;     /* owned; never empty */
    struct slice authprovider; /* owned; len 0: not said */
    enum codec codec;          /* of the two dicts */
    struct slice extra;        /* owned, encoded: for WELCOME; len 0: none */
    struct slice attributes;   /* owned, encoded; len 0: none */
    uint64_t expires_at;       /* Unix time in seconds; 0: never */
    bool has_trustlevel;
    uint64_t trustlevel;
    union {
        struct {
            unsigned count;
            unsigned char digests[MAX_TICKETS][DIGEST_LEN]; /* SHA-256 */
            struct auth_hash hash;                          /* kdf.kind KDF_NONE: there is none */
        } ticket;
        struct {
            struct slice secret, salt; /* owned; salt.len 0: unsalted */
            uint32_t iterations, keylen;
        } cra;
        struct {
            struct kdf kdf;
            unsigned char salt[MAX_SALT_LEN];
            size_t salt_len;
            struct scram_keys flavours[SCRAM_FLAVOURS];
        } scram;
        struct {
            unsigned count;
            unsigned char keys[MAX_PUBKEYS][DIGEST_LEN];
        } pub;
        struct {
            unsigned count; /* 0: any certificate that verified */
            struct fingerprint list[MAX_FINGERPRINTS];
        } tls;
    };
};

/* Reads a record for a method (NULL: one of the policy's own, without a credential). The dict is
 * encoded and validated; it is copied. Held once by the caller, or NULL with a fault whose words
 * are for the log, not for a client. */
struct auth_record *auth_record_parse(const struct auth_method *method, enum codec codec,
                                      struct slice dict, struct fault *fault);

static inline struct auth_record *auth_record_hold(struct auth_record *record)
{
    atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    return record;
}

/* The last one wipes and frees; NULL is fine. */
void auth_record_drop(struct auth_record *record);

/* ---- making credentials: slow, for command lines ----
 *
 * Each writes pairs of key and value into a map that the caller has opened (COUNT_UNKNOWN), and
 * to which authrole and the like may be added. They return 0 or ERR_INVALID with words, having
 * written nothing. */

/* ticket_hash */
int auth_record_make_ticket(struct encoder *e, struct slice ticket, const struct kdf *kdf,
                            struct rng *rng, struct fault *fault) MUST_CHECK;

/* secret, salt, iterations, keylen; iterations 0: secret alone, which is the password as it is */
int auth_record_make_wampcra(struct encoder *e, struct slice password, uint32_t iterations,
                             struct rng *rng, struct fault *fault) MUST_CHECK;

/* kdf, salt, iterations, memory, stored_key, server_key; and for Argon2id compat_stored_key and
 * compat_server_key, with which the same user logs in by the other flavour */
int auth_record_make_scram(struct encoder *e, struct slice password, const struct kdf *kdf,
                           struct rng *rng, struct fault *fault) MUST_CHECK;

/* pubkeys, of one new key; the seed is the private key, for the client alone */
void auth_record_make_cryptosign(struct encoder *e, struct rng *rng,
                                 unsigned char seed[DIGEST_LEN]);

#endif
