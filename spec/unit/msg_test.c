/* msg_test.c -- all messages both ways in all serializers, and every way to spell them wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "msg_kit.h"
#include "unit.h"
#include "wire/errors.h"
#include "wire_kit.h"

struct sample {
    enum msg_type type;
    const char *json;
    uint64_t id, second;
    const char *text, *dict, *args, *kwargs; /* NULL: absent; the last three as wire_kit shows */
};

static const struct sample samples[] = {
    {MSG_HELLO, "[1,\"factory.one\",{\"roles\":{\"caller\":{}}}]", 0, 0, "factory.one",
     "{\"roles\" {\"caller\" {}}}", NULL, NULL},
    {MSG_HELLO, "[1,null,{}]", 0, 0, NULL, NULL, NULL, NULL},
    {MSG_WELCOME, "[2,9007199254740992,{\"roles\":{}}]", 9007199254740992, 0, NULL,
     "{\"roles\" {}}", NULL, NULL},
    {MSG_ABORT, "[3,{\"message\":\"no\"},\"wamp.error.no_such_realm\"]", 0, 0,
     "wamp.error.no_such_realm", "{\"message\" \"no\"}", NULL, NULL},
    {MSG_ABORT, "[3,{},\"a.b\",[1],{\"k\":2}]", 0, 0, "a.b", NULL, "[1]", "{\"k\" 2}"},
    {MSG_CHALLENGE, "[4,\"ticket\",{\"x\":1}]", 0, 0, "ticket", "{\"x\" 1}", NULL, NULL},
    {MSG_AUTHENTICATE, "[5,\"secret\",{}]", 0, 0, "secret", NULL, NULL, NULL},
    {MSG_GOODBYE, "[6,{},\"wamp.close.normal\"]", 0, 0, "wamp.close.normal", NULL, NULL, NULL},
    {MSG_ERROR, "[8,68,77,{\"_a\":1},\"com.shop.broken\",[\"sorry\"],{\"left\":0}]", 77, 0,
     "com.shop.broken", "{\"_a\" 1}", "[\"sorry\"]", "{\"left\" 0}"},
    {MSG_ERROR, "[8,32,1,{},\"e\"]", 1, 0, "e", NULL, NULL, NULL},
    {MSG_PUBLISH, "[16,1,{\"acknowledge\":true},\"news.today\",[],{\"a\":null}]", 1, 0,
     "news.today", "{\"acknowledge\" true}", NULL, "{\"a\" null}"},
    {MSG_PUBLISH, "[16,300,{},\"news\"]", 300, 0, "news", NULL, NULL, NULL},
    {MSG_PUBLISHED, "[17,300,4429313566]", 300, 4429313566, NULL, NULL, NULL, NULL},
    {MSG_SUBSCRIBE, "[32,2,{\"match\":\"prefix\"},\"news.\"]", 2, 0, "news.",
     "{\"match\" \"prefix\"}", NULL, NULL},
    {MSG_SUBSCRIBED, "[33,2,70000]", 2, 70000, NULL, NULL, NULL, NULL},
    {MSG_UNSUBSCRIBE, "[34,3,70000]", 3, 70000, NULL, NULL, NULL, NULL},
    {MSG_UNSUBSCRIBED, "[35,3]", 3, 0, NULL, NULL, NULL, NULL},
    {MSG_EVENT, "[36,70000,5,{\"retained\":true},[[],{},1.5]]", 70000, 5, NULL,
     "{\"retained\" true}", "[[] {} f:1.5]", NULL},
    {MSG_CALL, "[48,65536,{},\"math.add\",[2,-3]]", 65536, 0, "math.add", NULL, "[2 -3]", NULL},
    {MSG_CANCEL, "[49,65536,{\"mode\":\"kill\"}]", 65536, 0, NULL, "{\"mode\" \"kill\"}", NULL,
     NULL},
    {MSG_RESULT, "[50,65536,{},[-1]]", 65536, 0, NULL, NULL, "[-1]", NULL},
    {MSG_REGISTER, "[64,4,{},\"math.add\"]", 4, 0, "math.add", NULL, NULL, NULL},
    {MSG_REGISTERED, "[65,4,8]", 4, 8, NULL, NULL, NULL, NULL},
    {MSG_UNREGISTER, "[66,5,8]", 5, 8, NULL, NULL, NULL, NULL},
    {MSG_UNREGISTERED, "[67,5]", 5, 0, NULL, NULL, NULL, NULL},
    {MSG_INVOCATION, "[68,1,8,{\"progress\":true},[2],{\"b\":3}]", 1, 8, NULL,
     "{\"progress\" true}", "[2]", "{\"b\" 3}"},
    {MSG_INTERRUPT, "[69,1,{\"mode\":\"kill\"}]", 1, 0, NULL, "{\"mode\" \"kill\"}", NULL, NULL},
    {MSG_YIELD, "[70,1,{},[\"x\"]]", 1, 0, NULL, NULL, "[\"x\"]", NULL},
    {MSG_EVENT_RECEIVED, "[337,4429313566]", 4429313566, 0, NULL, NULL, NULL, NULL},
};

