/* codec_peers_test.c -- our readers and writers against msgpack-c and libcbor.
 *
 * Both read what we write, both judge damaged bytes as we do, and what they make of a value is
 * shown in the same words as ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "unit.h"
#include "wire_kit.h"

#include <msgpack.h>

#include <cbor.h>

/* How deep values may be for the comparison: msgpack-c has a small stack. */
#define PEER_DEPTH 30

static void add_space(struct text *t)
{
    if (t->len != 0 && strchr("[{", t->data[t->len - 1]) == NULL)
        text_add(t, " ");
}

static void add_octets(struct text *t, const char *name, const void *data, size_t len)
{
    text_add(t, "%s", name);
    add_string(t, slice_make(data, len), '\'', true);
}

/* A string as payload is read: binary when it is not UTF-8. */
static void add_peer_text(struct text *t, const void *data, size_t len)
{
    if (utf8_is_valid(slice_make(data, len)))
        add_string(t, slice_make(data, len), '"', false);
    else
        add_octets(t, "h", data, len);
}

/* ---- msgpack-c ---- */

static void add_msgpack(struct text *t, const msgpack_object *o)
{
    add_space(t);
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        text_add(t, "null");
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        text_add(t, o->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        text_add(t, "%llu", (unsigned long long)o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        text_add(t, "%lld", (long long)o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        text_add(t, "f:%.17g", o->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        add_peer_text(t, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        add_octets(t, "h", o->via.bin.ptr, o->via.bin.size);
        break;
    case MSGPACK_OBJECT_EXT:
        text_add(t, "ext(%d)", o->via.ext.type);
        add_octets(t, "h", o->via.ext.ptr, o->via.ext.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        text_add(t, "[");
        for (uint32_t i = 0; i < o->via.array.size; i++)
            add_msgpack(t, &o->via.array.ptr[i]);
        text_add(t, "]");
        break;
    case MSGPACK_OBJECT_MAP:
        text_add(t, "{");
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            add_msgpack(t, &o->via.map.ptr[i].key);
            add_msgpack(t, &o->via.map.ptr[i].val);
        }
        text_add(t, "}");
        break;
    }
}

/* The value as msgpack-c sees it; "!" when it refuses. */
static struct text show_msgpack(struct slice bytes, struct blob **packed)
{
    msgpack_unpacked result;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    struct text t = {0};
    size_t used = 0;

    msgpack_unpacked_init(&result);
    text_add(&t, "%s", "");
    if (msgpack_unpack_next(&result, bytes.data, bytes.len, &used) == MSGPACK_UNPACK_SUCCESS &&
        used == bytes.len) {
        add_msgpack(&t, &result.data);
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        msgpack_pack_object(&packer, result.data);
        *packed = blob_copy(slice_make(buffer.data, buffer.size));
        msgpack_sbuffer_destroy(&buffer);
    } else {
        text_add(&t, "!");
        *packed = NULL;
    }
    msgpack_unpacked_destroy(&result);
    return t;
}

TEST(msgpack_c_reads_what_we_write_and_writes_the_same)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct blob *ours = random_value(CODEC_MSGPACK, seed, true), *packed = NULL;
        struct text expected = show(CODEC_MSGPACK, blob_slice(ours), true);
        struct text found = show_msgpack(blob_slice(ours), &packed);

        EXPECT_STR(found.data, expected.data);
        if (packed != NULL)
            EXPECT_SLICE(blob_slice(packed), blob_slice(ours));
        text_free(&expected);
        text_free(&found);
        blob_drop(packed);
        blob_drop(ours);
    }
}

static unsigned depth_of(const char *shown)
{
    unsigned depth = 0, deepest = 0;

    for (; *shown != '\0'; shown++) {
        depth += *shown == '[' || *shown == '{';
        depth -= (*shown == ']' || *shown == '}') && depth > 0;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

/* Some bytes replaced, some lost. */
static struct blob *damage(struct blob *value, struct rng *rng)
{
    struct blob *damaged = blob_copy(blob_slice(value));

    for (uint64_t hits = 1 + rng_below(rng, 3); hits > 0; hits--)
        damaged->data[rng_below(rng, damaged->len)] = (char)rng_below(rng, 256);
    if (rng_below(rng, 4) == 0) {
        struct blob *cut = blob_copy(slice_make(damaged->data, 1 + rng_below(rng, damaged->len)));

        blob_drop(damaged);
        return cut;
    }
    return damaged;
}

TEST(msgpack_c_judges_damaged_bytes_as_we_do)
{
    unsigned accepted = 0, compared = 0;
    uint64_t state = 11;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    for (uint64_t i = 0; i < 30000; i++) {
        struct blob *value = random_value(CODEC_MSGPACK, 1 + i % 500, true);
        struct blob *bytes = damage(value, &rng), *packed = NULL;
        struct text ours = show(CODEC_MSGPACK, blob_slice(bytes), true), theirs;

        /* What announces more than there is would make it allocate that much. */
        if (strstr(ours.data, "announced") == NULL && depth_of(ours.data) < PEER_DEPTH) {
            theirs = show_msgpack(blob_slice(bytes), &packed);
            if (ours.data[0] == '!')
                EXPECT_STR(theirs.data, "!");
            else if (strstr(ours.data, "ts\"") == NULL && strstr(theirs.data, "ext(-1)") == NULL)
                EXPECT_STR(theirs.data, ours.data);
            accepted += ours.data[0] != '!';
            compared++;
            text_free(&theirs);
        }
        text_free(&ours);
        blob_drop(packed);
        blob_drop(bytes);
        blob_drop(value);
    }
    EXPECT(accepted > 1000 && compared - accepted > 1000);
}

/* ---- libcbor ---- */

static void add_cbor(struct text *t, const cbor_item_t *item);

static void add_chunks(struct text *t, cbor_item_t **chunks, size_t count, bool is_text)
{
    static unsigned char joined[70000];
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        size_t more = is_text ? cbor_string_length(chunks[i]) : cbor_bytestring_length(chunks[i]);

        memcpy(joined + len,
               is_text ? cbor_string_handle(chunks[i]) : cbor_bytestring_handle(chunks[i]), more);
        len += more;
    }
    if (is_text)
        add_string(t, slice_make(joined, len), '"', false);
    else
        add_octets(t, "h", joined, len);
}

static void add_cbor_string(struct text *t, const cbor_item_t *item)
{
    if (cbor_isa_bytestring(item) && cbor_bytestring_is_definite(item))
        add_octets(t, "h", cbor_bytestring_handle(item), cbor_bytestring_length(item));
    else if (cbor_isa_bytestring(item))
        add_chunks(t, cbor_bytestring_chunks_handle(item), cbor_bytestring_chunk_count(item),
                   false);
    else if (cbor_string_is_definite(item))
        add_string(t, slice_make(cbor_string_handle(item), cbor_string_length(item)), '"', false);
    else
        add_chunks(t, cbor_string_chunks_handle(item), cbor_string_chunk_count(item), true);
}

static void add_cbor_simple(struct text *t, const cbor_item_t *item)
{
    if (!cbor_float_ctrl_is_ctrl(item))
        text_add(t, "f:%.17g", cbor_float_get_float(item));
    else if (cbor_is_bool(item))
        text_add(t, cbor_get_bool(item) ? "true" : "false");
    else
        text_add(t, "null");
}

static void add_cbor_container(struct text *t, const cbor_item_t *item)
{
    if (cbor_isa_array(item)) {
        text_add(t, "[");
        for (size_t i = 0; i < cbor_array_size(item); i++)
            add_cbor(t, cbor_array_handle(item)[i]);
        text_add(t, "]");
        return;
    }
    text_add(t, "{");
    for (size_t i = 0; i < cbor_map_size(item); i++) {
        add_cbor(t, cbor_map_handle(item)[i].key);
        add_cbor(t, cbor_map_handle(item)[i].value);
    }
    text_add(t, "}");
}

static void add_cbor_negative(struct text *t, uint64_t value)
{
    if (value <= INT64_MAX)
        text_add(t, "%lld", -1 - (long long)value);
    else if (value == UINT64_MAX)
        text_add(t, "big:-18446744073709551616");
    else
        text_add(t, "big:-%llu", (unsigned long long)value + 1);
}

static void add_cbor(struct text *t, const cbor_item_t *item)
{
    if (cbor_isa_tag(item)) {
        uint64_t tag = cbor_tag_value(item);

        if (tag == 2 || tag == 3)
            text_add(t, " <bignum>"); /* marks it: libcbor does not work out its value */
        item = item->metadata.tag_metadata.tagged_item;
        add_cbor(t, item);
        return;
    }
    add_space(t);
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT:
        text_add(t, "%llu", (unsigned long long)cbor_get_int(item));
        break;
    case CBOR_TYPE_NEGINT:
        add_cbor_negative(t, cbor_get_int(item));
        break;
    case CBOR_TYPE_BYTESTRING:
    case CBOR_TYPE_STRING:
        add_cbor_string(t, item);
        break;
    case CBOR_TYPE_ARRAY:
    case CBOR_TYPE_MAP:
        add_cbor_container(t, item);
        break;
    case CBOR_TYPE_FLOAT_CTRL:
        add_cbor_simple(t, item);
        break;
    case CBOR_TYPE_TAG:
        break;
    }
}

/* The value as libcbor sees it; "!" when it refuses. */
static struct text show_cbor(struct slice bytes)
{
    struct cbor_load_result result;
    struct text t = {0};
    cbor_item_t *item = cbor_load((cbor_data)bytes.data, bytes.len, &result);

    text_add(&t, "%s", "");
    if (item != NULL && result.read == bytes.len)
        add_cbor(&t, item);
    else
        text_add(&t, "!");
    if (item != NULL)
        cbor_decref(&item);
    return t;
}

TEST(libcbor_reads_what_we_write)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct blob *ours = random_value(CODEC_CBOR, seed, true);
        struct text expected = show(CODEC_CBOR, blob_slice(ours), true);
        struct text found = show_cbor(blob_slice(ours));

        EXPECT_STR(found.data, expected.data);
        text_free(&expected);
        text_free(&found);
        blob_drop(ours);
    }
}

