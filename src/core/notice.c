/* notice.c -- see notice.h.
 *
 * Everything in a notice is a copy: when it is read the session may be gone, and the message
 * with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/notice.h"

#include "core/core_priv.h"
#include "core/limits.h"

static struct notice *new_notice(struct core *core)
{
    struct notice *notice = arena_alloc(&core->scratch, sizeof *notice);

    *notice = (struct notice){0};
    return notice;
}

/* A copy with a NUL byte behind it. */
static struct slice copy(struct core *core, struct slice text)
{
    size_t len = text.len < MAX_NOTICE_LEN ? text.len : MAX_NOTICE_LEN;
    char *bytes = arena_alloc(&core->scratch, len + 1);

    if (len != 0)
        memcpy(bytes, text.data, len);
    bytes[len] = '\0';
    return slice_make(bytes, len);
}

static const char *copy_words(struct core *core, const char *words)
{
    return words == NULL ? NULL : copy(core, slice_of(words)).data;
}

static struct notice *notice_of(struct core *core, const struct session *session)
{
    struct notice *notice = new_notice(core);

    if (session->state == SESSION_AUTHENTICATING)
        return notice; /* nobody knows yet who it is */
    notice->authid = copy(core, intern_get_text(&core->intern, session->authid));
    notice->authrole = copy(core, intern_get_text(&core->intern, session->authrole));
    return notice;
}

void notice_joined(struct core *core, const struct session *session)
{
    struct notice *notice = notice_of(core, session);

    notice->words = notice->authid.data;
    outbox_note(core->out, NOTE_JOINED, session->peer, session->id, notice);
}

void notice_left(struct core *core, const struct session *session, const char *reason)
{
    struct notice *notice = notice_of(core, session);

    notice->words = reason;
    outbox_note(core->out, NOTE_LEFT, session->peer, session->id, notice);
}

void notice_violation(struct core *core, const struct session *session, const char *words)
{
    struct notice *notice = notice_of(core, session);

    notice->words = words;
    outbox_note(core->out, NOTE_VIOLATION, session->peer, session->id, notice);
}

static struct slice claimed_authid(struct core *core, const struct msg *hello)
{
    struct slice authid = {0};
    struct dict_walk detail;

    dict_walk(&detail, hello->codec, hello->dict, &core->scratch);
    while (dict_next(&detail))
        if (slice_eq(detail.key, SLICE("authid")) && detail.token.type == TOKEN_TEXT)
            authid = detail.token.text;
    return copy(core, authid);
}

void notice_refused(struct core *core, uint64_t peer, const struct transport *transport,
                    const struct msg *hello, const char *reason, const char *words,
                    const char *cause)
{
    struct notice *notice = new_notice(core);

    notice->words = copy_words(core, reason);
    notice->text = copy_words(core, words);
    notice->cause = copy_words(core, cause);
    notice->address = copy_words(core, transport->peer);
    notice->authid = claimed_authid(core, hello);
    outbox_note(core->out, NOTE_REFUSED, peer, 0, notice);
}

void notice_killed(struct core *core, const struct session *session, const struct session *by,
                   struct slice procedure, const char *reason)
{
    struct notice *notice = notice_of(core, session);

    notice->words = reason;
    notice->uri = copy(core, procedure);
    if (by != NULL) {
        notice->by = by->id;
        notice->by_authid = copy(core, intern_get_text(&core->intern, by->authid));
        notice->by_authrole = copy(core, intern_get_text(&core->intern, by->authrole));
    }
    outbox_note(core->out, NOTE_KILLED, session->peer, session->id, notice);
}

void notice_denied(struct core *core, const struct session *session, enum rule_action action,
                   enum match match, struct slice uri, const char *reason, const char *words,
                   const char *cause)
{
    struct notice *notice = notice_of(core, session);

    notice->words = copy_words(core, reason);
    notice->text = copy_words(core, words);
    notice->cause = copy_words(core, cause);
    notice->uri = copy(core, uri);
    notice->action = (uint8_t)action;
    notice->match = (uint8_t)match;
    outbox_note(core->out, NOTE_DENIED, session->peer, session->id, notice);
}

const struct notice *notice_admin(struct core *core, const struct session *session)
{
    struct notice *notice = notice_of(core, session);

    notice->by = session->id;
    return notice;
}
