/* places.c -- see places.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/places.h"

#include "base/mem.h"

#include <ctype.h>

enum word_type { WORD_NAME, WORD_STRING, WORD_SIGN };

struct word {
    enum word_type type;
    bool is_used; /* it begins a rule that was given out */
    unsigned line;
    struct slice text; /* of a string: what is between the quotes, as written */
    const char *label;
};

struct places {
    const struct source *source;
    struct word *words; /* array owned */
    size_t count, cap;
};

struct scan {
    struct places *places;
    const char *at, *end;
    const char *label;
    unsigned line;
};

static void add(struct scan *scan, enum word_type type, const char *from, const char *to)
{
    struct places *places = scan->places;

    if (places->count == places->cap) {
        places->cap = places->cap == 0 ? 256 : places->cap * 2;
        places->words = mem_grow(places->words, places->cap * sizeof(*places->words));
    }
    places->words[places->count++] = (struct word){.type = type,
                                                   .line = scan->line,
                                                   .text = slice_make(from, (size_t)(to - from)),
                                                   .label = scan->label};
}

/* The level of a long bracket that opens here ("[[", "[==["), or -1. */
static int long_level(const struct scan *scan)
{
    const char *at = scan->at + 1;
    int level = 0;

    for (; at < scan->end && *at == '='; at++)
        level++;
    return *scan->at == '[' && at < scan->end && *at == '[' ? level : -1;
}

static bool closes(const struct scan *scan, int level)
{
    const char *at = scan->at;

    if (scan->end - at < level + 2 || at[0] != ']' || at[level + 1] != ']')
        return false;
    for (int i = 1; i <= level; i++) {
        if (at[i] != '=')
            return false;
    }
    return true;
}

static void skip_long(struct scan *scan, int level, bool is_text)
{
    const char *from;

    scan->at += level + 2;
    from = scan->at;
    while (scan->at < scan->end && !closes(scan, level)) {
        scan->line += *scan->at == '\n';
        scan->at++;
    }
    if (is_text)
        add(scan, WORD_STRING, from, scan->at);
    scan->at = scan->end - scan->at < level + 2 ? scan->end : scan->at + level + 2;
}

static void skip_comment(struct scan *scan)
{
    int level;

    scan->at += 2;
    level = scan->at < scan->end ? long_level(scan) : -1;
    if (level >= 0) {
        skip_long(scan, level, false);
        return;
    }
    while (scan->at < scan->end && *scan->at != '\n')
        scan->at++;
}

static void read_string(struct scan *scan)
{
    char quote = *scan->at++;
    const char *from = scan->at;

    while (scan->at < scan->end && *scan->at != quote && *scan->at != '\n') {
        scan->at += *scan->at == '\\' && scan->at + 1 < scan->end;
        scan->line += *scan->at == '\n';
        scan->at++;
    }
    add(scan, WORD_STRING, from, scan->at);
    scan->at += scan->at < scan->end && *scan->at == quote;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void read_word(struct scan *scan)
{
    const char *from = scan->at;

    if (*from == '"' || *from == '\'') {
        read_string(scan);
    } else if (*from == '-' && scan->at + 1 < scan->end && from[1] == '-') {
        skip_comment(scan);
    } else if (long_level(scan) >= 0) {
        skip_long(scan, long_level(scan), true);
    } else if (is_name(*from)) {
        while (scan->at < scan->end && is_name(*scan->at))
            scan->at++;
        add(scan, WORD_NAME, from, scan->at);
    } else {
        scan->line += *from == '\n';
        scan->at++;
        if (!isspace((unsigned char)*from))
            add(scan, WORD_SIGN, from, scan->at);
    }
}

static void read_words(struct places *places, const struct source_file *file)
{
    struct scan scan = {.places = places,
                        .at = file->text.data,
                        .end = file->text.data + file->text.len,
                        .label = file->label,
                        .line = 1};

    while (scan.at < scan.end)
        read_word(&scan);
}

/* A file of data says what others only hand on; ready-made policies are the last to be meant. Their
 * label is the name alone. */
static int rank(const struct source *source, const struct source_file *file)
{
    if (file == source_data(source))
        return 0;
    return file->label == file->name ? 2 : 1;
}

struct places *places_new(const struct source *source)
{
    struct places *places = mem_zero(1, sizeof(*places));

    places->source = source;
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < source_count(source); i++) {
            if (rank(source, source_at(source, i)) == turn)
                read_words(places, source_at(source, i));
        }
    }
    return places;
}

