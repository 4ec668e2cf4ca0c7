/* auth_hash.h -- a password as it is stored: one line of text, with all that checking it needs.
 *
 *   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH
 *   $pbkdf2-sha256$i=600000$SALT$HASH        also $pbkdf2-sha256$600000$SALT$HASH, as passlib writes
 *
 * SALT and HASH are base64 without padding; of passlib, with '.' in place of '+'.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_AUTH_HASH_H
#define NEXUS_AUTH_AUTH_HASH_H

#include "auth/auth_job.h"

#define MAX_HASH_TEXT 256

struct auth_hash {
    struct kdf kdf;
    unsigned char salt[MAX_SALT_LEN];
    size_t salt_len;
    unsigned char key[MAX_DERIVED_LEN];
    size_t key_len;
};

/* Returns 0 or ERR_INVALID with words that say which part is wrong, and quote no part of it. */
int auth_hash_parse(struct auth_hash *hash, struct slice text, struct fault *fault) MUST_CHECK;

/* Writes the text; returns its length. */
size_t auth_hash_print(const struct auth_hash *hash, char out[MAX_HASH_TEXT]);

/* The job that derives what auth_hash_is_right compares. */
struct auth_job *auth_hash_job(const struct auth_hash *hash, struct slice password);
bool auth_hash_is_right(const struct auth_hash *hash, const struct auth_job *job) MUST_CHECK;

#endif
