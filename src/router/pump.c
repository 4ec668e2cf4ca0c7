/* pump.c -- what net reports becomes events; what the core asks for is carried out.
 *
 * A peer without a session is in the lobby: its HELLO is looked at here and sent
 * to its realm. From then on all its messages go to that realm, until the core
 * releases it. When the realm's home is another worker, messages and actions
 * travel as mail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "router/notes.h"
#include "router/router_priv.h"
#include "wire/errors.h"

#include <time.h>

/* A message of a peer whose GOODBYE is on its way: it may be the HELLO of its next session. */
struct waiting {
    struct waiting *next;
    struct blob *bytes; /* counted */
};

static const struct msg_limits raw_allowed = {.raw_payload = true};

struct peer *pump_find(struct worker *worker, uint64_t id)
{
    return map_get(&worker->peers, id, 0);
}

void pump_open(struct worker *worker, struct peer *peer)
{
    map_put(&worker->peers, peer->id, 0, peer);
    atomic_fetch_add(&worker->router->open_peers, 1);
}

/* ---- the core's wishes ---- */

static void report_unsent(struct worker *worker, struct realm *realm, const struct action *action)
{
    /* By mail also at home: a step may not begin while another one's actions are carried out. */
    mail_add(worker, realm->home,
             &(struct mail){
                 .type = MAIL_EVENT,
                 .realm = realm,
                 .event = {.type = EV_UNSENT, .peer = action->peer, .invocation = action->key}});
}

static void send_here(struct worker *worker, struct realm *realm, struct action *action)
{
    enum send_result result;

    if (peer_is_local(action->peer)) {
        struct peer *peer = pump_find(worker, action->peer);

        if (peer == NULL)
            blob_drop(action->blob);
        else
            local_receive(peer, action->blob);
        return;
    }
    result = net_send(worker->net, action->peer, action->blob, (enum send_kind)action->kind,
                      action->key);
    if (UNLIKELY(result == SEND_REFUSED && action->kind == SEND_INVOCATION))
        report_unsent(worker, realm, action);
}

static void take_waiting(struct peer *peer)
{
    struct waiting *waiting = peer->waiting;

    peer->waiting = NULL;
    peer->waiting_end = &peer->waiting;
    while (waiting != NULL) {
        struct waiting *next = waiting->next;

        /* May set is_leaving again, and then queues behind what is left. */
        pump_message(peer, blob_slice(waiting->bytes));
        blob_drop(waiting->bytes);
        mem_free(waiting);
        waiting = next;
    }
}

static void close_here(struct worker *worker, struct peer *peer, const struct action *action)
{
    peer->is_closing = true;
    if (peer->local != NULL)
        local_closed(peer);
    else
        net_close(worker->net, peer->id, (enum close_code)action->close_code, action->words);
}

void pump_read_on(struct peer *peer)
{
    if (peer->local == NULL)
        net_pause(peer->worker->net, peer->id, peer->is_paused || peer->is_held);
}

void pump_action(struct worker *worker, struct realm *realm, struct action *action)
{
    struct peer *peer;

    if (LIKELY(action->type == ACT_SEND)) {
        send_here(worker, realm, action);
        return;
    }
    peer = pump_find(worker, action->peer);
    if (peer == NULL)
        return;
    switch ((enum action_type)action->type) {
    case ACT_JOINED:
        if (peer->local == NULL)
            net_set_queue(worker->net, peer->id, &realm->queue);
        break;
    case ACT_RELEASE:
        reports_forget(peer);
        realm_leave(realm, peer);
        peer->realm = NULL;
        peer->is_leaving = false;
        if (peer->local == NULL)
            net_set_joined(worker->net, peer->id, false);
        take_waiting(peer);
        break;
    case ACT_CLOSE:
        close_here(worker, peer, action);
        break;
    case ACT_HOLD:
        peer->is_held = action->kind != 0;
        pump_read_on(peer);
        break;
    case ACT_SEND:
    case ACT_NOTE:
    case ACT_ASK:
    case ACT_UNASK:
    case ACT_LEFT:
    case ACT_ADMIN:
        break;
    }
}

