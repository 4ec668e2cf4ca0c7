/* cert.c -- certificates for the tests, made on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cert.h"

#include "base/check.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>

static void extend(X509 *cert, int what, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);

    CHECK(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const struct cert_kind *kind)
{
    const char *name = kind->name == NULL ? "localhost" : kind->name;
    X509 *cert = X509_new();

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), kind->is_expired ? -60 : 24L * 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    if (kind->is_ca)
        extend(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (kind->usage != NULL)
        extend(cert, NID_ext_key_usage, kind->usage);
    return cert;
}

static void sign(X509 *cert, EVP_PKEY *own, const struct cert_kind *kind)
{
    const char *hash = kind->hash == NULL ? "SHA256" : kind->hash;
    X509 *signer = NULL;
    EVP_PKEY *key = NULL;
    FILE *file;

    if (kind->signer != NULL) {
        file = fopen(kind->signer, "r");
        CHECK(file != NULL && PEM_read_X509(file, &signer, NULL, NULL) != NULL);
        fclose(file);
        file = fopen(kind->signer_key, "r");
        CHECK(file != NULL && PEM_read_PrivateKey(file, &key, NULL, NULL) != NULL);
        fclose(file);
    }
    X509_set_issuer_name(cert, X509_get_subject_name(signer == NULL ? cert : signer));
    CHECK(X509_sign(cert, key == NULL ? own : key,
                    kind->is_ed25519 ? NULL : EVP_get_digestbyname(hash)) != 0);
    X509_free(signer);
    EVP_PKEY_free(key);
}

void cert_write_kind(const char *cert_path, const char *key_path, const struct cert_kind *kind)
{
    EVP_PKEY *key =
        kind->is_ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
    X509 *cert = make_certificate(key, kind);
    FILE *file = fopen(cert_path, "w");

    sign(cert, key, kind);
    CHECK(file != NULL && PEM_write_X509(file, cert) == 1);
    fclose(file);
    file = fopen(key_path, "w");
    CHECK(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void cert_write(const char *cert_path, const char *key_path)
{
    cert_write_kind(cert_path, key_path, &(struct cert_kind){0});
}
