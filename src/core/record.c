/* record.c -- an event that is kept: made, shared, gone. See record.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/record.h"

#include "base/check.h"
#include "base/mem.h"

size_t record_size(const struct msg *msg, const struct record *facts)
{
    return sizeof(struct record) + msg_len(msg) + facts->authid.len + facts->authrole.len;
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
    struct record *record = mem_alloc(size);
    char *at = (char *)(record + 1);

    *record = *facts;
    record->refs = 1;
    record->size = size;
    msg_copy(&record->msg, msg, at);
    at += msg_len(msg);
    move_slice(&record->authid, &at);
    move_slice(&record->authrole, &at);
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
    if (--record->refs == 0)
        mem_free(record);
}
