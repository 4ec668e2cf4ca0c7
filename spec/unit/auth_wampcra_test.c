/* auth_wampcra_test.c -- the challenge to the byte, right and wrong signatures, nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#define CHALLENGE                                                             \
    "{\"authid\":\"peter\",\"authrole\":\"user\",\"authmethod\":\"wampcra\"," \
    "\"authprovider\":\"static\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw==\","     \
    "\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"session\":3251278072152162}"
#define PLAIN "{\"authrole\":\"user\",\"secret\":\"secret123\"}"
#define SALTED                                                                            \
    "{\"authrole\":\"user\",\"secret\":\"Eu7CQLfR+/Ffb+275A4s9/6H/RGKYxM4s6IMrsNKzC8=\"," \
    "\"salt\":\"salt123\",\"iterations\":1000,\"keylen\":32}"
#define PLAIN_SIGNATURE  "bQYWc66P7ceeresPymuO+nOPbiji3+lOCoU+DTA9uqE="
#define SALTED_SIGNATURE "KrESlnMJrIlyvcem3yAXPEwfUCHM4r2sIEKSAkrT2yQ="
#define BYTES_SIGNATURE  "XD+WcfbT5Z+IrOSxy++V3wNfl9ycSHb7I8a8Si145Rs="

static void set_scene(struct stage *s, enum codec codec, const char *record)
{
    stage_init(s, codec);
    stage_count_from(s, 0);
    s->request.authid = SLICE("peter");
    stage_record(s, "wampcra", record);
}

static enum auth_step answer(enum codec codec, const char *record, const char *signature)
{
    enum auth_step step;
    struct stage s;

    set_scene(&s, codec, record);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "challenge"), CHALLENGE);
    step = stage_check(&s, signature, "{}");
    if (step == AUTH_REFUSED)
        EXPECT_DENIED(step, &s, NULL);
    stage_fini(&s);
    return step;
}

static void check_vectors(enum codec codec)
{
    EXPECT_EQ(answer(codec, PLAIN, PLAIN_SIGNATURE), AUTH_OK);
    EXPECT_EQ(answer(codec, SALTED, SALTED_SIGNATURE), AUTH_OK);
    EXPECT_EQ(answer(codec, SALTED, BYTES_SIGNATURE), AUTH_REFUSED);
    EXPECT_EQ(answer(codec, SALTED, PLAIN_SIGNATURE), AUTH_REFUSED);
    EXPECT_EQ(answer(codec, PLAIN, SALTED_SIGNATURE), AUTH_REFUSED);
    EXPECT_EQ(answer(codec, NULL, PLAIN_SIGNATURE), AUTH_REFUSED);
}

TEST(the_vectors_in_every_codec)
{
    EXPECT_EQ(strlen(CHALLENGE), 184);
    each_codec(check_vectors);
}

TEST(a_salted_challenge_has_its_three_parameters)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, SALTED);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "salt"), "salt123");
    EXPECT_STR(stage_told(&s, "iterations"), "1000");
    EXPECT_STR(stage_told(&s, "keylen"), "32");
    stage_record(&s, "wampcra", PLAIN);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(stage_said(&s, "salt") == NULL);
    stage_fini(&s);
}

TEST(defaults_when_there_is_only_a_salt)
{
    struct stage s;

    set_scene(&s, CODEC_CBOR,
              "{\"authrole\":\"user\",\"salt\":\"salt123\","
              "\"secret\":\"Eu7CQLfR+/Ffb+275A4s9/6H/RGKYxM4s6IMrsNKzC8=\"}");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "iterations"), "1000");
    EXPECT_STR(stage_told(&s, "keylen"), "32");
    EXPECT_EQ(stage_check(&s, SALTED_SIGNATURE, NULL), AUTH_OK);
    stage_fini(&s);
}

TEST(signatures_of_another_form_are_refused)
{
    static const char *const wrong[] = {
        "",
        "=",
        "bQYWc66P7ceeresPymuO+nOPbiji3+lOCoU+DTA9uqE",
        "bQYWc66P7ceeresPymuO+nOPbiji3+lOCoU+DTA9uqE==",
        "bQYWc66P7ceeresPymuO-nOPbiji3-lOCoU-DTA9uqE=",
        " bQYWc66P7ceeresPymuO+nOPbiji3+lOCoU+DTA9uqE=",
        "bQYWc66P7ceeresPymuO+nOPbiji3+lOCoU+DTA9uqE=\n",
        "6d061673ae8fedc79eadeb0fca6b8efa738f6e28e2dfe94e0a853e0d303dbaa1",
        "secret123",
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT_EQ(answer(CODEC_JSON, PLAIN, wrong[i]), AUTH_REFUSED);
    for (size_t len = 0; len < 44; len++)
        EXPECT_EQ(answer(CODEC_JSON, PLAIN, text("%.*s", (int)len, PLAIN_SIGNATURE)), AUTH_REFUSED);
}

TEST(a_flipped_bit_is_refused)
{
    for (unsigned bit = 0; bit < 44 * 8; bit++) {
        char signature[] = PLAIN_SIGNATURE;

        signature[bit / 8] = (char)(signature[bit / 8] ^ (1 << bit % 8));
        if (signature[bit / 8] != '\0')
            EXPECT_EQ(answer(CODEC_MSGPACK, PLAIN, signature), AUTH_REFUSED);
    }
}

static const char *sign(struct stage *s, const char *secret)
{
    unsigned char mac[32];

    hmac(secret, strlen(secret), stage_told(s, "challenge"), mac);
    return base64_of(mac, sizeof(mac));
}

TEST(a_signature_is_good_for_one_challenge_only)
{
    const char *signature;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    stage_record(&s, "wampcra", PLAIN);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    signature = sign(&s, "secret123");
    EXPECT_EQ(stage_check(&s, signature, NULL), AUTH_OK);
    EXPECT_REFUSED(stage_check(&s, signature, NULL), &s, WAMP_PROTOCOL_VIOLATION, NULL,
                   "not expected");

    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE); /* another nonce */
    EXPECT_DENIED(stage_check(&s, signature, NULL), &s, NULL);
    EXPECT_EQ(stage_check(&s, signature, NULL), AUTH_REFUSED); /* one try */

    stage_count_from(&s, 0); /* the same nonce, another session */
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    signature = sign(&s, "secret123");
    s.request.session++;
    stage_count_from(&s, 0);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_DENIED(stage_check(&s, signature, NULL), &s, NULL);
    stage_fini(&s);
}

