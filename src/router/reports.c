/* reports.c -- realms hear which of their sessions lost events.
 *
 * Most are lost in the queue of a connection, and net reports them once a second.
 * Others never get that far, since the mailbox of the receiver's worker is full:
 * these are counted here, by the home of the realm, and reported as often.
 *
 * What a peer lost belongs to its session of that time. It is reported before the
 * peer's GOODBYE or end is, and forgotten when the realm has ended the session.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "router/router_priv.h"

#define MAIL_REPORT_MS 1000

/* What one session lost on its way to another worker. */
struct loss {
    struct realm *realm; /* borrowed; at home here */
    uint64_t count;
};

static void free_all(struct map *losses)
{
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(losses, &i)) != NULL)
        mem_free(at->value);
    map_fini(losses);
}

void reports_init(struct worker *worker)
{
    map_init(&worker->unreported, (uint64_t)(uintptr_t)worker);
    worker->report_at = NEVER;
}

void reports_fini(struct worker *worker)
{
    free_all(&worker->unreported);
}

void reports_send(struct peer *peer, uint64_t count)
{
    struct worker *worker = peer->worker;
    struct realm *realm = peer->realm;

    if (count == 0 || realm == NULL || worker->is_over)
        return;
    if (realm->home == worker)
        pump_step(worker, realm,
                  &(struct event){.type = EV_DROPPED, .peer = peer->id, .dropped = count});
    else
        mail_add(worker, realm->home,
                 &(struct mail){.type = MAIL_EVENT,
                                .realm = realm,
                                .event = {.type = EV_DROPPED, .peer = peer->id, .dropped = count}});
}

/* What is on its way from a peer's connection, or 0 for a peer without one. */
static uint64_t take(struct peer *peer)
{
    return peer->local != NULL ? 0 : net_take_dropped(peer->worker->net, peer->id);
}

void reports_settle(struct peer *peer)
{
    reports_send(peer, take(peer));
}

void reports_forget(struct peer *peer)
{
    (void)take(peer);
}

void reports_note_mail(struct worker *worker, struct realm *realm, uint64_t peer)
{
    struct loss *loss = map_get(&worker->unreported, peer, 0);

    worker->mail_dropped++;
    if (loss == NULL) {
        loss = mem_alloc(sizeof *loss);
        *loss = (struct loss){.realm = realm};
        map_put(&worker->unreported, peer, 0, loss);
    }
    loss->count++;
    if (worker->report_at == NEVER)
        worker->report_at = net_now(worker->net) + MAIL_REPORT_MS;
}

static void report_loss(struct worker *worker, uint64_t peer, const struct loss *loss)
{
    pump_step(worker, loss->realm,
              &(struct event){.type = EV_DROPPED, .peer = peer, .dropped = loss->count});
}

/* The steps may lose events again: they go into a map that nobody walks. */
void reports_wake(struct worker *worker)
{
    const struct map_entry *at;
    struct map losses;
    size_t i = 0;

    if (net_now(worker->net) < worker->report_at)
        return;
    losses = worker->unreported;
    reports_init(worker);
    while ((at = map_next(&losses, &i)) != NULL)
        report_loss(worker, at->a, at->value);
    free_all(&losses);
}

void reports_settle_mail(struct worker *worker, uint64_t peer)
{
    struct loss *loss = map_remove(&worker->unreported, peer, 0);

    if (loss != NULL)
        report_loss(worker, peer, loss);
    mem_free(loss);
}

void reports_forget_mail(struct worker *worker, uint64_t peer)
{
    mem_free(map_remove(&worker->unreported, peer, 0));
}
