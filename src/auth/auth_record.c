/* auth_record.c -- reads records: a table of keys, and what must be there at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "base/check.h"
#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_NAME_LEN 4096
#define MAX_DICT_LEN 65536
#define MAX_WHOLE    (UINT64_C(1) << 53)

/* One dict being read. */
struct parse {
    struct auth_record *record;
    enum codec codec;
    const char *method;
    struct slice dict;
    struct arena arena;
    struct fault *fault;
    uint32_t seen; /* rows of the table */
    bool is_compat;
};

PRINTF_LIKE(3, 4)
static int fail(struct parse *p, const char *key, const char *format, ...)
{
    char words[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return fault_set(p->fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED, "record for %s: %s: %s",
                     p->method, key, words);
}

/* Text that was unescaped lies in the arena, which nobody wipes. */
static void forget(const struct parse *p, const struct token *token)
{
    const char *at = token->text.data, *start = p->dict.data;

    if ((token->type == TOKEN_TEXT || token->type == TOKEN_BYTES) &&
        (at < start || at >= start + p->dict.len))
        digest_wipe((void *)(uintptr_t)at, token->text.len);
}

static struct slice copy(struct slice from)
{
    return slice_make(mem_copy(from.len == 0 ? "" : from.data, from.len), from.len);
}

/* ---- values ---- */

static int read_text(struct parse *p, const char *key, const struct token *token, size_t max_len,
                     struct slice *out)
{
    if (token->type != TOKEN_TEXT)
        return fail(p, key, "must be a string");
    if (token->text.len == 0 || token->text.len > max_len)
        return fail(p, key, "has %zu octets; allowed are 1 to %zu", token->text.len, max_len);
    *out = copy(token->text);
    return 0;
}

static int read_whole(struct parse *p, const char *key, const struct token *token, uint64_t least,
                      uint64_t most, uint64_t *out)
{
    bool is_real = token->type == TOKEN_FLOAT && token->real >= 0 &&
                   token->real <= (double)MAX_WHOLE && floor(token->real) == token->real;

    if (token->type != TOKEN_UINT && !is_real)
        return fail(p, key, "must be a whole number, 0 or above");
    *out = is_real ? (uint64_t)token->real : token->natural;
    if (*out < least || *out > most)
        return fail(p, key, "is %llu; allowed are %llu to %llu", (unsigned long long)*out,
                    (unsigned long long)least, (unsigned long long)most);
    return 0;
}

static int read_dict(struct parse *p, const char *key, const struct dict_walk *walk,
                     struct slice *out)
{
    if (walk->token.type != TOKEN_MAP)
        return fail(p, key, "must be a dict");
    if (walk->value.len > MAX_DICT_LEN)
        return fail(p, key, "has %zu octets; at most %d are allowed", walk->value.len,
                    MAX_DICT_LEN);
    *out = copy(walk->value);
    return 0;
}

static int read_u32(struct parse *p, const char *key, const struct token *token, uint32_t least,
                    uint32_t most, uint32_t *out)
{
    uint64_t value = 0;
    int err = read_whole(p, key, token, least, most, &value);

    *out = (uint32_t)value;
    return err;
}

/* ---- rows ---- */

static int read_authid(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_text(p, key, &walk->token, MAX_NAME_LEN, &p->record->authid);
}

static int read_authrole(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_text(p, key, &walk->token, MAX_NAME_LEN, &p->record->authrole);
}

static int read_authprovider(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_text(p, key, &walk->token, MAX_NAME_LEN, &p->record->authprovider);
}

static int read_extra(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_dict(p, key, walk, &p->record->extra);
}

static int read_attributes(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_dict(p, key, walk, &p->record->attributes);
}

static int read_expires(struct parse *p, const char *key, const struct dict_walk *walk)
{
    struct token token = walk->token;

    if (token.type == TOKEN_FLOAT)
        token.real = floor(token.real); /* what time functions give need not be whole */
    return read_whole(p, key, &token, 1, MAX_WHOLE, &p->record->expires_at);
}

static int read_trustlevel(struct parse *p, const char *key, const struct dict_walk *walk)
{
    p->record->has_trustlevel = true;
    return read_whole(p, key, &walk->token, 0, MAX_WHOLE, &p->record->trustlevel);
}

/* Calls read for the one value, or for each value of a list of 1 to `most`. */
static int each_item(struct parse *p, const char *key, const struct dict_walk *walk, unsigned most,
                     int (*read)(struct parse *p, const char *key, const struct token *token))
{
    struct dict_walk list;
    unsigned count = 0;

    if (walk->token.type != TOKEN_LIST)
        return read(p, key, &walk->token);
    list_walk(&list, p->codec, walk->value, &p->arena);
    while (list_next(&list)) {
        int err = ++count > most ? fail(p, key, "has more than %u values", most)
                                 : read(p, key, &list.token);

        forget(p, &list.token);
        if (err != 0)
            return err;
    }
    return count == 0 ? fail(p, key, "is an empty list") : 0;
}

static int add_ticket(struct parse *p, const char *key, const struct token *token)
{
    if (token->type != TOKEN_TEXT)
        return fail(p, key, "must be a string or a list of strings");
    if (token->text.len == 0 || token->text.len > MAX_TICKET_LEN)
        return fail(p, key, "has %zu octets; allowed are 1 to %d", token->text.len, MAX_TICKET_LEN);
    digest_sha256(token->text, p->record->ticket.digests[p->record->ticket.count++]);
    return 0;
}

static int read_ticket(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return each_item(p, key, walk, MAX_TICKETS, add_ticket);
}

static int read_ticket_hash(struct parse *p, const char *key, const struct dict_walk *walk)
{
    struct fault inner;

    if (walk->token.type != TOKEN_TEXT)
        return fail(p, key, "must be a string");
    if (auth_hash_parse(&p->record->ticket.hash, walk->token.text, &inner) != 0)
        return fail(p, key, "%s", inner.words);
    return 0;
}

static int read_secret(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_text(p, key, &walk->token, MAX_SECRET_LEN, &p->record->cra.secret);
}

static int read_cra_salt(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_text(p, key, &walk->token, MAX_SECRET_LEN, &p->record->cra.salt);
}

static int read_cra_iterations(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_u32(p, key, &walk->token, 1, MAX_PBKDF2_ITERATIONS, &p->record->cra.iterations);
}

static int read_keylen(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_u32(p, key, &walk->token, 1, MAX_CRA_KEYLEN, &p->record->cra.keylen);
}

static int read_kdf(struct parse *p, const char *key, const struct dict_walk *walk)
{
    struct kdf *kdf = &p->record->scram.kdf;
    struct slice name = walk->token.text;

    if (walk->token.type == TOKEN_TEXT) {
        p->is_compat = slice_eq(name, SLICE("argon2id-13"));
        if (p->is_compat || slice_eq(name, SLICE("argon2id13")))
            kdf->kind = KDF_ARGON2ID;
        else if (slice_eq(name, SLICE("pbkdf2")))
            kdf->kind = KDF_PBKDF2;
    }
    if (kdf->kind == KDF_NONE)
        return fail(p, key, "must be \"argon2id13\", \"argon2id-13\" or \"pbkdf2\"");
    return 0;
}

/* Octets as they are, or as base64. */
static int read_scram_salt(struct parse *p, const char *key, const struct dict_walk *walk)
{
    struct auth_record *record = p->record;
    struct slice text = walk->token.text;
    size_t len = 0;

    if (walk->token.type == TOKEN_BYTES && text.len <= MAX_SALT_LEN) {
        len = text.len;
        memcpy(record->scram.salt, text.data, len);
    } else if (walk->token.type != TOKEN_TEXT ||
               !digest_unbase64(text, record->scram.salt, MAX_SALT_LEN, &len)) {
        len = 0;
    }
    if (len < MIN_SALT_LEN)
        return fail(p, key, "must be %d to %d octets, as binary or as base64 with padding",
                    MIN_SALT_LEN, MAX_SALT_LEN);
    record->scram.salt_len = len;
    return 0;
}

static int read_scram_iterations(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_u32(p, key, &walk->token, 1, MAX_PBKDF2_ITERATIONS,
                    &p->record->scram.kdf.iterations);
}

static int read_memory(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_u32(p, key, &walk->token, MIN_ARGON2_MEMORY, MAX_ARGON2_MEMORY,
                    &p->record->scram.kdf.memory);
}

/* 32 octets: as they are, as base64, as hex. */
static bool read_key(const struct token *token, unsigned char out[DIGEST_LEN])
{
    size_t len;

    if (token->type == TOKEN_BYTES && token->text.len == DIGEST_LEN) {
        memcpy(out, token->text.data, DIGEST_LEN);
        return true;
    }
    if (token->type != TOKEN_TEXT)
        return false;
    return digest_unhex(token->text, out, DIGEST_LEN) ||
           (digest_unbase64(token->text, out, DIGEST_LEN, &len) && len == DIGEST_LEN);
}

static int read_scram_key(struct parse *p, const char *key, const struct token *token,
                          unsigned char out[DIGEST_LEN])
{
    if (!read_key(token, out))
        return fail(p, key, "must be 32 octets, as binary, base64 with padding or hex");
    return 0;
}

static int read_stored_key(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_scram_key(p, key, &walk->token, p->record->scram.flavours[0].stored_key);
}

static int read_server_key(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_scram_key(p, key, &walk->token, p->record->scram.flavours[0].server_key);
}

static int read_compat_stored_key(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_scram_key(p, key, &walk->token, p->record->scram.flavours[1].stored_key);
}

static int read_compat_server_key(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return read_scram_key(p, key, &walk->token, p->record->scram.flavours[1].server_key);
}

static int add_pubkey(struct parse *p, const char *key, const struct token *token)
{
    unsigned char *out = p->record->pub.keys[p->record->pub.count++];

    if (token->type == TOKEN_BYTES && token->text.len == DIGEST_LEN)
        memcpy(out, token->text.data, DIGEST_LEN);
    else if (token->type != TOKEN_TEXT || !digest_unhex(token->text, out, DIGEST_LEN))
        return fail(p, key, "must be 64 hex digits or 32 octets, or a list of them");
    return 0;
}

static int read_pubkeys(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return each_item(p, key, walk, MAX_PUBKEYS, add_pubkey);
}

/* Hex digits with or without colons. */
static int add_fingerprint(struct parse *p, const char *key, const struct token *token)
{
    struct fingerprint *pin = &p->record->tls.list[p->record->tls.count++];
    char digits[2 * DIGEST_LEN];
    size_t len = 0;
    bool is_right = token->type == TOKEN_TEXT;

    for (size_t i = 0; is_right && i < token->text.len; i++) {
        if (token->text.data[i] == ':')
            continue;
        is_right = len < sizeof(digits);
        if (is_right)
            digits[len++] = token->text.data[i];
    }
    pin->len = len / 2;
    if (!is_right || (pin->len != DIGEST_LEN && pin->len != SHA1_LEN) ||
        !digest_unhex(slice_make(digits, len), pin->bytes, pin->len))
        return fail(p, key, "must be 64 hex digits (SHA-256) or 40 (SHA-1), or a list of them");
    return 0;
}

static int read_fingerprints(struct parse *p, const char *key, const struct dict_walk *walk)
{
    return each_item(p, key, walk, MAX_FINGERPRINTS, add_fingerprint);
}

/* ---- the table ---- */

static const struct row {
    const char *key;
    enum credential credential; /* CREDENTIAL_NONE: every record may have it */
    int (*read)(struct parse *p, const char *key, const struct dict_walk *walk);
} rows[] = {
    {"authid", CREDENTIAL_NONE, read_authid},
    {"authrole", CREDENTIAL_NONE, read_authrole},
    {"authprovider", CREDENTIAL_NONE, read_authprovider},
    {"extra", CREDENTIAL_NONE, read_extra},
    {"attributes", CREDENTIAL_NONE, read_attributes},
    {"expires", CREDENTIAL_NONE, read_expires},
    {"trustlevel", CREDENTIAL_NONE, read_trustlevel},
    {"ticket", CREDENTIAL_TICKET, read_ticket},
    {"ticket_hash", CREDENTIAL_TICKET, read_ticket_hash},
    {"secret", CREDENTIAL_CRA, read_secret},
    {"salt", CREDENTIAL_CRA, read_cra_salt},
    {"iterations", CREDENTIAL_CRA, read_cra_iterations},
    {"keylen", CREDENTIAL_CRA, read_keylen},
    {"kdf", CREDENTIAL_SCRAM, read_kdf},
    {"salt", CREDENTIAL_SCRAM, read_scram_salt},
    {"iterations", CREDENTIAL_SCRAM, read_scram_iterations},
    {"memory", CREDENTIAL_SCRAM, read_memory},
    {"stored_key", CREDENTIAL_SCRAM, read_stored_key},
    {"server_key", CREDENTIAL_SCRAM, read_server_key},
    {"compat_stored_key", CREDENTIAL_SCRAM, read_compat_stored_key},
    {"compat_server_key", CREDENTIAL_SCRAM, read_compat_server_key},
    {"pubkeys", CREDENTIAL_KEYS, read_pubkeys},
    {"fingerprints", CREDENTIAL_TLS, read_fingerprints},
};

_Static_assert(ARRAY_LEN(rows) <= 32, "seen is a set of 32 bits");

/* The row of a key for this kind of credential; ARRAY_LEN(rows) when there is none. */
static size_t find_row(enum credential credential, struct slice key)
{
    size_t i = 0;

    for (; i < ARRAY_LEN(rows); i++) {
        bool is_for = rows[i].credential == CREDENTIAL_NONE || rows[i].credential == credential;

        if (is_for && slice_eq(key, slice_of(rows[i].key)))
            break;
    }
    return i;
}

static bool has(const struct parse *p, const char *key)
{
    size_t i = find_row(p->record->credential, slice_of(key));

    CHECK(i < ARRAY_LEN(rows));
    return (p->seen & (UINT32_C(1) << i)) != 0;
}

static int require(struct parse *p, const char *key)
{
    return has(p, key) ? 0 : fail(p, key, "is missing");
}

/* ---- what must be there at the end ---- */

static int finish_ticket(struct parse *p)
{
    if (has(p, "ticket") == has(p, "ticket_hash"))
        return fail(p, "ticket",
                    has(p, "ticket") ? "there is ticket_hash as well; one is allowed"
                                     : "is missing, and so is ticket_hash");
    return 0;
}

static int finish_cra(struct parse *p)
{
    struct auth_record *record = p->record;
    unsigned char bytes[MAX_CRA_KEYLEN];
    size_t len;
    bool is_derived;
    int err = require(p, "secret");

    if (err != 0)
        return err;
    if (record->cra.salt.len == 0) {
        if (has(p, "iterations") || has(p, "keylen"))
            return fail(p, "salt", "is missing, while there is iterations or keylen");
        return 0;
    }
    if (record->cra.iterations == 0)
        record->cra.iterations = 1000;
    if (record->cra.keylen == 0)
        record->cra.keylen = DIGEST_LEN;
    is_derived = digest_unbase64(record->cra.secret, bytes, sizeof(bytes), &len) &&
                 len == record->cra.keylen;
    digest_wipe(bytes, sizeof(bytes));
    if (!is_derived)
        return fail(p, "secret", "must be base64 of the %u derived octets, as there is a salt",
                    record->cra.keylen);
    return 0;
}

/* Keys were read in the order main, compat; they are kept in the order of the flavours. */
static void order_flavours(struct parse *p, bool has_both)
{
    struct scram_keys *flavours = p->record->scram.flavours;

    flavours[0].is_known = true;
    flavours[1].is_known = has_both;
    if (p->record->scram.kdf.kind == KDF_PBKDF2) {
        flavours[1] = flavours[0];
    } else if (p->is_compat) {
        flavours[SCRAM_COMPAT] = flavours[0];
        digest_wipe(&flavours[SCRAM_WAMP], sizeof(flavours[SCRAM_WAMP]));
    }
}

static int finish_scram(struct parse *p)
{
    static const char *const needed[] = {"kdf", "salt", "iterations", "stored_key", "server_key"};
    struct kdf *kdf = &p->record->scram.kdf;
    bool has_both = has(p, "compat_stored_key");
    struct fault inner;

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        int err = require(p, needed[i]);

        if (err != 0)
            return err;
    }
    kdf->lanes = 1;
    if (kdf->kind == KDF_ARGON2ID && !has(p, "memory"))
        return fail(p, "memory", "is missing, as kdf is argon2");
    if (kdf->kind == KDF_PBKDF2 && has(p, "memory"))
        return fail(p, "memory", "is only for argon2, and kdf is pbkdf2");
    if (kdf->kind == KDF_PBKDF2 && kdf->iterations < MIN_SCRAM_PBKDF2)
        return fail(p, "iterations", "is %u; allowed are %d to %d", kdf->iterations,
                    MIN_SCRAM_PBKDF2, MAX_PBKDF2_ITERATIONS);
    if (kdf_check(kdf, &inner) != 0)
        return fail(p, "kdf", "%s", inner.words);
    if (has_both != has(p, "compat_server_key"))
        return fail(p, has_both ? "compat_server_key" : "compat_stored_key",
                    "is missing, while there is the other one");
    if (has_both && (p->is_compat || kdf->kind == KDF_PBKDF2))
        return fail(p, "compat_stored_key", "is only for kdf argon2id13");
    order_flavours(p, has_both);
    return 0;
}

