/* derive.c -- the functions of nexus.crypto that are slow on purpose. They run on other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_hash.h"
#include "auth/auth_record.h"
#include "auth/digest.h"
#include "base/mem.h"
#include "module/module_priv.h"
#include "module/work.h"

#define NEW_SALT_LEN     16
#define MAX_PASSWORD_LEN 1024

struct derive {
    struct work work;
    struct auth_job *job;  /* owned; NULL: a record of SCRAM is made */
    struct auth_hash hash; /* to be filled in, or to be compared with */

    struct kdf kdf;
    struct slice password; /* owned, wiped */
    struct rng rng;
    struct fault fault;
    struct blob *record; /* owned; NULL: the fault says why */
};

static void run(struct work *work)
{
    struct derive *derive = container_of(work, struct derive, work);
    struct encoder e;

    if (derive->job != NULL) {
        auth_job_run(derive->job);
        return;
    }
    encode_start(&e, CODEC_MSGPACK, 400);
    encode_map(&e, COUNT_UNKNOWN);
    if (auth_record_make_scram(&e, derive->password, &derive->kdf, &derive->rng, &derive->fault) !=
        0) {
        encode_discard(&e);
        return;
    }
    encode_end(&e);
    derive->record = encode_finish(&e);
}

static void free_work(struct work *work)
{
    struct derive *derive = container_of(work, struct derive, work);

    auth_job_free(derive->job);
    blob_drop(derive->record);
    if (derive->password.data != NULL)
        digest_wipe((void *)(uintptr_t)derive->password.data, derive->password.len);
    mem_free((void *)(uintptr_t)derive->password.data);
    digest_wipe(derive, sizeof(*derive));
    mem_free(derive);
}

/* ---- arguments ---- */

static const char *const option_names[] = {"kdf",         "iterations", "memory",
                                           "parallelism", "length",     NULL};

/* An integer of the options at the index. */
static uint32_t option(lua_State *lua, int index, const char *function, const char *name,
                       uint32_t fallback)
{
    lua_Integer number = fallback;

    if (lua_getfield(lua, index, name) != LUA_TNIL) {
        number = lua_tointeger(lua, -1);
        if (!lua_isinteger(lua, -1) || number < 0 || number > UINT32_MAX)
            luaL_error(lua, "%s.%s: found %s; allowed: a positive integer", function, name,
                       luaL_tolstring(lua, -1, NULL));
    }
    lua_pop(lua, 1);
    return (uint32_t)number;
}

static enum kdf_kind kind_option(lua_State *lua, int index, const char *function)
{
    static const char *const names[] = {"argon2id", "pbkdf2", NULL};
    enum kdf_kind kind = KDF_ARGON2ID;

    if (lua_getfield(lua, index, "kdf") != LUA_TNIL) {
        const char *name = lua_tostring(lua, -1);

        if (name != NULL && strcmp(name, names[1]) == 0)
            kind = KDF_PBKDF2;
        else if (name == NULL || strcmp(name, names[0]) != 0)
            luaL_error(lua, "%s.kdf: found %s; allowed: argon2id, pbkdf2", function,
                       luaL_tolstring(lua, -1, NULL));
    }
    lua_pop(lua, 1);
    return kind;
}

/* The options at the index, which may be nil; KDF_NONE: they choose. */
static struct kdf check_kdf(lua_State *lua, int index, const char *function, enum kdf_kind kind)
{
    struct kdf kdf = DEFAULT_KDF;
    struct fault fault;

    if (lua_isnoneornil(lua, index)) {
        lua_settop(lua, index - 1);
        lua_newtable(lua);
    }
    l_module_check_keys(lua, index, function, option_names);
    kdf.kind = kind == KDF_NONE ? kind_option(lua, index, function) : kind;
    if (kdf.kind == KDF_PBKDF2)
        kdf = (struct kdf){.kind = KDF_PBKDF2, .iterations = 600000};
    kdf.iterations = option(lua, index, function, "iterations", kdf.iterations);
    kdf.memory = option(lua, index, function, "memory", kdf.memory);
    kdf.lanes = option(lua, index, function, "parallelism", kdf.lanes);
    if (kdf_check(&kdf, &fault) != 0)
        luaL_error(lua, "%s: %s", function, fault.words);
    return kdf;
}