static const struct msg_limits raw_is_fine = {.raw_payload = true};
static const struct msg_limits no_raw = {.raw_payload = false};

static void expect_value(enum codec codec, struct slice value, const char *expected)
{
    struct text shown;

    EXPECT_EQ(value.len != 0, expected != NULL);
    if (value.len == 0 || expected == NULL)
        return;
    shown = show(codec, value, true);
    EXPECT_STR(shown.data, expected);
    text_free(&shown);
}

static void expect_sample(const struct sample *sample, enum codec codec, struct slice bytes)
{
    struct fault fault = {0};
    struct arena arena;
    struct msg msg;
    struct blob *again;

    arena_init(&arena);
    if (msg_decode(&msg, codec, bytes, &no_raw, &arena, &fault) != 0) {
        UNIT_FAIL("%s in %s: %s", sample->json, codec_name(codec), fault.words);
        arena_fini(&arena);
        return;
    }
    EXPECT_EQ(msg.type, sample->type);
    EXPECT_EQ(msg.codec, codec);
    EXPECT_EQ(msg.id, sample->id);
    EXPECT_EQ(msg.second, sample->second);
    EXPECT_EQ(msg.is_null, sample->type == MSG_HELLO && sample->text == NULL);
    EXPECT_SLICE(msg.text, slice_of(sample->text));
    expect_value(codec, msg.dict, sample->dict);
    expect_value(codec, msg.payload.args, sample->args);
    expect_value(codec, msg.payload.kwargs, sample->kwargs);
    EXPECT_EQ(msg.payload.kind,
              sample->args != NULL || sample->kwargs != NULL ? PAYLOAD_ARGS : PAYLOAD_NONE);
    again = msg_rebuild(codec, &msg, false);
    EXPECT_SLICE(blob_slice(again), bytes);
    blob_drop(again);
    arena_fini(&arena);
}

TEST(every_message_is_read_and_written_in_every_serializer)
{
    bool has_seen[400] = {false};
    unsigned seen = 0;

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        expect_sample(&samples[i], CODEC_JSON, slice_of(samples[i].json));
        for (enum codec codec = CODEC_MSGPACK; codec < CODEC_COUNT; codec++) {
            struct blob *blob = transcode(CODEC_JSON, slice_of(samples[i].json), codec);

            expect_sample(&samples[i], codec, blob_slice(blob));
            blob_drop(blob);
        }
        seen += !has_seen[samples[i].type];
        has_seen[samples[i].type] = true;
    }
#define ROW(name, code, direction, shape) +1
    EXPECT_EQ(seen, 0 MSG_TABLE(ROW));
#undef ROW
}

