/* meta_subscription.c -- wamp.subscription.*: who listens to what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/meta_events.h"
#include "core/meta_priv.h"
#include "wire/errors.h"

static uint64_t id_of(struct match_entry *entry)
{
    return container_of(entry, struct subscription, entry)->id;
}

const char *meta_subscription_list(struct meta_call *call)
{
    meta_put_index(call, &call->core->broker.index, id_of);
    return NULL;
}

const char *meta_subscription_lookup(struct meta_call *call)
{
    struct slice uri;
    enum match match = MATCH_EXACT;
    struct match_entry *entry;
    const char *error = meta_need_text(call, 0, "topic", &uri);

    if (error == NULL)
        error = meta_take_match(call, 1, &match);
    if (error != NULL)
        return error;
    entry = match_find(&call->core->broker.index, match, uri);
    meta_put_found(call, entry == NULL ? 0 : id_of(entry));
    return NULL;
}

static void count_one(void *ctx, struct match_entry *entry)
{
    (void)entry;
    ++*(size_t *)ctx;
}

static void add_id(void *ctx, struct match_entry *entry)
{
    ids_add(ctx, id_of(entry));
}

const char *meta_subscription_match(struct meta_call *call)
{
    const struct core *core = call->core;
    struct slice uri;
    struct ids ids;
    size_t count = 0;
    const char *error = meta_need_text(call, 0, "topic", &uri);

    if (error != NULL)
        return error;
    if (uri_is_valid(uri, MATCH_EXACT, core->options.strict_uris))
        match_all(&core->broker.index, uri, count_one, &count);
    if (count == 0) {
        meta_put_found(call, 0);
        return NULL;
    }
    ids = ids_new(&call->core->scratch, count);
    match_all(&core->broker.index, uri, add_id, &ids);
    meta_put_ids(call, &ids);
    return NULL;
}

/* The subscription that the first argument names. */
static const char *take_subscription(struct meta_call *call, struct subscription **sub)
{
    void *found;
    const char *error = meta_need_known(call, 0, "subscription", &call->core->broker.by_id,
                                        WAMP_NO_SUCH_SUBSCRIPTION, &found);

    *sub = found;
    return error;
}

const char *meta_subscription_get(struct meta_call *call)
{
    struct subscription *sub;
    const char *error = take_subscription(call, &sub);

    if (error != NULL)
        return error;
    meta_encode_subscription(call->results, sub);
    return NULL;
}

const char *meta_subscription_list_subscribers(struct meta_call *call)
{
    struct subscription *sub;
    struct ids ids;
    const char *error = take_subscription(call, &sub);

    if (error != NULL)
        return error;
    ids = ids_new(&call->core->scratch, sub->member_count);
    for (size_t i = 0; i < sub->member_count; i++)
        ids_add(&ids, sub->members[i]->session->id);
    ids_sort(&ids);
    meta_put_ids(call, &ids);
    return NULL;
}

const char *meta_subscription_count_subscribers(struct meta_call *call)
{
    struct subscription *sub;
    const char *error = take_subscription(call, &sub);

    if (error != NULL)
        return error;
    encode_uint(call->results, sub->member_count);
    return NULL;
}

const char *meta_subscription_remove_subscriber(struct meta_call *call)
{
    struct subscription *sub;
    struct member *member;
    uint64_t session = 0;
    const char *reason, *error = take_subscription(call, &sub);

    if (error != NULL)
        return error;
    error = meta_need_id(call, 1, "subscriber", &session);
    if (error == NULL)
        error = meta_take_reason(call, 2, NULL, &reason);
    if (error != NULL)
        return error;
    member = map_get(&call->core->broker.members, session, sub->id);
    if (member == NULL)
        return meta_error(call, WAMP_NO_SUCH_SESSION,
                          "session %llu is no subscriber of the subscription",
                          (unsigned long long)session);
    broker_revoke(call->core, member, reason);
    return NULL;
}
