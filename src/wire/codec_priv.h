/* codec_priv.h -- what a serializer supplies, and what they share.
 *
 * Private to the room. A serializer is one struct codec_ops: how to find the
 * next value, read one token, skip one value quickly, and put values.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_CODEC_PRIV_H
#define NEXUS_WIRE_CODEC_PRIV_H

#include "base/err.h"
#include "wire/codec.h"

/* Where a reader stands. */
enum position { POSITION_VALUE, POSITION_KEY, POSITION_END, POSITION_DONE };

/* Which keys and texts are accepted on the way. */
enum skip_mode {
    SKIP_DICT,    /* WAMP dicts: keys and texts are UTF-8, at every level */
    SKIP_KWARGS,  /* keys are text at the first level, and as in payload below */
    SKIP_PAYLOAD, /* keys of any type; a MessagePack str that is not UTF-8 is binary */
};

/* Values of open[].left from here on mean: the count is unknown. They count down, too. */
#define LEFT_UNKNOWN   (UINT64_MAX - 1)
#define LEFT_KNOWN_MAX (UINT64_MAX / 2)

/* The most octets that the head of a list or map takes. */
#define HEADER_MAX 9

/* The octets kept free for the head of a container of unknown count. */
#define HEADER_WIDE 5

struct codec_ops {
    const char *name;
    bool is_text;
    bool has_closers; /* containers end with a character of their own and need no count */

    /* Moves to the next value, key, end of container (which it leaves) or end of input, and
     * counts it. Returns enum position or ERR_*. At a value or key there is at least a byte. */
    int (*begin)(struct reader *r);

    /* The type of the value that begins here, roughly: numbers may come as any number, binary as
     * text, an extension as any; TOKEN_DONE when there is none. */
    enum token_type (*peek)(const struct reader *r);

    /* Reads the token that begins here. */
    int (*token)(struct reader *r, struct token *token, bool is_key);

    /* Moves past the value that begins here, and validates it. */
    int (*skip)(struct reader *r, enum skip_mode mode, bool *is_empty);

    void (*put_null)(struct writer *out);
    void (*put_bool)(struct writer *out, bool value);
    void (*put_int)(struct writer *out, int64_t value); /* below 0 */
    void (*put_uint)(struct writer *out, uint64_t value);
    void (*put_float)(struct writer *out, double value);
    void (*put_text)(struct writer *out, struct slice text);
    void (*put_bytes)(struct writer *out, struct slice bytes);

    /* The head of a container (not where has_closers); wide: in HEADER_WIDE octets. */
    size_t (*header)(unsigned char out[HEADER_MAX], bool is_map, uint64_t count, bool wide);
};

extern const struct codec_ops codec_json, codec_msgpack, codec_cbor;

const struct codec_ops *codec_ops(enum codec codec);

/* Fills in the fault of a reader: "<serializer>: <words> at byte <n>". */
int reader_fault(struct reader *r, const char *at, int err, const char *format, ...)
    PRINTF_LIKE(4, 5);

int reader_fault_truncated(struct reader *r);
int reader_fault_depth(struct reader *r, const char *at);
int reader_fault_utf8(struct reader *r, const char *at);

/* Enters a container. */
static inline int reader_push(struct reader *r, bool is_map, uint64_t left)
{
    if (UNLIKELY(r->depth == MAX_DEPTH))
        return reader_fault_depth(r, r->at);
    r->open[r->depth].left = left;
    r->open[r->depth].is_map = is_map;
    r->depth++;
    return 0;
}

/* True when the next thing in this container is a key. Every serializer keeps `left` even there. */
static inline bool reader_is_at_key(const struct reader *r)
{
    return r->depth != 0 && r->open[r->depth - 1].is_map && (r->open[r->depth - 1].left & 1) == 0;
}

/* Leaves the container whose first token was just read, and moves past it as a whole. */
int reader_skip_opened(struct reader *r, enum skip_mode mode) MUST_CHECK;

/* "a list", "a dict", "a string" ... */
const char *token_words(enum token_type type);

/* A number of len (0 to 8) octets, the most significant one first. */
static inline uint64_t load_be(const char *at, size_t len)
{
    uint64_t wide;
    uint32_t narrow;

    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && len == 8) {
        memcpy(&wide, at, sizeof(wide));
        return __builtin_bswap64(wide);
    }
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && len == 4) {
        memcpy(&narrow, at, sizeof(narrow));
        return __builtin_bswap32(narrow);
    }
    wide = 0;
    for (size_t i = 0; i < len; i++)
        wide = wide << 8 | (unsigned char)at[i];
    return wide;
}

static inline void store_be(unsigned char *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)(value >> (8 * (len - 1 - i)));
}

#endif