TEST(a_message_cut_short_is_refused_at_every_byte)
{
    struct fault fault = {0};
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
            struct blob *blob = transcode(CODEC_JSON, slice_of(samples[i].json), codec);

            for (size_t len = 0; len < blob->len; len++) {
                struct blob *cut = blob_copy(slice_make(blob->data, len));

                EXPECT_EQ(msg_decode(&msg, codec, blob_slice(cut), &no_raw, &arena, &fault),
                          ERR_MALFORMED);
                EXPECT_STR(fault.uri, WAMP_PROTOCOL_VIOLATION);
                blob_drop(cut);
            }
            blob_drop(blob);
        }
    }
    arena_fini(&arena);
}

/* ---- what is refused, and in which words ---- */

struct refusal {
    const char *json, *words;
};

static const struct refusal refusals[] = {
    {"{}", "a message is a list, found a dict"},
    {"48", "a message is a list, found an integer"},
    {"[]", "a message begins with its code, found an empty list"},
    {"[\"48\"]", "Message.code: expected the number of a message, found a string"},
    {"[0]", "Message.code: expected the number of a message, found 0"},
    {"[-1]", "Message.code: expected the number of a message, found -1"},
    {"[7]", "there is no message with code 7"},
    {"[37,1]", "there is no message with code 37"},
    {"[9007199254740992]", "there is no message with code 9007199254740992"},
    {"[16,-1,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found -1"},
    {"[16,0,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found 0"},
    {"[16,9007199254740993,{},\"a\"]",
     "PUBLISH.Request: expected an id in [1, 2^53], found 9007199254740993"},
    {"[16,1.5,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found the float 1.5"},
    {"[16,1e300,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found the float 1"},
    {"[16,99999999999999999999,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found "},
    {"[16,\"1\",{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found a string"},
    {"[16,true,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found a boolean"},
    {"[16,null,{},\"a\"]", "PUBLISH.Request: expected an id in [1, 2^53], found null"},
    {"[16,1,[],\"a\"]", "PUBLISH.Options: expected a dict, found a list"},
    {"[16,1,null,\"a\"]", "PUBLISH.Options: expected a dict, found null"},
    {"[16,1,{},7]", "PUBLISH.Topic: expected a string, found 7"},
    {"[16,1,{},null]", "PUBLISH.Topic: expected a string, found null"},
    {"[16,1,{},\"\\u0000AAAA\"]", "PUBLISH.Topic: expected a string, found binary"},
    {"[16,1,{},\"a\",{}]", "PUBLISH.Arguments: expected a list, found a dict"},
    {"[16,1,{},\"a\",7]", "PUBLISH.Arguments: expected a list, found 7"},
    {"[16,1,{},\"a\",\"raw\"]", "PUBLISH.Arguments: expected a list, found a string"},
    {"[16,1,{},\"a\",[],[]]", "PUBLISH.ArgumentsKw: expected a dict, found a list"},
    {"[16,1,{}]", "PUBLISH: expected 4 to 6 elements, found 3"},
    {"[16]", "PUBLISH: expected 4 to 6 elements, found 1"},
    {"[16,1,{},\"a\",[],{},null]", "PUBLISH: expected 4 to 6 elements, found 7"},
    {"[16,1,{},\"a\",[],{},[1,[2]],{},5]", "PUBLISH: expected 4 to 6 elements, found 9"},
    {"[1,\"r\",[]]", "HELLO.Details: expected a dict, found a list"},
    {"[1,5,{}]", "HELLO.Realm: expected a string or null, found 5"},
    {"[1,\"r\"]", "HELLO: expected 3 elements, found 2"},
    {"[8,48,1,{}]", "ERROR: expected 5 to 7 elements, found 4"},
    {"[8,7,1,{},\"e\"]", "ERROR.REQUEST.Type: expected the code of a request, found 7"},
    {"[8,48,0,{},\"e\"]", "ERROR.REQUEST.Request: expected an id in [1, 2^53], found 0"},
    {"[34,1,2,{},4]", "UNSUBSCRIBE: expected 3 to 4 elements, found 5"},
    {"[34,1,2,7]", "UNSUBSCRIBE.Options: expected a dict, found 7"},
    {"[35,-1]", "UNSUBSCRIBED.UNSUBSCRIBE.Request: expected an id in [1, 2^53], or 0, found -1"},
    {"[5,null,{}]", "AUTHENTICATE.Signature: expected a string, found null"},
    {"[70,1,{},[],{},1]", "YIELD: expected 3 to 5 elements, found 6"},
    {"[48,1,{},\"a\"] 1", "json: expected nothing more, found '1' at byte 14"},
};

