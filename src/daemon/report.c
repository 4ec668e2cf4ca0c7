/* report.c -- collects lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/report.h"

#include "base/utf8.h"
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_LINE_LEN 2000

static void list_init(struct report_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

void report_init(struct report *report, const char *file)
{
    report->file = file;
    arena_init(&report->arena);
    list_init(&report->errors);
    list_init(&report->notes);
}

void report_fini(struct report *report)
{
    arena_fini(&report->arena);
    list_init(&report->errors);
    list_init(&report->notes);
}

/* Keys and values come from the file: none of them may break the line, or the terminal. */
static const char *printable(struct arena *arena, const char *text)
{
    struct slice all = slice_of(text);
    bool is_text = utf8_is_valid(all);
    char *out = arena_alloc(arena, all.len * 4 + 1), *at = out;

    for (size_t i = 0; i < all.len; i++) {
        unsigned char byte = (unsigned char)all.data[i];
        if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text))
            at += snprintf(at, 5, "\\x%02x", byte);
        else
            *at++ = (char)byte;
    }
    *at = '\0';
    return out;
}

static void add(struct report *report, struct report_list *list, unsigned line, const char *words)
{
    char text[MAX_LINE_LEN + 300];

    if (list->count >= MAX_REPORT_LINES)
        return;
    if (++list->count == MAX_REPORT_LINES)
        snprintf(text, sizeof(text), "%.250s: more lines follow, not shown", report->file);
    else if (line != 0)
        snprintf(text, sizeof(text), "%.250s:%u: %s", report->file, line, words);
    else
        snprintf(text, sizeof(text), "%.250s: %s", report->file, words);

    struct report_line *entry = arena_alloc(&report->arena, sizeof(*entry));
    *entry = (struct report_line){printable(&report->arena, text), NULL};
    *list->end = entry;
    list->end = &entry->next;
}

void report_error(struct report *report, unsigned line, const char *format, ...)
{
    char words[MAX_LINE_LEN];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    add(report, &report->errors, line, words);
}

void report_note(struct report *report, unsigned line, const char *format, ...)
{
    char words[MAX_LINE_LEN];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    add(report, &report->notes, line, words);
}
