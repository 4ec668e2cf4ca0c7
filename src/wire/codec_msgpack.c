/* codec_msgpack.c -- MessagePack: our own reader, and a writer on msgpack-c's templates.
 *
 * The reader slices encoded bytes without building anything, which is not what
 * the parser of msgpack-c is for. Extension -1 (timestamp) reads as its RFC 3339 text; a
 * str that is not UTF-8 reads as binary where payload is read.
 *
 * WAMP: "Serializers", MessagePack.
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/utf8.h"
#include "wire/codec_priv.h"

#include <msgpack/pack_define.h>
#include <msgpack/timestamp.h>
#include <stdio.h>

/* The packing functions of msgpack-c, writing straight into a struct writer. */
#define msgpack_pack_inline_func(name)             static inline int msgpack_pack##name
#define msgpack_pack_inline_func_cint(name)        static inline int msgpack_pack##name
#define msgpack_pack_user                          struct writer *
#define msgpack_pack_append_buffer(user, buf, len) return (writer_write(user, buf, len), 0)
#include <msgpack/pack_template.h>

/* How a value begins. */
struct head {
    size_t len;    /* bytes of the head, first byte included */
    uint64_t size; /* bytes of the body, or items */
};

enum kind {
    KIND_NONE, /* 0xc1 */
    KIND_UINT,
    KIND_INT,
    KIND_NIL,
    KIND_BOOL,
    KIND_FLOAT,
    KIND_STR,
    KIND_BIN,
    KIND_EXT,
    KIND_LIST,
    KIND_MAP,
};

/* First bytes from 0xc0 to 0xdf: kind, octets of the number in the head, octets that follow
 * whatever it says. */
struct row {
    uint8_t kind, number, fixed;
};

static const struct row rows[32] = {
    {KIND_NIL, 0, 0},   {KIND_NONE, 0, 0},  {KIND_BOOL, 0, 0}, {KIND_BOOL, 0, 0}, {KIND_BIN, 1, 0},
    {KIND_BIN, 2, 0},   {KIND_BIN, 4, 0},   {KIND_EXT, 1, 1},  {KIND_EXT, 2, 1},  {KIND_EXT, 4, 1},
    {KIND_FLOAT, 0, 4}, {KIND_FLOAT, 0, 8}, {KIND_UINT, 0, 1}, {KIND_UINT, 0, 2}, {KIND_UINT, 0, 4},
    {KIND_UINT, 0, 8},  {KIND_INT, 0, 1},   {KIND_INT, 0, 2},  {KIND_INT, 0, 4},  {KIND_INT, 0, 8},
    {KIND_EXT, 0, 2},   {KIND_EXT, 0, 3},   {KIND_EXT, 0, 5},  {KIND_EXT, 0, 9},  {KIND_EXT, 0, 17},
    {KIND_STR, 1, 0},   {KIND_STR, 2, 0},   {KIND_STR, 4, 0},  {KIND_LIST, 2, 0}, {KIND_LIST, 4, 0},
    {KIND_MAP, 2, 0},   {KIND_MAP, 4, 0},
};

static inline int begin(struct reader *r)
{
    bool is_key = reader_is_at_key(r);

    if (r->depth == 0) {
        if (r->has_begun) {
            if (r->at == r->end)
                return POSITION_DONE;
            return reader_fault(r, r->at, ERR_MALFORMED, "bytes after the value");
        }
        r->has_begun = true;
    } else if (r->open[r->depth - 1].left == 0) {
        r->depth--;
        return POSITION_END;
    } else {
        r->open[r->depth - 1].left--;
    }
    if (UNLIKELY(r->at == r->end))
        return reader_fault_truncated(r);
    return is_key ? POSITION_KEY : POSITION_VALUE;
}

static enum kind peek_kind(unsigned char first)
{
    if (first < 0x80)
        return KIND_UINT;
    if (first < 0x90)
        return KIND_MAP;
    if (first < 0xa0)
        return KIND_LIST;
    if (first < 0xc0)
        return KIND_STR;
    if (first < 0xe0)
        return rows[first - 0xc0].kind;
    return KIND_INT;
}