struct places *places_new_of(const struct source *source, const struct source_file *file)
{
    struct places *places = mem_zero(1, sizeof(*places));

    places->source = source;
    read_words(places, file);
    return places;
}

void places_free(struct places *places)
{
    if (places == NULL)
        return;
    mem_free(places->words);
    mem_free(places);
}

static bool is_sign(const struct places *places, size_t i, char sign)
{
    return i < places->count && places->words[i].type == WORD_SIGN &&
           *places->words[i].text.data == sign;
}

/* `name = "value"` begins here. */
static bool assigns(const struct places *places, size_t i, struct slice name, struct slice value)
{
    const struct word *words = &places->words[i];

    return i + 2 < places->count && words[0].type == WORD_NAME && slice_eq(words[0].text, name) &&
           is_sign(places, i + 1, '=') && words[2].type == WORD_STRING &&
           slice_eq(words[2].text, value);
}

/* The brace that opens the table in which the word stands, or the word itself. */
static size_t table_of(const struct places *places, size_t word)
{
    int depth = 0;

    for (size_t i = word; i-- > 0;) {
        if (is_sign(places, i, '}'))
            depth++;
        else if (is_sign(places, i, '{') && depth-- == 0)
            return i;
    }
    return word;
}

static bool table_assigns(const struct places *places, size_t brace, struct slice name,
                          struct slice value)
{
    int depth = 0;

    for (size_t i = brace + 1; i < places->count && depth >= 0; i++) {
        if (is_sign(places, i, '{'))
            depth++;
        else if (is_sign(places, i, '}'))
            depth--;
        else if (depth == 0 && assigns(places, i, name, value))
            return true;
    }
    return false;
}

static struct place unknown(const struct places *places)
{
    return (struct place){source_entry(places->source)->label, 0};
}

struct place places_rule(struct places *places, struct slice effect, struct slice actions,
                         struct slice uri)
{
    const struct word *found = NULL;

    for (size_t i = 0; i < places->count; i++) {
        size_t brace;

        if (!assigns(places, i, effect, actions))
            continue;
        brace = table_of(places, i);
        if (!table_assigns(places, brace, SLICE("uri"), uri))
            continue;
        if (found == NULL)
            found = &places->words[brace];
        if (places->words[i].is_used)
            continue;
        places->words[i].is_used = true;
        found = &places->words[brace];
        break;
    }
    return found == NULL ? unknown(places) : (struct place){found->label, found->line};
}

static bool gets_value(const struct places *places, size_t i)
{
    size_t next = i + 1;

    if (places->words[i].type == WORD_SIGN)
        return false;
    if (places->words[i].type == WORD_STRING) {
        if (i == 0 || !is_sign(places, i - 1, '[') || !is_sign(places, next, ']'))
            return false;
        next++;
    } else if (i > 0 && is_sign(places, i - 1, '.') && is_sign(places, next, '(')) {
        return true;
    }
    return is_sign(places, next, '=') && !is_sign(places, next + 1, '=');
}

struct place places_key(const struct places *places, struct slice key)
{
    for (size_t i = 0; i < places->count; i++) {
        const struct word *word = &places->words[i];

        if (slice_eq(word->text, key) && gets_value(places, i))
            return (struct place){word->label, word->line};
    }
    return unknown(places);
}
