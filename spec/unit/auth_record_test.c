/* auth_record_test.c -- records, the text of stored hashes, and what can be made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/prepare.h"
#include "auth_kit.h"

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SALT  "oKGio6SlpqeoqaqrrK2urw=="
#define SCRAM                                                                       \
    "\"kdf\":\"argon2id13\",\"salt\":\"" SALT "\",\"iterations\":4,\"memory\":512," \
    "\"stored_key\":\"" KEY32 "\",\"server_key\":\"" HEX32 "\""

static struct auth_record *parse(const char *method, enum codec codec, const char *json,
                                 struct fault *fault)
{
    struct blob *dict = transcode(CODEC_JSON, slice_of(json), codec);
    struct auth_record *record;

    *fault = (struct fault){0};
    record = auth_record_parse(method == NULL ? NULL : auth_method_find(slice_of(method)), codec,
                               blob_slice(dict), fault);
    blob_drop(dict);
    return record;
}

/* ---- what is refused, and how ---- */

static const struct {
    const char *method, *json, *words;
} refused[] = {
    {"ticket", "{}", "authrole: is missing"},
    {"ticket", "{\"authrole\":\"user\"}", "ticket: is missing, and so is ticket_hash"},
    {"ticket", "{\"authrole\":null,\"ticket\":\"x\"}", "authrole: is missing"},
    {"ticket", "{\"authrole\":\"\",\"ticket\":\"x\"}", "authrole: has 0 octets"},
    {"ticket", "{\"authrole\":1,\"ticket\":\"x\"}", "authrole: must be a string"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"\"}", "ticket: has 0 octets"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":7}", "ticket: must be a string"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":[]}", "ticket: is an empty list"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":[\"a\",1]}", "ticket: must be a string"},
    {"ticket",
     "{\"authrole\":\"u\",\"ticket\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}",
     "ticket: has more than 8 values"},
    {"ticket", "{\"authrole\":\"u\",\"ticket_hash\":\"secret!!!\"}",
     "ticket_hash: it must begin with"},
    {"ticket", "{\"authrole\":\"u\",\"ticket_hash\":7}", "ticket_hash: must be a string"},
    {"ticket",
     "{\"authrole\":\"u\",\"ticket\":\"x\",\"ticket_hash\":\"$pbkdf2-sha256$i=1000$"
     "MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg\"}",
     "one is allowed"},
    {"ticket", "{\"authrole\":\"u\",\"tikcet\":\"x\"}", "tikcet: is not known here"},
    {"ticket", "{\"authrole\":\"u\",\"secret\":\"x\"}", "secret: is not known here"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"expires\":\"soon\"}",
     "expires: must be a whole number"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"expires\":-1}",
     "expires: must be a whole number"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"expires\":0}", "expires: is 0"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"trustlevel\":1.5}",
     "trustlevel: must be a whole number"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"extra\":[]}", "extra: must be a dict"},
    {"ticket", "{\"authrole\":\"u\",\"ticket\":\"x\",\"attributes\":\"a\"}",
     "attributes: must be a dict"},
    {"wampcra", "{\"authrole\":\"u\"}", "secret: is missing"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"\"}", "secret: has 0 octets"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"x\",\"salt\":\"s\"}",
     "secret: must be base64 of the 32"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"" KEY32 "\",\"salt\":\"s\",\"keylen\":31}",
     "secret: must be base64 of the 31"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"x\",\"iterations\":1000}", "salt: is missing"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"x\",\"keylen\":32}", "salt: is missing"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"" KEY32 "\",\"salt\":\"s\",\"iterations\":0}",
     "iterations: is 0; allowed are 1 to 10000000"},
    {"wampcra", "{\"authrole\":\"u\",\"secret\":\"" KEY32 "\",\"salt\":\"s\",\"keylen\":257}",
     "keylen: is 257; allowed are 1 to 256"},
    {"scram", "{\"authrole\":\"u\"}", "kdf: is missing"},
    {"scram", "{\"authrole\":\"u\",\"kdf\":\"scrypt\"}", "kdf: must be"},
    {"scram", "{\"authrole\":\"u\",\"kdf\":1}", "kdf: must be"},
    {"scram", "{\"authrole\":\"u\",\"kdf\":\"pbkdf2\"}", "salt: is missing"},
    {"scram", "{\"authrole\":\"u\"," SCRAM ",\"keylen\":32}", "keylen: is not known here"},
    {"scram", "{\"authrole\":\"u\"," SCRAM ",\"compat_stored_key\":\"" KEY32 "\"}",
     "compat_server_key: is missing"},
    {"scram", "{\"authrole\":\"u\"," SCRAM ",\"compat_server_key\":\"" KEY32 "\"}",
     "compat_stored_key: is missing"},
    {"scram",
     "{\"authrole\":\"u\",\"kdf\":\"pbkdf2\",\"salt\":\"" SALT "\",\"iterations\":5000,"
     "\"stored_key\":\"" KEY32 "\",\"server_key\":\"" KEY32 "\",\"compat_stored_key\":\"" KEY32
     "\",\"compat_server_key\":\"" KEY32 "\"}",
     "compat_stored_key: is only for kdf argon2id13"},
    {"cryptosign", "{\"authrole\":\"u\"}", "pubkeys: is missing"},
    {"cryptosign", "{\"authrole\":\"u\",\"pubkeys\":[]}", "pubkeys: is an empty list"},
    {"cryptosign", "{\"authrole\":\"u\",\"pubkeys\":\"abc\"}", "pubkeys: must be 64 hex"},
    {"cryptosign", "{\"authrole\":\"u\",\"pubkeys\":[\"" HEX32 "\",\"" KEY32 "\"]}",
     "pubkeys: must be 64 hex"},
    {"tls", "{\"authrole\":\"u\",\"fingerprints\":\"abc\"}", "fingerprints: must be 64 hex"},
    {"tls", "{\"authrole\":\"u\",\"fingerprints\":\"" HEX32 "00\"}",
     "fingerprints: must be 64 hex"},
    {"tls", "{\"authrole\":\"u\",\"fingerprints\":[]}", "fingerprints: is an empty list"},
    {"anonymous", "{\"authrole\":\"u\",\"ticket\":\"x\"}", "ticket: is not known here"},
    {NULL, "{\"authrole\":\"u\",\"pubkeys\":\"" HEX32 "\"}", "pubkeys: is not known here"},
    {NULL, "{}", "record for a method of the policy: authrole: is missing"},
};

