/* auth_ticket_test.c -- plain tickets, stored hashes, the work for nobody, and jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#define PLAIN "{\"authrole\":\"user\",\"ticket\":\"secret!!!\"}"

static void set_scene(struct stage *s, enum codec codec, enum kdf_kind kind, const char *record)
{
    stage_init(s, codec);
    s->settings.ticket_kdf.kind = kind;
    stage_record(s, "ticket", record);
}

static enum auth_step answer(struct stage *s, const char *ticket)
{
    EXPECT_EQ(stage_begin(s, "ticket", NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_json(s->codec, auth_challenge(s->x)), "{}");
    return stage_check(s, ticket, "{}");
}

/* Where tickets are stored as they are, and where nobody costs a derivation. */
static void check_plain(enum codec codec)
{
    static const enum kdf_kind kinds[] = {KDF_NONE, KDF_ARGON2ID};
    static const char *const wrong[] = {"",
                                        "secret!!",
                                        "secret!!!!",
                                        "Secret!!!",
                                        " secret!!!",
                                        "secret!!!\n",
                                        "s\xc3\xa9\x65",
                                        "c2VjcmV0ISEh",
                                        "secret!!\xef\xbc\x81"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct stage s;

        set_scene(&s, codec, kinds[i], PLAIN);
        EXPECT_EQ(answer(&s, "secret!!!"), AUTH_OK);
        EXPECT_SLICE(auth_identity(s.x).authid, SLICE("joe"));
        EXPECT_STR(stage_welcome(&s), "");
        for (size_t k = 0; k < ARRAY_LEN(wrong); k++)
            EXPECT_DENIED(answer(&s, wrong[k]), &s, NULL);
        stage_record(&s, "ticket", NULL);
        EXPECT_DENIED(answer(&s, "secret!!!"), &s, NULL);
        EXPECT_DENIED(answer(&s, ""), &s, NULL);
        stage_fini(&s);
    }
}

TEST(a_plain_ticket_in_every_codec)
{
    each_codec(check_plain);
}

TEST(a_flipped_bit_is_refused)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_NONE, PLAIN);
    for (unsigned bit = 0; bit < 9 * 8; bit++) {
        char ticket[] = "secret!!!";

        ticket[bit / 8] = (char)(ticket[bit / 8] ^ (1 << bit % 8));
        EXPECT_DENIED(answer(&s, ticket), &s, NULL);
    }
    stage_fini(&s);
}

TEST(several_tickets_for_rotation)
{
    struct stage s;

    set_scene(&s, CODEC_MSGPACK, KDF_NONE,
              "{\"authrole\":\"user\",\"ticket\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\","
              "\"h\"]}");
    for (const char *c = "abcdefgh"; *c != '\0'; c++)
        EXPECT_EQ(answer(&s, text("%c", *c)), AUTH_OK);
    EXPECT_DENIED(answer(&s, "i"), &s, NULL);
    EXPECT_DENIED(answer(&s, "ab"), &s, NULL);
    stage_fini(&s);
}

TEST(a_name_is_needed)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_NONE, PLAIN);
    s.request.authid = (struct slice){0};
    EXPECT_REFUSED(stage_begin(&s, "ticket", NULL), &s, WAMP_AUTHENTICATION_FAILED, NULL, "authid");
    stage_fini(&s);
}

TEST(a_ticket_that_is_too_long_costs_nothing)
{
    static char ticket[MAX_TICKET_LEN + 1];
    struct stage s;

    memset(ticket, 'x', sizeof(ticket));
    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, PLAIN);
    EXPECT_EQ(stage_begin(&s, "ticket", NULL), AUTH_CHALLENGE);
    EXPECT_EQ(auth_check(s.x, slice_make(ticket, sizeof(ticket)), (struct slice){0}), AUTH_REFUSED);
    EXPECT_EQ(stage_begin(&s, "ticket", NULL), AUTH_CHALLENGE);
    EXPECT_EQ(auth_check(s.x, slice_make(ticket, sizeof(ticket) - 1), (struct slice){0}),
              AUTH_DERIVE);
    stage_fini(&s);
}

/* ---- hashes ---- */

/* A record as a policy has it, whose hash this test made with the libraries. */
static const char *hashed(const char *ticket, enum kdf_kind kind)
{
    static const char salt[] = "0123456789abcdef"; /* MDEyMzQ1Njc4OWFiY2RlZg== */
    unsigned char key[32];
    const char *hash;

    if (kind == KDF_ARGON2ID) {
        argon2id_hash_raw(2, 128, 2, ticket, strlen(ticket), salt, 16, key, 32);
        hash =
            text("$argon2id$v=19$m=128,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$%.43s", base64_of(key, 32));
    } else {
        PKCS5_PBKDF2_HMAC(ticket, (int)strlen(ticket), (const unsigned char *)salt, 16, 1000,
                          EVP_sha256(), 32, key);
        hash = text("$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$%.43s", base64_of(key, 32));
    }
    return text("{\"authrole\":\"user\",\"ticket_hash\":\"%s\"}", hash);
}

static void check_hashed(enum codec codec)
{
    for (int kind = KDF_PBKDF2; kind <= KDF_ARGON2ID; kind++) {
        struct stage s;

        set_scene(&s, codec, KDF_ARGON2ID, hashed("secret!!!", (enum kdf_kind)kind));
        EXPECT_EQ(answer(&s, "secret!!!"), AUTH_OK);
        EXPECT_DENIED(answer(&s, "secret!!"), &s, NULL);
        EXPECT_DENIED(answer(&s, ""), &s, NULL);
        s.settings.ticket_kdf.kind = KDF_NONE;
        EXPECT_EQ(answer(&s, "secret!!!"), AUTH_OK);
        EXPECT_DENIED(answer(&s, "secret!!"), &s, NULL);
        stage_fini(&s);
    }
}

