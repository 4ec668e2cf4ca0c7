/* dealer.c -- see dealer.h. Calls in flight are in calls.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/dealer.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/calls.h"
#include "core/core_priv.h"
#include "core/ids.h"
#include "core/meta_events.h"
#include "core/reply.h"
#include "core/send.h"
#include "wire/errors.h"

#include <stdio.h>

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
    calls_fini(core);
}

static struct registration *registration_new(struct core *core, uint64_t id, const struct msg *msg,
                                             const struct options *options)
{
    struct registration *reg = mem_alloc(sizeof *reg + msg->text.len);

    *reg = (struct registration){.id = id, .created = core->wall, .invoke = options->invoke};
    if (msg->text.len != 0)
        memcpy(reg->uri, msg->text.data, msg->text.len);
    list_init(&reg->waiting);
    reg->entry = (struct match_entry){slice_make(reg->uri, msg->text.len), options->match};
    match_insert(&core->dealer.index, &reg->entry);
    map_put(&core->dealer.by_id, reg->id, 0, reg);
    core->counters.registrations++;
    return reg;
}

static void registration_free(struct core *core, struct registration *reg)
{
    calls_end_waiting(core, reg);
    match_remove(&core->dealer.index, &reg->entry);
    map_remove(&core->dealer.by_id, reg->id, 0);
    core->counters.registrations--;
    mem_free(reg->callees);
    mem_free(reg);
}

/* What a callee asks for in REGISTER; again when it registers the same once more. */
static void set_options(struct callee *callee, const struct options *options)
{
    char id[24];
    struct slice nkey = options->nkey;

    if (nkey.len == 0)
        nkey = slice_make(
            id, (size_t)snprintf(id, sizeof id, "%llu", (unsigned long long)callee->session->id));
    mem_free((void *)(uintptr_t)callee->nkey.data);
    callee->nkey = slice_make(mem_copy(nkey.data, nkey.len), nkey.len);
    callee->disclose_caller = options->disclose_caller;
    callee->forward_timeout = options->forward_timeout;
    callee->concurrency = options->concurrency;
}

static struct callee *attach(struct core *core, struct registration *reg, struct session *session)
{
    struct callee *callee = mem_alloc(sizeof *callee);

    if (reg->callee_count == reg->callee_cap) {
        reg->callee_cap = reg->callee_cap == 0 ? 1 : reg->callee_cap * 2;
        reg->callees = mem_grow(reg->callees, reg->callee_cap * sizeof(struct callee *));
    }
    *callee = (struct callee){.session = session, .registration = reg, .turn = session->turn};
    reg->callees[reg->callee_count++] = callee;
    list_append(&session->callees, &callee->in_session);
    session->registration_count++;
    map_put(&core->dealer.callees, session->id, reg->id, callee);
    return callee;
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
    struct session *session = callee->session;
    uint64_t id = reg->id;
    size_t place = place_of(reg, callee);
    bool is_last = reg->callee_count == 1;

    recheck_forget(core, session, id);
    reg->callee_count--;
    memmove(reg->callees + place, reg->callees + place + 1,
            (reg->callee_count - place) * sizeof(struct callee *));
    if (place < reg->cursor)
        reg->cursor--;
    list_remove(&callee->in_session);
    session->registration_count--;
    map_remove(&core->dealer.callees, session->id, id);
    calls_forget_callee(callee);
    mem_free((void *)(uintptr_t)callee->nkey.data);
    mem_free(callee);
    if (is_last)
        registration_free(core, reg);
    meta_on_registration(core, "wamp.registration.on_unregister", session, id);
    if (is_last)
        meta_on_registration(core, "wamp.registration.on_delete", session, id);
}

static void send_revoked(struct core *core, const struct callee *callee, const char *reason)
{
    const struct session *session = callee->session;

    if ((session->features & CALLEE_REGISTRATION_REVOCATION) != 0)
        send_reply(core, session,
                   reply_revoked(session->codec, MSG_UNREGISTERED, "registration",
                                 callee->registration->id, reason));
}

void dealer_revoke(struct core *core, struct callee *callee, const char *reason)
{
    send_revoked(core, callee, reason);
    detach(core, callee);
}

