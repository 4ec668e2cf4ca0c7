/* mail.c -- what workers tell each other, in batches.
 *
 * During a loop turn items collect in one list for each other worker; at its end
 * each list is handed over with one lock and one wake-up. With a single worker
 * none of this is used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "router/router_priv.h"

void mail_init(struct worker *worker, unsigned worker_count)
{
    pthread_mutex_init(&worker->mailbox.lock, NULL);
    worker->outgoing = mem_zero(worker_count, sizeof *worker->outgoing);
}

/* What proves who somebody is does not stay in memory that is given back. */
static void wipe(struct mail *item)
{
    if (item->event.text != NULL)
        explicit_bzero(item->event.text, item->event.msg.text.len);
    explicit_bzero(item->event.bytes->data, item->event.bytes->len);
}

/* Gives back what an item owns that nobody will handle. */
static void drop(struct mail *item)
{
    switch (item->type) {
    case MAIL_EVENT:
        if (item->event.type == EV_MESSAGE && item->event.msg.type == MSG_AUTHENTICATE)
            wipe(item);
        blob_drop(item->event.bytes);
        mem_free(item->event.text);
        transport_free(item->event.transport);
        mem_free(item->event.fault);
        if (item->event.type == EV_ADMIN)
            mem_free(item->event.done);
        break;
    case MAIL_ACTION:
        if (item->action.type == ACT_SEND)
            blob_drop(item->action.blob);
        break;
    case MAIL_TAKEN:
    case MAIL_ROOM:
    case MAIL_VISIT:
    case MAIL_START:
    case MAIL_AWAKE:
    case MAIL_ROUND:
        break;
    }
}

static void list_fini(struct mail_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        drop(&list->items[i]);
    mem_free(list->items);
    *list = (struct mail_list){0};
}

void mail_fini(struct worker *worker)
{
    list_fini(&worker->mailbox.mail);
    list_fini(&worker->incoming);
    for (unsigned i = 0; i < worker->router->worker_count; i++)
        list_fini(&worker->outgoing[i]);
    mem_free(worker->outgoing);
    pthread_mutex_destroy(&worker->mailbox.lock);
}

static void reserve(struct mail_list *list, size_t more)
{
    if (list->cap - list->count >= more)
        return;
    list->cap = list->cap * 2 > list->count + more ? list->cap * 2 : list->count + more;
    list->items = mem_grow(list->items, list->cap * sizeof *list->items);
}

void mail_add(struct worker *from, struct worker *to, const struct mail *item)
{
    struct mail_list *list = &from->outgoing[to->index];

    reserve(list, 1);
    CHECK(list->items != NULL);
    list->items[list->count++] = *item;
    atomic_fetch_add_explicit(&to->mailbox.backlog, 1, memory_order_relaxed);
}

static void hand_over(struct mail_list *list, struct worker *to)
{
    struct mail_list *mail = &to->mailbox.mail;

    pthread_mutex_lock(&to->mailbox.lock);
    if (mail->count == 0) {
        struct mail_list empty = *mail;

        *mail = *list;
        *list = empty;
    } else {
        reserve(mail, list->count);
        memcpy(mail->items + mail->count, list->items, list->count * sizeof *list->items);
        mail->count += list->count;
    }
    list->count = 0;
    pthread_mutex_unlock(&to->mailbox.lock);
    net_post(to->net);
}

void mail_post(struct worker *from)
{
    for (unsigned i = 0; i < from->router->worker_count; i++)
        if (from->outgoing[i].count != 0)
            hand_over(&from->outgoing[i], &from->router->workers[i]);
}

/* From a thread that may be no worker's. */
static void post_one(struct worker *to, const struct mail *item)
{
    struct mail_list list = {0};

    reserve(&list, 1);
    list.items[list.count++] = *item;
    atomic_fetch_add_explicit(&to->mailbox.backlog, 1, memory_order_relaxed);
    hand_over(&list, to);
    mem_free(list.items);
}

void mail_start(struct realm *realm)
{
    post_one(realm->home, &(struct mail){.type = MAIL_START, .realm = realm});
}

void mail_awake(struct router *router, uint64_t peer, const char *reason, const char *words)
{
    post_one(peer_worker(router, peer),
             &(struct mail){.type = MAIL_AWAKE,
                            .awake = {.peer = peer, .reason = reason, .words = words}});
}

void mail_done(struct realm *realm, uint64_t peer, struct admin_done *done)
{
    post_one(realm->home, &(struct mail){.type = MAIL_EVENT,
                                         .realm = realm,
                                         .event = {.type = EV_ADMIN, .peer = peer, .done = done}});
}

void mail_visit(struct realm *realm, void (*fn)(void *mind, void *ctx), void *ctx)
{
    post_one(realm->home,
             &(struct mail){.type = MAIL_VISIT, .realm = realm, .visit = {.fn = fn, .ctx = ctx}});
}

