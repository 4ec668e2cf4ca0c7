/* cert.h -- a self-signed certificate for the tests, made on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CERT_H
#define NEXUS_SPEC_CERT_H

/* Writes a new key and a certificate for it, both PEM. */
void cert_write(const char *cert_path, const char *key_path);

#endif
