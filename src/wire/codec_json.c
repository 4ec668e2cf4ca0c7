/* codec_json.c -- JSON (RFC 8259): reader and writer.
 *
 * The reader is exact: no leading zeros, no NaN, no comments, no byte order
 * mark. Strings are scanned 16 bytes at a time and checked for UTF-8 only when
 * a byte above ASCII was seen. open[].left counts what was read so far.
 *
 * WAMP: "Serializers", "Binary support in JSON".
 * SPDX-License-Identifier: MIT
 */
#include "base/base64.h"
#include "base/utf8.h"
#include "wire/codec_priv.h"
#include "wire/json_number.h"

#include <math.h>

#ifdef __SSE2__
#    include <emmintrin.h>
#endif

/* What a scan of a string has seen. */
struct seen {
    bool escape, high;
};

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline const char *skip_blank(const char *at, const char *end)
{
    while (at != end && is_blank(*at))
        at++;
    return at;
}

/* "',' or ']'": says what was expected where something else stands. */
static int unexpected(struct reader *r, const char *at, const char *expected)
{
    if (at == r->end)
        return reader_fault_truncated(r);
    if (*at > ' ' && *at < 0x7f)
        return reader_fault(r, at, ERR_MALFORMED, "expected %s, found '%c'", expected, *at);
    return reader_fault(r, at, ERR_MALFORMED, "expected %s, found octet 0x%02x", expected,
                        (unsigned)(unsigned char)*at);
}

/* ---- strings ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number behind \u; -1 when it is not four hexadecimal digits. */
static int32_t read_hex4(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);

        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Moves past an escape that begins at `at`; NULL when it is none. */
static const char *skip_escape(struct reader *r, const char *at)
{
    if (r->end - at < 2) {
        (void)reader_fault_truncated(r);
        return NULL;
    }
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        if (read_hex4(at + 2, r->end) >= 0)
            return at + 6;
        break;
    }
    (void)reader_fault(r, at, ERR_MALFORMED, "an escape that does not exist");
    return NULL;
}

/* Moves over plain characters of a string, to a quote, backslash, control character or end. */
static inline const char *skip_plain(const char *at, const char *end, bool *high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  control = _mm_set1_epi8(0x1f);

    while (end - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hits =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash)),
                         _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
        unsigned mask = (unsigned)_mm_movemask_epi8(hits);
        unsigned highs = (unsigned)_mm_movemask_epi8(block);

        if (mask != 0) {
            *high |= (highs & (mask ^ (mask - 1))) != 0;
            return at + __builtin_ctz(mask);
        }
        *high |= highs != 0;
        at += 16;
    }
#endif
    for (; at != end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20; at++)
        *high |= (*at & 0x80) != 0;
    return at;
}

/* Finds the closing quote of the string that opened before `at`; NULL when it is malformed. */
static const char *find_quote(struct reader *r, const char *at, struct seen *seen)
{
    const char *start = at;
    bool high = false;

    seen->escape = false;
    for (;;) {
        at = skip_plain(at, r->end, &high);
        if (UNLIKELY(at == r->end)) {
            (void)reader_fault_truncated(r);
            return NULL;
        }
        if (LIKELY(*at == '"'))
            break;
        if (*at != '\\') {
            (void)reader_fault(r, at, ERR_MALFORMED, "a control character in a string");
            return NULL;
        }
        seen->escape = true;
        at = skip_escape(r, at);
        if (at == NULL)
            return NULL;
    }
    seen->high = high;
    if (UNLIKELY(high) && !utf8_is_valid(slice_make(start, (size_t)(at - start)))) {
        (void)reader_fault_utf8(r, start);
        return NULL;
    }
    return at;
}

/* One \u escape, or two that make a pair; lone surrogates become U+FFFD. */
static const char *unescape_unicode(const char *at, const char *end, char **out)
{
    uint32_t code = (uint32_t)read_hex4(at, end);
    int32_t low;

    at += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        low = read_hex4(at + 2, end);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
            at += 6;
        }
    }
    *out += utf8_put(*out, code);
    return at;
}

