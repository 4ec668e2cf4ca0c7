/* review.c -- see review.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/review.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/amend.h"
#include "core/hold.h"
#include "core/limits.h"
#include "core/notice.h"
#include "core/send.h"
#include "wire/errors.h"

/* An answer; the first one of a call is judged. */
struct review {
    struct list in_call;      /* call->reviews */
    struct list in_callee;    /* callee->reviews */
    struct call *call;        /* borrowed */
    struct session *callee;   /* borrowed; NULL: it has left */
    struct question question; /* id 0: an earlier answer is judged */
    bool is_judged;           /* or it waits for others only */
    struct msg msg;           /* its slices point into `bytes`; so does question.procedure */
    char bytes[];
};

static struct review *first_of(const struct call *call)
{
    struct list *node = list_first(&call->reviews);

    return node == NULL ? NULL : container_of(node, struct review, in_call);
}

/* The callee is not read while too much of it is being judged. */
static void look_at_room(struct core *core, struct session *callee)
{
    if (callee->review_count >= MAX_REVIEWED || callee->review_len >= MAX_REVIEWED_LEN)
        hold_set(core, callee, HOLD_REVIEWED, true);
    else if (callee->review_count <= MAX_REVIEWED / 2 && callee->review_len <= MAX_REVIEWED_LEN / 2)
        hold_set(core, callee, HOLD_REVIEWED, false);
}

static void leave_callee(struct review *review)
{
    struct session *callee = review->callee;

    if (callee == NULL)
        return;
    list_remove(&review->in_callee);
    callee->review_count--;
    callee->review_len -= msg_len(&review->msg);
    review->callee = NULL;
}

static struct slice procedure_of(const struct core *core, const struct call *call)
{
    const struct registration *reg;
    struct slice none = {0};

    if (call->kept != NULL)
        return call->kept->msg.text;
    /* Nobody asked about answers when it began. */
    reg = map_get(&core->dealer.by_id, call->registration_id, 0);
    return reg == NULL ? none : reg->entry.uri;
}

static struct review *review_new(struct core *core, struct call *call, const struct msg *msg,
                                 bool judged)
{
    struct session *callee = call->callee;
    struct slice procedure = procedure_of(core, call);
    struct review *review = mem_alloc(sizeof *review + msg_len(msg) + procedure.len);

    *review = (struct review){.call = call, .callee = callee, .is_judged = judged};
    msg_copy(&review->msg, msg, review->bytes);
    review->question =
        (struct question){.ask = ASK_ANSWER,
                          .peer = callee->peer,
                          .session = callee->id,
                          .msg = &review->msg,
                          .caller = call->caller->id,
                          .procedure = slice_make(review->bytes + msg_len(msg), procedure.len)};
    if (procedure.len != 0)
        memcpy(review->bytes + msg_len(msg), procedure.data, procedure.len);
    list_append(&call->reviews, &review->in_call);
    list_append(&callee->reviews, &review->in_callee);
    callee->review_count++;
    callee->review_len += msg_len(msg);
    return review;
}

static void review_free(struct core *core, struct review *review)
{
    struct session *callee = review->callee;

    list_remove(&review->in_call);
    leave_callee(review);
    if (callee != NULL)
        look_at_room(core, callee);
    mem_free(review);
}

static void put_question(struct core *core, struct review *review)
{
    review->question.id = ++core->last_question;
    map_put(&core->reviews, review->question.id, 0, review);
    outbox_ask(core->out, review->question.peer, review->question.id);
}

void review_add(struct core *core, struct call *call, const struct msg *msg, bool judged,
                bool is_last)
{
    struct session *callee = call->callee;
    struct review *review = review_new(core, call, msg, judged);

    look_at_room(core, callee);
    call_restart_clock(core, call);
    if (first_of(call) == review)
        put_question(core, review);
    if (is_last)
        call_release(core, call);
    else
        call->has_progressed = true;
}

/* ---- answers ---- */

static void end_denied(struct core *core, struct call *call, const struct question *question,
                       const struct decision *decision)
{
    const struct session *callee = map_get(&core->by_id, question->session, 0);
    const char *reason = decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason;

    notice_denied(core, callee != NULL ? callee : call->caller, RULE_CALL, MATCH_EXACT,
                  question->procedure, reason, decision->words, decision->cause);
    core->counters.errors++;
    send_denial(core, call->caller, MSG_CALL, call->request, decision);
    if (call->callee != NULL && !call->is_cancelled)
        call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
    call_end(core, call);
}

