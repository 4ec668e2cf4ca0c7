/* dealer.c -- see dealer.h. Calls in flight are in calls.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/dealer.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/reply.h"
#include "wire/errors.h"

void dealer_init(struct core *core)
{
    struct dealer *dealer = &core->dealer;

    match_init(&dealer->index, rng_u64(&core->rng), rng_u64(&core->rng));
    map_init(&dealer->by_id, rng_u64(&core->rng));
    map_init(&dealer->callees, rng_u64(&core->rng));
    map_init(&dealer->calls, rng_u64(&core->rng));
    map_init(&dealer->invocations, rng_u64(&core->rng));
}

void dealer_fini(struct core *core)
{
    struct dealer *dealer = &core->dealer;

    match_fini(&dealer->index);
    map_fini(&dealer->by_id);
    map_fini(&dealer->callees);
    map_fini(&dealer->calls);
    map_fini(&dealer->invocations);
}

static struct registration *registration_new(struct core *core, const struct msg *msg,
                                             const struct options *options)
{
    struct registration *reg = mem_alloc(sizeof *reg + msg->text.len);

    *reg = (struct registration){
        .id = ++core->last_id, .created = core->wall, .invoke = options->invoke};
    if (msg->text.len != 0)
        memcpy(reg->uri, msg->text.data, msg->text.len);
    reg->entry = (struct match_entry){slice_make(reg->uri, msg->text.len), options->match};
    match_insert(&core->dealer.index, &reg->entry);
    map_put(&core->dealer.by_id, reg->id, 0, reg);
    core->counters.registrations++;
    return reg;
}

static void registration_free(struct core *core, struct registration *reg)
{
    match_remove(&core->dealer.index, &reg->entry);
    map_remove(&core->dealer.by_id, reg->id, 0);
    core->counters.registrations--;
    mem_free(reg->callees);
    mem_free(reg);
}

static void attach(struct core *core, struct registration *reg, struct session *session)
{
    struct callee *callee = mem_alloc(sizeof *callee);

    if (reg->callee_count == reg->callee_cap) {
        reg->callee_cap = reg->callee_cap == 0 ? 1 : reg->callee_cap * 2;
        reg->callees = mem_grow(reg->callees, reg->callee_cap * sizeof(struct callee *));
    }
    *callee = (struct callee){.session = session, .registration = reg};
    reg->callees[reg->callee_count++] = callee;
    list_append(&session->callees, &callee->in_session);
    session->registration_count++;
    map_put(&core->dealer.callees, session->id, reg->id, callee);
}

static size_t place_of(const struct registration *reg, const struct callee *callee)
{
    size_t place = 0;

    while (reg->callees[place] != callee)
        place++;
    return place;
}

/* The reverse of attach; the last callee takes the registration along. Calls in flight go on:
 * their answers are still delivered. */
static void detach(struct core *core, struct callee *callee)
{
    struct registration *reg = callee->registration;
    size_t place = place_of(reg, callee);

    reg->callee_count--;
    memmove(reg->callees + place, reg->callees + place + 1,
            (reg->callee_count - place) * sizeof(struct callee *));
    if (place < reg->cursor)
        reg->cursor--;
    list_remove(&callee->in_session);
    callee->session->registration_count--;
    map_remove(&core->dealer.callees, callee->session->id, reg->id);
    mem_free(callee);
    if (reg->callee_count == 0)
        registration_free(core, reg);
}

void dealer_leave(struct core *core, struct session *session)
{
    list_each (&session->callees, node, after)
        detach(core, container_of(node, struct callee, in_session));
}

/* Why a session may not join a registration that exists, in words; NULL: it may. */
static const char *conflict_of(const struct registration *reg, enum invoke invoke)
{
    if (reg->invoke == INVOKE_SINGLE)
        return "the procedure is registered already";
    if (reg->invoke != invoke)
        return "the procedure is registered already with another invocation policy";
    return NULL;
}

