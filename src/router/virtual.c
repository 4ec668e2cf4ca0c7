/* virtual.c -- a router that stands still, for tests: no thread, no socket, a clock that is told.
 *
 * Everything else is as it is: realms, mail, local peers, deciders. See router.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "router/router_priv.h"

#include <time.h>

/* Real time that may pass. */
struct patience {
    uint64_t ends_at; /* ms of the machine's clock */
};

static uint64_t machine_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct patience patience(const struct router *router, uint32_t wait_ms)
{
    CHECK(router->options.is_virtual);
    return (struct patience){machine_now() + wait_ms};
}

static struct net *net_of(const struct router *router)
{
    return router->workers[0].net;
}

/* Turns until nothing happens any more. */
static bool settle(struct router *router, const struct patience *patience)
{
    struct net *net = net_of(router);

    for (;;) {
        bool is_busy = net_turn(net);
        uint64_t now = machine_now();

        if (!is_busy && net_wake_due(net) <= net_now(net)) {
            net_set_clock(net, net_now(net)); /* a deadline of this very instant */
            is_busy = true;
        }
        if (now >= patience->ends_at)
            return false;
        if (!is_busy && !net_wait(net, (uint32_t)(patience->ends_at - now)))
            return true;
    }
}

bool router_turn(struct router *router, uint32_t wait_ms)
{
    struct patience left = patience(router, wait_ms);

    return settle(router, &left);
}

bool router_glance(struct router *router, uint32_t wait_ms)
{
    struct patience left = patience(router, wait_ms);

    while (net_turn(net_of(router))) {
        if (machine_now() >= left.ends_at)
            return false;
    }
    return true;
}

bool router_advance(struct router *router, uint64_t ms, uint32_t wait_ms)
{
    struct patience left = patience(router, wait_ms);
    struct net *net = net_of(router);
    uint64_t end = net_now(net) + ms;

    for (;;) {
        if (!settle(router, &left))
            return false;
        if (net_wake_due(net) > end)
            break;
        net_set_clock(net, net_wake_due(net));
    }
    net_set_clock(net, end);
    return settle(router, &left);
}

uint64_t router_now(const struct router *router)
{
    return net_now(net_of(router));
}

uint64_t router_next(const struct router *router)
{
    return net_wake_due(net_of(router));
}

uint64_t router_wall(struct router *router)
{
    return pump_wall_now(router);
}

void router_metrics(struct router *router, struct writer *page)
{
    CHECK(router->options.is_virtual);
    status_write(&router->workers[0], PAGE_METRICS, page);
}
