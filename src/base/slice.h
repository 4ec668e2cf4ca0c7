/* slice.h -- borrowed bytes: pointer and length, passed by value.
 *
 * A slice owns nothing. It is valid as long as what it points into.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_SLICE_H
#define NEXUS_BASE_SLICE_H

#include "base/base.h"

#include <string.h>

struct slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).len, (s).data

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text == NULL ? 0 : strlen(text)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

#endif
