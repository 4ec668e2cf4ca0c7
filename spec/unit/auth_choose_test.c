/* auth_choose_test.c -- which method is tried; and anonymous, tls, and methods of a policy's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#define PUBKEY "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664"

/* A menu out of a line: "ticket cookie! mine" (! is ready, others without a row are not). */
static const char *choose(struct stage *s, const char *menu_line, const char *client_list,
                          bool is_ours_first, struct fault *fault)
{
    struct auth_offer offers[16];
    struct auth_menu menu = {.offers = offers};
    const struct auth_offer *chosen;
    char line[200], *rest = NULL;

    snprintf(line, sizeof(line), "%s", menu_line);
    for (char *name = strtok_r(line, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        size_t len = strcspn(name, "!");
        struct slice word = slice_make(name, len);

        if (slice_eq(word, SLICE("cookie")))
            s->request.has_cookie = name[len] == '!';

        offers[menu.count++] = (struct auth_offer){word, auth_method_find(word), name[len] == '!'};
    }
    menu.preferred = is_ours_first ? menu.count : 0;
    *fault = (struct fault){0};
    chosen = auth_choose(&menu, &s->request, stage_value(s, client_list), fault);
    return chosen == NULL ? fault->uri : text("%.*s", SLICE_ARG(chosen->name));
}

static void check_choices(enum codec codec)
{
    static const struct {
        const char *menu, *list, *expected;
    } cases[] = {
        {"ticket anonymous", "[\"ticket\",\"anonymous\"]", "ticket"},
        {"ticket anonymous", "[\"anonymous\",\"ticket\"]", "anonymous"},
        {"ticket wampcra", "[\"x\",\"\",7,null,[\"ticket\"],\"wampcra\",\"ticket\"]", "wampcra"},
        {"anonymous ticket", NULL, "anonymous"},
        {"anonymous ticket", "[]", "anonymous"},
        {"ticket cookie!", NULL, "cookie"},
        {"anonymous cookie!", NULL, "cookie"},
        {"anonymous cookie", NULL, "anonymous"},
        {"ticket cookie!", "[\"ticket\",\"cookie\"]", "ticket"},
        {"ticket cookie!", "[\"cookie\",\"ticket\"]", "cookie"},
        {"ticket cookie", "[\"cookie\",\"ticket\"]", "ticket"},
        {"mine! ticket", "[\"mine\"]", "mine"},
        {"tls ticket", "[\"tls\",\"ticket\"]", "ticket"},
        {"cryptosign ticket", "[\"cryptosign\",\"ticket\"]", "ticket"},
        {"wamp-scram ticket", "[\"wamp-scram\",\"ticket\"]", "ticket"},
        {"scram wamp-scram cryptosign", "[\"scram\"]", WAMP_AUTHENTICATION_FAILED},
        {"cryptosign", "[\"cryptosign\"]", WAMP_AUTHENTICATION_FAILED},
        {"tls", "[\"tls\"]", WAMP_AUTHENTICATION_FAILED},
        {"ticket", "[\"wampcra\"]", WAMP_NO_MATCHING_AUTH_METHOD},
        {"ticket", "[\"wampcra\",\"anonymous\"]", WAMP_NO_MATCHING_AUTH_METHOD},
        {"ticket", "[\"Ticket\"]", WAMP_NO_MATCHING_AUTH_METHOD},
        {"ticket", "[\"oauth2\",\"kerberos\"]", WAMP_NO_MATCHING_AUTH_METHOD},
        {"cookie", "[\"cookie\"]", WAMP_NO_MATCHING_AUTH_METHOD},
        {"ticket", NULL, WAMP_AUTHENTICATION_REQUIRED},
        {"ticket", "[]", WAMP_AUTHENTICATION_REQUIRED},
        {"ticket", "[\"anonymous\"]", WAMP_AUTHENTICATION_REQUIRED},
        {"cookie", NULL, WAMP_AUTHENTICATION_REQUIRED},
        {"", NULL, WAMP_NO_MATCHING_AUTH_METHOD},
        {"", "[\"ticket\"]", WAMP_NO_MATCHING_AUTH_METHOD},
    };
    struct fault fault;
    struct stage s;

    stage_init(&s, codec);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_STR(choose(&s, cases[i].menu, cases[i].list, false, &fault), cases[i].expected);
    stage_fini(&s);
}

TEST(the_client_s_order_decides)
{
    each_codec(check_choices);
}

TEST(our_order_defeats_a_list_that_puts_the_weak_first)
{
    struct fault fault;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    s.request.authextra = stage_value(&s, "{\"pubkey\":\"" PUBKEY "\"}");
    EXPECT_STR(choose(&s, "cryptosign ticket anonymous",
                      "[\"anonymous\",\"ticket\",\"cryptosign\"]", true, &fault),
               "cryptosign");
    EXPECT_STR(
        choose(&s, "cryptosign ticket anonymous", "[\"anonymous\",\"ticket\"]", true, &fault),
        "ticket");
    EXPECT_STR(
        choose(&s, "wamp-scram ticket anonymous", "[\"ticket\",\"wamp-scram\"]", true, &fault),
        "ticket"); /* there is no nonce */
    EXPECT_STR(choose(&s, "ticket", "[\"anonymous\"]", true, &fault), WAMP_AUTHENTICATION_REQUIRED);
    stage_fini(&s);
}

TEST(what_is_missing_is_named)
{
    static const struct {
        const char *list, *words;
    } cases[] = {
        {"[\"cryptosign\",\"wamp-scram\"]", "cryptosign: HELLO has no authextra.pubkey"},
        {"[\"wamp-scram\",\"cryptosign\"]", "wamp-scram: HELLO has no authextra.nonce"},
        {"[\"tls\"]", "tls: HELLO has no client certificate"},
    };
    struct fault fault;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EXPECT_STR(choose(&s, "wamp-scram cryptosign tls ticket", cases[i].list, false, &fault),
                   WAMP_AUTHENTICATION_FAILED);
        EXPECT_STR(fault.words, cases[i].words);
    }
    s.request.authid = (struct slice){0};
    EXPECT_STR(choose(&s, "ticket", "[\"ticket\"]", false, &fault), WAMP_AUTHENTICATION_FAILED);
    EXPECT_STR(fault.words, "ticket: HELLO has no authid");
    stage_fini(&s);
}

