/* codec_cbor.c -- CBOR (RFC 8949): reader and writer.
 *
 * The reader takes definite and indefinite lengths and looks through tags; of
 * those only big integers (2, 3) change what a value is. The writer emits
 * definite lengths in their shortest form.
 *
 * WAMP: "Serializers", CBOR.
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "wire/codec_priv.h"

#include <math.h>
#include <stdio.h>

enum major {
    MAJOR_UINT,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_LIST,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE,
};

enum { TAG_NONE = 0, TAG_BIGNUM = 2, TAG_NEGATIVE_BIGNUM = 3 };

#define BREAK ((char)0xff)

/* Big integers up to so many octets become digits: what a double can hold. Larger ones read as
 * infinity, so that nobody can order a long conversion. */
#define BIGNUM_MAX 128

/* How a value begins, its tags left behind. */
struct head {
    enum major major;
    unsigned info;      /* the low five bits */
    bool is_indefinite; /* a string or container that ends with a break */
    size_t len;         /* octets of the head */
    uint64_t value;     /* the number in the head */
};

static int read_head(struct reader *r, const char *at, struct head *head)
{
    unsigned char first = (unsigned char)*at;
    size_t number;

    head->major = first >> 5;
    head->info = first & 0x1f;
    head->is_indefinite = false;
    head->len = 1;
    head->value = head->info;
    if (LIKELY(head->info < 24))
        return 0;
    if (head->info <= 27) {
        number = (size_t)1 << (head->info - 24);
        if (UNLIKELY((size_t)(r->end - at) < 1 + number))
            return reader_fault_truncated(r);
        head->value = load_be(at + 1, number);
        head->len += number;
        return 0;
    }
    if (head->info == 31 && head->major >= MAJOR_BYTES && head->major <= MAJOR_MAP) {
        head->is_indefinite = true;
        return 0;
    }
    if (*at == BREAK)
        return reader_fault(r, at, ERR_MALFORMED, "a break where a value belongs");
    return reader_fault(r, at, ERR_MALFORMED, "the octet 0x%02x, which means nothing", first);
}

/* Reads the head of the value at *at and moves *at to it, past any tags; *tag is the innermost. */
static int read_tagged(struct reader *r, const char **at, struct head *head, uint64_t *tag)
{
    *tag = TAG_NONE;
    for (;;) {
        int err = read_head(r, *at, head);

        if (UNLIKELY(err != 0) || LIKELY(head->major != MAJOR_TAG))
            return err;
        *tag = head->value;
        *at += head->len;
        if (*at == r->end)
            return reader_fault_truncated(r);
    }
}

/* A length or count cannot be larger than what is left. */
static int check_room(struct reader *r, const char *at, const struct head *head)
{
    size_t left = (size_t)(r->end - at) - head->len;

    if (LIKELY(head->value <= left / (head->major == MAJOR_MAP ? 2 : 1)))
        return 0;
    return reader_fault(r, at, ERR_MALFORMED, "%llu announced, %zu bytes left",
                        (unsigned long long)head->value, left);
}

/* Moves past a string of any kind, chunks and all; *at stands at its head. */
static int skip_string(struct reader *r, const char **at, const struct head *head, size_t *len)
{
    struct head chunk;
    int err = 0;

    if (!head->is_indefinite) {
        err = check_room(r, *at, head);
        if (err != 0)
            return err;
        *len += head->value;
        *at += head->len + head->value;
        if (head->major == MAJOR_TEXT &&
            UNLIKELY(!utf8_is_valid(slice_make(*at - head->value, head->value))))
            return reader_fault_utf8(r, *at - head->value);
        return 0;
    }
    *at += head->len;
    while (*at != r->end && **at != BREAK) {
        err = read_head(r, *at, &chunk);
        if (err != 0)
            return err;
        if (chunk.major != head->major || chunk.is_indefinite)
            return reader_fault(r, *at, ERR_MALFORMED, "a chunk of another type than its string");
        err = skip_string(r, at, &chunk, len); /* once: a chunk has no chunks */
        if (err != 0)
            return err;
    }
    if (*at == r->end)
        return reader_fault_truncated(r);
    *at += 1;
    return 0;
}

/* The text or octets of a string that skip_string has moved past. */
static struct slice join_chunks(struct reader *r, const char *at, const struct head *head,
                                size_t len)
{
    struct head chunk;
    char *joined;
    size_t used = 0;

    if (!head->is_indefinite)
        return slice_make(at + head->len, len);
    joined = arena_alloc(r->arena, len + 1);
    for (at += head->len; *at != BREAK; at += chunk.len + chunk.value) {
        if (read_head(r, at, &chunk) != 0)
            break;
        memcpy(joined + used, at + chunk.len, chunk.value);
        used += chunk.value;
    }
    return slice_make(joined, used);
}