static bool is_dropped(struct worker *worker, struct worker *to, struct realm *realm,
                       const struct action *action)
{
    if (action->type != ACT_SEND || action->kind != SEND_EVENT ||
        atomic_load_explicit(&to->mailbox.backlog, memory_order_relaxed) < MAX_MAILBOX_ITEMS)
        return false;
    reports_note_mail(worker, realm, action->peer);
    blob_drop(action->blob);
    return true;
}

static void send_away(struct worker *worker, struct worker *to, struct realm *realm,
                      const struct action *action)
{
    struct mail item = {.type = MAIL_ACTION, .realm = realm, .action = *action};

    if (UNLIKELY(is_dropped(worker, to, realm, action)))
        return;
    if (action->type != ACT_SEND)
        item.action.words = NULL; /* they live in the core's scratch memory */
    if (action->type == ACT_RELEASE)
        reports_forget_mail(worker, action->peer);
    mail_add(worker, to, &item);
}

/* What is carried out where the core lives, whatever worker has the peer. */
static bool is_for_home(const struct action *action)
{
    return action->type == ACT_NOTE || action->type == ACT_ASK || action->type == ACT_UNASK ||
           action->type == ACT_LEFT || action->type == ACT_ADMIN;
}

static void carry_out_at_home(struct worker *worker, struct realm *realm,
                              const struct action *action)
{
    if (action->type == ACT_ASK) {
        asks_add(realm, action->key);
    } else if (action->type == ACT_UNASK) {
        asks_remove(realm, action->key);
    } else if (action->type == ACT_ADMIN) {
        admin_begin(realm, action);
    } else if (action->type == ACT_LEFT) {
        comings_left(realm, action->key, action->left);
    } else {
        notes_write(worker, realm, action);
        if (action->kind == NOTE_JOINED)
            comings_joined(realm, action->key);
    }
}

/* Empties the outbox first: carrying out a release may begin another step. */
static void carry_out(struct worker *worker, struct realm *realm, struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++) {
        struct action *action = &out->actions[i];
        struct worker *to;

        if (UNLIKELY(is_for_home(action))) {
            carry_out_at_home(worker, realm, action);
            continue;
        }
        to = peer_worker(worker->router, action->peer);
        if (LIKELY(to == worker))
            pump_action(worker, realm, action);
        else
            send_away(worker, to, realm, action);
    }
    out->count = 0;
}

