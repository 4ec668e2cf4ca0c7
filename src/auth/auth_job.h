/* auth_job.h -- key derivation: slow on purpose, and so apart from everything else.
 *
 * A job owns all that it needs. Whoever has it may run it on any thread; nobody else looks at it
 * meanwhile. What may be asked for is bounded, so that a record cannot stall the router.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_AUTH_JOB_H
#define NEXUS_AUTH_AUTH_JOB_H

#include "base/slice.h"
#include "wire/fault.h"

enum kdf_kind { KDF_NONE, KDF_PBKDF2, KDF_ARGON2ID };

/* How a key is derived. PBKDF2 is over HMAC-SHA256, Argon2id is version 0x13. */
struct kdf {
    enum kdf_kind kind;
    uint32_t iterations;
    uint32_t memory; /* KiB; Argon2id only */
    uint32_t lanes;  /* Argon2id only; computed one after the other */
};

/* Bounds. Some seconds at the most for one derivation, and 256 MiB. */
#define MIN_PBKDF2_ITERATIONS 1000
#define MAX_PBKDF2_ITERATIONS 10000000
#define MAX_ARGON2_ITERATIONS 64
#define MIN_ARGON2_MEMORY     8 /* for each lane */
#define MAX_ARGON2_MEMORY     262144
#define MAX_ARGON2_LANES      8
#define MAX_ARGON2_WORK       2097152 /* iterations * memory */

/* What new records are made with. */
#define DEFAULT_KDF                                                        \
    {                                                                      \
        .kind = KDF_ARGON2ID, .iterations = 2, .memory = 19456, .lanes = 1 \
    }

#define MIN_SALT_LEN    8
#define MAX_SALT_LEN    64
#define MIN_DERIVED_LEN 16
#define MAX_DERIVED_LEN 64

/* Returns 0 or ERR_INVALID with words that name the parameter and its bounds. */
int kdf_check(const struct kdf *kdf, struct fault *fault) MUST_CHECK;

struct auth_job {
    struct kdf kdf;
    struct slice password; /* owned; wiped */
    unsigned char salt[MAX_SALT_LEN];
    size_t salt_len;
    unsigned char key[MAX_DERIVED_LEN]; /* the result; wiped */
    size_t key_len;
    bool is_done;        /* it was run and the key is there */
    const char *trouble; /* static; why not, after a run without success */
};

/* A job of its own copies. The parameters hold kdf_check, the lengths are within the bounds. */
struct auth_job *auth_job_new(const struct kdf *kdf, struct slice password, struct slice salt,
                              size_t key_len);

/* Derives the key. May be called on any thread, and takes its time. */
void auth_job_run(struct auth_job *job);

/* Wipes and frees; NULL is fine. Not while it runs. */
void auth_job_free(struct auth_job *job);

#endif