/* ---- tokens ---- */

static int begin(struct reader *r)
{
    bool is_key = reader_is_at_key(r);
    uint64_t left;

    if (r->depth == 0) {
        if (r->has_begun) {
            if (r->at == r->end)
                return POSITION_DONE;
            return reader_fault(r, r->at, ERR_MALFORMED, "bytes after the value");
        }
        r->has_begun = true;
        return r->at == r->end ? reader_fault_truncated(r) : POSITION_VALUE;
    }
    left = r->open[r->depth - 1].left;
    if (left == 0) {
        r->depth--;
        return POSITION_END;
    }
    if (UNLIKELY(r->at == r->end))
        return reader_fault_truncated(r);
    if (left > LEFT_KNOWN_MAX && *r->at == BREAK && (is_key || !r->open[r->depth - 1].is_map)) {
        r->at++;
        r->depth--;
        return POSITION_END;
    }
    r->open[r->depth - 1].left = left - 1;
    return is_key ? POSITION_KEY : POSITION_VALUE;
}

static enum token_type peek(const struct reader *r)
{
    struct reader look;
    struct head head;
    const char *at = r->at;
    uint64_t tag;

    look.at = look.from = r->at;
    look.end = r->end;
    look.codec = CODEC_CBOR;
    look.fault = NULL;
    if (read_tagged(&look, &at, &head, &tag) != 0)
        return TOKEN_DONE;
    switch (head.major) {
    case MAJOR_UINT:
    case MAJOR_NEGATIVE:
        return TOKEN_UINT;
    case MAJOR_BYTES:
        return tag == TAG_BIGNUM || tag == TAG_NEGATIVE_BIGNUM ? TOKEN_UINT : TOKEN_BYTES;
    case MAJOR_TEXT:
        return TOKEN_TEXT;
    case MAJOR_LIST:
        return TOKEN_LIST;
    case MAJOR_MAP:
        return TOKEN_MAP;
    case MAJOR_SIMPLE:
        if (head.info == 20 || head.info == 21)
            return TOKEN_BOOL;
        return head.info >= 25 && head.info <= 27 ? TOKEN_FLOAT : TOKEN_NULL;
    case MAJOR_TAG:
        break;
    }
    return TOKEN_DONE;
}

/* Adds a digit of base `base` (at most 2^32) to a number in limbs of nine decimal digits. */
static size_t append_digit(uint32_t *limbs, size_t count, uint64_t base, uint64_t digit)
{
    uint64_t carry = digit;

    for (size_t k = 0; k < count; k++) {
        carry += limbs[k] * base;
        limbs[k] = (uint32_t)(carry % 1000000000);
        carry /= 1000000000;
    }
    for (; carry != 0; carry /= 1000000000)
        limbs[count++] = (uint32_t)(carry % 1000000000);
    return count;
}

/* Decimal digits of a magnitude in octets, plus one when it is negative. */
static struct slice big_digits(struct slice octets, bool is_negative, struct arena *arena)
{
    uint32_t limbs[BIGNUM_MAX / 3 + 2]; /* the lowest first */
    size_t count = 0, len = 0, at = octets.len % 4;
    size_t room = ARRAY_LEN(limbs) * 9 + 2;
    char *text = arena_alloc(arena, room);

    count = append_digit(limbs, count, 1, load_be(octets.data, at));
    for (; at < octets.len; at += 4)
        count = append_digit(limbs, count, UINT64_C(1) << 32, load_be(octets.data + at, 4));
    if (is_negative) {
        count = append_digit(limbs, count, 1, 1);
        text[len++] = '-';
    }
    len += (size_t)snprintf(text + len, room - len, "%u", (unsigned)limbs[count - 1]);
    for (size_t k = count - 1; k-- > 0;)
        len += (size_t)snprintf(text + len, room - len, "%09u", (unsigned)limbs[k]);
    return slice_make(text, len);
}

/* An integer of any length: the smallest token that holds it. */
static void read_big(struct reader *r, struct token *token, struct slice octets, bool is_negative)
{
    uint64_t value;

    while (octets.len != 0 && octets.data[0] == 0)
        octets = slice_make(octets.data + 1, octets.len - 1);
    if (octets.len > BIGNUM_MAX) {
        token->type = TOKEN_FLOAT;
        token->real = is_negative ? -HUGE_VAL : HUGE_VAL;
        return;
    }
    value = octets.len > 8 ? UINT64_MAX : load_be(octets.data, octets.len);
    if (octets.len > 8 || (is_negative && value > INT64_MAX)) {
        token->type = TOKEN_BIGNUM;
        token->text = big_digits(octets, is_negative, r->arena);
    } else if (is_negative) {
        token->type = TOKEN_INT;
        token->integer = -1 - (int64_t)value;
    } else {
        token->type = TOKEN_UINT;
        token->natural = value;
    }
}

