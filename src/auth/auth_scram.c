/* auth_scram.c -- SCRAM-SHA-256 in its two flavours: wamp-scram, and the scram that is deployed.
 *
 * Everything that the proof is checked against is known when the challenge is sent, so the
 * exchange keeps AuthMessage and two keys. The router never derives a key here; its clients do.
 *
 * WAMP: "WAMP-SCRAM".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "base/base64.h"
#include "base/mem.h"

#include <stdio.h>

#define SERVER_NONCE_LEN     16
#define MIN_CLIENT_NONCE_LEN 8

/* Answers of RFC 5802, in Details.scram of ABORT. */
#define INVALID_ENCODING    "invalid-encoding"
#define INVALID_PROOF       "invalid-proof"
#define BINDINGS_DIFFER     "channel-bindings-dont-match"
#define UNSUPPORTED_BINDING "unsupported-channel-binding-type"
#define OTHER_ERROR         "other-error"

/* What is told about the password of a principal, or of nobody. */
struct parameters {
    const struct kdf *kdf;
    char salt[96]; /* base64 */
    size_t salt_len;
};

static const char *kdf_name(const struct kdf *kdf, enum scram_flavour flavour)
{
    if (kdf->kind == KDF_PBKDF2)
        return "pbkdf2";
    return flavour == SCRAM_WAMP ? "argon2id13" : "argon2id-13";
}

static enum auth_step refuse_input(struct auth_exchange *x, const char *scram, const char *words)
{
    return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, scram, "the input is malformed", "%.*s: %s",
                       SLICE_ARG(x->name), words);
}

/* ---- the challenge ---- */

static bool read_nonce(const struct auth_request *request, struct arena *arena, struct slice *text,
                       unsigned char bytes[MAX_NONCE_LEN], size_t *len)
{
    struct token token;

    if (!auth_find(request->codec, request->authextra, "nonce", arena, &token) ||
        token.type != TOKEN_TEXT || token.text.len > MAX_NONCE_LEN)
        return false;
    *text = token.text;
    return digest_unbase64(*text, bytes, MAX_NONCE_LEN, len) && *len >= MIN_CLIENT_NONCE_LEN;
}

/* Texts in a row, or the base64 of octets in a row. */
static struct blob *combine(enum scram_flavour flavour, struct slice text,
                            const unsigned char *bytes, size_t len,
                            const unsigned char server[SERVER_NONCE_LEN])
{
    unsigned char both[MAX_NONCE_LEN + SERVER_NONCE_LEN];
    struct blob *nonce;
    struct slice tail;

    if (flavour == SCRAM_COMPAT) {
        memcpy(both, bytes, len);
        memcpy(both + len, server, SERVER_NONCE_LEN);
        nonce = blob_new(base64_encoded_len(len + SERVER_NONCE_LEN));
        base64_encode(slice_make(both, len + SERVER_NONCE_LEN), nonce->data);
        return nonce;
    }
    tail = slice_make(server, SERVER_NONCE_LEN);
    nonce = blob_new(text.len + base64_encoded_len(tail.len));
    memcpy(nonce->data, text.data, text.len);
    base64_encode(tail, nonce->data + text.len);
    return nonce;
}

/* Returns false after a refusal. */
static bool read_binding(struct auth_exchange *x, const struct auth_request *request,
                         struct arena *arena)
{
    struct token token;

    if (x->scram.flavour == SCRAM_COMPAT ||
        !auth_find(request->codec, request->authextra, "channel_binding", arena, &token))
        return true;
    if (token.type != TOKEN_TEXT) {
        (void)refuse_input(x, INVALID_ENCODING,
                           "authextra.channel_binding must be a string or null");
        return false;
    }
    if (auth_bind(request->bindings, token.text, &x->scram.binding) &&
        !(request->bindings->is_tls13 && slice_eq(token.text, SLICE("tls-unique"))))
        return true;
    (void)refuse_input(x, UNSUPPORTED_BINDING,
                       "authextra.channel_binding names a kind that this connection does not have");
    return false;
}

/* "=" and "," have a meaning in AuthMessage. */
static void write_escaped(struct writer *w, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '=')
            writer_write(w, "=3D", 3);
        else if (name.data[i] == ',')
            writer_write(w, "=2C", 3);
        else
            writer_put(w, name.data[i]);
    }
}

static void write_field(struct writer *w, const char *name, struct slice value)
{
    writer_write(w, name, strlen(name));
    writer_write(w, value.data, value.len);
}