TEST(names_that_need_escapes_are_signed_as_they_were_sent)
{
    struct stage s;

    stage_init(&s, CODEC_MSGPACK);
    s.request.authid = SLICE("j\"o\\e\n\xc3\xa9");
    stage_record(&s, "wampcra", PLAIN);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(strstr(stage_told(&s, "challenge"), "\"j\\\"o\\\\e\\n\xc3\xa9\"") != NULL);
    EXPECT_EQ(stage_check(&s, sign(&s, "secret123"), NULL), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, s.request.authid);
    stage_fini(&s);
}

TEST(nobody_looks_like_somebody)
{
    const char *salt;
    struct stage s;

    set_scene(&s, CODEC_JSON, NULL);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    salt = stage_told(&s, "salt");
    EXPECT(salt != NULL && strlen(salt) == 24);
    EXPECT_STR(stage_told(&s, "iterations"), "1000");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "salt"), salt); /* at every try */
    s.request.authid = SLICE("paul");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(strcmp(stage_told(&s, "salt"), salt) != 0);
    s.request.authid = SLICE("peter");
    s.request.realm = SLICE("realm2");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(strcmp(stage_told(&s, "salt"), salt) != 0);
    s.request.realm = SLICE("realm1p"); /* the border between the two counts */
    s.request.authid = SLICE("eter");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(strcmp(stage_told(&s, "salt"), salt) != 0);
    s.settings.cra_iterations = 0; /* where secrets are stored unsalted */
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(stage_said(&s, "salt") == NULL);
    stage_fini(&s);
}

