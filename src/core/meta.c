/* meta.c -- see meta.h: the table of procedures, and what they have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/meta.h"

#include "core/details.h"
#include "core/meta_priv.h"
#include "core/notice.h"
#include "core/reply.h"
#include "core/send.h"
#include "wire/errors.h"

#include <stdarg.h>
#include <stdio.h>

/* Who may call it, and when it exists. */
enum meta_flag {
    FOR_ALL,
    FOR_ADMINS,
    FOR_ADMINS_IF_MODIFY, /* with the knob enable_modify_details */
};

struct procedure {
    struct slice uri;
    meta_handler_fn *handler;
    enum meta_flag flag;
};

#define PROCEDURE(uri, handler, flag)                         \
    {                                                         \
        {"wamp." uri, sizeof("wamp." uri) - 1}, handler, flag \
    }

/* What the router does for administrators beyond the protocol. */
#define OWN_PROCEDURE(uri, handler)                                   \
    {                                                                 \
        {"nexus." uri, sizeof("nexus." uri) - 1}, handler, FOR_ADMINS \
    }

static const char *tls_reload(struct meta_call *call)
{
    outbox_admin(call->core->out, ADMIN_RELOAD_TLS, call->caller->peer, call->msg->id,
                 notice_admin(call->core, call->caller));
    call->is_late = true;
    return NULL;
}

static const struct procedure procedures[] = {
    OWN_PROCEDURE("tls.reload", tls_reload),
    PROCEDURE("session.count", meta_session_count, FOR_ALL),
    PROCEDURE("session.list", meta_session_list, FOR_ALL),
    PROCEDURE("session.get", meta_session_get, FOR_ALL),
    PROCEDURE("session.kill", meta_session_kill, FOR_ADMINS),
    PROCEDURE("session.kill_by_authid", meta_session_kill_by_authid, FOR_ADMINS),
    PROCEDURE("session.kill_by_authrole", meta_session_kill_by_authrole, FOR_ADMINS),
    PROCEDURE("session.kill_all", meta_session_kill_all, FOR_ADMINS),
    PROCEDURE("session.modify_details", meta_session_modify_details, FOR_ADMINS_IF_MODIFY),
    PROCEDURE("session.add_testament", meta_add_testament, FOR_ALL),
    PROCEDURE("session.flush_testaments", meta_flush_testaments, FOR_ALL),
    PROCEDURE("registration.list", meta_registration_list, FOR_ALL),
    PROCEDURE("registration.lookup", meta_registration_lookup, FOR_ALL),
    PROCEDURE("registration.match", meta_registration_match, FOR_ALL),
    PROCEDURE("registration.get", meta_registration_get, FOR_ALL),
    PROCEDURE("registration.list_callees", meta_registration_list_callees, FOR_ALL),
    PROCEDURE("registration.count_callees", meta_registration_count_callees, FOR_ALL),
    PROCEDURE("registration.remove_callee", meta_registration_remove_callee, FOR_ADMINS),
    PROCEDURE("subscription.list", meta_subscription_list, FOR_ALL),
    PROCEDURE("subscription.lookup", meta_subscription_lookup, FOR_ALL),
    PROCEDURE("subscription.match", meta_subscription_match, FOR_ALL),
    PROCEDURE("subscription.get", meta_subscription_get, FOR_ALL),
    PROCEDURE("subscription.list_subscribers", meta_subscription_list_subscribers, FOR_ALL),
    PROCEDURE("subscription.count_subscribers", meta_subscription_count_subscribers, FOR_ALL),
    /* as another router spells it, and its clients do */
    PROCEDURE("subscription.count_suscribers", meta_subscription_count_subscribers, FOR_ALL),
    PROCEDURE("subscription.remove_subscriber", meta_subscription_remove_subscriber, FOR_ADMINS),
    PROCEDURE("subscription.get_events", meta_subscription_get_events, FOR_ALL),
    PROCEDURE("reflection.procedure.list", meta_reflection_procedure_list, FOR_ALL),
    PROCEDURE("reflection.topic.list", meta_reflection_topic_list, FOR_ALL),
    PROCEDURE("reflection.error.list", meta_reflection_error_list, FOR_ALL),
    PROCEDURE("reflection.procedure.describe", meta_reflection_procedure_describe, FOR_ALL),
    PROCEDURE("reflection.topic.describe", meta_reflection_topic_describe, FOR_ALL),
    PROCEDURE("reflection.error.describe", meta_reflection_error_describe, FOR_ALL),
    PROCEDURE("reflect.define", meta_reflect_define, FOR_ADMINS),
    PROCEDURE("reflect.describe", meta_reflect_describe, FOR_ALL),
};

