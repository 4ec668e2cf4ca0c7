/* auth.h -- a login, from the HELLO to the word before WELCOME.
 *
 *   auth_choose     which method: the client's list, what is configured, what is there
 *   (the caller looks the principal up, and parses its record)
 *   auth_begin      AUTH_CHALLENGE: send auth_challenge() in a CHALLENGE
 *   auth_check      with every AUTHENTICATE
 *   AUTH_DERIVE     run auth_take_job() wherever there is time, and hand it to auth_resume
 *   AUTH_ASK        a method of the policy's own: ask it, and tell with auth_answer_*
 *   AUTH_OK         auth_identity(), auth_encode_extra() for WELCOME
 *   AUTH_REFUSED    auth_refusal() for ABORT and for the log
 *
 * Whether a principal exists cannot be seen from outside: without a record the challenge is made
 * of a secret of the router and the name, the same at every try, and checking takes the same work
 * and ends in the same words. Comparisons take constant time; secrets are wiped with what held
 * them. Time, random numbers and facts about the connection are told, never asked for.
 *
 * WAMP: "Authentication".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_AUTH_H
#define NEXUS_AUTH_AUTH_H

#include "auth/auth_looks.h"
#include "auth/auth_record.h"

#define MAX_AUTHID_LEN  4096
#define MAX_NONCE_LEN   256 /* characters of a client's nonce in base64 */
#define MAX_BINDING_LEN 64
#define MAX_AUTH_ROUNDS 4 /* CHALLENGEs in one login */

struct auth_exchange; /* one login */

enum auth_step { AUTH_CHALLENGE, AUTH_DERIVE, AUTH_ASK, AUTH_OK, AUTH_REFUSED };

/* ---- what is known ---- */

/* Raw octets for channel binding by kind; len 0: this connection does not have it. tls_unique is
 * given only with an extended master secret or on TLS 1.3. */
struct auth_bindings {
    struct slice tls_unique, tls_server_end_point, tls_exporter;
    bool is_tls13;
};

struct auth_certificate {
    struct slice der;
    struct slice common_name; /* of the subject; len 0: none */
    bool is_verified;         /* by a CA that the listener trusts */
};

/* Everything about one HELLO. Borrowed for the time of the call. */
struct auth_request {
    struct slice realm, authid; /* as received; authid.len 0: none */
    enum codec codec;           /* of the session, and of authextra */
    struct slice authextra;     /* encoded; len 0: none */
    uint64_t session;           /* the id that it will have */
    uint64_t now_ms;            /* UTC */
    struct rng *rng;
    const struct auth_bindings *bindings;       /* NULL: no TLS */
    const struct auth_certificate *certificate; /* NULL: none was presented */
    bool has_cookie; /* the connection has one that stands for somebody in this realm */
};

/* Borrowed for the time of auth_begin. */
struct auth_settings {
    /* Challenges of unknown principals come from it. It should survive a restart, or those
     * whose salt changes are known not to exist. */
    unsigned char key[DIGEST_LEN];
    bool has_router_key; /* cryptosign: the router signs the client's challenge */
    unsigned char router_seed[DIGEST_LEN];
    bool require_binding;   /* cryptosign.require_binding */
    bool tls_unique_tls13;  /* cryptosign.tls_unique_tls13 */
    bool reveal_principal;  /* auth_reveal_principal */
    struct slice mock_role; /* the authrole in a wampcra challenge of nobody */
    struct slice mock_provider;
    /* How records are made, for nobody to look the same, as long as there are no looks. */
    struct kdf ticket_kdf;               /* KDF_NONE: tickets are stored as they are */
    struct kdf scram_kdf;                /* never KDF_NONE */
    uint32_t cra_iterations, cra_keylen; /* iterations 0: unsalted */
    size_t mock_salt_len;                /* at most DIGEST_LEN */
    const struct auth_looks *looks;      /* borrowed; NULL: none */
};

/* Fills in the defaults, with a new key. */
void auth_settings_init(struct auth_settings *settings, struct rng *rng);

