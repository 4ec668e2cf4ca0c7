/* module_jwt_test.c -- nexus.crypto.jwt, against tokens of RFC 7515 and 8037 and of libcrypto.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/base64.h"
#include "module_kit.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define NEXUS "local nexus <const> = require 'nexus' local jwt <const> = nexus.crypto.jwt "

/* RFC 7515, A.1. */
#define HS_KEY                                                                            \
    "{ kty = 'oct', k = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0" \
    "iPS4hcgUuTwjAzZr1Z9CAow' }"
#define HS_TOKEN                                                                              \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQ" \
    "ogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWF" \
    "OEjXk"
/* A.3. */
#define ES_KEY                                                                        \
    "{ kty = 'EC', crv = 'P-256', x = 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU'," \
    " y = 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' }"
#define ES_TOKEN                                                                              \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcG" \
    "xlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa" \
    "8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
/* RFC 8037, A.4; what is signed is no JSON. */
#define ED_KEY "{ kty = 'OKP', crv = 'Ed25519', x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }"
#define ED_TOKEN                                                                              \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09" \
    "PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static uint64_t wall_ms = UINT64_C(1300819000000);

static uint64_t test_wall(const struct host *host)
{
    (void)host;
    return wall_ms;
}

static void open_kit(void)
{
    kit_open_module();
    kit_host.wall = test_wall;
    wall_ms = UINT64_C(1300819000000);
}

TEST(tokens_of_the_rfcs)
{
    open_kit();
    EXPECT_RESULT(NEXUS "local t = jwt('" HS_TOKEN "', { alg = 'HS256', key = " HS_KEY " }) "
                        "return t.iss, t.exp, t['http://example.com/is_root']",
                  "joe\t1300819380\ttrue");
    EXPECT_RESULT(NEXUS "local t = jwt('" ES_TOKEN "', { alg = 'ES256', key = " ES_KEY ", "
                        "issuer = 'joe' }) return t.iss",
                  "joe");
    EXPECT_RESULT(NEXUS "return jwt('" ED_TOKEN "', { alg = 'EdDSA', key = " ED_KEY " })",
                  "nil\tthe claims are no dict in JSON");
    EXPECT_RESULT(NEXUS "return jwt((('" ED_TOKEN "'):gsub('hgy', 'hgz')), { alg = 'EdDSA', "
                        "key = " ED_KEY " })",
                  "nil\tthe signature is wrong");
    kit_close_module();
}

/* ---- tokens of our own ---- */

static size_t sign(EVP_PKEY *key, const char *md, const char *text, unsigned char *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = 1024;
    const unsigned char *at;
    ECDSA_SIG *pair;
    unsigned char der[1024];

    EXPECT_EQ(EVP_DigestSignInit_ex(context, NULL, md, NULL, NULL, key, NULL), 1);
    EXPECT_EQ(EVP_DigestSign(context, der, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
        memcpy(out, der, len);
        return len;
    }
    at = der;
    pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32), 32);
    EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32), 32);
    ECDSA_SIG_free(pair);
    return 64;
}

static char token[8000];

/* secret NULL: signed with the key; otherwise HMAC over SHA-256. */
static const char *make(const char *header, const char *claims, EVP_PKEY *key, const char *md,
                        const char *secret)
{
    unsigned char signature[1024];
    unsigned hmac_len = 0;
    size_t len = base64url_encode(slice_of(header), token), signature_len;

    token[len++] = '.';
    len += base64url_encode(slice_of(claims), token + len);
    token[len] = '\0';
    if (secret == NULL) {
        signature_len = sign(key, md, token, signature);
    } else {
        HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)token, len, signature,
             &hmac_len);
        signature_len = hmac_len;
    }
    token[len++] = '.';
    len += base64url_encode(slice_make(signature, signature_len), token + len);
    token[len] = '\0';
    return token;
}

static char code[20000];

/* What jwt gives for the token and the options. */
static const char *judge(const char *options)
{
    snprintf(code, sizeof(code),
             NEXUS "local t, words = jwt([[%s]], %s) return t and t.sub or words", token, options);
    if (kit_run(code) != DOOR_RETURNED)
        return kit.answer.message;
    return kit.results;
}