static int finish(struct parse *p)
{
    int err = require(p, "authrole");

    if (err != 0)
        return err;
    switch (p->record->credential) {
    case CREDENTIAL_TICKET:
        return finish_ticket(p);
    case CREDENTIAL_CRA:
        return finish_cra(p);
    case CREDENTIAL_SCRAM:
        return finish_scram(p);
    case CREDENTIAL_KEYS:
        return require(p, "pubkeys");
    case CREDENTIAL_NONE:
    case CREDENTIAL_TLS:
        break;
    }
    return 0;
}

static int read_entry(struct parse *p, const struct dict_walk *walk)
{
    size_t i = find_row(p->record->credential, walk->key);
    char key[40];

    if (i == ARRAY_LEN(rows)) {
        (void)snprintf(key, sizeof(key), "%.*s", walk->key.len < 32 ? (int)walk->key.len : 0,
                       walk->key.data);
        return fail(p, key[0] == '\0' ? "a key" : key, "is not known here");
    }
    if (walk->token.type == TOKEN_NULL)
        return 0;
    if ((p->seen & (UINT32_C(1) << i)) != 0)
        return fail(p, rows[i].key, "is there twice");
    p->seen |= UINT32_C(1) << i;
    return rows[i].read(p, rows[i].key, walk);
}

