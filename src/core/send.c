/* send.c -- see send.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/send.h"

#include "core/core_priv.h"
#include "core/reply.h"
#include "wire/errors.h"

void send_reply(struct core *core, const struct session *session, struct blob *blob)
{
    outbox_send(core->out, session->peer, blob, SEND_REPLY, 0);
}

void send_error(struct core *core, const struct session *session, enum msg_type request_type,
                uint64_t request, const char *uri, const char *words)
{
    send_reply(core, session, reply_error(session->codec, request_type, request, uri, words));
}

void send_denial(struct core *core, const struct session *session, enum msg_type request_type,
                 uint64_t request, const struct decision *decision)
{
    const char *reason = decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason;
    struct blob *blob = reply_denial(session->codec, request_type, request, reason, decision->words,
                                     decision->codec, decision->kwargs);

    if (UNLIKELY(blob->len > session->send_max)) {
        blob_drop(blob);
        core->counters.oversized++;
        blob = reply_error(session->codec, request_type, request, reason, NULL);
    }
    send_reply(core, session, blob);
}