static const char *hmac(const char *claims, const char *options)
{
    make("{\"alg\":\"HS256\"}", claims, NULL, NULL, "a secret of thirty-two octets !!");
    return judge(options);
}

#define SECRET     "key = 'a secret of thirty-two octets !!'"
#define HS         "{ alg = 'HS256', " SECRET " }"
#define WITH(more) "{ alg = 'HS256', " SECRET ", " more " }"

TEST(times)
{
    open_kit();
    wall_ms = 1000000;
    EXPECT_STR(hmac("{\"sub\":\"bob\"}", HS), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":1001}", HS), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":1000}", HS), "expired");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":1000}", WITH("leeway = 5")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":995}", WITH("leeway = 5")), "expired");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":\"1001\"}", HS), "exp is no time");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":null}", HS), "exp is no time");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"exp\":1e300}", HS), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"nbf\":1000}", HS), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"nbf\":1001}", HS), "not valid yet");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"nbf\":1001}", WITH("leeway = 1.5")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"nbf\":[]}", HS), "nbf is no time");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"iat\":1001}", HS), "issued in the future");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"iat\":true}", HS), "iat is no time");
    kit_close_module();
}

TEST(who_it_is_for)
{
    open_kit();
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"aud\":\"a\"}", WITH("audience = 'a'")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"aud\":[\"x\",\"a\"]}", WITH("audience = 'a'")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"aud\":[\"x\",\"a\"]}", WITH("audience = { 'b', 'a' }")),
               "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"aud\":\"b\"}", WITH("audience = 'a'")),
               "for another audience");
    EXPECT_STR(hmac("{\"sub\":\"bob\"}", WITH("audience = 'a'")), "for another audience");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"aud\":{\"a\":\"a\"}}", WITH("audience = 'a'")),
               "for another audience");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"iss\":\"i\"}", WITH("issuer = { 'h', 'i' }")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\",\"iss\":[\"i\"]}", WITH("issuer = 'i'")),
               "of another issuer");
    EXPECT_STR(hmac("{\"sub\":\"bob\"}", WITH("issuer = 'i'")), "of another issuer");
    EXPECT_STR(hmac("{\"sub\":\"bob\"}", WITH("subject = 'bob'")), "bob");
    EXPECT_STR(hmac("{\"sub\":\"bob\"}", WITH("subject = 'eve'")), "of another subject");
    kit_close_module();
}

TEST(malformed_tokens)
{
    static const char *const cases[][2] = {
        {"", "not three parts with points in between"},
        {"a.b", "not three parts with points in between"},
        {"a.b.c.d", "not three parts with points in between"},
        {"a.b.c", "the header is no dict in JSON"},
        {"e30.e30.", "the header names no alg"},
        {"W10.e30.", "the header is no dict in JSON"},
        {"eyJhbGciOiJub25lIn0.e30.", "its alg is not allowed"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.", "the signature is wrong"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", "the signature is wrong"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.*", "the signature is not base64url"},
        {"eyJhbGciOiJIUzI1NiJ9==.e30.AAAA", "the header is no dict in JSON"},
    };

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(token, sizeof(token), "%s", cases[i][0]);
        EXPECT_STR(judge(HS), cases[i][1]);
    }
    make("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "{}", NULL, NULL, "x");
    EXPECT_STR(judge(HS), "crit asks for what is not known");
    make("{\"alg\":\"HS256\"}", "[1]", NULL, NULL, "a secret of thirty-two octets !!");
    EXPECT_STR(judge(HS), "the claims are no dict in JSON");
    EXPECT_RESULT(NEXUS "return jwt(('x'):rep(20000), " HS ")", "nil\tlonger than 16384 octets");
    kit_close_module();
}

static char pem[4000];

static EVP_PKEY *generate(const char *type, const void *parameter)
{
    EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048)
                                             : EVP_PKEY_Q_keygen(NULL, NULL, type, parameter);
    BIO *bio = BIO_new(BIO_s_mem());
    int len;

    EXPECT(key != NULL && PEM_write_bio_PUBKEY(bio, key) == 1);
    len = BIO_read(bio, pem, sizeof(pem) - 1);
    pem[len < 0 ? 0 : len] = '\0';
    BIO_free(bio);
    return key;
}

