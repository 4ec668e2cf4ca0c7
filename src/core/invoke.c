/* invoke.c -- from CALL to INVOCATION: match, choose, dispatch, re-route. See calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "core/calls_priv.h"
#include "core/limits.h"
#include "core/meta.h"
#include "core/needs.h"
#include "core/reply.h"
#include "core/select.h"
#include "core/send.h"
#include "wire/errors.h"

/* ---- INVOCATION.Details ---- */

/* Whether the callee is told who calls (the matrix of "Caller Identification"). */
static bool is_disclosed(const struct core *core, const struct callee *callee,
                         const struct options *options)
{
    if (callee->session->is_trusted)
        return true;
    if (options->grant.discloses || options->grant.hides)
        return options->grant.discloses;
    switch (core->options.disclose_caller) {
    case DISCLOSE_NEVER:
        return false;
    case DISCLOSE_ALWAYS:
        return true;
    case DISCLOSE_REQUEST:
        break;
    }
    return options->disclose_me ||
           (callee->disclose_caller && core->options.disclose_callee_request);
}

static bool takes_progress(const struct core *core, const struct session *callee)
{
    return session_can(callee, CALLEE_PROGRESSIVE_CALL_RESULTS) &&
           (!core->options.progress_requires_cancel || session_can(callee, CALLEE_CALL_CANCELING));
}

/* The upper bound: of the realm, or of the right to call, whichever is shorter. */
static uint64_t longest_timeout(const struct core *core, const struct options *options)
{
    uint64_t max = core->options.call_max_timeout_ms, granted = options->grant.timeout_ms;

    if (max == 0)
        max = MAX_TIMEOUT_MS;
    return granted != 0 && granted < max ? granted : max;
}

static uint64_t effective_timeout(const struct core *core, const struct options *options)
{
    uint64_t max = longest_timeout(core, options);
    uint64_t timeout =
        options->timeout != 0 ? options->timeout : core->options.call_default_timeout_ms;

    if (timeout == 0 && options->grant.timeout_ms != 0)
        return max;
    return timeout > max ? max : timeout;
}

static int64_t trustlevel_of(const struct call *call)
{
    return call->grant.has_trustlevel ? call->grant.trustlevel : call->caller->trustlevel;
}

static bool is_forwarding(const struct callee *callee)
{
    return callee->forward_timeout && session_can(callee->session, CALLEE_CALL_TIMEOUT);
}

/* Encodes the INVOCATION of one chunk. `first` are the options of the first CALL: the others are
 * frozen; only the payload and whether more follows belong to the chunk. */
static struct blob *encode_invocation(const struct core *core, const struct call *call,
                                      const struct msg *msg, const struct options *first,
                                      bool more_follows)
{
    const struct session *callee = call->callee;
    const struct identity caller = {call->caller->id,
                                    intern_get_text(&core->intern, call->caller->authid),
                                    intern_get_text(&core->intern, call->caller->authrole)};

    return reply_invocation(&(struct forward){
        .codec = callee->codec,
        .id = call->invocation,
        .second = call->registration_id,
        .uri_key = call->is_pattern ? "procedure" : NULL,
        .uri = msg->text,
        .progress = more_follows,
        .receive_progress = call->receive_progress && takes_progress(core, callee),
        .timeout = call->is_forwarded ? effective_timeout(core, first) : 0,
        .identity_key = "caller",
        .identity = call->is_disclosed ? &caller : NULL,
        .trustlevel =
            session_can(callee, CALLEE_CALL_TRUSTLEVELS) ? trustlevel_of(call) : NO_TRUSTLEVEL,
        .options = first,
        .payload = &msg->payload,
        .wrap_raw = !session_can(callee, CALLEE_PAYLOAD_TRANSPARENCY)});
}

/* ---- dispatch ---- */

/* What the call needs of a callee, as features that it must have announced. */
static uint32_t needed_features(const struct call *call, const struct options *options)
{
    uint32_t features = 0;

    if (options_is_ppt(options))
        features |= CALLEE_PAYLOAD_PASSTHRU_MODE;
    if (call->is_progressive)
        features |= CALLEE_PROGRESSIVE_CALL_INVOCATIONS | CALLEE_CALL_CANCELING;
    return features;
}

