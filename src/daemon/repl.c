/* repl.c -- see repl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/repl.h"

#include "base/mem.h"
#include "daemon/exit_code.h"
#include "policy/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct command_flag repl_flags[] = {{NULL, NULL, NULL}};

const char repl_more[] = "Each line is an expression or statements of Lua; one that is not "
                         "complete goes on in the next.\n"
                         "There are nexus, policy (the table that the file returns) and t, a "
                         "router with the policy in it\n"
                         "as in nexus.testing:\n"
                         "\n"
                         "  > alice = t:session{ authrole = \"user\" }\n"
                         "  > t:explain(alice, \"publish\", \"com.acme.admin.x\")\n"
                         "\n"
                         "Nothing acts but in t. The end of the input (Ctrl-D) ends it.\n";

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

/* Runs what was read so far; true: it is over with, one way or the other. */
static bool run(struct console *console, struct slice text)
{
    struct writer out;
    enum console_outcome outcome;

    writer_init(&out, 0);
    outcome = console_run(console, text, &out);
    if (out.len != 0)
        fwrite(writer_slice(&out).data, 1, out.len, outcome == CONSOLE_FAILED ? stderr : stdout);
    fflush(stdout);
    writer_fini(&out);
    return outcome != CONSOLE_MORE;
}

static void loop(struct console *console)
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
        if (run(console, writer_slice(&text)))
            text.len = 0;
    }
    if (text.len != 0)
        fprintf(stderr, "nexusd repl: the input ends in the middle of a statement\n");
    if (isatty(STDIN_FILENO))
        putchar('\n');
    free(line);
    writer_fini(&text);
}

int repl_run(const struct command_line *line)
{
    struct console *console = console_open(line->arguments[0], say, NULL);

    if (console == NULL)
        return EXIT_CONFIG;
    loop(console);
    console_close(console);
    return EXIT_OK;
}
