/* prompt.h -- a password from a person or a pipe; never from the command line, which others see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_PROMPT_H
#define NEXUS_DAEMON_PROMPT_H

#include "base/slice.h"

#define MAX_PASSWORD_LEN 4096

struct password {
    size_t len;
    char text[MAX_PASSWORD_LEN + 2];
};

/* Asks at the terminal, twice and without echo. False, with a line on standard error: there is no
 * terminal, or no password. */
bool prompt_terminal(struct password *password) MUST_CHECK;

/* The first line of standard input, which has to be all of it. */
bool prompt_stdin(struct password *password) MUST_CHECK;

void prompt_wipe(struct password *password);

/* This process leaves no core dump behind, and nobody else's debugger looks into it. */
void prompt_hide_memory(void);

#endif
