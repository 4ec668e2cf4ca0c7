/* auth_wampcra.c -- HMAC over a challenge, with a secret that both sides have.
 *
 * A salted secret is base64 text, and that text is the key of the HMAC; the salt is used as the
 * text that it is. The router keeps what it would answer itself, so checking is one comparison.
 *
 * WAMP: "Challenge-Response Authentication".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "base/base64.h"
#include "base/instant.h"

#define NONCE_LEN        16
#define SIGNATURE_CHARS  44
#define MOCK_SECRET_SIZE 48

struct credential_view {
    struct slice secret, salt;
    uint32_t iterations, keylen;
};

static struct slice new_nonce(struct rng *rng, char out[32])
{
    unsigned char bytes[NONCE_LEN];

    rng_bytes(rng, bytes, sizeof(bytes));
    base64_encode(slice_make(bytes, sizeof(bytes)), out);
    return slice_make(out, base64_encoded_len(sizeof(bytes)));
}

/* The text that the client signs, byte for byte. */
static struct blob *write_challenge(const struct auth_exchange *x,
                                    const struct auth_settings *settings,
                                    const struct auth_request *request)
{
    const struct auth_record *record = x->record;
    char time_text[INSTANT_LEN], nonce_text[32];
    struct encoder e;

    encode_start(&e, CODEC_JSON, 256);
    encode_map(&e, 7);
    encode_text_pair(&e, "authid", request->authid);
    encode_text_pair(&e, "authrole", record != NULL ? record->authrole : settings->mock_role);
    encode_text_pair(&e, "authmethod", x->name);
    encode_text_pair(&e, "authprovider",
                     record != NULL && record->authprovider.len != 0 ? record->authprovider
                                                                     : settings->mock_provider);
    encode_text_pair(&e, "nonce", new_nonce(request->rng, nonce_text));
    encode_text_pair(&e, "timestamp", instant_format(request->now_ms, time_text));
    encode_text(&e, SLICE("session"));
    encode_uint(&e, request->session);
    encode_end(&e);
    return encode_finish(&e);
}

static enum auth_step send(struct auth_exchange *x, struct slice challenge,
                           const struct credential_view *credential)
{
    struct encoder e;

    encode_start(&e, x->codec, challenge.len + 128);
    encode_map(&e, credential->salt.len == 0 ? 1 : 4);
    encode_text_pair(&e, "challenge", challenge);
    if (credential->salt.len != 0) {
        encode_text_pair(&e, "salt", credential->salt);
        encode_text(&e, SLICE("keylen"));
        encode_uint(&e, credential->keylen);
        encode_text(&e, SLICE("iterations"));
        encode_uint(&e, credential->iterations);
    }
    encode_end(&e);
    return auth_send(x, &e);
}

static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request)
{
    unsigned char mock_secret[DIGEST_LEN], mock_salt[DIGEST_LEN], mac[DIGEST_LEN];
    char secret_text[MOCK_SECRET_SIZE], salt_text[MOCK_SECRET_SIZE];
    struct credential_view credential;
    struct blob *challenge = write_challenge(x, settings, request);
    enum auth_step step;

    auth_mock(settings, request, "wampcra secret", mock_secret);
    auth_mock(settings, request, "wampcra salt", mock_salt);
    base64_encode(slice_make(mock_secret, DIGEST_LEN), secret_text);
    base64_encode(slice_make(mock_salt, settings->mock_salt_len), salt_text);
    credential = (struct credential_view){
        .secret = slice_make(secret_text, base64_encoded_len(DIGEST_LEN)),
        .salt = slice_make(salt_text, settings->cra_iterations == 0
                                          ? 0
                                          : base64_encoded_len(settings->mock_salt_len)),
        .iterations = settings->cra_iterations,
        .keylen = settings->cra_keylen,
    };
    if (x->record != NULL)
        credential = (struct credential_view){x->record->cra.secret, x->record->cra.salt,
                                              x->record->cra.iterations, x->record->cra.keylen};
    digest_hmac(credential.secret, blob_slice(challenge), mac);
    base64_encode(slice_make(mac, sizeof(mac)), (char *)x->cra.expected);
    step = send(x, blob_slice(challenge), &credential);
    blob_drop(challenge);
    digest_wipe(mock_secret, sizeof(mock_secret));
    digest_wipe(secret_text, sizeof(secret_text));
    digest_wipe(mac, sizeof(mac));
    return step;
}

static enum auth_step check(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    (void)extra;
    return auth_judge(x,
                      signature.len == SIGNATURE_CHARS &&
                          digest_is_equal(signature.data, x->cra.expected, SIGNATURE_CHARS),
                      NULL, "wrong signature");
}

const struct auth_method auth_wampcra = {
    .name = "wampcra",
    .credential = CREDENTIAL_CRA,
    .needs_authid = true,
    .begin = begin,
    .check = check,
};