/* How a challenge looks, but for what is different at every try. */
static const char *look(struct stage *s, const char *authid)
{
    const char *challenge, *end;

    s->request.authid = slice_of(authid);
    EXPECT_EQ(stage_begin(s, "wampcra", NULL), AUTH_CHALLENGE);
    challenge = stage_told(s, "challenge");
    end = strstr(challenge, ",\"nonce\"");
    challenge = strstr(challenge, "\"authrole\"");
    EXPECT(challenge != NULL && end != NULL);
    return text("%.*s %s/%s/%s", (int)(end - challenge), challenge,
                stage_said(s, "salt") == NULL ? "plain" : "salted",
                stage_said(s, "iterations") == NULL ? "" : stage_said(s, "iterations"),
                stage_said(s, "keylen") == NULL ? "" : stage_said(s, "keylen"));
}

static unsigned which(const char *one, const char *const three[3])
{
    unsigned i = 0;

    while (i < 3 && strcmp(one, three[i]) != 0)
        i++;
    return i;
}

static void learn(struct stage *s, struct auth_looks *looks, const char *record)
{
    stage_record(s, "wampcra", record);
    auth_looks_learn(looks, s->record);
    stage_record(s, "wampcra", NULL);
}

TEST(nobody_has_role_and_salt_of_somebody)
{
    static const char *const records[] = {
        "{\"authrole\":\"member\",\"authprovider\":\"book\",\"secret\":\"x\"}",
        "{\"authrole\":\"admin\",\"secret\":\"x\"}",
        "{\"authrole\":\"member\",\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhM=\",\"salt\":"
        "\"AAECAwQFBgc=\","
        "\"iterations\":5000,\"keylen\":20}",
    };
    static const char *const looks_like[] = {
        "\"authrole\":\"member\",\"authmethod\":\"wampcra\",\"authprovider\":\"book\" plain//",
        "\"authrole\":\"admin\",\"authmethod\":\"wampcra\",\"authprovider\":\"static\" plain//",
        ("\"authrole\":\"member\",\"authmethod\":\"wampcra\",\"authprovider\":\"static\" "
         "salted/5000/20"),
    };
    static struct auth_looks looks, others;
    unsigned before[64], seen[3] = {0}, changed = 0;
    struct stage s;

    set_scene(&s, CODEC_JSON, NULL);
    s.settings.looks = &looks;
    learn(&s, &looks, records[0]);
    EXPECT_STR(look(&s, "nobody"), looks_like[0]);
    learn(&s, &looks, records[1]);
    for (unsigned i = 0; i < 64; i++)
        before[i] = which(look(&s, text("nobody%u", i)), looks_like);
    learn(&s, &looks, records[2]);
    for (unsigned i = 0; i < 64; i++) {
        unsigned after = which(look(&s, text("nobody%u", i)), looks_like);

        EXPECT(after < 3 && (after == before[i] || after == 2));
        changed += after != before[i];
        seen[after % 3]++;
    }
    EXPECT(seen[0] > 8 && seen[1] > 8 && seen[2] > 8);
    EXPECT_EQ(changed, seen[2]);

    /* whoever logs in then, and in whichever order they come after a restart */
    for (unsigned i = 3; i > 0; i--) {
        learn(&s, &looks, records[i - 1]);
        learn(&s, &others, records[i - 1]);
    }
    for (unsigned i = 0; i < 64; i++) {
        const char *after;

        s.settings.looks = &looks;
        after = look(&s, text("nobody%u", i));
        s.settings.looks = &others;
        EXPECT_STR(look(&s, text("nobody%u", i)), after);
    }
    stage_fini(&s);
}

TEST(nobody_has_a_salt_of_base64_when_somebody_has_another_one)
{
    static struct auth_looks looks;
    struct stage s;

    set_scene(&s, CODEC_JSON, NULL);
    s.settings.looks = &looks;
    learn(&s, &looks, SALTED); /* "salt123" */
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_EQ(strlen(stage_told(&s, "salt")), 24);
    EXPECT_STR(stage_told(&s, "iterations"), "1000");
    stage_fini(&s);
}

