/* repl.c -- see repl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/repl.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/admin_client.h"
#include "daemon/exit_code.h"
#include "policy/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FLAG_ADMIN, FLAG_REALM, FLAG_LIVE };

const struct command_flag repl_flags[] = {
    [FLAG_ADMIN] = {"admin", "SOCKET",
                    "the policy that runs, by that admin_socket; not given: NEXUS_ADMIN"},
    [FLAG_REALM] = {"realm", "NAME", "of that realm that runs; not given: of the first one"},
    [FLAG_LIVE] = {"live", NULL, "there: what is typed may act, and is written to the log"},
    {NULL, NULL, NULL},
};

const char repl_more[] =
    "Each line is an expression or statements of Lua; one that is not complete goes on in the "
    "next.\n"
    "There are nexus, policy (the table that the file returns) and t, a router with the policy in "
    "it\n"
    "as in nexus.testing:\n"
    "\n"
    "  > alice = t:session{ authrole = \"user\" }\n"
    "  > t:explain(alice, \"publish\", \"com.acme.admin.x\")\n"
    "\n"
    "What is done is done in t; who waits moves its clock. With --admin there is no POLICY and no "
    "t,\n"
    "but nexus is that of the policy that runs: nexus.realm:count(), its stores. Without --live\n"
    "nothing outside of it can be changed, and what is assigned is gone with the next line.\n"
    "The end of the input (Ctrl-D) ends it.\n";

static void say(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static void prompt(bool is_first)
{
    if (!isatty(STDIN_FILENO))
        return;
    fputs(is_first ? "> " : ">> ", stdout);
    fflush(stdout);
}

/* Who runs a text, and adds to `out`. */
struct runner {
    enum console_outcome (*run)(const struct runner *runner, struct slice text, struct writer *out);
    struct console *console;     /* here, or */
    struct admin_client *client; /* there */
    bool is_live;
    bool *is_lost; /* set: the router is gone */
};

static enum console_outcome run_here(const struct runner *runner, struct slice text,
                                     struct writer *out)
{
    return console_run(runner->console, text, out);
}

/* ---- a router that runs ---- */

struct request {
    struct slice text;
    bool is_live;
};

static void put_request(struct encoder *e, const void *ctx)
{
    const struct request *request = ctx;

    encode_text(e, request->text);
    encode_bool(e, request->is_live);
}

static enum console_outcome outcome_of(struct slice word)
{
    if (slice_eq(word, SLICE("done")))
        return CONSOLE_DONE;
    return slice_eq(word, SLICE("more")) ? CONSOLE_MORE : CONSOLE_FAILED;
}

/* The result: { outcome = , output = }. */
static enum console_outcome read_result(const struct runner *runner, const struct msg *msg,
                                        struct writer *out)
{
    enum console_outcome outcome = CONSOLE_FAILED;
    struct arena *arena = admin_arena(runner->client);
    struct dict_walk item, entry;

    if (msg->payload.kind != PAYLOAD_ARGS || msg->payload.args.len == 0)
        return outcome;
    list_walk(&item, msg->payload.codec, msg->payload.args, arena);
    if (!list_next(&item) || item.token.type != TOKEN_MAP)
        return outcome;
    dict_walk(&entry, msg->payload.codec, item.value, arena);
    while (dict_next(&entry)) {
        if (slice_eq(entry.key, SLICE("outcome")))
            outcome = outcome_of(entry.token.text);
        else if (slice_eq(entry.key, SLICE("output")))
            writer_write(out, entry.token.text.data, entry.token.text.len);
    }
    return outcome;
}

static enum console_outcome run_there(const struct runner *runner, struct slice text,
                                      struct writer *out)
{
    const struct request request = {text, runner->is_live};
    const struct msg *msg = NULL;

    if (!utf8_is_valid(text)) {
        writer_write(out, "that is not UTF-8\n", 18);
        return CONSOLE_FAILED;
    }
    msg = admin_call(runner->client, "nexus.policy.eval", put_request, &request);
    if (msg != NULL && msg->type == MSG_RESULT)
        return read_result(runner, msg, out);
    *runner->is_lost = msg == NULL;
    if (msg != NULL) {
        writer_write(out, msg->text.data, msg->text.len);
        writer_put(out, '\n');
    }
    return CONSOLE_FAILED;
}

/* ---- the prompt ---- */

/* Runs what was read so far; true: it is over with, one way or the other. */
static bool run(const struct runner *runner, struct slice text)
{
    struct writer out;
    enum console_outcome outcome;

    writer_init(&out, 0);
    outcome = runner->run(runner, text, &out);
    if (out.len != 0)
        fwrite(writer_slice(&out).data, 1, out.len, outcome == CONSOLE_FAILED ? stderr : stdout);
    fflush(stdout);
    writer_fini(&out);
    return outcome != CONSOLE_MORE;
}

static void loop(const struct runner *runner)
{
    struct writer text;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    writer_init(&text, 0);
    for (prompt(true); (len = getline(&line, &cap, stdin)) >= 0; prompt(text.len == 0)) {
        if (text.len == 0 && strspn(line, " \t\r\n") == (size_t)len)
            continue;
        writer_write(&text, line, (size_t)len);
        if (run(runner, writer_slice(&text)))
            text.len = 0;
        if (*runner->is_lost || ferror(stdout) != 0)
            break;
    }
    if (text.len != 0)
        fprintf(stderr, "nexusd repl: the input ends in the middle of a statement\n");
    if (isatty(STDIN_FILENO))
        putchar('\n');
    free(line);
    writer_fini(&text);
}

static int repl_there(const struct command_line *line, const char *socket)
{
    bool is_lost = false;
    struct runner runner = {
        .run = run_there, .is_live = line->values[FLAG_LIVE] != NULL, .is_lost = &is_lost};

    if (line->count != 0)
        return command_usage(line->command,
                             "--admin, --realm and --live are for the policy that runs, without "
                             "POLICY");
    runner.client = admin_open("repl", socket, line->values[FLAG_REALM]);
    if (runner.client == NULL)
        return EXIT_RUNTIME;
    loop(&runner);
    admin_close(runner.client);
    return is_lost ? EXIT_RUNTIME : EXIT_OK;
}

int repl_run(const struct command_line *line)
{
    const char *socket = admin_socket(line->values[FLAG_ADMIN]);
    bool is_lost = false;
    struct runner runner = {.run = run_here, .is_lost = &is_lost};

    for (int i = FLAG_ADMIN; i <= FLAG_LIVE; i++) {
        if (line->values[i] != NULL && socket != NULL)
            return repl_there(line, socket);
        if (line->values[i] != NULL)
            return command_usage(line->command,
                                 "--%s needs --admin SOCKET, or the variable NEXUS_ADMIN",
                                 repl_flags[i].name);
    }
    if (line->count == 0)
        return command_usage(line->command, "missing: POLICY, or --admin SOCKET");
    runner.console = console_open(line->arguments[0], say, NULL);
    if (runner.console == NULL)
        return EXIT_CONFIG;
    loop(&runner);
    console_close(runner.console);
    return EXIT_OK;
}
