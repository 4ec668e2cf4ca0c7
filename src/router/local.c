/* local.c -- peers in this process.
 *
 * A local peer sends like a connection does. What is sent to it waits in its
 * inbox and is delivered at the end of the loop turn, so that its code is never
 * called in the middle of a step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "router/router_priv.h"

#define DELIVER_MAX 1000 /* messages in one turn: what they cause may go on for ever */

struct parcel {
    struct parcel *next;
    struct blob *blob; /* counted */
};

struct local_peer {
    struct peer *peer; /* owned by its worker; NULL: closed */
    struct worker *worker;
    local_receive_fn *receive;
    void (*on_close)(void *ctx);
    void *ctx;
    struct parcel *inbox, **inbox_end; /* owned */
    struct list ready;                 /* worker->local_peers, when there is something to deliver */
    bool is_closed;                    /* by the router */
    bool is_gone;                      /* local_close was called: freed at the next delivery */
};

static const char *copy_text(const char *text)
{
    return text == NULL ? NULL : mem_copy(text, strlen(text));
}

static struct local_peer *open_at(struct worker *worker, const struct transport *transport,
                                  local_receive_fn *receive, void (*on_close)(void *ctx), void *ctx)
{
    struct local_peer *local = mem_zero(1, sizeof *local);
    struct peer *peer = mem_zero(1, sizeof *peer);

    *local = (struct local_peer){
        .peer = peer, .worker = worker, .receive = receive, .on_close = on_close, .ctx = ctx};
    local->inbox_end = &local->inbox;
    list_init(&local->ready);
    peer->worker = worker;
    peer->id = ((uint64_t)(LOCAL_WORKER | worker->index) << 56) | ++worker->next_local;
    peer->local = local;
    peer->waiting_end = &peer->waiting;
    peer->transport = *transport;
    peer->transport.peer = copy_text(transport->peer);
    peer->transport.cookie = copy_text(transport->cookie);
    transport_tls_hold(transport->tls);
    transport_http_hold(transport->http);
    pump_open(peer->worker, peer);
    return local;
}

static const struct transport inside = {.type = TRANSPORT_LOCAL,
                                        .codec = CODEC_MSGPACK,
                                        .is_secure = true,
                                        .send_max = UINT32_MAX,
                                        .protocol = "wamp.2.msgpack",
                                        .peer = "local"};

struct local_peer *local_open(struct router *router, local_receive_fn *receive,
                              void (*on_close)(void *ctx), void *ctx)
{
    return open_at(&router->workers[0], &inside, receive, on_close, ctx);
}

struct local_peer *local_open_as(struct router *router, const struct transport *transport,
                                 local_receive_fn *receive, void (*on_close)(void *ctx), void *ctx)
{
    return open_at(&router->workers[0], transport, receive, on_close, ctx);
}

struct local_peer *realm_open_guest(struct realm *realm, local_receive_fn *receive,
                                    void (*on_close)(void *ctx), void *ctx)
{
    struct transport transport = inside;

    transport.is_trusted = true;
    return open_at(realm->home, &transport, receive, on_close, ctx);
}

struct local_peer *realm_open_peer(struct realm *realm, local_receive_fn *receive,
                                   void (*on_close)(void *ctx), void *ctx)
{
    struct local_peer *local = realm_open_guest(realm, receive, on_close, ctx);

    local->peer->is_resident = true;
    return local;
}

static void ready(struct local_peer *local)
{
    struct worker *worker = local->worker;

    if (list_is_linked(&local->ready))
        return;
    list_append(&worker->local_peers, &local->ready);
    net_post(worker->net);
}

void local_send(struct local_peer *local, struct slice message)
{
    if (local->peer == NULL)
        return;
    net_enter(local->peer->worker->net); /* mail leaves at the end of a turn: so there is one */
    pump_message(local->peer, message);
}

void local_say(struct local_peer *local, const struct msg *msg)
{
    if (local->peer == NULL)
        return;
    net_enter(local->peer->worker->net);
    pump_say(local->peer, msg);
}

void local_receive(struct peer *peer, struct blob *blob)
{
    struct local_peer *local = peer->local;
    struct parcel *parcel = mem_alloc(sizeof *parcel);

    *parcel = (struct parcel){.blob = blob};
    *local->inbox_end = parcel;
    local->inbox_end = &parcel->next;
    ready(local);
}

void local_closed(struct peer *peer)
{
    peer->local->is_closed = true;
    ready(peer->local);
}

static struct blob *next_parcel(struct local_peer *local)
{
    struct parcel *parcel = local->inbox;
    struct blob *blob;

    if (parcel == NULL)
        return NULL;
    blob = parcel->blob;
    local->inbox = parcel->next;
    if (local->inbox == NULL)
        local->inbox_end = &local->inbox;
    mem_free(parcel);
    return blob;
}

static void close_peer(struct local_peer *local)
{
    struct peer *peer = local->peer;

    local->peer = NULL;
    if (peer == NULL)
        return;
    pump_close(peer);
    if (local->worker->router->worker_count > 1)
        net_post(local->worker->net);
}

void local_close(struct local_peer *local)
{
    close_peer(local);
    local->is_gone = true;
    ready(local);
}

static void deliver(struct local_peer *local, unsigned *left)
{
    struct blob *blob;

    while (*left != 0 && (blob = next_parcel(local)) != NULL) {
        --*left;
        if (!local->is_gone)
            local->receive(local->ctx, blob_slice(blob));
        blob_drop(blob);
    }
    if (local->inbox != NULL) {
        ready(local);
        return;
    }
    if (local->is_closed && local->peer != NULL) {
        close_peer(local);
        if (!local->is_gone && local->on_close != NULL)
            local->on_close(local->ctx);
    }
    if (local->is_gone) {
        list_remove(&local->ready);
        mem_free(local);
    }
}

bool local_deliver(struct worker *worker)
{
    unsigned left = DELIVER_MAX;
    struct list *node;

    while (left != 0 && (node = list_first(&worker->local_peers)) != NULL) {
        list_remove(node);
        deliver(container_of(node, struct local_peer, ready), &left);
    }
    if (list_first(&worker->local_peers) == NULL)
        return false;
    net_post(worker->net);
    return true;
}
