/* router.c -- the life of a router. See router.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "router/router.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "router/worker.h"

#include <stdio.h>
#include <time.h>

static uint64_t seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static int make_workers(struct router *router, char *words, size_t words_len)
{
    for (unsigned i = 0; i < router->worker_count; i++) {
        if (worker_init(&router->workers[i], router, i) < 0) {
            (void)snprintf(words, words_len, "cannot make the event loop of worker %u", i);
            return ERR_IO;
        }
    }
    return 0;
}

static void make_realms(struct router *router, const struct router_options *options)
{
    for (size_t i = 0; i < options->realm_count; i++) {
        const char *name = options->realms[i].core.realm;

        (void)realm_new(router, &options->realms[i], name, strlen(name));
    }
}

/* Every worker opens every listener. The first one finds a free port where none is named; the
 * others take that one. */
static int listen_on(struct router *router, size_t index, char *words, size_t words_len)
{
    struct listener_options options = router->options.listeners[index];
    char *address = router->addresses[index];
    const char *colon;

    options.id = (unsigned)index;
    for (unsigned i = 0; i < router->worker_count; i++) {
        /* A unix socket cannot be shared: the first worker accepts for all. */
        if (i > 0 && options.unix_path != NULL)
            return 0;

        int err = net_listen(router->workers[i].net, &options, i == 0 ? address : NULL,
                             sizeof router->addresses[index], words, words_len);

        if (err < 0)
            return err;
        colon = strrchr(address, ':');
        if (options.unix_path == NULL && colon != NULL)
            options.port = colon + 1;
    }
    return 0;
}

static int open_listeners(struct router *router, char *words, size_t words_len)
{
    router->addresses = mem_zero(router->options.listener_count, sizeof *router->addresses);
    for (size_t i = 0; i < router->options.listener_count; i++) {
        int err = listen_on(router, i, words, words_len);

        if (err < 0)
            return err;
    }
    return 0;
}

struct router *router_new(const struct router_options *options, char *words, size_t words_len)
{
    struct router *router = mem_zero(1, sizeof *router);
    struct rng rng;

    CHECK(options->workers >= 1 && options->workers <= MAX_WORKERS);
    CHECK(!options->is_virtual || (options->workers == 1 && options->listener_count == 0));
    router->options = *options;
    router->worker_count = options->workers;
    router->workers = mem_zero(options->workers, sizeof *router->workers);
    router->started_at = seconds_now();
    if (options->realm_template != NULL) {
        router->realm_template = *options->realm_template;
        router->has_template = true;
    }
    rng_init(&rng, random_fill, NULL);
    strmap_init(&router->realms, rng_u64(&rng), rng_u64(&rng));
    map_init(&router->session_ids, rng_u64(&rng));
    strmap_init(&router->openings, rng_u64(&rng), rng_u64(&rng));
    list_init(&router->farewells);
    pthread_mutex_init(&router->realms_lock, NULL);
    pthread_mutex_init(&router->ids_lock, NULL);
    reload_init(router);
    admin_init(router);
    int err = make_workers(router, words, words_len);
    if (err == 0) {
        make_realms(router, options);
        openings_init(router, options->opener);
        err = open_listeners(router, words, words_len);
    }
    if (err < 0) {
        router_free(router);
        return NULL;
    }
    return router;
}

const char *router_address(const struct router *router, size_t index)
{
    return router->addresses[index];
}

int router_run(struct router *router)
{
    int err = 0;

    for (unsigned i = 1; i < router->worker_count && err == 0; i++)
        err = worker_start(&router->workers[i]);
    if (err == 0)
        net_run(router->workers[0].net);
    for (unsigned i = 1; i < router->worker_count; i++) {
        if (err < 0 && router->workers[i].is_started)
            net_stop(router->workers[i].net);
        worker_join(&router->workers[i]);
    }
    return err == 0 && atomic_load(&router->is_unflushed) ? ERR_CLOSED : err;
}

void router_stop(struct router *router)
{
    atomic_store(&router->is_stopping, true);
    net_post(router->workers[0].net);
}

void router_free(struct router *router)
{
    const struct strmap_entry *at;
    size_t i = 0;

    if (router == NULL)
        return;
    admin_fini(router);
    for (unsigned w = 0; w < router->worker_count; w++)
        if (router->workers[w].router != NULL)
            worker_fini(&router->workers[w]);
    while ((at = strmap_next(&router->realms, &i)) != NULL)
        realm_free(at->value);
    strmap_fini(&router->realms);
    openings_fini(router);
    map_fini(&router->session_ids);
    pthread_mutex_destroy(&router->realms_lock);
    pthread_mutex_destroy(&router->ids_lock);
    reload_fini(router);
    mem_free(router->addresses);
    mem_free(router->workers);
    mem_free(router);
}
