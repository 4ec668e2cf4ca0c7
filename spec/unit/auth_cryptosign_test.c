/* auth_cryptosign_test.c -- vectors, binding, the router's own signature, keys of nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#define CLIENT_SEED "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define CLIENT_KEY  "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664"
#define CHALLENGE   "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define CHANNEL     "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
#define E0          "e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0"
#define ROUTER_SEED "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40"
#define ROUTER_KEY  "e7f162a10bec559afea195e4dce84b69568d5d2cb0963eb446c0685e2b17f2f0"
#define ASKED       "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
#define X80         "8080808080808080808080808080808080808080808080808080808080808080"
#define GOOD                                                           \
    "c8d40ca74c08190fc337f66e9cd0ed9edc773dec61a6dfc857b6efbcb1178d63" \
    "44f79a13ae525207dce0ff23472497d7c9c7e5ad8b47d1b2afb772b724add20c"
#define BOUND                                                          \
    "b15bfff94145c87546a7370572e0b511892f6d3a9826a48d6285aa941b063b1d" \
    "c0444f0aa898d9ffafdb0170721da117d245afcf983fa6de64b6f8ce514cb20b"
#define RECORD            "{\"authrole\":\"device\",\"pubkeys\":\"" CLIENT_KEY "\"}"
#define HELLO             "{\"pubkey\":\"" CLIENT_KEY "\"}"
#define HELLO_BOUND(kind) "{\"pubkey\":\"" CLIENT_KEY "\",\"channel_binding\":\"" kind "\"}"

static unsigned char channel[32], drawn[32];

static void fill_drawn(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)buf)[i] = drawn[i % 32];
}

/* The next challenge is this one. */
static void will_draw(struct stage *s, const char *challenge)
{
    unhex_into(challenge, drawn, sizeof(drawn));
    rng_init(&s->rng, fill_drawn, NULL);
}

static void set_scene(struct stage *s, enum codec codec, const char *record)
{
    stage_init(s, codec);
    s->request.authid = (struct slice){0};
    unhex_into(CHANNEL, channel, sizeof(channel));
    s->bindings = (struct auth_bindings){.tls_exporter = slice_make(channel, sizeof(channel)),
                                         .is_tls13 = true};
    s->request.bindings = &s->bindings;
    will_draw(s, CHALLENGE);
    stage_record(s, "cryptosign", record);
}

static enum auth_step answer(struct stage *s, const char *hello, const char *signature)
{
    EXPECT_EQ(stage_begin(s, "cryptosign", hello), AUTH_CHALLENGE);
    return stage_check(s, signature, "{}");
}

/* ---- vectors ---- */

static void check_vectors(enum codec codec)
{
    struct stage s;

    set_scene(&s, codec, RECORD);
    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "challenge"), CHALLENGE);
    EXPECT_STR(stage_told(&s, "channel_binding"), "null");
    EXPECT(stage_said(&s, "pubkey") == NULL && stage_said(&s, "signature") == NULL);
    EXPECT_EQ(stage_check(&s, GOOD CHALLENGE, "{}"), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE(CLIENT_KEY));
    EXPECT_STR(stage_welcome(&s), "");
    EXPECT_EQ(answer(&s, HELLO, GOOD), AUTH_OK); /* bare */

    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO_BOUND("tls-exporter")), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "challenge"), CHALLENGE);
    EXPECT_STR(stage_told(&s, "channel_binding"), "tls-exporter");
    EXPECT_EQ(stage_check(&s, BOUND E0, "{}"), AUTH_OK);
    EXPECT_DENIED(answer(&s, HELLO_BOUND("tls-exporter"), GOOD CHALLENGE), &s, NULL);
    EXPECT_DENIED(answer(&s, HELLO, BOUND E0), &s, NULL);
    channel[31] ^= 1;
    EXPECT_DENIED(answer(&s, HELLO_BOUND("tls-exporter"), BOUND E0), &s, NULL);
    stage_fini(&s);
}

TEST(the_vectors_in_every_codec)
{
    each_codec(check_vectors);
}

static const char published_channel[] =
    "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff";

