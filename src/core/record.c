/* record.c -- an event that is kept: made, shared, gone. See record.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/record.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/audience.h"

size_t record_size(const struct msg *msg, const struct record *facts)
{
    size_t audience = facts->audience == NULL ? 0 : audience_size(facts->audience);

    return sizeof(struct record) + msg_len(msg) + facts->authid.len + facts->authrole.len +
           facts->details.len + audience;
}

/* Moves the bytes of a slice to *at; one without bytes stays what it is, there or absent. */
static void move_slice(struct slice *slice, char **at)
{
    if (slice->data == NULL)
        return;
    if (slice->len != 0)
        memcpy(*at, slice->data, slice->len);
    slice->data = *at;
    *at += slice->len;
}

struct record *record_new(const struct msg *msg, const struct record *facts)
{
    size_t size = record_size(msg, facts);
    struct record *record =
        mem_alloc(facts->audience == NULL ? size : size - audience_size(facts->audience));
    char *at = (char *)(record + 1);

    *record = *facts;
    record->refs = 1;
    record->size = size;
    msg_copy(&record->msg, msg, at);
    at += msg_len(msg);
    move_slice(&record->authid, &at);
    move_slice(&record->authrole, &at);
    move_slice(&record->details, &at);
    if (record->audience != NULL)
        (void)audience_hold(record->audience);
    return record;
}

struct record *record_hold(struct record *record)
{
    CHECK(record->refs != 0);
    record->refs++;
    return record;
}

void record_drop(struct record *record)
{
    if (record == NULL)
        return;
    CHECK(record->refs != 0);
    if (--record->refs != 0)
        return;
    audience_drop(record->audience);
    mem_free(record);
}
