/* wire_kit.h -- what the tests of wire share: values as text, bytes from hex, random values.
 *
 * A value is shown as one line, the same for every serializer: [1 -2 f:1.5 "x" h'00ff' null].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_WIRE_KIT_H
#define NEXUS_SPEC_WIRE_KIT_H

#include "base/err.h"
#include "base/rng.h"
#include "wire/msg.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Text that grows; free with text_free. */
struct text {
    char *data;
    size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *t,
                                                                  const char *format, ...)
{
    va_list args;
    int len;

    if (t->cap - t->len < 512) {
        t->cap = t->cap * 2 + 1024;
        t->data = mem_grow(t->data, t->cap);
    }
    va_start(args, format);
    len = vsnprintf(t->data + t->len, t->cap - t->len, format, args);
    va_end(args);
    t->len += (size_t)len;
}

static inline void text_free(struct text *t)
{
    mem_free(t->data);
    *t = (struct text){0};
}

/* Bytes written as hex; blanks are ignored. Valid until the eighth call after this one. */
static inline struct slice unhex(const char *hex)
{
    static char pool[8][70000];
    static unsigned turn;
    char *out = pool[turn++ % 8];
    size_t len = 0;
    unsigned byte;

    for (; *hex != '\0'; hex += isxdigit((unsigned char)*hex) ? 2 : 1)
        if (isxdigit((unsigned char)*hex) && sscanf(hex, "%2x", &byte) == 1)
            out[len++] = (char)byte;
    return slice_make(out, len);
}

static inline void add_string(struct text *t, struct slice s, char quote, bool as_hex)
{
    text_add(t, "%c", quote);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (as_hex)
            text_add(t, "%02x", c);
        else if (c < 0x20 || c == '"' || c == '\\')
            text_add(t, "\\x%02x", c);
        else
            text_add(t, "%c", c);
    }
    text_add(t, "%c", quote);
}