static const struct published {
    const char *pubkey, *seed, *challenge, *plain, *bound;
} published[] = {
    {"1adfc8bfe1d35616e64dffbd900096f23b066f914c8c2ffbb66f6075b96e116d",
     "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0c"
     "ae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03",
     "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3"
     "e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f"},
    {"6ed32739ff04a6074044ff0b0e3bfc7c856bc9d5f1d25efc57363bda0af3a8b0",
     "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
     "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
     "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372"
     "190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f",
     "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a42"
     "7c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01"},
    {"28e11f427b82b9a625ee7ac89a7d29326b505f2dc11dd88c1245f83b6da79a85",
     "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
     "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
     "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1e"
     "c184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b",
     "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4"
     "d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608"},
};

static void run_published(const struct published *v)
{
    const char *hello = text("{\"pubkey\":\"%s\"}", v->pubkey);
    const char *bound = text("{\"pubkey\":\"%s\",\"channel_binding\":\"tls-exporter\"}", v->pubkey);
    unsigned char message[32];
    struct stage s;

    set_scene(&s, CODEC_JSON, text("{\"authrole\":\"device\",\"pubkeys\":[\"%s\"]}", v->pubkey));
    unhex_into(published_channel, channel, sizeof(channel));
    will_draw(&s, v->challenge);
    EXPECT_EQ(answer(&s, hello, text("%s%s", v->plain, v->challenge)), AUTH_OK);
    for (size_t i = 0; i < 32; i++)
        message[i] = (unsigned char)(drawn[i] ^ channel[i]);
    EXPECT_EQ(answer(&s, bound, text("%s%s", v->bound, hex_of(message, 32))), AUTH_OK);
    EXPECT_DENIED(answer(&s, bound, text("%s%s", v->bound, v->challenge)), &s, NULL);
    EXPECT_DENIED(answer(&s, hello, text("%s%s", v->bound, hex_of(message, 32))), &s, NULL);
    stage_fini(&s);
}

TEST(the_published_vectors)
{
    for (size_t i = 0; i < ARRAY_LEN(published); i++)
        run_published(&published[i]);
}

TEST(the_published_exchange)
{
    static const char key[] = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122";
    struct stage s;

    set_scene(&s, CODEC_JSON, text("{\"authrole\":\"device\",\"pubkeys\":\"%s\"}", key));
    unhex_into("e973bee24dcea9e20625f949c0e3cd28d632ccbefe4907c2fac2728710f7b160", channel, 32);
    will_draw(&s, "358625312c6c3bf64ed51d17d210ce21af1639c774cabf5735a9651d7d91fc6a");
    EXPECT_EQ(answer(&s, text("{\"pubkey\":\"%s\",\"channel_binding\":\"tls-exporter\"}", key),
                     "25114474580d6e99a6126b091b4565c23db567d686c5b8c3a94e3f2f09dc8030"
                     "0c5b40a124236733fa56396df721eb12ac092362379bd5b27b4db9e2beaa1408"
                     "dcf59bd361a2921448f0e45e12f303097924f5798a83b895cf6b179a6d664d0a"),
              AUTH_OK);
    stage_fini(&s);
}

/* The other exchange that is published: what its client signed, and what its router did; a router signs
 * by the same rule, so its key is taken for one of a client here. */
TEST(the_published_exchange_in_which_the_router_signs)
{
    static const struct {
        const char *key, *challenge, *signature;
    } sides[] = {
        {"545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122",
         "0e9192bc08512c8198da159c1ae600ba91729215f35d56102ee318558e773537",
         "a3a178fe792ed772a8fc092f8341e455de96670c8901264a7c312dbf940d5743"
         "626fe9fbc29b23dcd2169b308eca309de85a89ccd296b24835de3d95b16b7703"},
        {"4a3838f6fe75251e613329d53fc69b262d5eac97fb1d73bebbaed4015b53c862",
         "bbae60ea44cdd7b20dc7010a618b0f0803fab25a817520b4b7f057299b524deb",
         "fd5128d2d207ba58a9d1d6f41b72c747964ad9d1294077b3b1eee6130b05843a"
         "b12c53c7f2519f73d4feb82db19d8ca0fc26b62bde6518e79a882f5795bc9f00"},
    };

    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        const char *hello = text("{\"pubkey\":\"%s\"}", sides[i].key);
        struct stage s;

        set_scene(&s, CODEC_JSON,
                  text("{\"authrole\":\"device\",\"pubkeys\":\"%s\"}", sides[i].key));
        will_draw(&s, sides[i].challenge);
        EXPECT_EQ(answer(&s, hello, text("%s%s", sides[i].signature, sides[i].challenge)), AUTH_OK);
        EXPECT_DENIED(answer(&s, hello, text("%s%s", sides[1 - i].signature, sides[i].challenge)),
                      &s, NULL);
        stage_fini(&s);
    }
}

