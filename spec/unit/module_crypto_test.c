/* module_crypto_test.c -- nexus.crypto, tokens aside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module_kit.h"

#define NEXUS "local nexus <const> = require 'nexus' local c <const> = nexus.crypto "

TEST(digests)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return c.hex(c.sha256('abc'))",
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_RESULT(NEXUS "return #c.sha512(''), c.hex(c.sha512('abc')):sub(1, 16), "
                        "c.sha256(nexus.bytes('abc')) == c.sha256('abc')",
                  "64\tddaf35a193617aba\ttrue");
    /* RFC 4231, test case 2. */
    EXPECT_RESULT(NEXUS "return c.hex(c.hmac('Jefe', 'what do ya want for nothing?'))",
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_RESULT(NEXUS "return c.hex(c.hmac('Jefe', 'what do ya want for nothing?', 'sha384')):"
                        "sub(1, 16), #c.hmac('', '', 'sha512')",
                  "af45d2e376484031\t64");
    EXPECT_RESULT(NEXUS "return c.equals('a', 'a'), c.equals('a', 'b'), c.equals('a', 'ab'), "
                        "c.equals('', '')",
                  "true\tfalse\tfalse\ttrue");
    EXPECT_FAILS(NEXUS "c.sha256(1)",
                 "policy.lua:1: bad argument #1 to 'sha256' (string or nexus.bytes expected, got "
                 "number)");
    EXPECT_FAILS(NEXUS "c.hmac('k', 'x', 'md5')",
                 "policy.lua:1: bad argument #3 to 'hmac' (invalid option 'md5')");
    EXPECT_FAILS(NEXUS "c.equals('a')",
                 "policy.lua:1: bad argument #2 to 'equals' (string or nexus.bytes expected, got "
                 "no value)");
    kit_close_module();
}

TEST(spellings)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return c.hex('\\0\\255a'), c.unhex('00FF61') == '\\0\\255a', c.unhex('')",
                  "00ff61\ttrue\t");
    EXPECT_FAILS(NEXUS "c.unhex('abc')",
                 "policy.lua:1: nexus.crypto.unhex: found 3 characters that are not all "
                 "hexadecimal digits; allowed: pairs of them");
    EXPECT_EQ(kit_run(NEXUS "c.unhex('zz')"), DOOR_FAILED);
    EXPECT_RESULT(NEXUS "return c.base64('\\255\\254a'), c.base64('\\255\\254', 'url'), "
                        "c.base64('\\255\\254'), c.unbase64('//4=') == '\\255\\254', "
                        "c.unbase64('__4', 'url') == '\\255\\254'",
                  "//5h\t__4\t//4=\ttrue\ttrue");
    EXPECT_FAILS(NEXUS "c.unbase64('a b')",
                 "policy.lua:1: nexus.crypto.unbase64: found 3 characters that are not base64; "
                 "allowed: A to Z, a to z, 0 to 9, +, / and = at the end");
    EXPECT_FAILS(NEXUS "c.unbase64('//4=', 'url')",
                 "policy.lua:1: nexus.crypto.unbase64: found 4 characters that are not base64; "
                 "allowed: A to Z, a to z, 0 to 9, - and _");
    EXPECT_FAILS(NEXUS "c.base64('a', 'hex')",
                 "policy.lua:1: bad argument #2 to 'base64' (invalid option 'hex')");
    kit_close_module();
}

TEST(random_numbers)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return #c.random(32), c.random(32) == c.random(32), #c.token(24), "
                        "#c.token(), c.token(9):match('^[%w_-]+$') ~= nil",
                  "32\tfalse\t32\t43\ttrue");
    EXPECT_RESULT(NEXUS "local u = c.uuid() return #u, u:match('^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$') "
                        "== u, u == c.uuid()",
                  "36\ttrue\tfalse");
    EXPECT_FAILS(NEXUS "c.random(1 << 40)",
                 "policy.lua:1: nexus.crypto.random: found 1099511627776; allowed: 1 to 65536 "
                 "octets");
    EXPECT_FAILS(NEXUS "c.random(0)",
                 "policy.lua:1: nexus.crypto.random: found 0; allowed: 1 to 65536 octets");
    EXPECT_FAILS(NEXUS "c.token(-1)",
                 "policy.lua:1: nexus.crypto.token: found -1; allowed: 1 to 1024 octets");
    kit_close_module();
}