uint64_t pump_wall_now(const struct router *router)
{
    struct timespec now;

    if (router->options.is_virtual)
        return router->options.virtual_wall + router_now(router) - VIRTUAL_START;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t pump_wall(struct worker *worker)
{
    if (UNLIKELY(worker->router->options.is_virtual))
        return pump_wall_now(worker->router);
    if (worker->wall == 0)
        worker->wall = pump_wall_now(worker->router);
    return worker->wall;
}

void pump_start(struct realm *realm)
{
    struct worker *worker = realm->home;
    struct arena scratch;

    if (LIKELY(realm->is_started))
        return;
    realm->is_started = true;
    ends_watch(realm);
    if (realm->decider == NULL || realm->decider->start == NULL)
        return;
    /* Its peers may speak at once, and a message of somebody else be at hand. */
    scratch = worker->scratch;
    arena_init(&worker->scratch);
    realm->decider->start(realm->mind);
    arena_fini(&worker->scratch);
    worker->scratch = scratch;
}

void pump_step(struct worker *worker, struct realm *realm, struct event *ev)
{
    struct outbox out;
    uint64_t wake_at;

    pump_start(realm);
    out = worker->out; /* a step begun by a release has an outbox of its own */
    worker->out = (struct outbox){0};
    ev->now = net_now(worker->net);
    ev->wall = pump_wall(worker);
    core_step(realm->core, ev, &out);
    realm->is_touched = true;
    carry_out(worker, realm, &out);
    if (worker->out.cap < out.cap) {
        outbox_fini(&worker->out);
        worker->out = out;
    } else {
        outbox_fini(&out);
    }
    comings_run(realm);
    asks_run(realm);
    wake_at = core_wake_at(realm->core);
    if (UNLIKELY(wake_at == NEVER))
        deadlines_cancel(&worker->deadlines, &realm->wake.deadline);
    else if (!deadline_is_set(&realm->wake.deadline) || realm->wake.deadline.at != wake_at)
        deadlines_set(&worker->deadlines, &realm->wake.deadline, wake_at);
    if (UNLIKELY(ev->type == EV_HELLO && worker->is_closing))
        pump_close_realm(worker, realm);
}

void pump_close_realm(struct worker *worker, struct realm *realm)
{
    pump_step(worker, realm,
              &(struct event){.type = EV_CLOSE_REALM, .reason = WAMP_CLOSE_SYSTEM_SHUTDOWN});
}

void pump_wake(struct worker *worker)
{
    struct deadlines *deadlines = &worker->deadlines;
    uint64_t now = net_now(worker->net);
    uint64_t next = deadlines->seq;

    reports_wake(worker);
    /* One that is set to this very instant by what fires now has the next turn: a loop of them
     * would keep everybody else out. */
    while (deadlines_next(deadlines) <= now && deadlines->heap[0]->seq < next) {
        struct deadline *due = deadlines_due(deadlines, now);
        struct realm_timer *timer = container_of(due, struct realm_timer, deadline);

        timer->fire(timer);
    }
}

/* ---- what peers say ---- */

/* Who says ABORT first was not turned down by us. */
static void note_refusal(const struct peer *peer, struct slice realm, const struct outbox *out)
{
    for (size_t i = 1; i < out->count; i++)
        if (out->actions[i].type == ACT_CLOSE)
            notes_refused(peer, realm, out->actions[i].words);
}

/* The answers of the lobby; there is no realm yet. */
static void answer_from_lobby(struct worker *worker, struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++)
        pump_action(worker, NULL, &out->actions[i]);
    out->count = 0;
    outbox_fini(out);
}

static void mail_message(struct peer *peer, enum event_type type, struct msg *msg,
                         struct blob *bytes)
{
    struct worker *worker = peer->worker;
    struct mail item = {.type = MAIL_EVENT,
                        .realm = peer->realm,
                        .event = {.type = type, .peer = peer->id, .bytes = bytes, .msg = *msg}};
    const char *text = msg->text.data;

    if (msg->text.len != 0 && (text < bytes->data || text >= bytes->data + bytes->len)) {
        item.event.text = mem_copy(text, msg->text.len);
        item.event.msg.text.data = item.event.text;
    }
    if (type == EV_HELLO)
        item.event.transport = transport_copy(&peer->transport);
    mail_add(worker, peer->realm->home, &item);
    peer->mail_messages++;
    peer->mail_bytes += bytes->len;
    if (!peer->is_paused && peer->local == NULL &&
        (peer->mail_messages >= MAX_MAIL_MESSAGES || peer->mail_bytes >= MAX_MAIL_BYTES)) {
        peer->is_paused = true;
        pump_read_on(peer);
    }
}

static void mail_fault(struct peer *peer, const struct fault *fault)
{
    struct fault *copy = mem_alloc(sizeof *copy);

    *copy = *fault;
    mail_add(peer->worker, peer->realm->home,
             &(struct mail){.type = MAIL_EVENT,
                            .realm = peer->realm,
                            .event = {.type = EV_FAULT, .peer = peer->id, .fault = copy}});
}

static void keep_waiting(struct peer *peer, struct slice bytes)
{
    struct waiting *waiting = mem_alloc(sizeof *waiting);

    *waiting = (struct waiting){.bytes = blob_copy(bytes)};
    *peer->waiting_end = waiting;
    peer->waiting_end = &waiting->next;
    if (!peer->is_paused && peer->local == NULL) {
        /* Resumed by what it waits for: the acknowledgement of its GOODBYE, or its realm. */
        peer->is_paused = true;
        pump_read_on(peer);
    }
}

