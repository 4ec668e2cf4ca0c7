/* passwd.c -- `nexusd passwd`: a record for one user and one method, ready to be pasted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/passwd.h"

#include "auth/auth_record.h"
#include "daemon/exit_code.h"
#include "daemon/keys.h"
#include "daemon/lua_print.h"
#include "daemon/prompt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    METHOD,
    USER,
    ROLE,
    KDF,
    ITERATIONS,
    MEMORY,
    PLAIN,
    PUBKEY,
    CERT,
    LAYOUT,
    FORMAT,
    FROM_STDIN
};

const struct command_flag passwd_flags[] = {
    [METHOD] = {"method", "METHOD", "ticket, wampcra, scram, cryptosign or tls"},
    [USER] = {"user", "NAME", "authid of the user"},
    [ROLE] = {"role", "NAME", "authrole (default: user)"},
    [KDF] = {"kdf", "KDF", "ticket, scram: argon2id (default) or pbkdf2; wampcra: pbkdf2"},
    [ITERATIONS] = {"iterations", "N", "of the kdf (argon2id: 2; pbkdf2: 600000; wampcra: 100000)"},
    [MEMORY] = {"memory", "KIB", "of argon2id (default: 19456)"},
    [PLAIN] = {"plain", NULL, "wampcra: store the password as it is, for clients without salts"},
    [PUBKEY] = {"pubkey", "HEX", "cryptosign: public key of the user, from nexusd keygen"},
    [CERT] = {"cert", "FILE", "tls: certificate of the user, PEM"},
    [LAYOUT] = {"layout", "LAYOUT",
                "users (default): for a users file; record: as policies return"},
    [FORMAT] = {"format", "FORMAT", "lua (default) or json"},
    [FROM_STDIN] = {"stdin", NULL, "read the password from standard input, not the terminal"},
    {NULL, NULL, NULL},
};

const char passwd_more[] =
    "The password is asked for at the terminal, twice. It is no argument, since those are seen\n"
    "by others and kept in histories. What is printed is an entry of `users` in a users file:\n\n"
    "  return { users = { alice = { role = \"user\", ticket_hash = \"...\" } }, roles = { ... } "
    "}\n\n"
    "Entries of one user for several methods go together into one table.\n";

static const char *const methods[] = {"ticket", "wampcra", "scram", "cryptosign", "tls"};
enum method { TICKET, WAMPCRA, SCRAM, CRYPTOSIGN, TLS, METHOD_COUNT };

struct making {
    const struct command_line *line;
    enum method method;
    struct slice user, role;
    bool is_record, is_json;
    struct kdf kdf; /* KDF_NONE: --plain */
    struct password password;
    struct rng rng;
};

/* ---- the command line ---- */

static bool take_number(const struct command_line *line, int flag, uint32_t *number)
{
    const char *text = line->values[flag];

    if (text == NULL)
        return true;
    if (*text == '\0' || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text)) {
        (void)command_usage(line->command, "--%s: found \"%s\"; allowed: a whole number",
                            passwd_flags[flag].name, text);
        return false;
    }
    *number = (uint32_t)strtoul(text, NULL, 10);
    return true;
}

static bool take_choice(const struct command_line *line, int flag, const char *usual,
                        const char *other, bool *is_other)
{
    const char *text = line->values[flag];

    *is_other = text != NULL && strcmp(text, other) == 0;
    if (text == NULL || *is_other || strcmp(text, usual) == 0)
        return true;
    (void)command_usage(line->command, "--%s: found \"%s\"; allowed: \"%s\", \"%s\"",
                        passwd_flags[flag].name, text, usual, other);
    return false;
}

static bool take_method(struct making *making)
{
    const char *text = making->line->values[METHOD];

    while (making->method < METHOD_COUNT && text != NULL &&
           strcmp(methods[making->method], text) != 0)
        making->method++;
    if (text != NULL && making->method < METHOD_COUNT)
        return true;
    if (text == NULL)
        (void)command_usage(making->line->command, "missing: --method METHOD");
    else
        (void)command_usage(making->line->command,
                            "--method: found \"%s\"; allowed: \"ticket\", \"wampcra\", \"scram\", "
                            "\"cryptosign\", \"tls\"",
                            text);
    return false;
}

