/* conn_raw.c -- RawSocket: handshake, reassembly of frames, PING and PONG.
 *
 * What the octets mean is decided in wire/rawsocket.h. A frame that has arrived whole is
 * delivered from the buffer that it was read into; only the rest is copied.
 *
 * WAMP: "RawSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

static void reply(struct conn *conn, const unsigned char out[RAWSOCKET_HANDSHAKE_LEN])
{
    unsigned char *scratch = conn->net->scratch + LWS_PRE;

    memcpy(scratch, out, RAWSOCKET_HANDSHAKE_LEN);
    if (lws_write(conn->wsi, scratch, RAWSOCKET_HANDSHAKE_LEN, LWS_WRITE_RAW) < 0)
        conn_doom(conn);
}

/* False: close without a word. */
static bool shake_hands(struct conn *conn, const unsigned char in[RAWSOCKET_HANDSHAKE_LEN])
{
    const struct listener_options *options = &conn->listener->options;
    struct rawsocket_offer offer = {
        .max_len = conn->net->limits.max_message_len,
        .min_peer_len = options->rawsocket_min_len,
        .codecs = options->codecs,
        .is_full = conn->is_doomed || !origin_end(conn),
    };
    struct transport transport = {.type = TRANSPORT_RAWSOCKET};
    unsigned char out[RAWSOCKET_HANDSHAKE_LEN];
    struct rawsocket_deal deal;
    enum rawsocket_error error = rawsocket_accept(in, &offer, &deal, out);

    if (error == RAWSOCKET_SILENT)
        return false;
    reply(conn, out);
    if (error != RAWSOCKET_OK) {
        conn_close(conn, CLOSE_PROTOCOL_ERROR, NULL);
        return true;
    }
    conn->codec = (uint8_t)deal.codec;
    conn->send_max = deal.send_max;
    conn->recv_max = deal.recv_max;
    conn_open(conn, &transport);
    return true;
}

/* Counts a PING of the peer; false when there are too many within a second. */
static bool may_ping(struct conn *conn)
{
    uint32_t second = (uint32_t)(conn->net->now / 1000);

    if (conn->ping_window != second) {
        conn->ping_window = second;
        conn->pings = 0;
    }
    return ++conn->pings <= conn->net->limits.max_pings_per_s;
}

static void answer_ping(struct conn *conn, struct slice payload)
{
    const struct queue *queue = &conn->queue;

    if (!may_ping(conn)) {
        conn->net->counters.bad_frames++;
        conn_fail(conn, CLOSE_POLICY, NULL);
        return;
    }
    if (queue->bytes + queue->held + payload.len > conn->limits.hard_bytes) {
        conn->net->counters.slow_closed++;
        conn_doom(conn);
        return;
    }
    queue_push(conn, blob_copy(payload), OUT_CONTROL, RAWSOCKET_PONG, 0);
}

static void take_frame(struct conn *conn, enum rawsocket_frame type, struct slice payload)
{
    switch (type) {
    case RAWSOCKET_MESSAGE:
        conn_deliver(conn, payload);
        return;
    case RAWSOCKET_PING:
        answer_ping(conn, payload);
        return;
    case RAWSOCKET_PONG:
        return;
    }
}

/* Reads a header; false when the connection has failed. */
static bool read_header(struct conn *conn, const char *data, enum rawsocket_frame *type,
                        uint32_t *len)
{
    unsigned char header[RAWSOCKET_HEADER_LEN];
    int err;

    memcpy(header, data, sizeof header);
    err = rawsocket_read_header(header, conn_recv_max(conn), type, len);
    if (err == 0)
        return true;
    if (err == ERR_TOO_LONG)
        conn->net->counters.too_big++;
    else
        conn->net->counters.bad_frames++;
    conn_fail(conn, CLOSE_PROTOCOL_ERROR, NULL);
    return false;
}

/* Adds to an unfinished frame what it lacks, and takes it when it is whole. Returns how much
 * of the input it took. */
