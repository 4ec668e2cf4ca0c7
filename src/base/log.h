/* log.h -- log lines: level, stable id, text, key=value.
 *
 * One line per event on one stream, as text or as JSON, written with a single
 * write(2) so that threads do not mix lines. Levels can change while running.
 * Never used by wire and core, which note facts as actions.
 *
 *   log_line(LOG_WARN, "listen-failed", "cannot listen", "address", "127.0.0.1:80",
 *            "error", err_words(err), NULL);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_LOG_H
#define NEXUS_BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_options {
    enum log_level level;
    bool json;
    int fd; /* borrowed; where lines go (before log_setup: 2) */
};

/* Sets level, form and stream; may be called again. */
void log_setup(const struct log_options *options);

/* From now on lines are handed to `take` instead of the stream, one at a time, from any thread; NULL:
 * to the stream again. It must not log. */
void log_divert(void (*take)(struct slice line));

/* True when lines of that level are written: lets callers skip preparing them. */
bool log_is_on(enum log_level level);

/* Writes one line. After the words follow pairs of key and value (both char *), then NULL.
 * A NULL value leaves its pair out. Everything is escaped, and cut after 4096 bytes, so values
 * may come from a peer. Keys are not ts, level, id or msg: the JSON form has these already. */
void log_line(enum log_level level, const char *id, const char *words, ...)
    __attribute__((sentinel));

/* Writes whole lines, as they are, where log lines go. */
void log_write(struct slice lines);

#endif
