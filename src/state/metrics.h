/* metrics.h -- counters, gauges and histograms by name and labels, and their text.
 *
 * A registry is the router's. Whoever counts opens a scope, which bounds how many
 * series he makes and whose labels all of them carry: policies have one for each
 * realm. A series is looked up once (that takes a lock), and counting in it is an
 * atomic addition from then on, from any thread.
 *
 * The text is version 0.0.4 of the format of Prometheus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_METRICS_H
#define NEXUS_STATE_METRICS_H

#include "base/writer.h"

#include <stdatomic.h>

#define METRICS_MAX_SERIES  1000 /* of a scope */
#define METRICS_MAX_LABELS  10
#define METRICS_MAX_NAME    100 /* octets */
#define METRICS_MAX_VALUE   200 /* octets of the value of a label */
#define METRICS_MAX_BUCKETS 30

struct metrics;
struct metrics_scope;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One line of numbers. Its fields are for the functions below. */
struct metric {
    enum metric_type type;
    unsigned bound_count;
    const double *bounds; /* of a histogram, ascending */
    atomic_uint_fast64_t
        whole; /* of a counter: what was added in whole numbers; of a histogram: how often */
    _Atomic double
        value; /* of a gauge; of a counter: what else was added; of a histogram: the sum */
    atomic_uint_fast64_t *buckets;
};

struct metrics_label {
    struct slice name, value;
};

struct metrics_options {
    enum metric_type type;
    struct slice name; /* [a-zA-Z_][a-zA-Z0-9_]* */
    struct slice help; /* of the first who asks; may be empty */
    const struct metrics_label *labels;
    size_t label_count;
    const double *bounds; /* of a histogram, finite and ascending; NULL: from 0.001 to 10 */
    size_t bound_count;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* `realm` becomes a label of all series; NULL: none. max_series 0: METRICS_MAX_SERIES. */
struct metrics_scope *metrics_scope_new(struct metrics *metrics, const char *realm,
                                        size_t max_series);

/* Its series end too. NULL is fine. */
void metrics_scope_free(struct metrics_scope *scope);

/* The series with that name and those labels, in any order; made when it is not there. NULL with
 * words: a bad name, a bound, another type. It belongs to the scope. */
struct metric *metrics_find(struct metrics_scope *scope, const struct metrics_options *options,
                            char *words, size_t words_len) MUST_CHECK;

static inline void metric_add(struct metric *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->whole, n, memory_order_relaxed);
}

/* Of a counter (n not below 0) or a gauge. */
void metric_add_real(struct metric *metric, double n);

static inline void metric_set(struct metric *gauge, double value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *histogram, double value);

/* What a counter or gauge is at. */
double metric_value(const struct metric *metric);

/* Writes all of them, in the order of their names and labels. */
void metrics_write(struct metrics *metrics, struct writer *out);

#endif
