/* admin.c -- what administrators want of the router, and no realm can do.
 *
 * Files are read on a thread of their own: a slow disk holds nobody up. One thing is done at a
 * time, so that nobody starts threads by calling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "router/router_priv.h"
#include "wire/errors.h"

#include <stdio.h>

void admin_init(struct router *router)
{
    pthread_mutex_init(&router->admin.lock, NULL);
}

void admin_fini(struct router *router)
{
    struct admin_job *job = &router->admin;

    if (job->has_thread)
        pthread_join(job->thread, NULL);
    pthread_mutex_destroy(&job->lock);
}

static struct admin_done *done_new(uint64_t session, uint64_t request)
{
    struct admin_done *done = mem_zero(1, sizeof *done);

    done->session = session;
    done->request = request;
    return done;
}

static void reload_tls(struct router *router, struct admin_done *done)
{
    char by[40];

    (void)snprintf(by, sizeof by, "session %llu", (unsigned long long)done->session);
    done->count = router_reload_tls(router, by, done->words, sizeof done->words);
    if (done->words[0] != '\0')
        done->error = NEXUS_RELOAD_FAILED;
}

static void *run(void *ctx)
{
    struct router *router = ctx;
    struct admin_job *job = &router->admin;
    struct admin_done *done = done_new(job->session, job->request);

    reload_tls(router, done);
    pthread_mutex_lock(&job->lock);
    mail_done(job->realm, job->peer, done);
    job->is_busy = false;
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

static bool start(struct router *router, struct realm *realm, const struct action *action)
{
    struct admin_job *job = &router->admin;
    bool is_free;

    pthread_mutex_lock(&job->lock);
    is_free = !job->is_busy;
    job->is_busy = true;
    pthread_mutex_unlock(&job->lock);
    if (!is_free)
        return false;
    if (job->has_thread)
        pthread_join(job->thread, NULL); /* it has nothing left to do but to end */
    job->realm = realm;
    job->peer = action->peer;
    job->session = action->notice->by;
    job->request = action->key;
    CHECK(pthread_create(&job->thread, NULL, run, router) == 0);
    job->has_thread = true;
    return true;
}

void admin_begin(struct realm *realm, const struct action *action)
{
    struct admin_done *done;

    CHECK(action->kind == ADMIN_RELOAD_TLS);
    if (start(realm->home->router, realm, action))
        return;
    done = done_new(action->notice->by, action->key);
    done->error = WAMP_UNAVAILABLE;
    (void)snprintf(done->words, sizeof done->words, "something is being reloaded at this time");
    mail_done(realm, action->peer, done);
}
