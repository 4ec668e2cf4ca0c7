/* token_key.h -- public keys that others sign tokens with, and what they signed.
 *
 * A key knows which algorithms it is for, so a signature is never checked by another one: an RSA
 * key is no secret of HMAC, and no curve stands for another. Names are those of RFC 7518 and 8037.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_TOKEN_KEY_H
#define NEXUS_AUTH_TOKEN_KEY_H

#include "base/slice.h"

enum token_alg {
    TOKEN_HS256,
    TOKEN_HS384,
    TOKEN_HS512,
    TOKEN_RS256,
    TOKEN_RS384,
    TOKEN_RS512,
    TOKEN_ES256,
    TOKEN_EDDSA,
    TOKEN_ALG_COUNT
};

/* "HS256", ...; and back, TOKEN_ALG_COUNT when there is none of that name. */
const char *token_alg_name(enum token_alg alg);
enum token_alg token_alg_of(struct slice name);

struct token_key;

/* All return NULL with words (static) that say why. RSA has 2048 to 8192 bits. */
struct token_key *token_key_pem(struct slice text, const char **words);
struct token_key *token_key_rsa(struct slice n, struct slice e, const char **words);
struct token_key *token_key_p256(struct slice x, struct slice y, const char **words);
struct token_key *token_key_ed25519(struct slice octets, const char **words);
struct token_key *token_key_secret(struct slice octets, const char **words);
void token_key_free(struct token_key *key); /* wipes; NULL is fine */

/* Whether a key is one that the algorithm is for. */
bool token_key_fits(const struct token_key *key, enum token_alg alg);

/* True when the signature is right. False for a key that does not fit. */
bool token_key_verify(const struct token_key *key, enum token_alg alg, struct slice bytes,
                      struct slice signature) MUST_CHECK;

#endif
