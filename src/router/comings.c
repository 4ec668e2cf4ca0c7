/* comings.c -- deciders are told of the sessions that come and go.
 *
 * After the step that brought it about has been carried out, so that WELCOME is on its way
 * before anybody hears of it; in order, and each one once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "router/router_priv.h"

static void add(struct realm *realm, uint64_t session, struct left *left)
{
    struct comings *comings = &realm->comings;

    if (comings->count == comings->cap) {
        comings->cap = comings->cap == 0 ? 16 : comings->cap * 2;
        comings->of = mem_grow(comings->of, comings->cap * sizeof *comings->of);
    }
    comings->of[comings->count++] = (struct coming){session, left};
}

void comings_joined(struct realm *realm, uint64_t session)
{
    if (realm->decider != NULL && realm->decider->joined != NULL)
        add(realm, session, NULL);
}

void comings_left(struct realm *realm, uint64_t session, struct left *left)
{
    add(realm, session, left);
}

void comings_run(struct realm *realm)
{
    struct comings *comings = &realm->comings;

    if (LIKELY(comings->count == 0) || comings->is_running)
        return;
    comings->is_running = true;
    while (comings->next < comings->count) {
        struct coming coming = comings->of[comings->next++];

        if (coming.left == NULL)
            realm->decider->joined(realm->mind, coming.session);
        else if (!realm->home->is_over) /* or the mind has stopped */
            realm->decider->left(realm->mind, coming.left);
        left_free(coming.left);
    }
    comings->next = comings->count = 0;
    comings->is_running = false;
}

void comings_free(struct realm *realm)
{
    for (size_t i = realm->comings.next; i < realm->comings.count; i++)
        left_free(realm->comings.of[i].left);
    mem_free(realm->comings.of);
}