static void check_refused(enum codec codec)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct fault fault;

        EXPECT(parse(refused[i].method, codec, refused[i].json, &fault) == NULL);
        EXPECT_STR(fault.uri, WAMP_AUTHENTICATION_FAILED);
        if (strstr(fault.words, refused[i].words) == NULL)
            UNIT_FAIL("%s: \"%s\" does not say \"%s\"", refused[i].json, fault.words,
                      refused[i].words);
        EXPECT(strstr(fault.words, "secret!!!") == NULL && strstr(fault.words, KEY32) == NULL);
    }
}

TEST(records_that_are_wrong_are_told_so_by_key)
{
    each_codec(check_refused);
}

TEST(a_record_that_would_stall_the_router_is_refused)
{
    static const struct {
        const char *kdf, *words; /* NULL: it is fine */
    } cases[] = {
        {"\"kdf\":\"pbkdf2\",\"iterations\":4095", "iterations: is 4095; allowed are 4096"},
        {"\"kdf\":\"pbkdf2\",\"iterations\":4096", NULL},
        {"\"kdf\":\"pbkdf2\",\"iterations\":10000000", NULL},
        {"\"kdf\":\"pbkdf2\",\"iterations\":10000001", "iterations: is 10000001"},
        {"\"kdf\":\"pbkdf2\",\"iterations\":4096,\"memory\":512", "memory: is only for argon2"},
        {"\"kdf\":\"argon2id13\",\"iterations\":2", "memory: is missing"},
        {"\"kdf\":\"argon2id13\",\"iterations\":0,\"memory\":512", "iterations: is 0"},
        {"\"kdf\":\"argon2id13\",\"iterations\":2,\"memory\":7", "memory: is 7; allowed are 8"},
        {"\"kdf\":\"argon2id13\",\"iterations\":2,\"memory\":262144", NULL},
        {"\"kdf\":\"argon2id13\",\"iterations\":2,\"memory\":262145", "memory: is 262145"},
        {"\"kdf\":\"argon2id13\",\"iterations\":65,\"memory\":8", "iterations is 65"},
        {"\"kdf\":\"argon2id13\",\"iterations\":9,\"memory\":262144", "times memory is 2359296"},
        {"\"kdf\":\"argon2id-13\",\"iterations\":2,\"memory\":1e3", NULL},
        {"\"kdf\":\"argon2id13\",\"iterations\":2,\"memory\":1.5", "memory: must be a whole"},
        {"\"kdf\":\"argon2id13\",\"iterations\":2,\"memory\":1e300", "memory: must be a whole"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *json = text("{\"authrole\":\"u\",\"salt\":\"" SALT "\",\"stored_key\":\"" KEY32
                                "\",\"server_key\":\"" KEY32 "\",%s}",
                                cases[i].kdf);
        struct fault fault;
        struct auth_record *record = parse("wamp-scram", CODEC_JSON, json, &fault);

        EXPECT_EQ(record != NULL, cases[i].words == NULL);
        if (cases[i].words != NULL && strstr(fault.words, cases[i].words) == NULL)
            UNIT_FAIL("%s: \"%s\" does not say \"%s\"", cases[i].kdf, fault.words, cases[i].words);
        auth_record_drop(record);
    }
}

/* Each key of a SCRAM record left out, and of a wrong type, form or length. */
TEST(every_key_of_a_scram_record_is_looked_at)
{
    static const char *const keys[] = {"kdf",    "salt",       "iterations",
                                       "memory", "stored_key", "server_key"};
    static const char *const good[] = {"\"argon2id13\"", "\"" SALT "\"", "4", "512",
                                       "\"" KEY32 "\"",  "\"" KEY32 "\""};
    static const char *const wrong[] = {"null",
                                        "true",
                                        "-1",
                                        "0",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "\"AAAA\"",
                                        "\"\\u0000AAAA\"",
                                        "\"AAECAwQFBgcICQoLDA0ODw\"",
                                        "\"" KEY32 KEY32 KEY32 "\""};
    struct fault fault;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        for (size_t w = 0; w <= ARRAY_LEN(wrong); w++) {
            char json[1000] = "{\"authrole\":\"u\"";
            size_t len = strlen(json);

            for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
                if (k == i && w == ARRAY_LEN(wrong))
                    continue;
                len += (size_t)snprintf(json + len, sizeof(json) - len, ",\"%s\":%s", keys[k],
                                        k == i ? wrong[w] : good[k]);
            }
            if (parse("scram", CODEC_MSGPACK, text("%s}", json), &fault) != NULL)
                UNIT_FAIL("taken: %s}", json);
            if (strstr(fault.words, keys[i]) == NULL)
                UNIT_FAIL("\"%s\" does not name %s", fault.words, keys[i]);
        }
    }
}