/* ---- arguments ---- */

const char *meta_error(struct meta_call *call, const char *uri, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(call->words, sizeof call->words, format, args);
    va_end(args);
    return uri;
}

static struct meta_arg arg_of(const struct dict_walk *entry)
{
    return (struct meta_arg){true, entry->token.type != TOKEN_NULL, entry->token, entry->value};
}

static void read_args(struct meta_call *call)
{
    struct dict_walk item;
    unsigned count = 0;

    if (call->msg->payload.kind != PAYLOAD_ARGS)
        return;
    list_walk(&item, call->codec, call->msg->payload.args, &call->core->scratch);
    while (count < MAX_META_ARGS && list_next(&item))
        call->args[count++] = arg_of(&item);
}

struct meta_arg meta_kwarg(const struct meta_call *call, const char *name)
{
    struct meta_arg arg = {0};
    struct dict_walk entry;

    if (call->msg->payload.kind != PAYLOAD_ARGS)
        return arg;
    dict_walk(&entry, call->codec, call->msg->payload.kwargs, &call->core->scratch);
    while (dict_next(&entry))
        if (slice_eq(entry.key, slice_of(name)))
            arg = arg_of(&entry);
    return arg;
}

const char *meta_need_id(struct meta_call *call, unsigned place, const char *name, uint64_t *id)
{
    const struct meta_arg *arg = &call->args[place];

    if (arg->is_there && token_is_id(&arg->token, id))
        return NULL;
    return meta_error(call, WAMP_INVALID_ARGUMENT, "argument %u (%s): expected an id in [1, 2^53]",
                      place + 1, name);
}

const char *meta_need_known(struct meta_call *call, unsigned place, const char *name,
                            const struct map *map, const char *unknown_uri, void **found)
{
    uint64_t id = 0;
    const char *error = meta_need_id(call, place, name, &id);

    *found = error == NULL ? map_get(map, id, 0) : NULL;
    if (error != NULL || *found != NULL)
        return error;
    return meta_error(call, unknown_uri, "there is no %s with id %llu", name,
                      (unsigned long long)id);
}

const char *meta_need_text(struct meta_call *call, unsigned place, const char *name,
                           struct slice *text)
{
    const struct meta_arg *arg = &call->args[place];

    *text = (struct slice){0};
    if (!arg->is_there || arg->token.type != TOKEN_TEXT)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument %u (%s): expected a string",
                          place + 1, name);
    *text = arg->token.text;
    return NULL;
}

const char *meta_take_text(struct meta_call *call, const char *name, unsigned place,
                           struct slice *text)
{
    struct meta_arg arg = meta_kwarg(call, name);

    if (!arg.is_there && place < MAX_META_ARGS)
        arg = call->args[place];
    if (!arg.is_there)
        return NULL;
    if (arg.token.type != TOKEN_TEXT)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "%s: expected a string", name);
    *text = arg.token.text;
    return NULL;
}

