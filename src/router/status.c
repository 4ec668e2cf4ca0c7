/* status.c -- the process explains itself: counters as a page, as JSON, and for Prometheus.
 *
 * Sums over all workers and realms. Page and JSON are open to whoever reaches the
 * port, so nothing in them names a realm or a session. The third form is served
 * only where the configuration says so; what policies count is added to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "router/router_priv.h"

#include <stdio.h>
#include <time.h>

/* NOW: as it is now. EVER: counted since the start. */
enum kind { NOW, EVER };

#define NET_COUNTERS(X)          \
    X(connections, NOW)          \
    X(accepted, EVER)            \
    X(closed, EVER)              \
    X(refused_full, EVER)        \
    X(refused_address, EVER)     \
    X(handshake_failed, EVER)    \
    X(messages_in, EVER)         \
    X(bytes_in, EVER)            \
    X(messages_out, EVER)        \
    X(bytes_out, EVER)           \
    X(writes, EVER)              \
    X(dropped_newest, EVER)      \
    X(dropped_oldest, EVER)      \
    X(conflated, EVER)           \
    X(slow_closed, EVER)         \
    X(refused_invocations, EVER) \
    X(too_big, EVER)             \
    X(bad_frames, EVER)          \
    X(timeouts_handshake, EVER)  \
    X(timeouts_hello, EVER)      \
    X(timeouts_ping, EVER)

#define CORE_COUNTERS(X)        \
    X(sessions, NOW)            \
    X(subscriptions, NOW)       \
    X(registrations, NOW)       \
    X(pending_calls, NOW)       \
    X(joins, EVER)              \
    X(refusals, EVER)           \
    X(violations, EVER)         \
    X(publications, EVER)       \
    X(events, EVER)             \
    X(calls, EVER)              \
    X(results, EVER)            \
    X(errors, EVER)             \
    X(filtered, EVER)           \
    X(filter_per_session, EVER) \
    X(oversized, EVER)          \
    X(dropped, EVER)            \
    X(unretained, EVER)         \
    X(limited, EVER)            \
    X(revoked, EVER)            \
    X(decisions_kept, NOW)      \
    X(decisions_reused, EVER)

/* How much is kept for late subscribers and for history. */
#define STORE_COUNTERS(X)   \
    X(logged, NOW)          \
    X(logged_bytes, NOW)    \
    X(retained_topics, NOW) \
    X(retained, NOW)        \
    X(retained_bytes, NOW)

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
#define ADD(field, kind) net->field += worker->snapshot.net.field;
    NET_COUNTERS(ADD)
#undef ADD
    *mail_dropped += worker->snapshot.mail_dropped;
#define ADD(field, kind) core->field += worker->ended.field;
    CORE_COUNTERS(ADD)
#undef ADD
    list_each (&worker->realms, node, after) {
        const struct realm *realm = container_of(node, struct realm, at_home);

#define ADD(field, kind) core->field += realm->snapshot.field;
        CORE_COUNTERS(ADD)
#undef ADD
#define ADD(field, kind) core->store.field += realm->snapshot.store.field;
        STORE_COUNTERS(ADD)
#undef ADD
    }
    pthread_mutex_unlock(&worker->snapshot_lock);
}

void status_end(struct realm *realm)
{
    struct core_counters *ended = &realm->home->ended;
    const struct core_counters *counters = core_counters(realm->core);

#define ADD(field, kind) ended->field += (kind) == EVER ? counters->field : 0;
    CORE_COUNTERS(ADD)
#undef ADD
}

static void put(struct writer *page, enum page form, enum kind kind, const char *name,
                uint64_t value)
{
    unsigned long long number = value;
    const char *suffix = kind == EVER ? "_total" : "";
    char line[160];
    int len;

    if (form == PAGE_HTML)
        len = snprintf(line, sizeof line, "<tr><td>%s</td><td>%llu</td></tr>\n", name, number);
    else if (form == PAGE_JSON)
        len = snprintf(line, sizeof line, ",\"%s\":%llu", name, number);
    else
        len = snprintf(line, sizeof line, "# TYPE nexus_%s%s %s\nnexus_%s%s %llu\n", name, suffix,
                       kind == EVER ? "counter" : "gauge", name, suffix, number);
    writer_write(page, line, (size_t)len);
}

static void put_text(struct writer *page, const char *text)
{
    writer_write(page, text, strlen(text));
}

static const char *const beginnings[PAGE_COUNT] = {
    [PAGE_HTML] = "<!doctype html><meta charset=\"utf-8\"><title>nexus</title>\n"
                  "<h1>nexus</h1><p>A WAMP router. WebSocket and RawSocket are served at this "
                  "address; <a href=\"/status.json\">the same as JSON</a>.</p>\n<table>\n",
    [PAGE_JSON] = "{\"router\":\"nexus\"",
    [PAGE_METRICS] = "",
};
static const char *const ends[PAGE_COUNT] = {
    [PAGE_HTML] = "</table>\n", [PAGE_JSON] = "}\n", [PAGE_METRICS] = ""};

void status_write(struct worker *worker, enum page form, struct writer *page)
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
    put_text(page, beginnings[form]);
    put(page, form, NOW, "uptime_s", (uint64_t)now.tv_sec - router->started_at);
    put(page, form, NOW, "workers", router->worker_count);
#define PUT(field, kind) put(page, form, kind, #field, net.field);
    NET_COUNTERS(PUT)
#undef PUT
    put(page, form, EVER, "mail_dropped", mail_dropped);
#define PUT(field, kind) put(page, form, kind, #field, core.field);
    CORE_COUNTERS(PUT)
#undef PUT
#define PUT(field, kind) put(page, form, kind, #field, core.store.field);
    STORE_COUNTERS(PUT)
#undef PUT
    put_text(page, ends[form]);
    if (form == PAGE_METRICS && router->options.write_metrics != NULL)
        router->options.write_metrics(router->options.metrics_ctx, page);
}