/* Flags that say nothing for this method are mistakes. */
static bool has_use(const struct making *making, int flag)
{
    enum method method = making->method;

    if (flag == PUBKEY)
        return method == CRYPTOSIGN;
    if (flag == CERT)
        return method == TLS;
    if (flag == PLAIN)
        return method == WAMPCRA;
    if (flag == MEMORY)
        return method == TICKET || method == SCRAM;
    if (flag == KDF || flag == ITERATIONS || flag == FROM_STDIN)
        return method == TICKET || method == WAMPCRA || method == SCRAM;
    return true;
}

static bool take_kdf(struct making *making)
{
    const struct command_line *line = making->line;
    bool is_cra = making->method == WAMPCRA, is_pbkdf2;

    making->kdf = (struct kdf)DEFAULT_KDF;
    if (!take_choice(line, KDF, "argon2id", "pbkdf2", &is_pbkdf2))
        return false;
    if (is_cra && line->values[KDF] != NULL && !is_pbkdf2) {
        (void)command_usage(line->command, "--kdf: wampcra has pbkdf2 only");
        return false;
    }
    if (is_cra || is_pbkdf2)
        making->kdf = (struct kdf){.kind = KDF_PBKDF2, .iterations = is_cra ? 100000 : 600000};
    if (making->kdf.kind == KDF_PBKDF2 && line->values[MEMORY] != NULL) {
        (void)command_usage(line->command, "--memory is for argon2id");
        return false;
    }
    if (!take_number(line, ITERATIONS, &making->kdf.iterations) ||
        !take_number(line, MEMORY, &making->kdf.memory))
        return false;
    if (line->values[PLAIN] == NULL)
        return true;
    if (line->values[KDF] != NULL || line->values[ITERATIONS] != NULL) {
        (void)command_usage(line->command, "--plain goes without --kdf and --iterations");
        return false;
    }
    making->kdf = (struct kdf){.kind = KDF_NONE};
    return true;
}

static bool take_line(struct making *making)
{
    const struct command_line *line = making->line;

    if (!take_method(making))
        return false;
    for (int flag = 0; passwd_flags[flag].name != NULL; flag++) {
        if (line->values[flag] == NULL || has_use(making, flag))
            continue;
        (void)command_usage(line->command, "--%s has no use for --method %s",
                            passwd_flags[flag].name, methods[making->method]);
        return false;
    }
    making->user = slice_of(line->values[USER]);
    making->role = slice_of(line->values[ROLE] == NULL ? "user" : line->values[ROLE]);
    if (making->user.len == 0 || making->role.len == 0) {
        (void)command_usage(line->command,
                            making->user.len == 0 ? "missing: --user NAME" : "--role is empty");
        return false;
    }
    if (making->method == CRYPTOSIGN && line->values[PUBKEY] == NULL) {
        (void)command_usage(line->command, "missing: --pubkey HEX (nexusd keygen makes a pair)");
        return false;
    }
    if (making->method == TLS && line->values[CERT] == NULL) {
        (void)command_usage(line->command, "missing: --cert FILE");
        return false;
    }
    return take_kdf(making) && take_choice(line, LAYOUT, "users", "record", &making->is_record) &&
           take_choice(line, FORMAT, "lua", "json", &making->is_json);
}

/* ---- the record ---- */

static void encode_one(struct encoder *e, const char *key, struct slice text)
{
    encode_text(e, slice_of(key));
    encode_list(e, 1);
    encode_text(e, text);
    encode_end(e);
}

static int encode_pubkey(const struct making *making, struct encoder *e, struct fault *fault)
{
    unsigned char key[DIGEST_LEN];
    char hex[2 * DIGEST_LEN];

    if (!digest_unhex(slice_of(making->line->values[PUBKEY]), key, sizeof(key)))
        return fault_set(fault, ERR_INVALID, "", "--pubkey: expected 64 hex digits");
    digest_hex(key, sizeof(key), hex);
    encode_one(e, "pubkeys", slice_make(hex, sizeof(hex)));
    return 0;
}