TEST(what_is_wrong_is_named)
{
    struct fault fault;
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct slice bytes = slice_of(refusals[i].json);

        fault = (struct fault){0};
        EXPECT_EQ(msg_decode(&msg, CODEC_JSON, bytes, &no_raw, &arena, &fault), ERR_MALFORMED);
        if (strncmp(fault.words, refusals[i].words, strlen(refusals[i].words)) != 0)
            UNIT_FAIL("%s: found '%s', expected '%s'", refusals[i].json, fault.words,
                      refusals[i].words);
        EXPECT_STR(fault.uri, WAMP_PROTOCOL_VIOLATION);
        EXPECT_EQ(fault.err, ERR_MALFORMED);
    }
    /* The other serializers say the same, as far as they can say the same thing wrong. */
    for (size_t i = 0; i + 1 < ARRAY_LEN(refusals); i++) {
        for (enum codec codec = CODEC_MSGPACK; codec < CODEC_COUNT; codec++) {
            struct blob *blob = transcode(CODEC_JSON, slice_of(refusals[i].json), codec);

            EXPECT_EQ(msg_decode(&msg, codec, blob_slice(blob), &no_raw, &arena, &fault),
                      ERR_MALFORMED);
            if (strncmp(fault.words, refusals[i].words, strlen(refusals[i].words)) != 0)
                UNIT_FAIL("%s in %s: found '%s'", refusals[i].json, codec_name(codec), fault.words);
            blob_drop(blob);
        }
    }
    arena_fini(&arena);
}

/* ---- details ---- */

/* Decodes; the words of the fault, or "" when it was accepted. */
static const char *decode(struct msg *msg, enum codec codec, struct slice bytes,
                          const struct msg_limits *limits, struct arena *arena)
{
    static struct fault fault;

    fault = (struct fault){0};
    return msg_decode(msg, codec, bytes, limits, arena, &fault) == 0 ? "" : fault.words;
}

TEST(ids_are_read_from_any_encoding_of_an_integer)
{
    static const char *const heads[] = {
        "2a",
        "cc 2a",
        "cd 002a",
        "ce 0000002a",
        "cf 000000000000002a",
        "d0 2a",
        "d1 002a",
        "d2 0000002a",
        "d3 000000000000002a",
        "ca 42280000",
        "cb 4045000000000000",
    };
    static const char *const texts[] = {"42", "42.0", "4.2e1", "420e-1"};
    struct arena arena;
    struct msg msg;
    char hex[64];

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        snprintf(hex, sizeof(hex), "93 31 %s 80", heads[i]);
        EXPECT_STR(decode(&msg, CODEC_MSGPACK, unhex(hex), &no_raw, &arena), "");
        EXPECT_EQ(msg.id, 42);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        snprintf(hex, sizeof(hex), "[49,%s,{}]", texts[i]);
        EXPECT_STR(decode(&msg, CODEC_JSON, slice_of(hex), &no_raw, &arena), "");
        EXPECT_EQ(msg.id, 42);
    }
    EXPECT_STR(decode(&msg, CODEC_CBOR, unhex("d9d9f7 83 1831 f9 5140 a0"), &no_raw, &arena), "");
    EXPECT_EQ(msg.id, 42);
    EXPECT_STR(decode(&msg, CODEC_CBOR, unhex("83 1831 fb 4340000000000000 a0"), &no_raw, &arena),
               "");
    EXPECT_EQ(msg.id, UINT64_C(1) << 53);
    EXPECT(*decode(&msg, CODEC_CBOR, unhex("83 1831 fb 4340000000000001 a0"), &no_raw, &arena));
    EXPECT(*decode(&msg, CODEC_CBOR, unhex("83 1831 fb 7ff8000000000000 a0"), &no_raw, &arena));
    arena_fini(&arena);
}

