/* net.c -- the loop of one worker: its life, its turns, and the doors from above.
 *
 * A turn ends in uv_check, after the poll phase, and in uv_prepare when timers have stirred
 * something before it: no send waits for the next event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "net/priv.h"

#include <errno.h>
#include <sys/random.h>

static void fill_from_kernel(void *ctx, void *buf, size_t len)
{
    char *to = buf;

    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(to, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got > 0) {
            to += got;
            len -= (size_t)got;
        }
    }
}

void net_stir(struct net *net)
{
    net->is_stirred = true;
}

void net_enter(struct net *net)
{
    net_read_clock(net);
    net_stir(net);
}

#define ROUNDS_OF_A_TURN 4

static void end_conn_turn(struct conn *conn)
{
    if (conn->is_resumed && conn->state == CONN_OPEN)
        conn_resume(conn);
    if (conn->state == CONN_DYING || (conn->wsi != NULL && !conn_flush(conn)))
        conn_kill(conn);
}

/* What the handler is told here makes it send more; that is written in the same turn, unless it would
 * never end: sockets are to be read as well. */
static void end_turn(struct net *net)
{
    struct list *node;
    unsigned rounds = 0;

    if (!net->is_stirred || net->in_turn)
        return;
    net->in_turn = true;
    net_read_clock(net);
    while (net->is_stirred && rounds++ < ROUNDS_OF_A_TURN) {
        net->is_stirred = false;
        net->handler.on_turn(net->ctx);
        while ((node = list_first(&net->dirty)) != NULL) {
            list_remove(node);
            end_conn_turn(container_of(node, struct conn, dirty));
        }
    }
    net->in_turn = false;
    if (net->is_stirred)
        net_post(net);
}

static void on_prepare(uv_prepare_t *handle)
{
    end_turn(handle->data);
}

static void on_check(uv_check_t *handle)
{
    end_turn(handle->data);
}

static void on_post(uv_async_t *handle)
{
    struct net *net = handle->data;

    net_read_clock(net);
    net_stir(net);
    atomic_store(&net->is_posted, false);
    net->handler.on_post(net->ctx);
}

static void on_stop(uv_async_t *handle)
{
    uv_stop(handle->loop);
}

static void on_wake(uv_timer_t *handle)
{
    struct net *net = handle->data;

    net_read_clock(net);
    net->wake_at = NEVER;
    net_stir(net);
    net->handler.on_wake(net->ctx);
}

static void init_handles(struct net *net)
{
    uv_prepare_init(&net->loop, &net->prepare);
    uv_check_init(&net->loop, &net->check);
    uv_async_init(&net->loop, &net->post, on_post);
    uv_async_init(&net->loop, &net->stop, on_stop);
    uv_timer_init(&net->loop, &net->sweep);
    uv_timer_init(&net->loop, &net->wake);
    uv_timer_init(&net->loop, &net->backoff);
    net->prepare.data = net->check.data = net->post.data = net->stop.data = net;
    net->sweep.data = net->wake.data = net->backoff.data = net;
    uv_prepare_start(&net->prepare, on_prepare);
    uv_check_start(&net->check, on_check);
}

struct net *net_new(unsigned worker, const struct net_limits *limits,
                    const struct net_handler *handler, void *ctx)
{
    struct net *net = mem_zero(1, sizeof *net);

    CHECK(worker < 256);
    net->worker = worker;
    net->limits = *limits;
    net->handler = *handler;
    net->ctx = ctx;
    if (uv_loop_init(&net->loop) != 0) {
        mem_free(net);
        return NULL;
    }
    init_handles(net);
    net_read_clock(net);
    net->wake_at = NEVER;
    list_init(&net->listeners);
    list_init(&net->dirty);
    list_init(&net->dropping);
    rng_init(&net->rng, fill_from_kernel, NULL);
    map_init(&net->addresses, rng_u64(&net->rng));
    sweep_init(net);
    net->scratch = mem_alloc(LWS_PRE + SCRATCH_LEN + 16);
    return net;
}

void net_stop_listening(struct net *net)
{
    list_each (&net->listeners, node, after) {
        listener_close(container_of(node, struct listener, node));
    }
}

void net_run(struct net *net)
{
    uv_run(&net->loop, UV_RUN_DEFAULT);
}

void net_set_clock(struct net *net, uint64_t now)
{
    net->is_told = true;
    net->now = now;
    net_stir(net);
    if (net->wake_at > now)
        return;
    net->wake_at = NEVER;
    net->handler.on_wake(net->ctx);
}

uint64_t net_wake_due(const struct net *net)
{
    return net->wake_at;
}

static void note_idle(uv_handle_t *handle, void *ctx)
{
    bool *has_idle = ctx;

    *has_idle |= handle->type == UV_IDLE && uv_is_active(handle) != 0;
}

bool net_turn(struct net *net)
{
    bool has_idle = false;

    uv_run(&net->loop, UV_RUN_NOWAIT);
    uv_walk(&net->loop, note_idle, &has_idle);
    return has_idle || net->is_stirred || atomic_load(&net->is_posted);
}

