/* audit.c -- see audit.h: a buffer, and the thread that empties it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/audit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A value is cut there. */
#define MAX_VALUE_LEN 4096

/* At the end: how long what is not written yet may take. */
#define CLOSE_SECONDS 2

enum target { TARGET_FILE, TARGET_LOG };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    atomic_bool is_on;
    enum target target;
    char *path; /* owned; NULL: there is nothing to reopen */
    int fd;     /* of the thread alone, once it runs; the same for is_failing */
    bool is_failing;

    /* Under lock: */
    struct writer pending;
    uint64_t lost; /* lines, not yet said */
    bool wants_reopen, is_ending;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .fd = -1};

bool audit_is_on(void)
{
    return atomic_load_explicit(&sink.is_on, memory_order_relaxed);
}

/* ---- lines ---- */

static void put(struct writer *w, const char *text)
{
    writer_write(w, text, strlen(text));
}

static void put_now(struct writer *w)
{
    struct timespec now;
    char text[INSTANT_LEN];

    clock_gettime(CLOCK_REALTIME, &now);
    writer_write(
        w, instant_format((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, text).data,
        INSTANT_LEN);
}

void audit_begin(struct audit_line *line, const char *event)
{
    writer_init(&line->text, 256);
    put(&line->text, "{\"ts\":\"");
    put_now(&line->text);
    put(&line->text, "\",\"event\":\"");
    put(&line->text, event);
    writer_put(&line->text, '"');
}

static void put_key(struct writer *w, const char *key)
{
    put(w, ",\"");
    put(w, key);
    put(w, "\":");
}

void audit_text(struct audit_line *line, const char *key, struct slice value)
{
    bool is_cut = value.len > MAX_VALUE_LEN;

    if (value.len == 0)
        return;
    if (is_cut)
        value.len = MAX_VALUE_LEN;
    put_key(&line->text, key);
    writer_put(&line->text, '"');
    escape_put(&line->text, value, "\"\\", ESCAPE_JSON);
    put(&line->text, is_cut ? "...\"" : "\"");
}

void audit_number(struct audit_line *line, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put_key(&line->text, key);
    put(&line->text, text);
}

void audit_end(struct audit_line *line)
{
    struct slice text;

    put(&line->text, "}\n");
    text = writer_slice(&line->text);
    pthread_mutex_lock(&sink.lock);
    if (sink.pending.len + text.len > MAX_AUDIT_BYTES) {
        sink.lost++;
    } else if (audit_is_on()) {
        if (sink.pending.len == 0)
            pthread_cond_signal(&sink.wake);
        writer_write(&sink.pending, text.data, text.len);
    }
    pthread_mutex_unlock(&sink.lock);
    writer_fini(&line->text);
}

void audit_reload(const char *what, const char *realm, const char *version, const char *by,
                  const char *error)
{
    struct audit_line line;

    if (!audit_is_on())
        return;
    audit_begin(&line, "reload");
    audit_text(&line, "what", slice_of(what));
    audit_text(&line, "realm", slice_of(realm));
    audit_text(&line, "version", slice_of(version));
    audit_text(&line, "by", slice_of(by));
    audit_text(&line, "result", error == NULL ? SLICE("ok") : SLICE("failed"));
    audit_text(&line, "error", slice_of(error));
    audit_end(&line);
}

/* ---- the thread ---- */

static int open_file(const char *path)
{
    /* A pipe that nobody reads is an error, and not a reason to stand still. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

static void reopen(void)
{
    int fd = sink.path == NULL ? -1 : open_file(sink.path);

    if (sink.path == NULL)
        return;
    if (fd < 0) {
        log_line(LOG_ERROR, "audit-not-reopened",
                 "the audit file cannot be opened again; the old one stays", "file", sink.path,
                 "error", strerror(errno), NULL);
        return;
    }
    close(sink.fd);
    sink.fd = fd;
}

static uint64_t count_lines(struct slice text)
{
    uint64_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

/* Returns how many lines could not be written. */
static uint64_t write_lines(struct slice lines)
{
    if (sink.target == TARGET_LOG) {
        log_write(lines);
        return 0;
    }
    CHECK(lines.data != NULL || lines.len == 0);
    while (lines.len != 0) {
        ssize_t len = write(sink.fd, lines.data, lines.len);

        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0) {
            if (!sink.is_failing)
                log_line(LOG_ERROR, "audit-not-written", "the audit file cannot be written", "file",
                         sink.path, "error", strerror(errno), NULL);
            sink.is_failing = true;
            return count_lines(lines);
        }
        lines = slice_make(lines.data + len, lines.len - (size_t)len);
    }
    sink.is_failing = false;
    return 0;
}

static uint64_t say_lost(uint64_t lost)
{
    struct audit_line line;
    char text[24];
    uint64_t still;

    if (lost == 0)
        return 0;
    audit_begin(&line, "lost");
    audit_number(&line, "count", lost);
    put(&line.text, "}\n");
    still = write_lines(writer_slice(&line.text)) == 0 ? 0 : lost;
    writer_fini(&line.text);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)lost);
    if (still == 0)
        log_line(LOG_WARN, "audit-lost", "lines of the audit log are lost", "count", text, NULL);
    return still;
}