static void write_binding(struct writer *w, const struct auth_exchange *x)
{
    const struct binding *binding = &x->scram.binding;
    struct writer plain;
    size_t len;

    if (x->scram.flavour == SCRAM_COMPAT)
        return;
    writer_init(&plain, 0);
    if (binding->name == NULL)
        writer_write(&plain, "n", 1);
    else
        write_field(&plain, "p=", slice_of(binding->name));
    writer_write(&plain, ",,", 2);
    writer_write(&plain, binding->bytes, binding->len);
    len = base64_encoded_len(plain.len);
    base64_encode(writer_slice(&plain), writer_reserve(w, len));
    writer_advance(w, len);
    writer_fini(&plain);
}

static struct blob *write_message(const struct auth_exchange *x, struct slice client_nonce,
                                  const struct parameters *p)
{
    struct slice nonce = blob_slice(x->scram.nonce);
    char iterations[16];
    struct writer w;

    (void)snprintf(iterations, sizeof(iterations), "%u", p->kdf->iterations);
    writer_init(&w, 512);
    write_field(&w, "n=", (struct slice){0});
    write_escaped(&w, x->authid);
    write_field(&w, ",r=", client_nonce);
    write_field(&w, ",r=", nonce);
    write_field(&w, ",s=", slice_make(p->salt, p->salt_len));
    write_field(&w, ",i=", slice_of(iterations));
    write_field(&w, ",c=", (struct slice){0});
    write_binding(&w, x);
    write_field(&w, ",r=", nonce);
    return writer_freeze(&w);
}

static enum auth_step send(struct auth_exchange *x, const struct parameters *p)
{
    bool has_memory = p->kdf->kind == KDF_ARGON2ID;
    /* The deployed clients read a number wherever the key is there. */
    bool says_memory = has_memory || x->scram.flavour == SCRAM_WAMP;
    struct encoder e;

    encode_start(&e, x->codec, 256);
    encode_map(&e, says_memory ? 5 : 4);
    encode_text_pair(&e, "nonce", blob_slice(x->scram.nonce));
    encode_text_pair(&e, "salt", slice_make(p->salt, p->salt_len));
    encode_text_pair(&e, "kdf", slice_of(kdf_name(p->kdf, x->scram.flavour)));
    encode_text(&e, SLICE("iterations"));
    encode_uint(&e, p->kdf->iterations);
    if (says_memory)
        encode_text(&e, SLICE("memory"));
    if (has_memory)
        encode_uint(&e, p->kdf->memory);
    else if (says_memory)
        encode_null(&e);
    encode_end(&e);
    return auth_send(x, &e);
}

/* The keys and parameters to go on with: the record's, or those of nobody. A record without keys
 * for this flavour has those of nobody: its principal cannot log in this way. Its salt is its own
 * all the same, since nobody has one salt for both flavours. */
static void choose_keys(struct auth_exchange *x, const struct auth_settings *settings,
                        const struct auth_request *request, struct parameters *p)
{
    unsigned char salt[DIGEST_LEN];
    struct slice chosen = slice_make(salt, settings->mock_salt_len);

    auth_mock(settings, request, "scram salt", salt);
    auth_mock(settings, request, "scram stored key", x->scram.keys.stored_key);
    auth_mock(settings, request, "scram server key", x->scram.keys.server_key);
    p->kdf = &settings->scram_kdf;
    if (x->record != NULL) {
        if (x->record->scram.flavours[x->scram.flavour].is_known)
            x->scram.keys = x->record->scram.flavours[x->scram.flavour];
        p->kdf = &x->record->scram.kdf;
        chosen = slice_make(x->record->scram.salt, x->record->scram.salt_len);
    }
    base64_encode(chosen, p->salt);
    p->salt_len = base64_encoded_len(chosen.len);
}

static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request, enum scram_flavour flavour)
{
    unsigned char client[MAX_NONCE_LEN], server[SERVER_NONCE_LEN];
    size_t client_len = 0;
    struct slice client_text = {0};
    enum auth_step step = AUTH_REFUSED;
    struct parameters p;
    struct arena arena;

    arena_init(&arena);
    x->scram.flavour = flavour;
    if (!read_nonce(request, &arena, &client_text, client, &client_len)) {
        step = refuse_input(x, INVALID_ENCODING,
                            "authextra.nonce must be base64 with padding, of 8 octets or more");
        goto out;
    }
    if (!read_binding(x, request, &arena))
        goto out;
    rng_bytes(request->rng, server, sizeof(server));
    x->scram.nonce = combine(flavour, client_text, client, client_len, server);
    choose_keys(x, settings, request, &p);
    x->scram.message = write_message(x, client_text, &p);
    step = send(x, &p);
out:
    arena_fini(&arena);
    return step;
}

static enum auth_step begin_wamp(struct auth_exchange *x, const struct auth_settings *settings,
                                 const struct auth_request *request)
{
    return begin(x, settings, request, SCRAM_WAMP);
}

