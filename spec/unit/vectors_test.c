/* vectors_test.c -- the published sample messages, when WAMP_VECTORS names their folder.
 *
 * They are not part of this project. Every sample for a serializer of ours must decode to what
 * it says, and be written again as one of its spellings; every sample for validation must be
 * accepted, or refused naming the option.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/options.h"
#include "msg_kit.h"
#include "unit.h"
#include "wire/errors.h"
#include "wire_kit.h"

#include <glob.h>

/* Walks are large; each function keeps its own off the stack of its caller. */
#define NOT_INLINED __attribute__((noinline))

static const struct msg_limits limits = {.raw_payload = true};
static unsigned serialized, accepted, refused;

/* A file whole, in the arena. */
static struct slice read_file(const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long len = 0;

    if (file == NULL)
        return (struct slice){0};
    if (fseek(file, 0, SEEK_END) == 0 && (len = ftell(file)) > 0) {
        rewind(file);
        text = arena_alloc(arena, (size_t)len);
        len = (long)fread(text, 1, (size_t)len, file);
    }
    fclose(file);
    return slice_make(text, (size_t)len);
}

/* Finds a key of a JSON dict; false when it is not there. */
static bool find_key(struct slice dict, const char *key, struct dict_walk *walk,
                     struct arena *arena)
{
    dict_walk(walk, CODEC_JSON, dict, arena);
    while (dict_next(walk))
        if (slice_eq(walk->key, slice_of(key)))
            return true;
    return false;
}

static void expect_shown(enum codec codec, struct slice value, struct slice json)
{
    struct text found = show(codec, value, true), expected = show(CODEC_JSON, json, true);

    EXPECT_STR(found.data, expected.data);
    text_free(&found);
    text_free(&expected);
}

/* Two dicts with the same entries, in any order. An empty one may be absent. */
static void expect_dict(const struct msg *msg, struct slice dict, struct slice json,
                        struct arena *arena)
{
    struct dict_walk want, have;
    unsigned wanted = 0, found = 0;

    dict_walk(&want, CODEC_JSON, json, arena);
    for (; dict_next(&want); wanted++) {
        dict_walk(&have, msg->codec, dict, arena);
        while (dict_next(&have)) {
            if (!slice_eq(have.key, want.key))
                continue;
            expect_shown(msg->codec, have.value, want.value);
            found++;
        }
    }
    EXPECT_EQ(found, wanted);
    dict_walk(&have, msg->codec, dict, arena);
    for (found = 0; dict_next(&have);)
        found++;
    EXPECT_EQ(found, wanted);
}

static void expect_roles(const struct msg *msg, struct slice json, struct arena *arena)
{
    struct dict_walk walk;
    bool has_roles = false;

    dict_walk(&walk, msg->codec, msg->dict, arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, SLICE("roles")))
            continue;
        has_roles = true;
        expect_dict(msg, walk.value, json, arena);
    }
    EXPECT(has_roles);
}

/* A payload of its own is told in hex. */
static void expect_raw(const struct msg *msg, const struct dict_walk *want)
{
    char hex[2048];
    struct text shown;

    EXPECT_EQ(msg->payload.kind == PAYLOAD_RAW, want->token.type == TOKEN_TEXT);
    if (want->token.type != TOKEN_TEXT)
        return;
    snprintf(hex, sizeof(hex), "h'%.*s'", SLICE_ARG(want->token.text));
    shown = show(msg->codec, msg->payload.args, true);
    EXPECT_STR(shown.data, hex);
    text_free(&shown);
}

static bool is_one_of(struct slice key, const char *words)
{
    char pattern[64];

    snprintf(pattern, sizeof(pattern), " %.*s ", SLICE_ARG(key));
    return strstr(words, pattern) != NULL;
}