TEST(revocations_have_request_zero_and_a_dict)
{
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[67,0,{\"registration\":5}]"), &no_raw, &arena), "");
    EXPECT_EQ(msg.id, 0);
    EXPECT_SLICE(msg.dict, SLICE("{\"registration\":5}"));
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[35,0.0,{}]"), &no_raw, &arena), "");
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[34,1,2,{\"x\":1}]"), &no_raw, &arena), "");
    EXPECT_SLICE(msg.dict, SLICE("{\"x\":1}"));
    EXPECT_EQ(msg.second, 2);
    arena_fini(&arena);
}

TEST(empty_payload_is_no_payload)
{
    static const char *const texts[] = {
        "[16,1,{},\"a\"]",          "[16,1,{},\"a\",[]]",        "[16,1,{},\"a\",[],{}]",
        "[16,1,{},\"a\",null]",     "[16,1,{},\"a\",null,null]", "[16,1,{},\"a\",[ ],null]",
        "[16,1,{},\"a\",null,{ }]",
    };
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
            struct blob *blob = transcode(CODEC_JSON, slice_of(texts[i]), codec);

            EXPECT_STR(decode(&msg, codec, blob_slice(blob), &raw_is_fine, &arena), "");
            EXPECT_EQ(msg.payload.kind, PAYLOAD_NONE);
            EXPECT_EQ(payload_elements(&msg.payload), 0);
            EXPECT_EQ(msg.payload.args.len + msg.payload.kwargs.len, 0);
            blob_drop(blob);
        }
    }
    EXPECT_STR(decode(&msg, CODEC_CBOR, unhex("85 10 01 a0 61 61 9f ff"), &no_raw, &arena), "");
    EXPECT_EQ(msg.payload.kind, PAYLOAD_NONE);
    arena_fini(&arena);
}

/* The payload of a message, written for another serializer as the only elements of a list. */
static void expect_payload(enum codec codec, struct slice bytes, bool wrap_raw, enum codec to,
                           const char *expected)
{
    struct arena arena;
    struct msg msg;
    struct encoder e;
    struct blob *blob;
    struct text shown;

    arena_init(&arena);
    EXPECT_STR(decode(&msg, codec, bytes, &raw_is_fine, &arena), "");
    encode_start(&e, to, 0);
    encode_list(&e, payload_elements(&msg.payload));
    encode_payload(&e, &msg.payload, wrap_raw);
    encode_end(&e);
    blob = encode_finish(&e);
    shown = show(to, blob_slice(blob), true);
    EXPECT_STR(shown.data, expected);
    if (codec == to)
        EXPECT(blob->len <= payload_len(&msg.payload) + 2); /* and the list around it */
    text_free(&shown);
    blob_drop(blob);
    arena_fini(&arena);
}

