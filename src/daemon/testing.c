/* testing.c -- see testing.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/testing.h"

#include "daemon/exit_code.h"
#include "policy/policy.h"
#include "testing/runner.h"

enum { FLAG_COVERAGE, FLAG_FILTER };

const struct command_flag testing_flags[] = {
    [FLAG_COVERAGE] = {"coverage", NULL, "tell which lines of the policy ran; writes lcov.info"},
    [FLAG_FILTER] = {"filter", "PATTERN", "only specs whose name has that pattern of Lua"},
    {NULL, NULL, NULL},
};

int testing_run(const struct command_line *line)
{
    const struct runner_options options = {.folder = line->count == 0 ? "." : line->arguments[0],
                                           .filter = line->values[FLAG_FILTER],
                                           .has_coverage = line->values[FLAG_COVERAGE] != NULL};

    policy_set_tester(NULL); /* each spec would run policy.check again */
    switch (runner_run(&options)) {
    case RUNNER_PASSED:
        return EXIT_OK;
    case RUNNER_FAILED:
        return EXIT_RUNTIME;
    case RUNNER_NOT_RUN:
        break;
    }
    return EXIT_USAGE;
}
