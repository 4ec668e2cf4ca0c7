/* blob.c -- makes blobs. Holding and dropping are in the header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/blob.h"

#include "base/check.h"

struct blob *blob_new(size_t len)
{
    CHECK(len <= UINT32_MAX);
    struct blob *blob = mem_alloc(sizeof(*blob) + len);

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