static void set_clock(struct core *core, struct call *call, const struct options *options)
{
    uint64_t timeout = effective_timeout(core, options);

    if (LIKELY(timeout == 0) || call->timeout_ms != 0) /* not restarted by re-routing */
        return;
    call->timeout_ms = timeout + (call->is_forwarded ? TIMEOUT_BACKSTOP_MS : 0);
    call_restart_clock(core, call);
}

/* Sends the call to this callee; the call ends with ERROR when that cannot be. */
static void dispatch(struct core *core, struct call *call, const struct msg *msg,
                     const struct options *options, struct callee *callee)
{
    uint32_t needed = needed_features(call, options);

    if (UNLIKELY(!session_can(callee->session, needed))) {
        call_end_with_error(core, call, WAMP_FEATURE_NOT_SUPPORTED,
                            (needed & ~callee->session->features & CALLEE_PAYLOAD_PASSTHRU_MODE)
                                ? "the callee did not announce payload_passthru_mode"
                                : "the callee did not announce progressive_call_invocations");
        return;
    }

    uint64_t issued_before = callee->session->last_invocation;

    call_assign(core, call, callee);
    call->is_pattern = callee->registration->entry.match != MATCH_EXACT;
    call->is_disclosed = is_disclosed(core, callee, options);
    call->is_forwarded = is_forwarding(callee);

    struct blob *blob = encode_invocation(core, call, msg, options, options->progress);

    if (UNLIKELY(blob->len > callee->session->send_max)) {
        blob_drop(blob);
        callee->session->last_invocation = issued_before; /* it never sees this one: no gap */
        core->counters.oversized++;
        call_end_with_error(core, call, WAMP_PAYLOAD_SIZE_EXCEEDED,
                            "the INVOCATION is longer than the callee accepts");
        return;
    }
    outbox_send(core->out, callee->session->peer, blob, SEND_INVOCATION, call->invocation);
    set_clock(core, call, options);
    if (call->kept != NULL)
        return;
    if (session_can(callee->session, CALLEE_CALL_REROUTE))
        call_keep(call, msg, true);
    else if (needs_of_answers(core, callee->session, call->caller,
                              INTERCEPT_RESULT | INTERCEPT_ERROR))
        call_keep(call, msg, false); /* who judges them wants to know what was called */
}

/* Every callee is busy: the call waits for one, if the realm allows that. */
static void wait_for_callee(struct core *core, struct registration *reg, struct call *call,
                            const struct msg *msg, const struct options *options)
{
    if (reg->waiting_count >= core->options.call_queue_len) {
        call_end_with_error(core, call, WAMP_NO_AVAILABLE_CALLEE, "every callee is busy");
        return;
    }
    call_keep(call, msg, true);
    list_append(&reg->waiting, &call->in_waiting);
    reg->waiting_count++;
    call->queue_until = core->now + core->options.call_queue_timeout_ms;
    call->timeout_ms = effective_timeout(core, options);
    call_restart_clock(core, call);
    call_set_deadline(core, call);
}

/* Options of a message that was kept; it was read once, so it can be read again. */
static void read_kept(struct core *core, const struct call *call, struct options *options)
{
    struct fault fault;

    if (options_read(options, &call->kept->msg, &core->scratch, &fault) < 0)
        *options = (struct options){0};
    options->grant = call->grant;
}

static struct slice rkey_of(const struct options *options)
{
    static const struct slice none = {0};

    return options->runmode.data == NULL ? none : options->rkey;
}

/* The call has a callee: the next of its input goes there. It may end the call. */
static void send_chunk(struct core *core, struct call *call, const struct msg *msg,
                       bool more_follows)
{
    struct msg chunk = call->kept->msg;
    struct options first;
    struct blob *blob;

    read_kept(core, call, &first);
    chunk.payload = msg->payload;
    call->has_more_chunks = true;
    blob = encode_invocation(core, call, &chunk, &first, more_follows);
    if (UNLIKELY(blob->len > call->callee->send_max)) {
        blob_drop(blob);
        core->counters.oversized++;
        call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
        call_end_with_error(core, call, WAMP_PAYLOAD_SIZE_EXCEEDED,
                            "the INVOCATION is longer than the callee accepts");
        return;
    }
    outbox_send(core->out, call->callee->peer, blob, SEND_INVOCATION, call->invocation);
    call_restart_clock(core, call);
}

