/* realms.c -- the realms of a router, and the session ids they share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "router/router_priv.h"
#include "wire/errors.h"

static bool claim_id(void *ctx, uint64_t session)
{
    struct router *router = ctx;
    bool is_free;

    pthread_mutex_lock(&router->ids_lock);
    is_free = map_get(&router->session_ids, session, 0) == NULL;
    if (is_free)
        map_put(&router->session_ids, session, 0, router);
    pthread_mutex_unlock(&router->ids_lock);
    return is_free;
}

static void give_id_back(void *ctx, uint64_t session)
{
    struct router *router = ctx;

    pthread_mutex_lock(&router->ids_lock);
    map_remove(&router->session_ids, session, 0);
    pthread_mutex_unlock(&router->ids_lock);
}

static void on_wake(struct realm_timer *timer)
{
    struct realm *realm = container_of(timer, struct realm, wake);

    pump_step(realm->home, realm, &(struct event){.type = EV_TICK});
}

struct realm *realm_make(struct router *router, const struct realm_options *options,
                         const char *name, size_t name_len, struct worker *home)
{
    struct realm *realm = mem_zero(1, sizeof *realm + name_len + 1);
    struct core_options core = options->core;

    memcpy(realm->name, name, name_len);
    realm->name_len = name_len;
    realm->queue = options->queue;
    realm->decider = options->decider;
    realm->wake.fire = on_wake;
    CHECK(realm->decider != NULL || (!core.asks_join && core.rules == NULL));
    realm->ppt_compat = core.ppt_compat;
    realm->home = home;
    core.realm = realm->name;
    core.random = random_fill;
    core.random_ctx = NULL;
    core.wall = pump_wall_now(router);
    core.tells_left = realm->decider != NULL && realm->decider->left != NULL;
    core.ids = (struct id_keeper){claim_id, give_id_back, router};
    realm->core = core_new(&core);
    if (realm->decider != NULL)
        realm->mind = realm->decider->open(options->decider_ctx, realm);
    return realm;
}

void realm_enter(struct realm *realm)
{
    pthread_mutex_lock(&realm->home->snapshot_lock);
    list_append(&realm->home->realms, &realm->at_home);
    pthread_mutex_unlock(&realm->home->snapshot_lock);
    if (realm->decider != NULL || realm->idle_ms != 0)
        mail_start(realm);
}

struct realm *realm_new(struct router *router, const struct realm_options *options,
                        const char *name, size_t name_len)
{
    struct worker *home = &router->workers[router->next_home++ % router->worker_count];
    struct realm *realm = realm_make(router, options, name, name_len, home);

    strmap_put(&router->realms, slice_make(realm->name, name_len), realm);
    realm_enter(realm);
    return realm;
}

void realm_fini(struct realm *realm)
{
    core_free(realm->core);
    if (realm->decider != NULL)
        realm->decider->close(realm->mind);
    mem_free(realm->asks.of);
    comings_free(realm);
}

void realm_free(struct realm *realm)
{
    realm_fini(realm);
    mem_free(realm);
}

const char *realm_name(const struct realm *realm)
{
    return realm->name;
}

const struct core *realm_core(const struct realm *realm)
{
    return realm->core;
}

struct core *realm_own_core(struct realm *realm)
{
    return realm->core;
}

struct uv_loop_s *realm_loop(const struct realm *realm)
{
    return net_loop(realm->home->net);
}

uint64_t realm_now(const struct realm *realm)
{
    return net_now(realm->home->net);
}

bool realm_is_virtual(const struct realm *realm)
{
    return realm->home->router->options.is_virtual;
}

uint64_t realm_wall(const struct realm *realm)
{
    return pump_wall(realm->home);
}

void realm_set_timer(struct realm *realm, struct realm_timer *timer, uint64_t at)
{
    net_enter(realm->home->net); /* the worker looks at its clocks at the end of a turn */
    deadlines_set(&realm->home->deadlines, &timer->deadline, at);
}

void realm_clear_timer(struct realm *realm, struct realm_timer *timer)
{
    deadlines_cancel(&realm->home->deadlines, &timer->deadline);
}

