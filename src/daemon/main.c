/* main.c -- from the command line to a running router, and to the exit code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/exit_code.h"
#include "daemon/flags.h"
#include "daemon/login_config.h"
#include "daemon/policies.h"
#include "daemon/service.h"
#include "testing/gate.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- standard streams ---- */

/* A socket or a database that got the number of a closed stream would be written to by whoever means
 * the stream. What is put there instead can be read or written as little as what was closed. */
static void occupy_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            CHECK(open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd);
    }
}

/* What could not be written was not done. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fprintf(stderr, "nexusd: cannot write to standard output\n");
    return code == EXIT_OK ? EXIT_RUNTIME : code;
}

static int print_all(struct writer *text)
{
    struct slice left = writer_slice(text);

    if (left.len != 0)
        fwrite(left.data, 1, left.len, stdout);
    writer_fini(text);
    return EXIT_OK;
}

/* ---- tasks ---- */

static int print_help(void)
{
    struct writer out;

    writer_init(&out, 4096);
    commands_print(&out);
    flags_print_help(&out);
    return print_all(&out);
}

static int print_sample(void)
{
    struct writer out;

    writer_init(&out, 4096);
    config_print_sample(&out);
    return print_all(&out);
}

static int print_config(const struct config *config)
{
    struct writer out;

    writer_init(&out, 4096);
    config_print(config, &out);
    return print_all(&out);
}

static void print_lines(const struct report_list *list)
{
    for (const struct report_line *line = list->first; line != NULL; line = line->next)
        fprintf(stderr, "%s\n", line->text);
}

static int do_task(enum task task, const struct config *config, const struct report *report)
{
    print_lines(&report->notes);
    if (task == TASK_PRINT)
        return print_config(config);
    printf("%s: no errors\n", report->file);
    return EXIT_OK;
}

static int run(const struct flags *flags, const struct node *root, struct policies *policies,
               const struct config *config, const struct report *report)
{
    struct renewals *renewals = renewals_new(flags, root, policies);
    int code = service_run(config, report, renewals);

    renewals_free(renewals);
    return code;
}

/* Policies are code: to print a configuration none is run. */
static int with_policies(const struct flags *flags, const struct node *root, struct config *config,
                         const struct report *report)
{
    struct policies *policies;
    int code = EXIT_CONFIG;

    if (flags->task == TASK_PRINT)
        return do_task(flags->task, config, report);
    if (!login_config_use(config))
        return EXIT_CONFIG;
    policies = policies_load(config);
    if (policies != NULL)
        code = flags->task == TASK_RUN ? run(flags, root, policies, config, report)
                                       : do_task(flags->task, config, report);
    policies_free(policies);
    return code;
}

static int with_config(const struct flags *flags, struct arena *arena)
{
    bool is_file = flags->config != NULL;
    struct report report;
    struct config config = {0};
    int code = is_file ? EXIT_CONFIG : EXIT_USAGE;

    report_init(&report, is_file ? flags->config : "nexusd");
    struct node *root = is_file ? config_read(flags->config, arena, &report) : flags->tree;
    if (root != NULL) {
        flags_override(flags, root, arena);
        if (config_check(&config, root, &report) == 0)
            code = with_policies(flags, root, &config, &report);
        config_fini(&config);
    }
    print_lines(&report.errors);
    report_fini(&report);
    return code;
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct flags flags;
    int code;

    occupy_streams();
    policy_set_tester(&testing_gate);
    if (commands_run(argc, argv, &code))
        return finish(code);
    arena_init(&arena);
    code = flags_parse(&flags, argc, argv, &arena);
    if (code == EXIT_OK && flags.task == TASK_HELP)
        code = print_help();
    else if (code == EXIT_OK && flags.task == TASK_SAMPLE)
        code = print_sample();
    else if (code == EXIT_OK && flags.task == TASK_VERSION)
        printf("nexusd %s\n", NEXUS_VERSION);
    else if (code == EXIT_OK)
        code = with_config(&flags, &arena);
    arena_fini(&arena);
    return finish(code);
}
