/* record_test.c -- a record is a copy: what it was made from may go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "base/mem.h"
#include "core/record.h"
#include "unit.h"

/* A record of the PUBLISH; the bytes and all facts are gone when it returns. */
static struct record *make(enum codec codec, struct slice bytes)
{
    char *room = mem_copy(bytes.data, bytes.len), *authid = mem_copy("joe", 3);
    struct record facts = {.refs = 77,
                           .size = 88,
                           .wall = 1001,
                           .publication = 1002,
                           .publisher = 1003,
                           .trustlevel = -1,
                           .is_disclosed = true,
                           .is_restricted = true,
                           .authid = slice_make(authid, 3),
                           .authrole = SLICE("user")};
    struct record *record = NULL;
    struct fault fault;
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    if (msg_decode(&msg, codec, slice_make(room, bytes.len), &(struct msg_limits){true}, &arena,
                   &fault) == 0) {
        record = record_new(&msg, &facts);
        EXPECT_EQ(record->size, record_size(&msg, &facts));
    }
    memset(room, 0x5a, bytes.len);
    memset(authid, 0x5a, 3);
    mem_free(room);
    mem_free(authid);
    arena_fini(&arena);
    return record;
}

static bool is_inside(const struct record *record, struct slice slice)
{
    return slice.data >= (const char *)(record + 1) &&
           slice.data + slice.len <= (const char *)record + record->size;
}

static void check_options(const struct record *record)
{
    struct dict_walk walk;
    struct arena arena;

    arena_init(&arena);
    dict_walk(&walk, record->msg.codec, record->msg.dict, &arena);
    EXPECT(dict_next(&walk));
    EXPECT_SLICE(walk.key, SLICE("retain"));
    EXPECT(walk.token.type == TOKEN_BOOL && walk.token.boolean);
    EXPECT(!dict_next(&walk));
    arena_fini(&arena);
}

TEST(a_record_outlives_what_it_was_made_from)
{
    struct record *record =
        make(CODEC_JSON, SLICE("[16,7,{\"retain\":true},\"com.\\u0061\",[1,\"x\"],{\"k\":2}]"));

    EXPECT_EQ(record->refs, 1);
    EXPECT_EQ(record->wall, 1001);
    EXPECT_EQ(record->publication, 1002);
    EXPECT_EQ(record->publisher, 1003);
    EXPECT_EQ(record->trustlevel, -1);
    EXPECT(record->is_disclosed && record->is_restricted);
    EXPECT_SLICE(record->authid, SLICE("joe"));
    EXPECT_SLICE(record->authrole, SLICE("user"));
    EXPECT_EQ(record->msg.type, MSG_PUBLISH);
    EXPECT_EQ(record->msg.id, 7);
    EXPECT_SLICE(record->msg.text, SLICE("com.a"));
    EXPECT_EQ(record->msg.payload.kind, PAYLOAD_ARGS);
    EXPECT_EQ(record->msg.payload.codec, CODEC_JSON);
    EXPECT_SLICE(record->msg.payload.args, SLICE("[1,\"x\"]"));
    EXPECT_SLICE(record->msg.payload.kwargs, SLICE("{\"k\":2}"));
    check_options(record);
    EXPECT(is_inside(record, record->msg.text) && is_inside(record, record->msg.dict));
    EXPECT(is_inside(record, record->msg.payload.args));
    EXPECT(is_inside(record, record->msg.payload.kwargs));
    EXPECT(is_inside(record, record->authid) && is_inside(record, record->authrole));
    record_drop(record);
}

TEST(a_record_of_msgpack_with_a_raw_payload)
{
    struct record *record = make(CODEC_MSGPACK, SLICE("\x95\x10\x07\x81\xa6retain\xc3\xa5"
                                                      "com.b\xc4\x03\x00\x01\x02"));

    EXPECT_SLICE(record->msg.text, SLICE("com.b"));
    EXPECT_EQ(record->msg.payload.kind, PAYLOAD_RAW);
    EXPECT_SLICE(record->msg.payload.args, SLICE("\xc4\x03\x00\x01\x02"));
    EXPECT_EQ(record->msg.payload.kwargs.len, 0);
    check_options(record);
    record_drop(record);
}

TEST(a_record_without_anything)
{
    struct msg msg = {.type = MSG_PUBLISH, .text = SLICE("com.c")};
    struct record facts = {0};
    struct record *record = record_new(&msg, &facts);

    EXPECT_EQ(record->size, sizeof *record + 5);
    EXPECT_SLICE(record->msg.text, SLICE("com.c"));
    EXPECT(record->authid.data == NULL && record->authid.len == 0);
    EXPECT_EQ(record->msg.dict.len, 0);
    record_drop(record);
}

TEST(empty_is_not_absent)
{
    struct msg msg = {.type = MSG_PUBLISH, .text = SLICE("com.c")};
    struct record facts = {.authrole = SLICE("")};
    struct record *record = record_new(&msg, &facts);

    EXPECT(record->authid.data == NULL);
    EXPECT(record->authrole.data != NULL && is_inside(record, record->authrole));
    record_drop(record);
}

TEST(a_record_goes_with_the_last_who_holds_it)
{
    struct record *record = make(CODEC_JSON, SLICE("[16,7,{},\"com.a\"]"));

    EXPECT(record_hold(record) == record);
    EXPECT(record_hold(record) == record);
    EXPECT_EQ(record->refs, 3);
    record_drop(record);
    record_drop(record);
    EXPECT_EQ(record->refs, 1);
    EXPECT_SLICE(record->msg.text, SLICE("com.a"));
    record_drop(record);
    record_drop(NULL);
}
