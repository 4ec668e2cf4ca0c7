/* tls_test.c -- what a connection over TLS tells: certificates of clients, channel binding.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cert.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

#include <openssl/pem.h>

#include <unistd.h>

enum pair { SERVER, HASH384, ED25519, CA, OTHER_CA, ALICE, EXPIRED, STRANGER, FOR_SERVERS, PAIRS };

static struct server server;
static struct frame frame;
static char dir[] = "/tmp/nexus-net-tls-XXXXXX";
static char cert[PAIRS][64], key[PAIRS][64];

static void remove_dir(void)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        unlink(cert[i]);
        unlink(key[i]);
    }
    rmdir(dir);
}

__attribute__((constructor)) static void prepare(void)
{
    const struct cert_kind kinds[PAIRS] = {
        [HASH384] = {.hash = "SHA384"},
        [ED25519] = {.is_ed25519 = true},
        [CA] = {.name = "the CA", .is_ca = true},
        [OTHER_CA] = {.name = "another CA", .is_ca = true},
        [ALICE] = {"alice", cert[CA], key[CA], NULL, "clientAuth", false, false, false},
        [EXPIRED] = {"late", cert[CA], key[CA], NULL, NULL, false, true, false},
        [STRANGER] = {"alice", cert[OTHER_CA], key[OTHER_CA], NULL, NULL, false, false, false},
        [FOR_SERVERS] = {"alice", cert[CA], key[CA], NULL, "serverAuth", false, false, false},
    };

    if (mkdtemp(dir) == NULL)
        abort();
    for (unsigned i = 0; i < PAIRS; i++) {
        snprintf(cert[i], sizeof cert[i], "%s/cert%u.pem", dir, i);
        snprintf(key[i], sizeof key[i], "%s/key%u.pem", dir, i);
        cert_write_kind(cert[i], key[i], &kinds[i]);
    }
    atexit(remove_dir);
}

static struct server_options with_cert(enum pair pair)
{
    struct server_options options = server_defaults();

    options.listener.tls = TLS_ON;
    options.listener.tls_cert = cert[pair];
    options.listener.tls_key = key[pair];
    return options;
}

/* Opened, and the server has said that it knows. */
static bool open_ready(struct peer *peer, bool is_raw, bool use_tls)
{
    bool is_open = is_raw ? peer_open_raw(peer, "127.0.0.1", server.port, use_tls)
                          : peer_open_ws(peer, "127.0.0.1", server.port, use_tls, "wamp.2.cbor");

    return is_open && peer_send(peer, is_raw, SLICE("hello")) &&
           peer_read_frame(peer, is_raw, &frame);
}

static SSL_CTX *client(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    return ctx;
}

static void expect_binding(const struct binding *binding, const void *octets, size_t len)
{
    EXPECT_SLICE(slice_make((const char *)binding->octets, binding->len), slice_make(octets, len));
}

/* The other end's opinion of all three. */
static void expect_bindings(SSL *ssl, const EVP_MD *md)
{
    const struct transport_tls *tls = server.last_tls;
    unsigned char octets[64];
    unsigned digest_len = 0;
    size_t len;

    EXPECT(tls != NULL);
    EXPECT_STR(tls->version, SSL_get_version(ssl));
    EXPECT_STR(tls->cipher, SSL_get_cipher_name(ssl));
    EXPECT_EQ(SSL_export_keying_material(ssl, octets, 32, "EXPORTER-Channel-Binding", 24,
                                         (const unsigned char *)"", 0, 1),
              1);
    expect_binding(&tls->exporter, octets, 32);
    /* the first Finished; with TLS 1.3 the client's */
    len = SSL_session_reused(ssl) && SSL_version(ssl) == TLS1_2_VERSION
              ? SSL_get_peer_finished(ssl, octets, sizeof octets)
              : SSL_get_finished(ssl, octets, sizeof octets);
    if (SSL_version(ssl) == TLS1_2_VERSION)
        EXPECT_EQ(len, 12);
    expect_binding(&tls->unique, octets, len);
    if (md != NULL)
        EXPECT_EQ(X509_digest(SSL_get0_peer_certificate(ssl), md, octets, &digest_len), 1);
    expect_binding(&tls->server_end_point, octets, digest_len);
}