static void *run(void *ctx)
{
    bool is_over = false;

    (void)ctx;
    while (!is_over) {
        struct writer lines;
        uint64_t lost;
        bool wants_reopen;

        pthread_mutex_lock(&sink.lock);
        while (sink.pending.len == 0 && !sink.wants_reopen && !sink.is_ending)
            pthread_cond_wait(&sink.wake, &sink.lock);
        lines = sink.pending;
        writer_init(&sink.pending, 0);
        lost = sink.lost;
        sink.lost = 0;
        wants_reopen = sink.wants_reopen;
        sink.wants_reopen = false;
        is_over = sink.is_ending;
        pthread_mutex_unlock(&sink.lock);

        if (wants_reopen)
            reopen();
        lost += write_lines(writer_slice(&lines));
        writer_fini(&lines);
        lost = say_lost(lost);
        pthread_mutex_lock(&sink.lock);
        sink.lost += lost;
        pthread_mutex_unlock(&sink.lock);
    }
    return NULL;
}

/* ---- life ---- */

int audit_open(const char *file, char *words, size_t words_len)
{
    CHECK(!audit_is_on());
    sink.target = strcmp(file, "log") == 0 ? TARGET_LOG : TARGET_FILE;
    if (sink.target == TARGET_FILE) {
        bool is_stderr = strcmp(file, "stderr") == 0;

        sink.fd = is_stderr ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0) : open_file(file);
        if (sink.fd < 0) {
            (void)snprintf(words, words_len, "cannot open the audit file \"%s\": %s", file,
                           strerror(errno));
            return ERR_IO;
        }
        sink.path = is_stderr ? NULL : mem_copy(file, strlen(file));
    }
    writer_init(&sink.pending, 0);
    sink.is_ending = sink.wants_reopen = false;
    sink.lost = 0;
    CHECK(pthread_create(&sink.thread, NULL, run, NULL) == 0);
    atomic_store(&sink.is_on, true);
    return 0;
}

void audit_reopen(void)
{
    if (!audit_is_on())
        return;
    pthread_mutex_lock(&sink.lock);
    sink.wants_reopen = true;
    pthread_cond_signal(&sink.wake);
    pthread_mutex_unlock(&sink.lock);
}

void audit_close(void)
{
    struct timespec until;

    if (!audit_is_on())
        return;
    atomic_store(&sink.is_on, false);
    pthread_mutex_lock(&sink.lock);
    sink.is_ending = true;
    pthread_cond_signal(&sink.wake);
    pthread_mutex_unlock(&sink.lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_SECONDS;
    if (pthread_timedjoin_np(sink.thread, NULL, &until) != 0) {
        log_line(LOG_WARN, "audit-cut", "the disk takes no more lines of the audit log", NULL);
        return; /* the thread may still use what is left; the process ends with it */
    }
    writer_fini(&sink.pending);
    if (sink.fd >= 0)
        close(sink.fd);
    sink.fd = -1;
    mem_free(sink.path);
    sink.path = NULL;
}