void realm_note_work(struct realm *realm, int change)
{
    net_note_work(realm->home->net, change);
}

enum room realm_room(struct realm *realm, uint64_t peer, uint64_t ticket)
{
    struct worker *worker = peer_worker(realm->home->router, peer);

    if (peer_is_local(peer))
        return ROOM_YES;
    if (worker == realm->home)
        return net_has_room(worker->net, peer) ? ROOM_YES : ROOM_NO;
    net_enter(realm->home->net);
    mail_add(realm->home, worker,
             &(struct mail){
                 .type = MAIL_ROOM, .realm = realm, .room = {.peer = peer, .ticket = ticket}});
    return ROOM_ASKED;
}

int realm_set_vars(struct realm *realm, uint64_t session, enum codec codec, struct slice vars)
{
    return core_set_vars(realm->core, session, codec, vars);
}

void realm_step(struct realm *realm, struct event *ev)
{
    net_enter(realm->home->net);
    pump_step(realm->home, realm, ev);
}

void router_visit(struct router *router, const struct decider *decider,
                  void (*fn)(void *mind, void *ctx), void *ctx)
{
    const struct strmap_entry *at;
    size_t i = 0;

    pthread_mutex_lock(&router->realms_lock);
    while ((at = strmap_next(&router->realms, &i)) != NULL) {
        struct realm *realm = at->value;

        if (realm->decider == decider && !realm->is_closing)
            mail_visit(realm, fn, ctx);
    }
    if (router->opener != NULL && router->opener->decider == decider)
        mail_visit(router->opener, fn, ctx);
    pthread_mutex_unlock(&router->realms_lock);
}

void realm_each(const struct realm *realm, void (*fn)(void *ctx, const struct realm *other),
                void *ctx)
{
    struct router *router = realm->home->router;
    const struct strmap_entry *at;
    size_t i = 0;

    pthread_mutex_lock(&router->realms_lock);
    while ((at = strmap_next(&router->realms, &i)) != NULL) {
        const struct realm *other = at->value;

        if (!other->is_closing) /* who asked for it would have it opened again */
            fn(ctx, other);
    }
    pthread_mutex_unlock(&router->realms_lock);
}

bool realm_is_decided(const struct realm *realm)
{
    return realm->decider != NULL;
}

struct realm *router_realm(struct router *router, const char *name)
{
    struct realm *realm;

    pthread_mutex_lock(&router->realms_lock);
    realm = strmap_get(&router->realms, slice_of(name));
    pthread_mutex_unlock(&router->realms_lock);
    return realm;
}

/* A realm that somebody asked for by name comes into being, if that is allowed. */
static struct realm *make_from_template(struct router *router, struct slice name)
{
    struct realm *realm;

    if (!router->has_template || router->template_realms >= router->options.max_template_realms)
        return NULL;
    router->template_realms++;
    realm = realm_new(router, &router->realm_template, name.data, name.len);
    log_line(LOG_INFO, "realm-made", "realm made from the template", "realm", realm->name, NULL);
    return realm;
}

bool realms_seek(struct peer *peer, struct slice name, const struct msg *hello, size_t len,
                 const char **reason, const char **words)
{
    struct router *router = peer->worker->router;
    struct realm *realm;

    *reason = WAMP_NO_SUCH_REALM;
    *words = "no such realm";
    pthread_mutex_lock(&router->realms_lock);
    realm = strmap_get(&router->realms, name);
    if (realm == NULL)
        realm = make_from_template(router, name);
    if (realm != NULL && !realm->is_closing) {
        peer->realm = realm;
        if (!peer->is_resident)
            atomic_fetch_add(&realm->guests, 1);
    } else if (router->opener != NULL && openings_wait(peer, name, hello, len, reason, words)) {
        peer->awaits = mem_copy(name.data, name.len);
    }
    pthread_mutex_unlock(&router->realms_lock);
    return peer->realm != NULL;
}

void realm_leave(struct realm *realm, const struct peer *peer)
{
    if (peer->is_resident)
        return;
    atomic_store(&realm->idle_since, net_now(peer->worker->net));
    atomic_fetch_sub(&realm->guests, 1);
}
