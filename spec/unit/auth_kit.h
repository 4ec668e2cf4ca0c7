/* auth_kit.h -- what the tests of auth share: a router's side of a login, and a client's arithmetic.
 *
 * The client speaks to libcrypto and libargon2 itself, so that a mistake in our words for them
 * does not cancel out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_AUTH_KIT_H
#define NEXUS_SPEC_AUTH_KIT_H

#include "auth/auth.h"
#include "auth/auth_record.h"
#include "base/base64.h"
#include "base/mem.h"
#include "unit.h"
#include "wire/errors.h"
#include "wire/msg.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <argon2.h>
#include <stdarg.h>

#define SESSION 3251278072152162
#define NOW_MS  1767323045678 /* 2026-01-02T03:04:05.678Z */

/* Text of a test; valid until the sixteenth call after this one. */
__attribute__((format(printf, 1, 2))) static inline const char *text(const char *format, ...)
{
    static char pool[16][12000];
    static unsigned turn;
    char *out = pool[turn++ % 16];
    va_list args;

    va_start(args, format);
    vsnprintf(out, sizeof(pool[0]), format, args);
    va_end(args);
    return out;
}

static inline const char *hex_of(const void *bytes, size_t len)
{
    char out[1024] = "";

    for (size_t i = 0; i < len && 2 * i + 2 < sizeof(out); i++)
        snprintf(out + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    return text("%s", out);
}

static inline void unhex_into(const char *hex, unsigned char *out, size_t len)
{
    unsigned byte = 0;

    for (size_t i = 0; i < len; i++, hex += 2) {
        if (sscanf(hex, "%2x", &byte) != 1)
            UNIT_FAIL("not hex: %s", hex);
        out[i] = (unsigned char)byte;
    }
}

static inline const char *base64_of(const void *bytes, size_t len)
{
    char out[1024] = "";

    EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
    return text("%s", out);
}

static inline void hmac(const void *key, size_t key_len, const char *message, unsigned char out[32])
{
    unsigned len = 32;

    HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)message, strlen(message), out,
         &len);
}

/* ---- the router's side ---- */

/* Random numbers that count up from a start: the ones of the vectors. */
static inline void fill_counting(void *start, void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)buf)[i] = (unsigned char)(*(unsigned char *)start + i);
}

struct stage {
    enum codec codec;
    struct auth_settings settings;
    struct auth_request request;
    struct auth_bindings bindings;
    struct auth_certificate certificate;
    struct rng rng;
    uint64_t seed;
    unsigned char first; /* of the counting random numbers */
    struct blob *authextra;
    struct auth_record *record;
    struct auth_exchange *x;
    struct arena arena;
};

static inline void stage_count_from(struct stage *s, unsigned char first)
{
    s->first = first;
    rng_init(&s->rng, fill_counting, &s->first);
}

static inline void stage_init(struct stage *s, enum codec codec)
{
    static uint64_t seeds;

    *s = (struct stage){.codec = codec, .seed = 1000 + seeds++};
    rng_init(&s->rng, rng_fill_seeded, &s->seed);
    auth_settings_init(&s->settings, &s->rng);
    s->settings.ticket_kdf = (struct kdf){KDF_ARGON2ID, 1, 64, 1};
    s->request = (struct auth_request){
        .realm = SLICE("realm1"),
        .authid = SLICE("joe"),
        .codec = codec,
        .session = SESSION,
        .now_ms = NOW_MS,
        .rng = &s->rng,
    };
    arena_init(&s->arena);
}

static inline void stage_fini(struct stage *s)
{
    auth_free(s->x);
    auth_record_drop(s->record);
    blob_drop(s->authextra);
    arena_fini(&s->arena);
}

/* A value that is written as JSON, in the codec of the session. Lives as long as the stage. */
static inline struct slice stage_value(struct stage *s, const char *json)
{
    struct blob *blob;
    struct slice value;

    if (json == NULL)
        return (struct slice){0};
    blob = transcode(CODEC_JSON, slice_of(json), s->codec);
    value = arena_copy(&s->arena, blob_slice(blob));
    blob_drop(blob);
    return value;
}

