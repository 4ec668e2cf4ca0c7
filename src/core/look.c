/* look.c -- see look.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/look.h"

#include "core/calls_priv.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/govern.h"
#include "core/permit.h"

/* ---- sessions ---- */

/* The text of an attribute that has one. */
static struct slice text_of(const struct core *core, const struct session *session,
                            struct slice name)
{
    uint32_t key = intern_find_text(&core->intern, name);

    for (uint32_t i = 0; key != INTERN_NONE && i < session->tag_count; i++)
        if (session->tags[i].key == key && intern_is_text(&core->intern, session->tags[i].value))
            return intern_get_text(&core->intern, session->tags[i].value);
    return (struct slice){0};
}

void look_at(const struct core *core, const struct session *session, struct look *look)
{
    *look = (struct look){.id = session->id,
                          .peer = session->peer,
                          .authid = intern_get_text(&core->intern, session->authid),
                          .authrole = intern_get_text(&core->intern, session->authrole),
                          .authmethod = text_of(core, session, SLICE("authmethod")),
                          .authprovider = text_of(core, session, SLICE("authprovider")),
                          .codec = DETAILS_CODEC,
                          .details = session->details,
                          .tls = session->tls,
                          .http = session->http,
                          .vars = session->vars,
                          .trustlevel = session->trustlevel,
                          .joined = session->joined,
                          .roles = session->roles,
                          .features = session->features,
                          .is_trusted = session->is_trusted,
                          .is_operator = session->is_operator};
}

bool core_look(const struct core *core, uint64_t session, struct look *look)
{
    const struct session *found = map_get(&core->by_id, session, 0);

    if (found == NULL)
        return false;
    look_at(core, found, look);
    return true;
}

static bool has_tag(const struct session *session, struct tag wanted)
{
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == wanted.key && session->tags[i].value == wanted.value)
            return true;
    return false;
}

static bool has_all(const struct core *core, const struct session *session,
                    const struct look_want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct tag tag = {intern_find_text(&core->intern, wants[i].name),
                          intern_find_token(&core->intern, &wants[i].value)};

        if (tag.key == INTERN_NONE || tag.value == INTERN_NONE || !has_tag(session, tag))
            return false;
    }
    return true;
}

void core_each_session(const struct core *core, const struct look_want *wants, size_t count,
                       look_session_fn *fn, void *ctx)
{
    const struct map_entry *at;
    struct look look;
    size_t i = 0;

    while ((at = map_next(&core->by_id, &i)) != NULL) {
        if (!has_all(core, at->value, wants, count))
            continue;
        look_at(core, at->value, &look);
        if (!fn(ctx, &look))
            return;
    }
}

/* ---- subscriptions, registrations, retained events ---- */

/* A visit under way. */
struct visit {
    look_holder_fn *see_holder;
    look_record_fn *see_record;
    void *ctx;
    bool is_over;
};

static void see_members(void *ctx, struct match_entry *entry)
{
    const struct subscription *sub = container_of(entry, struct subscription, entry);
    struct visit *visit = ctx;

    for (size_t i = 0; i < sub->member_count && !visit->is_over; i++)
        visit->is_over = !visit->see_holder(visit->ctx, sub->members[i]->session->id, sub->id,
                                            entry->match, entry->uri);
}

void core_each_subscriber(const struct core *core, struct slice topic, look_holder_fn *fn,
                          void *ctx)
{
    struct visit visit = {.see_holder = fn, .ctx = ctx};

    if (uri_is_valid(topic, MATCH_EXACT, false))
        match_all(&core->broker.index, topic, see_members, &visit);
}

void core_each_callee(const struct core *core, struct slice uri, look_holder_fn *fn, void *ctx)
{
    const struct registration *reg =
        uri_is_valid(uri, MATCH_EXACT, false) ? dealer_match(core, uri) : NULL;

    for (size_t i = 0; reg != NULL && i < reg->callee_count; i++)
        if (!fn(ctx, reg->callees[i]->session->id, reg->id, reg->entry.match, reg->entry.uri))
            return;
}

bool core_awaits_yield(const struct core *core, uint64_t callee, uint64_t invocation)
{
    return map_get(&core->dealer.invocations, callee, invocation) != NULL;
}

uint64_t core_call_deadline(const struct core *core, uint64_t callee, uint64_t invocation)
{
    const struct call *call = map_get(&core->dealer.invocations, callee, invocation);

    return call == NULL ? NEVER : call->timeout_at;
}

bool core_has_callee(const struct core *core, struct slice uri, enum match match)
{
    struct match_entry *entry = match_find(&core->dealer.index, match, uri);
    const struct registration *reg =
        entry == NULL ? NULL : container_of(entry, struct registration, entry);

    return reg != NULL && reg->callee_count != 0 && !reg->callees[0]->session->is_trusted;
}

static void see_records(void *ctx, struct slice topic, struct record *const *newest_first,
                        size_t count)
{
    struct visit *visit = ctx;

    (void)topic;
    for (size_t i = 0; i < count && !visit->is_over; i++)
        visit->is_over = !visit->see_record(visit->ctx, newest_first[i]);
}

void core_each_retained(const struct core *core, struct slice topic, look_record_fn *fn, void *ctx)
{
    struct visit visit = {.see_record = fn, .ctx = ctx};

    if (uri_is_valid(topic, MATCH_EXACT, false))
        core->store.ops->retained(core->store.store, MATCH_EXACT, topic, 1, see_records, &visit);
}

/* ---- rules ---- */

bool core_explain(const struct core *core, uint64_t id, enum rule_action action, enum match match,
                  struct slice uri, struct rules_explanation *explanation)
{
    const struct session *session = map_get(&core->by_id, id, 0);
    enum rule_effect effect;

    explanation->verdict.rule = NULL;
    explanation->beaten_count = 0;
    if (session == NULL)
        return false;
    (void)permit_explain(core, session, action, match, uri, explanation, &effect);
    explanation->verdict.effect = effect;
    return true;
}

/* ---- the realm ---- */

uint32_t core_max_joining(const struct core *core)
{
    return core->options.max_joining;
}

uint32_t core_auth_timeout(const struct core *core)
{
    return core->options.auth_timeout_ms;
}
