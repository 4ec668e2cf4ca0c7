/* cert.h -- certificates for the tests, made on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CERT_H
#define NEXUS_SPEC_CERT_H

#include <stdbool.h>

/* Writes a new key and a certificate for it, both PEM. */
void cert_write(const char *cert_path, const char *key_path);

struct cert_kind {
    const char *name;                /* CN; NULL: "localhost" */
    const char *signer, *signer_key; /* files; NULL: itself */
    const char *hash;                /* of the signature; NULL: "SHA256" */
    const char *usage;               /* extendedKeyUsage; NULL: any */
    bool is_ca, is_expired, is_ed25519;
};

void cert_write_kind(const char *cert_path, const char *key_path, const struct cert_kind *kind);

#endif
