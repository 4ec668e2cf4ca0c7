/* priv.h -- what the files of the room net share; nobody else includes it.
 *
 * A connection (struct conn) is made when a socket is accepted and dies when lws says
 * that its wsi is gone. In between it walks through enum conn_state, forward only. Its
 * owner above (the handler) knows it from on_open to on_close, which is shorter:
 * conn_detach() ends that part early when it is we who fail the connection.
 *
 * Who may end a wsi: callbacks by returning -1, everybody else by conn_kill(), which is
 * called between lws callbacks only (timers, end of turn). So nothing is freed under the
 * feet of a handler that calls net_close from inside on_message.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_NET_PRIV_H
#define NEXUS_NET_PRIV_H

#include "base/deadlines.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "net/limits.h"
#include "net/net.h"
#include "net/proxy.h"
#include "wire/rawsocket.h"

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <uv.h>

#include <netinet/in.h>
#include <sys/socket.h>

enum conn_state {
    CONN_PEEKING, /* accepted; tls "auto" waits for the first octet, lws does not know it yet */
    CONN_OPENING, /* lws has it; no handshake is complete */
    CONN_OPEN,    /* messages flow */
    CONN_CLOSING, /* the queue is written, then we say goodbye */
    CONN_LINGER,  /* all is written and said; input is discarded until the peer ends it */
    CONN_DYING,   /* to be killed at the end of the turn */
};

/* One entry of an out-queue. */
struct out {
    struct blob *blob; /* counted; NULL for a dropped entry */
    uint64_t key;
    uint8_t kind;  /* enum out_kind */
    uint8_t frame; /* WebSocket opcode or enum rawsocket_frame */
};

enum out_kind {
    OUT_REPLY,
    OUT_EVENT,
    OUT_INVOCATION,
    OUT_CONTROL, /* PING, PONG, close: ours, never dropped */
};

struct queue {
    struct out *ring; /* owned; NULL until something is queued */
    uint32_t cap, head, count;
    uint32_t live;  /* messages: entries that are neither control nor dropped */
    uint64_t bytes; /* of queued blobs */
    uint64_t held;  /* of what was written and lws still holds (an upper bound) */
};

struct address {
    uint64_t a, b;
    uint32_t count;
};

struct listener;

struct conn {
    struct net *net;           /* borrowed */
    struct lws *wsi;           /* borrowed; NULL while peeking and after the end */
    struct listener *listener; /* borrowed */
    void *user;                /* what on_open returned; borrowed */
    uint64_t id;
    struct address *address; /* counted; NULL when not bounded */
    struct list dirty;       /* in net->dirty: has something to write or to do */
    struct list dropping;    /* in net->dropping: has lost EVENTs that are not reported */
    uint64_t dropped;        /* how many */
    struct deadline due;     /* the next look at the clocks below */
    uint64_t received_at;    /* any octet */
    uint64_t clock_at;       /* when the running handshake, hello, rejoin or close clock began */
    uint64_t ping_at;        /* an unanswered PING; 0: none */
    struct queue queue;
    struct queue_limits limits;
    char *rx; /* owned; a message or frame in the making, or input kept back */
    uint32_t rx_len, rx_cap;
    char *kept; /* owned; whole messages kept back by net_pause: length, octets, ... */
    uint32_t kept_len, kept_cap;
    char *peer; /* owned; who it is by the word of a proxy; NULL: the socket knows */
    struct sockaddr_storage *proxy; /* owned; a proxy of ours that will say who is behind it */
    char *forwarded;                /* owned; its lines `Forwarded`, put together; NULL: unknown */
    char *cookie;                   /* owned; between the upgrade and on_open */
    struct transport_http *http;    /* held; the same */
    uv_poll_t *peek;                /* owned; while peeking */
    uint32_t send_max, recv_max;    /* RawSocket */
    uint32_t pings, ping_window;    /* RawSocket PINGs received in that second */
    uint8_t state;                  /* enum conn_state */
    uint8_t codec;
    bool is_raw : 1;
    bool is_ws : 1;
    bool is_secure : 1;
    bool is_attached : 1; /* the handler knows it */
    bool is_joined : 1;
    bool was_joined : 1;
    bool has_session : 1; /* and not only a HELLO that was taken */
    bool is_paused : 1;
    bool is_resumed : 1; /* kept input is to be delivered */
    bool is_doomed : 1;  /* above the limit: refuse politely */
    bool has_handshake : 1;
    bool in_fragments : 1;
    bool sets_cookie : 1; /* the upgrade response does */
    bool is_unix : 1;
    bool awaits_proxy : 1; /* a header of the PROXY protocol comes first */
};

/* A context with its one vhost: what lws needs to serve one listener, plain or TLS.
 *
 * One context each, because lws picks the vhost anew from Host and SNI among all vhosts of
 * a context that do not listen themselves, whatever they were adopted by. */