TEST(what_a_record_carries_along_is_bounded)
{
    static char json[70000];
    struct fault fault;
    size_t len = (size_t)snprintf(json, sizeof(json), "{\"authrole\":\"u\",\"extra\":{\"a\":\"");

    memset(json + len, 'x', 65536);
    memcpy(json + len + 65536, "\"}}", 4);
    EXPECT(parse("anonymous", CODEC_JSON, json, &fault) == NULL);
    EXPECT(strstr(fault.words, "extra: has 65544 octets; at most 65536") != NULL);
}

/* ---- what is read ---- */

static void check_read(enum codec codec)
{
    struct auth_record *record;
    struct fault fault;

    record = parse("scram", codec,
                   "{\"authrole\":\"admin\",\"authid\":\"Joe\",\"authprovider\":\"db\","
                   "\"extra\":{\"a\":1},\"attributes\":{\"org\":\"x\"},\"expires\":1.5e9,"
                   "\"trustlevel\":2," SCRAM "}",
                   &fault);
    EXPECT_STR(fault.words, "");
    if (record == NULL)
        return;
    EXPECT_SLICE(record->authrole, SLICE("admin"));
    EXPECT_SLICE(record->authid, SLICE("Joe"));
    EXPECT_SLICE(record->authprovider, SLICE("db"));
    EXPECT_STR(stage_json(record->codec, record->extra), "{\"a\":1}");
    EXPECT_STR(stage_json(record->codec, record->attributes), "{\"org\":\"x\"}");
    EXPECT_EQ(record->expires_at, 1500000000);
    EXPECT(record->has_trustlevel && record->trustlevel == 2);
    EXPECT_EQ(record->scram.salt_len, 16);
    EXPECT(record->scram.flavours[SCRAM_WAMP].is_known);
    EXPECT(!record->scram.flavours[SCRAM_COMPAT].is_known);
    for (unsigned i = 0; i < 32; i++) {
        EXPECT_EQ(record->scram.flavours[SCRAM_WAMP].stored_key[i], i);
        EXPECT_EQ(record->scram.flavours[SCRAM_WAMP].server_key[i], i);
    }
    EXPECT(auth_record_hold(record) == record);
    auth_record_drop(record);
    auth_record_drop(record);
}

