/* calls.c -- the life of a call: made, assigned, ended, checked. See calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/calls.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/calls_priv.h"
#include "core/limits.h"
#include "core/reply.h"
#include "core/review.h"
#include "core/send.h"
#include "wire/errors.h"

/* ---- life ---- */

/* Calls come in bursts that are longer than what malloc keeps at hand. */
static struct call *take_memory(struct dealer *dealer)
{
    struct call *call = dealer->spare;

    if (call == NULL)
        return mem_alloc(sizeof *call);
    dealer->spare = call->next_spare;
    dealer->spare_count--;
    return call;
}

static void give_memory(struct dealer *dealer, struct call *call)
{
    if (dealer->spare_count == MAX_SPARE_CALLS) {
        mem_free(call);
        return;
    }
    call->next_spare = dealer->spare;
    dealer->spare = call;
    dealer->spare_count++;
}

void calls_fini(struct core *core)
{
    while (core->dealer.spare != NULL)
        mem_free(take_memory(&core->dealer));
}

struct call *call_new(struct core *core, struct session *caller, uint64_t request,
                      const struct registration *registration)
{
    struct call *call = take_memory(&core->dealer);

    *call = (struct call){.caller = caller,
                          .request = request,
                          .registration_id = registration->id,
                          .timer = {.kind = TIMER_CALL},
                          .timeout_at = NEVER,
                          .queue_until = NEVER,
                          .grace_until = NEVER};
    list_init(&call->chunks);
    list_init(&call->reviews);
    list_append(&caller->calls, &call->in_caller);
    map_put(&core->dealer.calls, caller->id, request, call);
    caller->call_count++;
    core->counters.pending_calls++;
    return call;
}

/* The next INVOCATION id of a callee: 1, 2, 3, ... 2^53, 1; never one that is in use, which only
 * a second round could bring up. */
static uint64_t next_invocation(const struct core *core, struct session *callee)
{
    do {
        callee->has_wrapped |= callee->last_invocation == WAMP_ID_MAX;
        callee->last_invocation =
            callee->last_invocation == WAMP_ID_MAX ? 1 : callee->last_invocation + 1;
    } while (UNLIKELY(callee->has_wrapped && map_get(&core->dealer.invocations, callee->id,
                                                     callee->last_invocation) != NULL));
    return callee->last_invocation;
}

void call_assign(struct core *core, struct call *call, struct callee *callee)
{
    call->callee = callee->session;
    call->answerer = callee;
    call->invocation = next_invocation(core, callee->session);
    callee->pending++;
    callee->session->invocation_count++;
    list_append(&callee->session->invocations, &call->in_callee);
    map_put(&core->dealer.invocations, callee->session->id, call->invocation, call);
}

void call_unassign(struct core *core, struct call *call)
{
    map_remove(&core->dealer.invocations, call->callee->id, call->invocation);
    list_remove(&call->in_callee);
    call->callee->invocation_count--;
    if (call->answerer != NULL)
        call->answerer->pending--;
    call->callee = NULL;
    call->answerer = NULL;
}

static struct registration *registration_of(const struct core *core, const struct call *call)
{
    return map_get(&core->dealer.by_id, call->registration_id, 0);
}

static void stop_waiting(const struct core *core, struct call *call)
{
    if (!list_is_linked(&call->in_waiting))
        return;
    list_remove(&call->in_waiting);
    registration_of(core, call)->waiting_count--;
    call->queue_until = NEVER;
}

uint64_t call_hash(const struct core *core, struct slice procedure)
{
    return hash_bytes(procedure, core->dealer.index.seed[0], core->dealer.index.seed[1]);
}

void call_remember(const struct core *core, struct session *caller, uint64_t request,
                   uint64_t procedure)
{
    if (caller->finished == NULL)
        caller->finished = mem_zero(MAX_FINISHED_CALLS, sizeof *caller->finished);
    caller->finished[caller->finished_count++ % MAX_FINISHED_CALLS] =
        (struct finished_call){request, core->now, procedure};
}

void call_free(struct core *core, struct call *call)
{
    if (call->callee != NULL)
        call_unassign(core, call);
    stop_waiting(core, call);
    if (UNLIKELY(call->is_progressive))
        call_remember(core, call->caller, call->request, call->procedure);
    map_remove(&core->dealer.calls, call->caller->id, call->request);
    list_remove(&call->in_caller);
    call->caller->call_count--;
    core->counters.pending_calls--;
    deadlines_cancel(&core->deadlines, &call->timer.deadline);
    if (UNLIKELY(!list_is_empty(&call->reviews)))
        review_forget(core, call);
    list_each (&call->chunks, node, after)
        mem_free(container_of(node, struct kept_chunk, in_call));
    mem_free(call->kept);
    mem_free(call->tried);
    give_memory(&core->dealer, call);
}

