/* auth.c -- the steps of a login that all methods share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static struct slice copy(struct slice from)
{
    return slice_make(mem_copy(from.len == 0 ? "" : from.data, from.len), from.len);
}

static void free_slice(struct slice *s)
{
    mem_free((void *)(uintptr_t)s->data);
    *s = (struct slice){0};
}

/* ---- the ways out ---- */

enum auth_step auth_refuse(struct auth_exchange *x, const char *uri, const char *scram,
                           const char *reason, const char *format, ...)
{
    char words[sizeof(x->refusal.fault.words)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    (void)fault_set(&x->refusal.fault, ERR_DENIED, uri, "%s", words);
    x->refusal.scram = scram;
    x->refusal.reason = reason;
    x->state = STATE_OVER;
    x->is_accepted = false;
    return AUTH_REFUSED;
}

enum auth_step auth_deny(struct auth_exchange *x, const char *scram, const char *reason)
{
    return auth_refuse(x, WAMP_AUTHENTICATION_DENIED, scram, reason,
                       "%.*s: the credentials are not accepted", SLICE_ARG(x->name));
}

enum auth_step auth_judge(struct auth_exchange *x, bool is_right, const char *scram,
                          const char *reason)
{
    const struct auth_record *record = x->record;

    if (record == NULL)
        return auth_deny(x, scram, "there is no such principal");
    if (!is_right)
        return auth_deny(x, scram, reason);
    if (record->expires_at != 0 && record->expires_at <= x->now_ms / 1000)
        return auth_deny(x, NULL, "the record has expired");
    if (record->authid.len != 0)
        auth_rename(x, record->authid);
    x->state = STATE_OVER;
    x->is_accepted = true;
    return AUTH_OK;
}

enum auth_step auth_send(struct auth_exchange *x, struct encoder *e)
{
    blob_drop(x->challenge);
    x->challenge = encode_finish(e);
    x->rounds++;
    x->state = STATE_CHALLENGED;
    return AUTH_CHALLENGE;
}

void auth_rename(struct auth_exchange *x, struct slice authid)
{
    struct slice renamed = copy(authid);

    free_slice(&x->authid);
    x->authid = renamed;
}

/* ---- what methods need ---- */

bool auth_find(enum codec codec, struct slice dict, const char *key, struct arena *arena,
               struct token *token)
{
    struct dict_walk walk;
    bool is_found = false;

    dict_walk(&walk, codec, dict, arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, slice_of(key)))
            continue;
        *token = walk.token;
        is_found = token->type != TOKEN_NULL;
    }
    return is_found;
}

void auth_mock(const struct auth_settings *settings, const struct auth_request *request,
               const char *purpose, unsigned char out[DIGEST_LEN])
{
    unsigned char key[DIGEST_LEN];
    struct writer w;

    digest_hmac(slice_make(settings->key, DIGEST_LEN), slice_of(purpose), key);
    writer_init(&w, 0);
    writer_write(&w, request->realm.data, request->realm.len);
    writer_put(&w, '\0');
    writer_write(&w, request->authid.data, request->authid.len);
    digest_hmac(slice_make(key, sizeof(key)), writer_slice(&w), out);
    writer_fini(&w);
    digest_wipe(key, sizeof(key));
}

bool auth_bind(const struct auth_bindings *bindings, struct slice name, struct binding *binding)
{
    static const struct auth_bindings none;
    const struct auth_bindings *from = bindings == NULL ? &none : bindings;
    const struct {
        const char *name;
        struct slice bytes;
    } kinds[] = {
        {"tls-unique", from->tls_unique},
        {"tls-server-end-point", from->tls_server_end_point},
        {"tls-exporter", from->tls_exporter},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct slice bytes = kinds[i].bytes;

        if (!slice_eq(name, slice_of(kinds[i].name)))
            continue;
        if (bytes.len == 0 || bytes.len > MAX_BINDING_LEN)
            return false;
        binding->name = kinds[i].name;
        memcpy(binding->bytes, bytes.data, bytes.len);
        binding->len = bytes.len;
        return true;
    }
    return false;
}

/* ---- settings ---- */

void auth_settings_init(struct auth_settings *settings, struct rng *rng)
{
    *settings = (struct auth_settings){
        .mock_role = SLICE("user"),
        .mock_provider = SLICE("static"),
        .ticket_kdf = DEFAULT_KDF,
        .scram_kdf = DEFAULT_KDF,
        .cra_iterations = 1000,
        .cra_keylen = DIGEST_LEN,
        .mock_salt_len = MOCK_SALT_LEN,
    };
    rng_bytes(rng, settings->key, sizeof(settings->key));
}

static int check_kdf(const struct kdf *kdf, const char *name, struct fault *fault)
{
    struct fault inner;
    int err = kdf_check(kdf, &inner);

    if (err != 0)
        return fault_set(fault, err, inner.uri, "%s: %s", name, inner.words);
    return 0;
}

int auth_settings_check(const struct auth_settings *settings, struct fault *fault)
{
    int err = check_kdf(&settings->ticket_kdf, "ticket_kdf", fault);

    if (err == 0)
        err = check_kdf(&settings->scram_kdf, "scram_kdf", fault);
    if (err != 0)
        return err;
    if (settings->scram_kdf.kind == KDF_NONE || settings->scram_kdf.lanes > 1)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "scram_kdf: it must derive a key, with parallelism 1");
    if (settings->cra_iterations != 0 &&
        (settings->cra_keylen == 0 || settings->cra_keylen > MAX_CRA_KEYLEN))
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "cra_keylen is %u; allowed are 1 to %d", settings->cra_keylen,
                         MAX_CRA_KEYLEN);
    return 0;
}

