/* asks.c -- questions of a realm on their way to whoever decides, and decisions back.
 *
 * A question is handed over after the step that put it has been carried out, so the
 * answer may come at once: it is a step of its own, and what it causes comes after
 * what was there before. Questions are answered one after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "router/router_priv.h"

void asks_add(struct realm *realm, uint64_t question)
{
    struct asks *asks = &realm->asks;

    CHECK(realm->decider != NULL); /* or the core would not ask */
    if (asks->count == asks->cap) {
        asks->cap = asks->cap == 0 ? 16 : asks->cap * 2;
        asks->of = mem_grow(asks->of, asks->cap * sizeof *asks->of);
    }
    asks->of[asks->count++] = question;
}

void asks_remove(struct realm *realm, uint64_t question)
{
    struct asks *asks = &realm->asks;

    for (size_t i = asks->next; i < asks->count; i++) {
        if (asks->of[i] != question)
            continue;
        asks->of[i] = 0; /* nobody has heard of it */
        return;
    }
    realm->decider->unask(realm->mind, question);
}

void realm_give(struct realm *realm, const struct decision *decision)
{
    realm->given = decision;
}

void *realm_mind(const struct realm *realm)
{
    return realm->mind;
}

static void hand_over(struct realm *realm, const struct question *question)
{
    struct decision decision;

    if (LIKELY(realm->given == NULL || question->ask != ASK_JOIN)) {
        realm->decider->ask(realm->mind, question);
        return;
    }
    decision = *realm->given;
    decision.question = question->id;
    realm_decide(realm, &decision);
}

void asks_run(struct realm *realm)
{
    struct asks *asks = &realm->asks;

    if (LIKELY(asks->count == 0) || asks->is_running)
        return;
    asks->is_running = true;
    while (asks->next < asks->count) {
        const struct question *question = core_question(realm->core, asks->of[asks->next++]);

        if (question != NULL)
            hand_over(realm, question);
    }
    asks->next = asks->count = 0;
    asks->is_running = false;
}

/* No question of a core has it. */
#define PROBE_ID UINT64_MAX

void realm_probe_begin(struct realm *realm, struct realm_probe *probe)
{
    CHECK(realm->probe == NULL && realm->decider != NULL);
    realm->probe = probe;
    probe->is_answered = false;
    probe->question.id = PROBE_ID;
    net_enter(realm->home->net);
    realm->decider->ask(realm->mind, &probe->question);
}

void realm_probe_end(struct realm *realm, struct realm_probe *probe)
{
    CHECK(realm->probe == probe);
    if (!probe->is_answered)
        realm->decider->unask(realm->mind, PROBE_ID);
    realm->probe = NULL;
}

void realm_decide(struct realm *realm, const struct decision *decision)
{
    if (UNLIKELY(decision->question == PROBE_ID)) {
        if (realm->probe != NULL && !realm->probe->is_answered) {
            realm->probe->is_answered = true;
            realm->probe->answer(realm->probe, decision);
        }
        return;
    }
    net_enter(realm->home->net);
    pump_step(realm->home, realm, &(struct event){.type = EV_DECISION, .decision = decision});
}
