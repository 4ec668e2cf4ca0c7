/* park.c -- see park.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/park.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/amend.h"
#include "core/audience.h"
#include "core/calls.h"
#include "core/core_priv.h"
#include "core/hold.h"
#include "core/limits.h"
#include "core/notice.h"
#include "core/send.h"
#include "wire/errors.h"

/* A message that waits; the first in the list may be one that is judged. */
struct parked {
    struct list in_session;   /* session->parked */
    struct question question; /* id 0: it just waits */
    uint64_t came_at;         /* instant */
    bool is_canceled;         /* a CALL that is answered; it keeps its place for its request id */
    struct msg msg;           /* its slices point into `bytes` */
    char bytes[];
};

static struct parked *first_of(const struct session *session)
{
    struct list *node = list_first(&session->parked);

    return node == NULL ? NULL : container_of(node, struct parked, in_session);
}

static struct parked *parked_new(const struct core *core, struct session *session,
                                 const struct msg *msg, size_t more)
{
    struct parked *parked = mem_alloc(sizeof *parked + msg_len(msg) + more);

    parked->question.id = 0;
    parked->question.given.audience = NULL;
    parked->is_canceled = false;
    parked->came_at = core->came_at;
    msg_copy(&parked->msg, msg, parked->bytes);
    list_append(&session->parked, &parked->in_session);
    session->parked_count++;
    session->parked_len += msg_len(msg);
    return parked;
}

/* It is not among those of the session any more. */
static void unlink_parked(struct session *session, struct parked *parked)
{
    list_remove(&parked->in_session);
    session->parked_count--;
    session->parked_len -= msg_len(&parked->msg);
}

static void parked_free(struct core *core, struct session *session, struct parked *parked)
{
    if (parked->question.id != 0)
        map_remove(&core->questions, parked->question.id, 0);
    unlink_parked(session, parked);
    audience_drop(parked->question.given.audience);
    mem_free(parked);
}

/* The socket is read again when half of the room is free. What is judged takes none of it. */
static void look_at_room(struct core *core, struct session *session)
{
    const struct parked *first = first_of(session);
    bool is_judged = first != NULL && first->question.id != 0;
    uint32_t waiting = session->parked_count - (is_judged ? 1 : 0);
    size_t len = session->parked_len - (is_judged ? msg_len(&first->msg) : 0);

    if (waiting >= MAX_PARKED || len >= MAX_PARKED_LEN)
        hold_set(core, session, HOLD_PARKED, true);
    else if (waiting <= MAX_PARKED / 2 && len <= MAX_PARKED_LEN / 2)
        hold_set(core, session, HOLD_PARKED, false);
}

void park_ask(struct core *core, struct session *session, const struct msg *msg,
              const struct question *about)
{
    struct slice options = about->given.options;
    struct parked *parked = parked_new(core, session, msg, options.len);

    /* What is being judged stands before what came later. */
    list_remove(&parked->in_session);
    list_prepend(&session->parked, &parked->in_session);
    parked->question = *about;
    parked->question.id = ++core->last_question;
    parked->question.ask = ASK_AUTHORIZE;
    parked->question.peer = session->peer;
    parked->question.session = session->id;
    parked->question.msg = &parked->msg;
    if ((about->needs & NEEDS_FILTER) != 0)
        parked->question.publication = rng_wamp_id(&core->rng);
    if (options.len != 0) /* rules may change before there is an answer */
        parked->question.given.options.data =
            memcpy(parked->bytes + msg_len(msg), options.data, options.len);
    if (about->given.audience != NULL) /* the rules may be others by then */
        (void)audience_hold(about->given.audience);
    map_put(&core->questions, parked->question.id, 0, session);
    outbox_ask(core->out, session->peer, parked->question.id);
}

void park_pause(struct core *core, struct session *session, const struct msg *msg,
                uint64_t delay_ms)
{
    struct parked *parked = parked_new(core, session, msg, 0);

    list_remove(&parked->in_session);
    list_prepend(&session->parked, &parked->in_session);
    deadlines_set(&core->deadlines, &session->pause.deadline, core->now + delay_ms);
    look_at_room(core, session);
}

