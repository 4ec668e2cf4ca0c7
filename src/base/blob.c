/* blob.c -- makes blobs. Holding and dropping are in the header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/blob.h"

#include "base/check.h"

/* Short blobs come in lengths that are multiples of STEP. */
#define STEP     128
#define CLASSES  8
#define MAX_KEPT 512 /* of each length, in each thread */

#if defined(__SANITIZE_ADDRESS__)
#    define KEEPS_BLOBS 0
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define KEEPS_BLOBS 0 /* so that the use of a freed blob is seen */
#    endif
#endif
#ifndef KEEPS_BLOBS
#    define KEEPS_BLOBS 1
#endif

struct kept {
    struct blob *first; /* the next one's address stands in `data` */
    unsigned count;
};

static _Thread_local struct kept kept[CLASSES];

struct blob *blob_reserve(size_t cap)
{
    size_t class = cap == 0 ? 0 : (cap - 1) / STEP;
    struct blob *blob;

    CHECK(cap <= UINT32_MAX);
    if (UNLIKELY(class >= CLASSES)) {
        blob = mem_alloc(sizeof *blob + cap);
        blob->cap = (uint32_t)cap;
        return blob;
    }
    blob = kept[class].first;
    if (LIKELY(blob != NULL)) {
        memcpy(&kept[class].first, blob->data, sizeof kept[class].first);
        kept[class].count--;
        return blob;
    }
    blob = mem_alloc(sizeof *blob + (class + 1) * STEP);
    blob->cap = (uint32_t)((class + 1) * STEP);
    return blob;
}

void blob_release(struct blob *blob)
{
    size_t class = blob == NULL ? CLASSES : blob->cap / STEP - 1;

    if (!KEEPS_BLOBS || class >= CLASSES || blob->cap % STEP != 0 ||
        kept[class].count == MAX_KEPT) {
        mem_free(blob);
        return;
    }
    memcpy(blob->data, &kept[class].first, sizeof kept[class].first);
    kept[class].first = blob;
    kept[class].count++;
}

struct blob *blob_new(size_t len)
{
    struct blob *blob = blob_reserve(len);

    atomic_init(&blob->refs, 1);
    blob->len = (uint32_t)len;
    return blob;
}

struct blob *blob_copy(struct slice from)
{
    struct blob *blob = blob_new(from.len);

    if (from.len != 0)
        memcpy(blob->data, from.data, from.len);
    return blob;
}
