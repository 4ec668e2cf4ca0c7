/* calls.c -- see calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/calls.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/reply.h"
#include "wire/errors.h"

struct call {
    struct session *caller, *callee; /* borrowed */
    uint64_t request;                /* of the caller's CALL */
    uint64_t invocation;             /* of our INVOCATION */
    struct list in_caller;           /* caller->calls */
    struct list in_callee;           /* callee->invocations */
};

/* ---- life of a call ---- */

static struct call *call_new(struct core *core, struct session *caller, uint64_t request,
                             struct session *callee, uint64_t invocation)
{
    struct call *call = mem_alloc(sizeof *call);

    *call = (struct call){
        .caller = caller, .callee = callee, .request = request, .invocation = invocation};
    list_append(&caller->calls, &call->in_caller);
    list_append(&callee->invocations, &call->in_callee);
    map_put(&core->dealer.calls, caller->id, request, call);
    map_put(&core->dealer.invocations, callee->id, invocation, call);
    caller->call_count++;
    core->counters.pending_calls++;
    return call;
}

/* The reverse of call_new. */
static void call_free(struct core *core, struct call *call)
{
    map_remove(&core->dealer.calls, call->caller->id, call->request);
    map_remove(&core->dealer.invocations, call->callee->id, call->invocation);
    list_remove(&call->in_caller);
    list_remove(&call->in_callee);
    call->caller->call_count--;
    core->counters.pending_calls--;
    mem_free(call);
}

bool calls_is_pending(const struct core *core, const struct session *session, uint64_t request)
{
    return map_get(&core->dealer.calls, session->id, request) != NULL;
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

/* ---- endings ---- */

static void send_error(struct core *core, const struct session *caller, uint64_t request,
                       const char *uri, const char *words)
{
    core->counters.errors++;
    session_send_error(core, caller, MSG_CALL, request, uri, words);
}

static void end_with_error(struct core *core, struct call *call, const char *uri, const char *words)
{
    send_error(core, call->caller, call->request, uri, words);
    call_free(core, call);
}

/* Tells a callee that nobody waits any more, if it understands that. */
static void interrupt(struct core *core, const struct call *call, enum cancel_mode mode,
                      const char *reason)
{
    if ((call->callee->features & CALLEE_CALL_CANCELING) != 0)
        session_send(
            core, call->callee,
            reply_interrupt(call->callee->codec, call->invocation, cancel_mode_name(mode), reason));
}

/* ---- CALL ---- */

static bool knows_raw(const struct session *session, uint32_t feature)
{
    return (session->features & feature) != 0;
}

static void invoke(struct core *core, struct session *caller, const struct msg *msg,
                   const struct options *options, struct registration *reg)
{
    struct session *callee = dealer_choose(core, reg)->session;
    bool is_pattern = reg->entry.match != MATCH_EXACT;

    if (options_is_ppt(options) && (callee->features & CALLEE_PAYLOAD_PASSTHRU_MODE) == 0) {
        send_error(core, caller, msg->id, WAMP_FEATURE_NOT_SUPPORTED,
                   "the callee did not announce payload_passthru_mode");
        return;
    }

    uint64_t issued_before = callee->last_invocation;
    uint64_t invocation = next_invocation(core, callee);
    struct blob *blob = reply_invocation(
        &(struct forward){.codec = callee->codec,
                          .id = invocation,
                          .second = reg->id,
                          .uri_key = is_pattern ? "procedure" : NULL,
                          .uri = msg->text,
                          .options = options,
                          .payload = &msg->payload,
                          .wrap_raw = !knows_raw(callee, CALLEE_PAYLOAD_TRANSPARENCY)});

    if (UNLIKELY(blob->len > callee->send_max)) {
        blob_drop(blob);
        callee->last_invocation = issued_before; /* it never sees this one: no gap in its ids */
        core->counters.oversized++;
        send_error(core, caller, msg->id, WAMP_PAYLOAD_SIZE_EXCEEDED,
                   "the INVOCATION is longer than the callee accepts");
        return;
    }
    call_new(core, caller, msg->id, callee, invocation);
    outbox_send(core->out, callee->peer, blob, SEND_INVOCATION, invocation);
}

void calls_call(struct core *core, struct session *caller, const struct msg *msg,
                const struct options *options)
{
    struct registration *reg;

    core->counters.calls++;
    if (!uri_is_valid(msg->text, MATCH_EXACT, core->options.strict_uris)) {
        send_error(core, caller, msg->id, WAMP_INVALID_URI, "CALL.Procedure is not a valid URI");
        return;
    }
    if (caller->call_count >= core->options.max_pending_calls) {
        send_error(core, caller, msg->id, WAMP_NO_AVAILABLE_CALLEE,
                   "too many calls of this session are pending (max_pending_calls)");
        return;
    }
    reg = dealer_match(core, msg->text);
    if (reg == NULL)
        send_error(core, caller, msg->id, WAMP_NO_SUCH_PROCEDURE,
                   "no callee has registered this procedure");
    else
        invoke(core, caller, msg, options, reg);
}

/* ---- YIELD and ERROR ---- */

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

/* A YIELD in payload passthru mode that one of the ends cannot take. Returns false when there
 * is nothing wrong; else the call is over, and *err says whether the callee is to blame. */
static bool is_ppt_misfit(struct core *core, struct call *call, struct session *callee,
                          const struct options *options, int *err, struct fault *fault)
{
    *err = 0;
    if (!options_is_ppt(options))
        return false;
    if ((callee->features & CALLEE_PAYLOAD_PASSTHRU_MODE) == 0) {
        end_with_error(core, call, WAMP_FEATURE_NOT_SUPPORTED,
                       "the callee did not announce payload_passthru_mode");
        *err = fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "YIELD.Options.ppt_scheme: the callee did not announce "
                         "payload_passthru_mode");
        return true;
    }
    if ((call->caller->features & CALLER_PAYLOAD_PASSTHRU_MODE) != 0)
        return false;
    session_send_error(core, callee, MSG_INVOCATION, call->invocation, WAMP_FEATURE_NOT_SUPPORTED,
                       "the caller did not announce payload_passthru_mode");
    end_with_error(core, call, WAMP_FEATURE_NOT_SUPPORTED,
                   "the caller did not announce payload_passthru_mode");
    return true;
}

