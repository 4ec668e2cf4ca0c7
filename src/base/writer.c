/* writer.c -- growth and freezing of a writer; the fast paths are in the header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/writer.h"

#include "base/check.h"

#define FIRST_CAP 128
#define WASTE_MAX 4096 /* bytes of unused room that a frozen blob may keep in any case */

void writer_init(struct writer *w, size_t hint)
{
    *w = (struct writer){0};
    if (hint != 0)
        writer_grow(w, hint);
}

void writer_fini(struct writer *w)
{
    blob_release(w->blob);
    *w = (struct writer){0};
}

void writer_grow(struct writer *w, size_t more)
{
    size_t need;

    CHECK(!__builtin_add_overflow(w->len, more, &need) && need <= UINT32_MAX);
    size_t cap = w->cap == 0 ? need : w->cap * 2;
    if (cap < need)
        cap = need;
    if (cap < FIRST_CAP)
        cap = FIRST_CAP;
    if (cap > UINT32_MAX)
        cap = UINT32_MAX;

    struct blob *blob = blob_reserve(cap);

    if (w->len != 0)
        memcpy(blob->data, w->blob->data, w->len);
    blob_release(w->blob);
    w->blob = blob;
    w->cap = blob->cap;
}

/* The same bytes in a blob without room to spare. */
static struct blob *shrunk(struct blob *blob, size_t len)
{
    struct blob *fitting = blob_reserve(len);

    memcpy(fitting->data, blob->data, len);
    blob_release(blob);
    return fitting;
}

struct blob *writer_freeze(struct writer *w)
{
    struct blob *blob = w->blob;

    if (blob == NULL)
        return blob_new(0);

    size_t waste = w->cap - w->len;
    if (waste > WASTE_MAX && waste > w->len)
        blob = shrunk(blob, w->len);
    atomic_init(&blob->refs, 1);
    blob->len = (uint32_t)w->len;
    *w = (struct writer){0};
    return blob;
}