static const char *with_pem(const char *algs)
{
    static char options[4200];

    snprintf(options, sizeof(options), "{ alg = %s, key = [[%s]] }", algs, pem);
    return options;
}

TEST(keys_of_rsa)
{
    static const char *const algs[][2] = {
        {"RS256", "SHA256"}, {"RS384", "SHA384"}, {"RS512", "SHA512"}};
    EVP_PKEY *key = generate("RSA", NULL);
    char header[60], wanted[40];

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[i][0]);
        snprintf(wanted, sizeof(wanted), "'%s'", algs[i][0]);
        make(header, "{\"sub\":\"bob\"}", key, algs[i][1], NULL);
        EXPECT_STR(judge(with_pem(wanted)), "bob");
        token[strlen(token) - 30] ^= 1;
        EXPECT(strcmp(judge(with_pem(wanted)), "bob") != 0);
    }
    make("{\"alg\":\"RS256\"}", "{\"sub\":\"bob\"}", key, "SHA512", NULL);
    EXPECT_STR(judge(with_pem("'RS256'")), "the signature is wrong");
    EVP_PKEY_free(key);
    kit_close_module();
}

/* The classic: a public key used as the secret of HMAC. */
TEST(algorithms_are_not_mixed_up)
{
    EVP_PKEY *key = generate("RSA", NULL);

    open_kit();
    make("{\"alg\":\"HS256\"}", "{\"sub\":\"eve\"}", NULL, NULL, pem);
    EXPECT_STR(judge(with_pem("'RS256'")), "its alg is not allowed");
    EXPECT_STR(judge(with_pem("{ 'RS256', 'HS256' }")), "the key is none for its alg");
    make("{\"alg\":\"none\"}", "{\"sub\":\"eve\"}", NULL, NULL, "");
    EXPECT_STR(judge(with_pem("{ 'RS256', 'HS256' }")), "its alg is not allowed");
    make("{\"alg\":\"ES256\"}", "{\"sub\":\"eve\"}", key, "SHA256", NULL);
    EXPECT_STR(judge(with_pem("{ 'RS256', 'ES256' }")), "the key is none for its alg");
    make("{\"alg\":\"hs256\"}", "{\"sub\":\"eve\"}", NULL, NULL, pem);
    EXPECT_STR(judge(with_pem("'HS256'")), "its alg is not allowed");
    EVP_PKEY_free(key);
    kit_close_module();
}

TEST(keys_of_curves)
{
    EVP_PKEY *key = generate("EC", "P-256");

    open_kit();
    make("{\"alg\":\"ES256\"}", "{\"sub\":\"bob\"}", key, "SHA256", NULL);
    EXPECT_STR(judge(with_pem("'ES256'")), "bob");
    EVP_PKEY_free(key);
    key = generate("ED25519", NULL);
    make("{\"alg\":\"EdDSA\"}", "{\"sub\":\"bob\"}", key, NULL, NULL);
    EXPECT_STR(judge(with_pem("{ 'ES256', 'EdDSA' }")), "bob");
    EVP_PKEY_free(key);
    key = generate("EC", "P-384");
    EXPECT_STR(judge(with_pem("'EdDSA'")),
               "policy.lua:1: nexus.crypto.jwt.key: its curve is not P-256");
    EVP_PKEY_free(key);
    kit_close_module();
}

