/* tls_facts.c -- what a TLS connection tells about itself and its peer, once it stands.
 *
 * RFC 5929 (tls-unique, tls-server-end-point), RFC 9266 (tls-exporter).
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_LEN   32
#define MAX_NAME_LEN   4096

/* The one CN of the subject, as UTF-8; NULL when there is none, several, or one with a NUL in it,
 * which some would read as a shorter one. */
static unsigned char *common_name(X509 *cert, size_t *len)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int text_len;

    *len = 0;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return NULL;
    text_len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (text_len <= 0 || memchr(text, '\0', (size_t)text_len) != NULL) {
        if (text_len >= 0)
            OPENSSL_free(text);
        return NULL;
    }
    *len = (size_t)text_len;
    return text;
}

/* A name as people write it, for BIO_free. Names longer than MAX_NAME_LEN are none: they would be
 * carried along with every login. */
static BIO *name_words(const X509_NAME *name, struct slice *words)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    *words = (struct slice){0};
    if (bio == NULL ||
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return bio;
    len = BIO_get_mem_data(bio, &text);
    if (len > 0 && len <= MAX_NAME_LEN && memchr(text, '\0', (size_t)len) == NULL)
        *words = slice_make(text, (size_t)len);
    return bio;
}

static struct transport_tls *new_facts(SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    struct transport_certificate facts = {0};
    unsigned char *der = NULL, *name;
    BIO *subject, *issuer;
    struct transport_tls *tls;
    int der_len;

    if (cert == NULL)
        return transport_tls_new(&facts);
    der_len = i2d_X509(cert, &der);
    facts.der = slice_make((const char *)der, der_len < 0 ? 0 : (size_t)der_len);
    name = common_name(cert, &facts.common_name.len);
    facts.common_name.data = (const char *)name;
    subject = name_words(X509_get_subject_name(cert), &facts.subject);
    issuer = name_words(X509_get_issuer_name(cert), &facts.issuer);
    tls = transport_tls_new(&facts);
    tls->is_verified = der_len > 0 && SSL_get_verify_result(ssl) == X509_V_OK;
    if (der_len >= 0)
        OPENSSL_free(der);
    OPENSSL_free(name);
    BIO_free(subject);
    BIO_free(issuer);
    return tls;
}

/* The first Finished of the handshake: the client's, or ours when a session was resumed. Two
 * connections could share it without the extended master secret. With TLS 1.3 no standard has such a
 * thing; it is the client's there, for those above who want it all the same. */
static void bind_unique(SSL *ssl, struct binding *binding)
{
    bool is_tls13 = SSL_version(ssl) > TLS1_2_VERSION;
    size_t len;

    if (!is_tls13 && SSL_get_extms_support(ssl) != 1)
        return;
    len = !is_tls13 && SSL_session_reused(ssl)
              ? SSL_get_finished(ssl, binding->octets, sizeof binding->octets)
              : SSL_get_peer_finished(ssl, binding->octets, sizeof binding->octets);
    binding->len = len <= sizeof binding->octets ? (uint8_t)len : 0;
}

/* The hash is that of the certificate's signature. A signature without one (Ed25519) has no such
 * binding: the RFC does not say what it would be. */
static void bind_server_end_point(SSL *ssl, struct binding *binding)
{
    const X509 *cert = SSL_get_certificate(ssl);
    const EVP_MD *md;
    unsigned len = 0;
    int hash = NID_undef;

    if (cert == NULL ||
        X509_get_signature_info((X509 *)(uintptr_t)cert, &hash, NULL, NULL, NULL) != 1)
        return;
    if (hash == NID_md5 || hash == NID_sha1)
        hash = NID_sha256;
    md = hash == NID_undef ? NULL : EVP_get_digestbynid(hash);
    if (md != NULL && EVP_MD_get_size(md) <= (int)sizeof binding->octets &&
        X509_digest(cert, md, binding->octets, &len) == 1)
        binding->len = (uint8_t)len;
}

static void bind_exporter(SSL *ssl, struct binding *binding)
{
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return;
    if (SSL_export_keying_material(ssl, binding->octets, EXPORTER_LEN, EXPORTER_LABEL,
                                   sizeof EXPORTER_LABEL - 1, NULL, 0, 1) == 1)
        binding->len = EXPORTER_LEN;
}

struct transport_tls *tls_facts(SSL *ssl)
{
    struct transport_tls *tls = new_facts(ssl);

    tls->version = SSL_get_version(ssl);
    tls->cipher = SSL_get_cipher_name(ssl);
    bind_unique(ssl, &tls->unique);
    bind_server_end_point(ssl, &tls->server_end_point);
    bind_exporter(ssl, &tls->exporter);
    ERR_clear_error();
    return tls;
}
