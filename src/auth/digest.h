/* digest.h -- hashes, signatures and the spelling of keys.
 *
 * The one place where libcrypto is spoken to, key derivation (auth_job.h) and keys of
 * tokens (token_key.h) aside. What can only fail
 * for want of memory ends the program, as mem_alloc does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_DIGEST_H
#define NEXUS_AUTH_DIGEST_H

#include "base/slice.h"

#define DIGEST_LEN    32 /* SHA-256, HMAC-SHA256, keys of Ed25519 */
#define SHA1_LEN      20
#define SHA512_LEN    64
#define SIGNATURE_LEN 64 /* of Ed25519 */

/* Compares in a time that depends on len only. */
bool digest_is_equal(const void *a, const void *b, size_t len) MUST_CHECK;

/* Overwrites a secret, also when nobody reads it again. */
void digest_wipe(void *secret, size_t len);

void digest_sha256(struct slice bytes, unsigned char out[DIGEST_LEN]);
void digest_sha512(struct slice bytes, unsigned char out[SHA512_LEN]);
void digest_sha1(struct slice bytes, unsigned char out[SHA1_LEN]);
void digest_hmac(struct slice key, struct slice bytes, unsigned char out[DIGEST_LEN]);

/* HMAC over one of the SHA-2 family; returns its length. */
enum digest_kind { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
size_t digest_hmac_of(enum digest_kind kind, struct slice key, struct slice bytes,
                      unsigned char out[SHA512_LEN]);

/* Ed25519, pure (RFC 8032). A seed is the private key. */
void digest_public_key(const unsigned char seed[DIGEST_LEN], unsigned char out[DIGEST_LEN]);
void digest_sign(const unsigned char seed[DIGEST_LEN], struct slice bytes,
                 unsigned char out[SIGNATURE_LEN]);
bool digest_verify(const unsigned char public_key[DIGEST_LEN], struct slice bytes,
                   const unsigned char signature[SIGNATURE_LEN]) MUST_CHECK;

/* 2 * len lower case digits. Reading takes either case, and len octets exactly. */
void digest_hex(const void *bytes, size_t len, char *out);
bool digest_unhex(struct slice text, unsigned char *out, size_t len) MUST_CHECK;

/* Reads base64 in its one canonical spelling, padding included, of at most `room` octets.
 * False when it is anything else. */
bool digest_unbase64(struct slice text, unsigned char *out, size_t room, size_t *len) MUST_CHECK;

#endif
