/* status.c -- the process explains itself: counters as a page and as JSON.
 *
 * Sums over all workers and realms; nothing that names a realm or a session,
 * since the page is open to whoever reaches the port.
 *
 * SPDX-License-Identifier: MIT
 */
#include "router/router_priv.h"

#include <stdio.h>
#include <time.h>

#define NET_COUNTERS(X)    \
    X(connections)         \
    X(accepted)            \
    X(closed)              \
    X(refused_full)        \
    X(refused_address)     \
    X(handshake_failed)    \
    X(messages_in)         \
    X(bytes_in)            \
    X(messages_out)        \
    X(bytes_out)           \
    X(writes)              \
    X(dropped_newest)      \
    X(dropped_oldest)      \
    X(conflated)           \
    X(slow_closed)         \
    X(refused_invocations) \
    X(too_big) X(bad_frames) X(timeouts_handshake) X(timeouts_hello) X(timeouts_ping)

#define CORE_COUNTERS(X) \
    X(sessions)          \
    X(subscriptions)     \
    X(registrations)     \
    X(pending_calls)     \
    X(joins)             \
    X(refusals)          \
    X(violations)        \
    X(publications)      \
    X(events) X(calls) X(results) X(errors) X(filtered) X(oversized) X(dropped) X(unretained)

/* How much is kept for late subscribers and for history. */
#define STORE_COUNTERS(X) X(logged) X(logged_bytes) X(retained_topics) X(retained) X(retained_bytes)

/* Copies what others may read. Called at the end of each turn when there are several workers. */
void status_snapshot(struct worker *worker)
{
    pthread_mutex_lock(&worker->snapshot_lock);
    worker->snapshot.net = *net_counters(worker->net);
    worker->snapshot.mail_dropped = worker->mail_dropped;
    list_each (&worker->realms, node, after) {
        struct realm *realm = container_of(node, struct realm, at_home);

        if (realm->is_touched)
            realm->snapshot = *core_counters(realm->core);
        realm->is_touched = false;
    }
    pthread_mutex_unlock(&worker->snapshot_lock);
}

static void add_worker(struct worker *worker, struct net_counters *net, struct core_counters *core,
                       uint64_t *mail_dropped)
{
    pthread_mutex_lock(&worker->snapshot_lock);
#define ADD(field) net->field += worker->snapshot.net.field;
    NET_COUNTERS(ADD)
#undef ADD
    *mail_dropped += worker->snapshot.mail_dropped;
    list_each (&worker->realms, node, after) {
        const struct realm *realm = container_of(node, struct realm, at_home);

#define ADD(field) core->field += realm->snapshot.field;
        CORE_COUNTERS(ADD)
#undef ADD
#define ADD(field) core->store.field += realm->snapshot.store.field;
        STORE_COUNTERS(ADD)
#undef ADD
    }
    pthread_mutex_unlock(&worker->snapshot_lock);
}

static void put(struct writer *page, bool as_json, const char *name, uint64_t value)
{
    char line[128];
    int len = snprintf(line, sizeof line,
                       as_json ? ",\"%s\":%llu" : "<tr><td>%s</td><td>%llu</td></tr>\n", name,
                       (unsigned long long)value);

    writer_write(page, line, (size_t)len);
}

static void put_text(struct writer *page, const char *text)
{
    writer_write(page, text, strlen(text));
}

void status_write(struct worker *worker, bool as_json, struct writer *page)
{
    struct router *router = worker->router;
    struct net_counters net = {0};
    struct core_counters core = {0};
    struct timespec now;
    uint64_t mail_dropped = 0;

    status_snapshot(worker);
    for (unsigned i = 0; i < router->worker_count; i++)
        add_worker(&router->workers[i], &net, &core, &mail_dropped);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    put_text(page, as_json ? "{\"router\":\"nexus\""
                           : "<!doctype html><meta charset=\"utf-8\"><title>nexus</title>\n"
                             "<h1>nexus</h1><p>A WAMP router. WebSocket and RawSocket are served "
                             "at this address; <a href=\"/status.json\">the same as JSON</a>.</p>\n"
                             "<table>\n");
    put(page, as_json, "uptime_s", (uint64_t)now.tv_sec - router->started_at);
    put(page, as_json, "workers", router->worker_count);
#define PUT(field) put(page, as_json, #field, net.field);
    NET_COUNTERS(PUT)
#undef PUT
    put(page, as_json, "mail_dropped", mail_dropped);
#define PUT(field) put(page, as_json, #field, core.field);
    CORE_COUNTERS(PUT)
#undef PUT
#define PUT(field) put(page, as_json, #field, core.store.field);
    STORE_COUNTERS(PUT)
#undef PUT
    put_text(page, as_json ? "}\n" : "</table>\n");
}
