/* runner.h -- the specs of a policy, run in this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_TESTING_RUNNER_H
#define NEXUS_TESTING_RUNNER_H

#include "base/base.h"

struct runner_options {
    const char *folder; /* of the policy; its specs are in spec/ */
    const char *filter; /* a pattern of Lua for the names of specs; NULL: all */
    bool has_coverage;  /* tell which lines ran, and write lcov.info into the folder */
};

enum runner_outcome {
    RUNNER_PASSED,
    RUNNER_FAILED,  /* what failed was said */
    RUNNER_NOT_RUN, /* there is nothing to run: said on standard error */
};

/* Changes the working directory of the process to the folder, as specs name files below it. */
enum runner_outcome runner_run(const struct runner_options *options);

#endif
