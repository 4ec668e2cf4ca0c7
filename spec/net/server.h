/* server.h -- a small server over net on a thread of its own, for the tests.
 *
 * It echoes. Some messages are commands: "bye" is answered with "last" and a close, "hold"
 * stops reading from its sender. Everything else a test wants is done with server_do, which
 * runs a function on the server's thread and waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_SERVER_H
#define NEXUS_SPEC_SERVER_H

#include "net/net.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVER_CONNS_MAX   64
#define SERVER_REPORTS_MAX 64

struct server_options {
    struct net_limits limits;
    struct listener_options listener;
    bool stays_unjoined; /* opened connections are not joined */
    unsigned worker;
};

/* A call of on_dropped. */
struct drop_report {
    uint64_t id, count;
    uint64_t at;     /* clock_ms */
    unsigned closes; /* calls of on_close before it */
};

struct server {
    struct net *net;
    struct server_options options;
    pthread_t thread;
    char bound[128];
    char port[16];
    char words[256]; /* why net_listen failed */
    int err;         /* of net_listen */
    atomic_uint opens, closes, messages;
    atomic_ullong last_id; /* of the newest connection */
    char last_peer[128], last_protocol[32], last_cookie[64], last_realm[32];
    bool is_last_cookie_new;
    atomic_bool knows_cookies; /* handler.knows_cookie says so of all */
    atomic_bool is_secure;
    struct transport_tls *last_tls;                 /* held; NULL: none */
    struct drop_report reports[SERVER_REPORTS_MAX]; /* the first ones */
    atomic_uint report_count;

    pthread_mutex_t lock;
    pthread_cond_t done;
    void (*job)(struct server *server, void *arg);
    void *job_arg;
};

/* Options with generous limits that listen on 127.0.0.1, any port, everything allowed. */
struct server_options server_defaults(void);

/* Starts it. When net_listen fails err and words say why, and nothing runs. */
void server_start(struct server *server, const struct server_options *options);
void server_stop(struct server *server);

void server_do(struct server *server, void (*job)(struct server *server, void *arg), void *arg);

struct net_counters server_counters(struct server *server);

/* Waits until the condition holds, ten seconds at most; false when it never did. */
bool server_wait(struct server *server, bool (*is_so)(struct server *server));

bool server_has_no_connection(struct server *server);

/* Milliseconds of a monotonic clock. */
uint64_t clock_ms(void);

#endif
