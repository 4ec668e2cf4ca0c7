/* metrics_text.c -- the registry as text, version 0.0.4 of the format of Prometheus.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/metrics_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void put(struct writer *out, const char *text)
{
    writer_write(out, text, strlen(text));
}

void metrics_write_escaped(struct writer *out, struct slice text, bool is_quoted)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n')
            writer_write(out, "\\n", 2);
        else if (text.data[i] == '\\')
            writer_write(out, "\\\\", 2);
        else if (text.data[i] == '"' && is_quoted)
            writer_write(out, "\\\"", 2);
        else
            writer_put(out, text.data[i]);
    }
}

static void put_real(struct writer *out, double value)
{
    char text[32];

    if (isnan(value))
        put(out, "NaN");
    else if (isinf(value))
        put(out, value > 0 ? "+Inf" : "-Inf");
    else {
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof text, "%.17g", value);
        put(out, text);
    }
}

static void put_head(struct writer *out, const char *name, const char *help, enum metric_type type)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    if (*help != '\0') {
        put(out, "# HELP ");
        put(out, name);
        put(out, " ");
        metrics_write_escaped(out, slice_of(help), false);
        put(out, "\n");
    }
    put(out, "# TYPE ");
    put(out, name);
    put(out, " ");
    put(out, types[type]);
    put(out, "\n");
}

/* `name_suffix{labels,le="0.1"} `; the bound may be NULL. */
static void put_key(struct writer *out, const struct series *series, const char *suffix,
                    const double *bound)
{
    put(out, series->family->name);
    put(out, suffix);
    if (*series->labels != '\0' || bound != NULL) {
        put(out, "{");
        put(out, series->labels);
        if (bound != NULL) {
            put(out, *series->labels == '\0' ? "le=\"" : ",le=\"");
            put_real(out, *bound);
            put(out, "\"");
        }
        put(out, "}");
    }
    put(out, " ");
}

static void put_natural(struct writer *out, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    put(out, text);
    put(out, "\n");
}

/* Numbers go on while they are read: the count is that of the buckets read, not less. */
static void put_histogram(struct writer *out, const struct series *series)
{
    const struct metric *metric = &series->metric;
    const double infinite = HUGE_VAL;
    uint64_t sum = 0, count = atomic_load(&metric->whole);

    for (unsigned i = 0; i < metric->bound_count; i++) {
        sum += atomic_load(&metric->buckets[i]);
        put_key(out, series, "_bucket", &metric->bounds[i]);
        put_natural(out, sum);
    }
    if (count < sum)
        count = sum;
    put_key(out, series, "_bucket", &infinite);
    put_natural(out, count);
    put_key(out, series, "_sum", NULL);
    put_real(out, atomic_load(&metric->value));
    put(out, "\n");
    put_key(out, series, "_count", NULL);
    put_natural(out, count);
}

static void put_series(struct writer *out, const struct series *series)
{
    if (series->metric.type == METRIC_HISTOGRAM) {
        put_histogram(out, series);
        return;
    }
    put_key(out, series, "", NULL);
    put_real(out, metric_value(&series->metric));
    put(out, "\n");
}

void metrics_write(struct metrics *metrics, struct writer *out)
{
    pthread_mutex_lock(&metrics->lock);
    list_each (&metrics->families, link, after) {
        const struct family *family = container_of(link, struct family, link);

        put_head(out, family->name, family->help, family->type);
        list_each (&family->series, node, next)
            put_series(out, container_of(node, struct series, of_family));
    }
    pthread_mutex_unlock(&metrics->lock);
}
