/* side.c -- the meeting place with libwebsockets: contexts, the protocol table, the callback.
 *
 * The callback finds the connection, hands on what happened, and returns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "net/priv.h"

#include <pthread.h>

/* Names that no client can ask for: they contain a space. */
#define HTTP_PROTOCOL "plain http"
#define RAW_PROTOCOL  "raw socket"

static const char *const codec_names[CODEC_COUNT] = {
    [CODEC_JSON] = "wamp.2.json",
    [CODEC_MSGPACK] = "wamp.2.msgpack",
    [CODEC_CBOR] = "wamp.2.cbor",
};

enum codec codec_of_protocol(struct slice name)
{
    unsigned codec = 0;

    while (codec < CODEC_COUNT && !slice_eq(name, slice_of(codec_names[codec])))
        codec++;
    return (enum codec)codec;
}

const char *codec_protocol(enum codec codec)
{
    return codec_names[codec];
}

static void on_log(int level, const char *line)
{
    char words[256];
    size_t len = strcspn(line, "\n");

    (void)level;
    if (len >= sizeof words)
        len = sizeof words - 1;
    memcpy(words, line, len);
    words[len] = '\0';
    log_line(LOG_DEBUG, "lws", "libwebsockets says", "words", words, NULL);
}

static void raw_adopted(struct conn *conn, struct lws *wsi)
{
    conn->wsi = wsi;
    conn->is_raw = true;
}

static int on_conn(struct conn *conn, struct lws *wsi, int reason, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        return ws_receive(conn, slice_make(in, len));
    case LWS_CALLBACK_RAW_RX:
        return raw_receive(conn, slice_make(in, len));
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_RAW_WRITEABLE:
        return conn_flush(conn) ? 0 : -1;
    case LWS_CALLBACK_RAW_ADOPT:
        raw_adopted(conn, wsi);
        return conn->state == CONN_OPENING && !conn->is_ws ? 0 : -1;
    case LWS_CALLBACK_HTTP:
        return http_request(conn, slice_make(in, len));
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return http_upgrade(conn, in);
    case LWS_CALLBACK_ADD_HEADERS:
        return http_add_headers(conn, in);
    case LWS_CALLBACK_ESTABLISHED:
        return ws_established(conn);
    case LWS_CALLBACK_RECEIVE_PONG:
        conn_received(conn, len);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return ws_peer_closes(conn);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(wsi, NULL);
        conn_gone(conn);
        return 0;
    default:
        return 0;
    }
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct conn *conn = wsi == NULL ? NULL : lws_get_opaque_user_data(wsi);

    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) {
        struct side *side = lws_vhost_user(in);

        side->ssl_ctx = user;
        return 0;
    }
    return conn == NULL ? 0 : on_conn(conn, wsi, (int)reason, in, len);
}

/* No validity timers: they sit in a sorted list, and heartbeats are ours. */
static const lws_retry_bo_t no_policy;

static const struct lws_token_limits token_limits = {
    .token_limit = {[WSI_TOKEN_PROTOCOL] = MAX_SUBPROTOCOLS_LEN},
};

static void fill_protocols(struct side *side, const struct listener_options *options)
{
    struct lws_protocols *protocol = side->protocols;
    const struct lws_protocols model = {.callback = on_lws, .tx_packet_size = MAX_WRITE_LEN};

    *protocol = model;
    protocol++->name = HTTP_PROTOCOL;
    for (unsigned codec = 0; codec < CODEC_COUNT && options->websocket; codec++) {
        if ((options->codecs & 1u << codec) == 0)
            continue;
        *protocol = model;
        protocol++->name = codec_names[codec];
    }
    *protocol = model;
    protocol->name = RAW_PROTOCOL;
}

/* Called one at a time. Only the first context may set TLS up: each that does takes new indices
 * for what lws ties to OpenSSL's objects, and would lose sight of those of the others. */
static struct lws_context *make_context(struct side *side, void **loops)
{
    static bool has_tls;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
                   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
                   (has_tls ? 0 : LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT),
        .foreign_loops = loops,
        .pcontext = &side->context,
        .retry_and_idle_policy = &no_policy,
        .pt_serv_buf_size = READ_LEN,
        .max_http_header_data = MAX_HTTP_HEADER_LEN,
        .token_limits = &token_limits,
        .timeout_secs = side->net->limits.handshake_timeout_ms / 1000 + 2,
        .gid = -1,
        .uid = -1,
    };

    has_tls = true;
    return lws_create_context(&info);
}

static struct lws_vhost *make_vhost(struct side *side, const struct listener_options *options,
                                    struct tls_files *files)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "nexus",
        .protocols = side->protocols,
        .options = LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
                   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
        .listen_accept_role = "raw-skt",
        .listen_accept_protocol = RAW_PROTOCOL,
        .retry_and_idle_policy = &no_policy,
        .timeout_secs = side->net->limits.handshake_timeout_ms / 1000 + 2,
        .keepalive_timeout = (int)(side->net->limits.handshake_timeout_ms / 1000) + 2,
        .alpn = "http/1.1",
        .user = side,
    };
    struct lws_vhost *vhost;

    if (files != NULL) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = options->tls_cert;
        info.ssl_private_key_filepath = options->tls_key;
    }
    vhost = lws_create_vhost(side->context, &info);
    if (vhost != NULL && files != NULL) {
        tls_set_rules(side->ssl_ctx, options);
        tls_files_use(side, files);
    }
    return vhost;
}

struct side *side_new(struct net *net, const struct listener_options *options,
                      struct tls_files *files)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct side *side = mem_zero(1, sizeof *side);
    void *loops[] = {&net->loop};

    side->net = net;
    fill_protocols(side, options);
    pthread_mutex_lock(&one_at_a_time);
    lws_set_log_level(LLL_ERR, on_log);
    side->context = make_context(side, loops);
    if (side->context != NULL)
        side->vhost = make_vhost(side, options, files);
    pthread_mutex_unlock(&one_at_a_time);
    if (side->vhost != NULL)
        return side;
    side_free(side);
    return NULL;
}

/* lws takes its context apart in two steps, and in between the loop must turn. It forgets
 * the pointer that we gave it when it is through. */
void side_free(struct side *side)
{
    if (side == NULL)
        return;
    if (side->context != NULL)
        lws_context_destroy(side->context);
    for (unsigned i = 0; i < 16 && side->context != NULL; i++)
        uv_run(&side->net->loop, UV_RUN_NOWAIT);
    if (side->context != NULL)
        lws_context_destroy(side->context);
    tls_files_drop(side->files);
    mem_free(side);
}

bool side_adopt(struct side *side, struct conn *conn, int fd)
{
    struct net *net = conn->net;
    uint64_t id = conn->id;
    lws_adopt_desc_t how = {
        .vh = side->vhost,
        .type = LWS_ADOPT_HTTP | LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL,
        .fd.sockfd = fd,
        .opaque = conn,
    };
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&how);
    struct conn *now = net->slots[(uint32_t)id].conn;

    /* When it fails lws closes the descriptor, and may have told us so already. */
    if (now != conn || conn->id != id)
        return false;
    if (wsi == NULL) {
        conn_gone(conn);
        return false;
    }
    conn->wsi = wsi;
    return true;
}