TEST(records_in_every_codec)
{
    each_codec(check_read);
}

TEST(octets_may_be_binary)
{
    struct fault fault;
    struct auth_record *record =
        parse("cryptosign", CODEC_CBOR,
              "{\"authrole\":\"u\",\"pubkeys\":[\"\\u0000" KEY32 "\",\"" HEX32 "\"]}", &fault);

    EXPECT_STR(fault.words, "");
    EXPECT(record != NULL && record->pub.count == 2);
    if (record != NULL)
        EXPECT(memcmp(record->pub.keys[0], record->pub.keys[1], 32) == 0);
    auth_record_drop(record);
    record = parse("scram", CODEC_MSGPACK,
                   "{\"authrole\":\"u\",\"kdf\":\"pbkdf2\",\"iterations\":5000,"
                   "\"salt\":\"\\u0000" SALT "\",\"stored_key\":\"\\u0000" KEY32
                   "\",\"server_key\":\"\\u0000" KEY32 "\"}",
                   &fault);
    EXPECT_STR(fault.words, "");
    EXPECT(record != NULL && record->scram.flavours[SCRAM_COMPAT].is_known);
    auth_record_drop(record);
}

TEST(a_key_that_is_there_twice_is_refused)
{
    struct fault fault = {0};

    EXPECT(auth_record_parse(auth_method_find(SLICE("ticket")), CODEC_JSON,
                             SLICE("{\"authrole\":\"u\",\"ticket\":\"a\",\"ticket\":\"b\"}"),
                             &fault) == NULL);
    EXPECT_STR(fault.words, "record for ticket: ticket: is there twice");
}

TEST(pubkeys_are_bounded)
{
    char json[4000] = "{\"authrole\":\"u\",\"pubkeys\":[\"" HEX32 "\"";
    size_t len = strlen(json);
    struct auth_record *record;
    struct fault fault;

    for (unsigned i = 1; i < MAX_PUBKEYS; i++)
        len += (size_t)snprintf(json + len, sizeof(json) - len, ",\"" HEX32 "\"");
    record = parse("cryptosign", CODEC_JSON, text("%s]}", json), &fault);
    EXPECT(record != NULL && record->pub.count == MAX_PUBKEYS);
    auth_record_drop(record);
    EXPECT(parse("cryptosign", CODEC_JSON, text("%s,\"" HEX32 "\"]}", json), &fault) == NULL);
    EXPECT_STR(fault.words, "record for cryptosign: pubkeys: has more than 32 values");
}

