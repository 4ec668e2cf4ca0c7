/* cancel.c -- calls that end before their answer: CANCEL and deadlines. See calls.h.
 *
 *   mode         callee can be interrupted          callee cannot
 *   skip         ERROR, over                        ERROR, over
 *   kill         INTERRUPT; its answer is the end   ERROR, over
 *   killnowait   ERROR, INTERRUPT, over             ERROR, over
 *
 * WAMP: "Call Canceling", "Call Timeouts".
 * SPDX-License-Identifier: MIT
 */
#include "core/calls_priv.h"
#include "wire/errors.h"

/* CANCEL of a call that was killed already: a gentler mode ends the wait. */
static void cancel_again(struct core *core, struct call *call, enum cancel_mode mode)
{
    if (mode != CANCEL_KILL)
        call_end_with_error(core, call, WAMP_CANCELED, "the call was canceled");
}

static void kill(struct core *core, struct call *call)
{
    call->is_cancelled = true;
    call_interrupt(core, call, CANCEL_KILL, WAMP_CANCELED);
    if (core->options.kill_grace_ms != 0) {
        call->grace_until = core->now + core->options.kill_grace_ms;
        call_set_deadline(core, call);
    }
}

void calls_cancel(struct core *core, struct session *caller, const struct msg *msg,
                  const struct options *options)
{
    struct call *call = map_get(&core->dealer.calls, caller->id, msg->id);
    enum cancel_mode mode = options->has_mode ? options->mode : core->options.cancel_default_mode;
    bool can_interrupt;

    if (call == NULL)
        return; /* it is over: a normal race */
    if (call->is_cancelled) {
        cancel_again(core, call, mode);
        return;
    }
    can_interrupt = call->callee != NULL && session_can(call->callee, CALLEE_CALL_CANCELING);
    if (mode == CANCEL_KILL && can_interrupt) {
        kill(core, call);
        return;
    }
    call_send_error(core, call->caller, call->request, WAMP_CANCELED, "the call was canceled");
    if (mode == CANCEL_KILLNOWAIT && can_interrupt)
        call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_CANCELED);
    call_end(core, call);
}

void calls_on_timer(struct core *core, struct timer *timer)
{
    struct call *call = container_of(timer, struct call, timer);

    if (call->timeout_at <= core->now) {
        call_send_error(core, call->caller, call->request, WAMP_TIMEOUT,
                        "the call took longer than its timeout");
        if (call->callee != NULL && !call->is_cancelled)
            call_interrupt(core, call, CANCEL_KILLNOWAIT, WAMP_TIMEOUT);
        call_end(core, call);
    } else if (call->grace_until <= core->now) {
        call_end_with_error(core, call, WAMP_CANCELED, "the callee did not answer the INTERRUPT");
    } else {
        call_end_with_error(core, call, WAMP_NO_AVAILABLE_CALLEE,
                            "every callee was busy for too long");
    }
}
