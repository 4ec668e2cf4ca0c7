/* answer.c -- YIELD and ERROR of a callee become RESULT and ERROR. See calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/calls_priv.h"
#include "core/limits.h"
#include "core/needs.h"
#include "core/reply.h"
#include "core/review.h"
#include "core/send.h"
#include "wire/errors.h"

static const struct payload no_payload = {.kind = PAYLOAD_NONE};
static const struct options no_options = {0};

/* The call that an answer belongs to. NULL with *err 0: it is over, the answer is late. */
static struct call *find_call(const struct core *core, const struct session *callee,
                              const struct msg *msg, int *err, struct fault *fault)
{
    struct call *call = map_get(&core->dealer.invocations, callee->id, msg->id);

    *err = 0;
    if (call == NULL && msg->id > callee->last_invocation)
        *err = fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "%s.Request: no INVOCATION with id %llu was sent to this session",
                         msg_name(msg->type), (unsigned long long)msg->id);
    return call;
}

/* A progressive result of a call that is over: the callee may not know that yet. */
static void reinterrupt(struct core *core, struct session *callee, uint64_t invocation)
{
    if (!core->options.reinterrupt || !session_can(callee, CALLEE_CALL_CANCELING) ||
        (callee->reinterrupted_at != 0 && core->now - callee->reinterrupted_at < REINTERRUPT_MS))
        return;
    callee->reinterrupted_at = core->now;
    send_reply(core, callee,
               reply_interrupt(callee->codec, invocation, cancel_mode_name(CANCEL_KILLNOWAIT),
                               WAMP_CANCELED));
}

/* A YIELD in payload passthru mode that one of the ends cannot take. Returns false when there
 * is nothing wrong; else the call is over, and *err says whether the callee is to blame. */
static bool is_ppt_misfit(struct core *core, struct call *call, struct session *callee,
                          const struct options *options, int *err, struct fault *fault)
{
    *err = 0;
    if (!options_is_ppt(options))
        return false;
    if (!session_can(callee, CALLEE_PAYLOAD_PASSTHRU_MODE)) {
        call_end_with_error(core, call, WAMP_FEATURE_NOT_SUPPORTED,
                            "the callee did not announce payload_passthru_mode");
        *err = fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "YIELD.Options.ppt_scheme: the callee did not announce "
                         "payload_passthru_mode");
        return true;
    }
    if (session_can(call->caller, CALLER_PAYLOAD_PASSTHRU_MODE))
        return false;
    send_error(core, callee, MSG_INVOCATION, call->invocation, WAMP_FEATURE_NOT_SUPPORTED,
               "the caller did not announce payload_passthru_mode");
    call_end_with_error(core, call, WAMP_FEATURE_NOT_SUPPORTED,
                        "the caller did not announce payload_passthru_mode");
    return true;
}

/* RESULT longer than the caller accepts: the call ends, and its callee need not go on. */
static void end_oversized(struct core *core, struct call *call, bool is_running)
{
    core->counters.oversized++;
    if (is_running && call->callee != NULL && !call->is_cancelled)
        call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
    call_end_with_error(core, call, WAMP_PAYLOAD_SIZE_EXCEEDED,
                        "the RESULT is longer than the caller accepts");
}

static void deliver_result(struct core *core, struct call *call, const struct msg *msg,
                           const struct options *options)
{
    struct session *caller = call->caller;
    struct blob *blob = reply_result(
        &(struct forward){.codec = caller->codec,
                          .id = call->request,
                          .progress = options->progress,
                          .trustlevel = NO_TRUSTLEVEL,
                          .options = options,
                          .payload = &msg->payload,
                          .wrap_raw = !session_can(caller, CALLER_PAYLOAD_TRANSPARENCY)});

    if (UNLIKELY(blob->len > caller->send_max)) {
        blob_drop(blob);
        end_oversized(core, call, options->progress);
        return;
    }
    core->counters.results++;
    send_reply(core, caller, blob);
    if (options->progress) {
        call->has_progressed = true;
        call_restart_clock(core, call);
    } else {
        call_end(core, call);
    }
}

int calls_yield(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault)
{
    int err;
    struct call *call = find_call(core, callee, msg, &err, fault);

    if (UNLIKELY(call == NULL)) {
        if (err == 0 && options->progress)
            reinterrupt(core, callee, msg->id);
        return err;
    }
    if (UNLIKELY(is_ppt_misfit(core, call, callee, options, &err, fault)))
        return err;
    if (options->progress && !call->receive_progress)
        return 0; /* nobody asked for progress: dropped, the call goes on */
    if (needs_of_answers(core, callee, call->caller, INTERCEPT_RESULT))
        review_add(core, call, msg, true, !options->progress);
    else if (review_is_behind(call))
        review_add(core, call, msg, false, !options->progress);
    else
        deliver_result(core, call, msg, options);
    return 0;
}

static void deliver_error(struct core *core, struct call *call, const struct msg *msg,
                          const struct options *options)
{
    struct session *caller = call->caller;
    bool is_misfit = options_is_ppt(options) && !session_can(caller, CALLER_PAYLOAD_PASSTHRU_MODE);
    struct forward forward = {.codec = caller->codec,
                              .id = call->request,
                              .uri = msg->text,
                              .trustlevel = NO_TRUSTLEVEL,
                              .options = is_misfit ? &no_options : options,
                              .payload = is_misfit ? &no_payload : &msg->payload,
                              .wrap_raw = !session_can(caller, CALLER_PAYLOAD_TRANSPARENCY)};
    struct blob *blob = reply_call_error(&forward);

    if (UNLIKELY(blob->len > caller->send_max)) {
        blob_drop(blob);
        core->counters.oversized++;
        forward.options = &no_options;
        forward.payload = &no_payload;
        blob = reply_call_error(&forward);
    }
    core->counters.errors++;
    send_reply(core, caller, blob);
    call_end(core, call);
}

void call_deliver(struct core *core, struct call *call, const struct msg *msg,
                  const struct options *options)
{
    if (msg->type == MSG_YIELD)
        deliver_result(core, call, msg, options);
    else
        deliver_error(core, call, msg, options);
}

static bool is_reroutable(const struct call *call, const struct msg *msg)
{
    return slice_eq(msg->text, slice_of(WAMP_UNAVAILABLE)) && call->kept != NULL &&
           session_can(call->callee, CALLEE_CALL_REROUTE) && !call->has_progressed &&
           !call->has_more_chunks && !call->is_cancelled;
}

int calls_error(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault)
{
    int err;
    struct call *call = find_call(core, callee, msg, &err, fault);

    if (call == NULL)
        return err;
    if (is_reroutable(call, msg)) {
        call_reroute(core, call);
        return 0;
    }
    if (needs_of_answers(core, callee, call->caller, INTERCEPT_ERROR))
        review_add(core, call, msg, true, true);
    else if (review_is_behind(call))
        review_add(core, call, msg, false, true);
    else
        deliver_error(core, call, msg, options);
    return 0;
}