TEST(signatures)
{
    /* RFC 8032, section 7.1, test 2. */
#define KEY "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define SIGNATURE                                                      \
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" \
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    kit_open_module();
    EXPECT_RESULT(NEXUS "local k, s = '" KEY "', '" SIGNATURE "' "
                        "return c.ed25519_verify(k, 'r', s), c.ed25519_verify(k, 's', s), "
                        "c.ed25519_verify(c.unhex(k), 'r', nexus.bytes(c.unhex(s)))",
                  "true\tfalse\ttrue");
    EXPECT_FAILS(NEXUS "c.ed25519_verify('short', 'r', '" SIGNATURE "')",
                 "policy.lua:1: nexus.crypto.ed25519_verify: key: found 5 octets; allowed: 32, or "
                 "64 hexadecimal digits");
    EXPECT_FAILS(NEXUS "c.ed25519_verify('" KEY "', 'r', '')",
                 "policy.lua:1: nexus.crypto.ed25519_verify: signature: found 0 octets; allowed: "
                 "64, or 128 hexadecimal digits");
    kit_close_module();
}

TEST(derived_keys)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "return c.hex(c.pbkdf2('password', 'saltsalt', { iterations = 1000, "
                        "length = 16 }))",
                  "135f7a66144fcf0fb003ce048f31f024");
    EXPECT_RESULT(NEXUS "return #c.argon2id('password', 'saltsalt', { memory = 64 }), "
                        "#c.argon2id('password', nexus.bytes('saltsalt'), { memory = 64, "
                        "iterations = 1, length = 64 })",
                  "32\t64");
    EXPECT_FAILS(NEXUS "c.pbkdf2('p', 'saltsalt', { iterations = 1000000000 })",
                 "policy.lua:1: nexus.crypto.pbkdf2: iterations is 1000000000; allowed are 1000 to "
                 "10000000");
    EXPECT_FAILS(NEXUS "c.pbkdf2('p', 'saltsalt', { iterations = -1 })",
                 "policy.lua:1: nexus.crypto.pbkdf2.iterations: found -1; allowed: a positive "
                 "integer");
    EXPECT_FAILS(NEXUS "c.pbkdf2('p', 'saltsalt', { iterations = 1e9 })",
                 "policy.lua:1: nexus.crypto.pbkdf2.iterations: found 1000000000.0; allowed: a "
                 "positive integer");
    EXPECT_FAILS(NEXUS "c.pbkdf2('p', 'salt')",
                 "policy.lua:1: nexus.crypto.pbkdf2: the salt has 4 octets; allowed: 8 to 64");
    EXPECT_FAILS(
        NEXUS "c.pbkdf2('', 'saltsalt')",
        "policy.lua:1: nexus.crypto.pbkdf2: the password has 0 octets; allowed: 1 to 1024");
    EXPECT_FAILS(NEXUS "c.argon2id('p', 'saltsalt', { memory = 1 << 31 })",
                 "policy.lua:1: nexus.crypto.argon2id: memory is 2147483648; allowed are 8 to "
                 "262144");
    EXPECT_FAILS(NEXUS "c.argon2id('p', 'saltsalt', { memroy = 1 })",
                 "policy.lua:1: nexus.crypto.argon2id: memroy: no such option (did you mean "
                 "\"memory\"?)");
    EXPECT_FAILS(NEXUS "c.argon2id('p', 'saltsalt', { length = 1000 })",
                 "policy.lua:1: nexus.crypto.argon2id.length: found 1000; allowed: 16 to 64");
    kit_close_module();
}