static int encode_fingerprint(const struct making *making, struct encoder *e, struct fault *fault)
{
    unsigned char print[DIGEST_LEN];
    char hex[2 * DIGEST_LEN];
    int err = keys_fingerprint(making->line->values[CERT], print, fault);

    if (err != 0)
        return err;
    digest_hex(print, sizeof(print), hex);
    encode_one(e, "fingerprints", slice_make(hex, sizeof(hex)));
    return 0;
}

static int encode_credential(struct making *making, struct encoder *e, struct fault *fault)
{
    struct slice password = {making->password.text, making->password.len};

    switch (making->method) {
    case TICKET:
        return auth_record_make_ticket(e, password, &making->kdf, &making->rng, fault);
    case WAMPCRA:
        return auth_record_make_wampcra(e, password, making->kdf.iterations, &making->rng, fault);
    case SCRAM:
        return auth_record_make_scram(e, password, &making->kdf, &making->rng, fault);
    case CRYPTOSIGN:
        return encode_pubkey(making, e, fault);
    case TLS:
    case METHOD_COUNT:
        break;
    }
    return encode_fingerprint(making, e, fault);
}

/* In a users file what belongs to one method is together, since names of keys are not its own. */
static int encode_entry(struct making *making, struct encoder *e, struct fault *fault)
{
    bool is_nested = !making->is_record && (making->method == WAMPCRA || making->method == SCRAM);
    int err;

    encode_map(e, COUNT_UNKNOWN);
    encode_text_pair(e, making->is_record ? "authrole" : "role", making->role);
    if (is_nested) {
        encode_text(e, slice_of(methods[making->method]));
        encode_map(e, COUNT_UNKNOWN);
    }
    err = encode_credential(making, e, fault);
    if (is_nested)
        encode_end(e);
    encode_end(e);
    return err;
}

static void write_json(const struct making *making, struct writer *out, struct slice entry)
{
    struct encoder e;
    struct blob *blob;

    encode_start(&e, CODEC_JSON, (size_t)2 * MAX_PASSWORD_LEN);
    encode_map(&e, 1);
    encode_text(&e, making->user);
    encode_value(&e, CODEC_MSGPACK, entry);
    encode_end(&e);
    blob = encode_finish(&e);
    writer_write(out, blob->data, blob->len);
    writer_put(out, '\n');
    explicit_bzero(blob->data, blob->len);
    blob_drop(blob);
}

static int print_entry(const struct making *making, struct slice entry)
{
    struct writer out;

    writer_init(&out, (size_t)4 * MAX_PASSWORD_LEN);
    if (making->is_json) {
        write_json(making, &out, entry);
    } else {
        lua_print_key(&out, making->user);
        writer_write(&out, " = ", 3);
        lua_print(&out, CODEC_MSGPACK, entry);
        writer_write(&out, ",\n", 2);
    }
    fwrite(out.blob->data, 1, out.len, stdout);
    explicit_bzero(out.blob->data, out.len);
    writer_fini(&out);
    return EXIT_OK;
}

static int make(struct making *making)
{
    struct encoder e;
    struct fault fault;
    struct blob *entry;
    int code;

    encode_start(&e, CODEC_MSGPACK, (size_t)2 * MAX_PASSWORD_LEN);
    if (encode_entry(making, &e, &fault) != 0) {
        encode_discard(&e);
        fprintf(stderr, "nexusd passwd: %s\n", fault.words);
        return EXIT_RUNTIME;
    }
    entry = encode_finish(&e);
    code = print_entry(making, blob_slice(entry));
    explicit_bzero(entry->data, entry->len);
    blob_drop(entry);
    return code;
}

static bool take_password(struct making *making)
{
    if (making->method == CRYPTOSIGN || making->method == TLS)
        return true;
    if (making->line->values[FROM_STDIN] != NULL)
        return prompt_stdin(&making->password);
    return prompt_terminal(&making->password);
}

int passwd_run(const struct command_line *line)
{
    struct making making = {.line = line};
    int code = EXIT_RUNTIME;

    prompt_hide_memory();
    if (!take_line(&making))
        return EXIT_USAGE;
    keys_random(&making.rng);
    if (take_password(&making))
        code = make(&making);
    prompt_wipe(&making.password);
    explicit_bzero(&making.rng, sizeof(making.rng));
    return code;
}
