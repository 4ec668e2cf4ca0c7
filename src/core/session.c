/* session.c -- see session.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/session.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/calls.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/govern.h"
#include "core/join.h"
#include "core/judge.h"
#include "core/limits.h"
#include "core/meta_events.h"
#include "core/needs.h"
#include "core/notice.h"
#include "core/park.h"
#include "core/publish.h"
#include "core/review.h"
#include "core/send.h"
#include "core/testament.h"
#include "wire/errors.h"

/* ---- the end ---- */

void session_free(struct core *core, struct session *session)
{
    details_fini(core, session);
    mem_free((void *)(uintptr_t)session->vars.data);
    intern_drop(&core->intern, session->address);
    transport_tls_drop(session->tls);
    transport_http_drop(session->http);
    mem_free(session->finished);
    deadlines_cancel(&core->deadlines, &session->timer.deadline);
    map_remove(&core->by_peer, session->peer, 0);
    if (core->last == session)
        core->last = NULL;
    mem_free(session);
}

/* The session lets go of everything, in the order that others are to see. */
static void detach(struct core *core, struct session *session, const char *reason)
{
    core->leaving = session;
    if (!core->is_quiet)
        testament_publish(core, session);
    testament_forget(session);
    park_forget(core, session);
    recheck_leave(core, session);
    throttle_leave(core, session);
    broker_leave(core, session);
    calls_withdraw(core, session);
    dealer_leave(core, session);
    calls_leave(core, session);
    review_leave(core, session);
    map_remove(&core->by_id, session->id, 0);
    core->counters.sessions--;
    core->trusted_count -= session->is_trusted;
    meta_on_leave(core, session);
    core->leaving = NULL;
    if (core->options.ids.give_back != NULL)
        core->options.ids.give_back(core->options.ids.ctx, session->id);
    notice_left(core, session, reason);
    if (core->options.tells_left)
        outbox_left(core->out, session->peer, session->id, govern_leave(core, session, reason));
}

void session_shut_down(struct core *core, struct session *session, const char *reason,
                       struct slice words)
{
    send_reply(core, session, reply_goodbye(session->codec, reason, words));
    detach(core, session, reason);
    session->state = SESSION_SHUTTING_DOWN;
    session->close_code =
        strcmp(reason, WAMP_CLOSE_SYSTEM_SHUTDOWN) == 0 ? CLOSE_GOING_AWAY : CLOSE_NORMAL;
    deadlines_set(&core->deadlines, &session->timer.deadline,
                  core->now + core->options.goodbye_timeout_ms);
}

void session_abort(struct core *core, struct session *session, const char *reason,
                   const char *words)
{
    send_reply(core, session, reply_abort(session->codec, reason, words));
    detach(core, session, reason);
    outbox_close(core->out, session->peer, CLOSE_NORMAL, reason);
    session_free(core, session);
}

static void violate(struct core *core, struct session *session, const struct fault *fault)
{
    bool bad_text = fault->err == ERR_UTF8 && codec_is_text(session->codec);
    const char *words =
        arena_copy(&core->scratch, slice_make(fault->words, strlen(fault->words) + 1)).data;

    core->counters.violations++;
    send_reply(core, session, reply_abort(session->codec, fault->uri, fault->words));
    notice_violation(core, session, words);
    if (session->state == SESSION_AUTHENTICATING)
        join_abandon(core, session);
    else
        detach(core, session, fault->uri);
    outbox_close(core->out, session->peer, bad_text ? CLOSE_INVALID_TEXT : CLOSE_PROTOCOL_ERROR,
                 fault->uri);
    session_free(core, session);
}

void session_on_fault(struct core *core, struct session *session, const struct fault *fault)
{
    if (session->state == SESSION_SHUTTING_DOWN) {
        outbox_close(core->out, session->peer, CLOSE_NORMAL, "not a message while closing");
        session_free(core, session);
        return;
    }
    violate(core, session, fault);
}

/* The session is over without a word to its peer. */
static void end(struct core *core, struct session *session, const char *reason)
{
    if (session->state == SESSION_AUTHENTICATING)
        join_abandon(core, session);
    else if (session->state == SESSION_ESTABLISHED)
        detach(core, session, reason);
    session_free(core, session);
}