int calls_yield(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault)
{
    int err;
    struct call *call = find_call(core, callee, msg, &err, fault);

    if (call == NULL)
        return err;
    /* Nobody was asked for progressive results yet, so nobody waits for one. */
    if (options->progress)
        return 0;
    if (UNLIKELY(is_ppt_misfit(core, call, callee, options, &err, fault)))
        return err;

    struct session *caller = call->caller;
    struct blob *blob = reply_result(
        &(struct forward){.codec = caller->codec,
                          .id = call->request,
                          .options = options,
                          .payload = &msg->payload,
                          .wrap_raw = !knows_raw(caller, CALLER_PAYLOAD_TRANSPARENCY)});

    if (UNLIKELY(blob->len > caller->send_max)) {
        blob_drop(blob);
        core->counters.oversized++;
        end_with_error(core, call, WAMP_PAYLOAD_SIZE_EXCEEDED,
                       "the RESULT is longer than the caller accepts");
        return 0;
    }
    core->counters.results++;
    session_send(core, caller, blob);
    call_free(core, call);
    return 0;
}

int calls_error(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault)
{
    static const struct payload nothing = {.kind = PAYLOAD_NONE};
    static const struct options plain = {0};
    int err;
    struct call *call = find_call(core, callee, msg, &err, fault);

    if (call == NULL)
        return err;

    struct session *caller = call->caller;
    bool is_misfit =
        options_is_ppt(options) && (caller->features & CALLER_PAYLOAD_PASSTHRU_MODE) == 0;
    struct forward forward = {.codec = caller->codec,
                              .id = call->request,
                              .uri = msg->text,
                              .options = is_misfit ? &plain : options,
                              .payload = is_misfit ? &nothing : &msg->payload,
                              .wrap_raw = !knows_raw(caller, CALLER_PAYLOAD_TRANSPARENCY)};
    struct blob *blob = reply_call_error(&forward);

    if (UNLIKELY(blob->len > caller->send_max)) {
        blob_drop(blob);
        core->counters.oversized++;
        forward.options = &plain;
        forward.payload = &nothing;
        blob = reply_call_error(&forward);
    }
    core->counters.errors++;
    session_send(core, caller, blob);
    call_free(core, call);
    return 0;
}

/* ---- what else ends a call ---- */

void calls_unsent(struct core *core, struct session *callee, uint64_t invocation)
{
    struct call *call = map_get(&core->dealer.invocations, callee->id, invocation);

    if (call != NULL)
        end_with_error(core, call, WAMP_NETWORK_FAILURE,
                       "the callee does not read fast enough: its queue is full");
}

void calls_leave(struct core *core, struct session *session)
{
    list_each (&session->invocations, node, after) {
        struct call *call = container_of(node, struct call, in_callee);

        if (call->caller != session)
            end_with_error(core, call, WAMP_CANCELED, "callee gone");
    }
    list_each (&session->calls, node, after) {
        struct call *call = container_of(node, struct call, in_caller);

        if (call->callee != session)
            interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
        call_free(core, call);
    }
}

void calls_forget(struct core *core, struct session *session)
{
    list_each (&session->calls, node, after)
        call_free(core, container_of(node, struct call, in_caller));
}

void calls_check(const struct core *core)
{
    const struct dealer *dealer = &core->dealer;
    const struct map_entry *at;
    size_t i = 0;

    CHECK(dealer->calls.count == dealer->invocations.count);
    CHECK(dealer->calls.count == core->counters.pending_calls);
    while ((at = map_next(&dealer->calls, &i)) != NULL) {
        const struct call *call = at->value;

        CHECK(call->caller->id == at->a && call->request == at->b);
        CHECK(call->caller->state == SESSION_ESTABLISHED);
        CHECK(call->callee->state == SESSION_ESTABLISHED);
        CHECK(map_get(&core->by_id, call->caller->id, 0) == call->caller);
        CHECK(map_get(&core->by_id, call->callee->id, 0) == call->callee);
        CHECK(map_get(&dealer->invocations, call->callee->id, call->invocation) == call);
        CHECK(list_is_linked(&call->in_caller) && list_is_linked(&call->in_callee));
    }
}
