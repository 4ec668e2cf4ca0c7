/* auth_scram_test.c -- both flavours: vectors, what Extra may say, wrong proofs, nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#define NONCE    "AAECAwQFBgcICQoLDA0ODw=="
#define COMBINED NONCE "EBESExQVFhcYGRobHB0eHw=="
#define TOGETHER "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SALT     "oKGio6SlpqeoqaqrrK2urw=="
#define HELLO    "{\"nonce\":\"" NONCE "\"}"

#define PBKDF2_KEYS                                                                        \
    "\"stored_key\":\"80fcd59c9e62104bb296d59eeb6a9b519343163fdbee425e57b8a877deacaaaf\"," \
    "\"server_key\":\"624c2b218bb84781d4c0dbb81608f09c34333ebc8905388073f153cba57ee4d0\""
#define PBKDF2                                                   \
    "{\"authrole\":\"user\",\"kdf\":\"pbkdf2\",\"salt\":\"" SALT \
    "\",\"iterations\":4096," PBKDF2_KEYS "}"
#define ARGON2_KEYS                                                                        \
    "\"stored_key\":\"7bd58845509a77ff2f99e7b867ac29f5a31654337e7fc37234eeb210c093aab2\"," \
    "\"server_key\":\"72e23ac0f719bea649a8ff5e850401bb516e75cac666fe79a847970799585613\""
#define COMPAT_STORED "4e6eea55e0b5b88c56ec8b0842ded1996c39cb8352e851391200a93fd09f553c"
#define COMPAT_SERVER "71abdf167bc4676899be3d1ca08c0ea8f76d67a73b4c48b2264cf8416c201e17"
#define ARGON2_WITH(name, keys)                                                           \
    "{\"authrole\":\"user\",\"kdf\":\"" name "\",\"salt\":\"" SALT "\",\"iterations\":4," \
    "\"memory\":512," keys "}"
#define ARGON2 ARGON2_WITH("argon2id13", ARGON2_KEYS)
#define COMPAT                 \
    ARGON2_WITH("argon2id-13", \
                "\"stored_key\":\"" COMPAT_STORED "\",\"server_key\":\"" COMPAT_SERVER "\"")
#define BOTH                                                                        \
    ARGON2_WITH("argon2id13", ARGON2_KEYS ",\"compat_stored_key\":\"" COMPAT_STORED \
                                          "\",\"compat_server_key\":\"" COMPAT_SERVER "\"")

static const char pbkdf2_proof[] = "JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0HI=";
static const char argon2_proof[] = "8sYAq/su3TBtvfAnDUXlOs1nr+5uIHQ2Ec/i7yjTBtE=";

static const struct vector {
    const char *name, *method, *record, *authid, *binding, *proof, *verifier;
} vectors[] = {
    {"pbkdf2", "wamp-scram", PBKDF2, "joe", NULL, pbkdf2_proof,
     "tNnt+xI2pc5uuNgFGQldK9Um9G+EddaDUrCsk7mgMSQ="},
    {"argon2id13", "wamp-scram", ARGON2, "joe", NULL, argon2_proof,
     "oaQjcHpdXZGex5hQ+ORu/CHNjNTVHWGvaO6wMs5D7HA="},
    {"escapes", "wamp-scram", PBKDF2, "jo,e=x", NULL,
     "c+8t8YrcZhMEywXyS09KzxJihk1Z6qUPunFag1LbF/I=",
     "qvgBkN4yg5OtH/1B2o9NEQ6EQ70+9c/CNkI8JQmfJ00="},
    {"tls-unique", "wamp-scram", ARGON2, "joe", "tls-unique",
     "3QDrapeyxgQ9pVDqxEJSvr6OVqfD9vH/rnlLjZaUSI8=",
     "sdKe+BKtBhA5wJ/uW9Jop1PUT+bQTzJ1J69pX202kBs="},
    {"tls-server-end-point", "wamp-scram", ARGON2, "joe", "tls-server-end-point",
     "wh7m1wPqa8jH0mGc8psb3miWKxfOO5ml3HOJCTfAvwU=",
     "f/hBkb+tQ8VyakXhITuxMfWA+NVQpgHuuxfJDlzdRJc="},
    {"tls-exporter", "wamp-scram", ARGON2, "joe", "tls-exporter",
     "dVDMf5L524wQCyIk/OPqf1HjT8GyzFHadyqa5A4romg=",
     "+N5DKPqyaslY4DRSdwXmA4APj0ByzUQTnapItDhWrP4="},
    {"compat argon2", "scram", COMPAT, "joe", NULL, "0TECGVGgGo5bzIuPmk2bQs7nfWcWfb+pbtMLedoIzSU=",
     "wclR7aFi05WI9xKCS0FFSiwXx8OgqZBD4lza8vwbtTg="},
    {"compat pbkdf2", "scram", PBKDF2, "joe", NULL, "5AoaeBSrLKmRbXQYYIDKzl98tPB08iVErfGOK8lplN0=",
     "ly23lUDlx4sxN+wmg+1oN1vVYr8ILvAKO1Hcu9lF1I8="},
    {"both, wamp-scram", "wamp-scram", BOTH, "joe", NULL, argon2_proof,
     "oaQjcHpdXZGex5hQ+ORu/CHNjNTVHWGvaO6wMs5D7HA="},
    {"both, scram", "scram", BOTH, "joe", NULL, "0TECGVGgGo5bzIuPmk2bQs7nfWcWfb+pbtMLedoIzSU=",
     "wclR7aFi05WI9xKCS0FFSiwXx8OgqZBD4lza8vwbtTg="},
};

/* What the connection of the vectors is bound to. */
static unsigned char finished[12], end_point[32], exporter[32];