struct side {
    struct net *net; /* borrowed */
    struct lws_context *context;
    struct lws_vhost *vhost;
    SSL_CTX *ssl_ctx;        /* borrowed from the vhost; NULL when plain */
    struct tls_files *files; /* held; NULL when plain */
    struct lws_protocols protocols[CODEC_COUNT + 3];
};

struct listener {
    struct list node;
    struct net *net; /* borrowed */
    struct listener_options options;
    uv_poll_t poll;
    int fd;
    bool is_accepting;
    bool is_closed;
    char *unix_path; /* owned; unlinked at the end; NULL: not ours */
    dev_t unix_dev;  /* the socket file that we made */
    ino_t unix_ino;
    struct side *plain, *secure; /* owned; NULL when not served */
    struct proxy_range *proxies; /* array owned */
    size_t proxy_count;
    struct proxy_range *trusted; /* array owned; HTTP proxies */
    size_t trusted_count;
};

struct slot {
    struct conn *conn; /* owned; NULL when free */
    uint32_t generation;
    uint32_t next_free; /* index plus one */
};

struct net {
    unsigned worker;
    struct net_limits limits;
    struct net_handler handler;
    void *ctx;
    struct net_counters counters;
    uint64_t now;
    bool is_told;          /* the time, by net_set_clock */
    atomic_bool is_posted; /* kept while is_told: on_post is due */
    int jobs;              /* on threads that uv does not know of */

    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t post, stop;
    uv_timer_t sweep, wake, backoff;
    uint64_t sweep_at, wake_at;

    struct list listeners; /* owned */
    struct list dirty;     /* connections to be written at the end of the turn */
    struct list dropping;  /* connections with EVENTs dropped since the last report */
    uint64_t report_at;    /* when to report them; NEVER: there are none */
    struct deadlines deadlines;

    struct slot *slots;
    uint32_t slot_count, slot_cap, free_slot;
    struct map addresses; /* owned values */

    struct rng rng;
    uint64_t ping_counter;
    uint64_t unflushed; /* connections with octets to write */
    uint32_t doomed;
    bool is_stirred; /* something happened since the last end of turn */
    bool is_ending;  /* net_free is at work */
    bool in_turn;
    unsigned char *scratch; /* owned; LWS_PRE + SCRATCH_LEN */
};

/* Once a turn. */
static inline void net_read_clock(struct net *net)
{
    if (LIKELY(!net->is_told))
        net->now = uv_now(&net->loop);
}

/* conn.c */
struct conn *conn_new(struct net *net, struct listener *listener);
void conn_free(struct conn *conn);
struct conn *conn_find(struct net *net, uint64_t id);

/* Tells the handler that the handshake is complete. */
void conn_open(struct conn *conn, struct transport *transport);

/* Tells the handler, if it knows the connection, that it is gone. */
void conn_detach(struct conn *conn);

/* Begins the orderly end: queue, close frame, linger. */
void conn_close(struct conn *conn, enum close_code code, const char *words);

/* The same because we will not go on with this peer; the handler is told now. */
void conn_fail(struct conn *conn, enum close_code code, const char *words);

/* Ends the wsi now. Only between lws callbacks. */
void conn_kill(struct conn *conn);

/* Marks for conn_kill at the end of the turn. */
void conn_doom(struct conn *conn);

/* lws has ended the wsi: the last that a connection hears. */
void conn_gone(struct conn *conn);

/* Hands one whole message up, or keeps it back while paused. */
void conn_deliver(struct conn *conn, struct slice bytes);

/* Delivers what was kept back. */
void conn_resume(struct conn *conn);

void conn_touch(struct conn *conn); /* puts it on the dirty list */
void conn_received(struct conn *conn, size_t len);
void conn_set_state(struct conn *conn, enum conn_state state);

/* Appends to the reassembly buffer. */
void conn_append(struct conn *conn, const void *data, size_t len);
void conn_drop_rx(struct conn *conn);

static inline bool conn_takes_input(const struct conn *conn)
{
    return conn->state == CONN_OPEN && !conn->is_paused;
}

/* The longest message that it may send now: who may send long ones has shown who they are. */
static inline uint32_t conn_recv_max(const struct conn *conn)
{
    uint32_t joining = conn->net->limits.max_joining_len;

    return conn->has_session || joining == 0 || joining > conn->recv_max ? conn->recv_max : joining;
}

/* Gives the memory of an empty queue back. */
void queue_trim(struct conn *conn);

/* queue.c */
void queue_fini(struct conn *conn);
void queue_push(struct conn *conn, struct blob *blob, enum out_kind kind, uint8_t frame,
                uint64_t key);
struct out queue_pop(struct conn *conn);
enum send_result queue_offer(struct conn *conn, struct blob *blob, enum send_kind kind,
                             uint64_t key);
static inline struct out *queue_front(struct queue *queue)
{
    return &queue->ring[queue->head];
}
static inline bool queue_is_busy(const struct queue *queue)
{
    return queue->count != 0 || queue->held != 0;
}

/* Sets the bytes that lws holds and keeps net->unflushed right. */
void queue_set_held(struct conn *conn, uint64_t held);