/* Tells the worker of a peer that its message was handled; runs of one peer become one item. */
static void acknowledge(struct worker *worker, const struct mail *item)
{
    struct worker *to = peer_worker(worker->router, item->event.peer);
    struct mail_list *list = &worker->outgoing[to->index];
    size_t len = item->event.bytes == NULL ? 0 : item->event.bytes->len;
    struct mail *last = list->count == 0 ? NULL : &list->items[list->count - 1];

    if (last != NULL && last->type == MAIL_TAKEN && last->taken.peer == item->event.peer) {
        last->taken.messages++;
        last->taken.bytes += len;
        return;
    }
    mail_add(worker, to,
             &(struct mail){.type = MAIL_TAKEN,
                            .taken = {.peer = item->event.peer, .messages = 1, .bytes = len}});
}

static bool is_farewell(const struct mail *item)
{
    return item->event.type == EV_CLOSED ||
           (item->event.type == EV_MESSAGE && item->event.msg.type == MSG_GOODBYE);
}

static void handle_event(struct worker *worker, struct mail *item)
{
    struct event ev = {
        .type = item->event.type, .peer = item->event.peer, .transport = item->event.transport};

    switch (item->event.type) {
    case EV_HELLO:
    case EV_MESSAGE:
        ev.msg = &item->event.msg;
        break;
    case EV_FAULT:
        ev.fault = item->event.fault;
        break;
    case EV_UNSENT:
        ev.invocation = item->event.invocation;
        break;
    case EV_DROPPED:
        ev.dropped = item->event.dropped;
        break;
    case EV_ADMIN:
        ev.done = item->event.done;
        break;
    case EV_CLOSED:
    case EV_TICK:
    case EV_CLOSE_REALM:
    case EV_DECISION: /* this and the rest: made at the realm's home */
    case EV_RULES:
    case EV_RECHECK:
    case EV_SET:
    case EV_FORGET:
    case EV_END:
        break;
    }
    if (is_farewell(item))
        reports_settle_mail(worker, ev.peer);
    pump_step(worker, item->realm, &ev);
    if (item->event.type == EV_HELLO || item->event.type == EV_MESSAGE)
        acknowledge(worker, item);
}

static void handle_taken(struct worker *worker, const struct mail *item)
{
    struct peer *peer = pump_find(worker, item->taken.peer);

    if (peer == NULL)
        return;
    peer->mail_messages -= item->taken.messages;
    peer->mail_bytes -= item->taken.bytes;
    if (peer->is_paused && peer->mail_messages < MAX_MAIL_MESSAGES / 4 &&
        peer->mail_bytes < MAX_MAIL_BYTES / 4) {
        peer->is_paused = false;
        pump_read_on(peer);
    }
}

static void handle_visit(const struct mail *item)
{
    net_enter(item->realm->home->net);
    pump_start(item->realm);
    item->visit.fn(item->realm->mind, item->visit.ctx);
}

static void handle_room(struct worker *worker, const struct mail *item)
{
    struct realm *realm = item->realm;
    struct mail answer = *item;

    if (item->room.is_answer) {
        realm->decider->room(realm->mind, item->room.ticket, item->room.has_room);
        return;
    }
    answer.room.is_answer = true;
    answer.room.has_room = net_has_room(worker->net, item->room.peer);
    mail_add(worker, realm->home, &answer);
}

void mail_handle(struct worker *worker)
{
    struct mail_list *incoming = &worker->incoming;
    struct mail_list empty = *incoming;

    pthread_mutex_lock(&worker->mailbox.lock);
    *incoming = worker->mailbox.mail;
    worker->mailbox.mail = empty;
    pthread_mutex_unlock(&worker->mailbox.lock);
    for (size_t i = 0; i < incoming->count; i++) {
        struct mail *item = &incoming->items[i];

        if (item->type == MAIL_EVENT)
            handle_event(worker, item);
        else if (item->type == MAIL_TAKEN)
            handle_taken(worker, item);
        else if (item->type == MAIL_ROOM)
            handle_room(worker, item);
        else if (item->type == MAIL_VISIT)
            handle_visit(item);
        else if (item->type == MAIL_START)
            pump_start(item->realm);
        else if (item->type == MAIL_AWAKE)
            pump_awake(worker, item->awake.peer, item->awake.reason, item->awake.words);
        else if (item->type == MAIL_ROUND)
            ends_take_round(worker, item);
        else
            pump_action(worker, item->realm, &item->action);
        if (item->type == MAIL_EVENT)
            drop(item);
    }
    atomic_fetch_sub_explicit(&worker->mailbox.backlog, incoming->count, memory_order_relaxed);
    incoming->count = 0;
}