static void set_scene(struct stage *s, enum codec codec, const char *method, const char *record)
{
    unhex_into("0102030405060708090a0b0c", finished, sizeof(finished));
    EVP_Digest("example certificate DER", 23, end_point, NULL, EVP_sha256(), NULL);
    for (unsigned i = 0; i < sizeof(exporter); i++)
        exporter[i] = (unsigned char)(0x40 + i);
    stage_init(s, codec);
    stage_count_from(s, 0x10);
    s->bindings = (struct auth_bindings){
        .tls_unique = slice_make(finished, sizeof(finished)),
        .tls_server_end_point = slice_make(end_point, sizeof(end_point)),
        .tls_exporter = slice_make(exporter, sizeof(exporter)),
    };
    s->request.bindings = &s->bindings;
    stage_record(s, method, record);
}

static const char *hello_with(const char *binding)
{
    if (binding == NULL)
        return HELLO;
    return text("{\"nonce\":\"" NONCE "\",\"channel_binding\":\"%s\"}", binding);
}

static const char *binding_data(const char *binding)
{
    if (strcmp(binding, "tls-unique") == 0)
        return base64_of(finished, sizeof(finished));
    if (strcmp(binding, "tls-exporter") == 0)
        return base64_of(exporter, sizeof(exporter));
    return base64_of(end_point, sizeof(end_point));
}

/* The Extra that a client which says everything sends. */
static const char *full_extra(const struct vector *v)
{
    const char *nonce = strcmp(v->method, "scram") == 0 ? TOGETHER : COMBINED;

    if (v->binding == NULL)
        return text("{\"nonce\":\"%s\",\"channel_binding\":null,\"cbind_data\":null}", nonce);
    return text("{\"nonce\":\"%s\",\"channel_binding\":\"%s\",\"cbind_data\":\"%s\"}", nonce,
                v->binding, binding_data(v->binding));
}

static void run_vector(const struct vector *v, enum codec codec)
{
    bool is_compat = strcmp(v->method, "scram") == 0;
    struct stage s;

    set_scene(&s, codec, v->method, v->record);
    s.request.authid = slice_of(v->authid);
    EXPECT_EQ(stage_begin(&s, v->method, hello_with(v->binding)), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "nonce"), is_compat ? TOGETHER : COMBINED);
    EXPECT_STR(stage_told(&s, "salt"), SALT);
    EXPECT_EQ(stage_check(&s, v->proof, full_extra(v)), AUTH_OK);
    if (is_compat)
        EXPECT_STR(stage_welcome(&s), text("{\"scram_server_signature\":\"%s\"}", v->verifier));
    else
        EXPECT_STR(stage_welcome(&s),
                   text("{\"verifier\":\"%s\",\"scram_server_signature\":\"%s\"}", v->verifier,
                        v->verifier));
    EXPECT_SLICE(auth_identity(s.x).authid, slice_of(v->authid));

    EXPECT_EQ(stage_begin(&s, v->method, hello_with(v->binding)), AUTH_CHALLENGE);
    EXPECT_EQ(stage_check(&s, v->proof, NULL), AUTH_OK); /* an empty Extra */
    stage_fini(&s);
}

/* The proof of each vector opens no other door. */
static void run_strangers(const struct vector *v)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct stage s;

        if (strcmp(vectors[i].proof, v->proof) == 0)
            continue;
        set_scene(&s, CODEC_JSON, v->method, v->record);
        s.request.authid = slice_of(v->authid);
        EXPECT_EQ(stage_begin(&s, v->method, hello_with(v->binding)), AUTH_CHALLENGE);
        EXPECT_DENIED(stage_check(&s, vectors[i].proof, NULL), &s, "invalid-proof");
        stage_fini(&s);
    }
}