static void on_waited(uv_timer_t *handle)
{
    (void)handle;
}

void net_note_work(struct net *net, int change)
{
    net->jobs += change;
}

bool net_wait(struct net *net, uint32_t ms)
{
    if (net->loop.active_reqs.count == 0 && net->jobs == 0)
        return false;
    uv_update_time(&net->loop);
    uv_timer_start(&net->wake, on_waited, ms, 0);
    uv_run(&net->loop, UV_RUN_ONCE);
    uv_timer_stop(&net->wake);
    return true;
}

struct uv_loop_s *net_loop(struct net *net)
{
    return &net->loop;
}

void net_stop(struct net *net)
{
    uv_async_send(&net->stop);
}

static void close_handles(struct net *net)
{
    uv_handle_t *handles[] = {
        (uv_handle_t *)&net->prepare, (uv_handle_t *)&net->check, (uv_handle_t *)&net->post,
        (uv_handle_t *)&net->stop,    (uv_handle_t *)&net->sweep, (uv_handle_t *)&net->wake,
        (uv_handle_t *)&net->backoff,
    };

    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], NULL);
    uv_run(&net->loop, UV_RUN_DEFAULT);
}

void net_free(struct net *net)
{
    struct list *node;

    if (net == NULL)
        return;
    net->is_ending = true;
    net->in_turn = true; /* nothing is written any more */
    net_stop_listening(net);
    for (uint32_t i = 0; i < net->slot_count; i++)
        if (net->slots[i].conn != NULL)
            conn_kill(net->slots[i].conn);
    while ((node = list_first(&net->listeners)) != NULL)
        listener_free(container_of(node, struct listener, node));
    close_handles(net);
    CHECK(uv_loop_close(&net->loop) == 0);
    CHECK(net->counters.connections == 0);
    deadlines_fini(&net->deadlines);
    map_fini(&net->addresses);
    mem_free(net->slots);
    mem_free(net->scratch);
    mem_free(net);
}

void net_post(struct net *net)
{
    if (UNLIKELY(net->is_told))
        atomic_store(&net->is_posted, true);
    uv_async_send(&net->post);
}

uint64_t net_now(const struct net *net)
{
    return net->now;
}

void net_wake_at(struct net *net, uint64_t at)
{
    if (at == net->wake_at)
        return;
    net->wake_at = at;
    if (net->is_told)
        return;
    if (at == NEVER)
        uv_timer_stop(&net->wake);
    else
        uv_timer_start(&net->wake, on_wake, at > net->now ? at - net->now : 0, 0);
}

enum send_result net_send(struct net *net, uint64_t id, struct blob *blob, enum send_kind kind,
                          uint64_t key)
{
    struct conn *conn = conn_find(net, id);

    if (conn == NULL || conn->state != CONN_OPEN) {
        blob_drop(blob);
        return conn == NULL ? SEND_GONE : SEND_REFUSED;
    }
    return queue_offer(conn, blob, kind, key);
}

bool net_has_room(struct net *net, uint64_t id)
{
    const struct conn *conn = conn_find(net, id);

    return conn == NULL || (conn->queue.live < conn->limits.max_messages / 2 &&
                            conn->queue.bytes + conn->queue.held < conn->limits.max_bytes / 2);
}

void net_close(struct net *net, uint64_t id, enum close_code code, const char *words)
{
    struct conn *conn = conn_find(net, id);

    if (conn != NULL)
        conn_close(conn, code, words);
}

void net_pause(struct net *net, uint64_t id, bool pause)
{
    struct conn *conn = conn_find(net, id);

    if (conn == NULL || conn->state != CONN_OPEN || conn->is_paused == pause)
        return;
    conn->is_paused = pause;
    if (pause) {
        lws_rx_flow_control(conn->wsi, 0);
        return;
    }
    conn->is_resumed = true;
    conn->received_at = net->now; /* its silence was our doing */
    conn->ping_at = 0;
    conn_touch(conn);
    sweep_arm(conn);
}

void net_set_joined(struct net *net, uint64_t id, bool joined)
{
    struct conn *conn = conn_find(net, id);

    if (conn == NULL || conn->is_joined == joined)
        return;
    conn->is_joined = joined;
    conn->was_joined = true;
    conn->has_session = conn->has_session && joined;
    if (joined || conn->state != CONN_OPEN)
        return;
    conn->clock_at = net->now;
    sweep_arm(conn);
}

void net_set_queue(struct net *net, uint64_t id, const struct queue_limits *limits)
{
    struct conn *conn = conn_find(net, id);

    if (conn == NULL)
        return;
    conn->limits = *limits;
    conn->has_session = true;
}

uint64_t net_take_dropped(struct net *net, uint64_t id)
{
    struct conn *conn = conn_find(net, id);

    return conn == NULL ? 0 : sweep_take_dropped(conn);
}

bool net_is_flushed(const struct net *net)
{
    return net->unflushed == 0;
}

const struct net_counters *net_counters(const struct net *net)
{
    return &net->counters;
}
