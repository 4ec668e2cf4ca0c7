/* commands.h -- `nexusd WORD ...`: what the program does besides being a router.
 *
 * A command is a row of the table in commands.c and a function in a file of its own. Its flags are
 * a table as well, so --help, what is missing, what is unknown and "did you mean" are the same for
 * all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_COMMANDS_H
#define NEXUS_DAEMON_COMMANDS_H

#include "base/writer.h"

#define MAX_COMMAND_FLAGS 16

struct command_flag {
    const char *name;     /* without the two dashes */
    const char *argument; /* "FILE"; NULL: it has none */
    const char *words;    /* one line for --help */
};

/* What stood behind the name of the command. All borrowed from argv. */
struct command_line {
    const struct command *command;
    const char *values[MAX_COMMAND_FLAGS]; /* of its flags, in their order; NULL: not given, "" for
                                              one without argument */
    char **arguments;
    int count;
};

struct command {
    const char *name;
    const char *arguments;            /* "POLICY..."; "" when there are none */
    int min_arguments, max_arguments; /* max -1: any number */
    const char *words;                /* one line for nexusd --help */
    const char *more;                 /* lines for nexusd NAME --help; NULL: none */
    const struct command_flag *flags; /* ends with a name of NULL; NULL: it has none */
    bool repeats_nothing; /* a word too many may be a secret, which no error says again */
    int (*run)(const struct command_line *line); /* returns an exit code */
};

/* Runs the command that argv names. Returns false when it names none: then it is the router. */
bool commands_run(int argc, char **argv, int *code);

/* How the program is called, with all commands, for nexusd --help. */
void commands_print(struct writer *out);

/* Writes "nexusd NAME: words; try nexusd NAME --help" to standard error; returns EXIT_USAGE. */
int command_usage(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
