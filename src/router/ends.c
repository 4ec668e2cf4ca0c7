/* ends.c -- a realm that was opened for somebody closes when nobody has been in it for long.
 *
 * First nobody is let in any more: who says HELLO waits until it is gone, and asks for it anew.
 * Others may still have mail for it or from it under way, and the loop handles of its decider need
 * turns to close. So mail goes round, to each worker and back, behind all that: after the first
 * round nobody speaks of the realm, and its decider stops; after two more it is freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "router/notes.h"
#include "router/router_priv.h"

#define AGAIN_MS 100 /* when its decider is busy */
#define ROUNDS   3

static void on_idle(struct realm_timer *timer);

static void look_again(struct realm *realm, uint64_t at)
{
    deadlines_set(&realm->home->deadlines, &realm->idle.deadline, at);
}

void ends_watch(struct realm *realm)
{
    if (realm->idle_ms == 0)
        return;
    realm->idle.fire = on_idle;
    net_enter(realm->home->net);
    look_again(realm, net_now(realm->home->net) + realm->idle_ms);
}

static bool is_needed(struct realm *realm)
{
    struct admin_job *job = &realm->home->router->admin;
    bool is_needed = realm->decider != NULL && realm->decider->is_busy != NULL &&
                     realm->decider->is_busy(realm->mind);

    pthread_mutex_lock(&job->lock);
    is_needed |= job->is_busy && job->realm == realm;
    pthread_mutex_unlock(&job->lock);
    return is_needed;
}

/* True: from now on nobody comes in. */
static bool lock_out(struct realm *realm)
{
    struct router *router = realm->home->router;

    pthread_mutex_lock(&router->realms_lock);
    realm->is_closing = atomic_load(&realm->guests) == 0;
    pthread_mutex_unlock(&router->realms_lock);
    return realm->is_closing;
}

static void on_idle(struct realm_timer *timer)
{
    struct realm *realm = container_of(timer, struct realm, idle);
    uint64_t now = net_now(realm->home->net);
    uint64_t ends_at = atomic_load(&realm->idle_since) + realm->idle_ms;

    if (realm->home->is_closing)
        return;
    if (atomic_load(&realm->guests) != 0)
        look_again(realm, now + realm->idle_ms);
    else if (now < ends_at)
        look_again(realm, ends_at);
    else if (is_needed(realm) || !lock_out(realm))
        look_again(realm, now + AGAIN_MS);
    else
        ends_round(realm);
}

/* ---- the rounds ---- */

void ends_round(struct realm *realm)
{
    struct worker *home = realm->home;
    struct router *router = home->router;

    net_enter(home->net);
    realm->answers_due = router->worker_count;
    for (unsigned i = 0; i < router->worker_count; i++)
        mail_add(home, &router->workers[i], &(struct mail){.type = MAIL_ROUND, .realm = realm});
}

static void stop(struct realm *realm)
{
    notes_forget(realm->home, realm);
    if (realm->decider != NULL)
        realm->decider->stop(realm->mind);
    realm->is_stopped = true;
}

static void end(struct realm *realm)
{
    struct worker *home = realm->home;
    struct router *router = home->router;
    struct slice name = slice_make(realm->name, realm->name_len);

    deadlines_cancel(&home->deadlines, &realm->wake.deadline);
    deadlines_cancel(&home->deadlines, &realm->idle.deadline);
    pthread_mutex_lock(&home->snapshot_lock);
    list_remove(&realm->at_home);
    status_end(realm);
    pthread_mutex_unlock(&home->snapshot_lock);
    log_line(LOG_INFO, "realm-closed", "nobody has been in the realm for long", "realm",
             realm->name, NULL);
    realm_fini(realm); /* its stores are free for the next realm of that name */
    pthread_mutex_lock(&router->realms_lock);
    strmap_remove(&router->realms, name);
    openings_resume(router, name);
    pthread_mutex_unlock(&router->realms_lock);
    mem_free(realm);
}

static void go_on(struct realm *realm)
{
    if (++realm->rounds == ROUNDS) {
        end(realm);
        return;
    }
    if (realm->rounds == 1)
        stop(realm);
    ends_round(realm);
}

void ends_take_round(struct worker *worker, const struct mail *item)
{
    struct mail answer = *item;

    if (item->is_answer) {
        if (--item->realm->answers_due == 0)
            go_on(item->realm);
        return;
    }
    answer.is_answer = true;
    net_enter(worker->net);
    mail_add(worker, item->realm->home, &answer);
}