static enum token_type peek(const struct reader *r)
{
    switch (peek_kind((unsigned char)*r->at)) {
    case KIND_UINT:
    case KIND_INT:
        return TOKEN_UINT;
    case KIND_NIL:
        return TOKEN_NULL;
    case KIND_BOOL:
        return TOKEN_BOOL;
    case KIND_FLOAT:
        return TOKEN_FLOAT;
    case KIND_STR:
        return TOKEN_TEXT;
    case KIND_BIN:
        return TOKEN_BYTES;
    case KIND_EXT:
        return TOKEN_EXT;
    case KIND_LIST:
        return TOKEN_LIST;
    case KIND_MAP:
        return TOKEN_MAP;
    case KIND_NONE:
        break;
    }
    return TOKEN_DONE;
}

/* Reads the head that begins at `at`. The whole head, and the body of what has one, is there
 * when this succeeds; a container cannot announce more items than bytes are left. */
static inline int read_head(struct reader *r, const char *at, enum kind *kind, struct head *head)
{
    unsigned char first = (unsigned char)*at;
    size_t left = (size_t)(r->end - at);
    const struct row *row;

    head->len = 1;
    head->size = 0;
    *kind = peek_kind(first);
    if (first < 0xc0) {
        head->size = first < 0x80 ? 0 : first < 0xa0 ? first & 0x0f : first & 0x1f;
    } else if (first < 0xe0) {
        row = &rows[first - 0xc0];
        head->len += row->number;
        if (UNLIKELY(left < head->len))
            return reader_fault_truncated(r);
        head->size = load_be(at + 1, row->number) + row->fixed;
    }
    if (UNLIKELY(*kind == KIND_NONE))
        return reader_fault(r, at, ERR_MALFORMED, "the octet 0xc1, which means nothing");
    if (UNLIKELY(head->size > (left - head->len) / (*kind == KIND_MAP ? 2 : 1)))
        return reader_fault(r, at, ERR_MALFORMED, "%llu announced, %zu bytes left",
                            (unsigned long long)head->size, left - head->len);
    return 0;
}

/* ---- tokens ---- */

/* Days since 1970-01-01 to a date of the Gregorian calendar, by eras of 400 years. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

/* Writes a moment as RFC 3339 text; false when it has no such form. */
static bool timestamp_text(int64_t seconds, uint32_t nanos, struct arena *arena, struct slice *text)
{
    const int64_t first = -62167219200, last = 253402300799; /* years 0000 to 9999 */
    int64_t of_day = ((seconds % 86400) + 86400) % 86400;
    char *out;
    int year, month, day, len;

    if (seconds < first || seconds > last || nanos > 999999999)
        return false;
    civil_from_days((seconds - of_day) / 86400, &year, &month, &day);
    out = arena_alloc(arena, 64);
    len = snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, (int)(of_day / 3600),
                   (int)(of_day / 60 % 60), (int)(of_day % 60));
    if (nanos != 0) {
        len += snprintf(out + len, 64 - (size_t)len, ".%09u", (unsigned)nanos);
        while (out[len - 1] == '0')
            len--;
    }
    out[len++] = 'Z';
    *text = slice_make(out, (size_t)len);
    return true;
}

/* An extension: a timestamp becomes text, a broken one binary, others stay what they are. */
static void read_extension(struct reader *r, struct token *token, int8_t type, struct slice body)
{
    int64_t seconds = 0;
    uint32_t nanos = 0;
    uint64_t both;

    token->type = TOKEN_EXT;
    token->ext_type = type;
    token->text = body;
    if (type != -1)
        return;
    token->type = TOKEN_BYTES;
    if (body.len == 4) {
        seconds = (int64_t)load_be(body.data, 4);
    } else if (body.len == 8) {
        both = load_be(body.data, 8);
        seconds = (int64_t)(both & 0x3ffffffff);
        nanos = (uint32_t)(both >> 34);
    } else if (body.len == 12) {
        nanos = (uint32_t)load_be(body.data, 4);
        seconds = (int64_t)load_be(body.data + 4, 8);
    } else {
        return;
    }
    if (timestamp_text(seconds, nanos, r->arena, &token->text))
        token->type = TOKEN_TEXT;
}