static struct slice check_password(lua_State *lua, const char *function)
{
    struct slice password = l_values_check_octets(lua, 1);

    if (password.len == 0 || password.len > MAX_PASSWORD_LEN)
        luaL_error(lua, "%s: the password has %d octets; allowed: 1 to %d", function,
                   (int)password.len, MAX_PASSWORD_LEN);
    return password;
}

static int begin(lua_State *lua, struct auth_job *job, const struct auth_hash *hash,
                 void (*push)(lua_State *lua, struct wait *wait))
{
    struct derive *derive = mem_zero(1, sizeof(*derive));

    derive->work.run = run;
    derive->work.free = free_work;
    derive->work.wait.push = push;
    derive->job = job;
    if (hash != NULL)
        derive->hash = *hash;
    return l_work(lua, &derive->work);
}

static struct derive *derive_of(struct wait *wait)
{
    return container_of(container_of(wait, struct work, wait), struct derive, work);
}

static void check_done(lua_State *lua, const struct derive *derive)
{
    if (!derive->job->is_done)
        luaL_error(lua, "no key could be derived: %s", derive->job->trouble);
}

/* ---- the functions ---- */

static void push_key(lua_State *lua, struct wait *wait)
{
    const struct derive *derive = derive_of(wait);

    check_done(lua, derive);
    lua_pushlstring(lua, (const char *)derive->job->key, derive->job->key_len);
}

static int derive_key(lua_State *lua, const char *function, enum kdf_kind kind)
{
    struct slice password, salt = l_values_check_octets(lua, 2);
    struct kdf kdf;
    uint32_t len;

    lua_settop(lua, 3);
    password = check_password(lua, function);
    if (salt.len < MIN_SALT_LEN || salt.len > MAX_SALT_LEN)
        return luaL_error(lua, "%s: the salt has %d octets; allowed: %d to %d", function,
                          (int)salt.len, MIN_SALT_LEN, MAX_SALT_LEN);
    kdf = check_kdf(lua, 3, function, kind);
    len = option(lua, 3, function, "length", DIGEST_LEN);
    if (len < MIN_DERIVED_LEN || len > MAX_DERIVED_LEN)
        return luaL_error(lua, "%s.length: found %d; allowed: %d to %d", function, (int)len,
                          MIN_DERIVED_LEN, MAX_DERIVED_LEN);
    l_work_allowed(lua, function);
    return begin(lua, auth_job_new(&kdf, password, salt, len), NULL, push_key);
}

static int l_pbkdf2(lua_State *lua)
{
    return derive_key(lua, "nexus.crypto.pbkdf2", KDF_PBKDF2);
}

static int l_argon2id(lua_State *lua)
{
    return derive_key(lua, "nexus.crypto.argon2id", KDF_ARGON2ID);
}

static void push_hash(lua_State *lua, struct wait *wait)
{
    struct derive *derive = derive_of(wait);
    char text[MAX_HASH_TEXT];

    check_done(lua, derive);
    memcpy(derive->hash.key, derive->job->key, derive->job->key_len);
    derive->hash.key_len = derive->job->key_len;
    lua_pushlstring(lua, text, auth_hash_print(&derive->hash, text));
}

static int l_password_hash(lua_State *lua)
{
    static const char function[] = "nexus.crypto.password_hash";
    struct auth_hash hash = {.salt_len = NEW_SALT_LEN, .key_len = DIGEST_LEN};
    struct slice password = check_password(lua, function);
    struct host *host;

    lua_settop(lua, 2);
    hash.kdf = check_kdf(lua, 2, function, KDF_NONE);
    host = l_work_allowed(lua, function);
    host->random(host, hash.salt, hash.salt_len);
    return begin(
        lua, auth_job_new(&hash.kdf, password, slice_make(hash.salt, hash.salt_len), hash.key_len),
        &hash, push_hash);
}