/* ---- a login ---- */

struct auth_exchange *auth_new(const struct auth_method *method, struct slice name,
                               const struct auth_request *request)
{
    struct auth_exchange *x = mem_zero(1, sizeof(*x));

    x->method = method;
    x->name = copy(name);
    x->codec = request->codec;
    x->now_ms = request->now_ms;
    x->authid = copy(request->authid);
    return x;
}

/* What nobody would look like is found out for somebody as well, who would be faster otherwise. */
static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request)
{
    struct auth_settings worn = *settings;
    enum auth_step step;

    if (settings->looks != NULL)
        auth_looks_wear(settings->looks, x->method->credential, request, &worn);
    step = x->method->begin(x, x->record == NULL ? &worn : settings, request);
    digest_wipe(&worn, sizeof(worn));
    return step;
}

enum auth_step auth_begin(struct auth_exchange **exchange, const struct auth_method *method,
                          const struct auth_settings *settings, const struct auth_request *request,
                          struct auth_record *record)
{
    struct auth_exchange *x = auth_new(method, slice_of(method->name), request);
    const char *missing = auth_method_lacks(method, request);

    *exchange = x;
    if (record != NULL) {
        CHECK(record->credential == method->credential);
        x->record = auth_record_hold(record);
    }
    if (missing != NULL)
        return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL, "the HELLO is incomplete",
                           "%s: HELLO has no %s", method->name, missing);
    if (request->authid.len > MAX_AUTHID_LEN)
        return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL, "the authid is too long",
                           "authid: longer than %d octets", MAX_AUTHID_LEN);
    if (record == NULL && settings->reveal_principal)
        return auth_refuse(x, WAMP_NO_SUCH_PRINCIPAL, NULL, "there is no such principal",
                           "%s: there is no such principal", method->name);
    return begin(x, settings, request);
}

void auth_free(struct auth_exchange *x)
{
    if (x == NULL)
        return;
    if (x->method->credential == CREDENTIAL_SCRAM) {
        blob_drop(x->scram.nonce);
        blob_drop(x->scram.message);
    }
    auth_job_free(x->job);
    blob_drop(x->challenge);
    auth_record_drop(x->record);
    free_slice(&x->authid);
    free_slice(&x->name);
    digest_wipe(x, sizeof(*x));
    mem_free(x);
}

struct slice auth_challenge(const struct auth_exchange *x)
{
    CHECK(x->state == STATE_CHALLENGED);
    return blob_slice(x->challenge);
}

enum auth_step auth_check(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    enum auth_step step;

    if (x->state == STATE_OVER && !x->is_accepted)
        return AUTH_REFUSED;
    if (x->state != STATE_CHALLENGED)
        return auth_refuse(x, WAMP_PROTOCOL_VIOLATION, NULL, "AUTHENTICATE came unasked",
                           "AUTHENTICATE is not expected here");
    step = x->method->check(x, signature, extra);
    if (step == AUTH_DERIVE)
        x->state = STATE_DERIVING;
    else if (step == AUTH_ASK)
        x->state = STATE_ASKING;
    return step;
}

struct auth_job *auth_take_job(struct auth_exchange *x)
{
    struct auth_job *job = x->job;

    CHECK(x->state == STATE_DERIVING && job != NULL);
    x->taken = job;
    x->job = NULL;
    return job;
}

enum auth_step auth_resume(struct auth_exchange *x, struct auth_job *job)
{
    enum auth_step step = AUTH_REFUSED;

    CHECK(job != NULL && job == x->taken);
    x->taken = NULL;
    if (x->state != STATE_DERIVING)
        ; /* refused meanwhile: the peer did not wait */
    else if (!job->is_done)
        step = auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL,
                           job->trouble != NULL ? job->trouble : "the key was not derived",
                           "%.*s: the credentials cannot be checked now", SLICE_ARG(x->name));
    else
        step = x->method->resume(x, job);
    auth_job_free(job);
    return step;
}

/* ---- the outcome ---- */

struct slice auth_claim(const struct auth_exchange *x)
{
    return x->authid;
}

struct auth_identity auth_identity(const struct auth_exchange *x)
{
    CHECK(x->state == STATE_OVER && x->is_accepted);
    return (struct auth_identity){.authid = x->authid, .record = x->record, .method = x->name};
}

static bool is_ours(const struct auth_exchange *x, struct slice key)
{
    return x->method->credential == CREDENTIAL_SCRAM &&
           (slice_eq(key, SLICE("verifier")) || slice_eq(key, SLICE("scram_server_signature")));
}

bool auth_encode_extra(const struct auth_exchange *x, struct encoder *e)
{
    struct dict_walk walk;
    struct arena arena;

    CHECK(x->state == STATE_OVER && x->is_accepted);
    if (x->record->extra.len == 0 && x->method->credential != CREDENTIAL_SCRAM)
        return false;
    arena_init(&arena);
    encode_map(e, COUNT_UNKNOWN);
    dict_walk(&walk, x->record->codec, x->record->extra, &arena);
    while (dict_next(&walk)) {
        if (is_ours(x, walk.key))
            continue;
        encode_text(e, walk.key);
        encode_value(e, x->record->codec, walk.value);
    }
    if (x->method->credential == CREDENTIAL_SCRAM)
        auth_scram_encode_extra(x, e);
    encode_end(e);
    arena_fini(&arena);
    return true;
}

const struct auth_refusal *auth_refusal(const struct auth_exchange *x)
{
    CHECK(x->state == STATE_OVER && !x->is_accepted);
    return &x->refusal;
}