/* flush.c: false when the wsi is to be ended (return -1, or conn_kill). */
bool conn_flush(struct conn *conn);

/* conn_ws.c, conn_raw.c, http.c: halves of the lws callback; what they return lws gets. */
int ws_established(struct conn *conn);
int ws_receive(struct conn *conn, struct slice bytes);
int ws_peer_closes(struct conn *conn);
int raw_receive(struct conn *conn, struct slice bytes);
void raw_feed(struct conn *conn, struct slice bytes);
int http_request(struct conn *conn, struct slice path);
int http_upgrade(struct conn *conn, const char *to);
int http_add_headers(struct conn *conn, struct lws_process_html_args *args);

/* headers.c: what of a request is shown to the handler; held once, or NULL. */
struct transport_http *headers_keep(struct conn *conn);

/* side.c */
struct side *side_new(struct net *net, const struct listener_options *options,
                      struct tls_files *files); /* NULL: plain */
void side_free(struct side *side);
bool side_adopt(struct side *side, struct conn *conn, int fd);
enum codec codec_of_protocol(struct slice name);
const char *codec_protocol(enum codec codec);

/* tls.c */
SSL_CTX *tls_new_ctx(char *words, size_t words_len);
int tls_check_rules(SSL_CTX *ctx, const struct listener_options *options, char *words,
                    size_t words_len) MUST_CHECK;
int tls_load_client_ca(SSL_CTX *ctx, const struct listener_options *options, char *words,
                       size_t words_len) MUST_CHECK;
int tls_check_hosts(const struct listener_options *options, char *words,
                    size_t words_len) MUST_CHECK;

/* Writes `what file: why`, forgets OpenSSL's errors and returns ERR_TLS. */
int tls_say(char *words, size_t words_len, const char *what, const char *file, const char *why);
const char *tls_last_reason(void);

/* Gives the context of a vhost what the options say; they have been checked. */
void tls_set_rules(SSL_CTX *ctx, const struct listener_options *options);

/* tls_files.c: what handshakes show from now on. */
void tls_files_use(struct side *side, struct tls_files *files);

/* tls_ocsp.c: reads a response about the certificate of the context and shows it from then on to
 * clients that ask, as long as it is fresh. 0, or ERR_TLS with words. */
int tls_staple(SSL_CTX *ctx, const char *file, char *words, size_t words_len) MUST_CHECK;

/* tls_facts.c: of a connection whose handshake is complete; held once. */
struct transport_tls *tls_facts(SSL *ssl);
void tls_say_goodbye(struct lws *wsi);

/* listener.c */
void listener_close(struct listener *listener);
void listener_free(struct listener *listener);
void listener_resume_all(struct net *net);
void listener_end_peek(struct conn *conn);

/* address.c */
void address_octets(const struct sockaddr_storage *from, unsigned char octets[16]);
void address_words_of(const struct sockaddr_storage *from, char *out, size_t out_len);
void address_words(int fd, const char *unix_path, char *out, size_t out_len);
struct address *address_hold(struct net *net, const struct sockaddr_storage *from, bool *is_full);
void address_drop(struct net *net, struct address *address);

/* origin.c: who counts as the peer. An HTTP proxy of ours is not counted, but will name somebody. */
void origin_wait(struct conn *conn, const struct sockaddr_storage *proxy);

/* The PROXY protocol has named this one: counted now, unless it is such a proxy. False when there
 * are too many. */
bool origin_begin(struct conn *conn, const struct sockaddr_storage *from) MUST_CHECK;

/* The HTTP request is there: ORIGIN_KNOWN, or why it is to be refused. */
enum origin { ORIGIN_KNOWN, ORIGIN_FULL, ORIGIN_BAD };
enum origin origin_of_request(struct conn *conn) MUST_CHECK;

/* Whether that needs lines of its first request which lws does not show. */
bool origin_reads_head(const struct conn *conn) MUST_CHECK;

/* Takes them out of what has come of it. False: the head is not complete. */
bool origin_take_head(struct conn *conn, struct slice text) MUST_CHECK;

/* There will be none: the proxy is the peer. False when there are too many. */
bool origin_end(struct conn *conn) MUST_CHECK;

/* Reads a list of addresses and ranges; `ranges` is the caller's to free. */
int origin_ranges(const char *const *texts, struct proxy_range **ranges, size_t *count, char *words,
                  size_t words_len) MUST_CHECK;
bool origin_is_in(const struct proxy_range *ranges, size_t count,
                  const struct sockaddr_storage *from);

/* sweep.c */
void sweep_init(struct net *net);
void sweep_arm(struct conn *conn);

/* Notes a dropped EVENT for the next report. */
void sweep_note_drop(struct conn *conn);

/* Tells the handler now what is noted. */
void sweep_report_drops(struct conn *conn);

/* What is noted, as a number; from then on it is not. */
uint64_t sweep_take_dropped(struct conn *conn);

/* net.c */
void net_stir(struct net *net);

#endif