static bool has_to_wait(enum msg_type type)
{
    return type == MSG_PUBLISH || type == MSG_SUBSCRIBE || type == MSG_UNSUBSCRIBE ||
           type == MSG_CALL || type == MSG_REGISTER || type == MSG_UNREGISTER;
}

bool park_message(struct core *core, struct session *session, const struct msg *msg)
{
    if (list_is_empty(&session->parked) || !has_to_wait(msg->type))
        return false;
    parked_new(core, session, msg, 0);
    look_at_room(core, session);
    return true;
}

static bool is_progressive(struct core *core, const struct msg *msg)
{
    struct options options;
    struct fault fault;

    return options_read(&options, msg, &core->scratch, &fault) == 0 && options.progress;
}

/* It is the turn of a CALL that was canceled while it waited: nothing is left of it but its id. */
static void pass_over(struct core *core, struct session *session, const struct msg *msg)
{
    struct fault fault;
    enum call_id id = calls_judge_id(core, session, msg, &fault);

    if (id == CALL_ID_VIOLATION) {
        session_take(core, session, msg); /* says so */
    } else if (id == CALL_ID_NEW) {
        session->watermark = msg->id;
        calls_expect_late(core, session, msg, is_progressive(core, msg));
    }
}

/* Hands out what waits, until something is judged again or the session has ended. */
static void go_on(struct core *core, struct session *session)
{
    uint64_t peer = session->peer;
    struct parked *parked;

    if (session->is_draining)
        return;
    session->is_draining = true;
    while ((parked = first_of(session)) != NULL && parked->question.id == 0 &&
           !deadline_is_set(&session->pause.deadline)) {
        unlink_parked(session, parked);
        core->came_at = parked->came_at;
        if (parked->is_canceled)
            pass_over(core, session, &parked->msg);
        else
            session_take(core, session, &parked->msg);
        mem_free(parked);
        if (map_get(&core->by_peer, peer, 0) != session)
            return;
    }
    core->came_at = core->now;
    session->is_draining = false;
    if (session->state == SESSION_ESTABLISHED)
        look_at_room(core, session);
}

static void deny(struct core *core, struct session *session, const struct question *question,
                 const struct decision *decision)
{
    const struct msg *msg = question->msg;
    const char *reason = decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason;
    struct options options;
    struct fault fault;

    notice_denied(core, session, question->action, question->match, msg->text, reason,
                  decision->words, decision->cause);
    if (msg->type == MSG_PUBLISH &&
        (options_read(&options, msg, &core->scratch, &fault) < 0 || !options.acknowledge))
        return;
    if (msg->type == MSG_CALL) {
        core->counters.errors++;
        if (calls_is_pending(core, session, msg->id)) /* a chunk of it */
            calls_drop(core, session, msg->id);
        else
            calls_expect_late(core, session, msg, is_progressive(core, msg));
    }
    send_denial(core, session, msg->type, msg->id, decision);
}

/* The session is to end as well, for the same reason. */
static void close_session(struct core *core, struct session *session,
                          const struct decision *decision)
{
    struct slice reason =
        slice_of(decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason);
    const char *copy = arena_copy(&core->scratch, slice_make(reason.data, reason.len + 1)).data;

    notice_killed(core, session, NULL, (struct slice){0}, copy);
    session_shut_down(core, session, copy, slice_of(decision->words));
}

static void allow(struct core *core, struct session *session, const struct parked *parked,
                  const struct question *question, const struct decision *decision)
{
    const struct grant *grant = &decision->grant;
    struct amended amended;
    const char *words;

    words = question->is_chunk
                ? amend_chunk(core, &parked->msg, grant, &amended)
                : amend_request(core, session, &parked->msg, &question->given, grant, &amended);
    if (words != NULL) {
        deny(core, session, question,
             &(struct decision){.reason = WAMP_AUTHORIZATION_FAILED, .cause = words});
    } else if (question->is_chunk) {
        calls_chunk(core, session, &amended.msg, &amended.options);
    } else {
        amended.options.grant.publication = question->publication;
        amended.options.grant.filter_audience = decision->audience;
        session_perform(core, session, &amended.msg, &amended.options);
    }
}