TEST(the_vectors_in_every_codec)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        unsigned before = unit_failures;

        for (int codec = 0; codec < CODEC_COUNT; codec++)
            run_vector(&vectors[i], (enum codec)codec);
        run_strangers(&vectors[i]);
        if (unit_failures != before)
            printf("in vector %s\n", vectors[i].name);
    }
}

/* ---- what the vectors are made of ---- */

static const struct column {
    const char *salted, *client_key, *stored_key, *server_key, *signature, *proof, *verifier;
    const char *iterations;
} columns[] = {
    {"2070b9a0996313b9f4f0120aaefffcf2d9645bbfbfe7aa7d80f59b137520e5c3",
     "194b02f5fc3e7546ab4d333aca59f281b993b963ca5946820f0d4c823be5cead",
     "80fcd59c9e62104bb296d59eeb6a9b519343163fdbee425e57b8a877deacaaaf",
     "624c2b218bb84781d4c0dbb81608f09c34333ebc8905388073f153cba57ee4d0",
     "3ff89f76f90aa69e22d3727dafb83c81d7458c4c44099793b67b9a24f8741edf", pbkdf2_proof,
     "tNnt+xI2pc5uuNgFGQldK9Um9G+EddaDUrCsk7mgMSQ=", "4096"},
    {"68bb7589371e05d0d7cdb299be5899228f73ceefdada7dc25e82c2e8e56c54ca",
     "bd6b1d656f9fd163c05af2e0efde6a9eb222abcf5e1ae67389550cfb9c59ded9",
     "7bd58845509a77ff2f99e7b867ac29f5a31654337e7fc37234eeb210c093aab2",
     "72e23ac0f719bea649a8ff5e850401bb516e75cac666fe79a847970799585613",
     "4fad1dce94b10c53ade702c7e29b8fa47f450421303a9245989aee14b48ad808", argon2_proof,
     "oaQjcHpdXZGex5hQ+ORu/CHNjNTVHWGvaO6wMs5D7HA=", "4"},
};

/* HMAC under a key in hex, as hex. */
static const char *hmac_hex(const char *key, const char *words)
{
    unsigned char bytes[32], out[32];

    unhex_into(key, bytes, sizeof(bytes));
    digest_hmac(slice_make((char *)bytes, sizeof(bytes)), slice_of(words), out);
    return hex_of(out, sizeof(out));
}

static void check_column(const struct column *c)
{
    const char *words =
        text("n=joe,r=" NONCE ",r=" COMBINED ",s=" SALT ",i=%s,c=biws,r=" COMBINED, c->iterations);
    unsigned char key[32], signature[32], proof[32], hash[32];

    EXPECT_STR(hmac_hex(c->salted, "Client Key"), c->client_key);
    EXPECT_STR(hmac_hex(c->salted, "Server Key"), c->server_key);
    EXPECT_STR(hmac_hex(c->stored_key, words), c->signature);
    unhex_into(c->client_key, key, sizeof(key));
    unhex_into(c->signature, signature, sizeof(signature));
    for (size_t i = 0; i < sizeof(proof); i++)
        proof[i] = key[i] ^ signature[i];
    EXPECT_STR(base64_of(proof, sizeof(proof)), c->proof);
    digest_sha256(slice_make((char *)key, sizeof(key)), hash);
    EXPECT_STR(hex_of(hash, sizeof(hash)), c->stored_key);
    unhex_into(hmac_hex(c->server_key, words), hash, sizeof(hash));
    EXPECT_STR(base64_of(hash, sizeof(hash)), c->verifier);
}

/* Attribute c= of the message that is signed. */
static const char *bound_words(const char *binding, const unsigned char *data, size_t len)
{
    char all[64];
    size_t head = (size_t)snprintf(all, sizeof(all), "p=%s,,", binding);

    memcpy(all + head, data, len);
    return base64_of(all, head + len);
}

/* What clients compute on their way to the proofs above, and what they say of a binding. */
TEST(the_steps_of_the_vectors)
{
    unsigned char salted[32];
    struct stage s;

    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        check_column(&columns[i]);
    PKCS5_PBKDF2_HMAC("pencil", 6,
                      (const unsigned char *)"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8"
                                             "\xa9\xaa\xab\xac\xad\xae\xaf",
                      16, 4096, EVP_sha256(), 32, salted);
    EXPECT_STR(hex_of(salted, 32), columns[0].salted);
    unhex_into(columns[1].salted, salted, 32);
    EXPECT_STR(text("%.43s", base64_of(salted, 32)), "aLt1iTceBdDXzbKZvliZIo9zzu/a2n3CXoLC6OVsVMo");
    set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
    EXPECT_STR(bound_words("tls-unique", finished, sizeof(finished)),
               "cD10bHMtdW5pcXVlLCwBAgMEBQYHCAkKCww=");
    EXPECT_STR(bound_words("tls-server-end-point", end_point, sizeof(end_point)),
               "cD10bHMtc2VydmVyLWVuZC1wb2ludCwsmiZk9QnJHL3oA1UF7zgrm1WHBkN4wVHwe6ELMzkGAhA=");
    EXPECT_STR(bound_words("tls-exporter", exporter, sizeof(exporter)),
               "cD10bHMtZXhwb3J0ZXIsLEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f");
    EXPECT_STR(binding_data("tls-unique"), "AQIDBAUGBwgJCgsM");
    EXPECT_STR(binding_data("tls-server-end-point"),
               "miZk9QnJHL3oA1UF7zgrm1WHBkN4wVHwe6ELMzkGAhA=");
    EXPECT_STR(binding_data("tls-exporter"), "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=");
    stage_fini(&s);
}

