/* meta_registration.c -- wamp.registration.*: what is registered, and by whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/meta_events.h"
#include "core/meta_priv.h"
#include "wire/errors.h"

static uint64_t id_of(struct match_entry *entry)
{
    return container_of(entry, struct registration, entry)->id;
}

const char *meta_registration_list(struct meta_call *call)
{
    meta_put_index(call, &call->core->dealer.index, id_of);
    return NULL;
}

const char *meta_registration_lookup(struct meta_call *call)
{
    struct slice uri;
    enum match match = MATCH_EXACT;
    struct match_entry *entry;
    const char *error = meta_need_text(call, 0, "procedure", &uri);

    if (error == NULL)
        error = meta_take_match(call, 1, &match);
    if (error != NULL)
        return error;
    entry = match_find(&call->core->dealer.index, match, uri);
    meta_put_found(call, entry == NULL ? 0 : id_of(entry));
    return NULL;
}

const char *meta_registration_match(struct meta_call *call)
{
    struct slice uri;
    const struct registration *reg = NULL;
    const char *error = meta_need_text(call, 0, "procedure", &uri);

    if (error != NULL)
        return error;
    if (uri_is_valid(uri, MATCH_EXACT, call->core->options.strict_uris))
        reg = dealer_match(call->core, uri);
    meta_put_found(call, reg == NULL ? 0 : reg->id);
    return NULL;
}

/* The registration that the first argument names. */
static const char *take_registration(struct meta_call *call, struct registration **reg)
{
    void *found;
    const char *error = meta_need_known(call, 0, "registration", &call->core->dealer.by_id,
                                        WAMP_NO_SUCH_REGISTRATION, &found);

    *reg = found;
    return error;
}

const char *meta_registration_get(struct meta_call *call)
{
    struct registration *reg;
    const char *error = take_registration(call, &reg);

    if (error != NULL)
        return error;
    meta_encode_registration(call->results, reg);
    return NULL;
}

const char *meta_registration_list_callees(struct meta_call *call)
{
    struct registration *reg;
    struct ids ids;
    const char *error = take_registration(call, &reg);

    if (error != NULL)
        return error;
    ids = ids_new(&call->core->scratch, reg->callee_count);
    for (size_t i = 0; i < reg->callee_count; i++)
        ids_add(&ids, reg->callees[i]->session->id);
    meta_put_ids(call, &ids);
    return NULL;
}

const char *meta_registration_count_callees(struct meta_call *call)
{
    struct registration *reg;
    const char *error = take_registration(call, &reg);

    if (error != NULL)
        return error;
    encode_uint(call->results, reg->callee_count);
    return NULL;
}

const char *meta_registration_remove_callee(struct meta_call *call)
{
    struct registration *reg;
    struct callee *callee;
    uint64_t session = 0;
    const char *reason, *error = take_registration(call, &reg);

    if (error != NULL)
        return error;
    error = meta_need_id(call, 1, "callee", &session);
    if (error == NULL)
        error = meta_take_reason(call, 2, NULL, &reason);
    if (error != NULL)
        return error;
    callee = map_get(&call->core->dealer.callees, session, reg->id);
    if (callee == NULL)
        return meta_error(call, WAMP_NO_SUCH_SESSION,
                          "session %llu is no callee of the registration",
                          (unsigned long long)session);
    dealer_revoke(call->core, callee, reason);
    return NULL;
}