static void expect_args(const struct msg *msg, struct slice found, const struct dict_walk *want)
{
    if (want->token.type == TOKEN_NULL)
        EXPECT(msg->payload.kind == PAYLOAD_RAW || found.len == 0);
    else
        expect_shown(msg->codec, found, want->value);
}

static void expect_attribute(const struct msg *msg, const struct dict_walk *want,
                             struct arena *arena)
{
    struct slice key = want->key;

    if (is_one_of(key, " message_type "))
        EXPECT_EQ(msg->type, want->token.natural);
    else if (is_one_of(key, " request_type "))
        EXPECT_EQ(msg->request_type, want->token.natural);
    else if (is_one_of(key, " request_id session_id subscription ") ||
             (is_one_of(key, " publication_id ") && msg->type == MSG_EVENT_RECEIVED))
        EXPECT_EQ(msg->id, want->token.natural);
    else if (is_one_of(key, " subscription_id registration_id publication publication_id "))
        EXPECT_EQ(msg->second, want->token.natural);
    else if (is_one_of(key, " realm topic procedure error reason method signature "))
        EXPECT_SLICE(msg->text, want->token.text);
    else if (is_one_of(key, " options details extra "))
        expect_dict(msg, msg->dict, want->value, arena);
    else if (is_one_of(key, " roles "))
        expect_roles(msg, want->value, arena);
    else if (is_one_of(key, " args "))
        expect_args(msg, msg->payload.args, want);
    else if (is_one_of(key, " kwargs "))
        expect_args(msg, msg->payload.kwargs, want);
    else if (is_one_of(key, " payload "))
        expect_raw(msg, want);
    else
        UNIT_FAIL("the attribute %.*s is not known here", SLICE_ARG(key));
}

/* The bytes of one spelling. */
static struct slice variant_bytes(struct slice variant, struct arena *arena)
{
    struct dict_walk walk;
    char *hex;

    if (find_key(variant, "bytes_hex", &walk, arena)) {
        hex = arena_alloc(arena, walk.token.text.len + 1);
        memcpy(hex, walk.token.text.data, walk.token.text.len);
        hex[walk.token.text.len] = '\0';
        return arena_copy(arena, unhex(hex));
    }
    return find_key(variant, "bytes", &walk, arena) ? walk.token.text : (struct slice){0};
}

/* Written again, a message must be one of the spellings. What JSON copies may have blanks in it,
 * so there it goes through another serializer, which has none. */
static void expect_rewritten(const struct msg *msg, struct slice variants, struct arena *arena)
{
    struct blob *blob = msg_rebuild(msg->codec, msg, false), *other;
    struct dict_walk walk;
    bool is_listed = false;

    if (msg->codec == CODEC_JSON) {
        other = transcode(CODEC_JSON, blob_slice(blob), CODEC_MSGPACK);
        blob_drop(blob);
        blob = transcode(CODEC_MSGPACK, blob_slice(other), CODEC_JSON);
        blob_drop(other);
    }
    list_walk(&walk, CODEC_JSON, variants, arena);
    while (list_next(&walk))
        is_listed |= slice_eq(variant_bytes(walk.value, arena), blob_slice(blob));
    if (!is_listed)
        UNIT_FAIL("%s in %s is written in a way that is not listed", msg_name(msg->type),
                  codec_name(msg->codec));
    blob_drop(blob);
}

NOT_INLINED static void expect_variant(enum codec codec, struct slice bytes, struct slice variants,
                                       struct slice attributes, struct arena *arena)
{
    struct fault fault = {0};
    struct options options;
    struct dict_walk walk;
    struct msg msg;

    serialized++;
    if (msg_decode(&msg, codec, bytes, &limits, arena, &fault) != 0 ||
        options_read(&options, &msg, arena, &fault) != 0) {
        UNIT_FAIL("%s: %s", codec_name(codec), fault.words);
        return;
    }
    dict_walk(&walk, CODEC_JSON, attributes, arena);
    while (dict_next(&walk))
        expect_attribute(&msg, &walk, arena);
    expect_rewritten(&msg, variants, arena);
}

