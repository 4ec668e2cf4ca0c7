/* base64.h -- RFC 4648 section 4.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_BASE64_H
#define NEXUS_BASE_BASE64_H

#include "base/slice.h"

/* How many characters len bytes take, padding included. */
size_t base64_encoded_len(size_t len);

/* Writes base64_encoded_len(from.len) characters, padded, no line breaks. */
void base64_encode(struct slice from, char *out);

/* Decodes into out (room for from.len bytes is always enough). Padding may be
 * missing. Returns the number of bytes, or ERR_MALFORMED. */
long base64_decode(struct slice from, char *out);

/* The same with the alphabet for URLs (section 5), without padding. Returns how many characters were
 * written; room as for base64_encode. */
size_t base64url_encode(struct slice from, char *out);

/* As base64_decode; padding is an error. */
long base64url_decode(struct slice from, char *out);

#endif
