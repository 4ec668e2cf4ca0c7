/* codec.c -- what all serializers share: the registry, readers, encoders, transcoding.
 *
 * Nothing here knows how a serializer spells anything; that is in codec_*.c,
 * reached through struct codec_ops.
 *
 * WAMP: "Serializers".
 * SPDX-License-Identifier: MIT
 */
#include "wire/codec.h"

#include "base/check.h"
#include "wire/codec_priv.h"
#include "wire/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Up to so many bytes are moved to give a container the shortest head. */
#define MOVE_MAX 4096

static const struct codec_ops *const registry[CODEC_COUNT] = {
    [CODEC_JSON] = &codec_json,
    [CODEC_MSGPACK] = &codec_msgpack,
    [CODEC_CBOR] = &codec_cbor,
};

const struct codec_ops *codec_ops(enum codec codec)
{
    return registry[codec];
}

const char *codec_name(enum codec codec)
{
    return registry[codec]->name;
}

bool codec_is_text(enum codec codec)
{
    return registry[codec]->is_text;
}

const char *token_words(enum token_type type)
{
    static const char *const words[] = {
        [TOKEN_NULL] = "null",
        [TOKEN_BOOL] = "a boolean",
        [TOKEN_INT] = "an integer",
        [TOKEN_UINT] = "an integer",
        [TOKEN_FLOAT] = "a float",
        [TOKEN_BIGNUM] = "a big integer",
        [TOKEN_TEXT] = "a string",
        [TOKEN_BYTES] = "binary",
        [TOKEN_EXT] = "an extension value",
        [TOKEN_LIST] = "a list",
        [TOKEN_MAP] = "a dict",
        [TOKEN_END] = "the end of the list",
        [TOKEN_DONE] = "the end of the message",
    };

    return words[type];
}

/* ---- faults ---- */

int reader_fault(struct reader *r, const char *at, int err, const char *format, ...)
{
    char words[120];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return fault_set(r->fault, err, WAMP_PROTOCOL_VIOLATION, "%s: %s at byte %zu",
                     registry[r->codec]->name, words, (size_t)(at - r->from));
}

int reader_fault_truncated(struct reader *r)
{
    return reader_fault(r, r->end, ERR_MALFORMED, "the input ends within a value");
}

int reader_fault_depth(struct reader *r, const char *at)
{
    return reader_fault(r, at, ERR_TOO_DEEP, "nested deeper than %d lists and dicts", MAX_DEPTH);
}

int reader_fault_utf8(struct reader *r, const char *at)
{
    return reader_fault(r, at, ERR_UTF8, "a string that is not valid UTF-8");
}

/* ---- reading ---- */

void reader_init(struct reader *r, enum codec codec, struct slice bytes, struct arena *arena,
                 struct fault *fault)
{
    r->at = r->from = r->start = bytes.len == 0 ? "" : bytes.data;
    r->end = r->at + bytes.len;
    r->has_begun = false;
    r->codec = codec;
    r->bare_keys = false;
    r->arena = arena;
    r->fault = fault;
    r->depth = 0;
}

int reader_next(struct reader *r, struct token *token)
{
    const struct codec_ops *ops = registry[r->codec];
    int position = ops->begin(r);
    int err;

    if (position < 0)
        return position;
    r->start = r->at;
    if (position >= POSITION_END) {
        token->type = position == POSITION_END ? TOKEN_END : TOKEN_DONE;
        return 0;
    }
    err = ops->token(r, token, position == POSITION_KEY);
    if (err != 0)
        return err;
    if (position == POSITION_KEY && token->type != TOKEN_TEXT && !r->bare_keys)
        return reader_fault(r, r->start, ERR_MALFORMED, "a key must be a string, found %s",
                            token_words(token->type));
    return 0;
}

int reader_skip(struct reader *r, struct slice *extent, bool *is_empty)
{
    const struct codec_ops *ops = registry[r->codec];
    int position = ops->begin(r);
    const char *start = r->at;
    bool empty = false;
    int err;

    if (position < 0)
        return position;
    if (position >= POSITION_END)
        return reader_fault(r, r->at, ERR_MALFORMED, "a value is missing");
    if (position == POSITION_KEY && !r->bare_keys && ops->peek(r) != TOKEN_TEXT)
        return reader_fault(r, r->at, ERR_MALFORMED, "a key must be a string");
    r->start = start;
    err = ops->skip(r, r->bare_keys ? SKIP_PAYLOAD : SKIP_DICT, &empty);
    if (err != 0)
        return err;
    if (extent != NULL)
        *extent = slice_make(start, (size_t)(r->at - start));
    if (is_empty != NULL)
        *is_empty = empty;
    return 0;
}

