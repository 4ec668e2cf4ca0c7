/* losses.c -- see losses.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/losses.h"

#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "core/meta_events.h"

void losses_init(struct core *core)
{
    core->losses.timer.kind = TIMER_LOSSES;
}

void losses_fini(struct core *core)
{
    deadlines_cancel(&core->deadlines, &core->losses.timer.deadline);
    mem_free(core->losses.of);
}

/* The entry of the session; made when it has none since the last event. */
static struct loss *find_loss(struct losses *losses, struct session *session)
{
    if (session->loss < losses->count && losses->of[session->loss].session == session->id)
        return &losses->of[session->loss];
    if (losses->count == losses->cap) {
        losses->cap = losses->cap == 0 ? 16 : losses->cap * 2;
        losses->of = mem_grow(losses->of, losses->cap * sizeof *losses->of);
    }
    session->loss = losses->count++;
    losses->of[session->loss] = (struct loss){.session = session->id};
    return &losses->of[session->loss];
}

void losses_add(struct core *core, struct session *session, uint64_t count)
{
    struct losses *losses = &core->losses;

    core->counters.dropped += count;
    find_loss(losses, session)->dropped += count;
    if (!deadline_is_set(&losses->timer.deadline))
        deadlines_set(&core->deadlines, &losses->timer.deadline, core->now + LOSSES_INTERVAL_MS);
}

void losses_on_timer(struct core *core)
{
    struct losses *losses = &core->losses;
    struct encoder e;

    if (core->broker.meta_listeners != 0) {
        meta_start(&e);
        encode_list(&e, losses->count);
        for (size_t i = 0; i < losses->count; i++) {
            encode_map(&e, 2);
            encode_text(&e, SLICE("session"));
            encode_uint(&e, losses->of[i].session);
            encode_text(&e, SLICE("dropped"));
            encode_uint(&e, losses->of[i].dropped);
            encode_end(&e);
        }
        encode_end(&e);
        meta_publish(core, "nexus.session.on_drops", &e, NULL);
    }
    losses->count = 0;
}
