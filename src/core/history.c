/* history.c -- see history.h; and the procedure that asks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/history.h"

#include "base/instant.h"
#include "core/limits.h"
#include "core/meta_priv.h"
#include "core/permit.h"
#include "wire/errors.h"

/* ---- keeping ---- */

/* The filters that can be applied to whoever asks later: who it is, and nothing that changes. */
static bool is_loggable(const struct publication *pub)
{
    if (publish_has_audience(pub))
        return false;
    for (unsigned i = 0; i < pub->filters.count; i++)
        if (!pub->filters.filters[i].by_identity)
            return false;
    return true;
}

void history_keep(struct publication *pub, const struct subscription *sub)
{
    struct core *core = pub->core;

    if (!is_loggable(pub) || (pub->is_meta && !core_reserves(core, sub->entry.uri)))
        return;
    core->store.ops->log_append(core->store.store, sub->log, publish_record(pub), core->wall);
}

/* ---- asking ---- */

static const char *take_bool(struct meta_call *call, const char *name, bool *value)
{
    struct meta_arg arg = meta_kwarg(call, name);

    if (!arg.is_there)
        return NULL;
    if (arg.token.type != TOKEN_BOOL)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "%s: expected a boolean", name);
    *value = arg.token.boolean;
    return NULL;
}

static const char *take_limit(struct meta_call *call, uint64_t *limit)
{
    struct meta_arg arg = meta_kwarg(call, "limit");
    uint64_t most = call->core->options.history_max_result;

    if (!arg.is_there)
        arg = call->args[1];
    *limit = most;
    if (!arg.is_there)
        return NULL;
    if (!token_is_natural(&arg.token, limit) || *limit == 0)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "limit: expected an integer of at least 1");
    if (*limit > most)
        *limit = most;
    return NULL;
}

/* One of the four times, as the instant that it names. */
static const char *take_instant(struct meta_call *call, const char *name, bool rounds_up,
                                bool *is_there, uint64_t *instant)
{
    struct slice text = {0};
    const char *error = meta_take_text(call, name, MAX_META_ARGS, &text);

    *is_there = error == NULL && text.data != NULL;
    if (!*is_there)
        return error;
    if (rounds_up ? instant_parse_up(text, instant) : instant_parse(text, instant))
        return NULL;
    return meta_error(call, WAMP_INVALID_ARGUMENT,
                      "%s: expected a date and time of RFC 3339, like 2026-01-02T03:04:05.678Z",
                      name);
}

static const char *take_times(struct meta_call *call, struct log_query *query)
{
    /* What is at or after, or before, a part of a millisecond begins or ends with the next. */
    static const char *const names[] = {"from_time", "after_time", "until_time", "before_time"};
    static const bool rounds_up[] = {true, false, false, true};
    uint64_t instants[ARRAY_LEN(names)] = {0};
    bool is_there[ARRAY_LEN(names)];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *error = take_instant(call, names[i], rounds_up[i], &is_there[i], &instants[i]);

        if (error != NULL)
            return error;
    }
    query->until_wall = UINT64_MAX;
    if (is_there[0])
        query->from_wall = instants[0];
    if (is_there[1] && instants[1] + 1 > query->from_wall)
        query->from_wall = instants[1] + 1;
    if (is_there[2])
        query->until_wall = instants[2];
    if (is_there[3] && instants[3] == 0)
        query->from_wall = UINT64_MAX; /* nothing is before the first instant */
    else if (is_there[3] && instants[3] - 1 < query->until_wall)
        query->until_wall = instants[3] - 1;
    return NULL;
}

static const char *take_publication(struct meta_call *call, const char *name, uint64_t *id)
{
    struct meta_arg arg = meta_kwarg(call, name);

    if (!arg.is_there || token_is_id(&arg.token, id))
        return NULL;
    return meta_error(call, WAMP_INVALID_ARGUMENT, "%s: expected an id in [1, 2^53]", name);
}

static const char *take_query(struct meta_call *call, struct log_query *query)
{
    const char *error = take_bool(call, "reverse", &query->is_reverse);

    if (error == NULL)
        error = take_limit(call, &query->limit);
    if (error == NULL)
        error = take_times(call, query);
    if (error == NULL)
        error = meta_take_text(call, "topic", MAX_META_ARGS, &query->topic);
    if (error == NULL)
        error = take_publication(call, "from_publication", &query->from_publication);
    if (error == NULL)
        error = take_publication(call, "after_publication", &query->after_publication);
    if (error == NULL)
        error = take_publication(call, "until_publication", &query->until_publication);
    if (error == NULL)
        error = take_publication(call, "before_publication", &query->before_publication);
    return error;
}