/* ---- the router proves itself ---- */

static void check_router(enum codec codec)
{
    const char *hello = "{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"" ASKED "\"}";
    const char *bound = "{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"" ASKED
                        "\",\"channel_binding\":\"tls-exporter\"}";
    struct stage s;

    set_scene(&s, codec, RECORD);
    EXPECT_EQ(stage_begin(&s, "cryptosign", hello), AUTH_CHALLENGE); /* no key of the router */
    EXPECT(stage_said(&s, "pubkey") == NULL && stage_said(&s, "signature") == NULL);
    s.settings.has_router_key = true;
    unhex_into(ROUTER_SEED, s.settings.router_seed, 32);
    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO), AUTH_CHALLENGE); /* not asked */
    EXPECT(stage_said(&s, "pubkey") == NULL && stage_said(&s, "signature") == NULL);
    EXPECT_EQ(stage_begin(&s, "cryptosign", hello), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "pubkey"), ROUTER_KEY);
    EXPECT_STR(stage_told(&s, "signature"),
               "0a5ffcdbd6624b78db71ce0acd909333510844989f846b93cafb953c5920d1a9"
               "6cce9236c94cfd968c756993d7bb70b587644590fbc9fb3cbadc0d855730120f" ASKED);
    EXPECT_EQ(stage_begin(&s, "cryptosign", bound), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "signature"),
               "fd88eae3371efa4da08fceae3abaf448a9cc0be58d7bc76530cd59f2203181e2"
               "8b1a6085dcf0db1823750c5cd6817dc628c9ce7f19246602d4479d9d027a5906" X80);
    EXPECT_EQ(stage_check(&s, BOUND E0, NULL), AUTH_OK);
    stage_fini(&s);
}

TEST(the_router_signs_what_the_client_asks)
{
    each_codec(check_router);
}

/* The same keys and challenges, the other way round: the router signs. */
static void sign_published(const struct published *v)
{
    const char *hello = text("{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"%s\"}", v->challenge);
    const char *bound = text("{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"%s\","
                             "\"channel_binding\":\"tls-exporter\"}",
                             v->challenge);
    unsigned char message[32];
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    unhex_into(published_channel, channel, sizeof(channel));
    s.settings.has_router_key = true;
    unhex_into(v->seed, s.settings.router_seed, 32);
    EXPECT_EQ(stage_begin(&s, "cryptosign", hello), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "pubkey"), v->pubkey);
    EXPECT_STR(stage_told(&s, "signature"), text("%s%s", v->plain, v->challenge));
    EXPECT_EQ(stage_begin(&s, "cryptosign", bound), AUTH_CHALLENGE);
    unhex_into(v->challenge, message, sizeof(message));
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] ^= channel[i];
    EXPECT_STR(stage_told(&s, "signature"), text("%s%s", v->bound, hex_of(message, 32)));
    stage_fini(&s);
}

TEST(the_router_signs_as_published)
{
    for (size_t i = 0; i < ARRAY_LEN(published); i++)
        sign_published(&published[i]);
}

/* ---- HELLO ---- */

static void check_bad_hello(enum codec codec)
{
    static const struct {
        const char *extra, *words;
    } cases[] = {
        {NULL, "authextra.pubkey"},
        {"{}", "authextra.pubkey"},
        {"{\"pubkey\":null}", "authextra.pubkey"},
        {"{\"pubkey\":\"\"}", "authextra.pubkey"},
        {"{\"pubkey\":7}", "authextra.pubkey"},
        {"{\"pubkey\":[\"" CLIENT_KEY "\"]}", "authextra.pubkey"},
        {"{\"pubkey\":\"79b5562e8fe654f9\"}", "authextra.pubkey"},
        {"{\"pubkey\":\"" CLIENT_KEY "00\"}", "authextra.pubkey"},
        {"{\"pubkey\":\"0x" CLIENT_KEY "\"}", "authextra.pubkey"},
        {"{\"pubkey\":\"g9b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664\"}",
         "authextra.pubkey"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"\"}", "authextra.challenge"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":1}", "authextra.challenge"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"abcd\"}", "authextra.challenge"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"challenge\":\"" ASKED "0\"}", "authextra.challenge"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"channel_binding\":1}", "authextra.channel_binding"},
        {"{\"pubkey\":\"" CLIENT_KEY "\",\"channel_binding\":{}}", "authextra.channel_binding"},
    };
    struct stage s;

    set_scene(&s, codec, RECORD);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_REFUSED(stage_begin(&s, "cryptosign", cases[i].extra), &s,
                       WAMP_AUTHENTICATION_FAILED, NULL, cases[i].words);
    EXPECT_EQ(answer(&s,
                     "{\"pubkey\":\"79B5562E8FE654F94078B112E8A98BA7901F853AE695BED7E0E3910BAD04"
                     "9664\",\"challenge\":null,\"channel_binding\":null,\"trustroot\":\"0x\"}",
                     GOOD CHALLENGE),
              AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE(CLIENT_KEY)); /* we write lower case */
    stage_fini(&s);
}