TEST(sets_of_keys)
{
    open_kit();
    make("{\"alg\":\"HS256\",\"kid\":\"two\"}", "{\"sub\":\"bob\"}", NULL, NULL, "abc");
#define ONE "{ kty = 'oct', kid = 'one', k = 'eHl6' }"
#define TWO "{ kty = 'oct', kid = 'two', k = 'YWJj' }"
    EXPECT_STR(judge("{ alg = 'HS256', key = { keys = { " ONE ", " TWO " } } }"), "bob");
    EXPECT_STR(judge("{ alg = 'HS256', key = { keys = { " ONE " } } }"), "there is no key for it");
    EXPECT_STR(judge("{ alg = 'HS256', key = { kty = 'oct', k = 'YWJj', alg = 'HS512' } }"),
               "there is no key for it");
    EXPECT_STR(judge("{ alg = 'HS256', key = { kty = 'oct', k = 'YWJj', use = 'enc' } }"),
               "there is no key for it");
    EXPECT_STR(judge("{ alg = 'HS256', key = '{\"kty\":\"oct\",\"k\":\"YWJj\"}' }"), "bob");
    EXPECT_STR(judge("{ alg = 'HS256', key = nexus.bytes('abc') }"), "bob");
    EXPECT_STR(judge("{ alg = 'HS256', key = { kty = 'oct', k = 'Y*Jj' } }"),
               "policy.lua:1: nexus.crypto.jwt.key.k: found a text that is not base64url");
    EXPECT_STR(judge("{ alg = 'HS256', key = { kty = 'EC', crv = 'P-521' } }"),
               "policy.lua:1: nexus.crypto.jwt.key: its kty and crv are none of: oct; RSA; EC with "
               "P-256; OKP with Ed25519");
    EXPECT_STR(judge("{ alg = 'HS256', key = { kty = 'oct', k = '' } }"),
               "policy.lua:1: nexus.crypto.jwt.key: the secret is empty");
    kit_close_module();
}

TEST(wrong_options)
{
    open_kit();
    make("{\"alg\":\"HS256\"}", "{\"sub\":\"bob\"}", NULL, NULL, "abc");
    EXPECT_STR(
        judge("{ key = 'abc' }"),
        "policy.lua:1: nexus.crypto.jwt.alg: found nil; allowed: HS256, HS384, HS512, RS256, "
        "RS384, RS512, ES256, EdDSA");
    EXPECT_STR(judge("{ alg = 'none', key = 'abc' }"),
               "policy.lua:1: nexus.crypto.jwt.alg: found none; allowed: HS256, HS384, HS512, "
               "RS256, RS384, RS512, ES256, EdDSA");
    EXPECT_STR(judge("{ alg = {}, key = 'abc' }"),
               "policy.lua:1: nexus.crypto.jwt.alg: found 0 names; allowed: 1 to 8");
    EXPECT_STR(judge("{ alg = 'HS256' }"),
               "policy.lua:1: nexus.crypto.jwt.key: found nil; allowed: a secret, PEM, a JWK");
    EXPECT_STR(judge("{ alg = 'HS256', key = 'abc', audiense = 'a' }"),
               "policy.lua:1: nexus.crypto.jwt: audiense: no such option (did you mean "
               "\"audience\"?)");
    EXPECT_STR(
        judge("{ alg = 'HS256', key = 'abc', audience = 1 }"),
        "policy.lua:1: nexus.crypto.jwt.audience: found a number; allowed: a text, or a list "
        "of 1 to 32 texts");
    EXPECT_STR(judge("{ alg = 'HS256', key = 'abc', audience = {} }"),
               "policy.lua:1: nexus.crypto.jwt.audience: found a table; allowed: a text, or a list "
               "of 1 to 32 texts");
    EXPECT_STR(
        judge("{ alg = 'HS256', key = 'abc', leeway = 1e9 }"),
        "policy.lua:1: nexus.crypto.jwt.leeway: found 1000000000.0; allowed: seconds, from 0 "
        "to 3600");
    EXPECT_STR(judge("{ alg = 'EdDSA', key = 'abc' }"), "its alg is not allowed");
    make("{\"alg\":\"EdDSA\"}", "{\"sub\":\"bob\"}", NULL, NULL, "abc");
    EXPECT_STR(judge("{ alg = 'EdDSA', key = 'abc' }"),
               "policy.lua:1: nexus.crypto.jwt.key: it is none of: PEM; a JWK; the 32 octets of an "
               "Ed25519 key, also in hexadecimal or base64");
    kit_close_module();
}
