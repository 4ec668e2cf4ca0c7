/* token_key.c -- see token_key.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/token_key.h"

#include "auth/digest.h"
#include "base/check.h"
#include "base/mem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define MIN_RSA_BITS   2048
#define MAX_RSA_BITS   8192
#define MAX_EXPONENT   8 /* octets */
#define MAX_PEM_LEN    65536
#define P256_LEN       32
#define SIGNATURE_P256 64 /* r and s */

struct token_key {
    EVP_PKEY *key;       /* owned; NULL: a secret */
    struct slice secret; /* owned, wiped */
};

static const char *const names[TOKEN_ALG_COUNT] = {
    [TOKEN_HS256] = "HS256", [TOKEN_HS384] = "HS384", [TOKEN_HS512] = "HS512",
    [TOKEN_RS256] = "RS256", [TOKEN_RS384] = "RS384", [TOKEN_RS512] = "RS512",
    [TOKEN_ES256] = "ES256", [TOKEN_EDDSA] = "EdDSA",
};

const char *token_alg_name(enum token_alg alg)
{
    return names[alg];
}

enum token_alg token_alg_of(struct slice name)
{
    enum token_alg alg = 0;

    while (alg < TOKEN_ALG_COUNT && !slice_eq(slice_of(names[alg]), name))
        alg++;
    return alg;
}

/* ---- making keys ---- */

static struct token_key *refuse(EVP_PKEY *key, const char **words, const char *why)
{
    EVP_PKEY_free(key);
    ERR_clear_error();
    *words = why;
    return NULL;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t len;

    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                          &len) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* Takes over a key of libcrypto, if it is of a kind that we know. */
static struct token_key *take(EVP_PKEY *key, const char **words)
{
    struct token_key *taken;
    int type;

    if (key == NULL)
        return refuse(NULL, words, "it is no public key");
    type = EVP_PKEY_get_base_id(key);
    if (type == EVP_PKEY_RSA &&
        (EVP_PKEY_get_bits(key) < MIN_RSA_BITS || EVP_PKEY_get_bits(key) > MAX_RSA_BITS))
        return refuse(key, words, "its length is not 2048 to 8192 bits, as allowed for RSA");
    if (type == EVP_PKEY_EC && !is_p256(key))
        return refuse(key, words, "its curve is not P-256");
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC && type != EVP_PKEY_ED25519)
        return refuse(key, words, "it is none of RSA, P-256 and Ed25519");
    taken = mem_zero(1, sizeof(*taken));
    taken->key = key;
    return taken;
}

/* A phrase is never asked for at the terminal. */
static int no_phrase(char *out, int len, int for_writing, void *ctx)
{
    (void)out;
    (void)len;
    (void)for_writing;
    (void)ctx;
    return -1;
}

struct token_key *token_key_pem(struct slice text, const char **words)
{
    EVP_PKEY *key;
    X509 *certificate;
    BIO *bio;