static inline void add_token(struct text *t, const struct token *token)
{
    switch (token->type) {
    case TOKEN_NULL:
        text_add(t, "null");
        break;
    case TOKEN_BOOL:
        text_add(t, token->boolean ? "true" : "false");
        break;
    case TOKEN_INT:
        text_add(t, "%lld", (long long)token->integer);
        break;
    case TOKEN_UINT:
        text_add(t, "%llu", (unsigned long long)token->natural);
        break;
    case TOKEN_FLOAT:
        text_add(t, "f:%.17g", token->real);
        break;
    case TOKEN_BIGNUM:
        text_add(t, "big:%.*s", SLICE_ARG(token->text));
        break;
    case TOKEN_TEXT:
        text_add(t, token->ext_type == -1 ? "ts" : "");
        add_string(t, token->text, '"', false);
        break;
    case TOKEN_BYTES:
        text_add(t, "h");
        add_string(t, token->text, '\'', true);
        break;
    case TOKEN_EXT:
        text_add(t, "ext(%d)h", token->ext_type);
        add_string(t, token->text, '\'', true);
        break;
    case TOKEN_LIST:
        text_add(t, "[");
        break;
    case TOKEN_MAP:
        text_add(t, "{");
        break;
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
}

/* The value as text, or "!" and the words of the fault. bare_keys: read it as payload. */
static inline struct text show(enum codec codec, struct slice bytes, bool bare_keys)
{
    char closers[MAX_DEPTH];
    struct token token = {.type = TOKEN_NULL};
    struct fault fault = {0};
    struct text t = {0};
    struct reader r;
    struct arena arena;

    arena_init(&arena);
    reader_init(&r, codec, bytes, &arena, &fault);
    r.bare_keys = bare_keys;
    text_add(&t, "%s", "");
    for (;;) {
        int err = reader_next(&r, &token);

        if (err != 0) {
            t.len = 0;
            text_add(&t, "!%s: %s", err_name(err), fault.words);
            break;
        }
        if (token.type == TOKEN_DONE)
            break;
        if (token.type == TOKEN_END) {
            text_add(&t, "%c", closers[r.depth]);
            continue;
        }
        if (t.len != 0 && strchr("[{", t.data[t.len - 1]) == NULL)
            text_add(&t, " ");
        add_token(&t, &token);
        if (token.type == TOKEN_LIST || token.type == TOKEN_MAP)
            closers[r.depth - 1] = token.type == TOKEN_LIST ? ']' : '}';
    }
    arena_fini(&arena);
    return t;
}

/* True when reader_skip comes to the same verdict about the bytes as reading token by token. */
static inline bool skip_agrees(enum codec codec, struct slice bytes, bool bare_keys)
{
    struct text shown = show(codec, bytes, bare_keys);
    bool is_valid = shown.data[0] != '!';
    struct slice extent = {0};
    struct token token;
    struct fault fault;
    struct reader r;
    struct arena arena;
    bool is_empty, was_skipped;

    arena_init(&arena);
    reader_init(&r, codec, bytes, &arena, &fault);
    r.bare_keys = bare_keys;
    was_skipped = reader_skip(&r, &extent, &is_empty) == 0 && reader_next(&r, &token) == 0;
    if (was_skipped)
        was_skipped = token.type == TOKEN_DONE;
    if (was_skipped && is_valid && (shown.data[0] == '[' || shown.data[0] == '{'))
        is_valid = is_empty == (shown.len == 2);
    arena_fini(&arena);
    text_free(&shown);
    return was_skipped == is_valid;
}

/* ---- random values ---- */

/* Encodes a random value; the same state of the generator gives the same value for every
 * serializer. is_counted: tell containers their count. */
static inline void encode_random(struct encoder *e, struct rng *rng, unsigned depth,
                                 bool is_counted);

static inline void encode_random_text(struct encoder *e, struct rng *rng)
{
    static const char *const pieces[] = {
        "a",
        "Z",
        "\"",
        "\\",
        "\n",
        "\x01",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "/",
        "abcdefghijklmnop",
        "\t",
        "0",
        "\xef\xbf\xbd",
    };
    char out[1024];
    size_t len = 0, count = rng_below(rng, 40);

    while (count-- > 0) {
        const char *piece = pieces[rng_below(rng, ARRAY_LEN(pieces))];

        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    encode_text(e, slice_make(out, len));
}

static inline double random_real(struct rng *rng)
{
    uint64_t bits = rng_u64(rng);
    double real;

    switch (rng_below(rng, 4)) {
    case 0:
        return (double)(int64_t)bits / 1000.0;
    case 1:
        return (double)(bits % 100000) / 100.0;
    case 2:
        return (double)(int64_t)(bits >> 20);
    default:
        bits &= ~(UINT64_C(1) << 62); /* not infinite, not NaN */
        memcpy(&real, &bits, sizeof(real));
        return real;
    }
}

static inline void encode_random_container(struct encoder *e, struct rng *rng, unsigned depth,
                                           bool is_counted)
{
    bool is_map = rng_below(rng, 2) == 0;
    size_t count = rng_below(rng, 20) == 0 ? 15 + rng_below(rng, 4) : rng_below(rng, 4);

    if (is_map)
        encode_map(e, is_counted ? count : COUNT_UNKNOWN);
    else
        encode_list(e, is_counted ? count : COUNT_UNKNOWN);
    for (size_t i = 0; i < count; i++) {
        if (is_map)
            encode_random_text(e, rng);
        encode_random(e, rng, depth + 1, is_counted);
    }
    encode_end(e);
}

static inline void encode_random(struct encoder *e, struct rng *rng, unsigned depth,
                                 bool is_counted)
{
    char octets[300];
    size_t len;

    switch (rng_below(rng, depth > 5 ? 7 : 10)) {
    case 0:
        encode_null(e);
        break;
    case 1:
        encode_bool(e, rng_below(rng, 2) == 0);
        break;
    case 2:
        encode_int(e, (int64_t)rng_u64(rng) >> rng_below(rng, 64));
        break;
    case 3:
        encode_uint(e, rng_u64(rng) >> rng_below(rng, 64));
        break;
    case 4:
        encode_float(e, random_real(rng));
        break;
    case 5:
        len = rng_below(rng, sizeof(octets));
        rng_bytes(rng, octets, len);
        encode_bytes(e, slice_make(octets, len));
        break;
    case 6:
        encode_random_text(e, rng);
        break;
    default:
        encode_random_container(e, rng, depth, is_counted);
        break;
    }
}

static inline struct blob *random_value(enum codec codec, uint64_t seed, bool is_counted)
{
    struct encoder e;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &seed);
    encode_start(&e, codec, 0);
    encode_random(&e, &rng, 0, is_counted);
    return encode_finish(&e);
}

#endif
