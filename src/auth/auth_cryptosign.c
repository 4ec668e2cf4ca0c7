/* auth_cryptosign.c -- Ed25519 over a challenge, bound to the TLS connection when that is asked for.
 *
 * What is signed is computed here: the copy of it that clients send behind a signature must be
 * the same, and is never trusted. A key that nobody has is challenged like any other, so that
 * keys cannot be probed.
 *
 * WAMP: "Cryptosign-based Authentication".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"

#define SIGNED_LEN (SIGNATURE_LEN + DIGEST_LEN)

static void apply_binding(unsigned char bytes[DIGEST_LEN], const unsigned char channel[DIGEST_LEN])
{
    for (size_t i = 0; i < DIGEST_LEN; i++)
        bytes[i] ^= channel[i];
}

/* The 32 octets that stand for the connection, or false when it has none of that kind. */
static bool channel_id(const struct auth_settings *settings, const struct auth_request *request,
                       struct slice kind, struct binding *binding)
{
    if (!auth_bind(request->bindings, kind, binding))
        return false;
    if (slice_eq(kind, SLICE("tls-exporter")))
        return binding->len == DIGEST_LEN;
    if (!slice_eq(kind, SLICE("tls-unique")) ||
        (request->bindings->is_tls13 && !settings->tls_unique_tls13))
        return false;
    digest_sha256(slice_make(binding->bytes, binding->len), binding->bytes);
    binding->len = DIGEST_LEN;
    return true;
}

/* Reads 32 octets in hex. Returns 1, 0 when there are none, -1 when it is something else. */
static int read_hex(const struct auth_request *request, const char *key,
                    unsigned char out[DIGEST_LEN])
{
    struct token token;
    struct arena arena;
    int found = 0;

    arena_init(&arena);
    if (auth_find(request->codec, request->authextra, key, &arena, &token))
        found = token.type == TOKEN_TEXT && digest_unhex(token.text, out, DIGEST_LEN) ? 1 : -1;
    arena_fini(&arena);
    return found;
}

/* Reads which binding is wanted, and has it or goes without. */
static bool read_binding(const struct auth_settings *settings, const struct auth_request *request,
                         struct binding *binding)
{
    struct token token;
    struct arena arena;
    bool is_right = true;

    arena_init(&arena);
    if (auth_find(request->codec, request->authextra, "channel_binding", &arena, &token)) {
        is_right = token.type == TOKEN_TEXT;
        if (!is_right || !channel_id(settings, request, token.text, binding))
            *binding = (struct binding){0};
    }
    arena_fini(&arena);
    return is_right;
}

static bool is_owner(const struct auth_exchange *x, struct slice claimed)
{
    const struct auth_record *record = x->record;
    bool is_found = false;

    if (record == NULL)
        return false;
    for (unsigned i = 0; i < record->pub.count; i++)
        is_found |= digest_is_equal(record->pub.keys[i], x->sign.pubkey, DIGEST_LEN);
    return is_found &&
           (claimed.len == 0 || record->authid.len == 0 || slice_eq(claimed, record->authid));
}

static void encode_hex(struct encoder *e, const char *key, const unsigned char *bytes, size_t len)
{
    char hex[2 * SIGNED_LEN];

    digest_hex(bytes, len, hex);
    encode_text_pair(e, key, slice_make(hex, 2 * len));
}

/* The router proves itself with the same kind of signature. */
static void encode_router(struct encoder *e, const struct auth_settings *settings,
                          const unsigned char message[DIGEST_LEN])
{
    unsigned char signature[SIGNED_LEN], pubkey[DIGEST_LEN];

    digest_public_key(settings->router_seed, pubkey);
    digest_sign(settings->router_seed, slice_make(message, DIGEST_LEN), signature);
    memcpy(signature + SIGNATURE_LEN, message, DIGEST_LEN);
    encode_hex(e, "pubkey", pubkey, sizeof(pubkey));
    encode_hex(e, "signature", signature, sizeof(signature));
}

static enum auth_step send(struct auth_exchange *x, const unsigned char challenge[DIGEST_LEN],
                           const struct binding *binding, const struct auth_settings *settings,
                           const unsigned char *to_sign)
{
    struct encoder e;

    encode_start(&e, x->codec, 512);
    encode_map(&e, to_sign != NULL ? 4 : 2);
    encode_hex(&e, "challenge", challenge, DIGEST_LEN);
    encode_text(&e, SLICE("channel_binding"));
    if (binding->name != NULL)
        encode_text(&e, slice_of(binding->name));
    else
        encode_null(&e);
    if (to_sign != NULL)
        encode_router(&e, settings, to_sign);
    encode_end(&e);
    return auth_send(x, &e);
}

static enum auth_step refuse_input(struct auth_exchange *x, const char *key, const char *words)
{
    return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL, "the HELLO is malformed",
                       "cryptosign: authextra.%s: %s", key, words);
}

static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request)
{
    static const char not_hex[] = "must be 64 hex digits";
    unsigned char challenge[DIGEST_LEN], to_sign[DIGEST_LEN];
    struct binding binding = {0};
    int has_challenge = read_hex(request, "challenge", to_sign);
    bool is_mutual = has_challenge == 1 && settings->has_router_key;
    char hex[2 * DIGEST_LEN];

    if (read_hex(request, "pubkey", x->sign.pubkey) != 1)
        return refuse_input(x, "pubkey", not_hex);
    if (has_challenge == -1)
        return refuse_input(x, "challenge", not_hex);
    if (!read_binding(settings, request, &binding))
        return refuse_input(x, "channel_binding", "must be a string or null");
    if (binding.name == NULL && settings->require_binding)
        return refuse_input(x, "channel_binding",
                            "is required, of a kind that this connection has");

    x->sign.is_owner = is_owner(x, request->authid);
    if (request->authid.len == 0) {
        digest_hex(x->sign.pubkey, DIGEST_LEN, hex);
        auth_rename(x, slice_make(hex, sizeof(hex)));
    }
    rng_bytes(request->rng, challenge, sizeof(challenge));
    memcpy(x->sign.message, challenge, sizeof(challenge));
    if (binding.name != NULL) {
        apply_binding(x->sign.message, binding.bytes);
        if (is_mutual)
            apply_binding(to_sign, binding.bytes);
    }
    return send(x, challenge, &binding, settings, is_mutual ? to_sign : NULL);
}

/* Some clients send the signature alone. */
static bool read_signature(const struct auth_exchange *x, struct slice text,
                           unsigned char out[SIGNED_LEN])
{
    if (digest_unhex(text, out, SIGNATURE_LEN))
        return true;
    return digest_unhex(text, out, SIGNED_LEN) &&
           digest_is_equal(out + SIGNATURE_LEN, x->sign.message, DIGEST_LEN);
}

static enum auth_step check(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    unsigned char bytes[SIGNED_LEN];
    bool is_right;

    (void)extra;
    is_right = read_signature(x, signature, bytes) &&
               digest_verify(x->sign.pubkey, slice_make(x->sign.message, DIGEST_LEN), bytes);
    return auth_judge(x, is_right && x->sign.is_owner, NULL,
                      is_right ? "the key is not of this principal" : "wrong signature");
}

const struct auth_method auth_cryptosign = {
    .name = "cryptosign",
    .credential = CREDENTIAL_KEYS,
    .needs_extra = "authextra.pubkey",
    .begin = begin,
    .check = check,
};
