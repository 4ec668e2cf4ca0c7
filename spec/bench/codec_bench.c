/* codec_bench.c -- nanoseconds per message of decoding, encoding and transcoding.
 *
 * Prints the best of many short rounds, so that other load on the machine shows little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 2000
#define STEPS  200

static const char call_text[] =
    "[48,123,{},\"com.myapp.proc\","
    "[\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]]";

/* What one step of a benchmark works on. */
struct subject {
    enum codec codec, to;
    struct slice bytes; /* of a CALL */
    struct msg msg;     /* the same, decoded */
    struct arena *arena;
};

static void decode(struct subject *s)
{
    static const struct msg_limits limits = {.raw_payload = true};
    struct fault fault;

    if (msg_decode(&s->msg, s->codec, s->bytes, &limits, s->arena, &fault) != 0) {
        fprintf(stderr, "%s\n", fault.words);
        exit(EXIT_FAILURE);
    }
}

static void encode_event(struct subject *s)
{
    struct encoder e;

    encode_start(&e, s->codec, 32 + payload_len(&s->msg.payload));
    encode_list(&e, 5);
    encode_uint(&e, MSG_EVENT);
    encode_uint(&e, 123456);
    encode_uint(&e, 5512315355);
    encode_map(&e, 0);
    encode_end(&e);
    encode_payload(&e, &s->msg.payload, false);
    encode_end(&e);
    blob_drop(encode_finish(&e));
}

static void encode_published(struct subject *s)
{
    struct encoder e;

    encode_start(&e, s->codec, 32);
    encode_list(&e, 3);
    encode_uint(&e, MSG_PUBLISHED);
    encode_uint(&e, 123456);
    encode_uint(&e, 5512315355);
    encode_end(&e);
    blob_drop(encode_finish(&e));
}

static void transcode_args(struct subject *s)
{
    blob_drop(transcode(s->codec, s->msg.payload.args, s->to));
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *words, void (*step)(struct subject *), struct subject *s)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns(), each;

        for (int i = 0; i < STEPS; i++)
            step(s);
        each = (now_ns() - start) / STEPS;
        best = each < best ? each : best;
    }
    printf("%-8s %-32s %7.1f ns\n", codec_name(s->codec), words, best);
}

int main(void)
{
    struct arena arena;

    arena_init(&arena);
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++) {
        struct blob *blob = transcode(CODEC_JSON, slice_of(call_text), codec);
        struct subject s = {.codec = codec, .bytes = blob_slice(blob), .arena = &arena};
        char words[32];

        measure("decode CALL, 64 bytes of text", decode, &s);
        measure("encode EVENT, payload copied", encode_event, &s);
        measure("encode PUBLISHED", encode_published, &s);
        for (s.to = 0; s.to < CODEC_COUNT; s.to++) {
            snprintf(words, sizeof(words), "transcode args to %s", codec_name(s.to));
            measure(words, transcode_args, &s);
        }
        blob_drop(blob);
    }
    arena_fini(&arena);
    return EXIT_SUCCESS;
}