/* Parses a record; NULL for nobody. A record that is wrong is a failure of the test. */
static inline void stage_record(struct stage *s, const char *method, const char *json)
{
    struct fault fault = {0};

    auth_record_drop(s->record);
    s->record = NULL;
    if (json == NULL)
        return;
    s->record = auth_record_parse(auth_method_find(slice_of(method)), s->codec,
                                  stage_value(s, json), &fault);
    if (s->record == NULL)
        UNIT_FAIL("%s", fault.words);
}

/* Begins; the exchange before is freed, everything else is kept. */
static inline enum auth_step stage_begin(struct stage *s, const char *method, const char *extra)
{
    auth_free(s->x);
    if (s->rng.fill == fill_counting)
        stage_count_from(s, s->first); /* the same numbers in every login */
    s->request.authextra = stage_value(s, extra);
    return auth_begin(&s->x, auth_method_find(slice_of(method)), &s->settings, &s->request,
                      s->record);
}

static inline enum auth_step stage_check(struct stage *s, const char *signature, const char *extra)
{
    enum auth_step step = auth_check(s->x, slice_of(signature), stage_value(s, extra));

    if (step == AUTH_DERIVE) {
        struct auth_job *job = auth_take_job(s->x);

        auth_job_run(job);
        step = auth_resume(s->x, job);
    }
    return step;
}

/* A string of the last CHALLENGE.Extra; NULL when there is none under that key. */
static inline const char *stage_said(struct stage *s, const char *key)
{
    const char *found = NULL;
    struct dict_walk walk;

    dict_walk(&walk, s->codec, auth_challenge(s->x), &s->arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, slice_of(key)))
            continue;
        if (walk.token.type == TOKEN_TEXT)
            found = text("%.*s", SLICE_ARG(walk.token.text));
        else if (walk.token.type == TOKEN_UINT)
            found = text("%llu", (unsigned long long)walk.token.natural);
        else if (walk.token.type == TOKEN_NULL)
            found = "null";
    }
    return found;
}

/* The same, where it must be there. */
static inline const char *stage_told(struct stage *s, const char *key)
{
    const char *found = stage_said(s, key);

    if (found == NULL)
        UNIT_FAIL("the challenge has no %s", key);
    return found == NULL ? "" : found;
}

/* The whole Extra, or WELCOME.authextra, as JSON. */
static inline const char *stage_json(enum codec codec, struct slice value)
{
    struct blob *blob = transcode(codec, value, CODEC_JSON);
    const char *json = text("%.*s", SLICE_ARG(blob_slice(blob)));

    blob_drop(blob);
    return json;
}

static inline const char *stage_welcome(struct stage *s)
{
    struct encoder e;
    struct blob *blob;
    const char *json;

    encode_start(&e, s->codec, 0);
    if (!auth_encode_extra(s->x, &e)) {
        encode_discard(&e);
        return "";
    }
    blob = encode_finish(&e);
    json = stage_json(s->codec, blob_slice(blob));
    blob_drop(blob);
    return json;
}

/* The login was refused: URI, Details.scram (NULL: none), and a part of the words. */
#define EXPECT_REFUSED(step, stage, expected_uri, expected_scram, part)             \
    do {                                                                            \
        enum auth_step unit_step = (step);                                          \
        EXPECT_EQ(unit_step, AUTH_REFUSED);                                         \
        if (unit_step == AUTH_REFUSED) {                                            \
            const struct auth_refusal *unit_r = auth_refusal((stage)->x);           \
            const char *unit_scram = (expected_scram);                              \
            EXPECT_STR(unit_r->fault.uri, expected_uri);                            \
            EXPECT_STR(unit_r->scram == NULL ? "-" : unit_r->scram,                 \
                       unit_scram == NULL ? "-" : unit_scram);                      \
            if (strstr(unit_r->fault.words, part) == NULL)                          \
                UNIT_FAIL("\"%s\" does not say \"%s\"", unit_r->fault.words, part); \
            EXPECT(unit_r->reason != NULL);                                         \
        }                                                                           \
    } while (0)

#define EXPECT_DENIED(step, stage, scram) \
    EXPECT_REFUSED(step, stage, WAMP_AUTHENTICATION_DENIED, scram, "are not accepted")

static inline void each_codec(void (*run)(enum codec codec))
{
    for (int codec = 0; codec < CODEC_COUNT; codec++)
        run((enum codec)codec);
}

#endif
