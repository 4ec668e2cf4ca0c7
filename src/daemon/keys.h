/* keys.h -- random numbers, key files, fingerprints.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_KEYS_H
#define NEXUS_DAEMON_KEYS_H

#include "auth/digest.h"
#include "base/rng.h"
#include "wire/fault.h"

/* Numbers from the kernel. */
void keys_random(struct rng *rng);

/* SHA-256 of the first certificate in a PEM file. Returns 0 or ERR_INVALID with words. */
int keys_fingerprint(const char *path, unsigned char print[DIGEST_LEN],
                     struct fault *fault) MUST_CHECK;

/* Makes a file with that text and a newline, which must not be there yet. */
int keys_write(const char *path, unsigned mode, struct slice text, struct fault *fault) MUST_CHECK;

#endif