TEST(a_hello_that_lacks_or_garbles_something)
{
    each_codec(check_bad_hello);
}

TEST(a_binding_that_is_not_there_is_gone_without_unless_required)
{
    static const char *const hellos[] = {HELLO, HELLO_BOUND("tls-exporter"),
                                         HELLO_BOUND("tls-unique"),
                                         HELLO_BOUND("tls-server-end-point"), HELLO_BOUND("x")};
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    s.request.bindings = NULL;
    for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
        s.settings.require_binding = false;
        EXPECT_EQ(stage_begin(&s, "cryptosign", hellos[i]), AUTH_CHALLENGE);
        EXPECT_STR(stage_told(&s, "channel_binding"), "null");
        EXPECT_EQ(stage_check(&s, GOOD CHALLENGE, NULL), AUTH_OK);
        s.settings.require_binding = true;
        EXPECT_REFUSED(stage_begin(&s, "cryptosign", hellos[i]), &s, WAMP_AUTHENTICATION_FAILED,
                       NULL, "channel_binding");
    }
    s.request.bindings = &s.bindings;
    EXPECT_EQ(answer(&s, HELLO_BOUND("tls-exporter"), BOUND E0), AUTH_OK);
    stage_fini(&s);
}

TEST(tls_unique_is_hashed_and_not_for_tls_13)
{
    unsigned char finished[12] = "finished msg", id[32];
    unsigned char seed[32], signature[64];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY *key;
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    s.bindings = (struct auth_bindings){.tls_unique = slice_make(finished, sizeof(finished))};
    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO_BOUND("tls-unique")), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "channel_binding"), "tls-unique");
    EVP_Digest(finished, sizeof(finished), id, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < 32; i++)
        id[i] ^= drawn[i];
    unhex_into(CLIENT_SEED, seed, 32);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_DigestSignInit(context, NULL, NULL, NULL, key);
    EXPECT_EQ(EVP_DigestSign(context, signature, &len, id, 32), 1);
    EXPECT_EQ(stage_check(&s, text("%s%s", hex_of(signature, 64), hex_of(id, 32)), NULL), AUTH_OK);
    s.bindings.is_tls13 = true;
    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO_BOUND("tls-unique")), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "channel_binding"), "null");
    s.settings.tls_unique_tls13 = true;
    EXPECT_EQ(stage_begin(&s, "cryptosign", HELLO_BOUND("tls-unique")), AUTH_CHALLENGE);
    EXPECT_STR(stage_told(&s, "channel_binding"), "tls-unique");
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(context);
    stage_fini(&s);
}

/* ---- AUTHENTICATE ---- */

TEST(signatures_of_another_form_are_refused)
{
    static const char *const wrong[] = {
        "",
        GOOD CHALLENGE "00",
        GOOD E0,
        GOOD GOOD,
        CHALLENGE GOOD,
        "0x" GOOD CHALLENGE,
        GOOD " " CHALLENGE,
        "yNQMp0wIGQ/DN/ZunNDtntx3PexhpQ==",
    };
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT_DENIED(answer(&s, HELLO, wrong[i]), &s, NULL);
    for (int len = 0; len < 192; len++)
        if (len != 128)
            EXPECT_DENIED(answer(&s, HELLO, text("%.*s", len, GOOD CHALLENGE)), &s, NULL);
    stage_fini(&s);
}

TEST(a_flipped_bit_is_refused)
{
    unsigned char good[96];
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    for (unsigned bit = 0; bit < sizeof(good) * 8; bit++) {
        unhex_into(GOOD CHALLENGE, good, sizeof(good));
        good[bit / 8] ^= (unsigned char)(1 << bit % 8);
        EXPECT_DENIED(answer(&s, HELLO, hex_of(good, sizeof(good))), &s, NULL);
        if (bit < 64 * 8)
            EXPECT_DENIED(answer(&s, HELLO, hex_of(good, 64)), &s, NULL);
    }
    stage_fini(&s);
}

