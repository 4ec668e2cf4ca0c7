/* prepare.h -- SASLprep of passwords (RFC 4013), for new SCRAM records.
 *
 * Only the part that needs no tables of normalization: ASCII, and those letters of Latin, Greek,
 * Cyrillic, Japanese, Chinese and Korean that NFKC leaves alone. Anything else is refused rather
 * than stored in a form that clients would not come to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_PREPARE_H
#define NEXUS_AUTH_PREPARE_H

#include "base/slice.h"
#include "wire/fault.h"

/* Writes the prepared password (room for from.len octets is enough). Returns 0 or ERR_INVALID
 * with words that name the first character that is not taken. */
int prepare_password(struct slice from, char *out, size_t *len, struct fault *fault) MUST_CHECK;

#endif