TEST(the_table_of_methods)
{
    static const char *const names[] = {"anonymous",  "ticket", "wampcra", "wamp-scram",
                                        "cryptosign", "scram",  "tls"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        EXPECT_STR(auth_method_name(auth_method_find(slice_of(names[i]))), names[i]);
    EXPECT(auth_method_find(SLICE("own")) == NULL);
    EXPECT(auth_method_find(SLICE("Cookie")) == NULL);
    EXPECT(auth_method_find(SLICE("")) == NULL);
}

/* ---- anonymous ---- */

TEST(anonymous_needs_a_record_and_no_name)
{
    struct stage s;

    stage_init(&s, CODEC_JSON);
    EXPECT_DENIED(stage_begin(&s, "anonymous", NULL), &s, NULL);
    stage_record(&s, "anonymous", "{\"authrole\":\"guest\",\"extra\":{}}");
    EXPECT_EQ(stage_begin(&s, "anonymous", NULL), AUTH_OK);
    EXPECT_EQ(auth_identity(s.x).authid.len, 0); /* the claimed one counts for nothing */
    EXPECT_SLICE(auth_identity(s.x).record->authrole, SLICE("guest"));
    EXPECT_STR(stage_welcome(&s), "{}");
    EXPECT_REFUSED(stage_check(&s, "x", NULL), &s, WAMP_PROTOCOL_VIOLATION, NULL, "not expected");
    stage_record(&s, "anonymous", "{\"authrole\":\"guest\",\"authid\":\"visitor\"}");
    EXPECT_EQ(stage_begin(&s, "anonymous", NULL), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("visitor"));
    stage_fini(&s);
}

/* ---- certificates ---- */

#define SHA256_PIN "9a2664f509c91cbde8035505ef382b9b5587064378c151f07ba10b3339060210"
#define SHA1_PIN   "16447485f7ec615136cf8e3d56c4c616cc61bcc4"

static enum auth_step present(struct stage *s, const char *keys, bool is_verified)
{
    s->certificate = (struct auth_certificate){.der = SLICE("example certificate DER"),
                                               .common_name = SLICE("device 7"),
                                               .is_verified = is_verified};
    s->request.certificate = &s->certificate;
    s->request.authid = (struct slice){0};
    stage_record(s, "tls", keys == NULL ? NULL : text("{\"authrole\":\"device\"%s}", keys));
    return stage_begin(s, "tls", NULL);
}

TEST(certificates_by_fingerprint_or_by_chain)
{
    struct stage s;

    stage_init(&s, CODEC_JSON);
    EXPECT_EQ(present(&s, ",\"fingerprints\":\"" SHA256_PIN "\"", false), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("device 7"));
    EXPECT_EQ(present(&s, ",\"fingerprints\":\"" SHA1_PIN "\"", false), AUTH_OK);
    EXPECT_EQ(present(&s,
                      ",\"fingerprints\":[\"" SHA1_PIN "\",\"9A:26:64:F5:09:C9:1C:BD:E8:03:55:05:"
                      "EF:38:2B:9B:55:87:06:43:78:C1:51:F0:7B:A1:0B:33:39:06:02:10\"]",
                      true),
              AUTH_OK);
    EXPECT_EQ(present(&s, "", true), AUTH_OK);
    EXPECT_EQ(present(&s, ",\"authid\":\"d\"", true), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("d"));
    EXPECT_DENIED(present(&s, "", false), &s, NULL);
    EXPECT_STR(auth_refusal(s.x)->reason, "the certificate did not verify");
    EXPECT_DENIED(present(&s, NULL, true), &s, NULL);
    EXPECT_DENIED(present(&s,
                          ",\"fingerprints\":[\"8a2664f509c91cbde8035505ef382b9b5587064378c151f0"
                          "7ba10b3339060210\",\"26447485f7ec615136cf8e3d56c4c616cc61bcc4\"]",
                          true),
                  &s, NULL);
    s.request.certificate = NULL;
    EXPECT_REFUSED(stage_begin(&s, "tls", NULL), &s, WAMP_AUTHENTICATION_FAILED, NULL,
                   "certificate");
    stage_fini(&s);
}

TEST(a_certificate_without_a_name_gives_its_fingerprint)
{
    struct stage s;

    stage_init(&s, CODEC_JSON);
    (void)present(&s, "", true);
    s.certificate.common_name = (struct slice){0};
    EXPECT_EQ(stage_begin(&s, "tls", NULL), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE(SHA256_PIN));
    stage_fini(&s);
}

/* ---- methods of a policy's own ---- */

static enum auth_step begin_own(struct stage *s, const char *extra)
{
    auth_free(s->x);
    return auth_begin_own(&s->x, SLICE("otp"), &s->request, s->codec, stage_value(s, extra));
}

TEST(a_policy_judges_what_it_asked_for)
{
    struct auth_record *record;
    struct stage s;

    stage_init(&s, CODEC_CBOR);
    EXPECT_EQ(begin_own(&s, "{\"digits\":6}"), AUTH_CHALLENGE);
    EXPECT_STR(stage_json(s.codec, auth_challenge(s.x)), "{\"digits\":6}");
    EXPECT_EQ(auth_check(s.x, SLICE("123456"), (struct slice){0}), AUTH_ASK);
    record = auth_record_parse(NULL, s.codec, stage_value(&s, "{\"authrole\":\"user\"}"), NULL);
    EXPECT(record != NULL);
    EXPECT_EQ(auth_answer_record(s.x, record), AUTH_OK);
    auth_record_drop(record);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("joe"));
    EXPECT_SLICE(auth_identity(s.x).method, SLICE("otp"));

    EXPECT_EQ(begin_own(&s, NULL), AUTH_CHALLENGE);
    EXPECT_STR(stage_json(s.codec, auth_challenge(s.x)), "{}");
    EXPECT_EQ(auth_check(s.x, SLICE("0"), (struct slice){0}), AUTH_ASK);
    EXPECT_REFUSED(auth_check(s.x, SLICE("0"), (struct slice){0}), &s, WAMP_PROTOCOL_VIOLATION,
                   NULL, "not expected"); /* it did not wait */

    EXPECT_EQ(begin_own(&s, NULL), AUTH_CHALLENGE);
    EXPECT_EQ(auth_check(s.x, SLICE("0"), (struct slice){0}), AUTH_ASK);
    EXPECT_DENIED(auth_answer_record(s.x, NULL), &s, NULL);

    EXPECT_EQ(begin_own(&s, NULL), AUTH_CHALLENGE);
    EXPECT_EQ(auth_check(s.x, SLICE("0"), (struct slice){0}), AUTH_ASK);
    EXPECT_REFUSED(auth_answer_refusal(s.x, WAMP_AUTHENTICATION_DENIED, "account locked"), &s,
                   WAMP_AUTHENTICATION_DENIED, NULL, "account locked");
    stage_fini(&s);
}