struct auth_record *auth_record_parse(const struct auth_method *method, enum codec codec,
                                      struct slice dict, struct fault *fault)
{
    struct parse p = {
        .record = mem_zero(1, sizeof(*p.record)),
        .codec = codec,
        .method = method == NULL ? "a method of the policy" : method->name,
        .dict = dict,
        .fault = fault,
    };
    struct dict_walk walk;
    int err = 0;

    atomic_init(&p.record->refs, 1);
    p.record->codec = codec;
    p.record->credential = method == NULL ? CREDENTIAL_NONE : method->credential;
    arena_init(&p.arena);
    dict_walk(&walk, codec, dict, &p.arena);
    while (err == 0 && dict_next(&walk)) {
        err = read_entry(&p, &walk);
        forget(&p, &walk.token);
    }
    if (err == 0)
        err = finish(&p);
    arena_fini(&p.arena);
    if (err == 0)
        return p.record;
    auth_record_drop(p.record);
    return NULL;
}

static void wipe_slice(struct slice *s)
{
    char *data = (char *)(uintptr_t)s->data;

    if (data != NULL)
        digest_wipe(data, s->len);
    mem_free(data);
}

void auth_record_drop(struct auth_record *record)
{
    if (record == NULL || atomic_fetch_sub_explicit(&record->refs, 1, memory_order_acq_rel) != 1)
        return;
    wipe_slice(&record->authid);
    wipe_slice(&record->authrole);
    wipe_slice(&record->authprovider);
    wipe_slice(&record->extra);
    wipe_slice(&record->attributes);
    if (record->credential == CREDENTIAL_CRA) {
        wipe_slice(&record->cra.secret);
        wipe_slice(&record->cra.salt);
    }
    digest_wipe(record, sizeof(*record));
    mem_free(record);
}