static double half_value(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 0x1f);
    double mantissa = (double)(bits & 0x3ff);
    double value;

    if (exponent == 0)
        value = ldexp(mantissa, -24);
    else if (exponent != 31)
        value = ldexp(mantissa + 1024, exponent - 25);
    else
        value = mantissa == 0 ? HUGE_VAL : (double)NAN;
    return (bits & 0x8000) != 0 ? -value : value;
}

static int check_simple(struct reader *r, const char *at, const struct head *head)
{
    if (head->info == 24 && head->value < 32)
        return reader_fault(r, at, ERR_MALFORMED, "a simple value that is spelled wrongly");
    return 0;
}

static void read_simple(struct token *token, const struct head *head)
{
    uint32_t narrow = (uint32_t)head->value;
    float single;

    token->type = TOKEN_FLOAT;
    if (head->info == 25) {
        token->real = half_value(head->value);
    } else if (head->info == 26) {
        memcpy(&single, &narrow, sizeof(single));
        token->real = (double)single;
    } else if (head->info == 27) {
        memcpy(&token->real, &head->value, sizeof(token->real));
    } else if (head->info == 20 || head->info == 21) {
        token->type = TOKEN_BOOL;
        token->boolean = head->info == 21;
    } else {
        token->type = TOKEN_NULL; /* null, undefined, and what nobody has assigned */
    }
}

static int read_string(struct reader *r, struct token *token, const char *at,
                       const struct head *head, uint64_t tag)
{
    const char *after = at;
    size_t len = 0;
    int err = skip_string(r, &after, head, &len);

    if (err != 0)
        return err;
    r->at = after;
    token->ext_type = 0;
    token->text = join_chunks(r, at, head, len);
    token->type = head->major == MAJOR_TEXT ? TOKEN_TEXT : TOKEN_BYTES;
    if (token->type == TOKEN_BYTES && (tag == TAG_BIGNUM || tag == TAG_NEGATIVE_BIGNUM))
        read_big(r, token, token->text, tag == TAG_NEGATIVE_BIGNUM);
    return 0;
}

/* Enters a list or map whose head stands at `at`. */
static int open_container(struct reader *r, const char *at, const struct head *head)
{
    bool is_map = head->major == MAJOR_MAP;
    int err = 0;

    if (!head->is_indefinite)
        err = check_room(r, at, head);
    if (err != 0)
        return err;
    r->at = at + head->len;
    if (head->is_indefinite)
        return reader_push(r, is_map, LEFT_UNKNOWN);
    return reader_push(r, is_map, is_map ? head->value * 2 : head->value);
}

static int read_negative(struct reader *r, struct token *token, uint64_t value)
{
    unsigned char octets[8];

    store_be(octets, value, sizeof(octets));
    read_big(r, token, slice_make(octets, sizeof(octets)), true);
    return 0;
}

static int read_token(struct reader *r, struct token *token, bool is_key)
{
    const char *at = r->at;
    struct head head;
    uint64_t tag;
    int err = read_tagged(r, &at, &head, &tag);

    (void)is_key;
    if (err != 0)
        return err;
    r->at = at + head.len;
    switch (head.major) {
    case MAJOR_UINT:
        token->type = TOKEN_UINT;
        token->natural = head.value;
        return 0;
    case MAJOR_NEGATIVE:
        return read_negative(r, token, head.value);
    case MAJOR_BYTES:
    case MAJOR_TEXT:
        return read_string(r, token, at, &head, tag);
    case MAJOR_LIST:
    case MAJOR_MAP:
        token->type = head.major == MAJOR_LIST ? TOKEN_LIST : TOKEN_MAP;
        token->count = head.is_indefinite ? COUNT_UNKNOWN : (size_t)head.value;
        return open_container(r, at, &head);
    case MAJOR_SIMPLE:
        read_simple(token, &head);
        return check_simple(r, at, &head);
    case MAJOR_TAG:
        break;
    }
    return reader_fault(r, at, ERR_MALFORMED, "a tag without a value");
}

/* ---- skipping ---- */

