/* listen_test.c -- addresses of all kinds, TLS, and what can be wrong with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cert.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

#include <openssl/pem.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct server server;
static struct frame frame;
static char dir[] = "/tmp/nexus-net-listen-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64], path[64];

static void remove_dir(void)
{
    unlink(cert);
    unlink(key);
    unlink(other_cert);
    unlink(other_key);
    unlink(path);
    rmdir(dir);
}

__attribute__((constructor)) static void prepare(void)
{
    if (mkdtemp(dir) == NULL)
        abort();
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    snprintf(other_cert, sizeof other_cert, "%s/other-cert.pem", dir);
    snprintf(other_key, sizeof other_key, "%s/other-key.pem", dir);
    snprintf(path, sizeof path, "%s/socket", dir);
    cert_write(cert, key);
    cert_write(other_cert, other_key);
    atexit(remove_dir);
}

static void expect_echo(const char *host, const char *port, bool is_raw, bool use_tls)
{
    struct peer peer;

    EXPECT(is_raw ? peer_open_raw(&peer, host, port, use_tls)
                  : peer_open_ws(&peer, host, port, use_tls, "wamp.2.cbor"));
    EXPECT(peer_send(&peer, is_raw, SLICE("hello")));
    EXPECT(peer_read_frame(&peer, is_raw, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("hello"));
    EXPECT_EQ(server.is_secure, use_tls);
    peer_close(&peer);
}

static void expect_http(const char *host, const char *port, bool use_tls)
{
    struct peer peer;
    char head[1024];

    EXPECT(peer_open(&peer, host, port, use_tls));
    EXPECT_EQ(peer_http(&peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, sizeof head), 200);
    peer_close(&peer);
}

static void expect_all(const char *host, const char *port, bool use_tls)
{
    expect_echo(host, port, false, use_tls);
    expect_echo(host, port, true, use_tls);
    expect_http(host, port, use_tls);
}

static struct server_options with_tls(enum tls_mode mode)
{
    struct server_options options = server_defaults();

    options.listener.tls = mode;
    options.listener.tls_cert = cert;
    options.listener.tls_key = key;
    return options;
}

TEST(ipv6)
{
    struct server_options options = server_defaults();

    options.listener.host = "::1";
    options.listener.default_realm = "realm1";
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    EXPECT(strncmp(server.bound, "[::1]:", 6) == 0);
    expect_all("::1", server.port, false);
    EXPECT(strncmp(server.last_peer, "tcp6:[::1]:", 11) == 0);
    EXPECT_STR(server.last_realm, "realm1");
    server_stop(&server);
}

TEST(all_addresses)
{
    struct server_options options = server_defaults();

    options.listener.host = "::";
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    expect_echo("::1", server.port, true, false);
    expect_echo("127.0.0.1", server.port, true, false);
    EXPECT(strncmp(server.last_peer, "tcp4:127.0.0.1:", 15) == 0);
    server_stop(&server);
}

TEST(tls)
{
    struct server_options options = with_tls(TLS_ON);

    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    expect_all("127.0.0.1", server.port, true);
    server_stop(&server);
}

TEST(tls_by_the_first_octet)
{
    struct server_options options = with_tls(TLS_AUTO);
    struct peer silent;

    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    EXPECT(peer_open(&silent, "127.0.0.1", server.port, false));
    expect_all("127.0.0.1", server.port, true);
    expect_all("127.0.0.1", server.port, false);
    peer_close(&silent);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT(peer_open(&silent, "127.0.0.1", server.port, false));
    server_stop(&server); /* with a connection that has not said a word */
    peer_close(&silent);
}

static bool is_presented(const char *port, const char *file)
{
    struct peer peer;
    X509 *mine = NULL, *theirs = NULL;
    FILE *pem = fopen(file, "r");
    bool is_same = false;

    PEM_read_X509(pem, &mine, NULL, NULL);
    fclose(pem);
    if (peer_open(&peer, "127.0.0.1", port, true))
        theirs = SSL_get1_peer_certificate(peer.ssl);
    is_same = theirs != NULL && X509_cmp(mine, theirs) == 0;
    X509_free(theirs);
    X509_free(mine);
    peer_close(&peer);
    return is_same;
}

struct second {
    struct listener_options options;
    char bound[64], words[256];
    int err;
};

static void listen_too(struct server *with, void *arg)
{
    struct second *second = arg;

    second->err = net_listen(with->net, &second->options, second->bound, sizeof second->bound,
                             second->words, sizeof second->words);
}

