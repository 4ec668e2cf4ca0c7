/* lobby.c -- see lobby.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/lobby.h"

#include "core/hello.h"
#include "core/reply.h"
#include "wire/errors.h"
#include "wire/uri.h"

static void abort_peer(uint64_t peer, enum codec codec, const char *reason, const char *words,
                       enum close_code code, struct outbox *out)
{
    outbox_send(out, peer, reply_abort(codec, reason, words), SEND_REPLY, 0);
    outbox_close(out, peer, code, reason);
}

static void violation(uint64_t peer, const struct transport *transport, const struct fault *fault,
                      struct outbox *out)
{
    bool bad_text = fault->err == ERR_UTF8 && codec_is_text(transport->codec);

    abort_peer(peer, transport->codec, fault->uri, fault->words,
               bad_text ? CLOSE_INVALID_TEXT : CLOSE_PROTOCOL_ERROR, out);
}

void lobby_refuse(uint64_t peer, enum codec codec, const char *reason, const char *words,
                  struct outbox *out)
{
    abort_peer(peer, codec, reason, words, CLOSE_NORMAL, out);
}

bool lobby_receive(uint64_t peer, const struct transport *transport, const struct msg *msg,
                   const struct fault *fault, bool strict_uris, struct slice *realm,
                   struct outbox *out)
{
    struct fault own;
    struct hello hello;
    struct arena arena;

    if (msg == NULL) {
        violation(peer, transport, fault, out);
        return false;
    }
    if (msg->type == MSG_ABORT) {
        outbox_close(out, peer, CLOSE_NORMAL, "ABORT");
        return false;
    }
    if (msg->type != MSG_HELLO) {
        (void)fault_set(&own, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                        "%s: the first message of a session must be HELLO", msg_name(msg->type));
        violation(peer, transport, &own, out);
        return false;
    }
    arena_init(&arena);

    int err = hello_read(&hello, msg, &arena, &own);

    arena_fini(&arena);
    if (err < 0) {
        violation(peer, transport, &own, out);
        return false;
    }
    *realm = msg->text;
    if (realm->len == 0)
        *realm = slice_of(transport->default_realm);
    if (realm->len == 0) {
        lobby_refuse(peer, transport->codec, WAMP_NO_SUCH_REALM,
                     "HELLO names no realm, and there is no default one here", out);
        return false;
    }
    if (!uri_is_valid(*realm, MATCH_EXACT, strict_uris)) {
        lobby_refuse(peer, transport->codec, WAMP_INVALID_URI, "HELLO.Realm is not a valid URI",
                     out);
        return false;
    }
    return true;
}
