/* lines.c -- a lexer for Lua, and the shape of its table constructors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/lines.h"

#include <ctype.h>
#include <stdlib.h>

#define MAX_OPEN 64

enum kind { LEX_END, LEX_NAME, LEX_STRING, LEX_NUMBER, LEX_EQUALS, LEX_OTHER };

struct lexeme {
    enum kind kind;
    struct slice text; /* of a string: without quotes, escapes as they stand */
    unsigned line;
};

struct lexer {
    const char *at, *end;
    unsigned line;
};

/* One table constructor, or a pair of other brackets, that is open. */
struct level {
    struct spot *spot; /* of the table; NULL for ( and [ */
    int64_t count;     /* list items so far */
    bool is_start;     /* the next lexeme begins a field */
};

struct scan {
    struct lexer lexer;
    struct lexeme now, next;
    struct lines *lines;
    struct spot **end;
    struct arena *arena;
    struct level open[MAX_OPEN];
    size_t depth;
    struct spot *pending; /* key whose value begins */
    bool is_returned;     /* `return` was just read */
};

/* The length of the opening of a long bracket ("[==["), or 0. */
static size_t long_open(const struct lexer *lexer)
{
    const char *at = lexer->at;

    if (at == lexer->end || *at != '[')
        return 0;
    for (at++; at < lexer->end && *at == '='; at++)
        ;
    return at < lexer->end && *at == '[' ? (size_t)(at + 1 - lexer->at) : 0;
}

/* Moves past a long bracket whose opening has `len` bytes; returns what is inside. */
static struct slice long_text(struct lexer *lexer, size_t len)
{
    const char *start = lexer->at + len;

    for (lexer->at = start; lexer->at < lexer->end; lexer->at++) {
        const char *at = lexer->at;
        lexer->line += *at == '\n';
        if (*at != ']' || (size_t)(lexer->end - at) < len || at[len - 1] != ']')
            continue;
        size_t equals = 0;
        while (equals < len - 2 && at[1 + equals] == '=')
            equals++;
        if (equals == len - 2) {
            lexer->at = at + len;
            return slice_make(start, (size_t)(at - start));
        }
    }
    return slice_make(start, (size_t)(lexer->end - start));
}

static void skip_comment(struct lexer *lexer)
{
    lexer->at += 2;
    size_t len = long_open(lexer);
    if (len != 0) {
        long_text(lexer, len);
        return;
    }
    while (lexer->at < lexer->end && *lexer->at != '\n')
        lexer->at++;
}

static void skip_space(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        if (isspace((unsigned char)*lexer->at))
            lexer->line += *lexer->at++ == '\n';
        else if (lexer->end - lexer->at >= 2 && lexer->at[0] == '-' && lexer->at[1] == '-')
            skip_comment(lexer);
        else
            return;
    }
}

static struct slice short_text(struct lexer *lexer)
{
    char quote = *lexer->at++;
    const char *start = lexer->at;

    while (lexer->at < lexer->end && *lexer->at != quote) {
        lexer->line += *lexer->at == '\n';
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end)
            lexer->line += *++lexer->at == '\n';
        lexer->at++;
    }
    struct slice text = slice_make(start, (size_t)(lexer->at - start));
    if (lexer->at < lexer->end)
        lexer->at++;
    return text;
}

static struct slice word(struct lexer *lexer)
{
    const char *start = lexer->at;

    while (lexer->at < lexer->end && (isalnum((unsigned char)*lexer->at) || *lexer->at == '_'))
        lexer->at++;
    return slice_make(start, (size_t)(lexer->at - start));
}

static struct slice symbol(struct lexer *lexer)
{
    const char *start = lexer->at++;

    if (lexer->at < lexer->end && *lexer->at == '=' && strchr("=~<>", *start) != NULL)
        lexer->at++;
    return slice_make(start, (size_t)(lexer->at - start));
}

static struct lexeme lex(struct lexer *lexer)
{
    skip_space(lexer);
    struct lexeme got = {LEX_END, {NULL, 0}, lexer->line};
    if (lexer->at == lexer->end)
        return got;

    size_t len = long_open(lexer);
    if (len != 0 || *lexer->at == '"' || *lexer->at == '\'') {
        got.kind = LEX_STRING;
        got.text = len != 0 ? long_text(lexer, len) : short_text(lexer);
    } else if (isalnum((unsigned char)*lexer->at) || *lexer->at == '_') {
        got.kind = isdigit((unsigned char)*lexer->at) ? LEX_NUMBER : LEX_NAME;
        got.text = word(lexer);
    } else {
        got.text = symbol(lexer);
        got.kind = slice_eq(got.text, SLICE("=")) ? LEX_EQUALS : LEX_OTHER;
    }
    return got;
}

static void advance(struct scan *scan)
{
    scan->now = scan->next;
    scan->next = lex(&scan->lexer);
}