/* Somebody works on one call less. */
static void serve_others(struct core *core, struct registration *reg, const struct session *callee)
{
    if (reg != NULL)
        calls_serve_waiting(core, reg);
    if (callee == NULL || core->options.callee_max_pending == 0)
        return;
    list_each (&callee->callees, node, after)
        calls_serve_waiting(core, container_of(node, struct callee, in_session)->registration);
}

void call_end(struct core *core, struct call *call)
{
    struct session *callee = call->callee;
    struct registration *reg;

    if (LIKELY(core->options.call_queue_len == 0)) {
        call_free(core, call);
        return;
    }
    reg = registration_of(core, call);
    call_free(core, call);
    serve_others(core, reg, callee);
}

void call_release(struct core *core, struct call *call)
{
    struct session *callee = call->callee;

    call->is_answered = true;
    call->grace_until = NEVER;
    call_set_deadline(core, call);
    call_unassign(core, call);
    if (core->options.call_queue_len != 0)
        serve_others(core, registration_of(core, call), callee);
}

void call_keep(struct call *call, const struct msg *msg, bool with_payload)
{
    struct msg head = *msg;
    struct kept_call *kept;

    if (!with_payload)
        head.payload = (struct payload){.codec = msg->codec, .kind = PAYLOAD_NONE};
    kept = mem_alloc(sizeof *kept + msg_len(&head));
    msg_copy(&kept->msg, &head, kept->bytes);
    mem_free(call->kept);
    call->kept = kept;
}

/* ---- endings ---- */

void call_send_error(struct core *core, const struct session *caller, uint64_t request,
                     const char *uri, const char *words)
{
    core->counters.errors++;
    send_error(core, caller, MSG_CALL, request, uri, words);
}

void call_end_with_error(struct core *core, struct call *call, const char *uri, const char *words)
{
    call_send_error(core, call->caller, call->request, uri, words);
    call_end(core, call);
}

void call_interrupt(struct core *core, const struct call *call, enum cancel_mode mode,
                    const char *reason)
{
    if (session_can(call->callee, CALLEE_CALL_CANCELING))
        send_reply(
            core, call->callee,
            reply_interrupt(call->callee->codec, call->invocation, cancel_mode_name(mode), reason));
}

void call_set_deadline(struct core *core, struct call *call)
{
    uint64_t at = call->timeout_at;

    if (call->queue_until < at)
        at = call->queue_until;
    if (call->grace_until < at)
        at = call->grace_until;
    if (at == NEVER)
        deadlines_cancel(&core->deadlines, &call->timer.deadline);
    else
        deadlines_set(&core->deadlines, &call->timer.deadline, at);
}

void call_restart_clock(struct core *core, struct call *call)
{
    if (LIKELY(call->timeout_ms == 0))
        return;
    call->timeout_at = core->now + call->timeout_ms;
    call_set_deadline(core, call);
}

void calls_unsent(struct core *core, struct session *callee, uint64_t invocation)
{
    struct call *call = map_get(&core->dealer.invocations, callee->id, invocation);

    if (call != NULL)
        call_end_with_error(core, call, WAMP_NETWORK_FAILURE,
                            "the callee does not read fast enough: its queue is full");
}

void calls_end_waiting(struct core *core, struct registration *reg)
{
    list_each (&reg->waiting, node, after) {
        struct call *call = container_of(node, struct call, in_waiting);

        call_send_error(core, call->caller, call->request, WAMP_NO_AVAILABLE_CALLEE,
                        "the last callee has gone while the call waited for one");
        call_free(core, call);
    }
}

void calls_forget_callee(struct callee *callee)
{
    if (callee->pending == 0)
        return;
    list_each (&callee->session->invocations, node, after) {
        struct call *call = container_of(node, struct call, in_callee);

        if (call->answerer == callee)
            call->answerer = NULL;
    }
}

void calls_withdraw(struct core *core, struct session *session)
{
    list_each (&session->calls, node, after) {
        struct call *call = container_of(node, struct call, in_caller);

        if (call->callee == NULL || call->callee == session)
            call_free(core, call);
    }
}

void calls_leave(struct core *core, struct session *session)
{
    list_each (&session->invocations, node, after)
        call_end_with_error(core, container_of(node, struct call, in_callee), WAMP_CANCELED,
                            "callee gone");
    while (!list_is_empty(&session->calls)) {
        struct call *call = container_of(list_first(&session->calls), struct call, in_caller);

        if (!call->is_cancelled)
            call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
        call_end(core, call);
    }
}

void calls_forget(struct core *core, struct session *session, const struct session *staying)
{
    list_each (&session->calls, node, after) {
        struct call *call = container_of(node, struct call, in_caller);

        if (call->callee == NULL || call->callee != staying)
            call_free(core, call);
    }
}

/* ---- request ids ---- */

static bool was_finished(const struct core *core, const struct session *session,
                         const struct msg *msg, uint64_t came_at, bool same_procedure)
{
    for (size_t i = 0; session->finished != NULL && i < MAX_FINISHED_CALLS; i++) {
        const struct finished_call *f = &session->finished[i];

        if (f->request != msg->id || (came_at > f->at && came_at - f->at > FINISHED_CALL_MS))
            continue;
        if (!same_procedure || f->procedure == call_hash(core, msg->text))
            return true;
    }
    return false;
}

