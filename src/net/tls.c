/* tls.c -- certificates looked at before anything starts, and the end of a TLS stream.
 *
 * The handshake and the records themselves are lws's and OpenSSL's business.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int say(char *words, size_t words_len, const char *what, const char *file, const char *why)
{
    snprintf(words, words_len, "%s %s: %s", what, file, why);
    ERR_clear_error();
    return ERR_TLS;
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason == NULL ? "not usable" : reason;
}

static int check_pair(SSL_CTX *ctx, const char *cert, const char *key, char *words,
                      size_t words_len)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return say(words, words_len, "certificate", cert, last_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        bool is_other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;

        return say(words, words_len, "private key", key,
                   is_other ? "does not belong to the certificate" : last_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return say(words, words_len, "private key", key, "does not belong to the certificate");
    return 0;
}

int tls_check(const char *cert, const char *key, char *words, size_t words_len)
{
    SSL_CTX *ctx;
    int err;

    if (cert == NULL || key == NULL) {
        snprintf(words, words_len, "TLS needs a certificate file and a private key file");
        return ERR_TLS;
    }
    if (access(cert, R_OK) != 0)
        return say(words, words_len, "certificate", cert, strerror(errno));
    if (access(key, R_OK) != 0)
        return say(words, words_len, "private key", key, strerror(errno));
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) {
        snprintf(words, words_len, "OpenSSL gives no context");
        return ERR_TLS;
    }
    err = check_pair(ctx, cert, key, words, words_len);
    SSL_CTX_free(ctx);
    return err;
}

void tls_say_goodbye(struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);

    if (ssl != NULL)
        SSL_shutdown(ssl);
    ERR_clear_error();
}
