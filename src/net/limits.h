/* limits.h -- numbers of the room net that nobody configures.
 *
 * What an operator may choose is in struct net_limits (net.h). Lengths are bytes,
 * times milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_NET_LIMITS_H
#define NEXUS_NET_LIMITS_H

/* One read from a socket, and the buffer that a context shares among its connections. */
#define READ_LEN ((size_t)64 * 1024)

/* Frames gathered for one write to one connection. */
#define SCRATCH_LEN ((size_t)256 * 1024)

/* The longest single write that lws is asked to pass to the kernel whole. */
#define MAX_WRITE_LEN ((size_t)32 * 1024 * 1024)

/* A payload from this length on is written from its blob instead of being copied. */
#define DIRECT_LEN ((size_t)64 * 1024)

/* Connections taken from one listening socket before others get their turn. */
#define ACCEPT_BATCH 64

/* Pause after the process ran out of descriptors. */
#define ACCEPT_BACKOFF_MS 100

#define LISTEN_BACKLOG 4096

/* From the first dropped EVENT to the report of all that were dropped meanwhile. */
#define DROPS_REPORT_MS 1000

/* Connections above max_connections that are kept just long enough to be told so. */
#define MAX_DOOMED 64

/* All header lines of one HTTP request. */
#define MAX_HTTP_HEADER_LEN 8192

/* What libwebsockets looks at of a Sec-WebSocket-Protocol list; entries beyond do not count. */
#define MAX_SUBPROTOCOLS_LEN 126

/* A Cookie header that is searched for the tracking cookie. */
#define MAX_COOKIE_HEADER_LEN 4096

/* Names and values of headers and cookies that are kept of one request until HELLO. */
#define MAX_KEPT_HEADERS_LEN 4096

/* What proxies say of who is behind them; all lines of the header together. */
#define MAX_FORWARDED_LEN 4096

/* Characters of a tracking cookie's value: 24 x 6 bits. */
#define COOKIE_LEN 43

/* A request path that can match; longer ones are 404. */
#define MAX_PATH_LEN 256

/* First and smallest ring of an out-queue (a power of two); it grows by doubling. */
#define QUEUE_MIN_CAP 4

/* A ring up to this long is kept when it runs empty, so that a busy connection does not make one
 * each turn; the sweep takes it from a connection that has gone quiet. */
#define QUEUE_KEEP_CAP 512

/* First length of a reassembly buffer; it grows with what has arrived, never by announcement. */
#define REASSEMBLY_MIN_LEN 512

#endif