static size_t complete_frame(struct conn *conn, struct slice bytes)
{
    enum rawsocket_frame type;
    size_t taken = 0, want;
    uint32_t len;
    char *rx;

    if (conn->rx_len < RAWSOCKET_HEADER_LEN) {
        taken = RAWSOCKET_HEADER_LEN - conn->rx_len;
        if (taken > bytes.len)
            taken = bytes.len;
        conn_append(conn, bytes.data, taken);
        if (conn->rx_len < RAWSOCKET_HEADER_LEN)
            return taken;
    }
    if (!read_header(conn, conn->rx, &type, &len))
        return taken;
    want = RAWSOCKET_HEADER_LEN + (size_t)len - conn->rx_len;
    if (want > bytes.len - taken) {
        conn_append(conn, bytes.data + taken, bytes.len - taken);
        return bytes.len;
    }
    conn_append(conn, bytes.data + taken, want);
    rx = conn->rx;
    conn->rx = NULL;
    conn->rx_len = conn->rx_cap = 0;
    take_frame(conn, type, slice_make(rx + RAWSOCKET_HEADER_LEN, len));
    mem_free(rx);
    return taken + want;
}

/* Takes a whole frame from the input, or keeps the beginning of one. */
static size_t take_next(struct conn *conn, struct slice bytes)
{
    enum rawsocket_frame type;
    uint32_t len;

    if (bytes.len < RAWSOCKET_HEADER_LEN) {
        conn_append(conn, bytes.data, bytes.len);
        return bytes.len;
    }
    if (!read_header(conn, bytes.data, &type, &len))
        return bytes.len;
    if (bytes.len - RAWSOCKET_HEADER_LEN < len) {
        conn_append(conn, bytes.data, bytes.len);
        return bytes.len;
    }
    take_frame(conn, type, slice_make(bytes.data + RAWSOCKET_HEADER_LEN, len));
    return RAWSOCKET_HEADER_LEN + len;
}

void raw_feed(struct conn *conn, struct slice bytes)
{
    while (bytes.len != 0 && conn_takes_input(conn)) {
        size_t taken = conn->rx_len != 0 ? complete_frame(conn, bytes) : take_next(conn, bytes);

        bytes.data += taken;
        bytes.len -= taken;
    }
    if (conn->state == CONN_OPEN)
        conn_append(conn, bytes.data, bytes.len); /* paused: kept back */
}

static int open_raw(struct conn *conn, struct slice bytes)
{
    size_t want = RAWSOCKET_HANDSHAKE_LEN - conn->rx_len;
    unsigned char in[RAWSOCKET_HANDSHAKE_LEN];

    if (!conn->listener->options.rawsocket)
        return -1;
    if (conn->rx_len == 0 && (unsigned char)bytes.data[0] != RAWSOCKET_MAGIC)
        return -1;
    if (want > bytes.len) {
        conn_append(conn, bytes.data, bytes.len);
        return 0;
    }
    if (conn->rx_len != 0)
        memcpy(in, conn->rx, conn->rx_len);
    memcpy(in + conn->rx_len, bytes.data, want);
    conn_drop_rx(conn);
    if (!shake_hands(conn, in))
        return -1;
    if (bytes.len != want)
        raw_feed(conn, slice_make(bytes.data + want, bytes.len - want));
    return 0;
}

int raw_receive(struct conn *conn, struct slice bytes)
{
    if (bytes.len == 0)
        return 0;
    if (conn->state == CONN_OPENING) {
        conn->net->counters.bytes_in += bytes.len;
        net_stir(conn->net);
        return open_raw(conn, bytes);
    }
    conn_received(conn, bytes.len);
    if (conn->state == CONN_OPEN && (conn->is_paused || conn->is_resumed))
        conn_append(conn, bytes.data, bytes.len);
    else
        raw_feed(conn, bytes);
    return 0;
}
