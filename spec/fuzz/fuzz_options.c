/* fuzz_options.c -- Options and Details: options_read, filters_check, filters_build, hello_read.
 *
 * Input: an octet for the serializer, one for the message type, then a dict in
 * that serializer, as it stands in a message that was decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/filter.h"
#include "core/hello.h"
#include "core/options.h"
#include "fuzz.h"

/* What a session has that filters ask for. */
struct attributes {
    struct intern intern;
    struct session session;
    struct tag tags[3];
};

static void attributes_init(struct attributes *a)
{
    intern_init(&a->intern, 1, 2);
    for (uint32_t i = 0; i < ARRAY_LEN(a->tags); i++) {
        static const char *const pairs[][2] = {
            {"authid", "alice"}, {"authrole", "anonymous"}, {"x_team", "red"}};

        a->tags[i].key = intern_text(&a->intern, slice_of(pairs[i][0]));
        a->tags[i].value = intern_text(&a->intern, slice_of(pairs[i][1]));
    }
    a->session = (struct session){.id = 7, .tags = a->tags, .tag_count = ARRAY_LEN(a->tags)};
}

static void attributes_fini(struct attributes *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->tags); i++) {
        intern_drop(&a->intern, a->tags[i].key);
        intern_drop(&a->intern, a->tags[i].value);
    }
    intern_fini(&a->intern);
}

/* The dict as a message carries it: validated, and nothing at all when it is empty. */
static bool is_dict(enum codec codec, struct slice bytes, struct arena *arena)
{
    struct reader reader;
    struct fault fault;
    struct token token;
    struct slice extent;
    bool is_empty;

    reader_init(&reader, codec, bytes, arena, &fault);
    if (reader_next(&reader, &token) != 0 || token.type != TOKEN_MAP)
        return false;
    reader_init(&reader, codec, bytes, arena, &fault);
    if (reader_skip(&reader, &extent, &is_empty) != 0 || is_empty)
        return false;
    return extent.len == bytes.len;
}

/* What is passed on is written as pairs of text, and read back as the same. */
static void check_passed(const struct options *options, const struct msg *msg, struct arena *arena)
{
    struct options again;
    struct fault fault;
    struct encoder e;
    struct blob *blob;
    struct msg copy = *msg;

    encode_start(&e, msg->codec, 0);
    encode_map(&e, options_passed_count(options));
    options_encode_passed(&e, options);
    encode_end(&e);
    blob = encode_finish(&e);
    copy.dict = blob_slice(blob);
    if (options->passed == 0)
        copy.dict.len = 0; /* what is empty counts as absent */
    if (options_read(&again, &copy, arena, &fault) == 0) {
        CHECK(again.passed == options->passed);
        for (unsigned i = 0; i < PASS_COUNT; i++)
            CHECK((options->passed & (1U << i)) == 0 || slice_eq(again.pass[i], options->pass[i]));
    } else {
        CHECK(msg->codec == CODEC_JSON); /* text that begins with U+0000 reads as binary there */
    }
    blob_drop(blob);
}

static void check_filters(const struct options *options, const struct msg *msg, struct arena *arena)
{
    static const char *const filterable[] = {"a", NULL};
    struct attributes a;
    struct filter_set set;
    struct fault fault;

    if (filters_check(options, NULL, &fault) != 0 ||
        filters_check(options, filterable, &fault) != 0)
        CHECK(fault.uri != NULL && fault.words[0] != '\0');
    attributes_init(&a);
    for (int absent = 0; absent < 2; absent++) {
        if (filters_build(&set, options, msg->codec, &a.intern, absent == 1, arena, &fault) != 0)
            CHECK(fault.uri != NULL && fault.words[0] != '\0');
        else if (!filters_pass(&set, &a.session))
            CHECK(set.count != 0);
    }
    attributes_fini(&a);
}

static void check_hello(const struct msg *msg, struct arena *arena)
{
    struct hello hello;
    struct fault fault = {0};
    int err = hello_read(&hello, msg, arena, &fault);
    size_t total = 0;

    CHECK(err == 0 || (fault.uri != NULL && fault.words[0] != '\0'));
    if (err != 0)
        return;
    CHECK(hello.roles != 0 && hello.attribute_count <= MAX_ATTRIBUTES);
    for (unsigned i = 0; i < hello.attribute_count; i++)
        total += hello.attributes[i].key.len + hello.attributes[i].value.len;
    CHECK(total <= MAX_ATTRIBUTES_LEN);
    (void)hello_offers(&hello, msg->codec, SLICE("anonymous"), arena);
}

/* Returns the verdict. */
static int check_options(const struct msg *msg, struct options *options, struct arena *arena)
{
    struct fault fault = {0};
    int err = options_read(options, msg, arena, &fault);

    CHECK(err == 0 || (fault.uri != NULL && fault.words[0] != '\0'));
    if (err != 0)
        return err;
    CHECK(options->match < MATCH_COUNT);
    CHECK(options->invoke < INVOKE_COUNT ||
          (options->invoke == INVOKE_UNKNOWN && msg->type == MSG_REGISTER));
    CHECK(options->mode < CANCEL_COUNT && options->filter_count <= MAX_FILTERS);
    check_passed(options, msg, arena);
    if (msg->type == MSG_PUBLISH)
        check_filters(options, msg, arena);
    return err;
}

/* MessagePack and CBOR say the same: neither has text that reads as something else. */
static void check_sameness(const struct msg *msg, int err, const struct options *options,
                           struct arena *arena)
{
    enum codec to = msg->codec == CODEC_CBOR ? CODEC_MSGPACK : CODEC_CBOR;
    struct blob *blob = transcode(msg->codec, msg->dict, to);
    struct options other;
    struct fault fault;
    struct msg copy = *msg;

    copy.codec = to;
    copy.dict = blob_slice(blob);
    CHECK(options_read(&other, &copy, arena, &fault) == err);
    if (err == 0) {
        CHECK(other.acknowledge == options->acknowledge && other.match == options->match);
        CHECK(other.invoke == options->invoke && other.exclude_me == options->exclude_me);
        CHECK(other.timeout == options->timeout && other.mode == options->mode);
        CHECK(other.passed == options->passed && other.filter_count == options->filter_count);
    }
    blob_drop(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
#define TYPE(name, code, direction, shape) MSG_##name,
    static const enum msg_type types[] = {MSG_TABLE(TYPE)};
#undef TYPE
    struct arena arena;
    struct options options;

    if (len < 2)
        return 0;
    arena_init(&arena);

    struct msg msg = {.codec = (enum codec)(data[0] % CODEC_COUNT),
                      .type = types[data[1] % ARRAY_LEN(types)],
                      .dict = slice_make(data + 2, len - 2)};

    if (is_dict(msg.codec, msg.dict, &arena)) {
        if (msg.type == MSG_HELLO)
            check_hello(&msg, &arena);
        else
            check_sameness(&msg, check_options(&msg, &options, &arena), &options, &arena);
    }
    arena_fini(&arena);
    return 0;
}