/* A query at work: whom the answer is for, and where it is written. */
struct asking {
    struct meta_call *call;
    const struct subscription *sub;
    bool has_event; /* in the answer */
    bool is_full;   /* the next event would have made the answer too long */
};

static bool is_eligible(const struct asking *asking, const struct record *record)
{
    struct core *core = asking->call->core;
    struct options options;
    struct filter_set filters;
    struct fault fault;

    return !record->is_restricted ||
           (options_read(&options, &record->msg, &core->scratch, &fault) == 0 &&
            filters_build(&filters, &options, record->msg.codec, &core->intern,
                          core->options.empty_eligible_is_absent, &core->scratch, &fault) == 0 &&
            filters_pass(&filters, asking->call->caller));
}

/* What follows an event without room is left out, too: the caller asks for it by position. */
static bool is_for_caller(void *ctx, struct record *record)
{
    struct asking *asking = ctx;

    if (asking->is_full || !is_eligible(asking, record))
        return false;
    asking->is_full =
        asking->has_event && asking->call->results->out.len + record->size > MAX_HISTORY_RESULT_LEN;
    return !asking->is_full;
}

static void put_event(void *ctx, struct record *record)
{
    struct asking *asking = ctx;
    struct encoder *e = asking->call->results;
    const struct identity identity = {record->publisher, record->authid, record->authrole};
    bool is_pattern = asking->sub->entry.match != MATCH_EXACT;
    char text[INSTANT_LEN];
    struct options options;
    struct fault fault;

    if (options_read(&options, &record->msg, &asking->call->core->scratch, &fault) < 0)
        return;
    asking->has_event = true;
    encode_map(e, COUNT_UNKNOWN);
    encode_text(e, SLICE("timestamp"));
    encode_text(e, instant_format(record->wall, text));
    encode_text(e, SLICE("subscription"));
    encode_uint(e, asking->sub->id);
    encode_text(e, SLICE("publication"));
    encode_uint(e, record->publication);
    encode_text(e, SLICE("details"));
    reply_encode_details(e, &(struct forward){
                                .codec = e->codec,
                                .uri_key = is_pattern ? "topic" : NULL,
                                .uri = record->msg.text,
                                .identity_key = "publisher",
                                .identity = record->is_disclosed ? &identity : NULL,
                                .trustlevel = record->trustlevel,
                                .options = &options,
                                .payload = &record->msg.payload,
                            });
    reply_encode_arguments(e, &record->msg.payload);
    encode_end(e);
}

const char *meta_subscription_get_events(struct meta_call *call)
{
    struct core *core = call->core;
    struct asking asking = {.call = call};
    struct log_query query = {.wants = is_for_caller, .found = put_event, .ctx = &asking};
    struct log_answer answer;
    struct grant grant;
    void *sub;
    const char *error = meta_need_known(call, 0, "subscription", &core->broker.by_id,
                                        WAMP_NO_SUCH_SUBSCRIPTION, &sub);

    if (error == NULL)
        error = take_query(call, &query);
    if (error != NULL)
        return error;
    asking.sub = sub;
    if (permit_judge(core, call->caller, RULE_SUBSCRIBE, asking.sub->entry.match,
                     asking.sub->entry.uri, &grant) != RULE_ALLOW)
        return meta_error(call, WAMP_NOT_AUTHORIZED,
                          "the role of the session does not allow to subscribe to this");
    if (asking.sub->log == NULL)
        return meta_error(call, WAMP_HISTORY_UNAVAILABLE,
                          "the realm keeps no history of this subscription (event_history)");
    if (core->options.history_result_is_list)
        encode_list(call->results, COUNT_UNKNOWN);
    core->store.ops->log_query(core->store.store, asking.sub->log, &query, core->wall, &answer);
    if (core->options.history_result_is_list)
        encode_end(call->results);
    encode_text(call->kwresults, SLICE("is_limit_reached"));
    encode_bool(call->kwresults, answer.is_full);
    encode_text(call->kwresults, SLICE("more"));
    encode_bool(call->kwresults, answer.is_more || asking.is_full);
    return NULL;
}