/* What is wrong with a REGISTER, as the URI of an ERROR; NULL: nothing. */
static const char *fault_of(const struct core *core, const struct session *session,
                            const struct msg *msg, const struct options *options,
                            const struct registration *reg, const char **words)
{
    if (!uri_is_valid(msg->text, options->match, core->options.strict_uris)) {
        *words = "REGISTER.Procedure is not a valid URI for its match policy";
        return WAMP_INVALID_URI;
    }
    if (uri_is_reserved(msg->text, options->match)) {
        *words = "REGISTER.Procedure is reserved: it begins with \"wamp\"";
        return WAMP_INVALID_URI;
    }
    if (reg != NULL && (*words = conflict_of(reg, options->invoke)) != NULL)
        return WAMP_PROCEDURE_ALREADY_EXISTS;
    if (session->registration_count >= core->options.max_registrations &&
        (reg == NULL || map_get(&core->dealer.callees, session->id, reg->id) == NULL)) {
        *words = "too many registrations in this session (max_registrations)";
        return WAMP_OPTION_NOT_ALLOWED;
    }
    return NULL;
}

void dealer_register(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options)
{
    struct match_entry *entry = match_find(&core->dealer.index, options->match, msg->text);
    struct registration *reg =
        entry == NULL ? NULL : container_of(entry, struct registration, entry);
    const char *words, *error = fault_of(core, session, msg, options, reg, &words);

    if (error != NULL) {
        session_send_error(core, session, MSG_REGISTER, msg->id, error, words);
        return;
    }
    if (reg == NULL)
        reg = registration_new(core, msg, options);
    if (map_get(&core->dealer.callees, session->id, reg->id) == NULL)
        attach(core, reg, session);
    session_send(core, session, reply_done(session->codec, MSG_REGISTERED, msg->id, reg->id));
}

void dealer_unregister(struct core *core, struct session *session, const struct msg *msg)
{
    struct callee *callee = map_get(&core->dealer.callees, session->id, msg->second);

    if (callee == NULL) {
        session_send_error(core, session, MSG_UNREGISTER, msg->id, WAMP_NO_SUCH_REGISTRATION,
                           "the session has no registration with this id");
        return;
    }
    detach(core, callee);
    session_send(core, session, reply_done(session->codec, MSG_UNREGISTERED, msg->id, 0));
}

struct registration *dealer_match(const struct core *core, struct slice uri)
{
    struct match_entry *entry;

    if (uri_is_reserved(uri, MATCH_EXACT))
        return NULL;
    entry = match_best(&core->dealer.index, uri);
    return entry == NULL ? NULL : container_of(entry, struct registration, entry);
}

struct callee *dealer_choose(struct core *core, struct registration *reg)
{
    switch (reg->invoke) {
    case INVOKE_ROUNDROBIN:
        if (reg->cursor >= reg->callee_count)
            reg->cursor = 0;
        return reg->callees[reg->cursor++];
    case INVOKE_RANDOM:
        return reg->callees[rng_below(&core->rng, reg->callee_count)];
    case INVOKE_LAST:
        return reg->callees[reg->callee_count - 1];
    case INVOKE_SINGLE:
    case INVOKE_FIRST:
    case INVOKE_COUNT:
        break;
    }
    return reg->callees[0];
}

void dealer_check(const struct core *core)
{
    const struct dealer *dealer = &core->dealer;
    const struct map_entry *at;
    size_t i = 0, callees = 0;

    CHECK(match_count(&dealer->index) == dealer->by_id.count);
    CHECK(core->counters.registrations == dealer->by_id.count);
    while ((at = map_next(&dealer->by_id, &i)) != NULL) {
        struct registration *reg = at->value;

        CHECK(reg->id == at->a && reg->id <= core->last_id);
        CHECK(match_find(&dealer->index, reg->entry.match, reg->entry.uri) == &reg->entry);
        CHECK(reg->callee_count > 0);
        CHECK(reg->invoke != INVOKE_SINGLE || reg->callee_count == 1);
        callees += reg->callee_count;
        for (size_t c = 0; c < reg->callee_count; c++) {
            const struct callee *callee = reg->callees[c];

            CHECK(callee->registration == reg);
            CHECK(callee->session->state == SESSION_ESTABLISHED);
            CHECK(map_get(&core->by_id, callee->session->id, 0) == callee->session);
            CHECK(map_get(&dealer->callees, callee->session->id, reg->id) == callee);
        }
    }
    CHECK(callees == dealer->callees.count);
}
