/* reload.c -- see reload.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/reload.h"

#include "base/mem.h"
#include "daemon/admin_client.h"
#include "daemon/exit_code.h"

#include <stdio.h>

#define SHOWN_VERSION_LEN 12

enum { FLAG_ADMIN, FLAG_REALM, FLAG_CHECK };

const struct command_flag reload_flags[] = {
    [FLAG_ADMIN] = {"admin", "SOCKET",
                    "the admin_socket of the router; not given: what NEXUS_ADMIN says"},
    [FLAG_REALM] = {"realm", "NAME", "the policy of that realm only"},
    [FLAG_CHECK] = {"check", NULL, "say what would come of it, and leave it at that"},
    {NULL, NULL, NULL},
};

const char reload_more[] =
    "Ends with 0 when every policy is as its files say, and with 78 when one was refused: the old\n"
    "one goes on then.\n";

/* Names of realms, as one text each. */
struct names {
    char **of; /* owned */
    size_t count;
};

static void names_add(struct names *names, struct slice name)
{
    names->of = mem_grow(names->of, (names->count + 1) * sizeof(*names->of));
    names->of[names->count++] = mem_copy(name.data, name.len);
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->of[i]);
    mem_free(names->of);
}

/* The first argument of a result, to be walked over; false: there is none. */
static bool first_item(struct admin_client *client, const struct msg *msg, struct dict_walk *item)
{
    if (msg->payload.kind != PAYLOAD_ARGS || msg->payload.args.len == 0)
        return false;
    list_walk(item, msg->payload.codec, msg->payload.args, admin_arena(client));
    return list_next(item);
}

/* What a procedure says that has failed: its URI, and a line for each text. */
static void print_error(struct admin_client *client, const char *realm, const struct msg *msg)
{
    struct dict_walk item;

    if (slice_eq(msg->text, SLICE("wamp.error.no_such_procedure"))) {
        fprintf(stderr, "%s: it has no policy\n", realm);
        return;
    }
    fprintf(stderr, "%s: %.*s\n", realm, SLICE_ARG(msg->text));
    if (msg->payload.kind != PAYLOAD_ARGS || msg->payload.args.len == 0)
        return;
    list_walk(&item, msg->payload.codec, msg->payload.args, admin_arena(client));
    while (list_next(&item)) {
        if (item.token.type == TOKEN_TEXT)
            fprintf(stderr, "  %.*s\n", SLICE_ARG(item.token.text));
    }
}

static void print_done(struct admin_client *client, const char *realm, const struct msg *msg,
                       bool is_check)
{
    struct slice version = SLICE("?");
    bool has_changed = false;
    struct dict_walk item, entry;

    if (first_item(client, msg, &item) && item.token.type == TOKEN_MAP) {
        dict_walk(&entry, msg->payload.codec, item.value, admin_arena(client));
        while (dict_next(&entry)) {
            if (slice_eq(entry.key, SLICE("version")) && entry.token.type == TOKEN_TEXT)
                version = entry.token.text;
            else if (slice_eq(entry.key, SLICE("changed")) && entry.token.type == TOKEN_BOOL)
                has_changed = entry.token.boolean;
        }
    }
    if (version.len > SHOWN_VERSION_LEN)
        version.len = SHOWN_VERSION_LEN;
    printf("%s: %s %.*s\n", realm,
           is_check      ? "sound"
           : has_changed ? "reloaded"
                         : "unchanged",
           SLICE_ARG(version));
}

static int reload(const char *socket, const char *realm, bool is_check)
{
    struct admin_client *client = admin_open("reload", socket, realm);
    const struct msg *msg = NULL;
    int code = EXIT_RUNTIME;

    if (client != NULL)
        msg =
            admin_call(client, is_check ? "nexus.policy.check" : "nexus.policy.reload", NULL, NULL);
    if (msg != NULL && msg->type == MSG_RESULT) {
        print_done(client, realm, msg, is_check);
        code = EXIT_OK;
    } else if (msg != NULL) {
        print_error(client, realm, msg);
        code = EXIT_CONFIG;
    }
    admin_close(client);
    return code;
}

static bool find_realms(const char *socket, struct names *names)
{
    struct admin_client *client = admin_open("reload", socket, NULL);
    const struct msg *msg = NULL;
    struct dict_walk item, name;

    if (client != NULL)
        msg = admin_call(client, "nexus.policy.realms", NULL, NULL);
    if (msg != NULL && msg->type == MSG_ERROR)
        print_error(client, "nexus.policy.realms", msg);
    if (msg != NULL && msg->type == MSG_RESULT && first_item(client, msg, &item)) {
        list_walk(&name, msg->payload.codec, item.value, admin_arena(client));
        while (list_next(&name))
            names_add(names, name.token.text);
    }
    admin_close(client);
    return msg != NULL && names->count != 0;
}

int reload_run(const struct command_line *line)
{
    const char *socket = admin_socket(line->values[FLAG_ADMIN]);
    bool is_check = line->values[FLAG_CHECK] != NULL;
    struct names names = {0};
    int code = EXIT_OK;

    if (socket == NULL)
        return command_usage(line->command, "missing: --admin SOCKET, or the variable NEXUS_ADMIN");
    if (line->values[FLAG_REALM] != NULL)
        return reload(socket, line->values[FLAG_REALM], is_check);
    if (!find_realms(socket, &names))
        code = EXIT_RUNTIME;
    for (size_t i = 0; i < names.count; i++) {
        int one = reload(socket, names.of[i], is_check);

        code = one == EXIT_OK ? code : one;
    }
    names_free(&names);
    return code;
}