/* The call waits for a callee: so does its input. */
static void keep_chunk(struct core *core, struct call *call, const struct msg *msg,
                       bool more_follows)
{
    struct kept_chunk *chunk;

    if (call->chunk_count == MAX_WAITING_CHUNKS ||
        call->chunks_len + msg_len(msg) > MAX_WAITING_CHUNKS_LEN) {
        call_end_with_error(core, call, WAMP_NO_AVAILABLE_CALLEE,
                            "too much input came while the call waited for a callee");
        return;
    }
    chunk = mem_alloc(sizeof *chunk + msg_len(msg));
    chunk->more_follows = more_follows;
    msg_copy(&chunk->msg, msg, chunk->bytes);
    list_append(&call->chunks, &chunk->in_call);
    call->chunk_count++;
    call->chunks_len += msg_len(msg);
    call_restart_clock(core, call);
}

/* What was kept of its input follows the first INVOCATION, unless the call has ended. */
static void send_kept_chunks(struct core *core, const struct session *caller, uint64_t request)
{
    struct call *call;
    struct list *node;

    while ((call = map_get(&core->dealer.calls, caller->id, request)) != NULL &&
           (node = list_first(&call->chunks)) != NULL) {
        struct kept_chunk *chunk = container_of(node, struct kept_chunk, in_call);

        list_remove(node);
        call->chunk_count--;
        call->chunks_len -= msg_len(&chunk->msg);
        send_chunk(core, call, &chunk->msg, chunk->more_follows);
        mem_free(chunk);
    }
}

static void dispatch_waiting(struct core *core, struct registration *reg, struct call *call,
                             struct callee *callee, const struct options *options)
{
    const struct session *caller;
    uint64_t request;

    list_remove(&call->in_waiting);
    reg->waiting_count--;
    call->queue_until = NEVER;
    call_set_deadline(core, call);
    caller = call->caller;
    request = call->request;
    dispatch(core, call, &call->kept->msg, options, callee);
    send_kept_chunks(core, caller, request);
}

void calls_serve_waiting(struct core *core, struct registration *reg)
{
    if (reg->is_serving || reg->waiting_count == 0)
        return;
    reg->is_serving = true;
    list_each (&reg->waiting, node, after) {
        struct call *call = container_of(node, struct call, in_waiting);
        struct options options;
        struct callee *callee;

        read_kept(core, call, &options);
        callee = select_callee(core, reg, &(struct selection){.rkey = rkey_of(&options)});
        if (callee != NULL)
            dispatch_waiting(core, reg, call, callee, &options);
        else if (options.runmode.data == NULL)
            break; /* the others need any callee, too */
    }
    reg->is_serving = false;
}

/* ---- CALL ---- */

/* What is wrong with a CALL, as the URI of an ERROR; NULL: nothing. */
static const char *fault_of(const struct core *core, const struct session *caller,
                            const struct msg *msg, const struct options *options,
                            const char **words)
{
    if (!uri_is_valid(msg->text, MATCH_EXACT, core->options.strict_uris)) {
        *words = "CALL.Procedure is not a valid URI";
        return WAMP_INVALID_URI;
    }
    if (core_reserves(core, msg->text) && dealer_match(core, msg->text) == NULL)
        return NULL; /* options are for callees, and this goes to the router itself */
    if (options->disclose_me && !options->grant.discloses &&
        (core->options.disclose_caller == DISCLOSE_NEVER || options->grant.hides)) {
        *words = "callers are not disclosed here";
        return WAMP_DISCLOSE_ME_DISALLOWED;
    }
    if (options->runmode.data != NULL && !slice_eq(options->runmode, SLICE("partition"))) {
        *words = "CALL.Options.runmode: expected \"partition\"";
        return WAMP_OPTION_NOT_ALLOWED;
    }
    if (options->runmode.data != NULL && options->rkey.data == NULL) {
        *words = "CALL.Options.runmode \"partition\" needs rkey";
        return WAMP_INVALID_ARGUMENT;
    }
    if (core_reserves(core, msg->text) && !caller->is_trusted && !caller->is_admin &&
        !options->grant.is_explicit) {
        *words = "only administrators may call this procedure";
        return WAMP_NOT_AUTHORIZED;
    }
    if (!caller->is_trusted && caller->call_count >= core->options.max_pending_calls) {
        *words = "too many calls of this session are pending (max_pending_calls)";
        return WAMP_NO_AVAILABLE_CALLEE;
    }
    return NULL;
}

