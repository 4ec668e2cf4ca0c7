/* codec_laws.c -- see codec_laws.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec_laws.h"

#include "base/check.h"
#include "base/utf8.h"
#include "wire/msg.h"

static volatile unsigned char sink; /* what touched bytes end in */

/* Reads every byte, so that the sanitizer sees a slice that is too long. */
static void touch(struct slice s)
{
    unsigned char sum = 0;

    for (size_t i = 0; i < s.len; i++)
        sum ^= (unsigned char)s.data[i];
    sink = sum;
}

static void check_fault(int err, const struct fault *fault)
{
    CHECK(err < 0 && err == fault->err);
    CHECK(fault->uri != NULL);
    CHECK(fault->words[0] != '\0' && memchr(fault->words, 0, sizeof(fault->words)) != NULL);
}

static void check_token(const struct token *token)
{
    switch (token->type) {
    case TOKEN_TEXT:
        touch(token->text);
        CHECK(utf8_is_valid(token->text));
        break;
    case TOKEN_BIGNUM:
        for (size_t i = 0; i < token->text.len; i++)
            CHECK((token->text.data[i] >= '0' && token->text.data[i] <= '9') ||
                  (i == 0 && token->text.len > 1 && token->text.data[i] == '-'));
        break;
    case TOKEN_BYTES:
    case TOKEN_EXT:
        touch(token->text);
        break;
    case TOKEN_INT:
        CHECK(token->integer < 0);
        break;
    case TOKEN_NULL:
    case TOKEN_BOOL:
    case TOKEN_UINT:
    case TOKEN_FLOAT:
    case TOKEN_LIST:
    case TOKEN_MAP:
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
}

/* Token by token to the end; true when the bytes are one value. */
static bool can_walk(enum codec codec, struct slice bytes, bool bare_keys)
{
    struct arena arena;
    struct fault fault = {0};
    struct reader reader;
    struct token token = {.type = TOKEN_NULL};
    int err;

    arena_init(&arena);
    reader_init(&reader, codec, bytes, &arena, &fault);
    reader.bare_keys = bare_keys;
    do {
        err = reader_next(&reader, &token);
        if (err == 0)
            check_token(&token);
    } while (err == 0 && token.type != TOKEN_DONE);
    if (err != 0)
        check_fault(err, &fault);
    else
        CHECK(reader.depth == 0);
    arena_fini(&arena);
    return err == 0;
}

/* The same in one step. */
static bool can_skip(enum codec codec, struct slice bytes, bool bare_keys)
{
    struct arena arena;
    struct fault fault = {0};
    struct reader reader;
    struct token token = {.type = TOKEN_NULL};
    struct slice extent = {0};
    int err;

    arena_init(&arena);
    reader_init(&reader, codec, bytes, &arena, &fault);
    reader.bare_keys = bare_keys;
    err = reader_skip(&reader, &extent, NULL);
    if (err == 0) {
        touch(extent);
        err = reader_next(&reader, &token);
        CHECK(err != 0 || token.type == TOKEN_DONE);
    }
    if (err != 0)
        check_fault(err, &fault);
    arena_fini(&arena);
    return err == 0;
}

/* Some values lose something in another serializer, once: after that they come back the same. */
static void check_cycle(enum codec from, struct slice value, enum codec to)
{
    struct blob *there = transcode(from, value, to);
    struct blob *back = transcode(to, blob_slice(there), from);
    struct blob *again = transcode(from, blob_slice(back), to);
    struct blob *home = transcode(to, blob_slice(again), from);

    CHECK(can_walk(to, blob_slice(there), true));
    CHECK(can_skip(to, blob_slice(there), true));
    CHECK(slice_eq(blob_slice(back), blob_slice(home)));
    blob_drop(there);
    blob_drop(back);
    blob_drop(again);
    blob_drop(home);
}

/* ---- messages ---- */

static void walk_dict(const struct msg *msg, struct arena *arena)
{
    struct dict_walk walk, inner;

    dict_walk(&walk, msg->codec, msg->dict, arena);
    while (dict_next(&walk)) {
        touch(walk.key);
        touch(walk.value);
        list_walk(&inner, msg->codec, walk.value, arena);
        while (list_next(&inner))
            touch(inner.value);
    }
}

/* The payload as somebody gets it who speaks `to`. */
static void check_payload(const struct payload *payload, enum codec to, bool wrap_raw)
{
    struct encoder e;
    struct blob *blob;

    encode_start(&e, to, payload_len(payload));
    encode_list(&e, payload_elements(payload));
    encode_payload(&e, payload, wrap_raw);
    encode_end(&e);
    blob = encode_finish(&e);
    CHECK(can_skip(to, blob_slice(blob), true));
    blob_drop(blob);
}

static bool begins_with_nul(struct slice text)
{
    return text.len != 0 && text.data[0] == '\0';
}

/* A message is the same message in another serializer. */
static void check_message_in(const struct msg *msg, struct slice bytes, enum codec to,
                             const struct msg_limits *limits)
{
    struct blob *blob = transcode(msg->codec, bytes, to);
    struct arena arena;
    struct fault fault = {0};
    struct msg other;
    int err;

    arena_init(&arena);
    err = msg_decode(&other, to, blob_slice(blob), limits, &arena, &fault);
    /* JSON reads text that begins with U+0000 as binary, which no message has there. */
    if (to != CODEC_JSON || !begins_with_nul(msg->text)) {
        CHECK(err == 0);
        CHECK(other.type == msg->type && other.request_type == msg->request_type);
        CHECK(other.id == msg->id && other.second == msg->second);
        CHECK(other.is_null == msg->is_null && slice_eq(other.text, msg->text));
        CHECK((other.dict.len == 0) == (msg->dict.len == 0));
        CHECK(payload_elements(&other.payload) == payload_elements(&msg->payload));
    }
    arena_fini(&arena);
    blob_drop(blob);
}

static void check_message(enum codec codec, struct slice bytes, bool raw_payload)
{
    const struct msg_limits limits = {.raw_payload = raw_payload};
    struct arena arena;
    struct fault fault = {0};
    struct msg msg;
    int err;

    arena_init(&arena);
    err = msg_decode(&msg, codec, bytes, &limits, &arena, &fault);
    if (err != 0) {
        check_fault(err, &fault);
    } else {
        CHECK(msg_name(msg.type) != NULL);
        CHECK(utf8_is_valid(msg.text));
        CHECK(raw_payload || msg.payload.kind != PAYLOAD_RAW);
        walk_dict(&msg, &arena);
        for (enum codec to = 0; to < CODEC_COUNT; to++) {
            check_payload(&msg.payload, to, false);
            check_payload(&msg.payload, to, true);
            check_message_in(&msg, bytes, to, &limits);
        }
    }
    arena_fini(&arena);
}

void codec_laws_check(enum codec codec, struct slice bytes)
{
    bool is_valid = can_walk(codec, bytes, true);
    bool is_strict = can_walk(codec, bytes, false);

    CHECK(is_valid || !is_strict);
    CHECK(can_skip(codec, bytes, true) == is_valid);
    CHECK(can_skip(codec, bytes, false) == is_strict);
    for (enum codec to = 0; is_valid && to < CODEC_COUNT; to++)
        check_cycle(codec, bytes, to);
    check_message(codec, bytes, false);
    check_message(codec, bytes, true);
}
