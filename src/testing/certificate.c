/* certificate.c -- certificates of clients that have none: made for one test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "testing/stage.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define VALID_S 86400

static void set_name(X509_NAME *name, struct slice text)
{
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text.data,
                                     (int)text.len, -1, 0) == 1);
}

struct slice certificate_make(struct arena *arena, struct slice subject, struct slice issuer)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    unsigned char *der = NULL;
    struct slice copy;
    int len;

    CHECK(key != NULL && certificate != NULL);
    CHECK(X509_set_version(certificate, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -VALID_S) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S) != NULL);
    set_name(X509_get_subject_name(certificate), subject);
    set_name(X509_get_issuer_name(certificate), issuer);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_sign(certificate, key, NULL) != 0);
    len = i2d_X509(certificate, &der);
    CHECK(len > 0);
    copy = arena_copy(arena, slice_make(der, (size_t)len));
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return copy;
}
