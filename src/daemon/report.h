/* report.h -- what is wrong with a configuration, or worth knowing: one line each.
 *
 * Everything is collected before anything is printed, so that one run shows all
 * errors of a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_REPORT_H
#define NEXUS_DAEMON_REPORT_H

#include "base/arena.h"

/* A file with more errors than that is not a configuration. */
#define MAX_REPORT_LINES 200

struct report_line {
    const char *text; /* owned by the arena */
    struct report_line *next;
};

struct report_list {
    struct report_line *first, **end;
    size_t count;
};

struct report {
    const char *file; /* borrowed; stands in front of each line */
    struct arena arena;
    struct report_list errors; /* the configuration cannot be used */
    struct report_list notes;  /* it can, and this is worth knowing */
};

void report_init(struct report *report, const char *file);
void report_fini(struct report *report);

/* Adds one line: "file:line: words" (line 0: not known). What is not printable is escaped. */
void report_error(struct report *report, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);
void report_note(struct report *report, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