TEST(both_ends_have_the_same_bindings)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct binding last = {0};
    struct peer peer;

    for (unsigned i = 0; i < 3 * 2; i++) {
        struct server_options options = with_cert((enum pair)(SERVER + i / 2));
        const EVP_MD *const hashes[] = {EVP_sha256(), EVP_sha384(), NULL};
        SSL_CTX *ctx = client(versions[i % 2]);

        server_start(&server, &options);
        peer_tls_with(ctx, NULL);
        EXPECT(open_ready(&peer, true, true));
        expect_bindings(peer.ssl, hashes[i / 2]);
        EXPECT(memcmp(&last, &server.last_tls->exporter, sizeof last) != 0);
        last = server.last_tls->exporter;
        peer_close(&peer);
        EXPECT(open_ready(&peer, false, true));
        expect_bindings(peer.ssl, hashes[i / 2]);
        peer_close(&peer);
        peer_tls_with(NULL, NULL);
        SSL_CTX_free(ctx);
        server_stop(&server);
    }
}

TEST(a_resumed_session_is_bound_as_well)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct server_options options = with_cert(SERVER);

    for (unsigned i = 0; i < 2; i++) {
        SSL_CTX *ctx = client(versions[i]);
        SSL_SESSION *session;
        struct peer peer;

        server_start(&server, &options);
        peer_tls_with(ctx, NULL);
        EXPECT(open_ready(&peer, true, true));
        session = SSL_get1_session(peer.ssl); /* the answer was read, so a ticket has come */
        SSL_shutdown(peer.ssl);
        peer_close(&peer);
        peer_tls_with(ctx, session);
        EXPECT(open_ready(&peer, true, true));
        EXPECT(SSL_session_reused(peer.ssl) == 1);
        expect_bindings(peer.ssl, EVP_sha256());
        peer_close(&peer);
        peer_tls_with(NULL, NULL);
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
        server_stop(&server);
    }
}

TEST(no_binding_without_the_extended_master_secret)
{
    struct server_options options = with_cert(SERVER);
    SSL_CTX *ctx = client(TLS1_2_VERSION);
    struct peer peer;

    SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    server_start(&server, &options);
    peer_tls_with(ctx, NULL);
    EXPECT(open_ready(&peer, true, true));
    EXPECT_EQ(server.last_tls->unique.len, 0);
    EXPECT_EQ(server.last_tls->exporter.len, 0);
    EXPECT_EQ(server.last_tls->server_end_point.len, 32);
    peer_close(&peer);
    peer_tls_with(NULL, NULL);
    SSL_CTX_free(ctx);
    server_stop(&server);
}

TEST(no_facts_without_tls)
{
    struct server_options options = server_defaults();
    struct peer peer;

    server_start(&server, &options);
    EXPECT(open_ready(&peer, true, false));
    EXPECT(server.last_tls == NULL);
    peer_close(&peer);
    server_stop(&server);
}

/* Whether a client with that certificate (PAIRS: none) gets in. */
static bool gets_in(int version, enum pair pair)
{
    SSL_CTX *ctx = client(version);
    struct peer peer;
    bool is_in;

    if (pair != PAIRS) {
        EXPECT_EQ(SSL_CTX_use_certificate_file(ctx, cert[pair], SSL_FILETYPE_PEM), 1);
        EXPECT_EQ(SSL_CTX_use_PrivateKey_file(ctx, key[pair], SSL_FILETYPE_PEM), 1);
    }
    peer_tls_with(ctx, NULL);
    is_in = open_ready(&peer, true, true);
    peer_close(&peer);
    peer_tls_with(NULL, NULL);
    SSL_CTX_free(ctx);
    return is_in;
}

static void expect_alice(void)
{
    X509 *alice = NULL;
    unsigned char *der = NULL;
    FILE *file = fopen(cert[ALICE], "r");
    int len;

    PEM_read_X509(file, &alice, NULL, NULL);
    fclose(file);
    len = i2d_X509(alice, &der);
    EXPECT(server.last_tls->is_verified);
    EXPECT_STR(server.last_tls->common_name, "alice");
    EXPECT_SLICE(server.last_tls->certificate, slice_make((const char *)der, (size_t)len));
    OPENSSL_free(der);
    X509_free(alice);
}

