/* audit.h -- who did what: one line of JSON for each fact, in a file of its own.
 *
 *   {"ts":"2026-11-22T19:13:00.350Z","event":"join","realm":"realm1","session":42,...}
 *
 * Lines are collected in memory and written by a thread of their own: no disk, however slow,
 * keeps anybody waiting. What does not fit in there is lost, counted, and said in a line
 * of its own ("event":"lost") and in the log. No secret is ever handed over.
 *
 * One for the whole process, as the log is. Functions may be called from any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_AUDIT_H
#define NEXUS_BASE_AUDIT_H

#include "base/writer.h"

/* Lines that wait for the disk. */
#define MAX_AUDIT_BYTES (4U << 20)

/* Opens a file for appending, or "log" (where log lines go) or "stderr". Returns 0 or ERR_IO with
 * words. audit_close comes once, at the end: it waits a moment for what is not written yet. */
int audit_open(const char *file, char *words, size_t words_len) MUST_CHECK;
void audit_close(void);

/* The file was moved away: the next line goes into a new one under the old name. */
void audit_reopen(void);

/* Lets callers skip preparing lines. */
bool audit_is_on(void);

/* One line: begin, any number of values, end. Empty texts are left out. */
struct audit_line {
    struct writer text;
};
void audit_begin(struct audit_line *line, const char *event);
void audit_text(struct audit_line *line, const char *key, struct slice value);
void audit_number(struct audit_line *line, const char *key, uint64_t value);
void audit_end(struct audit_line *line);

/* Something was loaded again while running: `what` is "policy", "tls", ...; of a realm or NULL; its
 * version, by whose will ("SIGHUP", "file", "session 42"), and what went wrong, or NULL each. */
void audit_reload(const char *what, const char *realm, const char *version, const char *by,
                  const char *error);

#endif