static char unescape_letter(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

/* The text of a valid string with escapes, in the arena. */
static struct slice unescape(struct slice raw, struct arena *arena)
{
    const char *at = raw.data, *end = raw.data + raw.len;
    char *text = arena_alloc(arena, raw.len), *out = text;

    while (at != end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash == NULL ? end : slash) - at);

        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (at == end)
            break;
        if (at[1] == 'u') {
            at = unescape_unicode(at + 2, end, &out);
        } else {
            *out++ = unescape_letter(at[1]);
            at += 2;
        }
    }
    return slice_make(text, (size_t)(out - text));
}

/* A string value that begins with U+0000 is base64 of binary, if the rest is base64. */
static void read_binary(struct reader *r, struct token *token)
{
    struct slice encoded = slice_make(token->text.data + 1, token->text.len - 1);
    char *octets = arena_alloc(r->arena, encoded.len + 1);
    long len = base64_decode(encoded, octets);

    if (len < 0)
        return;
    token->type = TOKEN_BYTES;
    token->text = slice_make(octets, (size_t)len);
}

static int read_string(struct reader *r, struct token *token, bool is_key)
{
    const char *start = r->at + 1;
    struct seen seen;
    const char *quote = find_quote(r, start, &seen);

    if (quote == NULL)
        return r->fault == NULL ? ERR_MALFORMED : r->fault->err;
    token->type = TOKEN_TEXT;
    token->ext_type = 0;
    token->text = slice_make(start, (size_t)(quote - start));
    r->at = quote + 1;
    if (LIKELY(!seen.escape))
        return 0;
    token->text = unescape(token->text, r->arena);
    if (!is_key && token->text.data[0] == '\0')
        read_binary(r, token);
    return 0;
}

/* ---- tokens ---- */

/* The one value outside of all containers, or what is behind it. */
static int begin_outermost(struct reader *r)
{
    r->at = skip_blank(r->at, r->end);
    if (r->has_begun)
        return r->at == r->end ? POSITION_DONE : unexpected(r, r->at, "nothing more");
    r->has_begun = true;
    return r->at == r->end ? reader_fault_truncated(r) : POSITION_VALUE;
}

static int begin(struct reader *r)
{
    const char *at = skip_blank(r->at, r->end);
    bool is_key = reader_is_at_key(r);
    uint64_t before;
    bool is_map;

    if (r->depth == 0)
        return begin_outermost(r);
    is_map = r->open[r->depth - 1].is_map;
    before = r->open[r->depth - 1].left++;
    if (UNLIKELY(at == r->end))
        return reader_fault_truncated(r);
    if (is_map && !is_key) {
        if (*at != ':')
            return unexpected(r, at, "':'");
        at = skip_blank(at + 1, r->end);
    } else if (*at == (is_map ? '}' : ']')) {
        r->depth--;
        r->at = at + 1;
        return POSITION_END;
    } else if (before != 0) {
        if (*at != ',')
            return unexpected(r, at, is_map ? "',' or '}'" : "',' or ']'");
        at = skip_blank(at + 1, r->end);
    }
    r->at = at;
    if (UNLIKELY(at == r->end))
        return reader_fault_truncated(r);
    if (is_key && *at != '"')
        return unexpected(r, at, "a string as key");
    return is_key ? POSITION_KEY : POSITION_VALUE;
}

static enum token_type peek(const struct reader *r)
{
    switch (*r->at) {
    case '{':
        return TOKEN_MAP;
    case '[':
        return TOKEN_LIST;
    case '"':
        return TOKEN_TEXT;
    case 'n':
        return TOKEN_NULL;
    case 't':
    case 'f':
        return TOKEN_BOOL;
    default:
        return TOKEN_UINT;
    }
}

/* Moves past null, true or false; NULL when it is something else. */
static inline const char *skip_word(struct reader *r, const char *at)
{
    size_t left = (size_t)(r->end - at);

    if (left >= 4 && (memcmp(at, "null", 4) == 0 || memcmp(at, "true", 4) == 0))
        return at + 4;
    if (left >= 5 && memcmp(at, "false", 5) == 0)
        return at + 5;
    (void)unexpected(r, at, "a value");
    return NULL;
}