/* What the caller will name in the chunks that follow. */
static uint64_t asked_hash(const struct core *core, const struct msg *msg,
                           const struct options *options)
{
    return call_hash(core, options->asked.data != NULL ? options->asked : msg->text);
}

void calls_call(struct core *core, struct session *caller, const struct msg *msg,
                const struct options *options)
{
    const char *words = NULL, *error = fault_of(core, caller, msg, options, &words);
    struct registration *reg;

    core->counters.calls++;
    reg = error == NULL ? dealer_match(core, msg->text) : NULL;
    if (reg == NULL && error == NULL && core_reserves(core, msg->text)) {
        if (options->progress)
            call_remember(core, caller, msg->id, asked_hash(core, msg, options));
        meta_call(core, caller, msg, &options->grant);
        return;
    }
    if (reg == NULL) {
        call_send_error(core, caller, msg->id, error == NULL ? WAMP_NO_SUCH_PROCEDURE : error,
                        error == NULL ? "no callee has registered this procedure" : words);
        if (UNLIKELY(options->progress))
            call_remember(core, caller, msg->id, asked_hash(core, msg, options));
        return;
    }

    struct call *call = call_new(core, caller, msg->id, reg);
    struct callee *callee = select_callee(core, reg, &(struct selection){.rkey = rkey_of(options)});

    call->grant = options->grant;
    call->receive_progress = options->receive_progress;
    if (UNLIKELY(options->progress)) {
        call->is_progressive = true;
        call->procedure = asked_hash(core, msg, options);
        call_keep(call, msg, callee != NULL && session_can(callee->session, CALLEE_CALL_REROUTE));
    }
    if (LIKELY(callee != NULL))
        dispatch(core, call, msg, options, callee);
    else
        wait_for_callee(core, reg, call, msg, options);
}

void calls_chunk(struct core *core, struct session *caller, const struct msg *msg,
                 const struct options *options)
{
    struct call *call = map_get(&core->dealer.calls, caller->id, msg->id);

    call->inputs_done = !options->progress;
    if (call->is_cancelled || call->is_answered)
        return;
    if (call->callee != NULL)
        send_chunk(core, call, msg, options->progress);
    else
        keep_chunk(core, call, msg, options->progress);
}

void calls_drop(struct core *core, struct session *caller, uint64_t request)
{
    struct call *call = map_get(&core->dealer.calls, caller->id, request);

    if (call->callee != NULL && !call->is_cancelled)
        call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
    call_end(core, call);
}

/* ---- re-routing ---- */

static void remember_refusal(struct call *call)
{
    call->tried = mem_grow(call->tried, (call->tried_count + 1) * sizeof *call->tried);
    call->tried[call->tried_count++] = call->callee->id;
}

void call_reroute(struct core *core, struct call *call)
{
    struct registration *reg = map_get(&core->dealer.by_id, call->registration_id, 0);
    struct callee *callee = NULL;
    struct options options;

    remember_refusal(call);
    read_kept(core, call, &options);
    if (reg != NULL && reg->invoke != INVOKE_SINGLE)
        callee = select_callee(core, reg,
                               &(struct selection){.rkey = rkey_of(&options),
                                                   .tried = call->tried,
                                                   .tried_count = call->tried_count,
                                                   .features = needed_features(call, &options)});
    if (callee == NULL) {
        call_end_with_error(core, call, WAMP_NO_AVAILABLE_CALLEE,
                            "every callee has refused the call or is busy");
        return;
    }
    call_unassign(core, call);
    dispatch(core, call, &call->kept->msg, &options, callee);
    calls_serve_waiting(core, reg); /* who refused is not busy any more */
}
