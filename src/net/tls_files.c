/* tls_files.c -- certificates and keys of a listener: read, checked, and shown to new connections.
 *
 * They are kept apart from the context that lws makes connections from. Each handshake fetches what
 * is current, so they can change while connections go on with what they began with.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "net/priv.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* What OpenSSL wants for the keys of session tickets. */
#define TICKET_KEYS_LEN 80

struct named {
    char *host;   /* owned */
    SSL_CTX *ctx; /* owned */
};

struct tls_files {
    atomic_uint refs;
    SSL_CTX *ctx;        /* owned; holds certificate, chain, key and the CA of clients */
    struct named *named; /* array and items owned: the same for clients that ask for that host */
    size_t named_count;
};

static int load_pair(SSL_CTX *ctx, const char *cert, const char *key, char *words, size_t words_len)
{
    if (access(cert, R_OK) != 0)
        return tls_say(words, words_len, "certificate", cert, strerror(errno));
    if (access(key, R_OK) != 0)
        return tls_say(words, words_len, "private key", key, strerror(errno));
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return tls_say(words, words_len, "certificate", cert, tls_last_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        bool is_other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;

        return tls_say(words, words_len, "private key", key,
                       is_other ? "does not belong to the certificate" : tls_last_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_say(words, words_len, "private key", key, "does not belong to the certificate");
    return 0;
}

/* OpenSSL resumes a session only under the name that it began with. */
static void name_sessions(SSL_CTX *ctx)
{
    static const unsigned char name[] = "nexus";

    CHECK(SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1) == 1);
}

static int load(SSL_CTX *ctx, const struct listener_options *options,
                const struct tls_certificate *pair, char *words, size_t words_len)
{
    int err = load_pair(ctx, pair->cert, pair->key, words, words_len);

    if (err == 0 && pair->ocsp != NULL)
        err = tls_staple(ctx, pair->ocsp, words, words_len);
    if (err == 0)
        err = tls_check_rules(ctx, options, words, words_len);
    if (err == 0)
        err = tls_load_client_ca(ctx, options, words, words_len);
    if (err != 0)
        return err;
    if (options->tls_client != TLS_CLIENT_NONE)
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(options->tls_client_ca));
    tls_set_rules(ctx, options); /* some of them, like callbacks, come from here in a handshake */
    name_sessions(ctx);
    return 0;
}

/* NULL when it cannot be used. */
static SSL_CTX *load_ctx(const struct listener_options *options, const struct tls_certificate *pair,
                         char *words, size_t words_len)
{
    SSL_CTX *ctx = tls_new_ctx(words, words_len);

    if (ctx == NULL || load(ctx, options, pair, words, words_len) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static bool load_all(struct tls_files *files, const struct listener_options *options, char *words,
                     size_t words_len)
{
    const struct tls_certificate pair = {NULL, options->tls_cert, options->tls_key,
                                         options->tls_ocsp};

    files->ctx = load_ctx(options, &pair, words, words_len);
    if (files->ctx == NULL)
        return false;
    files->named = mem_zero(options->tls_certificate_count, sizeof *files->named);
    for (size_t i = 0; i < options->tls_certificate_count; i++) {
        const struct tls_certificate *from = &options->tls_certificates[i];
        struct named *named = &files->named[i];

        named->ctx = load_ctx(options, from, words, words_len);
        if (named->ctx == NULL)
            return false;
        named->host = mem_copy(from->host, strlen(from->host));
        files->named_count++;
    }
    return true;
}

struct tls_files *net_load_tls(const struct listener_options *options, char *words,
                               size_t words_len)
{
    struct tls_files *files;

    if (options->tls_cert == NULL || options->tls_key == NULL) {
        snprintf(words, words_len, "TLS needs a certificate file and a private key file");
        return NULL;
    }
    if (tls_check_hosts(options, words, words_len) != 0)
        return NULL;
    files = mem_zero(1, sizeof *files);
    atomic_init(&files->refs, 1);
    if (load_all(files, options, words, words_len))
        return files;
    tls_files_drop(files);
    return NULL;
}

struct tls_files *tls_files_hold(struct tls_files *files)
{
    atomic_fetch_add_explicit(&files->refs, 1, memory_order_relaxed);
    return files;
}

void tls_files_drop(struct tls_files *files)
{
    if (files == NULL || atomic_fetch_sub_explicit(&files->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < files->named_count; i++) {
        mem_free(files->named[i].host);
        SSL_CTX_free(files->named[i].ctx);
    }
    mem_free(files->named);
    SSL_CTX_free(files->ctx);
    mem_free(files);
}

/* By the whole name, else by all but its first label, else the one for everybody. */
static SSL_CTX *ctx_for(const struct tls_files *files, const char *host)
{
    const char *rest = host == NULL ? NULL : strchr(host, '.');
    SSL_CTX *ctx = files->ctx;

    for (size_t i = 0; host != NULL && i < files->named_count; i++) {
        const struct named *named = &files->named[i];

        if (strcasecmp(named->host, host) == 0)
            return named->ctx;
        if (named->host[0] == '*' && rest > host && strcasecmp(named->host + 1, rest) == 0)
            ctx = named->ctx;
    }
    return ctx;
}

/* In every handshake, whether the client names a server or not. */
static int on_server_name(SSL *ssl, int *alert, void *ctx)
{
    const struct side *side = ctx;
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    return SSL_set_SSL_CTX(ssl, ctx_for(side->files, host)) == NULL ? SSL_TLSEXT_ERR_ALERT_FATAL
                                                                    : SSL_TLSEXT_ERR_OK;
}

/* Nobody resumes what another certificate began: keys of tickets are new, sessions forgotten. */
static void forget_sessions(SSL_CTX *ctx)
{
    unsigned char keys[TICKET_KEYS_LEN];

    CHECK(RAND_bytes(keys, sizeof keys) == 1);
    CHECK(SSL_CTX_set_tlsext_ticket_keys(ctx, keys, sizeof keys) == 1);
    OPENSSL_cleanse(keys, sizeof keys);
    SSL_CTX_flush_sessions(ctx, 0);
}

void tls_files_use(struct side *side, struct tls_files *files)
{
    struct tls_files *before = side->files;

    side->files = tls_files_hold(files);
    tls_files_drop(before);
    name_sessions(side->ssl_ctx);
    SSL_CTX_set_tlsext_servername_callback(side->ssl_ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(side->ssl_ctx, side);
    if (before != NULL)
        forget_sessions(side->ssl_ctx);
}
