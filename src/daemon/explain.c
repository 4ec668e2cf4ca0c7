/* explain.c -- see explain.h. The words are those of policy/explain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/explain.h"

#include "base/arena.h"
#include "daemon/exit_code.h"
#include "policy/explain.h"

#include <stdio.h>

#define DEFAULT_AS "{\"authrole\":\"anonymous\"}"

enum { FLAG_AS, FLAG_MATCH };

const struct command_flag explain_flags[] = {
    [FLAG_AS] = {"as", "JSON", "who it is: authrole, and attributes that patterns name"},
    [FLAG_MATCH] = {"match", "MATCH", "of a subscribe or register: exact, prefix, wildcard"},
    {NULL, NULL, NULL},
};

const char explain_more[] =
    "  nexusd explain DIR --as '{\"authrole\":\"user\",\"org\":\"acme\"}' publish com.acme.x\n"
    "\n"
    "ACTION is call, register, publish or subscribe. Without --as it is a session with the\n"
    "authrole anonymous. The rules are judged, nothing is run: where one asks, policy.authorize\n"
    "is named.\n";

static void say(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

/* Checks the text of --as; false: it was said what is wrong. */
static bool is_dict(struct slice text, int *code, const struct command *command)
{
    struct reader reader;
    struct token token = {.type = TOKEN_NULL};
    struct arena arena;
    struct fault fault;
    int err;

    arena_init(&arena);
    reader_init(&reader, CODEC_JSON, text, &arena, &fault);
    err = reader_skip(&reader, NULL, NULL);
    if (err == 0)
        err = reader_next(&reader, &token); /* nothing stands behind it */
    if (err == 0) {
        reader_init(&reader, CODEC_JSON, text, &arena, &fault);
        err = reader_next(&reader, &token);
    }
    if (err != 0)
        *code = command_usage(command, "--as: not JSON: %s", fault.words);
    else if (token.type != TOKEN_MAP)
        *code = command_usage(command, "--as: found no object; allowed: " DEFAULT_AS);
    arena_fini(&arena);
    return err == 0 && token.type == TOKEN_MAP;
}

static int print(const struct policy *policy, const struct explain_question *question)
{
    struct rules_explanation explanation;
    char words[EXPLAIN_WORDS_LEN];
    struct writer out;

    if (!explain_attributes(policy, question, &explanation, words)) {
        fprintf(stderr, "nexusd explain: %s\n", words);
        return EXIT_USAGE;
    }
    writer_init(&out, 0);
    explain_write(&out, policy, &explanation);
    printf("%.*s\n", (int)out.len, writer_slice(&out).data);
    writer_fini(&out);
    return EXIT_OK;
}

static int explain(const struct command_line *line, const struct explain_question *question)
{
    struct policy *policy;
    int code = EXIT_CONFIG;

    policy_set_tester(NULL); /* policy.check is the business of `nexusd check` */
    policy = policy_load(line->arguments[0], NULL, say, NULL);
    if (policy != NULL)
        code = print(policy, question);
    policy_free(policy);
    return code;
}

int explain_run(const struct command_line *line)
{
    const char *as = line->values[FLAG_AS] == NULL ? DEFAULT_AS : line->values[FLAG_AS];
    const char *match = line->values[FLAG_MATCH] == NULL ? "exact" : line->values[FLAG_MATCH];
    struct explain_question question = {
        .codec = CODEC_JSON, .attributes = slice_of(as), .uri = slice_of(line->arguments[2])};
    int code = EXIT_USAGE;

    if (!explain_read_action(slice_of(line->arguments[1]), &question.action))
        return command_usage(line->command,
                             "found \"%s\"; allowed: \"call\", \"register\", \"publish\", "
                             "\"subscribe\"",
                             line->arguments[1]);
    if (!explain_read_match(slice_of(match), &question.match))
        return command_usage(line->command,
                             "--match: found \"%s\"; allowed: \"exact\", \"prefix\", \"wildcard\"",
                             match);
    if (!is_dict(question.attributes, &code, line->command))
        return code;
    return explain(line, &question);
}