TEST(the_first_looks_stay)
{
    static struct auth_looks looks;
    struct stage s;

    set_scene(&s, CODEC_JSON, NULL);
    s.settings.looks = &looks;
    learn(&s, &looks, text("{\"authrole\":\"%064d\",\"secret\":\"x\"}", 1));
    EXPECT_EQ(looks.count, 0);
    for (int i = 0; i < 2 * MAX_LOOKS; i++)
        learn(&s, &looks, text("{\"authrole\":\"role%d\",\"secret\":\"x\"}", i));
    EXPECT_EQ(looks.count, MAX_LOOKS);
    stage_record(&s, "ticket", "{\"authrole\":\"user\",\"ticket\":\"x\"}");
    auth_looks_learn(&looks, s.record);
    EXPECT_EQ(looks.count, MAX_LOOKS + 1);
    stage_fini(&s);
}

TEST(nobody_is_told_nothing_else_unless_asked_to)
{
    struct stage s;
    char somebody[200], nobody[200];

    set_scene(&s, CODEC_JSON, PLAIN);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_DENIED(stage_check(&s, "x", NULL), &s, NULL);
    snprintf(somebody, sizeof(somebody), "%s", auth_refusal(s.x)->fault.words);
    EXPECT_STR(auth_refusal(s.x)->reason, "wrong signature");
    stage_record(&s, "wampcra", NULL);
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_DENIED(stage_check(&s, "x", NULL), &s, NULL);
    snprintf(nobody, sizeof(nobody), "%s", auth_refusal(s.x)->fault.words);
    EXPECT_STR(auth_refusal(s.x)->reason, "there is no such principal");
    EXPECT_STR(nobody, somebody);

    s.settings.reveal_principal = true;
    EXPECT_REFUSED(stage_begin(&s, "wampcra", NULL), &s, WAMP_NO_SUCH_PRINCIPAL, NULL, "no such");
    stage_fini(&s);
}

TEST(a_name_is_needed_and_bounded)
{
    static char longest[MAX_AUTHID_LEN + 1];
    struct stage s;

    memset(longest, 'x', sizeof(longest));
    set_scene(&s, CODEC_JSON, PLAIN);
    s.request.authid = (struct slice){0};
    EXPECT_REFUSED(stage_begin(&s, "wampcra", NULL), &s, WAMP_AUTHENTICATION_FAILED, NULL,
                   "authid");
    EXPECT_EQ(stage_check(&s, PLAIN_SIGNATURE, NULL), AUTH_REFUSED);
    s.request.authid = slice_make(longest, sizeof(longest));
    EXPECT_REFUSED(stage_begin(&s, "wampcra", NULL), &s, WAMP_AUTHENTICATION_FAILED, NULL,
                   "authid");
    s.request.authid.len--;
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    stage_fini(&s);
}

TEST(who_it_is_comes_from_the_record)
{
    struct auth_identity identity;
    struct stage s;

    stage_init(&s, CODEC_CBOR);
    stage_record(&s, "wampcra",
                 "{\"authrole\":\"admin\",\"authid\":\"Peter\",\"authprovider\":\"db\","
                 "\"secret\":\"secret123\",\"extra\":{\"a\":[1,2.5]},\"expires\":1767323046}");
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT(strstr(stage_told(&s, "challenge"), "\"authid\":\"joe\",\"authrole\":\"admin\"") !=
           NULL);
    EXPECT(strstr(stage_told(&s, "challenge"), "\"authprovider\":\"db\"") != NULL);
    EXPECT_EQ(stage_check(&s, sign(&s, "secret123"), NULL), AUTH_OK);
    identity = auth_identity(s.x);
    EXPECT_SLICE(identity.authid, SLICE("Peter"));
    EXPECT_SLICE(identity.method, SLICE("wampcra"));
    EXPECT_SLICE(identity.record->authrole, SLICE("admin"));
    EXPECT_STR(stage_welcome(&s), "{\"a\":[1,2.5]}");

    s.request.now_ms = 1767323046000; /* the second at which it expires */
    EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
    EXPECT_DENIED(stage_check(&s, sign(&s, "secret123"), NULL), &s, NULL);
    EXPECT_STR(auth_refusal(s.x)->reason, "the record has expired");
    stage_fini(&s);
}

