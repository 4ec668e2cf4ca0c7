/* auth_hash.c -- reads and writes the text form of stored passwords.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_hash.h"

#include "auth/digest.h"
#include "base/base64.h"
#include "base/check.h"
#include "wire/errors.h"

#include <stdio.h>

static int wrong(struct fault *fault, const char *words)
{
    return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED, "%s", words);
}

/* Cuts off what is before the next '$', or all that is left. */
static struct slice next_field(struct slice *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, '$', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    struct slice field = slice_make(rest->data, len);
    size_t used = end == NULL ? len : len + 1;

    *rest = slice_make(rest->data + used, rest->len - used);
    return field;
}

/* Reads a decimal number without sign or leading zero, and moves past it. */
static bool read_number(struct slice *text, uint32_t *number)
{
    uint64_t value = 0;
    size_t len = 0;

    while (len < text->len && len < 10 && text->data[len] >= '0' && text->data[len] <= '9')
        value = value * 10 + (uint64_t)(text->data[len++] - '0');
    if (len == 0 || (text->data[0] == '0' && len > 1) || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    *text = slice_make(text->data + len, text->len - len);
    return true;
}

static bool skip(struct slice *text, struct slice prefix)
{
    if (!slice_starts_with(*text, prefix))
        return false;
    *text = slice_make(text->data + prefix.len, text->len - prefix.len);
    return true;
}

/* m, t and p in this order, as every implementation writes them. */
static bool read_argon2(struct kdf *kdf, struct slice text)
{
    kdf->kind = KDF_ARGON2ID;
    return skip(&text, SLICE("m=")) && read_number(&text, &kdf->memory) &&
           skip(&text, SLICE(",t=")) && read_number(&text, &kdf->iterations) &&
           skip(&text, SLICE(",p=")) && read_number(&text, &kdf->lanes) && text.len == 0;
}

static bool read_pbkdf2(struct kdf *kdf, struct slice text)
{
    kdf->kind = KDF_PBKDF2;
    (void)skip(&text, SLICE("i="));
    return read_number(&text, &kdf->iterations) && text.len == 0;
}

/* Base64 without padding, of least to most octets. */
static bool read_octets(struct slice text, unsigned char *out, size_t least, size_t most,
                        size_t *len)
{
    char plain[MAX_HASH_TEXT], bytes[MAX_HASH_TEXT];
    long count;

    if (text.len >= sizeof(plain))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '=')
            return false;
        plain[i] = text.data[i];
        if (plain[i] == '.')
            plain[i] = '+';
    }
    count = base64_decode(slice_make(plain, text.len), bytes);
    if (count < (long)least || count > (long)most)
        return false;
    *len = (size_t)count;
    memcpy(out, bytes, *len);
    digest_wipe(bytes, sizeof(bytes));
    digest_wipe(plain, sizeof(plain));
    return true;
}

static int read_parameters(struct auth_hash *hash, struct slice *rest, struct fault *fault)
{
    struct slice name = next_field(rest);

    if (slice_eq(name, SLICE("argon2id"))) {
        if (!slice_eq(next_field(rest), SLICE("v=19")))
            return wrong(fault, "only version v=19 of argon2id is known");
        if (!read_argon2(&hash->kdf, next_field(rest)))
            return wrong(fault, "the parameters of argon2id must be m=...,t=...,p=...");
    } else if (slice_eq(name, SLICE("pbkdf2-sha256"))) {
        if (!read_pbkdf2(&hash->kdf, next_field(rest)))
            return wrong(fault, "the parameter of pbkdf2-sha256 must be i=...");
    } else {
        return wrong(fault, "it must begin with $argon2id$ or $pbkdf2-sha256$");
    }
    return kdf_check(&hash->kdf, fault);
}

int auth_hash_parse(struct auth_hash *hash, struct slice text, struct fault *fault)
{
    struct slice rest = text;
    int err;

    *hash = (struct auth_hash){0};
    if (text.len >= MAX_HASH_TEXT)
        return wrong(fault, "it is too long");
    if (!skip(&rest, SLICE("$")))
        return wrong(fault, "it must begin with $argon2id$ or $pbkdf2-sha256$");
    err = read_parameters(hash, &rest, fault);
    if (err != 0)
        return err;
    if (!read_octets(next_field(&rest), hash->salt, MIN_SALT_LEN, MAX_SALT_LEN, &hash->salt_len))
        return wrong(fault, "its salt must be base64 without padding of 8 to 64 octets");
    if (!read_octets(rest, hash->key, MIN_DERIVED_LEN, MAX_DERIVED_LEN, &hash->key_len))
        return wrong(fault, "its hash must be base64 without padding of 16 to 64 octets");
    return 0;
}

/* Writes base64 without padding; returns how many characters. */
static size_t put_octets(const unsigned char *bytes, size_t len, char *out)
{
    size_t count = base64_encoded_len(len);

    base64_encode(slice_make(bytes, len), out);
    while (count > 0 && out[count - 1] == '=')
        count--;
    return count;
}

size_t auth_hash_print(const struct auth_hash *hash, char out[MAX_HASH_TEXT])
{
    int len;
    size_t at;

    CHECK(hash->kdf.kind != KDF_NONE);
    if (hash->kdf.kind == KDF_ARGON2ID)
        len = snprintf(out, MAX_HASH_TEXT, "$argon2id$v=19$m=%u,t=%u,p=%u$", hash->kdf.memory,
                       hash->kdf.iterations, hash->kdf.lanes);
    else
        len = snprintf(out, MAX_HASH_TEXT, "$pbkdf2-sha256$i=%u$", hash->kdf.iterations);
    at = (size_t)len;
    CHECK(at + base64_encoded_len(hash->salt_len) + 2 + base64_encoded_len(hash->key_len) <
          MAX_HASH_TEXT);
    at += put_octets(hash->salt, hash->salt_len, out + at);
    out[at++] = '$';
    at += put_octets(hash->key, hash->key_len, out + at);
    out[at] = '\0';
    return at;
}

struct auth_job *auth_hash_job(const struct auth_hash *hash, struct slice password)
{
    return auth_job_new(&hash->kdf, password, slice_make(hash->salt, hash->salt_len),
                        hash->key_len);
}

bool auth_hash_is_right(const struct auth_hash *hash, const struct auth_job *job)
{
    return job->is_done && job->key_len == hash->key_len &&
           digest_is_equal(job->key, hash->key, hash->key_len);
}
