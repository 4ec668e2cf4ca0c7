/* meta_session.c -- wamp.session.*: who is there, and away with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/calls.h"
#include "core/details.h"
#include "core/meta_priv.h"
#include "core/notice.h"
#include "wire/errors.h"

/* ---- count, list, get ---- */

/* The roles asked for; `is_any` when none were named. */
struct roles {
    bool is_any;
    uint32_t *of; /* interned */
    size_t count;
};

/* The first argument: a list of authroles, or just one. */
static const char *take_roles(struct meta_call *call, struct roles *roles)
{
    const struct meta_arg *arg = &call->args[0];
    const struct intern *intern = &call->core->intern;
    struct dict_walk item;
    size_t cap = 1;

    *roles = (struct roles){.is_any = !arg->is_there};
    if (!arg->is_there)
        return NULL;
    if (arg->token.type != TOKEN_LIST && arg->token.type != TOKEN_TEXT)
        return meta_error(call, WAMP_INVALID_ARGUMENT,
                          "argument 1 (filter_authroles): expected a list of strings");
    if (arg->token.type == TOKEN_LIST) {
        list_walk(&item, call->codec, arg->value, &call->core->scratch);
        for (cap = 0; list_next(&item); cap++)
            if (item.token.type != TOKEN_TEXT || cap == MAX_ROLES_ASKED)
                return meta_error(call, WAMP_INVALID_ARGUMENT,
                                  "argument 1 (filter_authroles): expected at most %d strings",
                                  MAX_ROLES_ASKED);
    }
    roles->of = arena_alloc(&call->core->scratch, (cap + 1) * sizeof *roles->of);
    if (arg->token.type == TOKEN_TEXT) {
        roles->of[roles->count++] = intern_find_text(intern, arg->token.text);
        return NULL;
    }
    list_walk(&item, call->codec, arg->value, &call->core->scratch);
    while (list_next(&item)) {
        uint32_t role = intern_find_text(intern, item.token.text);

        if (role != INTERN_NONE)
            roles->of[roles->count++] = role;
    }
    return NULL;
}

static bool has_role(const struct roles *roles, const struct session *session)
{
    for (size_t i = 0; i < roles->count; i++)
        if (roles->of[i] == session->authrole)
            return true;
    return roles->is_any;
}

/* Sessions with one of the roles, in the order of their ids. */
static struct ids find_sessions(struct meta_call *call, const struct roles *roles)
{
    struct ids ids = ids_new(&call->core->scratch, call->core->by_id.count);
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&call->core->by_id, &i)) != NULL)
        if (has_role(roles, at->value))
            ids_add(&ids, at->a);
    ids_sort(&ids);
    return ids;
}

const char *meta_session_count(struct meta_call *call)
{
    struct roles roles;
    const char *error = take_roles(call, &roles);

    if (error != NULL)
        return error;
    encode_uint(call->results,
                roles.is_any ? call->core->by_id.count : find_sessions(call, &roles).count);
    return NULL;
}

const char *meta_session_list(struct meta_call *call)
{
    struct roles roles;
    struct ids ids;
    const char *error = take_roles(call, &roles);

    if (error != NULL)
        return error;
    ids = find_sessions(call, &roles);
    meta_put_ids(call, &ids);
    return NULL;
}

/* The session that the first argument names. */
static const char *take_session(struct meta_call *call, struct session **session)
{
    void *found;
    const char *error =
        meta_need_known(call, 0, "session", &call->core->by_id, WAMP_NO_SUCH_SESSION, &found);

    *session = found;
    return error;
}

const char *meta_session_get(struct meta_call *call)
{
    struct session *session;
    const char *error = take_session(call, &session);

    if (error != NULL)
        return error;
    details_encode(call->results, call->core, session);
    return NULL;
}

const char *meta_session_modify_details(struct meta_call *call)
{
    struct session *session;
    struct fault fault;
    const char *error = take_session(call, &session);

    if (error != NULL)
        return error;
    if (!call->args[1].is_there || call->args[1].token.type != TOKEN_MAP)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument 2 (delta): expected a dict");
    if (details_modify(call->core, session, call->codec, call->args[1].value, &fault) < 0)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "%s", fault.words);
    return NULL;
}

/* ---- kill ---- */

struct farewell {
    const char *reason;
    struct slice message;
};