void session_on_closed(struct core *core, struct session *session)
{
    end(core, session, "wamp.close.transport_lost");
}

void session_on_timer(struct core *core, struct session *session)
{
    switch (session->state) {
    case SESSION_AUTHENTICATING:
        join_on_timer(core, session);
        break;
    case SESSION_ESTABLISHED:
        session_shut_down(core, session, WAMP_CLOSE_KILLED, SLICE("the session has expired"));
        break;
    case SESSION_SHUTTING_DOWN:
        outbox_close(core->out, session->peer, session->close_code, "no GOODBYE in time");
        session_free(core, session);
        break;
    }
}

/* ---- messages ---- */

/* A URI that the operation will refuse comes before the features it uses. */
static bool is_usable_uri(const struct core *core, const struct session *session,
                          const struct msg *msg)
{
    return uri_is_valid(msg->text, MATCH_EXACT, core->options.strict_uris) &&
           (msg->type == MSG_CALL || !core_reserves_from(core, session, msg->text));
}

static int check_ppt(const struct core *core, const struct session *session, const struct msg *msg,
                     const struct options *options, struct fault *fault)
{
    uint32_t feature =
        msg->type == MSG_CALL ? CALLER_PAYLOAD_PASSTHRU_MODE : PUBLISHER_PAYLOAD_PASSTHRU_MODE;

    if (!options_is_ppt(options) || (session->features & feature) != 0 ||
        !is_usable_uri(core, session, msg))
        return 0;
    return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                     "%s.Options.ppt_scheme: the session did not announce payload_passthru_mode",
                     msg_name(msg->type));
}

/* The requests share one sequence of ids; knob request_id_check says how strictly. CALL has rules
 * of its own in calls.c. */
static int check_request_id(struct core *core, struct session *session, const struct msg *msg,
                            struct fault *fault)
{
    uint64_t expected = session->watermark == WAMP_ID_MAX ? 1 : session->watermark + 1;
    bool is_any =
        core->options.request_id_check == REQUEST_IDS_LENIENT ||
        (core->options.request_id_check == REQUEST_IDS_SEQUENTIAL && session->watermark == 0);

    if (!is_any && msg->id != expected)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "%s.Request: expected %llu, found %llu", msg_name(msg->type),
                         (unsigned long long)expected, (unsigned long long)msg->id);
    session->watermark = msg->id;
    return 0;
}

static inline void perform(struct core *core, struct session *session, const struct msg *msg,
                           const struct options *options)
{
    switch ((unsigned)msg->type) {
    case MSG_PUBLISH:
        publish_receive(core, session, msg, options);
        break;
    case MSG_SUBSCRIBE:
        broker_subscribe(core, session, msg, options);
        break;
    case MSG_REGISTER:
        dealer_register(core, session, msg, options);
        break;
    case MSG_CALL:
        calls_call(core, session, msg, options);
        break;
    }
}

void session_perform(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options)
{
    perform(core, session, msg, options);
}

static int check_progress(const struct core *core, const struct session *session,
                          const struct msg *msg, const struct options *options, struct fault *fault)
{
    if (!options->progress || (session->features & CALLER_PROGRESSIVE_CALL_INVOCATIONS) != 0 ||
        !uri_is_valid(msg->text, MATCH_EXACT, core->options.strict_uris))
        return 0;
    return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                     "CALL.Options.progress: the session did not announce "
                     "progressive_call_invocations");
}

/* It was judged whether the call is allowed; but not what else it says. */
static void on_chunk(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options)
{
    unsigned needs = needs_of_chunk(core, session);

    if (LIKELY(needs == 0))
        calls_chunk(core, session, msg, options);
    else
        park_ask(core, session, msg,
                 &(struct question){.needs = needs, .action = RULE_CALL, .is_chunk = true});
}

/* A request that has to wait for its time comes once more, with the same id. */
static void put_back_id(struct session *session, uint64_t watermark)
{
    if (deadline_is_set(&session->pause.deadline))
        session->watermark = watermark;
}