const char *meta_take_reason(struct meta_call *call, unsigned place, const char *fallback,
                             const char **reason)
{
    struct meta_arg arg = meta_kwarg(call, "reason");
    char *copy;

    if (!arg.is_given && place < MAX_META_ARGS)
        arg = call->args[place];
    *reason = fallback;
    if (!arg.is_given)
        return NULL;
    if (arg.token.type != TOKEN_TEXT || arg.token.text.len == 0 ||
        !uri_is_valid(arg.token.text, MATCH_EXACT, false))
        return meta_error(call, WAMP_INVALID_URI, "reason: expected a URI");
    copy = arena_alloc(&call->core->scratch, arg.token.text.len + 1);
    memcpy(copy, arg.token.text.data, arg.token.text.len);
    copy[arg.token.text.len] = '\0';
    *reason = copy;
    return NULL;
}

const char *meta_take_match(struct meta_call *call, unsigned place, enum match *match)
{
    const struct meta_arg *arg = &call->args[place];
    struct dict_walk entry;
    bool is_known = true;

    *match = MATCH_EXACT;
    if (!arg->is_there)
        return NULL;
    if (arg->token.type != TOKEN_MAP)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument %u (options): expected a dict",
                          place + 1);
    dict_walk(&entry, call->codec, arg->value, &call->core->scratch);
    while (dict_next(&entry)) {
        if (!slice_eq(entry.key, SLICE("match")))
            continue;
        is_known = false;
        for (unsigned i = 0; i < MATCH_COUNT; i++) {
            if (entry.token.type != TOKEN_TEXT ||
                !slice_eq(entry.token.text, slice_of(match_name((enum match)i))))
                continue;
            *match = (enum match)i;
            is_known = true;
        }
    }
    if (is_known)
        return NULL;
    return meta_error(call, WAMP_INVALID_ARGUMENT,
                      "options.match: expected \"exact\", \"prefix\" or \"wildcard\"");
}

/* ---- results ---- */

void meta_put_found(struct meta_call *call, uint64_t id)
{
    if (id == 0 && !call->core->options.lookup_miss_is_zero)
        encode_null(call->results);
    else
        encode_uint(call->results, id);
}

void meta_put_ids(struct meta_call *call, const struct ids *ids)
{
    encode_list(call->results, ids->count);
    for (size_t i = 0; i < ids->count; i++)
        encode_uint(call->results, ids->of[i]);
    encode_end(call->results);
}

void meta_put_index(struct meta_call *call, const struct match_index *index, meta_id_fn *id_of)
{
    encode_map(call->results, MATCH_COUNT);
    for (unsigned match = 0; match < MATCH_COUNT; match++) {
        const struct strmap *entries = &index->by_uri[match];
        struct ids ids = ids_new(&call->core->scratch, entries->count);
        const struct strmap_entry *at;
        size_t i = 0;

        while ((at = strmap_next(entries, &i)) != NULL)
            ids_add(&ids, id_of(at->value));
        ids_sort(&ids);
        encode_text(call->results, slice_of(match_name((enum match)match)));
        meta_put_ids(call, &ids);
    }
    encode_end(call->results);
}

static struct blob *make_result(struct meta_call *call, struct slice results,
                                struct slice kwresults)
{
    static const struct options no_options = {0};
    struct payload payload = {
        .codec = call->codec, .kind = PAYLOAD_ARGS, .args = results, .kwargs = kwresults};

    if (call->kwresults->open[0].count == 0)
        payload.kwargs = (struct slice){0};
    if (call->results->open[0].count == 0)
        payload.args = (struct slice){0};
    if (payload.args.len == 0 && payload.kwargs.len == 0)
        payload.kind = PAYLOAD_NONE;
    return reply_result(&(struct forward){.codec = call->caller->codec,
                                          .id = call->msg->id,
                                          .trustlevel = NO_TRUSTLEVEL,
                                          .options = &no_options,
                                          .payload = &payload});
}

/* ---- the call ---- */

static const struct procedure *find_procedure(const struct core *core, struct slice uri)
{
    if (core->options.roles != (ROUTER_BROKER | ROUTER_DEALER))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(procedures); i++)
        if (slice_eq(procedures[i].uri, uri))
            return procedures[i].flag == FOR_ADMINS_IF_MODIFY &&
                           !core->options.enable_modify_details
                       ? NULL
                       : &procedures[i];
    return NULL;
}

