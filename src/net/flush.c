/* flush.c -- from queue to socket: framing, coalescing, and the end of a connection.
 *
 * Called at the end of a loop turn for connections that have something to write, and from
 * WRITEABLE callbacks for those that had to wait. All that is queued is framed into one
 * scratch buffer and written with one call. A frame is always handed to lws whole, however
 * long: lws may put a PONG of its own between two writes, and must not put it inside a frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

#define MAX_FRAME_HEADER_LEN 10

static size_t ws_header(unsigned char *out, uint8_t opcode, uint32_t len)
{
    out[0] = 0x80 | opcode;
    if (len < 126) {
        out[1] = (unsigned char)len;
        return 2;
    }
    if (len < 65536) {
        out[1] = 126;
        out[2] = (unsigned char)(len >> 8);
        out[3] = (unsigned char)len;
        return 4;
    }
    out[1] = 127;
    memset(out + 2, 0, 4);
    for (unsigned i = 0; i < 4; i++)
        out[6 + i] = (unsigned char)(len >> (24 - 8 * i));
    return 10;
}

static size_t frame_header(const struct conn *conn, unsigned char *out, const struct out *entry)
{
    if (!conn->is_raw)
        return ws_header(out, entry->frame, entry->blob->len);
    rawsocket_write_header(out, (enum rawsocket_frame)entry->frame, entry->blob->len);
    return RAWSOCKET_HEADER_LEN;
}

static bool write_out(struct conn *conn, unsigned char *data, size_t len)
{
    conn->net->counters.writes++;
    conn->net->counters.bytes_out += len;
    /* "As it is", for both roles: LWS_WRITE_RAW is the same number. */
    return lws_write(conn->wsi, data, len, LWS_WRITE_HTTP) >= 0;
}

static void count_out(struct conn *conn, const struct out *entry)
{
    if (entry->kind != OUT_CONTROL)
        conn->net->counters.messages_out++;
}

/* Copies frames into the scratch buffer as long as they fit; returns how many octets. */
static size_t gather(struct conn *conn, unsigned char *to)
{
    struct queue *queue = &conn->queue;
    size_t len = 0;

    while (queue->count != 0) {
        struct out *front = queue_front(queue);

        if (front->blob == NULL) {
            queue_pop(conn);
            continue;
        }
        if (front->blob->len >= DIRECT_LEN ||
            len + MAX_FRAME_HEADER_LEN + front->blob->len > SCRATCH_LEN)
            break;
        len += frame_header(conn, to + len, front);
        memcpy(to + len, front->blob->data, front->blob->len);
        len += front->blob->len;
        count_out(conn, front);
        blob_drop(queue_pop(conn).blob);
    }
    return len;
}

/* Writes one long message: its beginning behind what is gathered, the rest from the blob. */
static bool write_long(struct conn *conn, unsigned char *scratch, size_t *len)
{
    struct out out = queue_pop(conn);
    size_t head;
    bool is_fine;

    count_out(conn, &out);
    *len += frame_header(conn, scratch + *len, &out);
    head = SCRATCH_LEN - *len < out.blob->len ? SCRATCH_LEN - *len : out.blob->len;
    memcpy(scratch + *len, out.blob->data, head);
    *len += head;
    is_fine = write_out(conn, scratch, *len);
    if (is_fine && head < out.blob->len) {
        is_fine = write_out(conn, (unsigned char *)out.blob->data + head, out.blob->len - head);
        *len += out.blob->len - head;
    }
    blob_drop(out.blob);
    return is_fine;
}

static bool write_queue(struct conn *conn)
{
    unsigned char *scratch = conn->net->scratch + LWS_PRE;

    while (conn->queue.count != 0) {
        size_t len = gather(conn, scratch);
        bool is_long = conn->queue.count != 0 && queue_front(&conn->queue)->blob != NULL &&
                       queue_front(&conn->queue)->blob->len >= DIRECT_LEN &&
                       len + MAX_FRAME_HEADER_LEN < SCRATCH_LEN;
        bool is_fine = true;

        if (is_long)
            is_fine = write_long(conn, scratch, &len);
        else if (len != 0)
            is_fine = write_out(conn, scratch, len);
        if (!is_fine)
            return false;
        if (lws_partial_buffered(conn->wsi)) {
            queue_set_held(conn, len);
            return true; /* lws calls WRITEABLE when it has written the rest */
        }
    }
    return true;
}

/* All is written. A RawSocket says so with a FIN, a WebSocket has sent its close frame. The
 * socket stays until the peer has seen it: to close with unread input would reset the
 * connection, and what we wrote last would be lost. */
static void begin_linger(struct conn *conn)
{
    conn_set_state(conn, CONN_LINGER);
    if (!conn->is_raw)
        return;
    if (conn->is_secure)
        tls_say_goodbye(conn->wsi);
    shutdown(lws_get_socket_fd(conn->wsi), SHUT_WR);
}

bool conn_flush(struct conn *conn)
{
    if (conn->state < CONN_OPEN || conn->state > CONN_LINGER)
        return true;
    if (lws_partial_buffered(conn->wsi))
        return true;
    queue_set_held(conn, 0);
    if (!write_queue(conn))
        return false;
    if (conn->state == CONN_CLOSING && !queue_is_busy(&conn->queue) &&
        !lws_partial_buffered(conn->wsi))
        begin_linger(conn);
    return true;
}