/* True for octets that could be simple values or short tags without a meaning: libcbor refuses
 * them, we read null and the tagged value. */
static bool may_be_unassigned(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if ((c >= 0xc6 && c <= 0xd4) || (c >= 0xe0 && c <= 0xf3) || c == 0xf8)
            return true;
    }
    return false;
}

static void compare_cbor(struct slice bytes, const char *ours, const char *theirs)
{
    /* libcbor looks neither at UTF-8 nor into big integers. */
    if (strncmp(ours, "!ERR_UTF8", 9) == 0 || strstr(theirs, "<bignum>") != NULL)
        return;
    if (ours[0] == '!')
        EXPECT_STR(theirs, "!");
    else if (theirs[0] != '!' || !may_be_unassigned(bytes))
        EXPECT_STR(theirs, ours);
}

TEST(libcbor_judges_damaged_bytes_as_we_do)
{
    unsigned accepted = 0, compared = 0;
    uint64_t state = 12;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    for (uint64_t i = 0; i < 30000; i++) {
        struct blob *value = random_value(CODEC_CBOR, 1 + i % 500, true);
        struct blob *bytes = damage(value, &rng);
        struct text ours = show(CODEC_CBOR, blob_slice(bytes), true), theirs;

        if (strstr(ours.data, "announced") == NULL) {
            theirs = show_cbor(blob_slice(bytes));
            compare_cbor(blob_slice(bytes), ours.data, theirs.data);
            accepted += ours.data[0] != '!';
            compared++;
            text_free(&theirs);
        }
        text_free(&ours);
        blob_drop(bytes);
        blob_drop(value);
    }
    EXPECT(accepted > 1000 && compared - accepted > 1000);
}