static const char *challenge_of(const char *method, const char *record)
{
    const char *json;
    struct stage s;

    set_scene(&s, CODEC_JSON, method, record);
    EXPECT_EQ(stage_begin(&s, method, HELLO), AUTH_CHALLENGE);
    json = stage_json(s.codec, auth_challenge(s.x));
    stage_fini(&s);
    return json;
}

TEST(the_challenge_says_how_to_derive)
{
    EXPECT_STR(challenge_of("wamp-scram", PBKDF2),
               "{\"nonce\":\"" COMBINED "\",\"salt\":\"" SALT
               "\",\"kdf\":\"pbkdf2\",\"iterations\":4096,\"memory\":null}");
    EXPECT_STR(challenge_of("wamp-scram", ARGON2),
               "{\"nonce\":\"" COMBINED "\",\"salt\":\"" SALT
               "\",\"kdf\":\"argon2id13\",\"iterations\":4,\"memory\":512}");
    EXPECT_STR(challenge_of("scram", PBKDF2), "{\"nonce\":\"" TOGETHER "\",\"salt\":\"" SALT
                                              "\",\"kdf\":\"pbkdf2\",\"iterations\":4096}");
    EXPECT_STR(challenge_of("scram", COMPAT),
               "{\"nonce\":\"" TOGETHER "\",\"salt\":\"" SALT
               "\",\"kdf\":\"argon2id-13\",\"iterations\":4,\"memory\":512}");
}

/* ---- HELLO ---- */

static void check_bad_hello(enum codec codec)
{
    static const struct {
        const char *extra, *scram, *words;
    } cases[] = {
        {NULL, NULL, "authextra.nonce"},
        {"{}", NULL, "authextra.nonce"},
        {"{\"nonce\":null}", NULL, "authextra.nonce"},
        {"{\"Nonce\":\"" NONCE "\"}", NULL, "authextra.nonce"},
        {"{\"nonce\":\"\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":7}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":[\"" NONCE "\"]}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":{}}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"\\u0000AAECAwQFBgcICQoLDA0ODw==\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"AAECAwQFBgcICQoLDA0ODx==\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"AAECAwQFBg==\"}", "invalid-encoding", "authextra.nonce"}, /* 7 octets */
        {"{\"nonce\":\"not base64!\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"" NONCE ",r=x\"}", "invalid-encoding", "authextra.nonce"},
        {"{\"nonce\":\"" NONCE "\",\"channel_binding\":1}", "invalid-encoding", "channel_binding"},
        {"{\"nonce\":\"" NONCE "\",\"channel_binding\":\"\"}", "unsupported-channel-binding-type",
         "channel_binding"},
        {"{\"nonce\":\"" NONCE "\",\"channel_binding\":\"tls-other\"}",
         "unsupported-channel-binding-type", "channel_binding"},
        {"{\"nonce\":\"" NONCE "\",\"channel_binding\":\"tls-unique \"}",
         "unsupported-channel-binding-type", "channel_binding"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stage s;

        set_scene(&s, codec, "wamp-scram", PBKDF2);
        EXPECT_REFUSED(stage_begin(&s, "wamp-scram", cases[i].extra), &s,
                       WAMP_AUTHENTICATION_FAILED, cases[i].scram, cases[i].words);
        stage_record(&s, "wamp-scram", NULL); /* the same to nobody */
        EXPECT_REFUSED(stage_begin(&s, "wamp-scram", cases[i].extra), &s,
                       WAMP_AUTHENTICATION_FAILED, cases[i].scram, cases[i].words);
        stage_fini(&s);
    }
}

TEST(a_hello_that_lacks_or_garbles_something)
{
    each_codec(check_bad_hello);
}