/* Each keeps its own certificate and its own rules, whatever Host and SNI say. */
TEST(two_listeners_of_one_net)
{
    struct server_options options = with_tls(TLS_ON);
    struct second second = {.options = options.listener};
    struct peer peer;
    char head[1024];

    second.options.tls_cert = other_cert;
    second.options.tls_key = other_key;
    second.options.codecs = 1u << CODEC_JSON;
    server_start(&server, &options);
    server_do(&server, listen_too, &second);
    EXPECT_EQ(second.err, 0);
    EXPECT(is_presented(server.port, cert));
    EXPECT(is_presented(strrchr(second.bound, ':') + 1, other_cert));
    EXPECT(peer_open(&peer, "127.0.0.1", strrchr(second.bound, ':') + 1, true));
    EXPECT_EQ(peer_upgrade(&peer, "/", "wamp.2.cbor,wamp.2.json", NULL, head, sizeof head), 101);
    EXPECT(strstr(head, "Protocol: wamp.2.json\r\n") != NULL);
    peer_close(&peer);
    expect_echo("127.0.0.1", server.port, false, true);
    server_stop(&server);
}

static void expect_failure(const struct server_options *options, int err, const char *words)
{
    server_start(&server, options);
    EXPECT_EQ(server.err, err);
    if (strstr(server.words, words) == NULL)
        UNIT_FAIL("\"%s\" lacks \"%s\"", server.words, words);
    server_stop(&server);
}

TEST(says_what_is_wrong_with_a_certificate)
{
    struct server_options options = with_tls(TLS_ON);

    options.listener.tls_cert = "/nowhere/cert.pem";
    expect_failure(&options, ERR_TLS, "certificate /nowhere/cert.pem: No such file");
    options.listener.tls_cert = key;
    expect_failure(&options, ERR_TLS, "certificate ");
    options = with_tls(TLS_AUTO);
    options.listener.tls_key = other_key;
    expect_failure(&options, ERR_TLS, "does not belong to the certificate");
    options.listener.tls_key = NULL;
    expect_failure(&options, ERR_TLS, "TLS needs a certificate file and a private key file");
}

TEST(says_what_is_wrong_with_an_address)
{
    struct server_options options = server_defaults();

    options.listener.host = "192.0.2.77"; /* for documentation: not ours */
    expect_failure(&options, ERR_INVALID, "cannot listen on 192.0.2.77 port 0");
    options.listener.host = "127.0.0.1";
    options.listener.port = "high";
    expect_failure(&options, ERR_INVALID, "port high");
    options = server_defaults();
    options.listener.unix_path = "/nowhere/socket";
    expect_failure(&options, ERR_INVALID, "/nowhere/socket: No such file");
}

TEST(unix_socket)
{
    struct server_options options = server_defaults();
    struct stat file;

    options.listener.unix_path = path;
    options.listener.unix_mode = 0600;
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    EXPECT_STR(server.bound, path);
    EXPECT(stat(path, &file) == 0 && (file.st_mode & 0777) == 0600);
    expect_all("unix", path, false);
    EXPECT(strncmp(server.last_peer, "unix:/tmp/", 10) == 0);
    server_stop(&server);
    EXPECT(stat(path, &file) != 0);
}

TEST(unix_socket_in_use_and_stale)
{
    struct server_options options = server_defaults();
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stat file;

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    EXPECT(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    options.listener.unix_path = path;
    expect_failure(&options, ERR_IN_USE, "another process listens there");
    EXPECT(stat(path, &file) == 0); /* not removed by the one who failed */
    close(fd);
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    expect_echo("unix", path, true, false);
    server_stop(&server);
    fclose(fopen(path, "w"));
    expect_failure(&options, ERR_IN_USE, "exists and is no socket");
    unlink(path);
}

static void stop_listening(struct server *with, void *arg)
{
    (void)arg;
    net_stop_listening(with->net);
}

TEST(stops_listening_and_keeps_connections)
{
    struct server_options options = server_defaults();
    struct peer first, second;

    server_start(&server, &options);
    EXPECT(peer_open_raw(&first, "127.0.0.1", server.port, false));
    server_do(&server, stop_listening, NULL);
    EXPECT(!peer_open(&second, "127.0.0.1", server.port, false));
    EXPECT(raw_send(&first, 0, SLICE("still here")));
    EXPECT(raw_read(&first, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("still here"));
    peer_close(&first);
    server_stop(&server);
}