TEST(payload_is_copied_or_transcoded)
{
    for (enum codec to = 0; to < CODEC_COUNT; to++) {
        expect_payload(CODEC_JSON, SLICE("[70,1,{},[1,{\"a\":[]}],{\"k\":1.0}]"), false, to,
                       "[[1 {\"a\" []}] {\"k\" f:1}]");
        expect_payload(CODEC_JSON, SLICE("[70,1,{},null,{\"k\":1}]"), false, to, "[[] {\"k\" 1}]");
        expect_payload(CODEC_JSON, SLICE("[70,1,{},[0]]"), true, to, "[[0]]");
        expect_payload(CODEC_JSON, SLICE("[70,1,{}]"), true, to, "[]");
        expect_payload(CODEC_JSON, SLICE("[70,1,{},\"\\u0000AP8=\"]"), false, to, "[h'00ff']");
        expect_payload(CODEC_JSON, SLICE("[70,1,{},\"\\u0000AP8=\"]"), true, to, "[[h'00ff']]");
        expect_payload(CODEC_MSGPACK, unhex("94 46 01 80 c4 02 00ff"), true, to, "[[h'00ff']]");
        expect_payload(CODEC_CBOR, unhex("84 1846 01 a0 63 616263"), false, to, "[\"abc\"]");
    }
}

TEST(raw_payload_stands_alone)
{
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[36,1,2,{},\"x\"]"), &raw_is_fine, &arena), "");
    EXPECT_EQ(msg.payload.kind, PAYLOAD_RAW);
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[36,1,2,{},\"x\",{}]"), &raw_is_fine, &arena), "");
    EXPECT_STR(
        decode(&msg, CODEC_JSON, SLICE("[36,1,2,{},\"x\",{\"a\":1}]"), &raw_is_fine, &arena),
        "EVENT.ArgumentsKw: not allowed beside a payload that is one string or binary value");
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[36,1,2,{},5]"), &raw_is_fine, &arena),
               "EVENT.Arguments: expected a list, found 5");
    EXPECT_STR(decode(&msg, CODEC_JSON, SLICE("[3,{},\"r\",\"x\"]"), &raw_is_fine, &arena),
               "ABORT.Arguments: expected a list, found a string");
    arena_fini(&arena);
}

TEST(utf8_is_checked_where_it_must_be)
{
    struct fault fault = {0};
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    /* MessagePack: in the topic, in the options, as a key of kwargs; and in payload it is binary */
    EXPECT_EQ(
        msg_decode(&msg, CODEC_MSGPACK, unhex("94 10 01 80 a2 c328"), &no_raw, &arena, &fault),
        ERR_UTF8);
    EXPECT_EQ(fault.err, ERR_UTF8);
    EXPECT_EQ(msg_decode(&msg, CODEC_MSGPACK, unhex("94 10 01 81 a1 61 91 a2 c328 a1 61"), &no_raw,
                         &arena, &fault),
              ERR_UTF8);
    EXPECT_EQ(msg_decode(&msg, CODEC_MSGPACK, unhex("96 10 01 80 a1 61 90 81 a2 c328 00"), &no_raw,
                         &arena, &fault),
              ERR_UTF8);
    EXPECT_EQ(msg_decode(&msg, CODEC_MSGPACK,
                         unhex("96 10 01 80 a1 61 91 a2 c328 81 a1 61 81 a2 c328 00"), &no_raw,
                         &arena, &fault),
              0);
    EXPECT_EQ(
        msg_decode(&msg, CODEC_JSON, SLICE("[16,1,{},\"a\",[\"\xff\"]]"), &no_raw, &arena, &fault),
        ERR_UTF8);
    EXPECT_EQ(msg_decode(&msg, CODEC_CBOR, unhex("85 10 01 a0 61 61 81 62 c328"), &no_raw, &arena,
                         &fault),
              ERR_UTF8);
    arena_fini(&arena);
}

TEST(keys_of_dicts_and_kwargs_are_strings_and_deeper_ones_are_free)
{
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    EXPECT(*decode(&msg, CODEC_MSGPACK, unhex("94 10 01 81 01 02 a1 61"), &no_raw, &arena));
    EXPECT(
        *decode(&msg, CODEC_MSGPACK, unhex("94 10 01 81 a1 61 81 01 02 a1 61"), &no_raw, &arena));
    EXPECT(*decode(&msg, CODEC_MSGPACK, unhex("96 10 01 80 a1 61 90 81 01 02"), &no_raw, &arena));
    EXPECT(*decode(&msg, CODEC_CBOR, unhex("86 10 01 a0 61 61 80 a1 01 02"), &no_raw, &arena));
    EXPECT_STR(decode(&msg, CODEC_MSGPACK, unhex("96 10 01 80 a1 61 91 81 01 02 81 a1 61 81 01 02"),
                      &no_raw, &arena),
               "");
    EXPECT_STR(decode(&msg, CODEC_CBOR, unhex("86 10 01 a0 61 61 81 a1 01 02 bf 61 61 a1 01 02 ff"),
                      &no_raw, &arena),
               "");
    arena_fini(&arena);
}

