/* console.h -- a policy to try things with: its state, a router with it in `t`, and texts to be run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_CONSOLE_H
#define NEXUS_POLICY_CONSOLE_H

#include "base/writer.h"
#include "policy/policy.h"

struct console;

/* Loads a policy, without its policy.check; there must be a tester (policy_set_tester). NULL when it is
 * not sound, and that was said. */
struct console *console_open(const char *path, policy_say_fn *say, void *ctx);
void console_close(struct console *console);

enum console_outcome {
    CONSOLE_DONE,   /* `out` is what it printed, and its values */
    CONSOLE_FAILED, /* `out` says why */
    CONSOLE_MORE,   /* it is not complete; nothing was run */
};

/* Runs an expression or statements. Adds to `out`: lines, or nothing. */
enum console_outcome console_run(struct console *console, struct slice text, struct writer *out);

#endif