static void read_natural(struct token *token, uint64_t value)
{
    token->type = TOKEN_UINT;
    token->natural = value;
}

static void read_integer(struct token *token, int64_t value)
{
    if (value >= 0) {
        read_natural(token, (uint64_t)value);
        return;
    }
    token->type = TOKEN_INT;
    token->integer = value;
}

static void read_signed(struct token *token, const char *at, size_t len)
{
    unsigned unused = (unsigned)(8 * (8 - len));

    read_integer(token, (int64_t)(load_be(at, len) << unused) >> unused);
}

static void read_float(struct token *token, const char *at, size_t len)
{
    uint64_t bits = load_be(at, len);
    uint32_t half = (uint32_t)bits;
    float narrow;

    token->type = TOKEN_FLOAT;
    if (len == 8) {
        memcpy(&token->real, &bits, sizeof(bits));
    } else {
        memcpy(&narrow, &half, sizeof(half));
        token->real = (double)narrow;
    }
}

static int read_text(struct reader *r, struct token *token, struct slice body)
{
    token->type = TOKEN_TEXT;
    token->ext_type = 0;
    token->text = body;
    if (LIKELY(utf8_is_valid(body)))
        return 0;
    if (!r->bare_keys)
        return reader_fault_utf8(r, body.data);
    token->type = TOKEN_BYTES;
    return 0;
}

static int read_container(struct reader *r, struct token *token, bool is_map, uint64_t size)
{
    token->type = is_map ? TOKEN_MAP : TOKEN_LIST;
    token->count = (size_t)size;
    return reader_push(r, is_map, is_map ? size * 2 : size);
}

static int read_token(struct reader *r, struct token *token, bool is_key)
{
    const char *at = r->at;
    unsigned char first = (unsigned char)*at;
    struct head head;
    enum kind kind;
    int err = read_head(r, at, &kind, &head);

    if (err != 0)
        return err;
    at += head.len;
    r->at = kind == KIND_LIST || kind == KIND_MAP ? at : at + head.size;
    switch (kind) {
    case KIND_UINT:
        read_natural(token, first < 0x80 ? first : load_be(at, head.size));
        return 0;
    case KIND_INT:
        if (first >= 0xe0)
            read_signed(token, at - 1, 1);
        else
            read_signed(token, at, head.size);
        return 0;
    case KIND_NIL:
        token->type = TOKEN_NULL;
        return 0;
    case KIND_BOOL:
        token->type = TOKEN_BOOL;
        token->boolean = first == 0xc3;
        return 0;
    case KIND_FLOAT:
        read_float(token, at, head.size);
        return 0;
    case KIND_STR:
        return read_text(r, token, slice_make(at, head.size));
    case KIND_BIN:
        token->type = TOKEN_BYTES;
        token->text = slice_make(at, head.size);
        return 0;
    case KIND_EXT:
        read_extension(r, token, (int8_t)*at, slice_make(at + 1, head.size - 1));
        if (is_key && !r->bare_keys)
            token->type = TOKEN_EXT; /* a timestamp is no key of a WAMP dict */
        return 0;
    case KIND_LIST:
    case KIND_MAP:
        return read_container(r, token, kind == KIND_MAP, head.size);
    case KIND_NONE:
        break;
    }
    UNREACHABLE("read_head has refused it");
}

/* ---- skipping ---- */

/* A str is looked at only where it must be text. */
static int check_text(struct reader *r, const char *at, enum kind kind, size_t len)
{
    if (kind != KIND_STR)
        return reader_fault(r, at, ERR_MALFORMED, "a key must be a string");
    if (!utf8_is_valid(slice_make(at, len)))
        return reader_fault_utf8(r, at);
    return 0;
}

