/* conn.c -- connections: slots, ids, states, and what crosses to the handler.
 *
 * The queue of a connection is in queue.c, what is written from it in flush.c, its clocks in
 * sweep.c, and what its octets mean in conn_ws.c, conn_raw.c and http.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "net/priv.h"

#define GENERATION_MAX ((UINT32_C(1) << 24) - 1)

static uint32_t take_slot(struct net *net)
{
    if (net->free_slot != 0) {
        uint32_t index = net->free_slot - 1;

        net->free_slot = net->slots[index].next_free;
        return index;
    }
    if (net->slot_count == net->slot_cap) {
        net->slot_cap = net->slot_cap == 0 ? 64 : net->slot_cap * 2;
        net->slots = mem_grow(net->slots, net->slot_cap * sizeof *net->slots);
    }
    net->slots[net->slot_count] = (struct slot){.generation = 1};
    return net->slot_count++;
}

/* A slot whose generations are used up is never used again: no id comes twice. */
static void give_slot(struct net *net, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    struct slot *slot = &net->slots[index];

    slot->conn = NULL;
    if (slot->generation == GENERATION_MAX)
        return;
    slot->generation++;
    slot->next_free = net->free_slot;
    net->free_slot = index + 1;
}

struct conn *conn_new(struct net *net, struct listener *listener)
{
    struct conn *conn = mem_zero(1, sizeof *conn);
    uint32_t index = take_slot(net);

    net->slots[index].conn = conn;
    conn->id = (uint64_t)net->worker << 56 | (uint64_t)net->slots[index].generation << 32 | index;
    conn->net = net;
    conn->listener = listener;
    conn->limits = net->limits.queue;
    conn->state = CONN_OPENING;
    conn->send_max = UINT32_MAX;
    conn->recv_max = net->limits.max_message_len;
    conn->received_at = conn->clock_at = net->now;
    net->counters.connections++;
    sweep_arm(conn);
    return conn;
}

/* The reverse of conn_new. */
void conn_free(struct conn *conn)
{
    struct net *net = conn->net;

    CHECK(!conn->is_attached && conn->dropped == 0);
    if (conn->peek != NULL)
        listener_end_peek(conn);
    mem_free(conn->cookie);
    transport_http_drop(conn->http);
    mem_free(conn->peer);
    mem_free(conn->proxy);
    mem_free(conn->forwarded);
    if (list_is_linked(&conn->dirty))
        list_remove(&conn->dirty);
    deadlines_cancel(&net->deadlines, &conn->due);
    queue_fini(conn);
    if (conn->address != NULL)
        address_drop(net, conn->address);
    if (conn->is_doomed)
        net->doomed--;
    mem_free(conn->rx);
    mem_free(conn->kept);
    give_slot(net, conn->id);
    net->counters.connections--;
    net->counters.closed++;
    mem_free(conn);
}

struct conn *conn_find(struct net *net, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    struct conn *conn;

    if (index >= net->slot_count)
        return NULL;
    conn = net->slots[index].conn;
    return conn != NULL && conn->id == id && conn->is_attached ? conn : NULL;
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    conn->state = (uint8_t)state;
    conn->clock_at = conn->net->now;
    sweep_arm(conn);
}

void conn_touch(struct conn *conn)
{
    if (!list_is_linked(&conn->dirty))
        list_append(&conn->net->dirty, &conn->dirty);
    net_stir(conn->net);
}

void conn_received(struct conn *conn, size_t len)
{
    conn->net->counters.bytes_in += len;
    conn->received_at = conn->net->now;
    if (UNLIKELY(conn->ping_at != 0)) {
        conn->ping_at = 0;
        sweep_arm(conn); /* the next PING may be due before the answer to this one was */
    }
    net_stir(conn->net);
}

void conn_open(struct conn *conn, struct transport *transport)
{
    char peer[128];

    if (conn->peer != NULL)
        snprintf(peer, sizeof peer, "%s", conn->peer);
    else
        address_words(lws_get_socket_fd(conn->wsi), conn->listener->options.unix_path, peer,
                      sizeof peer);
    transport->codec = (enum codec)conn->codec;
    transport->is_secure = conn->is_secure;
    transport->send_max = conn->send_max;
    transport->protocol = codec_protocol(transport->codec);
    transport->peer = peer;
    transport->default_realm = conn->listener->options.default_realm;
    transport->is_admin = conn->listener->options.is_admin;
    conn->is_attached = true;
    conn->has_handshake = true;
    conn_set_state(conn, CONN_OPEN);
    net_stir(conn->net);
    if (conn->is_secure)
        transport->tls = tls_facts(lws_get_ssl(conn->wsi));
    conn->user = conn->net->handler.on_open(conn->net->ctx, conn->id, transport);
    transport_tls_drop(transport->tls);
    transport->tls = NULL;
}

void conn_detach(struct conn *conn)
{
    void *user = conn->user;

    if (!conn->is_attached)
        return;
    conn->is_attached = false; /* from here on nothing is sent to it, so nothing is dropped */
    net_stir(conn->net);
    sweep_report_drops(conn);
    conn->user = NULL;
    conn->net->handler.on_close(conn->net->ctx, user);
}

