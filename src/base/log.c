/* log.c -- builds one line and writes it.
 *
 * What a peer chose may be in any value. Whatever is not printable is escaped,
 * and a text value that could be taken for something else is quoted, so nobody
 * forges a line or talks to the terminal of the reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"

#include "base/escape.h"
#include "base/instant.h"
#include "base/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Longer values are cut, so that a peer cannot fill the disk with one name. */
#define VALUE_MAX_LEN 4096

static struct {
    atomic_int level, form, fd;
} setup = {LOG_INFO, ESCAPE_TEXT, 2};

static void (*diverted)(struct slice line); /* under `writing` */

/* write(2) does not mix lines by itself when a pipe takes a long one in parts. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    const char *text, *json;
} level_names[] = {
    [LOG_DEBUG] = {"DEBUG", "debug"},
    [LOG_INFO] = {"INFO ", "info"},
    [LOG_WARN] = {"WARN ", "warn"},
    [LOG_ERROR] = {"ERROR", "error"},
};

void log_setup(const struct log_options *options)
{
    atomic_store(&setup.level, (int)options->level);
    atomic_store(&setup.form, options->json ? ESCAPE_JSON : ESCAPE_TEXT);
    atomic_store(&setup.fd, options->fd);
}

void log_divert(void (*take)(struct slice line))
{
    pthread_mutex_lock(&writing);
    diverted = take;
    pthread_mutex_unlock(&writing);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&setup.level, memory_order_relaxed);
}

static void put_text(struct writer *w, const char *text)
{
    writer_write(w, text, strlen(text));
}

static void put_time(struct writer *w)
{
    struct timespec now;
    char text[INSTANT_LEN];

    clock_gettime(CLOCK_REALTIME, &now);
    writer_write(
        w, instant_format((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, text).data,
        INSTANT_LEN);
}

/* At most VALUE_MAX_LEN bytes of a text, not cut within a character. */
static struct slice bounded(const char *text, bool *is_cut)
{
    size_t len = strnlen(text, VALUE_MAX_LEN + 1);

    *is_cut = len > VALUE_MAX_LEN;
    if (*is_cut) {
        len = VALUE_MAX_LEN;
        for (int i = 0; i < 3 && ((unsigned char)text[len] & 0xc0) == 0x80; i++)
            len--;
    }
    return slice_make(text, len);
}

static void put_quoted(struct writer *w, const char *text, enum escape_form form)
{
    bool is_cut;
    struct slice value = bounded(text, &is_cut);

    writer_put(w, '"');
    escape_put(w, value, "\"\\", form);
    if (is_cut)
        put_text(w, "...");
    writer_put(w, '"');
}

/* True when a text stands for itself without quotes. */
static bool is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\' || *at == '=')
            return false;
    }
    size_t len = strlen(text);
    return len != 0 && len <= VALUE_MAX_LEN;
}

static void put_word(struct writer *w, const char *text)
{
    if (is_plain(text))
        put_text(w, text);
    else
        put_quoted(w, text, ESCAPE_TEXT);
}

static void put_text_head(struct writer *w, enum log_level level, const char *id, const char *words)
{
    bool is_cut;
    struct slice bounded_words = bounded(words, &is_cut);

    put_time(w);
    writer_put(w, ' ');
    put_text(w, level_names[level].text);
    writer_put(w, ' ');
    put_word(w, id);
    writer_put(w, ' ');
    escape_put(w, bounded_words, "", ESCAPE_TEXT);
    if (is_cut)
        put_text(w, "...");
}

static void put_json_head(struct writer *w, enum log_level level, const char *id, const char *words)
{
    put_text(w, "{\"ts\":\"");
    put_time(w);
    put_text(w, "\",\"level\":\"");
    put_text(w, level_names[level].json);
    put_text(w, "\",\"id\":");
    put_quoted(w, id, ESCAPE_JSON);
    put_text(w, ",\"msg\":");
    put_quoted(w, words, ESCAPE_JSON);
}

static void put_pair(struct writer *w, const char *key, const char *value, enum escape_form form)
{
    if (form == ESCAPE_JSON) {
        writer_put(w, ',');
        put_quoted(w, key, form);
        writer_put(w, ':');
        put_quoted(w, value, form);
        return;
    }
    writer_put(w, ' ');
    put_word(w, key);
    writer_put(w, '=');
    put_word(w, value);
}

/* A log that cannot be written has nowhere to complain: the line is lost. */
static void write_line(struct slice line)
{
    int fd = atomic_load(&setup.fd);

    pthread_mutex_lock(&writing);
    if (diverted != NULL) {
        diverted(line);
        line.len = 0;
    }
    while (line.len != 0) {
        ssize_t len = write(fd, line.data, line.len);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            break;
        line = slice_make(line.data + len, line.len - (size_t)len);
    }
    pthread_mutex_unlock(&writing);
}

void log_write(struct slice lines)
{
    write_line(lines);
}

void log_line(enum log_level level, const char *id, const char *words, ...)
{
    if (!log_is_on(level))
        return;

    int saved_errno = errno;
    enum escape_form form = (enum escape_form)atomic_load(&setup.form);
    struct writer w;
    va_list pairs;

    writer_init(&w, 512);
    if (form == ESCAPE_JSON)
        put_json_head(&w, level, id, words);
    else
        put_text_head(&w, level, id, words);

    va_start(pairs, words);
    for (;;) {
        const char *key = va_arg(pairs, const char *);
        if (key == NULL)
            break;
        const char *value = va_arg(pairs, const char *);
        if (value != NULL)
            put_pair(&w, key, value, form);
    }
    va_end(pairs);

    put_text(&w, form == ESCAPE_JSON ? "}\n" : "\n");
    write_line(writer_slice(&w));
    writer_fini(&w);
    errno = saved_errno;
}
