/* worker.h -- the life of a worker. What it is made of stands in router_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_ROUTER_WORKER_H
#define NEXUS_ROUTER_WORKER_H

#include "router/router_priv.h"

/* Fills in a zeroed worker and makes its network. Returns 0 or ERR_IO; fini is due either way. */
int worker_init(struct worker *worker, struct router *router, unsigned index) MUST_CHECK;
void worker_fini(struct worker *worker);

/* Runs the worker in a thread of its own, and waits for that thread's end. */
int worker_start(struct worker *worker) MUST_CHECK;
void worker_join(struct worker *worker);

#endif
