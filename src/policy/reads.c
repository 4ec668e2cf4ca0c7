/* reads.c -- see reads.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/reads.h"

void reads_init(struct reads *reads)
{
    reads->count = 0;
    arena_init(&reads->arena);
}

void reads_fini(struct reads *reads)
{
    arena_fini(&reads->arena);
}

void reads_reset(struct reads *reads, uint64_t session)
{
    reads->session = session;
    reads->is_unkept = false;
    reads->count = 0;
    arena_reset(&reads->arena);
}

static bool is_same_value(const struct token *a, const struct token *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == TOKEN_TEXT)
        return slice_eq(a->text, b->text);
    if (a->type == TOKEN_BOOL)
        return a->boolean == b->boolean;
    return a->natural == b->natural; /* of all numbers: the same octets */
}

static bool is_noted(const struct reads *reads, const struct audience_look *look)
{
    for (size_t i = 0; i < reads->count; i++) {
        const struct audience_look *other = &reads->looks[i];

        if (other->kind == look->kind && slice_eq(other->attribute, look->attribute) &&
            (look->kind != LOOK_HAS || is_same_value(&other->value, &look->value)))
            return true;
    }
    return false;
}

static void note(struct reads *reads, uint64_t session, struct audience_look look)
{
    if (reads == NULL || reads->session != session || reads->is_unkept || is_noted(reads, &look))
        return; /* other sessions are as stores are: nobody can follow them */
    if (reads->count == MAX_READS) {
        reads->is_unkept = true;
        return;
    }
    look.attribute = arena_copy(&reads->arena, look.attribute);
    if (look.kind == LOOK_HAS && look.value.type == TOKEN_TEXT)
        look.value.text = arena_copy(&reads->arena, look.value.text);
    reads->looks[reads->count++] = look;
}

void reads_note_value(struct reads *reads, uint64_t session, struct slice attribute)
{
    note(reads, session, (struct audience_look){.kind = LOOK_VALUE, .attribute = attribute});
}

void reads_note_has(struct reads *reads, uint64_t session, struct slice attribute,
                    const struct token *value)
{
    note(reads, session,
         (struct audience_look){.kind = LOOK_HAS, .attribute = attribute, .value = *value});
}

void reads_note_own(struct reads *reads)
{
    if (reads != NULL)
        reads->is_unkept = true;
}