TEST(depth_counts_from_the_message)
{
    struct fault fault = {0};
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
        for (unsigned depth = MAX_DEPTH - 1; depth <= MAX_DEPTH; depth++) {
            struct encoder e;
            struct blob *blob;

            encode_start(&e, codec, 0);
            encode_list(&e, 5);
            encode_uint(&e, MSG_PUBLISH);
            encode_uint(&e, 1);
            encode_map(&e, 0);
            encode_end(&e);
            encode_text(&e, SLICE("a"));
            for (unsigned i = 0; i < depth; i++)
                encode_list(&e, COUNT_UNKNOWN);
            for (unsigned i = 0; i <= depth; i++)
                encode_end(&e);
            blob = encode_finish(&e);
            EXPECT_EQ(msg_decode(&msg, codec, blob_slice(blob), &no_raw, &arena, &fault),
                      depth < MAX_DEPTH ? 0 : ERR_TOO_DEEP);
            blob_drop(blob);
        }
    }
    arena_fini(&arena);
}

TEST(text_is_unescaped_and_slices_point_into_the_message)
{
    struct slice bytes = SLICE("[48,1,{\"a\":1},\"a\\u002eb\",[ 1 ]]");
    struct arena arena;
    struct msg msg;

    arena_init(&arena);
    EXPECT_STR(decode(&msg, CODEC_JSON, bytes, &no_raw, &arena), "");
    EXPECT_SLICE(msg.text, SLICE("a.b"));
    EXPECT_SLICE(msg.payload.args, SLICE("[ 1 ]"));
    EXPECT(msg.payload.args.data > bytes.data && msg.payload.args.data < bytes.data + bytes.len);
    EXPECT(msg.dict.data > bytes.data && msg.dict.data < bytes.data + bytes.len);
    arena_fini(&arena);
}

TEST(dicts_are_walked_entry_by_entry)
{
    struct slice dict =
        SLICE("{ \"a\" : [1,{\"x\":2}] , \"b\\n\":\"t\\t\",\"a\":null, \"c\" : {}}");
    struct dict_walk walk;
    struct arena arena;

    arena_init(&arena);
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
        struct blob *blob = transcode(CODEC_JSON, dict, codec);

        dict_walk(&walk, codec, blob_slice(blob), &arena);
        EXPECT(dict_next(&walk));
        EXPECT_SLICE(walk.key, SLICE("a"));
        EXPECT_EQ(walk.token.type, TOKEN_LIST);
        expect_value(codec, walk.value, "[1 {\"x\" 2}]");
        EXPECT(dict_next(&walk));
        EXPECT_SLICE(walk.key, SLICE("b\n"));
        EXPECT_SLICE(walk.token.text, SLICE("t\t"));
        EXPECT(dict_next(&walk));
        EXPECT_SLICE(walk.key, SLICE("a"));
        EXPECT_EQ(walk.token.type, TOKEN_NULL);
        EXPECT(dict_next(&walk));
        expect_value(codec, walk.value, "{}");
        EXPECT(!dict_next(&walk));
        EXPECT(!dict_next(&walk));
        blob_drop(blob);
    }
    dict_walk(&walk, CODEC_CBOR, (struct slice){0}, &arena);
    EXPECT(!dict_next(&walk));
    dict_walk(&walk, CODEC_JSON, SLICE("[1]"), &arena);
    EXPECT(!dict_next(&walk));
    dict_walk(&walk, CODEC_MSGPACK, unhex("83 01 02 92 01 02 03 a1 61 04"), &arena);
    EXPECT(dict_next(&walk));
    EXPECT_SLICE(walk.key, SLICE("a"));
    EXPECT_EQ(walk.token.natural, 4);
    EXPECT(!dict_next(&walk));
    arena_fini(&arena);
}