NOT_INLINED static void serialization_sample(struct slice serializers, struct slice attributes,
                                             struct arena *arena)
{
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
        struct dict_walk list, walk;

        if (!find_key(serializers, codec_name(codec), &list, arena)) {
            UNIT_FAIL("a sample without %s", codec_name(codec));
            continue;
        }
        list_walk(&walk, CODEC_JSON, list.value, arena);
        while (list_next(&walk))
            expect_variant(codec, variant_bytes(walk.value, arena), list.value, attributes, arena);
    }
}

NOT_INLINED static void validation_sample(struct slice message, struct slice error,
                                          struct arena *arena)
{
    struct fault fault = {0};
    struct options options;
    struct dict_walk word;
    struct msg msg;
    int err = msg_decode(&msg, CODEC_JSON, message, &limits, arena, &fault);

    if (err == 0)
        err = options_read(&options, &msg, arena, &fault);
    if (error.len == 0) {
        accepted++;
        if (err != 0)
            UNIT_FAIL("%.*s: %s", SLICE_ARG(message), fault.words);
        return;
    }
    refused++;
    if (err == 0)
        UNIT_FAIL("%.*s: accepted", SLICE_ARG(message));
    else if (!find_key(error, "contains", &word, arena))
        UNIT_FAIL("%.*s: no word to look for", SLICE_ARG(message));
    else if (memmem(fault.words, strlen(fault.words), word.token.text.data, word.token.text.len) ==
             NULL)
        UNIT_FAIL("%.*s: '%s' does not contain %.*s", SLICE_ARG(message), fault.words,
                  SLICE_ARG(word.token.text));
    if (err != 0)
        EXPECT_STR(fault.uri, WAMP_PROTOCOL_VIOLATION);
}

NOT_INLINED static void check_file(const char *path)
{
    struct dict_walk list, walk, part, other;
    struct arena arena;
    struct slice file;

    arena_init(&arena);
    file = read_file(path, &arena);
    if (!find_key(file, "samples", &list, &arena))
        UNIT_FAIL("%s: no samples", path);
    else
        list_walk(&walk, CODEC_JSON, list.value, &arena);
    while (unit_failures == 0 && list_next(&walk)) {
        if (find_key(walk.value, "wmsg", &part, &arena)) {
            bool is_bad = find_key(walk.value, "expected_error", &other, &arena);

            validation_sample(part.value, is_bad ? other.value : (struct slice){0}, &arena);
        } else if (find_key(walk.value, "serializers", &part, &arena) &&
                   find_key(walk.value, "expected_attributes", &other, &arena)) {
            serialization_sample(part.value, other.value, &arena);
        } else {
            UNIT_FAIL("%s: a sample of an unknown kind", path);
        }
    }
    arena_fini(&arena);
    if (unit_failures != 0)
        printf("  in %s\n", path);
}

TEST(published_samples)
{
    const char *folder = getenv("WAMP_VECTORS");
    char pattern[4096];
    glob_t files;

    if (folder == NULL || folder[0] == '\0') {
        puts("SKIPPED: WAMP_VECTORS does not name the folder of the published samples");
        return;
    }
    snprintf(pattern, sizeof(pattern), "%s/singlemessage/*/*.json", folder);
    if (glob(pattern, 0, NULL, &files) != 0) {
        UNIT_FAIL("nothing matches %s", pattern);
        return;
    }
    for (size_t i = 0; i < files.gl_pathc; i++) {
        unsigned before = unit_failures;

        unit_failures = 0;
        check_file(files.gl_pathv[i]);
        unit_failures += before;
    }
    globfree(&files);
    printf("%u spellings decoded, %u samples accepted, %u refused\n", serialized, accepted,
           refused);
    EXPECT(serialized > 0 && accepted > 0 && refused > 0);
}
