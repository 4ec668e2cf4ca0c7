/* codec.h -- serializers: one reader and one writer each.
 *
 * A reader walks encoded bytes token by token; it validates as it goes and
 * builds nothing. A writer is told values and emits bytes. Everything else is
 * made of the two: decoding a message, skipping a payload, transcoding, making
 * Lua values. Adding a serializer is adding a row here and one file.
 *
 * What the tokens mean is the same for every serializer (wire values): integers
 * stay integers, floats stay floats, binary is kept apart from text, and in JSON
 * a string beginning with U+0000 is base64 of binary.
 *
 * WAMP: "Serializers", "Binary support in JSON".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_CODEC_H
#define NEXUS_WIRE_CODEC_H

#include "base/arena.h"
#include "base/writer.h"
#include "wire/fault.h"

enum codec { CODEC_JSON, CODEC_MSGPACK, CODEC_CBOR, CODEC_COUNT };

/* Nesting a value may have (WAMP message list included). */
#define MAX_DEPTH 128

/* The number of items of a container whose serializer does not say it up front. */
#define COUNT_UNKNOWN SIZE_MAX

enum token_type {
    TOKEN_NULL,
    TOKEN_BOOL,   /* boolean */
    TOKEN_INT,    /* integer: any value below 0 */
    TOKEN_UINT,   /* natural: any integer from 0 to 2^64-1 */
    TOKEN_FLOAT,  /* real */
    TOKEN_BIGNUM, /* text: decimal digits of an integer outside -2^63 .. 2^64-1 */
    TOKEN_TEXT,   /* text: UTF-8, unescaped; ext_type -1: it was a MessagePack timestamp, else 0 */
    TOKEN_BYTES,  /* text: octets */
    TOKEN_EXT,    /* text: octets, ext_type: MessagePack extension (never -1: that reads as TEXT) */
    TOKEN_LIST,   /* count items follow, then TOKEN_END */
    TOKEN_MAP,    /* count pairs of key and value follow, then TOKEN_END */
    TOKEN_END,    /* of the innermost list or map */
    TOKEN_DONE,   /* the end of the input */
};

struct token {
    enum token_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double real;
        size_t count; /* COUNT_UNKNOWN in JSON and indefinite CBOR */
    };
    struct slice text; /* points into the input, or into the arena when it had to be unescaped */
    int8_t ext_type;
};

/* A position in encoded bytes. Small; lives on the stack; may be copied to look ahead. */
struct reader {
    const char *at, *end;
    const char *from;  /* the first byte, for the words of faults */
    const char *start; /* where the last token begins */
    bool has_begun;    /* the outermost value was begun */
    enum codec codec;
    bool bare_keys;      /* payload values: keys that are not text are allowed */
    struct arena *arena; /* borrowed: unescaped text goes here */
    struct fault *fault; /* borrowed: filled in when a call returns an ERR_* */
    unsigned depth;
    struct {
        uint64_t left; /* items, or keys and values, to come (JSON: read so far) */
        bool is_map;
    } open[MAX_DEPTH];
};

/* Starts reading one value. Neither bytes nor arena nor fault are owned. */
void reader_init(struct reader *r, enum codec codec, struct slice bytes, struct arena *arena,
                 struct fault *fault);

/* The next token. Returns 0 or ERR_MALFORMED, ERR_UTF8, ERR_TOO_DEEP with fault filled in.
 * Keys of maps come as TOKEN_TEXT (other types only where bare_keys is set). */
int reader_next(struct reader *r, struct token *token) MUST_CHECK;

/* Moves past one whole value, validating it; *extent gets its bytes (borrowed from the input),
 * *is_empty whether it is a list or map without items. Both may be NULL. */
int reader_skip(struct reader *r, struct slice *extent, bool *is_empty) MUST_CHECK;

/* ---- writing ---- */

/* Nesting an encoder can write: a value of MAX_DEPTH, wrapped a few times by us. */
#define MAX_ENCODER_DEPTH (MAX_DEPTH + 16)

struct encoder {
    struct writer out;
    enum codec codec;
    unsigned depth;
    struct {
        size_t at;      /* where the header was reserved; when is_counted: the count announced */
        uint64_t count; /* items so far */
        bool is_map, is_counted;
    } open[MAX_ENCODER_DEPTH];
};

/* Starts with room for `hint` bytes. End with encode_finish or encode_discard. */
void encode_start(struct encoder *e, enum codec codec, size_t hint);

void encode_null(struct encoder *e);
void encode_bool(struct encoder *e, bool value);
void encode_int(struct encoder *e, int64_t value);
void encode_uint(struct encoder *e, uint64_t value);
/* Always a float64; in JSON with a point or exponent; NaN and infinities become null there. */
void encode_float(struct encoder *e, double value);
void encode_text(struct encoder *e, struct slice text);
void encode_bytes(struct encoder *e, struct slice bytes);
/* A key and its text, within a map. */
void encode_text_pair(struct encoder *e, const char *key, struct slice value);

/* Containers. `count` items or pairs, or COUNT_UNKNOWN; each is closed by encode_end.
 * Within a map write key, value, key, value; keys with encode_text. */
void encode_list(struct encoder *e, size_t count);
void encode_map(struct encoder *e, size_t count);
void encode_end(struct encoder *e);

/* Writes a whole validated value that is encoded in `from` already: copied when the
 * serializers agree, transcoded when they do not. */
void encode_value(struct encoder *e, enum codec from, struct slice value);

/* Hands over the bytes (held once by the caller), or throws them away. */
struct blob *encode_finish(struct encoder *e);
void encode_discard(struct encoder *e);

/* ---- the registry ---- */

/* "json", "msgpack", "cbor". */
const char *codec_name(enum codec codec);

/* True for serializers whose messages travel in text frames (JSON). */
bool codec_is_text(enum codec codec);

/* Converts one validated value; the blob is held by the caller. */
struct blob *transcode(enum codec from, struct slice value, enum codec to);

#endif