TEST(the_length_of_a_nonce_is_bounded)
{
    char nonce[MAX_NONCE_LEN + 5];
    struct stage s;

    memset(nonce, 'A', sizeof(nonce));
    set_scene(&s, CODEC_JSON, "scram", PBKDF2);
    EXPECT_EQ(stage_begin(&s, "scram", text("{\"nonce\":\"%.*s\"}", MAX_NONCE_LEN, nonce)),
              AUTH_CHALLENGE);
    EXPECT_EQ(strlen(stage_told(&s, "nonce")), base64_encoded_len(MAX_NONCE_LEN / 4 * 3 + 16));
    EXPECT_REFUSED(stage_begin(&s, "scram", text("{\"nonce\":\"%.*s\"}", MAX_NONCE_LEN + 4, nonce)),
                   &s, WAMP_AUTHENTICATION_FAILED, "invalid-encoding", "authextra.nonce");
    stage_fini(&s);
}

TEST(a_name_is_needed)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
    s.request.authid = (struct slice){0};
    EXPECT_REFUSED(stage_begin(&s, "wamp-scram", HELLO), &s, WAMP_AUTHENTICATION_FAILED, NULL,
                   "authid");
    stage_fini(&s);
}

TEST(bindings_need_the_connection_for_them)
{
    static const char *const kinds[] = {"tls-unique", "tls-server-end-point", "tls-exporter"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct stage s;

        set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
        EXPECT_EQ(stage_begin(&s, "wamp-scram", hello_with(kinds[i])), AUTH_CHALLENGE);
        s.bindings = (struct auth_bindings){0};
        EXPECT_REFUSED(stage_begin(&s, "wamp-scram", hello_with(kinds[i])), &s,
                       WAMP_AUTHENTICATION_FAILED, "unsupported-channel-binding-type", "binding");
        s.request.bindings = NULL; /* no TLS */
        EXPECT_REFUSED(stage_begin(&s, "wamp-scram", hello_with(kinds[i])), &s,
                       WAMP_AUTHENTICATION_FAILED, "unsupported-channel-binding-type", "binding");
        /* The deployed flavour has no bindings, and does not mind. */
        EXPECT_EQ(stage_begin(&s, "scram", hello_with(kinds[i])), AUTH_CHALLENGE);
        stage_fini(&s);
    }
}

TEST(tls_unique_is_not_for_tls_13)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
    s.bindings.is_tls13 = true;
    s.settings.tls_unique_tls13 = true; /* a setting of cryptosign */
    EXPECT_REFUSED(stage_begin(&s, "wamp-scram", hello_with("tls-unique")), &s,
                   WAMP_AUTHENTICATION_FAILED, "unsupported-channel-binding-type", "binding");
    EXPECT_EQ(stage_begin(&s, "wamp-scram", hello_with("tls-exporter")), AUTH_CHALLENGE);
    stage_fini(&s);
}

/* ---- AUTHENTICATE ---- */

static enum auth_step answer(struct stage *s, const char *binding, const char *proof,
                             const char *extra)
{
    EXPECT_EQ(stage_begin(s, "wamp-scram", hello_with(binding)), AUTH_CHALLENGE);
    return stage_check(s, proof, extra);
}