/* Returns 0 or an ERR_* with words that name the setting. */
int auth_settings_check(const struct auth_settings *settings, struct fault *fault) MUST_CHECK;

/* ---- choosing ---- */

/* A method of the table: anonymous, ticket, wampcra, wamp-scram, scram, cryptosign, tls, cookie.
 * NULL when it is none. */
const struct auth_method *auth_method_find(struct slice name);
const char *auth_method_name(const struct auth_method *method);

/* What the method must have and the request does not: "authid", "authextra.nonce". NULL: all is
 * there. */
const char *auth_method_lacks(const struct auth_method *method, const struct auth_request *request);

/* A method that the realm and the listener allow. */
struct auth_offer {
    struct slice name;
    const struct auth_method *method; /* NULL: one of the policy's own */
    bool is_ready;                    /* method NULL: it can be used on this connection */
};

struct auth_menu {
    const struct auth_offer *offers;
    size_t count;
    size_t
        preferred; /* of so many the first that the client has is taken, else the first of its own */
};

/* Picks an offer by the client's list (encoded; len 0: none was sent). Returns NULL with a fault
 * for ABORT. */
const struct auth_offer *auth_choose(const struct auth_menu *menu,
                                     const struct auth_request *request, struct slice authmethods,
                                     struct fault *fault);

/* ---- one login ---- */

/* Begins; *exchange is made in any case. The record is held; NULL: there is no such principal. */
enum auth_step auth_begin(struct auth_exchange **exchange, const struct auth_method *method,
                          const struct auth_settings *settings, const struct auth_request *request,
                          struct auth_record *record);

/* Begins a login that the policy judges: with its Extra (encoded; len 0: empty) for the first
 * CHALLENGE. Every AUTHENTICATE then gives AUTH_ASK. */
enum auth_step auth_begin_own(struct auth_exchange **exchange, struct slice name,
                              const struct auth_request *request, enum codec codec,
                              struct slice extra);

/* Wipes and frees; NULL is fine. A job that was taken is not touched. */
void auth_free(struct auth_exchange *x);

/* The Extra of the CHALLENGE to send, encoded for the session. Borrowed until the next call. */
struct slice auth_challenge(const struct auth_exchange *x);

/* An AUTHENTICATE came. Extra is encoded in the codec of the session; len 0: none. */
enum auth_step auth_check(struct auth_exchange *x, struct slice signature, struct slice extra);

/* AUTH_DERIVE: the job is the caller's now. It goes to auth_resume, run or not, or to auth_job_free
 * when the session is gone. */
struct auth_job *auth_take_job(struct auth_exchange *x);
enum auth_step auth_resume(struct auth_exchange *x, struct auth_job *job);

/* AUTH_ASK: the policy says yes with a record, no with NULL, no with its own words, or wants
 * one more CHALLENGE (refused after MAX_AUTH_ROUNDS). */
enum auth_step auth_answer_record(struct auth_exchange *x, struct auth_record *record);
enum auth_step auth_answer_refusal(struct auth_exchange *x, const char *uri, const char *words);
enum auth_step auth_answer_challenge(struct auth_exchange *x, enum codec codec, struct slice extra);

/* ---- what came of it ---- */

/* The authid that is claimed, or known by now; len 0: none. Borrowed from the exchange. */
struct slice auth_claim(const struct auth_exchange *x);

struct auth_identity {
    struct slice authid; /* len 0: the core makes one (anonymous) */
    const struct auth_record *record;
    struct slice method;
};

/* After AUTH_OK. Borrowed from the exchange. */
struct auth_identity auth_identity(const struct auth_exchange *x);

/* After AUTH_OK: writes the value of WELCOME.authextra, or nothing and false when there is none. */
bool auth_encode_extra(const struct auth_exchange *x, struct encoder *e);

struct auth_refusal {
    struct fault fault; /* URI and message of the ABORT */
    const char *scram;  /* static: Details.scram; NULL: none */
    const char *reason; /* static: for the log alone, says what was really wrong */
};

/* After AUTH_REFUSED. Borrowed from the exchange. */
const struct auth_refusal *auth_refusal(const struct auth_exchange *x);

#endif