/* More input for a call that ended while it was judged. */
static bool is_late(const struct core *core, const struct session *session,
                    const struct question *question)
{
    return question->is_chunk && !calls_is_pending(core, session, question->msg->id);
}

void park_resume(struct core *core, struct session *session)
{
    go_on(core, session);
}

void park_decide(struct core *core, struct session *session, const struct decision *decision)
{
    uint64_t peer = session->peer;
    struct parked *parked = first_of(session);

    CHECK(parked != NULL && parked->question.id == decision->question);
    CHECK(decision->verdict == VERDICT_ALLOW || decision->verdict == VERDICT_DENY);
    map_remove(&core->questions, parked->question.id, 0);
    unlink_parked(session, parked);
    kept_add(core, session, &parked->question, decision);
    if (decision->verdict == VERDICT_DENY) {
        if (!is_late(core, session, &parked->question))
            deny(core, session, &parked->question, decision);
        if (decision->closes)
            close_session(core, session, decision);
    } else if (!is_late(core, session, &parked->question)) {
        allow(core, session, parked, &parked->question, decision);
    }
    audience_drop(parked->question.given.audience);
    mem_free(parked);
    if (map_get(&core->by_peer, peer, 0) == session)
        go_on(core, session);
}

/* The CALL with this request id that is judged or waits. One that was canceled is passed over,
 * unless what follows it with the same id is more of the same call. */
static struct parked *find_call(struct core *core, const struct session *session, uint64_t request)
{
    list_each (&session->parked, node, after) {
        struct parked *parked = container_of(node, struct parked, in_session);

        if (parked->msg.type == MSG_CALL && parked->msg.id == request &&
            (!parked->is_canceled || is_progressive(core, &parked->msg)) &&
            !calls_is_over(core, session, &parked->msg, parked->came_at))
            return parked;
    }
    return NULL;
}

bool park_cancel(struct core *core, struct session *session, uint64_t request)
{
    struct parked *parked;

    if (LIKELY(list_is_empty(&session->parked)) || calls_is_pending(core, session, request))
        return false; /* what waits is more input for it, and will be late */
    parked = find_call(core, session, request);
    if (parked == NULL)
        return false;
    if (parked->is_canceled)
        return true;
    core->counters.errors++;
    if (parked->question.id == 0) {
        parked->is_canceled = true;
        send_error(core, session, MSG_CALL, request, WAMP_CANCELED, "the call was canceled");
        return true;
    }
    outbox_unask(core->out, session->peer, parked->question.id);
    send_error(core, session, MSG_CALL, request, WAMP_CANCELED, "the call was canceled");
    calls_expect_late(core, session, &parked->msg, is_progressive(core, &parked->msg));
    parked_free(core, session, parked);
    go_on(core, session);
    return true;
}

void park_forget(struct core *core, struct session *session)
{
    list_each (&session->parked, node, after) {
        struct parked *parked = container_of(node, struct parked, in_session);

        if (parked->question.id != 0)
            outbox_unask(core->out, session->peer, parked->question.id);
        parked_free(core, session, parked);
    }
    deadlines_cancel(&core->deadlines, &session->pause.deadline);
    hold_set(core, session, HOLD_PARKED, false);
}

const struct question *park_question(const struct session *session)
{
    const struct parked *parked = first_of(session);

    return parked == NULL ? NULL : &parked->question;
}

void park_check(const struct core *core, const struct session *session)
{
    uint32_t count = 0;
    size_t len = 0;

    list_each (&session->parked, node, after) {
        const struct parked *parked = container_of(node, struct parked, in_session);

        CHECK((parked->question.id != 0) ==
              (count == 0 && !deadline_is_set(&session->pause.deadline)));
        CHECK(parked->question.id == 0 ||
              map_get(&core->questions, parked->question.id, 0) == session);
        count++;
        len += msg_len(&parked->msg);
    }
    CHECK(count == session->parked_count && len == session->parked_len);
    CHECK(!session->is_draining);
}
