/* losses.c -- see losses.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/losses.h"

#include "core/core_priv.h"
#include "core/limits.h"
#include "core/meta_events.h"

void losses_init(struct core *core)
{
    list_init(&core->losses.sessions);
    core->losses.timer.kind = TIMER_LOSSES;
}

void losses_add(struct core *core, struct session *session, uint64_t count)
{
    struct losses *losses = &core->losses;

    core->counters.dropped += count;
    if (session->state != SESSION_ESTABLISHED)
        return;
    session->dropped += count;
    if (!list_is_linked(&session->in_losses))
        list_append(&losses->sessions, &session->in_losses);
    if (!deadline_is_set(&losses->timer.deadline))
        deadlines_set(&core->deadlines, &losses->timer.deadline, core->now + LOSSES_INTERVAL_MS);
}

void losses_forget(struct session *session)
{
    if (list_is_linked(&session->in_losses))
        list_remove(&session->in_losses);
}

static void publish(struct core *core)
{
    struct encoder e;

    meta_start(&e);
    encode_list(&e, COUNT_UNKNOWN);
    list_each (&core->losses.sessions, node, after) {
        const struct session *session = container_of(node, struct session, in_losses);

        encode_map(&e, 2);
        encode_text(&e, SLICE("session"));
        encode_uint(&e, session->id);
        encode_text(&e, SLICE("dropped"));
        encode_uint(&e, session->dropped);
        encode_end(&e);
    }
    encode_end(&e);
    meta_publish(core, "nexus.session.on_drops", &e, NULL);
}

void losses_on_timer(struct core *core)
{
    if (meta_is_heard(core) && !list_is_empty(&core->losses.sessions))
        publish(core);
    list_each (&core->losses.sessions, node, after) {
        container_of(node, struct session, in_losses)->dropped = 0;
        list_remove(node);
    }
}