static void check_contradictions(enum codec codec)
{
    static const struct {
        const char *extra, *scram;
    } cases[] = {
        {"{\"nonce\":\"\"}", "other-error"},
        {"{\"nonce\":\"" NONCE "\"}", "other-error"},
        {"{\"nonce\":\"" COMBINED "x\"}", "other-error"},
        {"{\"nonce\":\"" TOGETHER "\"}", "other-error"},
        {"{\"nonce\":5}", "other-error"},
        {"{\"nonce\":[]}", "other-error"},
        {"{\"channel_binding\":\"tls-unique\"}", "channel-bindings-dont-match"},
        {"{\"channel_binding\":\"\"}", "channel-bindings-dont-match"},
        {"{\"channel_binding\":false}", "channel-bindings-dont-match"},
        {"{\"cbind_data\":\"AQIDBAUGBwgJCgsM\"}", "channel-bindings-dont-match"},
        {"{\"cbind_data\":\"\"}", "channel-bindings-dont-match"},
        {"{\"cbind_data\":7}", "channel-bindings-dont-match"},
    };
    struct stage s;

    set_scene(&s, codec, "wamp-scram", PBKDF2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_DENIED(answer(&s, NULL, pbkdf2_proof, cases[i].extra), &s, cases[i].scram);
    EXPECT_EQ(answer(&s, NULL, pbkdf2_proof, "{\"nonce\":null,\"more\":[1]}"), AUTH_OK);
    stage_fini(&s);
}

TEST(an_extra_that_contradicts_the_challenge)
{
    each_codec(check_contradictions);
}

TEST(an_extra_that_contradicts_the_binding)
{
    static const char *const wrong[] = {
        "{\"channel_binding\":null}",
        "{\"channel_binding\":\"tls-exporter\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":\"AQIDBAUGBwgJCgsN\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":\"AQIDBAUGBwgJCgs=\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":\"AQIDBAUGBwgJCgsMDQ==\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":\"\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":\"&\"}",
        "{\"channel_binding\":\"tls-unique\",\"cbind_data\":[1]}",
    };
    const struct vector *v = &vectors[3];
    struct stage s;

    set_scene(&s, CODEC_CBOR, "wamp-scram", v->record);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT_DENIED(answer(&s, v->binding, v->proof, wrong[i]), &s,
                      "channel-bindings-dont-match");
    EXPECT_EQ(answer(&s, v->binding, v->proof, "{\"channel_binding\":\"tls-unique\"}"), AUTH_OK);
    finished[0] ^= 1; /* another connection: somebody sits between */
    EXPECT_DENIED(answer(&s, v->binding, v->proof, NULL), &s, "invalid-proof");
    stage_fini(&s);
}

TEST(proofs_of_another_form_are_refused)
{
    static const char *const wrong[] = {
        "",
        "JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0HI",
        "JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0HJ=",
        "JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0A==",
        "JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0HIA",
        "JrOdgwU009iJnkFHZeHOAG7WNS-OUNERuXbWpsOR0HI=",
        "26b39d830534d3d8899e414765e1ce006ed6352f8e50d111b976d6a6c391d072",
        "v=JrOdgwU009iJnkFHZeHOAG7WNS+OUNERuXbWpsOR0HI=",
    };
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT_DENIED(answer(&s, NULL, wrong[i], NULL), &s, "invalid-encoding");
    for (int len = 0; len < 44; len++)
        EXPECT_DENIED(answer(&s, NULL, text("%.*s", len, pbkdf2_proof), NULL), &s,
                      "invalid-encoding");
    EXPECT_DENIED(answer(&s, NULL, argon2_proof, NULL), &s, "invalid-proof");
    stage_fini(&s);
}

TEST(a_flipped_bit_is_refused)
{
    unsigned char proof[48];
    struct stage s;

    set_scene(&s, CODEC_MSGPACK, "wamp-scram", PBKDF2);
    for (unsigned bit = 0; bit < 256; bit++) {
        EVP_DecodeBlock(proof, (const unsigned char *)pbkdf2_proof, 44);
        proof[bit / 8] ^= (unsigned char)(1 << bit % 8);
        EXPECT_DENIED(answer(&s, NULL, base64_of(proof, 32), NULL), &s, "invalid-proof");
    }
    stage_fini(&s);
}

TEST(a_proof_is_good_for_one_login_only)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram", PBKDF2);
    EXPECT_EQ(answer(&s, NULL, pbkdf2_proof, NULL), AUTH_OK);
    EXPECT_REFUSED(stage_check(&s, pbkdf2_proof, NULL), &s, WAMP_PROTOCOL_VIOLATION, NULL,
                   "not expected");
    stage_count_from(&s, 0x11); /* another server nonce */
    EXPECT_DENIED(answer(&s, NULL, pbkdf2_proof, NULL), &s, "invalid-proof");
    EXPECT_DENIED(answer(&s, NULL, pbkdf2_proof, "{\"nonce\":\"" COMBINED "\"}"), &s,
                  "other-error");
    EXPECT_EQ(stage_check(&s, pbkdf2_proof, NULL), AUTH_REFUSED); /* one try */
    stage_count_from(&s, 0x10);
    s.request.authid = SLICE("eve");
    EXPECT_DENIED(answer(&s, NULL, pbkdf2_proof, NULL), &s, "invalid-proof");
    stage_fini(&s);
}

/* ---- nobody ---- */

TEST(nobody_looks_like_somebody)
{
    const char *salt;
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram", NULL);
    EXPECT_EQ(stage_begin(&s, "wamp-scram", HELLO), AUTH_CHALLENGE);
    salt = stage_told(&s, "salt");
    EXPECT_EQ(strlen(salt), 24);
    EXPECT_STR(stage_told(&s, "kdf"), "argon2id13");
    EXPECT_STR(stage_told(&s, "iterations"), "2");
    EXPECT_STR(stage_told(&s, "memory"), "19456");
    EXPECT_DENIED(stage_check(&s, pbkdf2_proof, NULL), &s, "invalid-proof");
    EXPECT_STR(auth_refusal(s.x)->reason, "there is no such principal");
    EXPECT_EQ(stage_begin(&s, "scram", HELLO), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "salt"), salt);
    EXPECT_STR(stage_told(&s, "kdf"), "argon2id-13");
    s.request.authid = SLICE("jo");
    EXPECT_EQ(stage_begin(&s, "wamp-scram", HELLO), AUTH_CHALLENGE);
    EXPECT(strcmp(stage_told(&s, "salt"), salt) != 0);
    stage_fini(&s);
}