/* ---- the text of hashes ---- */

#define H   "MDEyMzQ1Njc4OWFiY2RlZg"
#define H32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

TEST(hashes_are_read_and_written)
{
    static const struct {
        const char *text, *written; /* NULL: the same */
    } cases[] = {
        {"$argon2id$v=19$m=19456,t=2,p=1$" H "$" H, NULL},
        {"$argon2id$v=19$m=64,t=3,p=8$MTIzNDU2Nzg$" H32, NULL},
        {"$pbkdf2-sha256$i=600000$" H "$" H, NULL},
        {"$pbkdf2-sha256$29000$" H "$" H, "$pbkdf2-sha256$i=29000$" H "$" H},
        {"$pbkdf2-sha256$1000$..8.//8A//8A$" H, "$pbkdf2-sha256$i=1000$++8+//8A//8A$" H},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[MAX_HASH_TEXT];
        struct fault fault = {0};
        struct auth_hash hash;

        EXPECT_EQ(auth_hash_parse(&hash, slice_of(cases[i].text), &fault), 0);
        EXPECT_STR(fault.words, "");
        EXPECT_EQ(auth_hash_print(&hash, out), strlen(out));
        EXPECT_STR(out, cases[i].written != NULL ? cases[i].written : cases[i].text);
    }
}

TEST(hashes_that_are_wrong)
{
    static const char *const wrong[] = {
        "",
        "$",
        "argon2id$v=19$m=64,t=2,p=1$" H "$" H,
        "$argon2i$v=19$m=64,t=2,p=1$" H "$" H,
        "$argon2d$v=19$m=64,t=2,p=1$" H "$" H,
        "$argon2id$v=16$m=64,t=2,p=1$" H "$" H,
        "$argon2id$m=64,t=2,p=1$" H "$" H,
        "$argon2id$v=19$t=2,m=64,p=1$" H "$" H,
        "$argon2id$v=19$m=64,t=2$" H "$" H,
        "$argon2id$v=19$m=64,t=2,p=1,k=x$" H "$" H,
        "$argon2id$v=19$m=064,t=2,p=1$" H "$" H,
        "$argon2id$v=19$m=-64,t=2,p=1$" H "$" H,
        "$argon2id$v=19$m=64,t=99999999999,p=1$" H "$" H,
        "$argon2id$v=19$m=4294967360,t=2,p=1$" H "$" H,
        "$argon2id$v=19$m=262145,t=1,p=1$" H "$" H,
        "$argon2id$v=19$m=64,t=2,p=0$" H "$" H,
        "$argon2id$v=19$m=64,t=2,p=9$" H "$" H,
        "$argon2id$v=19$m=64,t=2,p=1$" H,
        "$argon2id$v=19$m=64,t=2,p=1$" H "$",
        "$argon2id$v=19$m=64,t=2,p=1$$" H,
        "$argon2id$v=19$m=64,t=2,p=1$" H "$" H "$",
        "$argon2id$v=19$m=64,t=2,p=1$" H "==$" H,
        "$argon2id$v=19$m=64,t=2,p=1$AAAA$" H,
        "$argon2id$v=19$m=64,t=2,p=1$" H "$AAAA",
        "$pbkdf2-sha256$i=999$" H "$" H,
        "$pbkdf2-sha256$i=10000001$" H "$" H,
        "$pbkdf2-sha256$i=$" H "$" H,
        "$pbkdf2-sha256$$" H "$" H,
        "$pbkdf2-sha1$i=1000$" H "$" H,
        "$pbkdf2-sha256$i=1000,l=32$" H "$" H,
        "$2b$12$abcdefghijklmnopqrstuv",
    };
    static char endless[4 * MAX_HASH_TEXT];
    struct fault fault;
    struct auth_hash hash;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        fault = (struct fault){0};
        if (auth_hash_parse(&hash, slice_of(wrong[i]), &fault) != ERR_INVALID)
            UNIT_FAIL("taken: %s", wrong[i]);
        EXPECT(fault.words[0] != '\0');
    }
    memset(endless, 'A', sizeof(endless));
    memcpy(endless, "$pbkdf2-sha256$i=1000$", 22);
    EXPECT_EQ(auth_hash_parse(&hash, slice_make(endless, sizeof(endless)), &fault), ERR_INVALID);
}

