/* blob.h -- immutable counted bytes.
 *
 * Whoever makes a blob may write into it until it is shown to anybody else;
 * from then on it never changes, and everyone who keeps it holds it. The count
 * is atomic because blobs cross from one worker to another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_BLOB_H
#define NEXUS_BASE_BLOB_H

#include "base/mem.h"
#include "base/slice.h"

#include <stdatomic.h>

struct blob {
    atomic_uint refs;
    uint32_t len; /* bytes in use */
    uint32_t cap; /* bytes there is room for */
    char data[];
};

/* A blob with room for at least `cap` bytes, not counted yet: for writers. blob_release takes
 * it back; short ones are kept for the next blob_reserve of the thread, since a router makes and
 * frees them in bursts that are longer than what malloc keeps at hand. */
struct blob *blob_reserve(size_t cap);
void blob_release(struct blob *blob);

/* A blob of len bytes, not yet written, held once by the caller. */
struct blob *blob_new(size_t len);

/* The same, with a copy of the slice. */
struct blob *blob_copy(struct slice from);

/* Takes one more reference, or count more with a single atomic addition. */
static inline struct blob *blob_hold(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

static inline struct blob *blob_hold_many(struct blob *blob, unsigned count)
{
    atomic_fetch_add_explicit(&blob->refs, count, memory_order_relaxed);
    return blob;
}

/* Gives one reference back; the last one frees. NULL is fine. */
static inline void blob_drop(struct blob *blob)
{
    if (blob != NULL && atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) == 1)
        blob_release(blob);
}

static inline struct slice blob_slice(const struct blob *blob)
{
    return (struct slice){blob->data, blob->len};
}

#endif
