/* metrics_priv.h -- how the registry is made.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_METRICS_PRIV_H
#define NEXUS_STATE_METRICS_PRIV_H

#include "base/list.h"
#include "base/map.h"
#include "state/metrics.h"

#include <pthread.h>

struct family {
    struct list link;   /* metrics->families, in the order of names */
    struct list series; /* in the order of their labels */
    char *name, *help;
    enum metric_type type;
    size_t bound_count;
    double bounds[];
};

struct series {
    struct list of_family, of_scope;
    struct family *family;
    struct metrics_scope *scope;
    char *key;          /* owned: name, "{", labels */
    const char *labels; /* in it, as in the text: `a="1",b="2"` */
    struct metric metric;
    atomic_uint_fast64_t buckets[]; /* the metric's */
};

struct metrics {
    pthread_mutex_t lock; /* for all structures; not for the numbers */
    struct list families;
};

struct metrics_scope {
    struct metrics *metrics;
    char *realm;
    struct list series;
    struct strmap index; /* by key */
    size_t max;
};

/* Text within quotes, as the format escapes it. */
void metrics_write_escaped(struct writer *out, struct slice text, bool is_quoted);

#endif