/* True when the value to come must be text: a key where keys are, or any str of a WAMP dict. */
static inline bool is_text_due(const struct reader *r, enum skip_mode mode, enum kind kind,
                               bool is_key, unsigned base)
{
    if (LIKELY(mode == SKIP_PAYLOAD))
        return false;
    if (mode == SKIP_KWARGS)
        return is_key && r->depth == base + 1;
    return is_key || kind == KIND_STR;
}

/* Leaves the containers that are complete. */
static inline void close_finished(struct reader *r, unsigned base)
{
    while (r->depth > base && r->open[r->depth - 1].left == 0)
        r->depth--;
}

/* Enters a list or map whose head ends at `at`. */
static inline int skip_open(struct reader *r, const char *at, bool is_map, uint64_t size,
                            unsigned base, bool *is_empty)
{
    r->at = at;
    if (r->depth == base)
        *is_empty = size == 0;
    return reader_push(r, is_map, is_map ? size * 2 : size);
}

static int skip(struct reader *r, enum skip_mode mode, bool *is_empty)
{
    const unsigned base = r->depth;
    const char *at = r->at;
    bool is_key = false;
    struct head head;
    enum kind kind;
    int err;

    *is_empty = false;
    for (;;) {
        err = read_head(r, at, &kind, &head);
        if (UNLIKELY(err != 0))
            return err;
        at += head.len;
        if (is_text_due(r, mode, kind, is_key, base))
            err = check_text(r, at, kind, head.size);
        if (kind == KIND_LIST || kind == KIND_MAP)
            err = err != 0 ? err : skip_open(r, at, kind == KIND_MAP, head.size, base, is_empty);
        else
            at += head.size;
        if (UNLIKELY(err != 0))
            return err;
        close_finished(r, base);
        if (r->depth == base)
            break;
        is_key = reader_is_at_key(r);
        r->open[r->depth - 1].left--;
        if (UNLIKELY(at == r->end))
            return reader_fault_truncated(r);
    }
    r->at = at;
    return 0;
}

/* ---- writing ---- */

static void put_null(struct writer *out)
{
    msgpack_pack_nil(out);
}

static void put_bool(struct writer *out, bool value)
{
    if (value)
        msgpack_pack_true(out);
    else
        msgpack_pack_false(out);
}

static void put_int(struct writer *out, int64_t value)
{
    msgpack_pack_int64(out, value);
}

static void put_uint(struct writer *out, uint64_t value)
{
    msgpack_pack_uint64(out, value);
}

static void put_float(struct writer *out, double value)
{
    msgpack_pack_double(out, value);
}

static void put_text(struct writer *out, struct slice text)
{
    msgpack_pack_str(out, text.len);
    writer_write(out, text.data, text.len);
}

static void put_bytes(struct writer *out, struct slice bytes)
{
    msgpack_pack_bin(out, bytes.len);
    writer_write(out, bytes.data, bytes.len);
}

static size_t header(unsigned char out[HEADER_MAX], bool is_map, uint64_t count, bool wide)
{
    if (!wide && count < 16) {
        out[0] = (unsigned char)((is_map ? 0x80 : 0x90) | count);
        return 1;
    }
    if (!wide && count <= UINT16_MAX) {
        out[0] = is_map ? 0xde : 0xdc;
        store_be(out + 1, count, 2);
        return 3;
    }
    out[0] = is_map ? 0xdf : 0xdd;
    store_be(out + 1, count, 4);
    return 5;
}

const struct codec_ops codec_msgpack = {
    .name = "msgpack",
    .begin = begin,
    .peek = peek,
    .token = read_token,
    .skip = skip,
    .put_null = put_null,
    .put_bool = put_bool,
    .put_int = put_int,
    .put_uint = put_uint,
    .put_float = put_float,
    .put_text = put_text,
    .put_bytes = put_bytes,
    .header = header,
};