TEST(a_stored_hash_in_every_codec)
{
    each_codec(check_hashed);
}

TEST(what_passwd_makes_lets_its_user_in)
{
    static const struct kdf kdfs[] = {{KDF_PBKDF2, 1000, 0, 0}, {KDF_ARGON2ID, 1, 64, 1}};

    for (size_t i = 0; i < ARRAY_LEN(kdfs); i++) {
        struct encoder e;
        struct blob *blob;
        struct stage s;

        stage_init(&s, CODEC_JSON);
        encode_start(&e, CODEC_JSON, 0);
        encode_map(&e, COUNT_UNKNOWN);
        EXPECT_EQ(auth_record_make_ticket(&e, SLICE("t\xc3\xa9 \"x\""), &kdfs[i], &s.rng, NULL), 0);
        encode_text(&e, SLICE("authrole"));
        encode_text(&e, SLICE("user"));
        encode_end(&e);
        blob = encode_finish(&e);
        stage_record(&s, "ticket", text("%.*s", SLICE_ARG(blob_slice(blob))));
        blob_drop(blob);
        EXPECT_EQ(answer(&s, "t\xc3\xa9 \"x\""), AUTH_OK);
        EXPECT_DENIED(answer(&s, "te \"x\""), &s, NULL);
        stage_fini(&s);
    }
}

/* ---- the work, and who does it ---- */

static enum auth_step first_step(struct stage *s)
{
    EXPECT_EQ(stage_begin(s, "ticket", NULL), AUTH_CHALLENGE);
    return auth_check(s->x, SLICE("secret!!!"), (struct slice){0});
}

TEST(nobody_costs_what_somebody_costs)
{
    static const char *const records[] = {PLAIN, NULL};
    unsigned char salt[MAX_SALT_LEN];
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, NULL);
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        struct auth_job *job;

        stage_record(&s, "ticket", records[i]);
        EXPECT_EQ(first_step(&s), AUTH_DERIVE);
        job = auth_take_job(s.x);
        EXPECT_EQ(job->kdf.kind, KDF_ARGON2ID);
        EXPECT_EQ(job->kdf.memory, s.settings.ticket_kdf.memory);
        EXPECT_EQ(job->salt_len, 16);
        memcpy(salt, job->salt, 16);
        auth_job_run(job);
        EXPECT_EQ(auth_resume(s.x, job), records[i] != NULL ? AUTH_OK : AUTH_REFUSED);
        EXPECT_EQ(first_step(&s), AUTH_DERIVE);
        job = auth_take_job(s.x);
        EXPECT(memcmp(salt, job->salt, 16) == 0);
        auth_job_free(job);
        /* The exchange still waits for it, and is freed with the session. */
    }
    stage_fini(&s);
}

TEST(a_job_that_did_not_run_is_a_refusal_and_not_a_denial)
{
    struct auth_job *job;
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, hashed("secret!!!", KDF_ARGON2ID));
    EXPECT_EQ(first_step(&s), AUTH_DERIVE);
    job = auth_take_job(s.x);
    EXPECT_REFUSED(auth_resume(s.x, job), &s, WAMP_AUTHENTICATION_FAILED, NULL, "now");
    EXPECT_STR(auth_refusal(s.x)->reason, "the key was not derived");
    stage_fini(&s);
}

TEST(an_authenticate_during_the_job_ends_the_login)
{
    struct auth_job *job;
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, hashed("secret!!!", KDF_ARGON2ID));
    EXPECT_EQ(first_step(&s), AUTH_DERIVE);
    job = auth_take_job(s.x);
    EXPECT_REFUSED(auth_check(s.x, SLICE("secret!!!"), (struct slice){0}), &s,
                   WAMP_PROTOCOL_VIOLATION, NULL, "not expected");
    auth_job_run(job);
    EXPECT(job->is_done);
    EXPECT_EQ(auth_resume(s.x, job), AUTH_REFUSED);
    EXPECT_STR(auth_refusal(s.x)->fault.uri, WAMP_PROTOCOL_VIOLATION);
    stage_fini(&s);
}

TEST(a_session_may_go_before_its_job_is_done)
{
    struct auth_job *job;
    struct stage s;

    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, hashed("secret!!!", KDF_PBKDF2));
    EXPECT_EQ(first_step(&s), AUTH_DERIVE);
    job = auth_take_job(s.x);
    auth_free(s.x);
    s.x = NULL;
    auth_job_run(job);
    EXPECT(job->is_done);
    auth_job_free(job);
    EXPECT_EQ(first_step(&s), AUTH_DERIVE); /* freed with the job still inside */
    stage_fini(&s);
}

TEST(another_job_is_a_mistake_of_ours)
{
    struct stage s;
    struct auth_job *other;

    set_scene(&s, CODEC_JSON, KDF_ARGON2ID, PLAIN);
    other = auth_job_new(&s.settings.ticket_kdf, SLICE("x"), SLICE("12345678"), 16);
    EXPECT_EQ(first_step(&s), AUTH_DERIVE);
    EXPECT_ABORT((void)auth_resume(s.x, other));
    auth_job_free(other);
    stage_fini(&s);
}