/* The callee whose answer was denied is to end as well. */
static void close_callee(struct core *core, const struct question *question,
                         const struct decision *decision)
{
    struct session *callee = map_get(&core->by_id, question->session, 0);
    struct slice reason =
        slice_of(decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason);
    const char *copy = arena_copy(&core->scratch, slice_make(reason.data, reason.len + 1)).data;

    if (callee == NULL)
        return;
    notice_killed(core, callee, NULL, (struct slice){0}, copy);
    session_shut_down(core, callee, copy, slice_of(decision->words));
}

static void go_on(struct core *core, struct call *call, const struct review *review,
                  const struct grant *grant)
{
    struct amended amended;
    const char *words = amend_answer(core, &review->msg, grant, &amended);

    if (words == NULL)
        call_deliver(core, call, &amended.msg, &amended.options);
    else
        end_denied(core, call, &review->question,
                   &(struct decision){.reason = WAMP_AUTHORIZATION_FAILED, .cause = words});
}

/* What waited behind an answer has its turn, unless the call is over. */
static void take_next(struct core *core, const struct session *caller, uint64_t request)
{
    static const struct grant nothing = {0};
    const struct call *call;
    struct review *next;

    while ((call = map_get(&core->dealer.calls, caller->id, request)) != NULL &&
           (next = first_of(call)) != NULL) {
        if (next->is_judged) {
            put_question(core, next);
            break;
        }
        list_remove(&next->in_call);
        go_on(core, next->call, next, &nothing);
        review_free(core, next);
    }
}

bool review_decide(struct core *core, const struct decision *decision)
{
    struct review *review = map_remove(&core->reviews, decision->question, 0);
    const struct session *caller;
    uint64_t request;

    if (review == NULL)
        return false;
    CHECK(decision->verdict == VERDICT_ALLOW || decision->verdict == VERDICT_DENY);
    caller = review->call->caller;
    request = review->call->request;
    list_remove(&review->in_call);
    if (decision->verdict == VERDICT_ALLOW)
        go_on(core, review->call, review, &decision->grant);
    else
        end_denied(core, review->call, &review->question, decision);
    take_next(core, caller, request);
    if (decision->verdict == VERDICT_DENY && decision->closes)
        close_callee(core, &review->question, decision);
    review_free(core, review);
    return true;
}

const struct question *review_question(const struct core *core, uint64_t id)
{
    const struct review *review = map_get(&core->reviews, id, 0);

    return review == NULL ? NULL : &review->question;
}

/* ---- ends ---- */

void review_forget(struct core *core, struct call *call)
{
    list_each (&call->reviews, node, after) {
        struct review *review = container_of(node, struct review, in_call);

        if (review->question.id != 0) {
            map_remove(&core->reviews, review->question.id, 0);
            outbox_unask(core->out, review->question.peer, review->question.id);
        }
        review_free(core, review);
    }
}

void review_leave(struct core *core, struct session *callee)
{
    list_each (&callee->reviews, node, after)
        leave_callee(container_of(node, struct review, in_callee));
    hold_set(core, callee, HOLD_REVIEWED, false);
}

/* ---- checks ---- */

void review_check(const struct core *core, const struct session *callee)
{
    uint32_t count = 0;
    size_t len = 0;

    list_each (&callee->reviews, node, after) {
        const struct review *review = container_of(node, struct review, in_callee);

        CHECK(review->callee == callee && review->question.session == callee->id);
        CHECK(map_get(&core->dealer.calls, review->call->caller->id, review->call->request) ==
              review->call);
        count++;
        len += msg_len(&review->msg);
    }
    CHECK(count == callee->review_count && len == callee->review_len);
}

size_t review_check_call(const struct core *core, const struct call *call)
{
    size_t count = 0;

    list_each (&call->reviews, node, after) {
        const struct review *review = container_of(node, struct review, in_call);

        CHECK(review->call == call && (review->question.id != 0) == (count == 0));
        CHECK(count != 0 || map_get(&core->reviews, review->question.id, 0) == review);
        CHECK(review->callee == NULL || list_is_linked(&review->in_callee));
        count++;
    }
    CHECK(!call->is_answered || (count != 0 && call->callee == NULL));
    return count == 0 ? 0 : 1;
}