static bool is_symbol(const struct lexeme *lexeme, char symbol)
{
    return lexeme->kind == LEX_OTHER && lexeme->text.len == 1 && lexeme->text.data[0] == symbol;
}

static struct spot *table_spot(const struct scan *scan)
{
    return scan->depth == 0 ? NULL : scan->open[scan->depth - 1].spot;
}

static struct spot *add_spot(struct scan *scan, struct slice key, int64_t index, unsigned line)
{
    struct spot *spot = arena_alloc(scan->arena, sizeof(*spot));

    *spot = (struct spot){table_spot(scan), key, index, line, NULL};
    *scan->end = spot;
    scan->end = &spot->next;
    return spot;
}

/* At `key =` or `[key] =`: notes it and moves to the value. True when it was one. */
static bool read_key(struct scan *scan)
{
    struct lexeme key = scan->now;

    if (key.kind == LEX_NAME && scan->next.kind == LEX_EQUALS) {
        scan->pending = add_spot(scan, key.text, 0, key.line);
        advance(scan);
        return true;
    }
    if (!is_symbol(&key, '[') || (scan->next.kind != LEX_STRING && scan->next.kind != LEX_NUMBER))
        return false;
    advance(scan);
    key = scan->now;
    if (!is_symbol(&scan->next, ']'))
        return true;
    advance(scan);
    if (scan->next.kind == LEX_EQUALS) {
        bool is_text = key.kind == LEX_STRING;
        scan->pending = add_spot(scan, is_text ? key.text : slice_make(NULL, 0),
                                 is_text ? 0 : strtoll(key.text.data, NULL, 10), key.line);
        advance(scan);
    }
    return true;
}

static void open_level(struct scan *scan)
{
    bool is_table = is_symbol(&scan->now, '{');
    struct spot *spot = NULL;

    if (is_table)
        spot = scan->pending != NULL ? scan->pending
                                     : add_spot(scan, slice_make(NULL, 0), 0, scan->now.line);
    if (is_table && scan->depth == 0 && scan->is_returned)
        scan->lines->root = spot;
    if (scan->depth < MAX_OPEN)
        scan->open[scan->depth++] = (struct level){spot, 0, is_table};
    scan->pending = NULL;
}

/* The first lexeme of a field: a key, or the beginning of a list item. */
static void begin_field(struct scan *scan)
{
    struct level *level = &scan->open[scan->depth - 1];

    level->is_start = false;
    if (!read_key(scan))
        scan->pending = add_spot(scan, slice_make(NULL, 0), ++level->count, scan->now.line);
}

static void step(struct scan *scan)
{
    struct level *level = scan->depth == 0 ? NULL : &scan->open[scan->depth - 1];

    if (is_symbol(&scan->now, '}') || is_symbol(&scan->now, ')') || is_symbol(&scan->now, ']')) {
        scan->depth -= scan->depth != 0;
        scan->pending = NULL;
        return;
    }
    if (level != NULL && level->is_start)
        begin_field(scan);
    else if (level == NULL && read_key(scan))
        return;

    if (is_symbol(&scan->now, '{') || is_symbol(&scan->now, '(') || is_symbol(&scan->now, '['))
        open_level(scan);
    else if (level != NULL && (is_symbol(&scan->now, ',') || is_symbol(&scan->now, ';')))
        level->is_start = level->spot != NULL;
    else if (scan->now.kind != LEX_EQUALS)
        scan->pending = NULL;
    scan->is_returned = scan->now.kind == LEX_NAME && slice_eq(scan->now.text, SLICE("return"));
}

void lines_read(struct lines *lines, struct slice text, struct arena *arena)
{
    struct scan *scan = arena_alloc(arena, sizeof(*scan));

    *lines = (struct lines){NULL, NULL};
    *scan = (struct scan){.lexer = {text.data, text.data + text.len, 1},
                          .lines = lines,
                          .end = &lines->first,
                          .arena = arena};
    scan->next = lex(&scan->lexer);
    for (advance(scan); scan->now.kind != LEX_END; advance(scan))
        step(scan);
}

static bool is_at(const struct spot *spot, struct slice key, int64_t index)
{
    if (key.data == NULL)
        return spot->key.data == NULL && spot->index == index;
    return spot->key.data != NULL && slice_eq(spot->key, key);
}

const struct spot *lines_find(const struct lines *lines, const struct spot *parent,
                              struct slice key, int64_t index)
{
    const struct spot *best = NULL;

    /* In a constructor the last of two equal keys counts, as in Lua. */
    for (const struct spot *spot = lines->first; spot != NULL; spot = spot->next) {
        if (parent != NULL && spot->parent == parent && is_at(spot, key, index))
            best = spot;
    }
    if (best != NULL || key.data == NULL)
        return best;

    for (const struct spot *spot = lines->first; spot != NULL; spot = spot->next) {
        if (is_at(spot, key, index))
            return spot;
    }
    return NULL;
}