/* A first message, or the first after GOODBYE. */
static void from_lobby(struct peer *peer, struct slice bytes)
{
    struct worker *worker = peer->worker;
    struct router *router = worker->router;
    struct outbox out;
    struct fault fault;
    struct msg msg;
    struct slice name;
    struct blob *blob = blob_copy(bytes);
    bool is_msg = msg_decode(&msg, peer->transport.codec, blob_slice(blob), &raw_allowed,
                             &worker->scratch, &fault) == 0;

    outbox_init(&out);
    if (lobby_receive(peer->id, &peer->transport, is_msg ? &msg : NULL, &fault,
                      router->options.strict_uris, &name, &out)) {
        const char *reason = WAMP_CLOSE_SYSTEM_SHUTDOWN, *words = "the router is shutting down";
        bool is_stopping = atomic_load(&router->is_stopping);

        if (!is_stopping && !realms_seek(peer, name, &msg, bytes.len, &reason, &words) &&
            peer->awaits != NULL)
            keep_waiting(peer, bytes);
        else if (peer->realm == NULL)
            lobby_refuse(peer->id, peer->transport.codec, reason, words, &out);
    }
    if (peer->realm == NULL && peer->awaits == NULL)
        note_refusal(peer, is_msg && msg.type == MSG_HELLO ? msg.text : (struct slice){0}, &out);
    answer_from_lobby(worker, &out);
    if (peer->realm != NULL && peer->local == NULL)
        net_set_joined(worker->net, peer->id, true); /* from now on the realm has the clock */
    if (peer->realm == NULL) {
        blob_drop(blob);
    } else if (peer->realm->home == worker) {
        pump_step(
            worker, peer->realm,
            &(struct event){
                .type = EV_HELLO, .peer = peer->id, .msg = &msg, .transport = &peer->transport});
        blob_drop(blob);
    } else {
        mail_message(peer, EV_HELLO, &msg, blob);
    }
}

/* What proves who somebody is does not stay in buffers: not as it came (they are those of the
 * connection, which nobody reads again), and not as it was unescaped. */
static void wipe_credential(struct slice text, struct slice bytes)
{
    if (text.len != 0)
        explicit_bzero((void *)(uintptr_t)text.data, text.len);
    explicit_bzero((void *)(uintptr_t)bytes.data, bytes.len);
}

static bool is_within(struct slice part, struct slice bytes)
{
    return part.data >= bytes.data && part.data < bytes.data + bytes.len;
}

static void to_other_worker(struct peer *peer, struct slice bytes)
{
    const struct msg_limits limits = {.raw_payload = peer->realm->ppt_compat};
    struct blob *blob = blob_copy(bytes);
    bool has_credential, is_unescaped;
    struct fault fault;
    struct msg msg;

    if (msg_decode(&msg, peer->transport.codec, blob_slice(blob), &limits, &peer->worker->scratch,
                   &fault) < 0) {
        blob_drop(blob);
        mail_fault(peer, &fault);
        return;
    }
    peer->is_leaving = msg.type == MSG_GOODBYE;
    if (peer->is_leaving)
        reports_settle(peer);
    has_credential = msg.type == MSG_AUTHENTICATE && peer->local == NULL;
    is_unescaped = !is_within(msg.text, blob_slice(blob));
    mail_message(peer, EV_MESSAGE, &msg, blob); /* which has a copy of what is not in the blob */
    if (UNLIKELY(has_credential))
        wipe_credential(is_unescaped ? msg.text : bytes, bytes);
}

