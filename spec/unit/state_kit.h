/* state_kit.h -- what the tests of stores share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_STATE_KIT_H
#define NEXUS_SPEC_STATE_KIT_H

#include "state/kv.h"
#include "unit.h"
#include "wire/codec.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define KIT_SLOW 10
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define KIT_SLOW 10
#    endif
#endif
#ifndef KIT_SLOW
#    define KIT_SLOW 1
#endif

static struct kv_error kit_error;

/* What both clocks of a test show; the wall is that much ahead. */
#define KIT_WALL 1767323045678

static inline struct kv_time kit_time(uint64_t now)
{
    return (struct kv_time){now, KIT_WALL + now};
}

static inline struct kv_store *kit_store(struct kv_space *space, const char *name,
                                         struct kv_store_options options)
{
    return kv_open(space, slice_of(name), &options, kit_time(0), &kit_error);
}

static inline int kit_set(struct kv_store *store, const char *key, const char *value,
                          uint64_t ttl_ms, uint64_t now)
{
    struct kv_change change = {
        .key = slice_of(key), .value = blob_copy(slice_of(value)), .ttl_ms = ttl_ms};
    int err = kv_change(store, &change, kit_time(now), &kit_error);

    blob_drop(change.value);
    return err;
}

static inline int kit_delete(struct kv_store *store, const char *key, uint64_t now)
{
    return kv_change(store, &(struct kv_change){.key = slice_of(key)}, kit_time(now), &kit_error);
}

/* Valid until the next one; NULL: nothing is there. */
static inline const char *kit_get(struct kv_store *store, const char *key, uint64_t now)
{
    static char text[4000];
    struct blob *value = kv_get(store, slice_of(key), now, NULL);

    if (value == NULL)
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)value->len, value->data);
    blob_drop(value);
    return text;
}

static inline struct blob *kit_integer_blob(int64_t integer)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 9);
    encode_int(&e, integer);
    return encode_finish(&e);
}

/* NULL counts as 0. */
static inline int64_t kit_integer_of(const struct blob *value)
{
    struct token token = {.type = TOKEN_NULL};
    struct fault fault;
    struct arena arena;
    struct reader r;

    if (value == NULL)
        return 0;
    arena_init(&arena);
    reader_init(&r, CODEC_MSGPACK, blob_slice(value), &arena, &fault);
    EXPECT(reader_next(&r, &token) == 0 && (token.type == TOKEN_INT || token.type == TOKEN_UINT));
    arena_fini(&arena);
    return token.integer;
}

static inline int64_t kit_integer(struct kv_store *store, const char *key, uint64_t now)
{
    struct blob *value = kv_get(store, slice_of(key), now, NULL);
    int64_t integer = kit_integer_of(value);

    blob_drop(value);
    return integer;
}

#endif
