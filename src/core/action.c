/* action.c -- the outbox: a growing array of actions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/action.h"

#include "base/mem.h"
#include "core/look.h"

void outbox_init(struct outbox *out)
{
    *out = (struct outbox){0};
}

void outbox_clear(struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->actions[i].type == ACT_SEND)
            blob_drop(out->actions[i].blob);
        else if (out->actions[i].type == ACT_LEFT)
            left_free(out->actions[i].left);
    out->count = 0;
}

void outbox_fini(struct outbox *out)
{
    outbox_clear(out);
    mem_free(out->actions);
    *out = (struct outbox){0};
}

static struct action *append(struct outbox *out)
{
    if (UNLIKELY(out->count == out->cap)) {
        out->cap = out->cap == 0 ? 64 : out->cap * 2;
        out->actions = mem_grow(out->actions, out->cap * sizeof *out->actions);
    }
    return &out->actions[out->count++];
}

void outbox_send(struct outbox *out, uint64_t peer, struct blob *blob, enum send_kind kind,
                 uint64_t key)
{
    *append(out) = (struct action){
        .type = ACT_SEND, .kind = (uint8_t)kind, .peer = peer, .blob = blob, .key = key};
}

void outbox_joined(struct outbox *out, uint64_t peer, uint64_t session)
{
    *append(out) = (struct action){.type = ACT_JOINED, .peer = peer, .key = session};
}

void outbox_release(struct outbox *out, uint64_t peer)
{
    *append(out) = (struct action){.type = ACT_RELEASE, .peer = peer};
}

void outbox_close(struct outbox *out, uint64_t peer, enum close_code code, const char *words)
{
    *append(out) = (struct action){
        .type = ACT_CLOSE, .close_code = (uint16_t)code, .peer = peer, .words = words};
}

void outbox_ask(struct outbox *out, uint64_t peer, uint64_t question)
{
    *append(out) = (struct action){.type = ACT_ASK, .peer = peer, .key = question};
}

void outbox_unask(struct outbox *out, uint64_t peer, uint64_t question)
{
    *append(out) = (struct action){.type = ACT_UNASK, .peer = peer, .key = question};
}

void outbox_hold(struct outbox *out, uint64_t peer, bool is_held)
{
    *append(out) = (struct action){.type = ACT_HOLD, .kind = is_held, .peer = peer};
}

void outbox_left(struct outbox *out, uint64_t peer, uint64_t session, struct left *left)
{
    *append(out) = (struct action){.type = ACT_LEFT, .peer = peer, .left = left, .key = session};
}

void outbox_note(struct outbox *out, enum note note, uint64_t peer, uint64_t session,
                 const struct notice *notice)
{
    *append(out) = (struct action){
        .type = ACT_NOTE, .kind = (uint8_t)note, .peer = peer, .notice = notice, .key = session};
}

void outbox_admin(struct outbox *out, enum admin_task task, uint64_t peer, uint64_t request,
                  const struct notice *notice)
{
    *append(out) = (struct action){
        .type = ACT_ADMIN, .kind = (uint8_t)task, .peer = peer, .notice = notice, .key = request};
}