    if (text.len > MAX_PEM_LEN)
        return refuse(NULL, words, "it is longer than 64 KiB");
    bio = BIO_new_mem_buf(text.data, (int)text.len);
    CHECK(bio != NULL);
    key = PEM_read_bio_PUBKEY(bio, NULL, no_phrase, NULL);
    if (key == NULL && BIO_reset(bio) == 1 &&
        (certificate = PEM_read_bio_X509(bio, NULL, no_phrase, NULL)) != NULL) {
        key = X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    return take(key, words);
}

/* A key out of its parameters. */
static EVP_PKEY *from_params(int type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(type, NULL);
    EVP_PKEY *key = NULL;

    CHECK(params != NULL && context != NULL);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

struct token_key *token_key_rsa(struct slice n, struct slice e, const char **words)
{
    OSSL_PARAM_BLD *builder;
    BIGNUM *modulus, *exponent;
    EVP_PKEY *key;

    if (n.len > MAX_RSA_BITS / 8 || e.len > MAX_EXPONENT || n.len == 0 || e.len == 0)
        return refuse(NULL, words, "its length is not 2048 to 8192 bits, as allowed for RSA");
    builder = OSSL_PARAM_BLD_new();
    modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
    exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
    CHECK(builder != NULL && modulus != NULL && exponent != NULL);
    CHECK(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
    key = from_params(EVP_PKEY_RSA, builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return take(key, words);
}

struct token_key *token_key_p256(struct slice x, struct slice y, const char **words)
{
    unsigned char point[1 + 2 * P256_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *builder;
    EVP_PKEY *key;

    if (x.len != P256_LEN || y.len != P256_LEN)
        return refuse(NULL, words, "x and y of P-256 have 32 octets each");
    memcpy(point + 1, x.data, P256_LEN);
    memcpy(point + 1 + P256_LEN, y.data, P256_LEN);
    builder = OSSL_PARAM_BLD_new();
    CHECK(builder != NULL);
    CHECK(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                          0) == 1 &&
          OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                           sizeof(point)) == 1);
    key = from_params(EVP_PKEY_EC, builder);
    OSSL_PARAM_BLD_free(builder);
    return take(key, words);
}

struct token_key *token_key_ed25519(struct slice octets, const char **words)
{
    if (octets.len != DIGEST_LEN)
        return refuse(NULL, words, "a key of Ed25519 has 32 octets");
    return take(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                            (const unsigned char *)octets.data, octets.len),
                words);
}

struct token_key *token_key_secret(struct slice octets, const char **words)
{
    struct token_key *key;

    if (octets.len == 0)
        return refuse(NULL, words, "the secret is empty");
    key = mem_zero(1, sizeof(*key));
    key->secret = slice_make(mem_copy(octets.data, octets.len), octets.len);
    return key;
}

void token_key_free(struct token_key *key)
{
    if (key == NULL)
        return;
    if (key->secret.data != NULL)
        digest_wipe((void *)(uintptr_t)key->secret.data, key->secret.len);
    mem_free((void *)(uintptr_t)key->secret.data);
    EVP_PKEY_free(key->key);
    mem_free(key);
}

/* ---- verifying ---- */

bool token_key_fits(const struct token_key *key, enum token_alg alg)
{
    if (key->key == NULL)
        return alg <= TOKEN_HS512;
    switch (EVP_PKEY_get_base_id(key->key)) {
    case EVP_PKEY_RSA:
        return alg == TOKEN_RS256 || alg == TOKEN_RS384 || alg == TOKEN_RS512;
    case EVP_PKEY_EC:
        return alg == TOKEN_ES256;
    default:
        return alg == TOKEN_EDDSA;
    }
}

static bool is_hmac_right(const struct token_key *key, enum token_alg alg, struct slice bytes,
                          struct slice signature)
{
    unsigned char right[SHA512_LEN];
    size_t len = digest_hmac_of((enum digest_kind)(alg - TOKEN_HS256), key->secret, bytes, right);
    bool is_right = signature.len == len && digest_is_equal(right, signature.data, len);

    digest_wipe(right, sizeof(right));
    return is_right;
}

/* Of two numbers in 32 octets each to what libcrypto reads; the caller frees. Returns its length. */
static int to_der(struct slice signature, unsigned char **out)
{
    const unsigned char *at = (const unsigned char *)signature.data;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(at, P256_LEN, NULL), *s = BN_bin2bn(at + P256_LEN, P256_LEN, NULL);
    int len;

    CHECK(pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1);
    *out = NULL;
    len = i2d_ECDSA_SIG(pair, out);
    CHECK(len > 0);
    ECDSA_SIG_free(pair);
    return len;
}

static bool verify(EVP_PKEY *key, const EVP_MD *md, struct slice bytes, struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_right;

    CHECK(context != NULL);
    is_right = EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
               EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                                (const unsigned char *)bytes.data, bytes.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_right;
}

static bool is_p256_right(const struct token_key *key, struct slice bytes, struct slice signature)
{
    unsigned char *der;
    bool is_right;
    int len;

    if (signature.len != SIGNATURE_P256)
        return false;
    len = to_der(signature, &der);
    is_right = verify(key->key, EVP_sha256(), bytes, slice_make(der, (size_t)len));
    OPENSSL_free(der);
    return is_right;
}

bool token_key_verify(const struct token_key *key, enum token_alg alg, struct slice bytes,
                      struct slice signature)
{
    if (!token_key_fits(key, alg) || signature.len == 0)
        return false;
    if (key->key == NULL)
        return is_hmac_right(key, alg, bytes, signature);
    if (alg == TOKEN_ES256)
        return is_p256_right(key, bytes, signature);
    return verify(key->key,
                  alg == TOKEN_EDDSA   ? NULL
                  : alg == TOKEN_RS256 ? EVP_sha256()
                  : alg == TOKEN_RS384 ? EVP_sha384()
                                       : EVP_sha512(),
                  bytes, signature);
}
