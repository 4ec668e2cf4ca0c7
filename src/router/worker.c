/* worker.c -- one thread: its network, its realms, the end of its loop turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "router/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "router/notes.h"

static void *on_open(void *ctx, uint64_t conn, const struct transport *transport)
{
    struct worker *worker = ctx;
    struct peer *peer = mem_zero(1, sizeof *peer);

    peer->id = conn;
    peer->worker = worker;
    peer->transport = *transport;
    peer->transport.peer = mem_copy(transport->peer, strlen(transport->peer));
    if (transport->cookie != NULL)
        peer->transport.cookie = mem_copy(transport->cookie, strlen(transport->cookie));
    transport_tls_hold(transport->tls);
    transport_http_hold(transport->http);
    peer->waiting_end = &peer->waiting;
    pump_open(worker, peer);
    return peer;
}

static void on_message(void *ctx, void *user, struct slice bytes)
{
    (void)ctx;
    pump_message(user, bytes);
}

static void on_dropped(void *ctx, void *user, uint64_t count)
{
    (void)ctx;
    reports_send(user, count);
}

static void on_close(void *ctx, void *user)
{
    (void)ctx;
    pump_close(user);
}

/* GOODBYE to the sessions of all realms at home here. Another worker may be making a realm from
 * the template meanwhile: so the list is copied under its lock. */
static void close_realms(struct worker *worker)
{
    struct realm **realms = NULL;
    size_t count = 0;

    pthread_mutex_lock(&worker->snapshot_lock);
    list_each (&worker->realms, node, after) {
        realms = mem_grow(realms, (count + 1) * sizeof(struct realm *));
        realms[count++] = container_of(node, struct realm, at_home);
    }
    pthread_mutex_unlock(&worker->snapshot_lock);
    for (size_t i = 0; i < count; i++)
        pump_close_realm(worker, realms[i]);
    mem_free(realms);
}

/* Sends GOODBYE to all sessions, and closes who is in the lobby. */
static void begin_closing(struct worker *worker)
{
    const struct map_entry *at;
    size_t i = 0;

    worker->is_closing = true;
    worker->grace_at = net_now(worker->net) + worker->router->options.shutdown_grace_ms;
    net_stop_listening(worker->net);
    close_realms(worker);
    while ((at = map_next(&worker->peers, &i)) != NULL) {
        struct peer *peer = at->value;

        if (peer->realm == NULL && peer->local == NULL)
            net_close(worker->net, peer->id, CLOSE_GOING_AWAY, "the router is shutting down");
    }
}

/* Ends the loop when nobody is left, or when the grace time is over. */
static void end_if_done(struct worker *worker)
{
    struct router *router = worker->router;

    if (!worker->is_closing)
        return;
    if (atomic_load(&router->open_peers) == 0) {
        net_stop(worker->net);
    } else if (net_now(worker->net) >= worker->grace_at) {
        if (!net_is_flushed(worker->net))
            atomic_store(&router->is_unflushed, true);
        net_stop(worker->net);
    }
}

static void set_wake(struct worker *worker)
{
    uint64_t at = deadlines_next(&worker->deadlines);

    at = at < worker->report_at ? at : worker->report_at;
    net_wake_at(worker->net, at < worker->grace_at ? at : worker->grace_at);
}

static void on_turn(void *ctx)
{
    struct worker *worker = ctx;

    (void)local_deliver(worker);
    mail_post(worker);
    if (worker->router->worker_count > 1)
        status_snapshot(worker);
    end_if_done(worker);
    set_wake(worker);
    worker->wall = 0;
}

static void on_post(void *ctx)
{
    struct worker *worker = ctx;

    mail_handle(worker);
    reload_fetch(worker);
    if (atomic_load(&worker->router->is_stopping) && !worker->is_closing) {
        begin_closing(worker);
        if (worker->index == 0)
            for (unsigned i = 1; i < worker->router->worker_count; i++)
                net_post(worker->router->workers[i].net);
    }
}

static void on_wake(void *ctx)
{
    pump_wake(ctx);
}

static void on_status(void *ctx, enum page form, struct writer *page)
{
    status_write(ctx, form, page);
}

static bool knows_cookie(void *ctx, const char *cookie)
{
    const struct worker *worker = ctx;
    const struct router_options *options = &worker->router->options;

    return options->knows_cookie != NULL && options->knows_cookie(options->cookie_ctx, cookie);
}

int worker_init(struct worker *worker, struct router *router, unsigned index)
{
    static const struct net_handler handler = {.on_open = on_open,
                                               .on_message = on_message,
                                               .on_dropped = on_dropped,
                                               .on_close = on_close,
                                               .on_turn = on_turn,
                                               .on_post = on_post,
                                               .on_wake = on_wake,
                                               .on_status = on_status,
                                               .knows_cookie = knows_cookie};
    struct net_limits limits = router->options.limits;
    unsigned count = router->worker_count;

    worker->router = router;
    worker->index = index;
    worker->grace_at = NEVER;
    list_init(&worker->realms);
    list_init(&worker->local_peers);
    map_init(&worker->peers, (uint64_t)(uintptr_t)worker);
    deadlines_init(&worker->deadlines);
    outbox_init(&worker->out);
    arena_init(&worker->scratch);
    mail_init(worker, count);
    reports_init(worker);
    notes_init(worker);
    pthread_mutex_init(&worker->snapshot_lock, NULL);
    /* The kernel spreads connections over the workers' sockets: not evenly, but nearly. */
    limits.max_connections = (limits.max_connections + count - 1) / count;
    if (limits.max_connections_per_address != 0)
        limits.max_connections_per_address =
            (limits.max_connections_per_address + count - 1) / count;
    worker->net = net_new(index, &limits, &handler, worker);
    if (worker->net != NULL && router->options.is_virtual)
        net_set_clock(worker->net, VIRTUAL_START);
    return worker->net == NULL ? ERR_IO : 0;
}

void worker_fini(struct worker *worker)
{
    worker->is_over = true;
    (void)local_deliver(worker); /* peers that were closed after the loop had ended */
    list_each (&worker->realms, node, after) {
        struct realm *realm = container_of(node, struct realm, at_home);

        if (realm->decider != NULL && !realm->is_stopped)
            realm->decider->stop(realm->mind);
    }
    while (local_deliver(worker))
        ;
    if (worker->net != NULL)
        net_free(worker->net);
    notes_fini(worker);
    map_fini(&worker->peers);
    deadlines_fini(&worker->deadlines);
    outbox_fini(&worker->out);
    arena_fini(&worker->scratch);
    mail_fini(worker);
    reports_fini(worker);
    pthread_mutex_destroy(&worker->snapshot_lock);
}

static void *run(void *arg)
{
    struct worker *worker = arg;

    net_run(worker->net);
    return NULL;
}

int worker_start(struct worker *worker)
{
    worker->is_started = pthread_create(&worker->thread, NULL, run, worker) == 0;
    return worker->is_started ? 0 : ERR_IO;
}

void worker_join(struct worker *worker)
{
    if (worker->is_started)
        (void)pthread_join(worker->thread, NULL);
    worker->is_started = false;
}
