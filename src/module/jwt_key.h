/* jwt_key.h -- the key of a token, as policies give it: a secret, PEM, a JWK or a set of them, octets.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_JWT_KEY_H
#define NEXUS_MODULE_JWT_KEY_H

#include "auth/token_key.h"
#include "module/module_priv.h"

/* What errors are about. */
#define JWT_FUNCTION "nexus.crypto.jwt"

/* The class of the objects that own keys. */
extern const struct module_table module_jwt_key;

/* Reads the key at the top of the stack, for a token of that algorithm and kid (NULL: it has none).
 * It lives as long as what is then at the top. NULL: a set has none for the token. Raises when it
 * is no key. */
const struct token_key *l_jwt_key(lua_State *lua, enum token_alg alg, const char *kid);

#endif
