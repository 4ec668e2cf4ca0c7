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

#endif
