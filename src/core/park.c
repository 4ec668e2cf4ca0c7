/* park.c -- see park.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/park.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/calls.h"
#include "core/core_priv.h"
#include "core/grant.h"
#include "core/limits.h"
#include "core/notice.h"
#include "core/send.h"
#include "wire/errors.h"

/* A message that waits; the first in the list may be one that is judged. */
struct parked {
    struct list in_session;   /* session->parked */
    struct question question; /* id 0: it just waits */
    bool is_canceled;         /* a CALL that is answered; it keeps its place for its request id */
    struct msg msg;           /* its slices point into `bytes` */
    char bytes[];
};

static struct parked *first_of(const struct session *session)
{
    struct list *node = list_first(&session->parked);

    return node == NULL ? NULL : container_of(node, struct parked, in_session);
}

static struct parked *parked_new(struct session *session, const struct msg *msg)
{
    struct parked *parked = mem_alloc(sizeof *parked + msg_len(msg));

    parked->question.id = 0;
    parked->is_canceled = false;
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
    mem_free(parked);
}

/* The socket is read again when half of the room is free. What is judged takes none of it. */
static void look_at_room(struct core *core, struct session *session)
{
    const struct parked *first = first_of(session);
    bool is_judged = first != NULL && first->question.id != 0;
    uint32_t waiting = session->parked_count - (is_judged ? 1 : 0);
    size_t len = session->parked_len - (is_judged ? msg_len(&first->msg) : 0);
    bool is_full = waiting >= MAX_PARKED || len >= MAX_PARKED_LEN;

    if (is_full && !session->is_held) {
        session->is_held = true;
        outbox_hold(core->out, session->peer, true);
    } else if (session->is_held && waiting <= MAX_PARKED / 2 && len <= MAX_PARKED_LEN / 2) {
        session->is_held = false;
        outbox_hold(core->out, session->peer, false);
    }
}

void park_ask(struct core *core, struct session *session, enum rule_action action, enum match match,
              const struct msg *msg)
{
    struct parked *parked = parked_new(session, msg);

    /* What is being judged stands before what came later. */
    list_remove(&parked->in_session);
    list_prepend(&session->parked, &parked->in_session);
    parked->question = (struct question){.id = ++core->last_question,
                                         .ask = ASK_AUTHORIZE,
                                         .peer = session->peer,
                                         .session = session->id,
                                         .msg = &parked->msg,
                                         .action = action,
                                         .match = match};
    map_put(&core->questions, parked->question.id, 0, session);
    outbox_ask(core->out, session->peer, parked->question.id);
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
    parked_new(session, msg);
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
    while ((parked = first_of(session)) != NULL && parked->question.id == 0) {
        unlink_parked(session, parked);
        if (parked->is_canceled)
            pass_over(core, session, &parked->msg);
        else
            session_take(core, session, &parked->msg);
        mem_free(parked);
        if (map_get(&core->by_peer, peer, 0) != session)
            return;
    }
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
                  decision->words);
    if (msg->type == MSG_PUBLISH &&
        (options_read(&options, msg, &core->scratch, &fault) < 0 || !options.acknowledge))
        return;
    if (msg->type == MSG_CALL) {
        core->counters.errors++;
        calls_expect_late(core, session, msg, is_progressive(core, msg));
    }
    send_error(core, session, msg->type, msg->id, reason, decision->words);
}

void park_decide(struct core *core, struct session *session, const struct decision *decision)
{
    uint64_t peer = session->peer;
    struct parked *parked = first_of(session);

    CHECK(parked != NULL && parked->question.id == decision->question);
    CHECK(decision->verdict == VERDICT_ALLOW || decision->verdict == VERDICT_DENY);
    map_remove(&core->questions, parked->question.id, 0);
    parked->question.id = 0;
    unlink_parked(session, parked);
    if (decision->verdict == VERDICT_ALLOW)
        session_perform(core, session, &parked->msg, &decision->grant);
    else
        deny(core, session, &parked->question, decision);
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
            (!parked->is_canceled || is_progressive(core, &parked->msg)))
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
    if (session->is_held)
        outbox_hold(core->out, session->peer, false);
    session->is_held = false;
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

        CHECK((parked->question.id != 0) == (count == 0));
        CHECK(parked->question.id == 0 ||
              map_get(&core->questions, parked->question.id, 0) == session);
        count++;
        len += msg_len(&parked->msg);
    }
    CHECK(count == session->parked_count && len == session->parked_len);
    CHECK(!session->is_draining);
}
