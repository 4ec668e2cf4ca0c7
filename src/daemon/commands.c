/* commands.c -- THE table of commands, and what they have in common. See commands.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/commands.h"

#include "base/check.h"
#include "base/distance.h"
#include "base/mem.h"
#include "daemon/exit_code.h"
#include "daemon/explain.h"
#include "daemon/passwd.h"
#include "daemon/policies.h"
#include "daemon/policy_new.h"
#include "daemon/reload.h"
#include "daemon/repl.h"
#include "daemon/testing.h"
#include "daemon/types.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Where the words begin that say what something is for. */
#define WORDS_COLUMN 32

static const struct command commands[] = {
    {
        .name = "check",
        .arguments = "POLICY...",
        .min_arguments = 1,
        .max_arguments = -1,
        .words = "say what is wrong with policies, and end",
        .run = policies_check,
    },
    {
        .name = "test",
        .arguments = "[POLICY]",
        .max_arguments = 1,
        .words = "run the specs of a policy, which are in its folder spec, and end",
        .flags = testing_flags,
        .run = testing_run,
    },
    {
        .name = "explain",
        .arguments = "POLICY ACTION URI",
        .min_arguments = 3,
        .max_arguments = 3,
        .words = "say which rule of a policy decides, and why",
        .more = explain_more,
        .flags = explain_flags,
        .run = explain_run,
    },
    {
        .name = "reload",
        .arguments = "",
        .words = "have a router read its policies again, by its admin_socket",
        .more = reload_more,
        .flags = reload_flags,
        .run = reload_run,
    },
    {
        .name = "repl",
        .arguments = "[POLICY]",
        .max_arguments = 1,
        .words = "a prompt with a policy, and a router that it is in",
        .more = repl_more,
        .flags = repl_flags,
        .run = repl_run,
    },
    {
        .name = "policy",
        .arguments = "new DIR",
        .min_arguments = 2,
        .max_arguments = 2,
        .words = "write a policy to begin with, and a spec for it",
        .more = policy_new_more,
        .run = policy_new_run,
    },
    {
        .name = "types",
        .arguments = "",
        .words = "write the annotations of the module nexus, for editors",
        .flags = types_flags,
        .run = types_run,
    },
    {
        .name = "passwd",
        .arguments = "",
        .words = "make the record of a user for a method of logging in",
        .repeats_nothing = true,
        .more = passwd_more,
        .flags = passwd_flags,
        .run = passwd_run,
    },
    {
        .name = "keygen",
        .arguments = "",
        .words = "make a pair of keys for cryptosign",
        .more = keygen_more,
        .flags = keygen_flags,
        .run = keygen_run,
    },
};

/* ---- words ---- */

int command_usage(const struct command *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "nexusd %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; try nexusd %s --help\n", command->name);
    return EXIT_USAGE;
}

struct likeness {
    struct slice word;
    const char *best; /* NULL: none is like it */
    unsigned distance;
};

static void offer(struct likeness *likeness, const char *known)
{
    struct slice name = slice_of(known);
    unsigned bound = likeness->word.len < 5 ? 1 : 2, distance;

    if (name.len > MAX_DISTANCE_LEN || likeness->word.len > MAX_DISTANCE_LEN)
        return;
    distance = distance_between(likeness->word, name, true);
    if (distance > bound || (likeness->best != NULL && distance >= likeness->distance))
        return;
    likeness->best = known;
    likeness->distance = distance;
}

static const char *likeness_words(const struct likeness *likeness, const char *dashes, char *out,
                                  size_t out_len)
{
    *out = '\0';
    if (likeness->best != NULL)
        snprintf(out, out_len, " (did you mean \"%s%s\"?)", dashes, likeness->best);
    return out;
}

static void print_row(struct writer *out, const char *before, const char *name,
                      const char *argument, const char *words)
{
    char line[300];
    int len = snprintf(line, sizeof(line), "  %s%s%s%s", before, name, *argument == '\0' ? "" : " ",
                       argument);

    snprintf(line + len, sizeof(line) - (size_t)len, "%*s%s\n",
             len < WORDS_COLUMN ? WORDS_COLUMN - len : 1, "", words);
    writer_write(out, line, strlen(line));
}

void commands_print(struct writer *out)
{
    static const char head[] = "nexusd " NEXUS_VERSION ", a WAMP router\n\n"
                               "  nexusd --config FILE\n"
                               "  nexusd --realm realm1 --ws 127.0.0.1:8080\n";

    writer_write(out, head, sizeof(head) - 1);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        print_row(out, "nexusd ", commands[i].name, commands[i].arguments, commands[i].words);
}