/* Moves past one scalar, or enters one container; *at stands at its head. */
static int skip_one(struct reader *r, const char **at, const struct head *head, unsigned base,
                    bool *is_empty)
{
    size_t len = 0;
    int err;

    switch (head->major) {
    case MAJOR_BYTES:
    case MAJOR_TEXT:
        return skip_string(r, at, head, &len);
    case MAJOR_LIST:
    case MAJOR_MAP:
        err = open_container(r, *at, head);
        if (err != 0)
            return err;
        *at = r->at;
        if (r->depth == base + 1)
            *is_empty = head->is_indefinite ? *at != r->end && **at == BREAK : head->value == 0;
        return 0;
    case MAJOR_SIMPLE:
        err = check_simple(r, *at, head);
        *at += head->len;
        return err;
    case MAJOR_UINT:
    case MAJOR_NEGATIVE:
    case MAJOR_TAG:
        break;
    }
    *at += head->len;
    return 0;
}

/* Leaves the containers that are complete. */
static int close_finished(struct reader *r, const char **at, unsigned base)
{
    while (r->depth > base) {
        uint64_t left = r->open[r->depth - 1].left;

        if (left > LEFT_KNOWN_MAX) {
            if (UNLIKELY(*at == r->end))
                return reader_fault_truncated(r);
            if (**at != BREAK || (r->open[r->depth - 1].is_map && !reader_is_at_key(r)))
                return 0;
            *at += 1;
        } else if (left != 0) {
            return 0;
        }
        r->depth--;
    }
    return 0;
}

static bool is_text_due(const struct reader *r, enum skip_mode mode, unsigned base)
{
    return mode == SKIP_DICT || (mode == SKIP_KWARGS && r->depth == base + 1);
}

static int skip(struct reader *r, enum skip_mode mode, bool *is_empty)
{
    const unsigned base = r->depth;
    const char *at = r->at;
    bool is_key = false;
    struct head head;
    uint64_t tag;
    int err;

    *is_empty = false;
    for (;;) {
        err = read_tagged(r, &at, &head, &tag);
        if (UNLIKELY(err != 0))
            return err;
        if (is_key && head.major != MAJOR_TEXT && is_text_due(r, mode, base))
            return reader_fault(r, at, ERR_MALFORMED, "a key must be a string");
        err = skip_one(r, &at, &head, base, is_empty);
        if (LIKELY(err == 0))
            err = close_finished(r, &at, base);
        if (UNLIKELY(err != 0))
            return err;
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

static size_t write_head(unsigned char out[HEADER_MAX], enum major major, uint64_t value)
{
    unsigned char top = (unsigned char)(major << 5);

    if (value < 24) {
        out[0] = (unsigned char)(top | value);
        return 1;
    }
    if (value <= UINT8_MAX) {
        out[0] = top | 24;
        out[1] = (unsigned char)value;
        return 2;
    }
    if (value <= UINT16_MAX) {
        out[0] = top | 25;
        store_be(out + 1, value, 2);
        return 3;
    }
    if (value <= UINT32_MAX) {
        out[0] = top | 26;
        store_be(out + 1, value, 4);
        return 5;
    }
    out[0] = top | 27;
    store_be(out + 1, value, 8);
    return 9;
}

static void put_head(struct writer *out, enum major major, uint64_t value)
{
    unsigned char *room = (unsigned char *)writer_reserve(out, HEADER_MAX);

    writer_advance(out, write_head(room, major, value));
}

static void put_null(struct writer *out)
{
    writer_put(out, (char)0xf6);
}

static void put_bool(struct writer *out, bool value)
{
    writer_put(out, (char)(value ? 0xf5 : 0xf4));
}

static void put_int(struct writer *out, int64_t value)
{
    put_head(out, MAJOR_NEGATIVE, ~(uint64_t)value);
}

static void put_uint(struct writer *out, uint64_t value)
{
    put_head(out, MAJOR_UINT, value);
}

static void put_float(struct writer *out, double value)
{
    unsigned char *room = (unsigned char *)writer_reserve(out, HEADER_MAX);
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    room[0] = 0xfb;
    store_be(room + 1, bits, 8);
    writer_advance(out, 9);
}

static void put_text(struct writer *out, struct slice text)
{
    put_head(out, MAJOR_TEXT, text.len);
    writer_write(out, text.data, text.len);
}

static void put_bytes(struct writer *out, struct slice bytes)
{
    put_head(out, MAJOR_BYTES, bytes.len);
    writer_write(out, bytes.data, bytes.len);
}

static size_t header(unsigned char out[HEADER_MAX], bool is_map, uint64_t count, bool wide)
{
    enum major major = is_map ? MAJOR_MAP : MAJOR_LIST;

    if (!wide)
        return write_head(out, major, count);
    out[0] = (unsigned char)(major << 5 | 26);
    store_be(out + 1, count, 4);
    return HEADER_WIDE;
}

const struct codec_ops codec_cbor = {
    .name = "cbor",
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