static void push_verdict(lua_State *lua, struct wait *wait)
{
    const struct derive *derive = derive_of(wait);

    check_done(lua, derive);
    lua_pushboolean(lua, auth_hash_is_right(&derive->hash, derive->job));
}

static int l_password_verify(lua_State *lua)
{
    static const char function[] = "nexus.crypto.password_verify";
    struct slice password = l_values_check_octets(lua, 1), text = check_slice(lua, 2);
    struct auth_hash hash;
    struct fault fault;

    if (auth_hash_parse(&hash, text, &fault) != 0)
        return luaL_error(lua, "%s: the hash: %s", function, fault.words);
    if (password.len == 0 || password.len > MAX_PASSWORD_LEN) { /* it can be none that was hashed */
        lua_pushboolean(lua, 0);
        return 1;
    }
    l_work_allowed(lua, function);
    return begin(lua, auth_hash_job(&hash, password), &hash, push_verdict);
}

static void push_record(lua_State *lua, struct wait *wait)
{
    const struct derive *derive = derive_of(wait);

    if (derive->record == NULL)
        luaL_error(lua, "nexus.crypto.scram_record: %s", derive->fault.words);
    l_values_push(lua, CODEC_MSGPACK, blob_slice(derive->record), "record");
}

static void fill(void *ctx, void *out, size_t len)
{
    const struct host *host = ctx;

    host->random(host, out, len);
}

/* The random numbers are drawn here, as the source is no other thread's. */
static int l_scram_record(lua_State *lua)
{
    static const char function[] = "nexus.crypto.scram_record";
    struct slice password = check_password(lua, function);
    struct derive *derive;
    struct host *host;
    struct kdf kdf;

    lua_settop(lua, 2);
    kdf = check_kdf(lua, 2, function, KDF_NONE);
    host = l_work_allowed(lua, function);
    derive = mem_zero(1, sizeof(*derive));
    derive->work.run = run;
    derive->work.free = free_work;
    derive->work.wait.push = push_record;
    derive->kdf = kdf;
    derive->password = slice_make(mem_copy(password.data, password.len), password.len);
    rng_init(&derive->rng, fill, host);
    rng_refill(&derive->rng);
    return l_work(lua, &derive->work);
}

#define OPTIONS \
    "{ iterations?: integer, memory?: integer, parallelism?: integer, length?: integer }"
#define CHOICE                                                                  \
    "{ kdf?: \"argon2id\"|\"pbkdf2\", iterations?: integer, memory?: integer, " \
    "parallelism?: integer }"
#define OUT_OF_BOUNDS "Parameters out of their bounds; more than 64 under way in the realm"

static const struct module_row rows[] = {
    {"pbkdf2", l_pbkdf2, "fun(password: string, salt: string, options?: " OPTIONS "): string",
     "A key by PBKDF2 over HMAC-SHA256; 600,000 iterations and 32 octets unless said otherwise.",
     OUT_OF_BOUNDS},
    {"argon2id", l_argon2id, "fun(password: string, salt: string, options?: " OPTIONS "): string",
     "A key by Argon2id; 2 iterations, 19 MiB and 32 octets unless said otherwise.", OUT_OF_BOUNDS},
    {"password_hash", l_password_hash, "fun(password: string, options?: " CHOICE "): string",
     "A line of text with all that checking the password needs, for ticket_hash.", OUT_OF_BOUNDS},
    {"password_verify", l_password_verify, "fun(password: string, hash: string): boolean",
     "Whether a hash is one of this password.", "A text that is no hash"},
    {"scram_record", l_scram_record, "fun(password: string, options?: " CHOICE "): table",
     "What to store of a user of SCRAM: kdf, salt, iterations, memory, stored_key, server_key.",
     "A password that cannot be prepared; parameters out of their bounds"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_derive = {"nexus.crypto", rows, NULL};