static int print_help(const struct command *command)
{
    const struct command_flag *flag = command->flags;
    struct writer out;
    char line[200];
    int len;

    writer_init(&out, 1024);
    len = snprintf(line, sizeof(line), "nexusd %s%s%s%s -- ", command->name,
                   flag == NULL ? "" : " [FLAGS]", *command->arguments == '\0' ? "" : " ",
                   command->arguments);
    writer_write(&out, line, (size_t)len);
    writer_write(&out, command->words, strlen(command->words));
    writer_write(&out, "\n\nFlags:\n", 9);
    for (; flag != NULL && flag->name != NULL; flag++)
        print_row(&out, "--", flag->name, flag->argument == NULL ? "" : flag->argument,
                  flag->words);
    print_row(&out, "--", "help", "", "print this, and end");
    if (command->more != NULL) {
        writer_write(&out, "\n", 1);
        writer_write(&out, command->more, strlen(command->more));
    }
    fwrite(out.blob->data, 1, out.len, stdout);
    writer_fini(&out);
    return EXIT_OK;
}

/* ---- the command line ---- */

static int unknown_flag(const struct command_line *line, const char *text, size_t len)
{
    struct likeness likeness = {.word = slice_make(text, len)};
    const struct command_flag *flag = line->command->flags;
    char guess[80];

    for (; flag != NULL && flag->name != NULL; flag++)
        offer(&likeness, flag->name);
    offer(&likeness, "help");
    return command_usage(line->command, "unknown flag: --%.*s%s", (int)len, text,
                         likeness_words(&likeness, "--", guess, sizeof(guess)));
}

/* Takes `--name`, `--name=value` or `--name value`; moves *at to the last word taken. */
static int take_flag(struct command_line *line, char **words, int word_count, int *at)
{
    const struct command_flag *flags = line->command->flags;
    const char *text = words[*at] + 2;
    size_t len = strcspn(text, "=");
    int i = 0;

    while (flags != NULL && flags[i].name != NULL &&
           !slice_eq(slice_of(flags[i].name), slice_make(text, len)))
        i++;
    if (flags == NULL || flags[i].name == NULL)
        return unknown_flag(line, text, len);
    CHECK(i < MAX_COMMAND_FLAGS);
    if (line->values[i] != NULL)
        return command_usage(line->command, "--%s is there twice", flags[i].name);
    if (flags[i].argument == NULL) {
        line->values[i] = "";
        return text[len] == '\0'
                   ? EXIT_OK
                   : command_usage(line->command, "--%s takes no argument", flags[i].name);
    }
    if (text[len] == '=')
        line->values[i] = text + len + 1;
    else if (*at + 1 < word_count)
        line->values[i] = words[++*at];
    else
        return command_usage(line->command, "an argument is missing: --%s %s", flags[i].name,
                             flags[i].argument);
    return EXIT_OK;
}

static int too_many(const struct command_line *line)
{
    const struct command *command = line->command;

    if (command->repeats_nothing)
        return command_usage(command, "an argument too many, which is not repeated here: it may be "
                                      "a password, which is asked for");
    return command_usage(command, "an argument too many: %s",
                         line->arguments[command->max_arguments]);
}

static int take_words(struct command_line *line, char **words, int word_count)
{
    bool is_only_arguments = false; /* after `--` */
    int code;

    for (int i = 0; i < word_count; i++) {
        bool is_flag = !is_only_arguments && words[i][0] == '-' && words[i][1] != '\0';

        if (!is_flag)
            line->arguments[line->count++] = words[i];
        else if (strcmp(words[i], "--") == 0)
            is_only_arguments = true;
        else if (words[i][1] != '-')
            return command_usage(line->command, "unknown flag: %.*s",
                                 line->command->repeats_nothing ? 2 : (int)strlen(words[i]),
                                 words[i]);
        else if ((code = take_flag(line, words, word_count, &i)) != EXIT_OK)
            return code;
    }
    if (line->count < line->command->min_arguments)
        return command_usage(line->command, "missing: %s", line->command->arguments);
    if (line->command->max_arguments >= 0 && line->count > line->command->max_arguments)
        return too_many(line);
    return EXIT_OK;
}

/* --help is for those who do not know yet what else to write. */
static bool wants_help(char **words, int word_count)
{
    for (int i = 0; i < word_count && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run(const struct command *command, char **words, int word_count)
{
    struct command_line line = {.command = command};
    int code;

    if (wants_help(words, word_count))
        return print_help(command);
    line.arguments = mem_zero((size_t)word_count + 1, sizeof(*line.arguments));
    code = take_words(&line, words, word_count);
    if (code == EXIT_OK)
        code = command->run(&line);
    mem_free(line.arguments);
    return code;
}

bool commands_run(int argc, char **argv, int *code)
{
    struct likeness likeness = {0};
    char guess[80];

    if (argc < 2 || argv[1][0] == '-')
        return false;
    likeness.word = slice_of(argv[1]);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            *code = run(&commands[i], argv + 2, argc - 2);
            return true;
        }
        offer(&likeness, commands[i].name);
    }
    if (*likeness_words(&likeness, "", guess, sizeof(guess)) == '\0' && access(argv[1], F_OK) == 0)
        snprintf(guess, sizeof(guess), " (a configuration is named by --config)");
    fprintf(stderr, "nexusd: no such command: %s%s; try nexusd --help\n", argv[1], guess);
    *code = EXIT_USAGE;
    return true;
}