int reader_skip_opened(struct reader *r, enum skip_mode mode)
{
    bool is_empty;

    r->depth--;
    r->at = r->start;
    return registry[r->codec]->skip(r, mode, &is_empty);
}

/* ---- writing ---- */

void encode_start(struct encoder *e, enum codec codec, size_t hint)
{
    writer_init(&e->out, hint);
    e->codec = codec;
    e->depth = 0;
}

/* Counts an item, and writes what JSON wants between items. */
static inline void begin_item(struct encoder *e)
{
    uint64_t before;

    if (e->depth == 0)
        return;
    before = e->open[e->depth - 1].count++;
    if (e->codec == CODEC_JSON && before != 0)
        writer_put(&e->out, e->open[e->depth - 1].is_map && (before & 1) != 0 ? ':' : ',');
}

void encode_null(struct encoder *e)
{
    begin_item(e);
    registry[e->codec]->put_null(&e->out);
}

void encode_bool(struct encoder *e, bool value)
{
    begin_item(e);
    registry[e->codec]->put_bool(&e->out, value);
}

void encode_int(struct encoder *e, int64_t value)
{
    begin_item(e);
    if (value < 0)
        registry[e->codec]->put_int(&e->out, value);
    else
        registry[e->codec]->put_uint(&e->out, (uint64_t)value);
}

void encode_uint(struct encoder *e, uint64_t value)
{
    begin_item(e);
    registry[e->codec]->put_uint(&e->out, value);
}

void encode_float(struct encoder *e, double value)
{
    begin_item(e);
    registry[e->codec]->put_float(&e->out, value);
}

void encode_text(struct encoder *e, struct slice text)
{
    begin_item(e);
    registry[e->codec]->put_text(&e->out, text);
}

void encode_bytes(struct encoder *e, struct slice bytes)
{
    begin_item(e);
    registry[e->codec]->put_bytes(&e->out, bytes);
}

void encode_text_pair(struct encoder *e, const char *key, struct slice value)
{
    encode_text(e, slice_of(key));
    encode_text(e, value);
}

static void open_container(struct encoder *e, bool is_map, size_t count)
{
    const struct codec_ops *ops = registry[e->codec];
    unsigned char *head;

    begin_item(e);
    CHECK(e->depth < MAX_ENCODER_DEPTH);
    e->open[e->depth].count = 0;
    e->open[e->depth].is_map = is_map;
    e->open[e->depth].is_counted = count != COUNT_UNKNOWN;
    e->open[e->depth].at = count == COUNT_UNKNOWN ? e->out.len : count;
    e->depth++;
    if (ops->has_closers) {
        writer_put(&e->out, is_map ? '{' : '[');
        return;
    }
    head = (unsigned char *)writer_reserve(&e->out, HEADER_MAX);
    if (count == COUNT_UNKNOWN)
        writer_advance(&e->out, HEADER_WIDE);
    else
        writer_advance(&e->out, ops->header(head, is_map, count, false));
}

void encode_list(struct encoder *e, size_t count)
{
    open_container(e, false, count);
}

void encode_map(struct encoder *e, size_t count)
{
    open_container(e, true, count);
}

/* Writes the head into the room that was left for it. Little content is moved up to a short
 * head; much content gets a wide one, so that no byte is moved more often than it is nested. */
static void fill_header(struct encoder *e, const struct codec_ops *ops, size_t at, bool is_map,
                        uint64_t count)
{
    char *room = e->out.blob->data + at;
    size_t content = e->out.len - at - HEADER_WIDE;
    unsigned char head[HEADER_MAX];
    size_t len = ops->header(head, is_map, count, content > MOVE_MAX);

    memcpy(room, head, len);
    if (len == HEADER_WIDE)
        return;
    memmove(room + len, room + HEADER_WIDE, content);
    e->out.len -= HEADER_WIDE - len;
}

void encode_end(struct encoder *e)
{
    const struct codec_ops *ops = registry[e->codec];
    uint64_t count;
    bool is_map;

    CHECK(e->depth > 0);
    e->depth--;
    is_map = e->open[e->depth].is_map;
    count = e->open[e->depth].count;
    CHECK(!is_map || (count & 1) == 0);
    if (is_map)
        count /= 2;
    CHECK(!e->open[e->depth].is_counted || e->open[e->depth].at == count);
    if (ops->has_closers)
        writer_put(&e->out, is_map ? '}' : ']');
    else if (!e->open[e->depth].is_counted)
        fill_header(e, ops, e->open[e->depth].at, is_map, count);
}

