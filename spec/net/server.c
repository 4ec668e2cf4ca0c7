/* server.c -- a small server over net on a thread of its own, for the tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "server.h"

#include "base/check.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct session {
    uint64_t id;
};

uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *on_open(void *ctx, uint64_t id, const struct transport *transport)
{
    struct server *server = ctx;
    struct session *session = mem_zero(1, sizeof *session);

    session->id = id;
    if (!server->options.stays_unjoined)
        net_set_joined(server->net, id, true);
    snprintf(server->last_peer, sizeof server->last_peer, "%s", transport->peer);
    snprintf(server->last_protocol, sizeof server->last_protocol, "%s", transport->protocol);
    snprintf(server->last_cookie, sizeof server->last_cookie, "%s",
             transport->cookie == NULL ? "" : transport->cookie);
    server->is_last_cookie_new = transport->is_cookie_new;
    snprintf(server->last_realm, sizeof server->last_realm, "%s",
             transport->default_realm == NULL ? "" : transport->default_realm);
    server->is_secure = transport->is_secure;
    transport_tls_drop(server->last_tls);
    server->last_tls = transport_tls_hold(transport->tls);
    server->last_id = id;
    server->opens++;
    return session;
}

static bool knows_cookie(void *ctx, const char *cookie)
{
    const struct server *server = ctx;

    return strlen(cookie) == 43 && server->knows_cookies;
}

static void on_message(void *ctx, void *user, struct slice bytes)
{
    struct server *server = ctx;
    const struct session *session = user;

    server->messages++;
    if (slice_eq(bytes, SLICE("bye"))) {
        net_send(server->net, session->id, blob_copy(SLICE("last")), SEND_REPLY, 0);
        net_close(server->net, session->id, CLOSE_NORMAL, "bye");
    } else if (slice_eq(bytes, SLICE("hold"))) {
        net_pause(server->net, session->id, true);
    } else {
        net_send(server->net, session->id, blob_copy(bytes), SEND_REPLY, 0);
    }
}

static void on_dropped(void *ctx, void *user, uint64_t count)
{
    struct server *server = ctx;
    const struct session *session = user;

    if (server->report_count < SERVER_REPORTS_MAX)
        server->reports[server->report_count] =
            (struct drop_report){session->id, count, clock_ms(), server->closes};
    server->report_count++;
}

static void on_close(void *ctx, void *user)
{
    struct server *server = ctx;

    server->closes++;
    mem_free(user);
}

static void on_turn(void *ctx)
{
    (void)ctx;
}

static void on_post(void *ctx)
{
    struct server *server = ctx;

    pthread_mutex_lock(&server->lock);
    if (server->job != NULL)
        server->job(server, server->job_arg);
    server->job = NULL;
    pthread_cond_signal(&server->done);
    pthread_mutex_unlock(&server->lock);
}

static void on_status(void *ctx, enum page form, struct writer *page)
{
    (void)ctx;
    if (form == PAGE_METRICS)
        writer_write(page, "ok 1\n", 5);
    else if (form == PAGE_JSON)
        writer_write(page, "{\"ok\":true}", 11);
    else
        writer_write(page, "<p>ok</p>", 9);
}

struct server_options server_defaults(void)
{
    return (struct server_options){
        .limits = {.max_connections = 1000,
                   .max_message_len = 1 << 20,
                   .handshake_timeout_ms = 10000,
                   .hello_timeout_ms = 10000,
                   .rejoin_timeout_ms = 10000,
                   .ping_interval_ms = 10000,
                   .ping_timeout_ms = 10000,
                   .close_timeout_ms = 10000,
                   .max_pings_per_s = 100,
                   .queue = {100000, 64 << 20, 128 << 20, OVERFLOW_DROP_NEWEST}},
        .listener = {.host = "127.0.0.1",
                     .port = "0",
                     .codecs = 1u << CODEC_JSON | 1u << CODEC_MSGPACK | 1u << CODEC_CBOR,
                     .websocket = true,
                     .rawsocket = true},
    };
}

static void *run(void *arg)
{
    struct server *server = arg;

    net_run(server->net);
    return NULL;
}

void server_start(struct server *server, const struct server_options *options)
{
    const struct net_handler handler = {.on_open = on_open,
                                        .on_message = on_message,
                                        .on_dropped = on_dropped,
                                        .on_close = on_close,
                                        .on_turn = on_turn,
                                        .on_post = on_post,
                                        .on_wake = on_turn,
                                        .on_status = on_status,
                                        .knows_cookie = knows_cookie};
    const char *colon;

    *server = (struct server){.options = *options};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->done, NULL);
    server->net = net_new(options->worker, &options->limits, &handler, server);
    CHECK(server->net != NULL);
    server->err = net_listen(server->net, &options->listener, server->bound, sizeof server->bound,
                             server->words, sizeof server->words);
    if (server->err != 0)
        return;
    colon = strrchr(server->bound, ':');
    if (options->listener.unix_path == NULL)
        snprintf(server->port, sizeof server->port, "%s", colon + 1);
    CHECK(pthread_create(&server->thread, NULL, run, server) == 0);
}

void server_stop(struct server *server)
{
    if (server->err == 0) {
        net_stop(server->net);
        pthread_join(server->thread, NULL);
    }
    net_free(server->net);
    transport_tls_drop(server->last_tls);
    CHECK(server->opens == server->closes);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->done);
}

void server_do(struct server *server, void (*job)(struct server *server, void *arg), void *arg)
{
    pthread_mutex_lock(&server->lock);
    server->job = job;
    server->job_arg = arg;
    net_post(server->net);
    while (server->job != NULL)
        pthread_cond_wait(&server->done, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

static void copy_counters(struct server *server, void *arg)
{
    *(struct net_counters *)arg = *net_counters(server->net);
}

struct net_counters server_counters(struct server *server)
{
    struct net_counters counters;

    server_do(server, copy_counters, &counters);
    return counters;
}

bool server_wait(struct server *server, bool (*is_so)(struct server *server))
{
    uint64_t until = clock_ms() + 10000;

    while (!is_so(server)) {
        if (clock_ms() > until)
            return false;
        usleep(1000);
    }
    return true;
}

bool server_has_no_connection(struct server *server)
{
    return server_counters(server).connections == 0;
}