TEST(nobody_looks_like_one_of_those_who_were_seen)
{
    static struct auth_looks looks;
    struct stage s;
    bool is_argon2 = false, is_pbkdf2 = false;

    set_scene(&s, CODEC_JSON, "wamp-scram", ARGON2);
    s.settings.looks = &looks;
    auth_looks_learn(&looks, s.record);
    stage_record(&s, "wamp-scram", PBKDF2);
    auth_looks_learn(&looks, s.record);
    stage_record(&s, "wamp-scram", NULL);
    for (int i = 0; i < 64; i++) {
        const char *kdf;

        s.request.authid = slice_of(text("nobody%d", i));
        EXPECT_EQ(stage_begin(&s, "wamp-scram", HELLO), AUTH_CHALLENGE);
        kdf = stage_told(&s, "kdf");
        EXPECT_STR(stage_told(&s, "iterations"), strcmp(kdf, "pbkdf2") == 0 ? "4096" : "4");
        EXPECT_STR(stage_told(&s, "memory"), strcmp(kdf, "pbkdf2") == 0 ? "null" : "512");
        EXPECT_EQ(strlen(stage_told(&s, "salt")), strlen(SALT));
        is_pbkdf2 |= strcmp(kdf, "pbkdf2") == 0;
        is_argon2 |= strcmp(kdf, "argon2id13") == 0;
        EXPECT_EQ(stage_begin(&s, "scram", HELLO), AUTH_CHALLENGE);
        EXPECT_EQ(strcmp(stage_told(&s, "kdf"), "pbkdf2") == 0, strcmp(kdf, "pbkdf2") == 0);
    }
    EXPECT(is_argon2 && is_pbkdf2);
    stage_fini(&s);
}

TEST(somebody_without_keys_for_this_flavour_is_like_nobody)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, "scram", ARGON2);
    EXPECT_EQ(stage_begin(&s, "scram", HELLO), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "salt"), SALT); /* nobody has one salt for both, too */
    EXPECT_STR(stage_told(&s, "iterations"), "4");
    EXPECT_STR(stage_told(&s, "memory"), "512");
    EXPECT_DENIED(stage_check(&s, vectors[6].proof, NULL), &s, "invalid-proof");
    EXPECT(strstr(auth_refusal(s.x)->reason, "flavour") != NULL);
    stage_record(&s, "wamp-scram", COMPAT);
    EXPECT_EQ(stage_begin(&s, "wamp-scram", HELLO), AUTH_CHALLENGE);
    EXPECT_DENIED(stage_check(&s, argon2_proof, NULL), &s, "invalid-proof");
    stage_fini(&s);
}

/* ---- round trips with a client's own arithmetic ---- */

struct client {
    const char *method, *authid, *password, *nonce;
    bool is_compat;
    unsigned char keys[2][32]; /* client key, server key */
};

/* SaltedPassword and the two keys, from what the challenge says. */
static void derive(struct client *c, struct stage *s)
{
    unsigned char salt[64], salted[64];
    size_t len = 32, password_len = strlen(c->password);
    const char *salt_text = stage_told(s, "salt");
    int salt_len = EVP_DecodeBlock(salt, (const unsigned char *)salt_text, (int)strlen(salt_text));
    unsigned iterations = (unsigned)atoi(stage_told(s, "iterations"));

    for (size_t i = strlen(salt_text); i > 0 && salt_text[i - 1] == '='; i--)
        salt_len--;
    if (strcmp(stage_told(s, "kdf"), "pbkdf2") == 0) {
        PKCS5_PBKDF2_HMAC(c->password, (int)password_len, salt, salt_len, (int)iterations,
                          EVP_sha256(), 32, salted);
    } else {
        unsigned memory = (unsigned)atoi(stage_told(s, "memory"));

        EXPECT_STR(stage_told(s, "kdf"), c->is_compat ? "argon2id-13" : "argon2id13");
        EXPECT_EQ(argon2id_hash_raw(iterations, memory, 1, c->password, password_len, salt,
                                    (size_t)salt_len, salted, 32),
                  ARGON2_OK);
        if (c->is_compat) {
            const char *as_text = base64_of(salted, 32);

            len = 43;
            memcpy(salted, as_text, len);
        }
    }
    hmac(salted, len, "Client Key", c->keys[0]);
    hmac(salted, len, "Server Key", c->keys[1]);
}

static const char *prove(struct client *c, struct stage *s, const char **verifier)
{
    const char *nonce = stage_told(s, "nonce");
    const char *message =
        text("n=%s,r=%s,r=%s,s=%s,i=%s,c=%s,r=%s", c->authid, c->nonce, nonce,
             stage_told(s, "salt"), stage_told(s, "iterations"), c->is_compat ? "" : "biws", nonce);
    unsigned char stored[32], signature[32];

    EVP_Digest(c->keys[0], 32, stored, NULL, EVP_sha256(), NULL);
    hmac(stored, 32, message, signature);
    for (size_t i = 0; i < 32; i++)
        signature[i] ^= c->keys[0][i];
    hmac(c->keys[1], 32, message, stored);
    *verifier = base64_of(stored, 32);
    return base64_of(signature, 32);
}

