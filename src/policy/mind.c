/* mind.c -- see mind.h: versions of the policy, and what goes wrong in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/mind.h"

#include "base/log.h"
#include "base/mem.h"
#include "policy/reload.h"

#include <uv.h>

#include <stdio.h>

/* ---- complaints ---- */

const char *mind_complain(struct mind *mind, const struct version *version, const char *hook,
                          const char *message, const char *trace)
{
    return complaints_say(&mind->complaints,
                          version == NULL ? NULL : policy_version(version->policy), hook, message,
                          trace);
}

void mind_count(struct mind *mind, const struct fiber *fiber, enum fiber_end end,
                const struct door_answer *answer)
{
    counts_waiting(&mind->counts, mind->fibers.count);
    counts_memory(&mind->counts, vm_memory(fiber->version->policy->vm));
    if (end != FIBER_CANCELED)
        counts_run(&mind->counts, fiber->kind->hook, uv_hrtime() - fiber->began_ns,
                   end == FIBER_FAILED ? answer : NULL);
    if (end == FIBER_FAILED && mind->reloads != NULL)
        reloads_note_failure(mind->reloads, fiber);
    if (end == FIBER_FAILED && mind->reloads != NULL && answer->outcome == DOOR_KILLED &&
        answer->limit == DOOR_MEMORY)
        reloads_note_memory(mind->reloads, fiber);
    if (end == FIBER_FAILED && !fiber->kind->is_quiet)
        (void)mind_complain(mind, fiber->version, fiber->kind->hook, answer->message,
                            answer->trace);
}

/* ---- versions ---- */

static uint64_t host_now(const struct host *host)
{
    return realm_now(((const struct mind *)host->clock)->realm);
}

static uint64_t host_wall(const struct host *host)
{
    return realm_wall(((const struct mind *)host->clock)->realm);
}

struct version *mind_version(struct mind *mind, struct policy *policy)
{
    struct version *version = mem_zero(1, sizeof(*version));

    *version = (struct version){.mind = mind, .turns = &mind->fibers, .policy = policy, .refs = 1};
    list_init(&version->fibers);
    list_init(&version->tasks);
    map_init(&version->timers, rng_u64(&mind->rng));
    list_append(&mind->versions, &version->of_mind);
    policy->version = version;
    policy->host.loop = realm_loop(mind->realm);
    policy->host.clock = mind;
    if (realm_is_virtual(mind->realm)) { /* else the machine's, which goes on within a turn */
        policy->host.now = host_now;
        policy->host.wall = host_wall;
    }
    return version;
}
