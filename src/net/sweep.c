/* sweep.c -- the clocks of connections: handshake, hello, heartbeat, close, dropped EVENTs.
 *
 * One uv timer for all of them. A connection is in the heap at the instant when it is to be
 * looked at next, never later than its nearest clock runs out. Receiving only stamps a
 * field: whether the peer was silent is found out when the instant has come.
 *
 * Dropped EVENTs are reported a second after the first of them. The connections that lost any
 * are in a list: while nothing is dropped it is empty, and nobody looks at it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a session must have begun, or NEVER. */
static uint64_t join_at(const struct conn *conn)
{
    const struct net_limits *limits = &conn->net->limits;
    uint32_t ms = conn->was_joined ? limits->rejoin_timeout_ms : limits->hello_timeout_ms;

    return conn->is_joined || ms == 0 ? NEVER : conn->clock_at + ms;
}

/* When to send a PING or to give up waiting for its answer. Not while we do not read. */
static uint64_t heartbeat_at(const struct conn *conn)
{
    const struct net_limits *limits = &conn->net->limits;

    if (limits->ping_interval_ms == 0 || conn->is_paused)
        return NEVER;
    if (conn->ping_at != 0)
        return conn->ping_at + limits->ping_timeout_ms;
    return conn->received_at + limits->ping_interval_ms;
}

static uint64_t next_at(const struct conn *conn)
{
    switch ((enum conn_state)conn->state) {
    case CONN_PEEKING:
    case CONN_OPENING:
        return conn->clock_at + conn->net->limits.handshake_timeout_ms;
    case CONN_OPEN:
        return earlier(join_at(conn), heartbeat_at(conn));
    case CONN_CLOSING:
    case CONN_LINGER:
        return conn->clock_at + conn->net->limits.close_timeout_ms;
    case CONN_DYING:
        return NEVER;
    }
    return NEVER;
}

static void on_sweep(uv_timer_t *timer);

static void set_timer(struct net *net)
{
    uint64_t at = earlier(deadlines_next(&net->deadlines), net->report_at);

    if (net->is_ending || at == net->sweep_at)
        return;
    net->sweep_at = at;
    if (at == NEVER)
        uv_timer_stop(&net->sweep);
    else
        uv_timer_start(&net->sweep, on_sweep, at > net->now ? at - net->now : 0, 0);
}

void sweep_arm(struct conn *conn)
{
    uint64_t at = next_at(conn);

    if (at != NEVER && (!deadline_is_set(&conn->due) || at < conn->due.at)) {
        deadlines_set(&conn->net->deadlines, &conn->due, at);
        set_timer(conn->net);
    }
}

static void send_ping(struct conn *conn)
{
    uint64_t counter = ++conn->net->ping_counter;
    struct blob *blob = blob_new(8);

    for (unsigned i = 0; i < 8; i++)
        blob->data[i] = (char)(counter >> (56 - 8 * i));
    conn->ping_at = conn->net->now;
    queue_push(conn, blob, OUT_CONTROL, conn->is_raw ? RAWSOCKET_PING : 0x9, 0);
}

static void look_at_open(struct conn *conn)
{
    struct net_counters *counters = &conn->net->counters;
    uint64_t now = conn->net->now;

    if (join_at(conn) <= now) {
        counters->timeouts_hello++;
        conn_fail(conn, conn->was_joined ? CLOSE_NORMAL : CLOSE_POLICY,
                  conn->was_joined ? "no new session" : "no HELLO");
    } else if (heartbeat_at(conn) <= now && conn->ping_at != 0) {
        counters->timeouts_ping++;
        conn_kill(conn);
        return;
    } else if (heartbeat_at(conn) <= now) {
        send_ping(conn);
    }
    sweep_arm(conn);
}

static void look_at(struct conn *conn)
{
    queue_trim(conn);
    if (next_at(conn) > conn->net->now) {
        sweep_arm(conn);
        return;
    }
    if (conn->state == CONN_OPEN) {
        look_at_open(conn);
        return;
    }
    if (conn->state <= CONN_OPENING)
        conn->net->counters.timeouts_handshake++;
    conn_kill(conn);
}

void sweep_note_drop(struct conn *conn)
{
    struct net *net = conn->net;

    conn->dropped++;
    if (list_is_linked(&conn->dropping))
        return;
    list_append(&net->dropping, &conn->dropping);
    if (net->report_at == NEVER) {
        net->report_at = net->now + DROPS_REPORT_MS;
        set_timer(net);
    }
}

uint64_t sweep_take_dropped(struct conn *conn)
{
    uint64_t count = conn->dropped;

    if (count != 0)
        list_remove(&conn->dropping);
    conn->dropped = 0;
    return count;
}

void sweep_report_drops(struct conn *conn)
{
    uint64_t count = sweep_take_dropped(conn);
    const struct net_handler *handler = &conn->net->handler;

    if (count != 0 && handler->on_dropped != NULL)
        handler->on_dropped(conn->net->ctx, conn->user, count);
}

/* What is made of a report may be dropped as well: that is for the next one. So the walk ends at
 * a mark behind the last connection of now. */
static void report_all(struct net *net)
{
    struct list mark = {0}, *node;

    net->report_at = NEVER;
    list_append(&net->dropping, &mark);
    while ((node = list_first(&net->dropping)) != &mark)
        sweep_report_drops(container_of(node, struct conn, dropping));
    list_remove(&mark);
}

static void on_sweep(uv_timer_t *timer)
{
    struct net *net = timer->data;
    struct deadline *due;

    net_read_clock(net);
    net->sweep_at = NEVER;
    while ((due = deadlines_due(&net->deadlines, net->now)) != NULL)
        look_at(container_of(due, struct conn, due));
    if (net->report_at <= net->now)
        report_all(net);
    set_timer(net);
    net_stir(net);
}

void sweep_init(struct net *net)
{
    net->sweep_at = net->report_at = NEVER;
    deadlines_init(&net->deadlines);
}