static void make_record(struct stage *s, const char *password, const struct kdf *kdf)
{
    struct encoder e;
    struct blob *blob;

    encode_start(&e, CODEC_JSON, 0);
    encode_map(&e, COUNT_UNKNOWN);
    EXPECT_EQ(auth_record_make_scram(&e, slice_of(password), kdf, &s->rng, NULL), 0);
    encode_text(&e, SLICE("authrole"));
    encode_text(&e, SLICE("user"));
    encode_end(&e);
    blob = encode_finish(&e);
    stage_record(s, "scram", text("%.*s", SLICE_ARG(blob_slice(blob))));
    blob_drop(blob);
}

static void log_in(struct stage *s, struct client *c)
{
    const char *verifier, *proof;

    EXPECT_EQ(stage_begin(s, c->method, text("{\"nonce\":\"%s\"}", c->nonce)), AUTH_CHALLENGE);
    derive(c, s);
    proof = prove(c, s, &verifier);
    EXPECT_EQ(stage_check(s, proof, NULL), AUTH_OK);
    EXPECT(strstr(stage_welcome(s), verifier) != NULL);
    c->password = "wrong";
    EXPECT_EQ(stage_begin(s, c->method, text("{\"nonce\":\"%s\"}", c->nonce)), AUTH_CHALLENGE);
    derive(c, s);
    EXPECT_DENIED(stage_check(s, prove(c, s, &verifier), NULL), s, "invalid-proof");
}

TEST(what_passwd_makes_lets_its_user_in_by_both_flavours)
{
    static const struct kdf kdfs[] = {{KDF_PBKDF2, 4096, 0, 0}, {KDF_ARGON2ID, 2, 64, 1}};
    static const struct {
        const char *typed, *prepared;
    } passwords[] = {
        {"pencil", "pencil"},
        {"\xc3\xa9t\xc3\xa9 \xe2\x82\xac", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac"},
        {"a\xc2\xad\x62\xe3\x80\x80\x63", "ab c"}, /* soft hyphen, wide space */
    };

    for (size_t i = 0; i < 2 * 2 * ARRAY_LEN(passwords); i++) {
        const char *typed = passwords[i / 4].typed;
        struct client c = {
            .method = i % 2 == 0 ? "wamp-scram" : "scram",
            .is_compat = i % 2 != 0,
            .authid = "joe",
            .password = passwords[i / 4].prepared,
            .nonce = NONCE,
        };
        struct stage s;

        stage_init(&s, CODEC_CBOR);
        make_record(&s, typed, &kdfs[i / 2 % 2]);
        log_in(&s, &c);
        stage_fini(&s);
    }
}

TEST(the_algorithm_agrees_with_rfc_7677)
{
    const char *nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const char *message = text("n=user,r=rOprNGfwEbeRWgbNEkqO,r=%s,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
                               "i=4096,c=biws,r=%s",
                               nonce, nonce);
    unsigned char salt[20], salted[32], key[32], stored[32], signature[32];

    EVP_DecodeBlock(salt, (const unsigned char *)"W22ZaJ0SNY7soEsUEjb6gQ==", 24);
    PKCS5_PBKDF2_HMAC("pencil", 6, salt, 16, 4096, EVP_sha256(), 32, salted);
    digest_hmac(slice_make(salted, 32), SLICE("Client Key"), key);
    digest_sha256(slice_make(key, 32), stored);
    digest_hmac(slice_make(stored, 32), slice_of(message), signature);
    for (size_t i = 0; i < 32; i++)
        key[i] ^= signature[i];
    EXPECT_STR(base64_of(key, 32), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    digest_hmac(slice_make(salted, 32), SLICE("Server Key"), key);
    digest_hmac(slice_make(key, 32), slice_of(message), signature);
    EXPECT_STR(base64_of(signature, 32), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(a_policy_cannot_forge_what_the_router_signs)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, "wamp-scram",
              "{\"authrole\":\"user\",\"kdf\":\"pbkdf2\",\"salt\":\"" SALT
              "\",\"iterations\":4096," PBKDF2_KEYS
              ",\"extra\":{\"verifier\":\"mine\",\"org\":\"acme\"}}");
    EXPECT_EQ(answer(&s, NULL, pbkdf2_proof, NULL), AUTH_OK);
    EXPECT(strstr(stage_welcome(&s), "mine") == NULL);
    EXPECT(strstr(stage_welcome(&s), "\"org\":\"acme\"") != NULL);
    stage_fini(&s);
}
