/* send.c -- see send.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/send.h"

#include "core/core_priv.h"
#include "core/reply.h"

void send_reply(struct core *core, const struct session *session, struct blob *blob)
{
    outbox_send(core->out, session->peer, blob, SEND_REPLY, 0);
}

void send_error(struct core *core, const struct session *session, enum msg_type request_type,
                uint64_t request, const char *uri, const char *words)
{
    send_reply(core, session, reply_error(session->codec, request_type, request, uri, words));
}