static void to_own_realm(struct peer *peer, struct slice bytes)
{
    const struct msg_limits limits = {.raw_payload = peer->realm->ppt_compat};
    struct worker *worker = peer->worker;
    struct fault fault;
    struct msg msg;
    struct event ev = {.type = EV_MESSAGE, .peer = peer->id, .msg = &msg};
    bool is_ours = peer->local != NULL, has_credential = false;

    if (UNLIKELY(msg_decode(&msg, peer->transport.codec, bytes, &limits, &worker->scratch, &fault) <
                 0)) {
        ev.type = EV_FAULT;
        ev.fault = &fault;
    } else if (UNLIKELY(msg.type == MSG_GOODBYE)) {
        reports_settle(peer); /* a step, but none that decodes: the message stays as it is */
    } else {
        has_credential = msg.type == MSG_AUTHENTICATE && !is_ours;
    }
    pump_step(worker, peer->realm, &ev);
    if (UNLIKELY(has_credential))
        wipe_credential(msg.text, bytes);
}

void pump_message(struct peer *peer, struct slice bytes)
{
    if (UNLIKELY(peer->is_closing))
        return;
    arena_reset(&peer->worker->scratch);
    if (UNLIKELY(peer->is_leaving || peer->awaits != NULL))
        keep_waiting(peer, bytes);
    else if (UNLIKELY(peer->realm == NULL))
        from_lobby(peer, bytes);
    else if (LIKELY(peer->realm->home == peer->worker))
        to_own_realm(peer, bytes);
    else
        to_other_worker(peer, bytes);
}

void pump_say(struct peer *peer, const struct msg *msg)
{
    struct event ev = {.type = EV_MESSAGE, .peer = peer->id, .msg = msg};

    if (peer->is_closing || peer->is_leaving || peer->awaits != NULL || peer->realm == NULL)
        return;
    CHECK(peer->realm->home == peer->worker);
    pump_step(peer->worker, peer->realm, &ev);
}

void pump_awake(struct worker *worker, uint64_t id, const char *reason, const char *words)
{
    struct peer *peer = pump_find(worker, id);
    struct outbox out;

    if (peer == NULL || peer->awaits == NULL)
        return;
    if (reason != NULL) {
        outbox_init(&out);
        lobby_refuse(id, peer->transport.codec, reason, words, &out);
        note_refusal(peer, slice_of(peer->awaits), &out);
        answer_from_lobby(worker, &out);
    }
    mem_free(peer->awaits);
    peer->awaits = NULL;
    peer->is_paused = false;
    pump_read_on(peer);
    if (reason == NULL)
        take_waiting(peer);
}

static void stop_all(struct router *router)
{
    for (unsigned i = 0; i < router->worker_count; i++)
        net_post(router->workers[i].net);
}

void pump_close(struct peer *peer)
{
    struct worker *worker = peer->worker;
    struct router *router = worker->router;

    map_remove(&worker->peers, peer->id, 0);
    if (peer->awaits != NULL)
        openings_leave(peer);
    if (worker->is_over) {
        peer->realm = NULL; /* its session ends with the realm's core */
    } else if (peer->realm != NULL && peer->realm->home == worker) {
        pump_step(worker, peer->realm, &(struct event){.type = EV_CLOSED, .peer = peer->id});
    } else if (peer->realm != NULL) {
        mail_add(worker, peer->realm->home,
                 &(struct mail){.type = MAIL_EVENT,
                                .realm = peer->realm,
                                .event = {.type = EV_CLOSED, .peer = peer->id}});
    }
    if (peer->realm != NULL)
        realm_leave(peer->realm, peer);
    while (peer->waiting != NULL) {
        struct waiting *next = peer->waiting->next;

        blob_drop(peer->waiting->bytes);
        mem_free(peer->waiting);
        peer->waiting = next;
    }
    mem_free((void *)(uintptr_t)peer->transport.peer);
    mem_free((void *)(uintptr_t)peer->transport.cookie);
    transport_tls_drop(peer->transport.tls);
    transport_http_drop(peer->transport.http);
    mem_free(peer);
    /* At the very end the loops of other workers may be gone already. */
    if (atomic_fetch_sub(&router->open_peers, 1) == 1 && atomic_load(&router->is_stopping) &&
        !worker->is_over)
        stop_all(router);
}