/* Moves past a number; NULL when it breaks the grammar. */
static const char *skip_number(struct reader *r, const char *at, struct json_number *number)
{
    const char *after = json_number_scan(at, r->end, number);

    if (UNLIKELY(after == NULL))
        (void)reader_fault(r, at, ERR_MALFORMED, "a number that is not complete");
    return after;
}

static inline bool is_number_start(char c)
{
    return c == '-' || (unsigned char)(c - '0') < 10;
}

/* Ids are short and plain: up to 15 digits that nothing but a separator follows. */
static inline bool read_plain(struct reader *r, struct token *token)
{
    const char *at = r->at, *end = r->end - at > 16 ? at + 16 : r->end;
    uint64_t value = 0;

    if (UNLIKELY((unsigned char)(*at - '1') > 8))
        return false;
    for (; at != end && (unsigned char)(*at - '0') < 10; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (UNLIKELY(at == end || (*at != ',' && *at != ']' && *at != '}')))
        return false;
    token->type = TOKEN_UINT;
    token->natural = value;
    r->at = at;
    return true;
}

static int read_number(struct reader *r, struct token *token)
{
    struct json_number number;
    const char *start = r->at;
    const char *after = skip_number(r, start, &number);

    if (after == NULL)
        return ERR_MALFORMED;
    r->at = after;
    token->text = slice_make(start, (size_t)(after - start));
    if (number.is_real) {
        token->type = TOKEN_FLOAT;
        token->real = json_number_real(token->text, r->arena);
    } else if (number.is_big || (number.is_negative && number.magnitude > UINT64_C(1) << 63)) {
        token->type = TOKEN_BIGNUM;
    } else if (number.is_negative && number.magnitude != 0) {
        token->type = TOKEN_INT;
        token->integer = -(int64_t)(number.magnitude - 1) - 1;
    } else {
        token->type = TOKEN_UINT;
        token->natural = number.magnitude;
    }
    return 0;
}

static int read_token(struct reader *r, struct token *token, bool is_key)
{
    const char first = *r->at;
    const char *after;

    if (first == '"')
        return read_string(r, token, is_key);
    if (is_number_start(first))
        return LIKELY(read_plain(r, token)) ? 0 : read_number(r, token);
    if (first == '{' || first == '[') {
        token->type = first == '{' ? TOKEN_MAP : TOKEN_LIST;
        token->count = COUNT_UNKNOWN;
        r->at++;
        return reader_push(r, first == '{', 0);
    }
    after = skip_word(r, r->at);
    if (after == NULL)
        return ERR_MALFORMED;
    r->at = after;
    token->type = first == 'n' ? TOKEN_NULL : TOKEN_BOOL;
    token->boolean = first == 't';
    return 0;
}

/* ---- skipping: one loop, no token, nothing built ---- */

/* Moves past anything but a list or map; NULL when it is malformed. */
static inline const char *skip_scalar(struct reader *r, const char *at)
{
    struct json_number number;
    struct seen seen;

    if (*at == '"') {
        at = find_quote(r, at + 1, &seen);
        return at == NULL ? NULL : at + 1;
    }
    if (is_number_start(*at))
        return skip_number(r, at, &number);
    return skip_word(r, at);
}

/* Moves past a key and its colon, to the value. */
static inline const char *skip_key(struct reader *r, const char *at)
{
    struct seen seen;

    if (UNLIKELY(at == r->end || *at != '"')) {
        (void)unexpected(r, at, "a string as key");
        return NULL;
    }
    at = find_quote(r, at + 1, &seen);
    if (UNLIKELY(at == NULL))
        return NULL;
    at = skip_blank(at + 1, r->end);
    if (UNLIKELY(at == r->end || *at != ':')) {
        (void)unexpected(r, at, "':'");
        return NULL;
    }
    return skip_blank(at + 1, r->end);
}

/* Moves from the end of an item to where the next one begins, leaving what is closed. At the
 * end of the outermost value depth is back at base. NULL when it is malformed. */
static inline const char *skip_after(struct reader *r, const char *at, unsigned base)
{
    while (r->depth > base) {
        bool is_map = r->open[r->depth - 1].is_map;

        at = skip_blank(at, r->end);
        if (UNLIKELY(at == r->end)) {
            (void)reader_fault_truncated(r);
            return NULL;
        }
        if (*at == ',') {
            at = skip_blank(at + 1, r->end);
            return is_map ? skip_key(r, at) : at;
        }
        if (UNLIKELY(*at != (is_map ? '}' : ']'))) {
            (void)unexpected(r, at, is_map ? "',' or '}'" : "',' or ']'");
            return NULL;
        }
        r->depth--;
        at++;
    }
    return at;
}

/* Enters a list or map and moves to its first value, or past it when it is empty. */
static inline const char *skip_open(struct reader *r, const char *at, unsigned base, bool *is_empty)
{
    bool is_map = *at == '{';

    r->at = at;
    if (UNLIKELY(reader_push(r, is_map, 0) != 0))
        return NULL;
    at = skip_blank(at + 1, r->end);
    if (at != r->end && *at == (is_map ? '}' : ']')) {
        r->depth--;
        *is_empty = r->depth == base;
        return skip_after(r, at + 1, base);
    }
    return is_map ? skip_key(r, at) : at;
}

static int skip(struct reader *r, enum skip_mode mode, bool *is_empty)
{
    const unsigned base = r->depth;
    const char *at = r->at;

    (void)mode; /* keys are always strings here */
    *is_empty = false;
    do {
        if (UNLIKELY(at == r->end))
            return reader_fault_truncated(r);
        if (*at == '{' || *at == '[') {
            at = skip_open(r, at, base, is_empty);
        } else {
            at = skip_scalar(r, at);
            if (LIKELY(at != NULL))
                at = skip_after(r, at, base);
        }
        if (UNLIKELY(at == NULL))
            return r->fault == NULL ? ERR_MALFORMED : r->fault->err;
    } while (r->depth > base);
    r->at = at;
    return 0;
}

/* ---- writing ---- */

static void put_null(struct writer *out)
{
    writer_write(out, "null", 4);
}

static void put_bool(struct writer *out, bool value)
{
    if (value)
        writer_write(out, "true", 4);
    else
        writer_write(out, "false", 5);
}

static void put_uint(struct writer *out, uint64_t value)
{
    writer_advance(out, json_number_put_uint(writer_reserve(out, JSON_NUMBER_MAX), value));
}

static void put_int(struct writer *out, int64_t value)
{
    writer_put(out, '-');
    put_uint(out, UINT64_C(0) - (uint64_t)value);
}

static void put_float(struct writer *out, double value)
{
    if (isfinite(value))
        writer_advance(out, json_number_put_real(writer_reserve(out, JSON_NUMBER_MAX), value));
    else
        put_null(out);
}

static void put_escape(struct writer *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* U+0008 to U+000D */
    unsigned char byte = (unsigned char)c;

    if (byte >= 0x20) {
        char escape[2] = {'\\', c};
        writer_write(out, escape, 2);
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
        char escape[2] = {'\\', letters[byte - 8]};
        writer_write(out, escape, 2);
    } else {
        char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        writer_write(out, escape, 6);
    }
}

static void put_text(struct writer *out, struct slice text)
{
    const char *at = text.len == 0 ? "" : text.data, *end = at + text.len;
    bool high = false;

    (void)writer_reserve(out, text.len + 2);
    writer_put(out, '"');
    for (;;) {
        const char *stop = skip_plain(at, end, &high);

        writer_write(out, at, (size_t)(stop - at));
        if (stop == end)
            break;
        put_escape(out, *stop);
        at = stop + 1;
    }
    writer_put(out, '"');
}

static void put_bytes(struct writer *out, struct slice bytes)
{
    size_t len = base64_encoded_len(bytes.len);

    writer_write(out, "\"\\u0000", 7);
    base64_encode(bytes, writer_reserve(out, len + 1));
    writer_advance(out, len);
    writer_put(out, '"');
}

const struct codec_ops codec_json = {
    .name = "json",
    .is_text = true,
    .has_closers = true,
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
};
