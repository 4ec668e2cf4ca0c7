/* auth_tls.c -- a client certificate of the connection, in place of a challenge.
 *
 * A record may pin certificates by the SHA-256 or SHA-1 of their DER form; then the chain does
 * not matter. Else the certificate must have been verified.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"

static bool is_pinned(const struct auth_record *record, const unsigned char sha256[DIGEST_LEN],
                      const unsigned char sha1[SHA1_LEN])
{
    bool is_found = false;

    for (unsigned i = 0; i < record->tls.count; i++) {
        const struct fingerprint *pin = &record->tls.list[i];

        is_found |= digest_is_equal(pin->bytes, pin->len == SHA1_LEN ? sha1 : sha256, pin->len);
    }
    return is_found;
}

static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request)
{
    const struct auth_certificate *certificate = request->certificate;
    unsigned char sha256[DIGEST_LEN], sha1[SHA1_LEN];
    char hex[2 * DIGEST_LEN];

    (void)settings;
    digest_sha256(certificate->der, sha256);
    digest_sha1(certificate->der, sha1);
    digest_hex(sha256, sizeof(sha256), hex);
    auth_rename(x, certificate->common_name.len != 0 ? certificate->common_name
                                                     : slice_make(hex, sizeof(hex)));
    if (x->record == NULL || x->record->tls.count == 0)
        return auth_judge(x, certificate->is_verified, NULL, "the certificate did not verify");
    return auth_judge(x, is_pinned(x->record, sha256, sha1), NULL,
                      "the certificate is none of the record's");
}

const struct auth_method auth_tls = {
    .name = "tls",
    .credential = CREDENTIAL_TLS,
    .needs_certificate = true,
    .begin = begin,
};