/* A WebSocket close frame: code, and as much of the words as a control frame takes. */
static void push_close_frame(struct conn *conn, enum close_code code, const char *words)
{
    size_t len = words == NULL ? 0 : strlen(words);
    struct blob *blob;

    if (len > 123)
        len = 123;
    blob = blob_new(2 + len);
    blob->data[0] = (char)((unsigned)code >> 8);
    blob->data[1] = (char)((unsigned)code & 0xff);
    if (len != 0)
        memcpy(blob->data + 2, words, len);
    queue_push(conn, blob, OUT_CONTROL, 0x8, 0);
}

void conn_close(struct conn *conn, enum close_code code, const char *words)
{
    if (conn->state >= CONN_CLOSING)
        return;
    if (conn->is_ws && conn->state == CONN_OPEN)
        push_close_frame(conn, code, words);
    conn_set_state(conn, CONN_CLOSING);
    conn_drop_rx(conn);
    if (conn->is_paused && conn->wsi != NULL)
        lws_rx_flow_control(conn->wsi, 1); /* what comes is discarded, to see the end */
    conn->is_paused = false;
    conn_touch(conn);
}

void conn_fail(struct conn *conn, enum close_code code, const char *words)
{
    conn_close(conn, code, words);
    conn_detach(conn);
}

void conn_doom(struct conn *conn)
{
    if (conn->state == CONN_DYING)
        return;
    conn_set_state(conn, CONN_DYING);
    conn_drop_rx(conn);
    queue_fini(conn);
    conn_touch(conn);
}

void conn_kill(struct conn *conn)
{
    struct lws *wsi = conn->wsi;

    conn_detach(conn);
    if (conn->state != CONN_DYING)
        conn_set_state(conn, CONN_DYING);
    queue_fini(conn);
    if (wsi == NULL) {
        conn_free(conn);
        return;
    }
    /* lws would go on flushing what it holds: without a way out it gives up at once. */
    if (lws_partial_buffered(wsi))
        shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
    lws_set_timeout(wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
}

void conn_gone(struct conn *conn)
{
    if (!conn->has_handshake)
        conn->net->counters.handshake_failed++;
    conn_detach(conn);
    conn_free(conn);
}

void conn_append(struct conn *conn, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (conn->rx_cap - conn->rx_len < len) {
        size_t cap = conn->rx_cap == 0 ? REASSEMBLY_MIN_LEN : conn->rx_cap;

        while (cap - conn->rx_len < len)
            cap *= 2;
        conn->rx = mem_grow(conn->rx, cap);
        conn->rx_cap = (uint32_t)cap;
    }
    memcpy(conn->rx + conn->rx_len, data, len);
    conn->rx_len += (uint32_t)len;
}

void conn_drop_rx(struct conn *conn)
{
    mem_free(conn->rx);
    mem_free(conn->kept);
    conn->rx = conn->kept = NULL;
    conn->rx_len = conn->rx_cap = conn->kept_len = conn->kept_cap = 0;
}

static void keep(struct conn *conn, struct slice bytes)
{
    uint32_t len = (uint32_t)bytes.len;
    size_t need = conn->kept_len + sizeof len + bytes.len;

    if (need > conn->kept_cap) {
        conn->kept = mem_grow(conn->kept, need);
        conn->kept_cap = (uint32_t)need;
    }
    memcpy(conn->kept + conn->kept_len, &len, sizeof len);
    memcpy(conn->kept + conn->kept_len + sizeof len, bytes.data, bytes.len);
    conn->kept_len = (uint32_t)need;
}

void conn_deliver(struct conn *conn, struct slice bytes)
{
    if (conn->state != CONN_OPEN)
        return;
    if (conn->is_paused || conn->is_resumed) {
        keep(conn, bytes);
        return;
    }
    conn->net->counters.messages_in++;
    conn->net->handler.on_message(conn->net->ctx, conn->user, bytes);
}

/* Whole messages first: they are older than what is in the reassembly buffer. */
static void resume_kept(struct conn *conn)
{
    char *kept = conn->kept;
    uint32_t len = conn->kept_len, at = 0;

    conn->kept = NULL;
    conn->kept_len = conn->kept_cap = 0;
    while (at < len) {
        uint32_t message_len;

        memcpy(&message_len, kept + at, sizeof message_len);
        conn_deliver(conn, slice_make(kept + at + sizeof message_len, message_len));
        at += (uint32_t)sizeof message_len + message_len;
    }
    mem_free(kept);
}

void conn_resume(struct conn *conn)
{
    conn->is_resumed = false;
    net_stir(conn->net); /* what the handler makes of it may have to leave with this turn */
    if (conn->kept_len != 0)
        resume_kept(conn);
    if (conn->is_raw && conn->rx_len != 0 && conn_takes_input(conn)) {
        char *rx = conn->rx;
        uint32_t len = conn->rx_len;

        conn->rx = NULL;
        conn->rx_len = conn->rx_cap = 0;
        raw_feed(conn, slice_make(rx, len));
        mem_free(rx);
    }
    if (conn_takes_input(conn))
        lws_rx_flow_control(conn->wsi, 1);
}
