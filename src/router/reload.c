/* reload.c -- new certificates for a router that runs.
 *
 * The files are read once, by who asks for it; each worker fetches what was read on its own thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "router/router_priv.h"

#include <stdio.h>

void reload_init(struct router *router)
{
    pthread_mutex_init(&router->tls_lock, NULL);
    router->tls_files = mem_zero(router->options.listener_count, sizeof *router->tls_files);
}

void reload_fini(struct router *router)
{
    for (size_t i = 0; i < router->options.listener_count; i++)
        tls_files_drop(router->tls_files[i]);
    mem_free(router->tls_files);
    pthread_mutex_destroy(&router->tls_lock);
}

/* Writes words when it fails, unless there are some already. */
static bool reload(struct router *router, size_t index, char *first, size_t first_len)
{
    char words[512];
    struct tls_files *files = net_load_tls(&router->options.listeners[index], words, sizeof words);

    if (files == NULL) {
        log_line(LOG_ERROR, "tls-not-reloaded", "new certificates are bad; the old ones stay",
                 "address", router->addresses[index], "error", words, NULL);
        if (*first == '\0')
            (void)snprintf(first, first_len, "%s", words);
        return false;
    }
    pthread_mutex_lock(&router->tls_lock);
    tls_files_drop(router->tls_files[index]);
    router->tls_files[index] = files;
    pthread_mutex_unlock(&router->tls_lock);
    log_line(LOG_INFO, "tls-reloaded", "new connections see the certificates as they are now",
             "address", router->addresses[index], NULL);
    return true;
}

unsigned router_reload_tls(struct router *router, const char *by, char *words, size_t words_len)
{
    unsigned count = 0;

    *words = '\0';

    for (size_t i = 0; i < router->options.listener_count; i++) {
        if (router->options.listeners[i].tls != TLS_OFF && reload(router, i, words, words_len))
            count++;
    }
    audit_reload("tls", NULL, NULL, by, *words == '\0' ? NULL : words);
    if (count == 0)
        return 0;
    atomic_fetch_add(&router->tls_turn, 1);
    for (unsigned i = 0; i < router->worker_count; i++)
        net_post(router->workers[i].net);
    return count;
}

void reload_fetch(struct worker *worker)
{
    struct router *router = worker->router;
    unsigned turn = atomic_load(&router->tls_turn);

    if (turn == worker->tls_turn)
        return;
    worker->tls_turn = turn;
    pthread_mutex_lock(&router->tls_lock);
    for (size_t i = 0; i < router->options.listener_count; i++) {
        if (router->tls_files[i] != NULL)
            net_use_tls(worker->net, (unsigned)i, router->tls_files[i]);
    }
    pthread_mutex_unlock(&router->tls_lock);
}
