/* net.h -- the network of one worker: libuv and libwebsockets end here.
 *
 * A struct net is one uv loop, one lws context on it, listening sockets, and the
 * connections accepted from them. It knows framing, queues, limits and
 * heartbeats. It knows nothing of WAMP sessions, realms or routing: whole
 * messages go up through the handler, blobs come down through net_send.
 *
 * All functions but net_post must be called on the worker's own thread. The
 * handler is never called from inside net_send, net_close or net_pause.
 *
 * Connections are named by ids that are never reused: a late call with an old id
 * finds nothing, and says so.
 *
 * WAMP: "WebSocket Transport", "RawSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_NET_NET_H
#define NEXUS_NET_NET_H

#include "base/err.h"
#include "wire/transport.h"

struct net;
struct tls_files;

enum tls_mode {
    TLS_OFF,
    TLS_ON,
    TLS_AUTO, /* by the first octet: 0x16 is TLS, anything else is not */
};

/* Whether clients show certificates: the handshake fails when one is not good by the CA. */
enum tls_client { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* For clients that ask for a server of that name: "example.com", or "*.example.com" for all names
 * with one label more. */
struct tls_certificate {
    const char *host, *cert, *key;
    const char *ocsp; /* DER file, see tls_ocsp; or NULL */
};

/* Where HTTP proxies say who is behind them. */
enum forwarded_header {
    FORWARDED_X_FOR, /* X-Forwarded-For: 192.0.2.7, 10.0.0.1 */
    FORWARDED_7239,  /* Forwarded: for=192.0.2.7;proto=https, for="[2001:db8::7]:4711" */
};

/* Forward secrecy and authenticated encryption, in OpenSSL's words. */
#define TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define TLS_CIPHERSUITES \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The longest name of a header that can be asked for. */
#define MAX_HEADER_NAME_LEN 64

/* One address to listen on. It speaks WebSocket, RawSocket and HTTP. Borrowed strings live
 * as long as the net. */
struct listener_options {
    unsigned id;           /* how net_use_tls names it */
    const char *host;      /* "127.0.0.1", "::", NULL for a unix socket */
    const char *port;      /* "8080"; "0": any free one */
    const char *unix_path; /* NULL for TCP */
    unsigned unix_mode;    /* permission bits of the socket file; 0: as the umask says */
    enum tls_mode tls;
    const char *tls_cert, *tls_key; /* PEM files */
    const char
        *tls_ocsp; /* DER file: what the issuer says of the certificate, shown to clients that
                             ask; NULL: nothing is */
    const struct tls_certificate *tls_certificates; /* instead of these two, by name */
    size_t tls_certificate_count;
    bool is_tls13_only, is_tls12_only;
    const char *tls_ciphers;      /* of TLS 1.2; NULL: TLS_CIPHERS */
    const char *tls_ciphersuites; /* of TLS 1.3; NULL: TLS_CIPHERSUITES */
    unsigned tls_client;          /* enum tls_client */
    const char *tls_client_ca;    /* PEM file; needed where clients show certificates */
    const char *const *proxies; /* addresses and ranges, NULL-terminated; NULL: nobody. Who connects
                                   from there must begin with a header of the PROXY protocol */
    const char *const
        *trusted_proxies;       /* HTTP proxies that say who is behind them, NULL-terminated;
                                           NULL: nobody */
    unsigned forwarded_header;  /* enum forwarded_header: where they say it */
    const char *const *paths;   /* WebSocket paths, NULL-terminated; NULL: "/" and "/ws" */
    const char *const *origins; /* allowed Origins, NULL-terminated; NULL: any */
    const char *cookie_name;    /* the tracking cookie; NULL: none */
    uint32_t cookie_max_age_s;
    const char *const *headers; /* names in lower case, NULL-terminated: what of a WebSocket request
                                   the handler is told; NULL: nothing, nor cookies */
    const char *default_realm;  /* NULL: none */
    unsigned codecs;            /* bit set of 1 << enum codec */
    unsigned default_codec;     /* of a WebSocket that names no subprotocol: the codec plus one; 0:
                                   it is refused */
    bool websocket, rawsocket;  /* which protocols are served */
    uint32_t rawsocket_min_len; /* refuse peers that accept less; 0: any */
    bool is_admin;              /* who connects may do everything: transport.is_admin */
    bool serves_metrics;        /* /metrics is there, which names realms */
};

/* Bounds and times of all connections. Milliseconds and bytes. */
struct net_limits {
    uint32_t max_connections;             /* of this worker */
    uint32_t max_connections_per_address; /* of this worker; 0: no bound */
    uint32_t max_message_len;             /* a longer inbound message fails the connection */
    uint32_t max_joining_len;             /* the same until net_set_queue; 0: no other bound */
    uint32_t handshake_timeout_ms;        /* accept -> TLS and WebSocket or RawSocket handshake */
    uint32_t hello_timeout_ms;            /* handshake -> net_set_joined(true) */
    uint32_t rejoin_timeout_ms;           /* net_set_joined(false) -> joined again */
    uint32_t ping_interval_ms;            /* nothing received that long: we PING; 0: never */
    uint32_t ping_timeout_ms;             /* PING -> anything received */
    uint32_t close_timeout_ms;            /* net_close -> the socket is closed, flushed or not */
    uint32_t max_pings_per_s;             /* RawSocket PINGs of a peer */
    struct queue_limits queue;            /* until net_set_queue says otherwise */
};

/* What HTTP shows: "/", "/status.json", and "/metrics" on listeners that serve it. */
enum page { PAGE_HTML, PAGE_JSON, PAGE_METRICS, PAGE_COUNT };

/* Where things go that happen. `user` is what on_open returned. */
struct net_handler {
    /* A handshake is complete. The id names the connection until on_close. */
    void *(*on_open)(void *ctx, uint64_t conn, const struct transport *transport);
    /* One whole message; the bytes are valid during the call only. */
    void (*on_message)(void *ctx, void *user, struct slice bytes);
    /* EVENTs did not fit into the connection's queue: how many, by any policy, since the last
     * time. Once a second at most, but for what is left before on_close. NULL: only counted. */
    void (*on_dropped)(void *ctx, void *user, uint64_t count);
    /* The connection is gone, whoever ended it. Called once for each on_open. */
    void (*on_close)(void *ctx, void *user);
    /* The loop turn ends: last chance to send before queues are written. */
    void (*on_turn)(void *ctx);
    /* Somebody called net_post. */
    void (*on_post)(void *ctx);
    /* The instant given to net_wake_at has come. */
    void (*on_wake)(void *ctx);
    /* An HTTP GET that is no upgrade: writes the status page in that form. */
    void (*on_status)(void *ctx, enum page form, struct writer *page);
    /* Whether a tracking cookie is to be left as it is; another one is exchanged for a new one. NULL:
     * all are. */
    bool (*knows_cookie)(void *ctx, const char *cookie);
};

enum send_result {
    SEND_QUEUED,
    SEND_DROPPED, /* an EVENT did not fit; counted */
    SEND_REFUSED, /* an INVOCATION did not fit, or the connection is being closed */
    SEND_GONE,    /* no such connection (any more) */
};

struct net_counters {
    uint64_t accepted, refused_full, refused_address, handshake_failed, closed;
    uint64_t messages_in, bytes_in, messages_out, bytes_out, writes;
    uint64_t dropped_newest, dropped_oldest, conflated, slow_closed, refused_invocations;
    uint64_t too_big, bad_frames, timeouts_handshake, timeouts_hello, timeouts_ping;
    uint64_t connections; /* open now */
};

/* Makes the network of worker number `worker` (0..255; part of every connection id).
 * Contexts are made one at a time: callers need no lock. NULL when lws or uv fail. */
struct net *net_new(unsigned worker, const struct net_limits *limits,
                    const struct net_handler *handler, void *ctx);

/* Opens one listening socket (SO_REUSEPORT, so every worker may open its own). Returns 0 or
 * ERR_IN_USE, ERR_DENIED, ERR_TLS, ERR_INVALID, ERR_IO, with words for people in `words`.
 * `bound` (may be NULL) gets the address really bound, e.g. "127.0.0.1:41234"; for port 0 the
 * later workers pass that port. */
int net_listen(struct net *net, const struct listener_options *options, char *bound,
               size_t bound_len, char *words, size_t words_len) MUST_CHECK;

/* Whether versions, ciphers and names of TLS can be had, without a net: 0, or ERR_TLS with words that
 * begin with the name of the option. */
int net_check_tls(const struct listener_options *options, char *words, size_t words_len) MUST_CHECK;

/* Whether these are addresses and ranges: 0, or ERR_INVALID with words. */
int net_check_proxies(const char *const *texts, char *words, size_t words_len) MUST_CHECK;

/* The certificates and keys of a listener, read from its files: NULL, with words, when they cannot
 * be used. Counted; any thread may load. */
struct tls_files *net_load_tls(const struct listener_options *options, char *words,
                               size_t words_len);
struct tls_files *tls_files_hold(struct tls_files *files);
void tls_files_drop(struct tls_files *files); /* NULL is fine */

/* Shows these to the connections that come from now on, on listeners with that `id`; the others
 * go on with what they began with. */
void net_use_tls(struct net *net, unsigned id, struct tls_files *files);

/* Stops accepting; connections stay. */
void net_stop_listening(struct net *net);

/* Runs the loop until net_stop. */
void net_run(struct net *net);

/* Ends net_run after the current turn. */
void net_stop(struct net *net);

/* ---- a clock that is told, for tests ---- */

/* From now on the time is what it is told, and net_turn runs the loop instead of net_run. on_wake is
 * called here, when the instant of net_wake_at has come. There may be no listeners, as their clocks
 * are uv's. */
void net_set_clock(struct net *net, uint64_t now);

/* The instant that on_wake waits for, or NEVER. */
uint64_t net_wake_due(const struct net *net);

/* One turn of the loop, which waits for nothing. False when there is nothing left to do but for
 * the clock, and for work on other threads. */
bool net_turn(struct net *net);

/* Work on a thread that uv does not know of is begun (1) or over (-1). */
void net_note_work(struct net *net, int change);

/* Waits for such work, but not longer than that. False when none is under way. */
bool net_wait(struct net *net, uint32_t ms);

/* Closes what is left and frees. on_close is called for every open connection. */
void net_free(struct net *net);

/* The loop, for whoever has timers or work of its own there; on the worker's thread only. */
struct uv_loop_s *net_loop(struct net *net);

/* Calls on_post on the worker's thread soon. The only function for other threads. */
void net_post(struct net *net);

/* Something of the loop that is not net's has a word, a timer for example: the time is read, and
 * what is done now has its end of turn. */
void net_enter(struct net *net);

/* Milliseconds of a monotonic clock, read once per loop turn. */
uint64_t net_now(const struct net *net);

/* Asks for on_wake at that instant (NEVER: not at all). One instant per net: the last call
 * counts. Cheap when nothing changes. */
void net_wake_at(struct net *net, uint64_t at);

/* Queues a message; takes the reference to the blob in every case. `key` is compared by
 * OVERFLOW_CONFLATE. */
enum send_result net_send(struct net *net, uint64_t conn, struct blob *blob, enum send_kind kind,
                          uint64_t key);

/* True while less than half of the connection's queue is in use, and when there is none. */
bool net_has_room(struct net *net, uint64_t conn);

/* Writes what is queued, then closes (with that code on a WebSocket). Nothing more is
 * delivered to on_message. */
void net_close(struct net *net, uint64_t conn, enum close_code code, const char *words);

/* Stops or resumes reading from one peer. Messages that were read already are kept back too. */
void net_pause(struct net *net, uint64_t conn, bool pause);

/* Says whether a session lives on the connection: false starts a clock. */
void net_set_joined(struct net *net, uint64_t conn, bool joined);

/* A session has come to be, with these bounds; its messages may be long until net_set_joined(false). */
void net_set_queue(struct net *net, uint64_t conn, const struct queue_limits *limits);

/* How many EVENTs of the connection were dropped that on_dropped has not told yet; it will not
 * tell of them. */
uint64_t net_take_dropped(struct net *net, uint64_t conn);

/* True when no connection has bytes left to write. */
bool net_is_flushed(const struct net *net);

const struct net_counters *net_counters(const struct net *net);

/* The worker number in a connection id. */
static inline unsigned net_worker_of(uint64_t conn)
{
    return (unsigned)(conn >> 56);
}

#endif