static int on_call(struct core *core, struct session *session, const struct msg *msg,
                   struct fault *fault)
{
    struct options options;
    enum call_id id = calls_judge_id(core, session, msg, fault);
    uint64_t watermark = session->watermark;
    int err;

    if (id == CALL_ID_VIOLATION)
        return fault->err;
    if (id == CALL_ID_NEW)
        session->watermark = msg->id;
    err = options_read(&options, msg, &core->scratch, fault);
    if (err < 0 || id == CALL_ID_LATE)
        return err;
    if (id == CALL_ID_CHUNK) {
        on_chunk(core, session, msg, &options);
        return 0;
    }
    err = check_ppt(core, session, msg, &options, fault);
    if (err == 0)
        err = check_progress(core, session, msg, &options, fault);
    if (err != 0)
        return err;
    if (judge_permits(core, session, msg, &options))
        calls_call(core, session, msg, &options);
    else
        put_back_id(session, watermark);
    return 0;
}

/* A way to choose callees that we do not know. */
static int check_invoke(const struct core *core, struct options *options, struct fault *fault)
{
    if (options->invoke != INVOKE_UNKNOWN)
        return 0;
    options->invoke = INVOKE_ROUNDROBIN;
    if (core->options.invoke_unknown_fallback)
        return 0;
    return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                     "REGISTER.invoke: expected \"single\", \"roundrobin\", \"random\", "
                     "\"first\" or \"last\"");
}

/* PUBLISH, SUBSCRIBE, REGISTER; and the two that give up, which need no right. */
static int on_request(struct core *core, struct session *session, const struct msg *msg,
                      struct fault *fault)
{
    struct options options;
    uint64_t watermark = session->watermark;
    int err = check_request_id(core, session, msg, fault);

    if (err == 0)
        err = options_read(&options, msg, &core->scratch, fault);
    if (err == 0 && msg->type == MSG_PUBLISH)
        err = check_ppt(core, session, msg, &options, fault);
    if (err == 0 && msg->type == MSG_REGISTER)
        err = check_invoke(core, &options, fault);
    if (err != 0)
        return err;
    if (msg->type == MSG_UNSUBSCRIBE)
        broker_unsubscribe(core, session, msg);
    else if (msg->type == MSG_UNREGISTER)
        dealer_unregister(core, session, msg);
    else if (judge_permits(core, session, msg, &options))
        perform(core, session, msg, &options);
    else
        put_back_id(session, watermark);
    return 0;
}

static int on_answer(struct core *core, struct session *session, const struct msg *msg,
                     struct fault *fault)
{
    struct options options;
    int err;

    if (msg->type == MSG_ERROR && msg->request_type != MSG_INVOCATION)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "ERROR.REQUEST.Type: a client may answer INVOCATION (68) only");
    err = options_read(&options, msg, &core->scratch, fault);
    if (err < 0)
        return err;
    return msg->type == MSG_YIELD ? calls_yield(core, session, msg, &options, fault)
                                  : calls_error(core, session, msg, &options, fault);
}

static int on_cancel(struct core *core, struct session *session, const struct msg *msg,
                     struct fault *fault)
{
    struct options options;
    int err = options_read(&options, msg, &core->scratch, fault);

    if (err == 0 && !park_cancel(core, session, msg->id))
        calls_cancel(core, session, msg, &options);
    return err;
}

static void on_goodbye(struct core *core, struct session *session, const struct msg *msg)
{
    if (session->state == SESSION_SHUTTING_DOWN) {
        outbox_close(core->out, session->peer, session->close_code, WAMP_GOODBYE_AND_OUT);
    } else {
        send_reply(core, session,
                   reply_goodbye(session->codec, WAMP_GOODBYE_AND_OUT, (struct slice){0}));
        detach(core, session, core_remember(core, msg->text));
        outbox_release(core->out, session->peer);
    }
    session_free(core, session);
}

static void on_abort(struct core *core, struct session *session, const struct msg *msg)
{
    outbox_close(core->out, session->peer, CLOSE_NORMAL, "ABORT");
    end(core, session, core_remember(core, msg->text));
}

