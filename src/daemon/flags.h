/* flags.h -- the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_FLAGS_H
#define NEXUS_DAEMON_FLAGS_H

#include "base/writer.h"
#include "daemon/tree.h"

enum task { TASK_RUN, TASK_CHECK, TASK_PRINT, TASK_SAMPLE, TASK_VERSION, TASK_HELP };

struct flags {
    enum task task;
    const char *config;     /* borrowed from argv; NULL: the short way, in `tree` */
    struct node *tree;      /* what --realm, --ws and their like say */
    struct node *overrides; /* --workers, --log-level, --log-format: for both ways */
};

/* Takes the command line apart. Returns EXIT_OK or EXIT_USAGE; then a line was written to
 * standard error. */
int flags_parse(struct flags *flags, int argc, char **argv, struct arena *arena);

/* Puts the overrides into the tree of a file. */
void flags_override(const struct flags *flags, struct node *root, struct arena *arena);

/* All flags, exit codes and options, for --help. */
void flags_print_help(struct writer *out);

#endif