static void fail(struct meta_call *call, const char *uri, const char *words)
{
    call->core->counters.errors++;
    send_error(call->core, call->caller, MSG_CALL, call->msg->id, uri, words);
}

static void note_denied(struct meta_call *call, const char *words)
{
    notice_denied(call->core, call->caller, RULE_CALL, MATCH_EXACT, call->msg->text,
                  WAMP_NOT_AUTHORIZED, words, NULL);
}

/* Runs the handler and answers; the caller is still there, since nobody may kill itself. */
static void answer(struct meta_call *call, meta_handler_fn *handler)
{
    struct arena *arena = &call->core->scratch;
    struct blob *args, *kwargs, *result = NULL;
    const char *error;

    call->results = arena_alloc(arena, sizeof *call->results);
    call->kwresults = arena_alloc(arena, sizeof *call->kwresults);
    encode_start(call->results, call->codec, 256);
    encode_list(call->results, COUNT_UNKNOWN);
    encode_start(call->kwresults, call->codec, 32);
    encode_map(call->kwresults, COUNT_UNKNOWN);
    error = handler(call);
    encode_end(call->results);
    encode_end(call->kwresults);
    args = encode_finish(call->results);
    kwargs = encode_finish(call->kwresults);
    if (error == NULL && !call->is_late)
        result = make_result(call, blob_slice(args), blob_slice(kwargs));
    blob_drop(args);
    blob_drop(kwargs);
    if (error != NULL) {
        if (strcmp(error, WAMP_NOT_AUTHORIZED) == 0)
            note_denied(call, call->words);
        fail(call, error, call->words);
    } else if (call->is_late) {
        return;
    } else if (result->len > call->caller->send_max) {
        blob_drop(result);
        call->core->counters.oversized++;
        fail(call, WAMP_PAYLOAD_SIZE_EXCEEDED, "the RESULT is longer than the caller accepts");
    } else {
        call->core->counters.results++;
        send_reply(call->core, call->caller, result);
    }
}

void meta_call(struct core *core, struct session *caller, const struct msg *msg,
               const struct grant *grant)
{
    const struct procedure *procedure = find_procedure(core, msg->text);
    struct meta_call call = {
        .core = core, .caller = caller, .msg = msg, .codec = msg->payload.codec};

    if (procedure == NULL) {
        fail(&call, WAMP_NO_SUCH_PROCEDURE, "the router has no such procedure");
        return;
    }
    if (procedure->flag != FOR_ALL && !caller->is_admin && !grant->is_explicit) {
        note_denied(&call, "only administrators may call this procedure");
        fail(&call, WAMP_NOT_AUTHORIZED, "only administrators may call this procedure");
        return;
    }
    read_args(&call);
    answer(&call, procedure->handler);
}

void meta_admin_done(struct core *core, struct session *session, const struct admin_done *done)
{
    const struct msg msg = {.id = done->request, .type = MSG_CALL};
    struct meta_call call = {.core = core, .msg = &msg, .codec = DETAILS_CODEC};
    struct encoder results, none;
    struct blob *args, *kwargs;

    if (session->id != done->session || session->state != SESSION_ESTABLISHED)
        return;
    call.caller = session;
    if (done->error != NULL) {
        fail(&call, done->error, done->words);
        return;
    }
    call.results = &results;
    call.kwresults = &none;
    encode_start(&results, call.codec, 32);
    encode_list(&results, COUNT_UNKNOWN);
    encode_uint(&results, done->count);
    encode_end(&results);
    encode_start(&none, call.codec, 8);
    encode_map(&none, COUNT_UNKNOWN);
    encode_end(&none);
    args = encode_finish(&results);
    kwargs = encode_finish(&none);
    core->counters.results++;
    send_reply(core, call.caller, make_result(&call, blob_slice(args), blob_slice(kwargs)));
    blob_drop(args);
    blob_drop(kwargs);
}
