/* digest.c -- libcrypto in the words of this room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/digest.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool digest_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void digest_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}

static void hash(const EVP_MD *kind, struct slice bytes, unsigned char *out)
{
    CHECK(EVP_Digest(bytes.len == 0 ? "" : bytes.data, bytes.len, out, NULL, kind, NULL) == 1);
}

void digest_sha256(struct slice bytes, unsigned char out[DIGEST_LEN])
{
    hash(EVP_sha256(), bytes, out);
}

void digest_sha1(struct slice bytes, unsigned char out[SHA1_LEN])
{
    hash(EVP_sha1(), bytes, out);
}

void digest_sha512(struct slice bytes, unsigned char out[SHA512_LEN])
{
    hash(EVP_sha512(), bytes, out);
}

size_t digest_hmac_of(enum digest_kind kind, struct slice key, struct slice bytes,
                      unsigned char out[SHA512_LEN])
{
    const EVP_MD *md = kind == DIGEST_SHA256   ? EVP_sha256()
                       : kind == DIGEST_SHA384 ? EVP_sha384()
                                               : EVP_sha512();
    unsigned len = 0;

    CHECK(key.len <= INT32_MAX);
    CHECK(HMAC(md, key.len == 0 ? "" : key.data, (int)key.len,
               (const unsigned char *)(bytes.len == 0 ? "" : bytes.data), bytes.len, out,
               &len) != NULL);
    return len;
}

void digest_hmac(struct slice key, struct slice bytes, unsigned char out[DIGEST_LEN])
{
    unsigned char all[SHA512_LEN] = {0};
    size_t len = digest_hmac_of(DIGEST_SHA256, key, bytes, all);

    memcpy(out, all, len);
    digest_wipe(all, sizeof(all));
}

static EVP_PKEY *private_key(const unsigned char seed[DIGEST_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, DIGEST_LEN);

    CHECK(key != NULL);
    return key;
}

void digest_public_key(const unsigned char seed[DIGEST_LEN], unsigned char out[DIGEST_LEN])
{
    EVP_PKEY *key = private_key(seed);
    size_t len = DIGEST_LEN;

    CHECK(EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == DIGEST_LEN);
    EVP_PKEY_free(key);
}

void digest_sign(const unsigned char seed[DIGEST_LEN], struct slice bytes,
                 unsigned char out[SIGNATURE_LEN])
{
    EVP_PKEY *key = private_key(seed);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = SIGNATURE_LEN;

    CHECK(context != NULL);
    CHECK(EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1);
    CHECK(EVP_DigestSign(context, out, &len, (const unsigned char *)bytes.data, bytes.len) == 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

bool digest_verify(const unsigned char public_key[DIGEST_LEN], struct slice bytes,
                   const unsigned char signature[SIGNATURE_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, DIGEST_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_right;

    CHECK(context != NULL);
    is_right = key != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestVerify(context, signature, SIGNATURE_LEN,
                                (const unsigned char *)bytes.data, bytes.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return is_right;
}

void digest_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
}

/* The value of a digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool digest_unhex(struct slice text, unsigned char *out, size_t len)
{
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = digit_value(text.data[2 * i]), low = digit_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

bool digest_unbase64(struct slice text, unsigned char *out, size_t room, size_t *len)
{
    char *bytes;
    long count;
    bool is_canonical;

    if (text.len > base64_encoded_len(room))
        return false;
    bytes = mem_alloc(text.len);
    count = base64_decode(text, bytes);
    /* The decoder refuses stray bits, so only missing padding is left to find. */
    is_canonical =
        count >= 0 && (size_t)count <= room && base64_encoded_len((size_t)count) == text.len;
    if (is_canonical) {
        *len = (size_t)count;
        memcpy(out, bytes, *len);
    }
    digest_wipe(bytes, text.len);
    mem_free(bytes);
    return is_canonical;
}
