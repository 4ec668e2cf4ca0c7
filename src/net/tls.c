/* tls.c -- versions and ciphers, why handshakes fail, and the end of a TLS stream.
 *
 * The handshake and the records themselves are lws's and OpenSSL's business; certificates are in
 * tls_files.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "net/priv.h"

#include <openssl/err.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

int tls_say(char *words, size_t words_len, const char *what, const char *file, const char *why)
{
    snprintf(words, words_len, "%s %s: %s", what, file, why);
    ERR_clear_error();
    return ERR_TLS;
}

const char *tls_last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason == NULL ? "not usable" : reason;
}

/* OpenSSL passes over names in a list that it does not know, as long as it knows one. So each is
 * asked for alone, but for those that only take away or put back. */
static bool has_each(const char *list, int (*set)(SSL_CTX *ctx, const char *text), SSL_CTX *ctx,
                     char *name, size_t name_len)
{
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ":, ");

        snprintf(name, name_len, "%.*s", (int)len, at);
        if (len != 0 && strchr("!-+@", *at) == NULL && set(ctx, name) != 1)
            return false;
        at += len + (at[len] != '\0');
    }
    snprintf(name, name_len, "%s", list);
    return set(ctx, list) == 1; /* at last: this is what stays */
}

int tls_check_rules(SSL_CTX *ctx, const struct listener_options *options, char *words,
                    size_t words_len)
{
    char name[128];

    if (options->is_tls12_only && options->is_tls13_only) {
        snprintf(words, words_len, "min_version: it is above max_version");
        return ERR_TLS;
    }
    if (options->tls_ciphers != NULL &&
        !has_each(options->tls_ciphers, SSL_CTX_set_cipher_list, ctx, name, sizeof name)) {
        ERR_clear_error();
        snprintf(words, words_len, "ciphers: OpenSSL has no cipher of TLS 1.2 for \"%s\"", name);
        return ERR_TLS;
    }
    if (options->tls_ciphersuites != NULL &&
        !has_each(options->tls_ciphersuites, SSL_CTX_set_ciphersuites, ctx, name, sizeof name)) {
        ERR_clear_error();
        snprintf(words, words_len,
                 "ciphersuites: OpenSSL has no cipher suite of TLS 1.3 named \"%s\"", name);
        return ERR_TLS;
    }
    return 0;
}

int tls_load_client_ca(SSL_CTX *ctx, const struct listener_options *options, char *words,
                       size_t words_len)
{
    const char *file = options->tls_client_ca;

    if (options->tls_client == TLS_CLIENT_NONE && file == NULL)
        return 0;
    if (file == NULL || options->tls_client == TLS_CLIENT_NONE) {
        snprintf(words, words_len,
                 file == NULL ? "client_certificate: it needs client_ca"
                              : "client_ca: it has no use while client_certificate is \"none\"");
        return ERR_TLS;
    }
    if (access(file, R_OK) != 0)
        return tls_say(words, words_len, "client_ca", file, strerror(errno));
    if (SSL_CTX_load_verify_file(ctx, file) != 1)
        return tls_say(words, words_len, "client_ca", file, tls_last_reason());
    return 0;
}

SSL_CTX *tls_new_ctx(char *words, size_t words_len)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL)
        snprintf(words, words_len, "OpenSSL gives no context");
    return ctx;
}

/* A host may be missing: then that was an error already. */
static bool is_host(const char *host)
{
    size_t len = strlen(host), label = 0;

    if (strncmp(host, "*.", 2) == 0)
        host += 2;
    for (const char *at = host; *at != '\0'; at++) {
        bool is_dot = *at == '.';

        if (is_dot ? label == 0 : !isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return false;
        label = is_dot ? 0 : label + 1;
    }
    return label != 0 && len <= TLSEXT_MAXLEN_host_name;
}

int tls_check_hosts(const struct listener_options *options, char *words, size_t words_len)
{
    const struct tls_certificate *all = options->tls_certificates;

    for (size_t i = 0; i < options->tls_certificate_count; i++) {
        if (all[i].host == NULL)
            continue;
        if (!is_host(all[i].host)) {
            snprintf(words, words_len,
                     "certificates: \"%s\" is no host name, and no \"*.\" with one behind it",
                     all[i].host);
            return ERR_TLS;
        }
        for (size_t j = 0; j < i; j++) {
            if (all[j].host == NULL || strcasecmp(all[i].host, all[j].host) != 0)
                continue;
            snprintf(words, words_len, "certificates: \"%s\" is in the list twice", all[i].host);
            return ERR_TLS;
        }
    }
    return 0;
}

int net_check_tls(const struct listener_options *options, char *words, size_t words_len)
{
    SSL_CTX *ctx = tls_new_ctx(words, words_len);
    int err = ctx == NULL ? ERR_TLS : tls_check_rules(ctx, options, words, words_len);

    if (err == 0)
        err = tls_load_client_ca(ctx, options, words, words_len);
    if (err == 0)
        err = tls_check_hosts(options, words, words_len);
    SSL_CTX_free(ctx);
    return err;
}

/* Tells why we broke a handshake off, and what is wrong with the client's certificate. Who only
 * knocks and leaves is not worth a line. */
static void on_info(const SSL *ssl, int where, int value)
{
    long verdict = SSL_get_verify_result(ssl);
    char peer[128];

    if ((where & SSL_CB_WRITE_ALERT) != SSL_CB_WRITE_ALERT || value >> 8 != SSL3_AL_FATAL ||
        SSL_get_peer_finished(ssl, NULL, 0) != 0 ||
        ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return;
    address_words(SSL_get_fd(ssl), NULL, peer, sizeof peer);
    log_line(LOG_INFO, "tls-refused", "the TLS handshake failed", "peer", peer, "reason",
             tls_last_reason(), "certificate",
             verdict == X509_V_OK ? NULL : X509_verify_cert_error_string(verdict), NULL);
}

void tls_set_rules(SSL_CTX *ctx, const struct listener_options *options)
{
    const char *ciphers = options->tls_ciphers, *suites = options->tls_ciphersuites;
    int mode = options->tls_client == TLS_CLIENT_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;

    if (options->tls_client == TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_min_proto_version(ctx, options->is_tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, options->is_tls12_only ? TLS1_2_VERSION : TLS1_3_VERSION);
    CHECK(SSL_CTX_set_cipher_list(ctx, ciphers == NULL ? TLS_CIPHERS : ciphers) == 1);
    CHECK(SSL_CTX_set_ciphersuites(ctx, suites == NULL ? TLS_CIPHERSUITES : suites) == 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_info_callback(ctx, on_info);
}

void tls_say_goodbye(struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);

    if (ssl != NULL)
        SSL_shutdown(ssl);
    ERR_clear_error();
}