TEST(foreign_challenges_that_others_have_published)
{
    const char *challenge =
        "{ \"nonce\":\"LHRTC9zeOIrt_9U3\", \"authprovider\":\"userdb\", \"authid\":\"peter\", "
        "\"timestamp\":\"2014-06-22T16:36:25.448Z\", \"authrole\":\"user\", "
        "\"authmethod\":\"wampcra\", \"session\":3251278072152162 }";
    unsigned char mac[32], key[32];
    const char *secret;

    digest_hmac(SLICE("secret"), slice_of(challenge), mac);
    EXPECT_STR(base64_of(mac, 32), "NWktSrMd4ItBSAKYEwvu1bTY7G/sSyjKbz+pNP9c04A=");
    PKCS5_PBKDF2_HMAC("password", 8, (const unsigned char *)"salt123", 7, 1000, EVP_sha256(), 32,
                      key);
    secret = base64_of(key, 32);
    digest_hmac(slice_of(secret), slice_of(challenge), mac);
    EXPECT_STR(base64_of(mac, 32), "hk/2riA2JqydfL5wLoicrYfAt8uNeP6nikk9kqDhsnM=");
}

/* What is stored of a salted secret is the text of these octets; a client that signs with the octets
 * themselves is refused, above. */
TEST(the_key_of_the_salted_vector)
{
    unsigned char key[32], mac[32];
    const char *secret;

    PKCS5_PBKDF2_HMAC("secret123", 9, (const unsigned char *)"salt123", 7, 1000, EVP_sha256(), 32,
                      key);
    EXPECT_STR(hex_of(key, 32), "12eec240b7d1fbf15f6fedbbe40e2cf7fe87fd118a631338b3a20caec34acc2f");
    secret = base64_of(key, 32);
    EXPECT(strstr(SALTED, secret) != NULL);
    digest_hmac(slice_of(secret), SLICE(CHALLENGE), mac);
    EXPECT_STR(base64_of(mac, 32), SALTED_SIGNATURE);
    digest_hmac(slice_make((char *)key, 32), SLICE(CHALLENGE), mac);
    EXPECT_STR(base64_of(mac, 32), BYTES_SIGNATURE);
}

TEST(what_passwd_makes_lets_its_user_in)
{
    for (uint32_t iterations = 0; iterations <= 2000; iterations += 1000) {
        unsigned char key[32];
        struct encoder e;
        struct blob *blob;
        const char *secret = "pass word";
        struct stage s;

        stage_init(&s, CODEC_JSON);
        encode_start(&e, CODEC_JSON, 0);
        encode_map(&e, COUNT_UNKNOWN);
        EXPECT_EQ(auth_record_make_wampcra(&e, slice_of(secret), iterations, &s.rng, NULL), 0);
        encode_text(&e, SLICE("authrole"));
        encode_text(&e, SLICE("user"));
        encode_end(&e);
        blob = encode_finish(&e);
        stage_record(&s, "wampcra", text("%.*s", SLICE_ARG(blob_slice(blob))));
        blob_drop(blob);
        EXPECT_EQ(stage_begin(&s, "wampcra", NULL), AUTH_CHALLENGE);
        if (iterations != 0) {
            const char *salt = stage_told(&s, "salt");

            PKCS5_PBKDF2_HMAC("pass word", 9, (const unsigned char *)salt, (int)strlen(salt),
                              (int)iterations, EVP_sha256(), 32, key);
            secret = base64_of(key, 32);
        }
        EXPECT_EQ(stage_check(&s, sign(&s, secret), NULL), AUTH_OK);
        stage_fini(&s);
    }
}