void dealer_leave(struct core *core, struct session *session)
{
    struct ids ids;

    if (!meta_is_heard(core)) { /* nobody sees the order */
        list_each (&session->callees, node, after)
            detach(core, container_of(node, struct callee, in_session));
        return;
    }
    ids = ids_new(&core->scratch, session->registration_count);
    list_each (&session->callees, node, after)
        ids_add(&ids, container_of(node, struct callee, in_session)->registration->id);
    ids_sort(&ids);
    for (size_t i = 0; i < ids.count; i++)
        detach(core, map_get(&core->dealer.callees, session->id, ids.of[i]));
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
    if (core_reserves_from(core, session, msg->text)) {
        *words = "REGISTER.Procedure is reserved for the router (reserved_prefixes)";
        return WAMP_INVALID_URI;
    }
    if (reg != NULL && (*words = conflict_of(reg, options->invoke)) != NULL)
        return WAMP_PROCEDURE_ALREADY_EXISTS;
    if (!session->is_trusted && session->registration_count >= core->options.max_registrations &&
        (reg == NULL || map_get(&core->dealer.callees, session->id, reg->id) == NULL)) {
        *words = "too many registrations in this session (max_registrations)";
        return WAMP_OPTION_NOT_ALLOWED;
    }
    return NULL;
}

/* Whether the session may take the registration away from its present callees. */
static bool may_force(const struct core *core, const struct session *session,
                      const struct registration *reg)
{
    if (session->is_trusted)
        return true;
    for (size_t i = 0; i < reg->callee_count; i++)
        if (reg->callees[i]->session->authid != session->authid)
            return false;
    return core->options.allow_force_reregister;
}

static void detach_all(struct core *core, struct registration *reg)
{
    size_t left = reg->callee_count;

    /* The last one frees the registration. */
    while (left-- > 0)
        detach(core, reg->callees[0]);
}

/* The registration with the identity that the message asks for, or NULL. */
static struct registration *find_same(const struct core *core, const struct msg *msg,
                                      const struct options *options)
{
    struct match_entry *entry = match_find(&core->dealer.index, options->match, msg->text);

    return entry == NULL ? NULL : container_of(entry, struct registration, entry);
}

/* Nothing is wrong with the REGISTER. Those who lose it are told, then the reply goes out, then the
 * events that all this causes. */
static void join(struct core *core, struct session *session, struct registration *reg,
                 const struct msg *msg, const struct options *options)
{
    bool is_taken_over = reg != NULL && options->force_reregister;
    bool is_new = reg == NULL || is_taken_over;
    uint64_t id = is_new ? ++core->last_id : reg->id;
    struct callee *callee = NULL;

    for (size_t i = 0; is_taken_over && i < reg->callee_count; i++)
        send_revoked(core, reg->callees[i], WAMP_UNREGISTERED);
    send_reply(core, session, reply_done(session->codec, MSG_REGISTERED, msg->id, id));
    if (is_taken_over)
        detach_all(core, reg);
    if (is_new) {
        reg = registration_new(core, id, msg, options);
        meta_on_registration_create(core, reg, session);
    } else {
        callee = map_get(&core->dealer.callees, session->id, id);
    }
    if (callee == NULL) {
        callee = attach(core, reg, session);
        meta_on_registration(core, "wamp.registration.on_register", session, id);
    }
    set_options(callee, options);
    calls_serve_waiting(core, reg);
}

void dealer_register(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options)
{
    struct registration *reg = find_same(core, msg, options);
    const char *words = NULL;
    const char *error =
        fault_of(core, session, msg, options, options->force_reregister ? NULL : reg, &words);

    if (error == NULL && reg != NULL && options->force_reregister &&
        !may_force(core, session, reg)) {
        words = "force_reregister: the procedure belongs to another authid";
        error = WAMP_NOT_AUTHORIZED;
    }
    if (error != NULL)
        send_error(core, session, MSG_REGISTER, msg->id, error, words);
    else
        join(core, session, reg, msg, options);
}

void dealer_unregister(struct core *core, struct session *session, const struct msg *msg)
{
    struct callee *callee = map_get(&core->dealer.callees, session->id, msg->second);

    if (callee == NULL) {
        send_error(core, session, MSG_UNREGISTER, msg->id, WAMP_NO_SUCH_REGISTRATION,
                   "the session has no registration with this id");
        return;
    }
    send_reply(core, session, reply_done(session->codec, MSG_UNREGISTERED, msg->id, 0));
    detach(core, callee);
}

struct registration *dealer_match(const struct core *core, struct slice uri)
{
    struct match_entry *entry = match_best(&core->dealer.index, uri);

    /* Nobody else speaks for a reserved name, not even with a pattern that covers it. */
    if (UNLIKELY(core_reserves(core, uri)) && entry != NULL && !core_reserves(core, entry->uri))
        return NULL;
    return entry == NULL ? NULL : container_of(entry, struct registration, entry);
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
