/* json_file.c -- JSON text becomes a tree, with the line of each value.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/nexus_json.h"
#include "wire/codec.h"

#include <inttypes.h>
#include <stdio.h>

struct parse {
    struct reader reader;
    struct arena *arena;
    struct report *report;
    struct fault fault;
    const char *counted_to; /* lines before here are counted in `line` */
    unsigned line;
};

static void count_lines(struct parse *parse, const char *to)
{
    for (; parse->counted_to < to; parse->counted_to++)
        parse->line += *parse->counted_to == '\n';
}

static bool next(struct parse *parse, struct token *token)
{
    if (reader_next(&parse->reader, token) != 0) {
        count_lines(parse, parse->reader.at);
        report_error(parse->report, parse->line, "not JSON: %s", parse->fault.words);
        return false;
    }
    count_lines(parse, parse->reader.at);
    return true;
}

static struct node *other(struct parse *parse, const char *words)
{
    struct node *node = node_new(parse->arena, NODE_OTHER);

    node->text = words;
    return node;
}

static struct node *text_node(struct parse *parse, struct slice text)
{
    if (text.len != 0 && memchr(text.data, '\0', text.len) != NULL)
        return other(parse, "string with a NUL byte in it");
    return node_text(parse->arena, arena_format(parse->arena, "%.*s", (int)text.len,
                                                text.len == 0 ? "" : text.data));
}

static struct node *scalar(struct parse *parse, const struct token *token)
{
    struct node *node;

    switch (token->type) {
    case TOKEN_BOOL:
        return node_bool(parse->arena, token->boolean);
    case TOKEN_INT:
        return node_int(parse->arena, token->integer);
    case TOKEN_UINT:
        if (token->natural <= INT64_MAX)
            return node_int(parse->arena, (int64_t)token->natural);
        return other(parse, "number that is too large");
    case TOKEN_FLOAT:
        node = node_new(parse->arena, NODE_REAL);
        node->real = token->real;
        return node;
    case TOKEN_TEXT:
        return text_node(parse, token->text);
    case TOKEN_NULL:
        return other(parse, "null");
    case TOKEN_BYTES:
        return other(parse, "string that begins with a NUL byte");
    case TOKEN_BIGNUM:
        return other(parse, "number that is too large");
    case TOKEN_LIST:
    case TOKEN_MAP:
    case TOKEN_EXT:
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
    return other(parse, "value that cannot be here");
}

static struct node *value(struct parse *parse, const struct token *token, struct node *table,
                          const char *key, int depth);

/* The children of a list or object, up to its end. */
static bool children(struct parse *parse, struct node *table, bool is_map, int depth)
{
    struct token token;

    for (;;) {
        const char *key = NULL;
        if (!next(parse, &token))
            return false;
        if (token.type == TOKEN_END)
            return true;
        if (is_map) {
            const struct node *name = text_node(parse, token.text);
            key = name->text;
            if (!next(parse, &token))
                return false;
        }
        if (value(parse, &token, table, key, depth) == NULL)
            return false;
    }
}

/* Adds one value to its table; NULL when the text goes wrong within it. */
static struct node *value(struct parse *parse, const struct token *token, struct node *table,
                          const char *key, int depth)
{
    bool is_table = token->type == TOKEN_LIST || token->type == TOKEN_MAP;
    struct node *node = is_table ? node_new(parse->arena, NODE_TABLE) : scalar(parse, token);

    node->line = parse->line;
    node_add(parse->arena, table, key, node);
    if (!is_table)
        return node;
    if (depth >= MAX_TREE_DEPTH) {
        report_error(parse->report, parse->line, "%s: nested too deeply", node->name);
        return NULL;
    }
    return children(parse, node, token->type == TOKEN_MAP, depth + 1) ? node : NULL;
}

struct node *json_file_read(struct slice text, struct arena *arena, struct report *report)
{
    struct parse *parse = arena_alloc(arena, sizeof(*parse));
    struct node *root = node_new(arena, NODE_TABLE);
    struct token token;

    *parse = (struct parse){.arena = arena, .report = report, .counted_to = text.data, .line = 1};
    root->name = "";
    reader_init(&parse->reader, CODEC_JSON, text, arena, &parse->fault);
    if (!next(parse, &token))
        return NULL;
    if (token.type != TOKEN_MAP) {
        report_error(report, 1, "the file holds no JSON object");
        return NULL;
    }
    if (!children(parse, root, true, 1) || !next(parse, &token))
        return NULL;
    return root;
}
