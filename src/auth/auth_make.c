/* auth_make.c -- makes credentials out of passwords and random numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "auth/prepare.h"
#include "base/base64.h"
#include "base/mem.h"

#define NEW_SALT_LEN 16

static int wrong_password(struct fault *fault, const char *words)
{
    return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED, "%s", words);
}

/* Runs the derivation here and now. Returns 0 with the key, or ERR_INVALID. */
static int derive(const struct kdf *kdf, struct slice password, struct slice salt, size_t key_len,
                  unsigned char *out, struct fault *fault)
{
    struct auth_job *job = auth_job_new(kdf, password, salt, key_len);
    int err = 0;

    auth_job_run(job);
    if (job->is_done)
        memcpy(out, job->key, key_len);
    else
        err = wrong_password(fault, job->trouble);
    auth_job_free(job);
    return err;
}

static int check_password(struct slice password, size_t max_len, struct fault *fault)
{
    if (password.len == 0)
        return wrong_password(fault, "the password is empty");
    if (password.len > max_len)
        return wrong_password(fault, "the password is too long");
    return 0;
}

int auth_record_make_ticket(struct encoder *e, struct slice ticket, const struct kdf *kdf,
                            struct rng *rng, struct fault *fault)
{
    struct auth_hash hash = {.kdf = *kdf, .salt_len = NEW_SALT_LEN, .key_len = DIGEST_LEN};
    char text[MAX_HASH_TEXT];
    int err = check_password(ticket, MAX_TICKET_LEN, fault);

    if (err == 0)
        err = kdf->kind == KDF_NONE ? wrong_password(fault, "a key derivation is needed")
                                    : kdf_check(kdf, fault);
    if (err != 0)
        return err;
    rng_bytes(rng, hash.salt, hash.salt_len);
    err = derive(kdf, ticket, slice_make(hash.salt, hash.salt_len), hash.key_len, hash.key, fault);
    if (err == 0)
        encode_text_pair(e, "ticket_hash", slice_make(text, auth_hash_print(&hash, text)));
    digest_wipe(&hash, sizeof(hash));
    return err;
}

static void encode_octets(struct encoder *e, const char *key, const unsigned char *bytes,
                          size_t len)
{
    char text[96];

    base64_encode(slice_make(bytes, len), text);
    encode_text_pair(e, key, slice_make(text, base64_encoded_len(len)));
    digest_wipe(text, sizeof(text));
}

static void encode_number(struct encoder *e, const char *key, uint64_t number)
{
    encode_text(e, slice_of(key));
    encode_uint(e, number);
}

int auth_record_make_wampcra(struct encoder *e, struct slice password, uint32_t iterations,
                             struct rng *rng, struct fault *fault)
{
    const struct kdf kdf = {.kind = KDF_PBKDF2, .iterations = iterations};
    unsigned char bytes[NEW_SALT_LEN], key[DIGEST_LEN];
    char salt[32];
    int err = check_password(password, MAX_SECRET_LEN, fault);

    if (err == 0)
        err = iterations == 0 ? 0 : kdf_check(&kdf, fault);
    if (err != 0)
        return err;
    if (iterations == 0) {
        encode_text_pair(e, "secret", password);
        return 0;
    }
    rng_bytes(rng, bytes, sizeof(bytes));
    base64_encode(slice_make(bytes, sizeof(bytes)), salt);
    /* The salt is used as the text that it is. */
    err = derive(&kdf, password, slice_make(salt, base64_encoded_len(sizeof(bytes))), sizeof(key),
                 key, fault);
    if (err == 0) {
        encode_octets(e, "secret", key, sizeof(key));
        encode_octets(e, "salt", bytes, sizeof(bytes));
        encode_number(e, "iterations", iterations);
        encode_number(e, "keylen", sizeof(key));
    }
    digest_wipe(key, sizeof(key));
    return err;
}

static void encode_scram_keys(struct encoder *e, struct slice salted_password,
                              const char *stored_name, const char *server_name)
{
    unsigned char key[DIGEST_LEN], stored[DIGEST_LEN];

    digest_hmac(salted_password, SLICE("Client Key"), key);
    digest_sha256(slice_make(key, sizeof(key)), stored);
    encode_octets(e, stored_name, stored, sizeof(stored));
    digest_hmac(salted_password, SLICE("Server Key"), key);
    encode_octets(e, server_name, key, sizeof(key));
    digest_wipe(key, sizeof(key));
}

/* The deployed flavour goes on with the text of base64 without padding. */
static void encode_compat_keys(struct encoder *e, const unsigned char key[DIGEST_LEN])
{
    char text[48];
    size_t len = base64_encoded_len(DIGEST_LEN);

    base64_encode(slice_make(key, DIGEST_LEN), text);
    while (text[len - 1] == '=')
        len--;
    encode_scram_keys(e, slice_make(text, len), "compat_stored_key", "compat_server_key");
    digest_wipe(text, sizeof(text));
}

static int check_scram_kdf(const struct kdf *kdf, struct fault *fault)
{
    if (kdf->kind == KDF_NONE || (kdf->kind == KDF_ARGON2ID && kdf->lanes != 1))
        return wrong_password(fault, "SCRAM needs a key derivation with parallelism 1");
    if (kdf->kind == KDF_PBKDF2 && kdf->iterations < MIN_SCRAM_PBKDF2)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "iterations is %u; allowed are %d to %d", kdf->iterations,
                         MIN_SCRAM_PBKDF2, MAX_PBKDF2_ITERATIONS);
    return kdf_check(kdf, fault);
}

int auth_record_make_scram(struct encoder *e, struct slice password, const struct kdf *kdf,
                           struct rng *rng, struct fault *fault)
{
    bool is_argon2 = kdf->kind == KDF_ARGON2ID;
    unsigned char salt[NEW_SALT_LEN], key[DIGEST_LEN];
    size_t len = 0;
    char *prepared;
    int err = check_password(password, MAX_SECRET_LEN, fault);

    if (err == 0)
        err = check_scram_kdf(kdf, fault);
    if (err != 0)
        return err;
    prepared = mem_alloc(password.len);
    err = prepare_password(password, prepared, &len, fault);
    rng_bytes(rng, salt, sizeof(salt));
    if (err == 0)
        err = derive(kdf, slice_make(prepared, len), slice_make(salt, sizeof(salt)), sizeof(key),
                     key, fault);
    digest_wipe(prepared, password.len);
    mem_free(prepared);
    if (err != 0)
        return err;
    encode_text_pair(e, "kdf", is_argon2 ? SLICE("argon2id13") : SLICE("pbkdf2"));
    encode_octets(e, "salt", salt, sizeof(salt));
    encode_number(e, "iterations", kdf->iterations);
    if (is_argon2)
        encode_number(e, "memory", kdf->memory);
    encode_scram_keys(e, slice_make(key, sizeof(key)), "stored_key", "server_key");
    if (is_argon2)
        encode_compat_keys(e, key);
    digest_wipe(key, sizeof(key));
    return 0;
}

void auth_record_make_cryptosign(struct encoder *e, struct rng *rng, unsigned char seed[DIGEST_LEN])
{
    unsigned char public_key[DIGEST_LEN];
    char hex[2 * DIGEST_LEN];

    rng_bytes(rng, seed, DIGEST_LEN);
    digest_public_key(seed, public_key);
    digest_hex(public_key, sizeof(public_key), hex);
    encode_text_pair(e, "pubkeys", slice_make(hex, sizeof(hex)));
}