static enum call_id violation(const struct msg *msg, const char *words, struct fault *fault)
{
    (void)fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION, "CALL.Request: %llu %s",
                    (unsigned long long)msg->id, words);
    return CALL_ID_VIOLATION;
}

static enum call_id out_of_turn(const struct session *session, const struct msg *msg,
                                struct fault *fault)
{
    uint64_t expected = session->watermark == WAMP_ID_MAX ? 1 : session->watermark + 1;

    (void)fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                    "CALL.Request: expected %llu, found %llu", (unsigned long long)expected,
                    (unsigned long long)msg->id);
    return CALL_ID_VIOLATION;
}

/* A CALL with the id of a call that is pending. */
static enum call_id judge_pending(const struct core *core, const struct call *call,
                                  const struct msg *msg, struct fault *fault)
{
    if (!call->is_progressive)
        return violation(msg, "is the id of a call that is pending", fault);
    if (call->inputs_done)
        return violation(msg, "has had its last chunk", fault);
    if (call->procedure == call_hash(core, msg->text))
        return CALL_ID_CHUNK;
    if (core->options.request_id_check == REQUEST_IDS_LENIENT)
        return CALL_ID_LATE;
    return violation(msg, "goes on with another procedure", fault);
}

enum call_id calls_judge_id(const struct core *core, const struct session *session,
                            const struct msg *msg, struct fault *fault)
{
    enum request_id_check check = core->options.request_id_check;
    const struct call *call = map_get(&core->dealer.calls, session->id, msg->id);
    uint64_t distance = (msg->id - session->watermark) & (WAMP_ID_MAX - 1);

    if (check == REQUEST_IDS_LENIENT) {
        if (call != NULL)
            return judge_pending(core, call, msg, fault);
        return was_finished(core, session, msg, core->came_at, false) ? CALL_ID_LATE : CALL_ID_NEW;
    }
    if (call != NULL)
        return judge_pending(core, call, msg, fault);
    if (distance == 1 || (check == REQUEST_IDS_SEQUENTIAL && session->watermark == 0))
        return CALL_ID_NEW;
    if ((distance == 0 || distance > WAMP_ID_MAX / 2) &&
        (check == REQUEST_IDS_SEQUENTIAL || was_finished(core, session, msg, core->came_at, true)))
        return CALL_ID_LATE;
    return out_of_turn(session, msg, fault);
}

bool calls_is_pending(const struct core *core, const struct session *caller, uint64_t request)
{
    return map_get(&core->dealer.calls, caller->id, request) != NULL;
}

bool calls_is_over(const struct core *core, const struct session *caller, const struct msg *msg,
                   uint64_t came_at)
{
    return was_finished(core, caller, msg, came_at, true);
}

void calls_expect_late(const struct core *core, struct session *caller, const struct msg *msg,
                       bool is_progressive)
{
    if (is_progressive)
        call_remember(core, caller, msg->id, call_hash(core, msg->text));
}

/* ---- checks ---- */

static void check_assigned(const struct core *core, const struct call *call)
{
    const struct dealer *dealer = &core->dealer;

    CHECK(call->callee->state == SESSION_ESTABLISHED);
    CHECK(map_get(&core->by_id, call->callee->id, 0) == call->callee);
    CHECK(map_get(&dealer->invocations, call->callee->id, call->invocation) == call);
    CHECK(list_is_linked(&call->in_callee) && !list_is_linked(&call->in_waiting));
    CHECK(call->answerer == NULL || (call->answerer->session == call->callee &&
                                     call->answerer->registration->id == call->registration_id));
}

size_t calls_check(const struct core *core)
{
    const struct dealer *dealer = &core->dealer;
    const struct map_entry *at;
    size_t i = 0, assigned = 0, deadlines = 0, questions = 0;

    CHECK(dealer->calls.count == core->counters.pending_calls);
    while ((at = map_next(&dealer->calls, &i)) != NULL) {
        const struct call *call = at->value;

        CHECK(call->caller->id == at->a && call->request == at->b);
        CHECK(call->caller->state == SESSION_ESTABLISHED);
        CHECK(map_get(&core->by_id, call->caller->id, 0) == call->caller);
        CHECK(list_is_linked(&call->in_caller));
        CHECK(!call->is_progressive || call->kept != NULL);
        deadlines += deadline_is_set(&call->timer.deadline);
        if (call->callee != NULL) {
            assigned++;
            check_assigned(core, call);
        } else if (!call->is_answered) {
            CHECK(list_is_linked(&call->in_waiting) && registration_of(core, call) != NULL);
        }
        questions += review_check_call(core, call);
    }
    CHECK(assigned == dealer->invocations.count);
    CHECK(questions == core->reviews.count);
    return deadlines;
}