static void expect_nobody(void)
{
    EXPECT(!server.last_tls->is_verified);
    EXPECT(server.last_tls->common_name == NULL);
    EXPECT_EQ(server.last_tls->certificate.len, 0);
}

TEST(client_certificates)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (unsigned i = 0; i < 6; i++) {
        struct server_options options = with_cert(SERVER);
        int version = versions[i % 2];

        options.listener.tls_client = i / 2;
        options.listener.tls_client_ca = i / 2 == TLS_CLIENT_NONE ? NULL : cert[CA];
        server_start(&server, &options);
        EXPECT_EQ(server.err, 0);
        EXPECT(gets_in(version, ALICE));
        if (i / 2 == TLS_CLIENT_NONE)
            expect_nobody();
        else
            expect_alice();
        EXPECT_EQ(gets_in(version, PAIRS), i / 2 != TLS_CLIENT_REQUIRED);
        if (i / 2 != TLS_CLIENT_REQUIRED)
            expect_nobody();
        for (enum pair bad = EXPIRED; bad <= FOR_SERVERS; bad++)
            EXPECT_EQ(gets_in(version, bad), i / 2 == TLS_CLIENT_NONE);
        server_stop(&server);
    }
}

struct swap {
    struct listener_options options;
    char words[256];
    bool is_loaded;
};

static void swap_files(struct server *with, void *arg)
{
    struct swap *swap = arg;
    struct tls_files *files = net_load_tls(&swap->options, swap->words, sizeof swap->words);

    swap->is_loaded = files != NULL;
    if (files != NULL)
        net_use_tls(with->net, swap->options.id, files);
    tls_files_drop(files);
}

static void expect_end_point(enum pair pair, const EVP_MD *md)
{
    unsigned char octets[EVP_MAX_MD_SIZE];
    FILE *file = fopen(cert[pair], "r");
    X509 *own = NULL;
    unsigned len = 0;

    PEM_read_X509(file, &own, NULL, NULL);
    fclose(file);
    X509_digest(own, md, octets, &len);
    expect_binding(&server.last_tls->server_end_point, octets, len);
    X509_free(own);
}

TEST(certificates_change_under_connections)
{
    struct server_options options = with_cert(SERVER);
    struct swap swap = {.options = with_cert(HASH384).listener};
    struct peer old, new;

    server_start(&server, &options);
    EXPECT(open_ready(&old, true, true));
    expect_end_point(SERVER, EVP_sha256());
    server_do(&server, swap_files, &swap);
    EXPECT(swap.is_loaded);
    EXPECT(raw_send(&old, 0, SLICE("still here")) && raw_read(&old, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("still here"));
    EXPECT(open_ready(&new, true, true));
    expect_end_point(HASH384, EVP_sha384());
    expect_bindings(new.ssl, EVP_sha384());
    peer_close(&new);
    swap.options.tls_key = key[SERVER];
    server_do(&server, swap_files, &swap);
    EXPECT(!swap.is_loaded && strstr(swap.words, "does not belong to the certificate") != NULL);
    EXPECT(open_ready(&new, false, true));
    expect_end_point(HASH384, EVP_sha384());
    peer_close(&new);
    peer_close(&old);
    server_stop(&server);
}

static void expect_failure(const struct server_options *options, const char *words)
{
    server_start(&server, options);
    EXPECT_EQ(server.err, ERR_TLS);
    if (strstr(server.words, words) == NULL)
        UNIT_FAIL("\"%s\" lacks \"%s\"", server.words, words);
    server_stop(&server);
}

TEST(says_what_is_wrong_with_rules)
{
    struct server_options options = with_cert(SERVER);

    options.listener.tls_ciphers = "ECDHE+AESGCM:nonsense";
    expect_failure(&options, "ciphers: OpenSSL has no cipher of TLS 1.2 for \"nonsense\"");
    options = with_cert(SERVER);
    options.listener.tls_client = TLS_CLIENT_REQUIRED;
    expect_failure(&options, "client_certificate: it needs client_ca");
    options.listener.tls_client_ca = "/nowhere/ca.pem";
    expect_failure(&options, "client_ca /nowhere/ca.pem: No such file");
    options.listener.tls_client_ca = key[SERVER];
    expect_failure(&options, "client_ca ");
    options.listener.tls_client = TLS_CLIENT_NONE;
    expect_failure(&options, "client_ca: it has no use while client_certificate is \"none\"");
}