TEST(only_what_clients_send_is_for_the_router)
{
    static const enum msg_type to_router[] = {
        MSG_HELLO,    MSG_ABORT,      MSG_AUTHENTICATE, MSG_GOODBYE,        MSG_ERROR,
        MSG_PUBLISH,  MSG_SUBSCRIBE,  MSG_UNSUBSCRIBE,  MSG_CALL,           MSG_CANCEL,
        MSG_REGISTER, MSG_UNREGISTER, MSG_YIELD,        MSG_EVENT_RECEIVED,
    };
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(to_router); i++)
        EXPECT(msg_is_for_router(to_router[i]));
    for (unsigned code = 0; code < 2000; code++)
        count += msg_is_for_router((enum msg_type)code);
    EXPECT_EQ(count, ARRAY_LEN(to_router));
}

TEST(tokens_that_are_ids)
{
    struct token token = {.type = TOKEN_UINT, .natural = 0};
    uint64_t id = 0;

    EXPECT(!token_is_id(&token, &id));
    token.natural = 1;
    EXPECT(token_is_id(&token, &id) && id == 1);
    token.natural = WAMP_ID_MAX;
    EXPECT(token_is_id(&token, &id) && id == WAMP_ID_MAX);
    token.natural = WAMP_ID_MAX + 1;
    EXPECT(!token_is_id(&token, &id));
    token = (struct token){.type = TOKEN_FLOAT, .real = 5.0};
    EXPECT(token_is_id(&token, &id) && id == 5);
    token.real = 5.5;
    EXPECT(!token_is_id(&token, &id));
    token.real = -5.0;
    EXPECT(!token_is_id(&token, &id));
    token = (struct token){.type = TOKEN_INT, .integer = -5};
    EXPECT(!token_is_id(&token, &id));
    token = (struct token){.type = TOKEN_BOOL, .boolean = true};
    EXPECT(!token_is_id(&token, &id));
}

/* Whatever is accepted can be built again for everybody. */
TEST(damaged_messages_are_refused_or_sound)
{
    uint64_t state = 99;
    struct arena arena;
    struct rng rng;
    struct msg msg, other;

    rng_init(&rng, rng_fill_seeded, &state);
    arena_init(&arena);
    for (unsigned i = 0; i < 60000; i++) {
        const struct sample *sample = &samples[rng_below(&rng, ARRAY_LEN(samples))];
        enum codec codec = (enum codec)rng_below(&rng, CODEC_COUNT);
        struct blob *blob = transcode(CODEC_JSON, slice_of(sample->json), codec);

        for (uint64_t hits = 1 + rng_below(&rng, 2); hits > 0; hits--)
            blob->data[rng_below(&rng, blob->len)] = (char)rng_below(&rng, 256);
        arena_reset(&arena);
        /* Text that begins with U+0000 would read as binary in JSON: there is no other way. */
        if (*decode(&msg, codec, blob_slice(blob), &raw_is_fine, &arena) == '\0' &&
            !slice_starts_with(msg.text, slice_make("", 1))) {
            for (enum codec to = 0; to < CODEC_COUNT; to++) {
                struct blob *built = msg_rebuild(to, &msg, true);

                EXPECT_STR(decode(&other, to, blob_slice(built), &raw_is_fine, &arena), "");
                EXPECT_EQ(other.id, msg.id);
                EXPECT_SLICE(other.text, msg.text);
                blob_drop(built);
            }
        }
        blob_drop(blob);
    }
    arena_fini(&arena);
}
