/* transport.h -- what both sides of the wire say about a connection.
 *
 * net makes connections and core routes between sessions; they never see each
 * other, and these are the words they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_TRANSPORT_H
#define NEXUS_WIRE_TRANSPORT_H

#include "wire/codec.h"

#include <stdatomic.h>

enum transport_type { TRANSPORT_WEBSOCKET, TRANSPORT_RAWSOCKET, TRANSPORT_LOCAL };

/* Octets that only the two ends of one TLS connection have; len 0: not to be had here. */
struct binding {
    uint8_t len;
    unsigned char octets[64];
};

/* What TLS knows of a connection. Counted, and never changed once it is shown. */
struct transport_tls {
    atomic_uint refs;
    const char *version;          /* "TLSv1.3"; a literal */
    const char *cipher;           /* a literal */
    struct slice certificate;     /* of the client, DER; empty: it showed none */
    const char *common_name;      /* of its subject; NULL: none, or more than one */
    const char *subject, *issuer; /* RFC 2253: "CN=alice,O=Acme"; NULL without a certificate */
    bool is_verified;             /* the certificate is good by the CA of the address */
    struct binding unique, server_end_point, exporter; /* "tls-unique" and so on */
    char bytes[];
};

/* What a certificate of a client says. */
struct transport_certificate {
    struct slice der, common_name, subject, issuer; /* an empty one is none */
};

/* Held once by the caller; everything is copied. */
struct transport_tls *transport_tls_new(const struct transport_certificate *certificate);

/* NULL is fine for both. */
struct transport_tls *transport_tls_hold(struct transport_tls *tls);
void transport_tls_drop(struct transport_tls *tls);

/* What the HTTP request of a WebSocket said, as much of it as is wanted. Counted, and never changed
 * once it is shown. */
struct transport_http {
    atomic_uint refs;
    uint32_t header_count, cookie_count;
    char bytes[]; /* of each header, then of each cookie: name, NUL, value, NUL */
};

/* Held once by the caller; `bytes` are copied. */
struct transport_http *transport_http_new(struct slice bytes, uint32_t header_count,
                                          uint32_t cookie_count);

/* NULL is fine for both. */
struct transport_http *transport_http_hold(struct transport_http *http);
void transport_http_drop(struct transport_http *http);

/* Everything known about a connection when its first message arrives. Strings are borrowed
 * for the time of the call; whoever needs them longer copies them. */
struct transport {
    enum transport_type type;
    enum codec codec;
    bool is_secure;
    bool is_trusted;   /* the router's own code: what it says of itself is so */
    bool is_admin;     /* of an address for administrators: who comes in is one, without a login */
    uint32_t send_max; /* the longest message that the peer accepts; UINT32_MAX: no limit */
    const char *protocol;      /* "wamp.2.json"; a literal */
    const char *peer;          /* "tcp4:192.0.2.1:5678", "tcp6:[2001:db8::1]:5678", "unix:/path" */
    const char *cookie;        /* value of the tracking cookie, or NULL */
    bool is_cookie_new;        /* the client got it with this connection: nobody else can know it */
    uint32_t cookie_max_age_s; /* how long the client keeps it */
    struct transport_tls *tls; /* NULL: no TLS; whoever needs it longer holds it */
    struct transport_http *http; /* NULL: nothing is kept of a request; the same */
    const char *default_realm; /* of the listener, or NULL: joined by HELLO with realm null or "" */
};

/* A copy that owns its strings and holds its facts of TLS and HTTP, in one allocation, without default_realm
 * (what reads that has read it by then). transport_free takes it back; NULL is fine. */
struct transport *transport_copy(const struct transport *transport);
void transport_free(struct transport *transport);

#define TRANSPORT_NETWORK_LEN 24

/* What bounds for one address count together, of a peer as transport.peer has it: an IPv4 address, or the
 * network of an IPv6 one, 64 bits, as whoever has one of these has them all. False: it has none. */
bool transport_network(struct slice peer, char network[TRANSPORT_NETWORK_LEN]);

/* "websocket", "rawsocket", "local". */
static inline const char *transport_name(enum transport_type type)
{
    return type == TRANSPORT_WEBSOCKET   ? "websocket"
           : type == TRANSPORT_RAWSOCKET ? "rawsocket"
                                         : "local";
}

/* What a message is to its receiver's queue. */
enum send_kind {
    SEND_REPLY,      /* never dropped: past the hard bound the connection is closed */
    SEND_EVENT,      /* dropped by the overflow policy when it does not fit */
    SEND_INVOCATION, /* refused when it does not fit, so that the caller can be told */
};

/* What happens to an EVENT that does not fit into its receiver's queue. */
enum overflow {
    OVERFLOW_DROP_NEWEST, /* the event at hand is not queued */
    OVERFLOW_DROP_OLDEST, /* the oldest queued event makes room */
    OVERFLOW_CONFLATE,    /* a queued event of the same topic is replaced; else drop_oldest */
    OVERFLOW_DISCONNECT,  /* the receiver is closed */
};

/* Bounds of one connection's out-queue. */
struct queue_limits {
    uint32_t max_messages;
    uint32_t max_bytes;  /* soft: events and invocations stop here */
    uint32_t hard_bytes; /* replies stop here, and the connection with them */
    enum overflow overflow;
};

/* WebSocket close codes that we send (RFC 6455, 7.4.1). RawSocket just closes. */
enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL_ERROR = 1002,
    CLOSE_WRONG_FRAME_TYPE = 1003,
    CLOSE_INVALID_TEXT = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_BIG = 1009,
    CLOSE_INTERNAL_ERROR = 1011,
    CLOSE_OVERLOAD = 1013,
};

#endif
