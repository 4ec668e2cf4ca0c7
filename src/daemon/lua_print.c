/* lua_print.c -- see lua_print.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/lua_print.h"

#include "base/check.h"
#include "wire/msg.h"

#include <ctype.h>
#include <stdio.h>

static void put(struct writer *out, const char *text)
{
    writer_write(out, text, strlen(text));
}

void lua_print_text(struct writer *out, struct slice text)
{
    char escape[8];

    writer_put(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20 || byte == 0x7f) {
            (void)snprintf(escape, sizeof(escape), "\\x%02x", byte);
            put(out, escape);
            continue;
        }
        if (byte == '"' || byte == '\\')
            writer_put(out, '\\');
        writer_put(out, (char)byte);
    }
    writer_put(out, '"');
}

static bool is_name(struct slice key)
{
    static const char *const words[] = {"and",   "break", "do",       "else", "elseif", "end",
                                        "false", "for",   "function", "goto", "if",     "in",
                                        "local", "nil",   "not",      "or",   "repeat", "return",
                                        "then",  "true",  "until",    "while"};
    bool is_plain = key.len != 0 && !isdigit((unsigned char)key.data[0]);

    for (size_t i = 0; i < key.len; i++) {
        unsigned char byte = (unsigned char)key.data[i];

        is_plain &= byte < 0x80 && (isalnum(byte) || byte == '_');
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        is_plain &= !slice_eq(key, slice_of(words[i]));
    return is_plain;
}

void lua_print_key(struct writer *out, struct slice key)
{
    if (is_name(key)) {
        writer_write(out, key.data, key.len);
        return;
    }
    writer_put(out, '[');
    lua_print_text(out, key);
    writer_put(out, ']');
}

static void print_items(struct writer *out, struct dict_walk *walk, bool is_map, enum codec codec)
{
    const char *before = "{ ";

    while (is_map ? dict_next(walk) : list_next(walk)) {
        put(out, before);
        if (is_map) {
            lua_print_key(out, walk->key);
            put(out, " = ");
        }
        lua_print(out, codec, walk->value);
        before = ", ";
    }
    put(out, *before == '{' ? "{}" : " }");
}

void lua_print(struct writer *out, enum codec codec, struct slice value)
{
    struct arena arena;
    struct reader reader;
    struct fault fault;
    struct token token;
    struct dict_walk walk;
    char number[48];

    arena_init(&arena);
    reader_init(&reader, codec, value, &arena, &fault);
    CHECK(reader_next(&reader, &token) == 0);
    switch (token.type) {
    case TOKEN_MAP:
        dict_walk(&walk, codec, value, &arena);
        print_items(out, &walk, true, codec);
        break;
    case TOKEN_LIST:
        list_walk(&walk, codec, value, &arena);
        print_items(out, &walk, false, codec);
        break;
    case TOKEN_TEXT:
    case TOKEN_BYTES:
        lua_print_text(out, token.text);
        break;
    case TOKEN_UINT:
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)token.natural);
        put(out, number);
        break;
    case TOKEN_INT:
        (void)snprintf(number, sizeof(number), "%lld", (long long)token.integer);
        put(out, number);
        break;
    case TOKEN_BOOL:
        put(out, token.boolean ? "true" : "false");
        break;
    case TOKEN_NULL:
        put(out, "nil");
        break;
    case TOKEN_FLOAT:
    case TOKEN_BIGNUM:
    case TOKEN_EXT:
    case TOKEN_END:
    case TOKEN_DONE:
        UNREACHABLE("no record has such a value");
    }
    arena_fini(&arena);
}