static const char *take_farewell(struct meta_call *call, struct farewell *farewell)
{
    const char *fallback =
        call->core->options.kill_reason_is_normal ? WAMP_CLOSE_NORMAL : WAMP_CLOSE_KILLED;
    const char *error = meta_take_reason(call, MAX_META_ARGS, fallback, &farewell->reason);

    farewell->message = (struct slice){0};
    return error != NULL ? error
                         : meta_take_text(call, "message", MAX_META_ARGS, &farewell->message);
}

static void shut_down(struct meta_call *call, struct session *session,
                      const struct farewell *farewell)
{
    notice_killed(call->core, session, call->caller, call->msg->text, farewell->reason);
    session_shut_down(call->core, session, farewell->reason, farewell->message);
}

const char *meta_session_kill(struct meta_call *call)
{
    struct farewell farewell;
    struct session *session;
    const char *error = take_session(call, &session);

    if (error != NULL)
        return error;
    error = take_farewell(call, &farewell);
    if (error != NULL)
        return error;
    if (session == call->caller)
        return meta_error(call, WAMP_NO_SUCH_SESSION, "a session cannot kill itself");
    if (session->is_trusted)
        return meta_error(call, WAMP_NO_SUCH_SESSION, "this session is of the router itself");
    shut_down(call, session, &farewell);
    return NULL;
}

static void shut_down_all(struct meta_call *call, const struct ids *ids,
                          const struct farewell *farewell)
{
    for (size_t i = 0; i < ids->count; i++)
        shut_down(call, map_get(&call->core->by_id, ids->of[i], 0), farewell);
}

/* The caller stays, and so does the router's own code. */
static bool may_kill(const struct meta_call *call, const struct session *session)
{
    return session != call->caller && !session->is_trusted;
}

/* Ends the sessions with that authid or authrole. */
static struct ids kill_where(struct meta_call *call, bool by_authid, uint32_t number,
                             const struct farewell *farewell)
{
    struct core *core = call->core;
    struct ids ids = ids_new(&core->scratch, core->by_id.count);
    const struct map_entry *at;
    size_t i = 0;

    while (number != INTERN_NONE && (at = map_next(&core->by_id, &i)) != NULL) {
        const struct session *session = at->value;

        if (may_kill(call, session) && (by_authid ? session->authid : session->authrole) == number)
            ids_add(&ids, session->id);
    }
    ids_sort(&ids);
    shut_down_all(call, &ids, farewell);
    return ids;
}

static const char *kill_by(struct meta_call *call, const char *name, bool by_authid)
{
    enum kill_results results = call->core->options.kill_results;
    struct farewell farewell;
    struct slice text;
    struct ids ids;
    const char *error = meta_need_text(call, 0, name, &text);

    if (error == NULL)
        error = take_farewell(call, &farewell);
    if (error != NULL)
        return error;
    ids = kill_where(call, by_authid, intern_find_text(&call->core->intern, text), &farewell);
    if (results == KILL_RESULTS_STANDARD)
        results = by_authid ? KILL_RESULTS_LIST : KILL_RESULTS_COUNT;
    if (results == KILL_RESULTS_LIST)
        meta_put_ids(call, &ids);
    else
        encode_uint(call->results, ids.count);
    return NULL;
}

const char *meta_session_kill_by_authid(struct meta_call *call)
{
    return kill_by(call, "authid", true);
}

const char *meta_session_kill_by_authrole(struct meta_call *call)
{
    return kill_by(call, "authrole", false);
}

/* All at once, so nobody is told of it but the victims. */
const char *meta_session_kill_all(struct meta_call *call)
{
    struct core *core = call->core;
    struct farewell farewell;
    struct ids ids;
    const struct map_entry *at;
    size_t i = 0;
    const char *error = take_farewell(call, &farewell);

    if (error != NULL)
        return error;
    ids = ids_new(&core->scratch, core->by_id.count);
    while ((at = map_next(&core->by_id, &i)) != NULL)
        if (may_kill(call, at->value))
            ids_add(&ids, at->a);
    ids_sort(&ids);
    core->is_quiet = true;
    for (i = 0; i < ids.count; i++)
        calls_forget(core, map_get(&core->by_id, ids.of[i], 0), call->caller);
    shut_down_all(call, &ids, &farewell);
    core->is_quiet = false;
    encode_uint(call->results, ids.count);
    return NULL;
}