/* ---- making ---- */

TEST(passwords_are_prepared_or_refused)
{
    static const struct {
        const char *typed, *prepared; /* NULL: refused */
    } cases[] = {
        {"pencil", "pencil"},
        {" ~", " ~"},
        {"\xc3\x9f\xc5\xbe\xce\xb1\xd0\xb6", "\xc3\x9f\xc5\xbe\xce\xb1\xd0\xb6"},
        {"I\xc2\xadX", "IX"},
        {"a\xc2\xa0\x62", "a b"},
        {"\xe6\xbc\xa2\xe3\x81\x82\xea\xb0\x80", "\xe6\xbc\xa2\xe3\x81\x82\xea\xb0\x80"},
        {"", NULL},
        {"\xc2\xad", NULL},
        {"a\x07", NULL},
        {"\x7f", NULL},
        {"\xc2\xaa", NULL},         /* becomes a */
        {"\xe2\x85\xa8", NULL},     /* becomes IX */
        {"e\xcc\x81", NULL},        /* composes */
        {"\xd8\xa7\x31", NULL},     /* written from right to left */
        {"\xf0\x9f\x98\x80", NULL}, /* not in Unicode 3.2 */
        {"\xff", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fault fault = {0};
        char out[64];
        size_t len = 0;
        int err = prepare_password(slice_of(cases[i].typed), out, &len, &fault);

        EXPECT_EQ(err == 0, cases[i].prepared != NULL);
        if (err == 0)
            EXPECT_SLICE(slice_make(out, len), slice_of(cases[i].prepared));
        else
            EXPECT(strstr(fault.words, "the password") == fault.words);
    }
}

TEST(nothing_is_made_of_wrong_input)
{
    static const struct kdf none = {.kind = KDF_NONE}, weak = {KDF_PBKDF2, 4095, 0, 0},
                            wide = {KDF_ARGON2ID, 1, 64, 2}, small = {KDF_ARGON2ID, 1, 7, 1},
                            fine = {KDF_ARGON2ID, 1, 64, 1};
    static char longest[MAX_SECRET_LEN + 1];
    struct slice too_long = slice_make(longest, sizeof(longest));
    struct blob *blob;
    struct fault fault;
    struct encoder e;
    struct stage s;

    memset(longest, 'x', sizeof(longest));
    stage_init(&s, CODEC_JSON);
    encode_start(&e, CODEC_JSON, 0);
    encode_map(&e, COUNT_UNKNOWN);
    EXPECT_EQ(auth_record_make_ticket(&e, SLICE(""), &fine, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_ticket(&e, too_long, &fine, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_ticket(&e, SLICE("x"), &none, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_ticket(&e, SLICE("x"), &small, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_wampcra(&e, SLICE(""), 1000, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_wampcra(&e, too_long, 0, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_wampcra(&e, SLICE("x"), 999, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_scram(&e, SLICE(""), &fine, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_scram(&e, SLICE("x"), &none, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_scram(&e, SLICE("x"), &weak, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_scram(&e, SLICE("x"), &wide, &s.rng, &fault), ERR_INVALID);
    EXPECT_EQ(auth_record_make_scram(&e, SLICE("\x01"), &fine, &s.rng, &fault), ERR_INVALID);
    EXPECT(strstr(fault.words, "U+0001") != NULL);
    encode_end(&e);
    blob = encode_finish(&e);
    EXPECT_SLICE(blob_slice(blob), SLICE("{}"));
    blob_drop(blob);
    stage_fini(&s);
}
