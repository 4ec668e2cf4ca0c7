/* realm_values.c -- see realm_values.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/realm_values.h"

#include "base/utf8.h"
#include "daemon/options.h"
#include "wire/codec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MAX_SECRETS 1000

/* ---- settings ---- */

static bool is_list(const struct node *node)
{
    int64_t index = 1;

    for (const struct node *item = node->first; item != NULL; item = item->next, index++) {
        if (item->key != NULL || item->index != index)
            return false;
    }
    return node->first != NULL;
}

static bool has_keys(const struct node *node)
{
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        if (item->key == NULL || !utf8_is_valid(slice_of(item->key)))
            return false;
    }
    return true;
}

static bool pack(const struct node *node, struct encoder *e);

static bool pack_table(const struct node *node, struct encoder *e)
{
    bool as_list = is_list(node);

    if (!as_list && !has_keys(node))
        return false;
    if (as_list)
        encode_list(e, COUNT_UNKNOWN);
    else
        encode_map(e, COUNT_UNKNOWN);
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        if (!as_list)
            encode_text(e, slice_of(item->key));
        if (!pack(item, e))
            return false;
    }
    encode_end(e);
    return true;
}

static bool pack(const struct node *node, struct encoder *e)
{
    switch (node->type) {
    case NODE_BOOL:
        encode_bool(e, node->boolean);
        return true;
    case NODE_INT:
        encode_int(e, node->integer);
        return true;
    case NODE_REAL:
        encode_float(e, node->real);
        return isfinite(node->real) != 0;
    case NODE_TEXT:
        encode_text(e, slice_of(node->text));
        return utf8_is_valid(slice_of(node->text));
    case NODE_TABLE:
        return pack_table(node, e);
    case NODE_OTHER:
        break;
    }
    return false;
}

/* The tree belongs to whoever read the file. */
static struct node *copy_node(const struct node *node, struct arena *arena)
{
    struct node *copy = node_new(arena, node->type);

    copy->boolean = node->boolean;
    copy->integer = node->integer;
    copy->real = node->real;
    copy->text = node->text == NULL ? NULL : arena_format(arena, "%s", node->text);
    for (const struct node *item = node->first; item != NULL; item = item->next)
        node_add(arena, copy, item->key == NULL ? NULL : arena_format(arena, "%s", item->key),
                 copy_node(item, arena));
    return copy;
}

bool settings_read(const struct node *node, struct settings *settings, struct arena *arena)
{
    struct encoder e;
    bool is_right;

    if (node->type != NODE_TABLE || !has_keys(node))
        return false;
    encode_start(&e, CODEC_MSGPACK, 256);
    is_right = pack(node, &e);
    if (is_right) {
        settings->packed = arena_copy(arena, writer_slice(&e.out));
        settings->node = copy_node(node, arena);
    }
    encode_discard(&e);
    return is_right;
}

const char *settings_file(const struct settings *settings)
{
    const struct node *file = settings->node == NULL ? NULL : node_find(settings->node, "file");
    const char *end = file == NULL || file->type != NODE_TEXT ? NULL : strrchr(file->text, '.');

    if (end == NULL || (strcmp(end, ".lua") != 0 && strcmp(end, ".json") != 0))
        return NULL;
    return file->text;
}

static void print_node(const struct node *node, struct writer *out)
{
    char number[40];

    if (node->key != NULL) {
        print_text(out, "[");
        print_quoted(out, node->key);
        print_text(out, "] = ");
    }
    if (node->type == NODE_TABLE) {
        print_text(out, "{ ");
        for (const struct node *item = node->first; item != NULL; item = item->next) {
            print_node(item, out);
            print_text(out, item->next == NULL ? " " : ", ");
        }
        print_text(out, "}");
    } else if (node->type == NODE_TEXT) {
        print_quoted(out, node->text);
    } else if (node->type == NODE_BOOL) {
        print_text(out, node->boolean ? "true" : "false");
    } else if (node->type == NODE_INT) {
        snprintf(number, sizeof(number), "%" PRId64, node->integer);
        print_text(out, number);
    } else {
        snprintf(number, sizeof(number), "%.17g", node->real);
        print_text(out, number);
        if (strpbrk(number, ".e") == NULL)
            print_text(out, ".0");
    }
}

bool settings_print(const struct settings *settings, struct writer *out)
{
    if (settings->node != NULL)
        print_node(settings->node, out);
    return settings->node != NULL;
}

/* ---- secrets ---- */

static bool is_secret(const struct node *node)
{
    const struct node *from = node->first;

    return node->key != NULL && node->type == NODE_TABLE && from != NULL && from->next == NULL &&
           from->key != NULL && from->type == NODE_TEXT && *from->text != '\0' &&
           (strcmp(from->key, "file") == 0 || strcmp(from->key, "env") == 0);
}

const struct node *secrets_wrong(const struct node *node)
{
    const struct node *item = node->first;

    while (item != NULL && is_secret(item))
        item = item->next;
    return item;
}

static struct secret_source read_secret(const struct node *node, struct arena *arena)
{
    const char *from = arena_format(arena, "%s", node->first->text);
    bool is_file = strcmp(node->first->key, "file") == 0;

    return (struct secret_source){.name = arena_format(arena, "%s", node->key),
                                  .file = is_file ? from : NULL,
                                  .path = is_file ? from : NULL,
                                  .env = is_file ? NULL : from};
}

bool secrets_read(const struct node *node, struct secret_sources *secrets, struct arena *arena)
{
    struct secret_source *sources;
    size_t count = 0;

    if (node->type != NODE_TABLE || secrets_wrong(node) != NULL)
        return false;
    for (const struct node *item = node->first; item != NULL; item = item->next)
        count++;
    if (count > MAX_SECRETS)
        return false;
    sources = arena_alloc(arena, (count + 1) * sizeof(*sources));
    secrets->at = sources;
    secrets->count = count;
    for (const struct node *item = node->first; item != NULL; item = item->next)
        *sources++ = read_secret(item, arena);
    return true;
}

bool secrets_print(const struct secret_sources *secrets, struct writer *out)
{
    if (secrets->at == NULL)
        return false;
    print_text(out, "{ ");
    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret_source *source = &secrets->at[i];

        print_text(out, "[");
        print_quoted(out, source->name);
        print_text(out, source->file != NULL ? "] = { file = " : "] = { env = ");
        print_quoted(out, source->file != NULL ? source->file : source->env);
        print_text(out, i + 1 == secrets->count ? " } " : " }, ");
    }
    print_text(out, "}");
    return true;
}