TEST(a_signature_is_good_for_one_challenge_only)
{
    struct stage s;

    set_scene(&s, CODEC_JSON, RECORD);
    EXPECT_EQ(answer(&s, HELLO, GOOD CHALLENGE), AUTH_OK);
    EXPECT_REFUSED(stage_check(&s, GOOD CHALLENGE, NULL), &s, WAMP_PROTOCOL_VIOLATION, NULL,
                   "not expected");
    will_draw(&s, ASKED);
    EXPECT_DENIED(answer(&s, HELLO, GOOD CHALLENGE), &s, NULL);
    EXPECT_DENIED(answer(&s, HELLO, GOOD), &s, NULL);
    EXPECT_EQ(stage_check(&s, GOOD, NULL), AUTH_REFUSED); /* one try */
    stage_fini(&s);
}

TEST(keys_of_nobody_are_challenged_and_refused)
{
    char somebody[200];
    struct stage s;

    set_scene(&s, CODEC_JSON, NULL);
    EXPECT_DENIED(answer(&s, HELLO, GOOD CHALLENGE), &s, NULL);
    EXPECT_STR(auth_refusal(s.x)->reason, "there is no such principal");
    snprintf(somebody, sizeof(somebody), "%s", auth_refusal(s.x)->fault.words);
    /* Somebody else's name, with a key of one's own. */
    stage_record(&s, "cryptosign",
                 "{\"authrole\":\"device\",\"authid\":\"joe\",\"pubkeys\":\"" ROUTER_KEY "\"}");
    s.request.authid = SLICE("joe");
    EXPECT_DENIED(answer(&s, HELLO, GOOD CHALLENGE), &s, NULL);
    EXPECT_STR(auth_refusal(s.x)->reason, "the key is not of this principal");
    EXPECT_STR(auth_refusal(s.x)->fault.words, somebody);
    stage_fini(&s);
}

TEST(the_name_is_the_configured_one)
{
    struct stage s;

    set_scene(&s, CODEC_MSGPACK,
              "{\"authrole\":\"device\",\"authid\":\"d1\",\"pubkeys\":[\"" ROUTER_KEY
              "\",\"" CLIENT_KEY "\"]}");
    EXPECT_EQ(answer(&s, HELLO, GOOD CHALLENGE), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("d1"));
    s.request.authid = SLICE("d1");
    EXPECT_EQ(answer(&s, HELLO, GOOD CHALLENGE), AUTH_OK);
    s.request.authid = SLICE("d2");
    EXPECT_DENIED(answer(&s, HELLO, GOOD CHALLENGE), &s, NULL);
    stage_record(&s, "cryptosign", RECORD); /* no name of its own */
    EXPECT_EQ(answer(&s, HELLO, GOOD CHALLENGE), AUTH_OK);
    EXPECT_SLICE(auth_identity(s.x).authid, SLICE("d2"));
    stage_fini(&s);
}

TEST(what_keygen_makes_lets_its_owner_in)
{
    unsigned char seed[32], message[32], signature[64];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const char *pubkey, *record;
    size_t len = sizeof(signature);
    struct encoder e;
    struct blob *blob;
    EVP_PKEY *key;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    encode_start(&e, CODEC_JSON, 0);
    encode_map(&e, COUNT_UNKNOWN);
    auth_record_make_cryptosign(&e, &s.rng, seed);
    encode_end(&e);
    blob = encode_finish(&e);
    record = text("%.*s", SLICE_ARG(blob_slice(blob)));
    pubkey = text("%.64s", strstr(record, ":\"") + 2);
    blob_drop(blob);
    stage_record(&s, "cryptosign", text("{\"authrole\":\"user\",%s", record + 1));
    EXPECT_EQ(stage_begin(&s, "cryptosign", text("{\"pubkey\":\"%s\"}", pubkey)), AUTH_CHALLENGE);
    unhex_into(stage_told(&s, "challenge"), message, 32);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_DigestSignInit(context, NULL, NULL, NULL, key);
    EXPECT_EQ(EVP_DigestSign(context, signature, &len, message, 32), 1);
    EXPECT_EQ(stage_check(&s, text("%s%s", hex_of(signature, 64), hex_of(message, 32)), NULL),
              AUTH_OK);
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(context);
    stage_fini(&s);
}