/* The role of a client that sends such a message, and that of the router which takes it. */
struct role_need {
    enum role client;
    enum router_role router;
    const char *name;
};

static const struct role_need *need_of(enum msg_type type)
{
    static const struct role_need publisher = {ROLE_PUBLISHER, ROUTER_BROKER, "publisher"};
    static const struct role_need subscriber = {ROLE_SUBSCRIBER, ROUTER_BROKER, "subscriber"};
    static const struct role_need caller = {ROLE_CALLER, ROUTER_DEALER, "caller"};
    static const struct role_need callee = {ROLE_CALLEE, ROUTER_DEALER, "callee"};

    switch ((unsigned)type) {
    case MSG_PUBLISH:
        return &publisher;
    case MSG_SUBSCRIBE:
    case MSG_UNSUBSCRIBE:
    case MSG_EVENT_RECEIVED:
        return &subscriber;
    case MSG_CALL:
    case MSG_CANCEL:
        return &caller;
    case MSG_REGISTER:
    case MSG_UNREGISTER:
    case MSG_YIELD:
    case MSG_ERROR:
        return &callee;
    default:
        return NULL;
    }
}

static int check_role(const struct core *core, const struct session *session, const struct msg *msg,
                      struct fault *fault)
{
    const struct role_need *need = need_of(msg->type);

    if (need == NULL)
        return 0;
    if ((core->options.roles & need->router) == 0)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION, "%s: this realm is no %s",
                         msg_name(msg->type), need->router == ROUTER_BROKER ? "broker" : "dealer");
    if (core->options.role_check && (session->roles & (1U << need->client)) == 0)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "%s: the session did not announce the role %s", msg_name(msg->type),
                         need->name);
    return 0;
}

/* What the table in session.h says of a session that is ESTABLISHED. */
static int on_established(struct core *core, struct session *session, const struct msg *msg,
                          struct fault *fault)
{
    if (UNLIKELY(core->is_role_checked) && check_role(core, session, msg, fault) < 0)
        return fault->err;
    switch (msg->type) {
    case MSG_PUBLISH:
    case MSG_SUBSCRIBE:
    case MSG_UNSUBSCRIBE:
    case MSG_REGISTER:
    case MSG_UNREGISTER:
        return on_request(core, session, msg, fault);
    case MSG_CALL:
        return on_call(core, session, msg, fault);
    case MSG_YIELD:
    case MSG_ERROR:
        return on_answer(core, session, msg, fault);
    case MSG_CANCEL:
        return on_cancel(core, session, msg, fault);
    case MSG_EVENT_RECEIVED:
        return 0;
    case MSG_GOODBYE:
    case MSG_ABORT:
    case MSG_NONE:
    case MSG_HELLO:
    case MSG_WELCOME:
    case MSG_CHALLENGE:
    case MSG_AUTHENTICATE:
    case MSG_PUBLISHED:
    case MSG_SUBSCRIBED:
    case MSG_UNSUBSCRIBED:
    case MSG_EVENT:
    case MSG_RESULT:
    case MSG_REGISTERED:
    case MSG_UNREGISTERED:
    case MSG_INVOCATION:
    case MSG_INTERRUPT:
        break;
    }
    return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                     "%s: not expected from a client in a session", msg_name(msg->type));
}

void session_take(struct core *core, struct session *session, const struct msg *msg)
{
    struct fault fault;

    if (on_established(core, session, msg, &fault) < 0)
        violate(core, session, &fault);
}

void session_on_message(struct core *core, struct session *session, const struct msg *msg)
{
    struct fault fault;

    if (msg->type == MSG_ABORT) {
        on_abort(core, session, msg);
    } else if (UNLIKELY(session->state == SESSION_AUTHENTICATING)) {
        if (join_receive(core, session, msg, &fault) < 0)
            violate(core, session, &fault);
    } else if (msg->type == MSG_GOODBYE) {
        on_goodbye(core, session, msg);
    } else if (session->state == SESSION_ESTABLISHED && !park_message(core, session, msg)) {
        session_take(core, session, msg);
    }
}