struct blob *encode_finish(struct encoder *e)
{
    CHECK(e->depth == 0);
    return writer_freeze(&e->out);
}

void encode_discard(struct encoder *e)
{
    writer_fini(&e->out);
}

/* ---- transcoding: reader to encoder ---- */

/* An integer that fits nowhere else travels as the nearest double. */
static double bignum_value(struct slice digits, struct arena *arena)
{
    char *text = arena_alloc(arena, digits.len + 1);

    memcpy(text, digits.data, digits.len);
    text[digits.len] = '\0';
    return strtod(text, NULL);
}

/* Writes a key for JSON, where it must be text; false when it has no text form. */
static bool encode_key_as_text(struct encoder *e, const struct token *token)
{
    char digits[24];
    int len;

    switch (token->type) {
    case TOKEN_TEXT:
    case TOKEN_BIGNUM:
        encode_text(e, token->text);
        return true;
    case TOKEN_NULL:
        encode_text(e, SLICE("null"));
        return true;
    case TOKEN_BOOL:
        encode_text(e, token->boolean ? SLICE("true") : SLICE("false"));
        return true;
    case TOKEN_INT:
        len = snprintf(digits, sizeof(digits), "%lld", (long long)token->integer);
        encode_text(e, slice_make(digits, (size_t)len));
        return true;
    case TOKEN_UINT:
        len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)token->natural);
        encode_text(e, slice_make(digits, (size_t)len));
        return true;
    case TOKEN_FLOAT:
    case TOKEN_BYTES:
    case TOKEN_EXT:
    case TOKEN_LIST:
    case TOKEN_MAP:
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
    return false;
}

/* Drops an entry whose key cannot be written. */
static int drop_entry(struct reader *r, const struct token *key)
{
    if (key->type == TOKEN_LIST || key->type == TOKEN_MAP) {
        int err = reader_skip_opened(r, SKIP_PAYLOAD);

        if (err != 0)
            return err;
    }
    return reader_skip(r, NULL, NULL);
}

static void encode_token(struct encoder *e, const struct token *token, struct arena *arena)
{
    switch (token->type) {
    case TOKEN_NULL:
        encode_null(e);
        break;
    case TOKEN_BOOL:
        encode_bool(e, token->boolean);
        break;
    case TOKEN_INT:
        encode_int(e, token->integer);
        break;
    case TOKEN_UINT:
        encode_uint(e, token->natural);
        break;
    case TOKEN_FLOAT:
        encode_float(e, token->real);
        break;
    case TOKEN_BIGNUM:
        encode_float(e, bignum_value(token->text, arena));
        break;
    case TOKEN_TEXT:
        if (token->ext_type == -1 && e->codec == CODEC_CBOR)
            writer_put(&e->out, (char)0xc0); /* tag 0: a date and time as text */
        encode_text(e, token->text);
        break;
    case TOKEN_BYTES:
    case TOKEN_EXT:
        encode_bytes(e, token->text);
        break;
    case TOKEN_LIST:
        encode_list(e, token->count);
        break;
    case TOKEN_MAP:
        /* Towards JSON entries may be dropped, so its count is not promised. */
        encode_map(e, registry[e->codec]->has_closers ? COUNT_UNKNOWN : token->count);
        break;
    case TOKEN_END:
        encode_end(e);
        break;
    case TOKEN_DONE:
        break;
    }
}

static int transcode_tokens(struct encoder *e, struct reader *r)
{
    struct token token = {.type = TOKEN_NULL};

    for (;;) {
        bool is_key = e->codec == CODEC_JSON && reader_is_at_key(r);
        int err = reader_next(r, &token);

        if (err != 0 || token.type == TOKEN_DONE)
            return err;
        if (!is_key || token.type == TOKEN_END)
            encode_token(e, &token, r->arena);
        else if (!encode_key_as_text(e, &token))
            err = drop_entry(r, &token);
        if (err != 0)
            return err;
    }
}

void encode_value(struct encoder *e, enum codec from, struct slice value)
{
    struct reader reader;
    struct arena arena;
    struct fault fault;
    int err;

    if (from == e->codec) {
        begin_item(e);
        writer_write(&e->out, value.data, value.len);
        return;
    }
    arena_init(&arena);
    reader_init(&reader, from, value, &arena, &fault);
    reader.bare_keys = true;
    err = transcode_tokens(e, &reader);
    CHECK(err == 0); /* the value was validated when it was received */
    arena_fini(&arena);
}

struct blob *transcode(enum codec from, struct slice value, enum codec to)
{
    struct encoder e;

    encode_start(&e, to, value.len + value.len / 4 + 16);
    encode_value(&e, from, value);
    return encode_finish(&e);
}
