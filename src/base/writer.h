/* writer.h -- growing bytes that are frozen into a blob without a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_WRITER_H
#define NEXUS_BASE_WRITER_H

#include "base/blob.h"

struct writer {
    struct blob *blob; /* owned; NULL until the first byte or a hint */
    size_t len;        /* bytes written */
    size_t cap;        /* bytes there is room for */
};

/* Starts with room for `hint` bytes (0: allocate at the first byte). */
void writer_init(struct writer *w, size_t hint);

/* Throws the bytes away. Fine after writer_freeze, and twice. */
void writer_fini(struct writer *w);

/* Makes room for `more` bytes at least; slow path of writer_reserve. */
void writer_grow(struct writer *w, size_t more);

/* Room for `more` bytes, at least one; returns where they go. Write them, then
 * writer_advance. */
static inline char *writer_reserve(struct writer *w, size_t more)
{
    if (UNLIKELY(w->cap - w->len < more))
        writer_grow(w, more);
    return w->blob->data + w->len;
}

static inline void writer_advance(struct writer *w, size_t len)
{
    w->len += len;
}

static inline void writer_put(struct writer *w, char byte)
{
    *writer_reserve(w, 1) = byte;
    w->len++;
}

static inline void writer_write(struct writer *w, const void *data, size_t len)
{
    if (len != 0)
        memcpy(writer_reserve(w, len), data, len);
    w->len += len;
}

static inline struct slice writer_slice(const struct writer *w)
{
    return (struct slice){w->blob == NULL ? NULL : w->blob->data, w->len};
}

/* Hands the bytes over as a blob (held once by the caller); the writer is empty after. */
struct blob *writer_freeze(struct writer *w);

#endif