TEST(passwords)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS
                  "local h = c.password_hash('secret', { memory = 64 }) "
                  "local p = c.password_hash('secret', { kdf = 'pbkdf2', iterations = 1000 }) "
                  "return h:sub(1, 28), p:sub(1, 20), c.password_verify('secret', h), "
                  "c.password_verify('secret', p), c.password_verify('Secret', h), "
                  "c.password_verify('', h), h == c.password_hash('secret', { memory = 64 })",
                  "$argon2id$v=19$m=64,t=2,p=1$\t$pbkdf2-sha256$i=100\ttrue\ttrue\tfalse\tfalse\t"
                  "false");
    EXPECT_FAILS(NEXUS "c.password_verify('secret', '$2b$12$abc')",
                 "policy.lua:1: nexus.crypto.password_verify: the hash: it must begin with "
                 "$argon2id$ or $pbkdf2-sha256$");
    EXPECT_FAILS(NEXUS "c.password_hash('secret', { kdf = 'md5' })",
                 "policy.lua:1: nexus.crypto.password_hash.kdf: found md5; allowed: argon2id, "
                 "pbkdf2");
    EXPECT_FAILS(NEXUS "c.password_hash(('x'):rep(1025))",
                 "policy.lua:1: nexus.crypto.password_hash: the password has 1025 octets; "
                 "allowed: 1 to 1024");
    kit_close_module();
}

TEST(records_of_scram)
{
    kit_open_module();
    EXPECT_RESULT(NEXUS "local r = c.scram_record('pencil', { memory = 64 }) "
                        "return r.kdf, r.iterations, r.memory, #c.unbase64(r.salt), "
                        "#c.unbase64(r.stored_key), #c.unbase64(r.server_key)",
                  "argon2id13\t2\t64\t16\t32\t32");
    EXPECT_RESULT(NEXUS "local r = c.scram_record('pencil', { kdf = 'pbkdf2', iterations = 5000 }) "
                        "return r.kdf, r.iterations, r.memory",
                  "pbkdf2\t5000\tnil");
    EXPECT_EQ(kit_run(NEXUS "c.scram_record('a\\u{200}\\u{fb01}')"), DOOR_FAILED);
    EXPECT(strstr(kit.answer.message, "nexus.crypto.scram_record: ") != NULL);
    EXPECT_EQ(kit_run(NEXUS "c.scram_record('pencil', { kdf = 'pbkdf2', iterations = 1000 })"),
              DOOR_FAILED);
    EXPECT(strstr(kit.answer.message, "iterations is 1000") != NULL);
    kit_close_module();
}

TEST(slow_functions_do_not_run_while_loading)
{
    kit_open_module();
    kit_host.is_loading = true;
    EXPECT_FAILS(NEXUS "c.password_hash('secret')",
                 "policy.lua:1: not while loading; use policy.on_load");
    kit_host.is_loading = false;
    EXPECT_FAILS(NEXUS "table.sort({ 3, 1, 2 }, function() c.password_hash('secret') end)",
                 "policy.lua:1: cannot wait in a comparator of table.sort");
    kit_host.loop = NULL;
    EXPECT_FAILS(NEXUS "c.password_hash('secret')",
                 "policy.lua:1: cannot wait here: the policy is only being checked");
    kit_close_module();
}

/* Work that nobody waits for any more ends by itself; what is too much is refused. */
TEST(work_is_bounded_and_may_be_left)
{
    static struct kit_run runs[65];

    kit_open_module();
    for (size_t i = 0; i < 64; i++) {
        kit_begin(&runs[i], NEXUS "return #c.argon2id('p', 'saltsalt', { memory = 64 })");
        EXPECT_EQ(runs[i].answer.outcome, DOOR_WAITING);
    }
    kit_begin(&runs[64], NEXUS "return c.pbkdf2('p', 'saltsalt')");
    EXPECT_STR(runs[64].results, "policy.lua:1: nexus.crypto.pbkdf2: found 64 under way in this "
                                 "realm; allowed are 64 at once");
    for (size_t i = 0; i < 10; i++)
        kit_cancel(&runs[i]);
    for (size_t i = 10; i < 40; i++) {
        kit_end(&runs[i]);
        EXPECT_STR(runs[i].results, "32");
    }
    for (size_t i = 40; i < 64; i++)
        kit_cancel(&runs[i]);
    kit_close_module();
}
