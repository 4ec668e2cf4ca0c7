/* conn_ws.c -- WebSocket: messages out of what lws reads, and the closing handshake.
 *
 * A message that arrives in one piece goes up from lws's buffer; others are put together
 * here. Our own close frame is a queue entry like any message (flush.c), so it can never
 * overtake one; the peer's is answered by lws.
 *
 * WAMP: "WebSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "net/priv.h"

int ws_established(struct conn *conn)
{
    struct transport transport = {.type = TRANSPORT_WEBSOCKET};
    char *cookie = conn->cookie;

    conn->is_ws = true;
    conn->cookie = NULL;
    transport.http = conn->http;
    conn->http = NULL;
    transport.cookie = cookie;
    transport.is_cookie_new = conn->sets_cookie;
    transport.cookie_max_age_s = conn->listener->options.cookie_max_age_s;
    conn_open(conn, &transport);
    transport_http_drop(transport.http);
    mem_free(cookie);
    return 0;
}

static void fail(struct conn *conn, uint64_t *counter, enum close_code code, const char *words)
{
    ++*counter;
    conn_fail(conn, code, words);
}

static void deliver(struct conn *conn, struct slice message)
{
    if (conn->codec == CODEC_JSON && !utf8_is_valid(message)) {
        fail(conn, &conn->net->counters.bad_frames, CLOSE_INVALID_TEXT, "text is not valid UTF-8");
        return;
    }
    conn_deliver(conn, message);
}

static void deliver_joined(struct conn *conn)
{
    char *rx = conn->rx;
    uint32_t len = conn->rx_len;

    conn->rx = NULL;
    conn->rx_len = conn->rx_cap = 0;
    deliver(conn, slice_make(rx, len));
    mem_free(rx);
}

int ws_receive(struct conn *conn, struct slice bytes)
{
    struct lws *wsi = conn->wsi;
    bool is_last = lws_is_final_fragment(wsi);
    uint32_t max = conn_recv_max(conn);

    conn_received(conn, bytes.len);
    if (conn->state != CONN_OPEN)
        return 0; /* discarded */
    if (lws_frame_is_binary(wsi) != (conn->codec != CODEC_JSON)) {
        fail(conn, &conn->net->counters.bad_frames, CLOSE_WRONG_FRAME_TYPE,
             conn->codec == CODEC_JSON ? "expected a text frame" : "expected a binary frame");
        return 0;
    }
    if (bytes.len > max || conn->rx_len > max - bytes.len ||
        lws_remaining_packet_payload(wsi) > max - bytes.len - conn->rx_len) {
        fail(conn, &conn->net->counters.too_big, CLOSE_TOO_BIG, "message too big");
        return 0;
    }
    if (is_last && !conn->in_fragments) {
        deliver(conn, bytes);
        return 0;
    }
    conn_append(conn, bytes.data, bytes.len);
    conn->in_fragments = !is_last;
    if (is_last)
        deliver_joined(conn);
    return 0;
}

int ws_peer_closes(struct conn *conn)
{
    conn_received(conn, 0);
    if (conn->state == CONN_CLOSING)
        (void)conn_flush(conn); /* ours is on its way, behind what is queued */
    if (conn->state == CONN_CLOSING || conn->state == CONN_LINGER)
        return -1;
    if (conn->state == CONN_OPEN) {
        /* lws answers; what is queued goes first. The clock makes sure that it ends. */
        conn_set_state(conn, CONN_LINGER);
        conn_touch(conn);
    }
    return 0;
}
