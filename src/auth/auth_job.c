/* auth_job.c -- PBKDF2 of libcrypto, Argon2id of libargon2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_job.h"

#include "auth/digest.h"
#include "base/check.h"
#include "base/mem.h"
#include "wire/errors.h"

#include <openssl/evp.h>

#include <argon2.h>

static int out_of_bounds(struct fault *fault, const char *name, uint32_t found, uint32_t least,
                         uint32_t most)
{
    return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                     "%s is %u; allowed are %u to %u", name, found, least, most);
}

static int check_argon2(const struct kdf *kdf, struct fault *fault)
{
    if (kdf->lanes < 1 || kdf->lanes > MAX_ARGON2_LANES)
        return out_of_bounds(fault, "parallelism", kdf->lanes, 1, MAX_ARGON2_LANES);
    if (kdf->iterations < 1 || kdf->iterations > MAX_ARGON2_ITERATIONS)
        return out_of_bounds(fault, "iterations", kdf->iterations, 1, MAX_ARGON2_ITERATIONS);
    if (kdf->memory < MIN_ARGON2_MEMORY * kdf->lanes || kdf->memory > MAX_ARGON2_MEMORY)
        return out_of_bounds(fault, "memory", kdf->memory, MIN_ARGON2_MEMORY * kdf->lanes,
                             MAX_ARGON2_MEMORY);
    if ((uint64_t)kdf->iterations * kdf->memory > MAX_ARGON2_WORK)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "iterations times memory is %llu; at most %u is allowed",
                         (unsigned long long)kdf->iterations * kdf->memory, MAX_ARGON2_WORK);
    return 0;
}

int kdf_check(const struct kdf *kdf, struct fault *fault)
{
    switch (kdf->kind) {
    case KDF_NONE:
        break;
    case KDF_ARGON2ID:
        return check_argon2(kdf, fault);
    case KDF_PBKDF2:
        if (kdf->iterations < MIN_PBKDF2_ITERATIONS || kdf->iterations > MAX_PBKDF2_ITERATIONS)
            return out_of_bounds(fault, "iterations", kdf->iterations, MIN_PBKDF2_ITERATIONS,
                                 MAX_PBKDF2_ITERATIONS);
        break;
    }
    return 0;
}

struct auth_job *auth_job_new(const struct kdf *kdf, struct slice password, struct slice salt,
                              size_t key_len)
{
    struct auth_job *job = mem_zero(1, sizeof(*job));

    CHECK(kdf->kind != KDF_NONE && kdf_check(kdf, NULL) == 0);
    CHECK(salt.len >= MIN_SALT_LEN && salt.len <= MAX_SALT_LEN);
    CHECK(key_len >= MIN_DERIVED_LEN && key_len <= MAX_DERIVED_LEN);
    job->kdf = *kdf;
    job->password = slice_make(mem_copy(password.data, password.len), password.len);
    memcpy(job->salt, salt.data, salt.len);
    job->salt_len = salt.len;
    job->key_len = key_len;
    return job;
}

/* Written out rather than argon2id_hash_raw, which would start a thread for each lane. */
static void run_argon2(struct auth_job *job)
{
    argon2_context context = {
        .out = job->key,
        .outlen = (uint32_t)job->key_len,
        .pwd = (uint8_t *)(uintptr_t)job->password.data,
        .pwdlen = (uint32_t)job->password.len,
        .salt = job->salt,
        .saltlen = (uint32_t)job->salt_len,
        .t_cost = job->kdf.iterations,
        .m_cost = job->kdf.memory,
        .lanes = job->kdf.lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    int err = argon2id_ctx(&context);

    job->is_done = err == ARGON2_OK;
    if (!job->is_done)
        job->trouble = argon2_error_message(err);
}

void auth_job_run(struct auth_job *job)
{
    if (job->kdf.kind == KDF_ARGON2ID) {
        run_argon2(job);
        return;
    }
    job->is_done =
        PKCS5_PBKDF2_HMAC(job->password.data, (int)job->password.len, job->salt, (int)job->salt_len,
                          (int)job->kdf.iterations, EVP_sha256(), (int)job->key_len, job->key) == 1;
    if (!job->is_done)
        job->trouble = "PBKDF2 failed";
}

void auth_job_free(struct auth_job *job)
{
    if (job == NULL)
        return;
    digest_wipe((void *)(uintptr_t)job->password.data, job->password.len);
    mem_free((void *)(uintptr_t)job->password.data);
    digest_wipe(job, sizeof(*job));
    mem_free(job);
}
