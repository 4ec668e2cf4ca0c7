/* escape.c -- see escape.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/escape.h"

#include "base/utf8.h"

#include <stdio.h>

static void put_text(struct writer *w, const char *text)
{
    writer_write(w, text, strlen(text));
}

/* The length of the character at the start of the slice; 0 when it is not UTF-8. */
static size_t character_len(struct slice text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++) {
        if (utf8_is_valid(slice_make(text.data, len)))
            return len;
    }
    return 0;
}

/* Controls, and what makes a reader see another order or number of lines than there is. */
static bool is_printable(uint32_t code_point)
{
    if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
        return false;
    if (code_point >= 0x2028 && code_point <= 0x202e)
        return false;
    return code_point < 0x2066 || code_point > 0x2069;
}

static void put_escape(struct writer *w, uint32_t code_point, enum escape_form form)
{
    static const char named[] = "\bb\ff\nn\rr\tt";
    char text[16];

    for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
        if (code_point == (unsigned char)named[i]) {
            writer_put(w, '\\');
            writer_put(w, named[i + 1]);
            return;
        }
    }
    bool is_short = form == ESCAPE_TEXT && code_point < 0x80;
    snprintf(text, sizeof(text), is_short ? "\\x%02x" : "\\u%04x", (unsigned)code_point);
    put_text(w, text);
}

/* JSON has no way to write a byte that is not text; the text form shows it. */
static void put_bad_byte(struct writer *w, char byte, enum escape_form form)
{
    char text[16];

    if (form == ESCAPE_JSON) {
        put_text(w, "\xef\xbf\xbd");
        return;
    }
    snprintf(text, sizeof(text), "\\x%02x", (unsigned)(unsigned char)byte);
    put_text(w, text);
}

void escape_put(struct writer *w, struct slice text, const char *marks, enum escape_form form)
{
    while (text.len != 0) {
        size_t len = character_len(text);
        if (len == 0) {
            put_bad_byte(w, text.data[0], form);
            text = slice_make(text.data + 1, text.len - 1);
            continue;
        }
        const char *start = text.data;
        uint32_t code_point = utf8_next(&text);
        if (!is_printable(code_point)) {
            put_escape(w, code_point, form);
            continue;
        }
        if (len == 1 && strchr(marks, *start) != NULL)
            writer_put(w, '\\');
        writer_write(w, start, len);
    }
}
