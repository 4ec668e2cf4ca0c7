/* auth_priv.h -- what the methods share: the state of a login, and the ways out of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_AUTH_PRIV_H
#define NEXUS_AUTH_AUTH_PRIV_H

#include "auth/auth.h"
#include "wire/errors.h"
#include "wire/msg.h"

#define MOCK_SALT_LEN 16 /* as those that nexusd passwd makes */

/* A row of the table of methods. check and resume are NULL where there is no such step. */
struct auth_method {
    const char *name;
    enum credential credential;
    bool needs_authid, needs_certificate, needs_cookie;
    const char *needs_extra; /* a key of authextra */
    enum auth_step (*begin)(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request);
    enum auth_step (*check)(struct auth_exchange *x, struct slice signature, struct slice extra);
    enum auth_step (*resume)(struct auth_exchange *x, const struct auth_job *job);
};

extern const struct auth_method auth_anonymous, auth_ticket, auth_wampcra, auth_wamp_scram,
    auth_scram, auth_cryptosign, auth_tls, auth_cookie, auth_own;

/*  state      step that led to it            what may come
 *  BEGUN      -                              (inside of auth_begin)
 *  CHALLENGED AUTH_CHALLENGE                 auth_check
 *  DERIVING   AUTH_DERIVE                    auth_take_job, auth_resume
 *  ASKING     AUTH_ASK                       auth_answer_*
 *  OVER       AUTH_OK, AUTH_REFUSED          reading the outcome
 * An AUTHENTICATE in another state than CHALLENGED is the peer's mistake and ends the login. */
enum auth_state { STATE_BEGUN, STATE_CHALLENGED, STATE_DERIVING, STATE_ASKING, STATE_OVER };

/* Where channel binding is asked for: its name, and its octets. */
struct binding {
    const char *name; /* static; NULL: none in use */
    unsigned char bytes[MAX_BINDING_LEN];
    size_t len;
};

struct auth_exchange {
    const struct auth_method *method;
    struct slice name; /* owned */
    enum auth_state state;
    bool is_accepted;
    unsigned rounds; /* CHALLENGEs sent */
    enum codec codec;
    uint64_t now_ms;              /* of the HELLO */
    struct auth_record *record;   /* counted; NULL: nobody */
    struct slice authid;          /* owned; as claimed, later as it is */
    struct blob *challenge;       /* counted; Extra of the last CHALLENGE */
    struct auth_job *job;         /* owned until it is taken */
    const struct auth_job *taken; /* borrowed: the one that auth_resume must bring */
    struct auth_refusal refusal;
    union {
        struct {
            struct auth_hash hash; /* kdf.kind KDF_NONE: nothing is derived */
            bool is_right;         /* a plain ticket was */
        } ticket;
        struct {
            unsigned char expected[48]; /* base64 of the HMAC: 44 characters */
        } cra;
        struct {
            enum scram_flavour flavour;
            struct binding binding;
            struct blob *nonce;   /* counted; the combined one */
            struct blob *message; /* counted; AuthMessage */
            struct scram_keys keys;
            char server_signature[48]; /* base64: 44 characters */
        } scram;
        struct {
            unsigned char pubkey[DIGEST_LEN], message[DIGEST_LEN];
            bool is_owner; /* the key is one of the record, and the authid too */
        } sign;
    };
};

/* A login in its first state. */
struct auth_exchange *auth_new(const struct auth_method *method, struct slice name,
                               const struct auth_request *request);

/* Ends the login as refused; returns AUTH_REFUSED. scram and reason are static and may be NULL. */
enum auth_step auth_refuse(struct auth_exchange *x, const char *uri, const char *scram,
                           const char *reason, const char *format, ...) PRINTF_LIKE(5, 6);

/* Refuses with the words that stand for every wrong credential. */
enum auth_step auth_deny(struct auth_exchange *x, const char *scram, const char *reason);

/* Ends a login whose credential was judged. Nobody is never let in, whatever is_right says. */
enum auth_step auth_judge(struct auth_exchange *x, bool is_right, const char *scram,
                          const char *reason);

/* Takes the Extra that was written; returns AUTH_CHALLENGE. */
enum auth_step auth_send(struct auth_exchange *x, struct encoder *e);

/* Makes the claimed authid another one. */
void auth_rename(struct auth_exchange *x, struct slice authid);

/* Looks a key up in a dict; the last of equal ones counts. False when it is absent or null. */
bool auth_find(enum codec codec, struct slice dict, const char *key, struct arena *arena,
               struct token *token) MUST_CHECK;

/* Octets that depend on the router's secret, what they are for, realm and authid only. */
void auth_mock(const struct auth_settings *settings, const struct auth_request *request,
               const char *purpose, unsigned char out[DIGEST_LEN]);

/* The octets for a kind of channel binding; false when this connection does not have them, or
 * the name is unknown. */
bool auth_bind(const struct auth_bindings *bindings, struct slice name, struct binding *binding);

/* Writes the pairs that the method adds to WELCOME.authextra. */
void auth_scram_encode_extra(const struct auth_exchange *x, struct encoder *e);

#endif