TEST(names_are_bounded_there_too)
{
    static char longest[MAX_AUTHID_LEN + 1];
    struct stage s;

    memset(longest, 'x', sizeof(longest));
    stage_init(&s, CODEC_JSON);
    s.request.authid = slice_make(longest, sizeof(longest));
    EXPECT_REFUSED(begin_own(&s, NULL), &s, WAMP_AUTHENTICATION_FAILED, NULL, "authid");
    stage_fini(&s);
}

TEST(four_rounds_at_the_most)
{
    struct stage s;

    stage_init(&s, CODEC_JSON);
    EXPECT_EQ(begin_own(&s, "{\"round\":1}"), AUTH_CHALLENGE);
    for (int round = 2; round <= MAX_AUTH_ROUNDS; round++) {
        const char *extra = text("{\"round\":%d}", round);

        EXPECT_EQ(auth_check(s.x, SLICE("x"), (struct slice){0}), AUTH_ASK);
        EXPECT_EQ(auth_answer_challenge(s.x, s.codec, stage_value(&s, extra)), AUTH_CHALLENGE);
        EXPECT_STR(stage_json(s.codec, auth_challenge(s.x)), extra);
    }
    EXPECT_EQ(auth_check(s.x, SLICE("x"), (struct slice){0}), AUTH_ASK);
    EXPECT_REFUSED(auth_answer_challenge(s.x, s.codec, (struct slice){0}), &s,
                   WAMP_AUTHENTICATION_FAILED, NULL, "challenges");
    stage_fini(&s);
}

/* ---- settings ---- */

TEST(settings_are_bounded)
{
    struct auth_settings settings;
    struct fault fault;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    EXPECT_EQ(auth_settings_check(&s.settings, &fault), 0);
    settings = s.settings;
    settings.scram_kdf.kind = KDF_NONE;
    EXPECT_EQ(auth_settings_check(&settings, &fault), ERR_INVALID);
    settings = s.settings;
    settings.ticket_kdf.memory = MAX_ARGON2_MEMORY + 1;
    EXPECT_EQ(auth_settings_check(&settings, &fault), ERR_INVALID);
    EXPECT_STR(fault.words, "ticket_kdf: memory is 262145; allowed are 8 to 262144");
    settings = s.settings;
    settings.cra_keylen = 0;
    EXPECT_EQ(auth_settings_check(&settings, &fault), ERR_INVALID);
    stage_fini(&s);
}
