/* queue.c -- the out-queue of one connection, its bounds and what happens at them.
 *
 * A ring of references to blobs that starts without memory: an idle connection has none.
 * Entries that an overflow policy takes out leave a hole, so that nothing moves.
 *
 * Bounds count what is queued here and what lws holds of an unfinished write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "net/priv.h"

static struct out *entry(struct queue *queue, uint32_t place)
{
    return &queue->ring[(queue->head + place) & (queue->cap - 1)];
}

/* Keeps the number of connections with something left to write. */
static void note_busy(struct conn *conn, bool was_busy)
{
    bool is_busy = queue_is_busy(&conn->queue);

    if (is_busy && !was_busy)
        conn->net->unflushed++;
    if (!is_busy && was_busy)
        conn->net->unflushed--;
}

void queue_set_held(struct conn *conn, uint64_t held)
{
    bool was_busy = queue_is_busy(&conn->queue);

    conn->queue.held = held;
    note_busy(conn, was_busy);
}

void queue_fini(struct conn *conn)
{
    struct queue *queue = &conn->queue;
    bool was_busy = queue_is_busy(queue);

    for (uint32_t i = 0; i < queue->count; i++)
        blob_drop(entry(queue, i)->blob);
    mem_free(queue->ring);
    *queue = (struct queue){0};
    note_busy(conn, was_busy);
}

/* Closes the holes. */
static void compact(struct queue *queue)
{
    uint32_t to = 0;

    for (uint32_t from = 0; from < queue->count; from++)
        if (entry(queue, from)->blob != NULL)
            *entry(queue, to++) = *entry(queue, from);
    queue->count = to;
}

static void grow(struct queue *queue)
{
    uint32_t cap = queue->cap == 0 ? QUEUE_MIN_CAP : queue->cap * 2;
    struct out *ring = mem_alloc(cap * sizeof *ring);

    for (uint32_t i = 0; i < queue->count; i++)
        ring[i] = *entry(queue, i);
    mem_free(queue->ring);
    queue->ring = ring;
    queue->cap = cap;
    queue->head = 0;
}

void queue_trim(struct conn *conn)
{
    struct queue *queue = &conn->queue;

    if (queue->count != 0)
        return;
    mem_free(queue->ring);
    queue->ring = NULL;
    queue->cap = queue->head = 0;
}

void queue_push(struct conn *conn, struct blob *blob, enum out_kind kind, uint8_t frame,
                uint64_t key)
{
    struct queue *queue = &conn->queue;
    bool was_busy = queue_is_busy(queue);

    if (queue->count == queue->cap && queue->count != 0)
        compact(queue);
    if (queue->count == queue->cap)
        grow(queue);
    *entry(queue, queue->count++) =
        (struct out){.blob = blob, .key = key, .kind = (uint8_t)kind, .frame = frame};
    queue->bytes += blob->len;
    queue->live += kind != OUT_CONTROL;
    note_busy(conn, was_busy);
    conn_touch(conn);
}

struct out queue_pop(struct conn *conn)
{
    struct queue *queue = &conn->queue;
    bool was_busy = queue_is_busy(queue);
    struct out out = *queue_front(queue);

    queue->head = (queue->head + 1) & (queue->cap - 1);
    queue->count--;
    if (out.blob != NULL) {
        queue->bytes -= out.blob->len;
        queue->live -= out.kind != OUT_CONTROL;
    }
    if (queue->count == 0) {
        queue->head = 0;
        if (queue->cap > QUEUE_KEEP_CAP)
            queue_trim(conn);
    }
    note_busy(conn, was_busy);
    return out;
}

static void drop_entry(struct queue *queue, struct out *out)
{
    queue->bytes -= out->blob->len;
    queue->live--;
    blob_drop(out->blob);
    out->blob = NULL;
}

/* An idle connection takes any message up to the hard bound: otherwise one that is longer
 * than the soft bound could never be sent. */
static bool fits(const struct conn *conn, uint32_t len)
{
    const struct queue *queue = &conn->queue;
    uint64_t bytes = queue->bytes + queue->held;

    if (queue->live == 0 && bytes == 0)
        return len <= conn->limits.hard_bytes;
    return queue->live < conn->limits.max_messages && bytes + len <= conn->limits.max_bytes;
}

static void count_drop(struct conn *conn, uint64_t *reason)
{
    ++*reason;
    sweep_note_drop(conn);
}

/* Makes room by dropping the oldest events. */
static bool drop_oldest(struct conn *conn, uint32_t len)
{
    struct queue *queue = &conn->queue;

    for (uint32_t i = 0; i < queue->count && !fits(conn, len); i++) {
        struct out *out = entry(queue, i);

        if (out->blob == NULL || out->kind != OUT_EVENT)
            continue;
        drop_entry(queue, out);
        count_drop(conn, &conn->net->counters.dropped_oldest);
    }
    return fits(conn, len);
}

static void drop_same(struct conn *conn, uint64_t key)
{
    struct queue *queue = &conn->queue;

    for (uint32_t i = 0; i < queue->count; i++) {
        struct out *out = entry(queue, i);

        if (out->blob == NULL || out->kind != OUT_EVENT || out->key != key)
            continue;
        drop_entry(queue, out);
        count_drop(conn, &conn->net->counters.conflated);
    }
}

/* True when the policy has made room. */
static bool make_room(struct conn *conn, uint32_t len, uint64_t key)
{
    switch (conn->limits.overflow) {
    case OVERFLOW_DROP_NEWEST:
        return false;
    case OVERFLOW_DROP_OLDEST:
        return drop_oldest(conn, len);
    case OVERFLOW_CONFLATE:
        drop_same(conn, key);
        return drop_oldest(conn, len);
    case OVERFLOW_DISCONNECT:
        conn->net->counters.slow_closed++;
        conn_doom(conn);
        return false;
    }
    UNREACHABLE("no such overflow policy");
}

static enum send_result refuse(struct conn *conn, struct blob *blob, enum send_kind kind)
{
    blob_drop(blob);
    if (kind == SEND_EVENT) {
        if (conn->state != CONN_DYING)
            count_drop(conn, &conn->net->counters.dropped_newest);
        return SEND_DROPPED;
    }
    if (kind == SEND_INVOCATION) {
        conn->net->counters.refused_invocations++;
        return SEND_REFUSED;
    }
    conn->net->counters.slow_closed++;
    conn_doom(conn);
    return SEND_REFUSED;
}

enum send_result queue_offer(struct conn *conn, struct blob *blob, enum send_kind kind,
                             uint64_t key)
{
    static const uint8_t kinds[] = {OUT_REPLY, OUT_EVENT, OUT_INVOCATION};
    const struct queue *queue = &conn->queue;
    bool is_taken;

    if (blob->len > conn->send_max)
        is_taken = false;
    else if (kind == SEND_REPLY)
        is_taken = queue->bytes + queue->held + blob->len <= conn->limits.hard_bytes;
    else
        is_taken = fits(conn, blob->len) || (kind == SEND_EVENT && make_room(conn, blob->len, key));
    if (!is_taken)
        return refuse(conn, blob, kind);
    queue_push(conn, blob, (enum out_kind)kinds[kind],
               conn->is_raw ? RAWSOCKET_MESSAGE : (conn->codec == CODEC_JSON ? 0x1 : 0x2), key);
    return SEND_QUEUED;
}