static enum auth_step begin_compat(struct auth_exchange *x, const struct auth_settings *settings,
                                   const struct auth_request *request)
{
    return begin(x, settings, request, SCRAM_COMPAT);
}

/* ---- the proof ---- */

/* Extra may repeat what was said; what it repeats must be the same. Returns false after a
 * refusal. */
static bool is_consistent(struct auth_exchange *x, struct slice extra, struct arena *arena)
{
    const struct binding *binding = &x->scram.binding;
    unsigned char bytes[MAX_BINDING_LEN];
    struct token token;
    size_t len;

    if (auth_find(x->codec, extra, "nonce", arena, &token) &&
        (token.type != TOKEN_TEXT || !slice_eq(token.text, blob_slice(x->scram.nonce)))) {
        (void)auth_deny(x, OTHER_ERROR, "the nonce is not the one of the challenge");
        return false;
    }
    if (auth_find(x->codec, extra, "cbind_data", arena, &token) &&
        (binding->name == NULL || token.type != TOKEN_TEXT ||
         !digest_unbase64(token.text, bytes, sizeof(bytes), &len) || len != binding->len ||
         !digest_is_equal(bytes, binding->bytes, len))) {
        (void)auth_deny(x, BINDINGS_DIFFER, "the data of channel binding differ");
        return false;
    }
    return true;
}

/* A kind that is null where one is in use is a difference, too; a kind that is absent is not. */
static bool has_same_binding(struct auth_exchange *x, struct slice extra, struct arena *arena)
{
    struct token token = {.type = TOKEN_DONE};
    const char *name = x->scram.binding.name;

    if (!auth_find(x->codec, extra, "channel_binding", arena, &token)) {
        if (token.type == TOKEN_DONE || name == NULL)
            return true;
    } else if (name != NULL && token.type == TOKEN_TEXT && slice_eq(token.text, slice_of(name))) {
        return true;
    }
    (void)auth_deny(x, BINDINGS_DIFFER, "the kind of channel binding differs");
    return false;
}

static bool is_right_proof(const struct auth_exchange *x, const unsigned char proof[DIGEST_LEN])
{
    unsigned char key[DIGEST_LEN], stored[DIGEST_LEN];
    bool is_right;

    digest_hmac(slice_make(x->scram.keys.stored_key, DIGEST_LEN), blob_slice(x->scram.message),
                key);
    for (size_t i = 0; i < DIGEST_LEN; i++)
        key[i] ^= proof[i];
    digest_sha256(slice_make(key, sizeof(key)), stored);
    is_right = digest_is_equal(stored, x->scram.keys.stored_key, DIGEST_LEN);
    digest_wipe(key, sizeof(key));
    return is_right;
}

static void sign(struct auth_exchange *x)
{
    unsigned char mac[DIGEST_LEN];

    digest_hmac(slice_make(x->scram.keys.server_key, DIGEST_LEN), blob_slice(x->scram.message),
                mac);
    base64_encode(slice_make(mac, sizeof(mac)), x->scram.server_signature);
}

static enum auth_step check(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    unsigned char proof[DIGEST_LEN];
    struct arena arena;
    bool is_fine;
    size_t len;

    arena_init(&arena);
    is_fine = x->scram.flavour == SCRAM_COMPAT ||
              (is_consistent(x, extra, &arena) && has_same_binding(x, extra, &arena));
    arena_fini(&arena);
    if (!is_fine)
        return AUTH_REFUSED;
    if (!digest_unbase64(signature, proof, sizeof(proof), &len) || len != sizeof(proof))
        return auth_deny(x, INVALID_ENCODING, "the proof is not base64 of 32 octets");
    sign(x);
    return auth_judge(x, is_right_proof(x, proof) && x->scram.keys.is_known, INVALID_PROOF,
                      x->scram.keys.is_known ? "wrong proof"
                                             : "the record has no keys for this flavour of SCRAM");
}

void auth_scram_encode_extra(const struct auth_exchange *x, struct encoder *e)
{
    struct slice signature = slice_make(x->scram.server_signature, base64_encoded_len(DIGEST_LEN));

    if (x->scram.flavour == SCRAM_WAMP)
        encode_text_pair(e, "verifier", signature);
    encode_text_pair(e, "scram_server_signature", signature);
}

const struct auth_method auth_wamp_scram = {
    .name = "wamp-scram",
    .credential = CREDENTIAL_SCRAM,
    .needs_authid = true,
    .needs_extra = "authextra.nonce",
    .begin = begin_wamp,
    .check = check,
};

const struct auth_method auth_scram = {
    .name = "scram",
    .credential = CREDENTIAL_SCRAM,
    .needs_authid = true,
    .needs_extra = "authextra.nonce",
    .begin = begin_compat,
    .check = check,
};
