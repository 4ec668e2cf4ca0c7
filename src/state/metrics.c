/* metrics.c -- the registry: series by name and labels.
 *
 * Families and their series are in lists in order, which are walked to find one:
 * that happens once for each series and each place in the code that counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "state/metrics_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const double usual_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,  0.5,    1,     2.5,  5,     10};

static const char *const type_names[] = {"counter", "gauge", "histogram"};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_zero(1, sizeof(*metrics));

    pthread_mutex_init(&metrics->lock, NULL);
    list_init(&metrics->families);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    CHECK(list_is_empty(&metrics->families)); /* all scopes have ended */
    pthread_mutex_destroy(&metrics->lock);
    mem_free(metrics);
}

struct metrics_scope *metrics_scope_new(struct metrics *metrics, const char *realm,
                                        size_t max_series)
{
    struct metrics_scope *scope = mem_zero(1, sizeof(*scope));

    scope->metrics = metrics;
    scope->realm = realm == NULL ? NULL : mem_copy(realm, strlen(realm));
    scope->max = max_series == 0 ? METRICS_MAX_SERIES : max_series;
    list_init(&scope->series);
    strmap_init(&scope->index, (uint64_t)(uintptr_t)scope, (uint64_t)(uintptr_t)metrics);
    return scope;
}

static void family_free(struct family *family)
{
    list_remove(&family->link);
    mem_free(family->name);
    mem_free(family->help);
    mem_free(family);
}

static void series_free(struct series *series)
{
    list_remove(&series->of_family);
    list_remove(&series->of_scope);
    if (list_is_empty(&series->family->series))
        family_free(series->family);
    mem_free(series->key);
    mem_free(series);
}

void metrics_scope_free(struct metrics_scope *scope)
{
    if (scope == NULL)
        return;
    pthread_mutex_lock(&scope->metrics->lock);
    list_each (&scope->series, link, after)
        series_free(container_of(link, struct series, of_scope));
    pthread_mutex_unlock(&scope->metrics->lock);
    strmap_fini(&scope->index);
    mem_free(scope->realm);
    mem_free(scope);
}

/* ---- what may be asked for ---- */

__attribute__((format(printf, 3, 4))) static bool say(char *words, size_t len, const char *format,
                                                      ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, len, format, args);
    va_end(args);
    return false;
}

static bool is_name(struct slice text)
{
    if (text.len == 0 || text.len > METRICS_MAX_NAME)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i != 0 && c >= '0' && c <= '9')))
            return false;
    }
    return true;
}

static bool check_label(const struct metrics_scope *scope, const struct metrics_options *options,
                        size_t i, char *words, size_t len)
{
    const struct metrics_label *label = &options->labels[i];

    if (!is_name(label->name))
        return say(words, len,
                   "a label \"%.*s\"; allowed: letters, digits and _, not beginning with a digit, "
                   "up to %d",
                   (int)(label->name.len < 40 ? label->name.len : 40), label->name.data,
                   METRICS_MAX_NAME);
    if ((scope->realm != NULL && slice_eq(label->name, SLICE("realm"))) ||
        (options->type == METRIC_HISTOGRAM && slice_eq(label->name, SLICE("le"))))
        return say(words, len, "the label \"%.*s\" is set by the router", SLICE_ARG(label->name));
    if (label->value.len > METRICS_MAX_VALUE)
        return say(words, len, "the value of the label \"%.*s\" has %zu octets; allowed: up to %d",
                   SLICE_ARG(label->name), label->value.len, METRICS_MAX_VALUE);
    if (!utf8_is_valid(label->value))
        return say(words, len, "the value of the label \"%.*s\" is not valid UTF-8",
                   SLICE_ARG(label->name));
    for (size_t k = 0; k < i; k++) {
        if (slice_eq(options->labels[k].name, label->name))
            return say(words, len, "the label \"%.*s\" comes twice", SLICE_ARG(label->name));
    }
    return true;
}

static bool check_options(const struct metrics_scope *scope, const struct metrics_options *options,
                          char *words, size_t len)
{
    if (!is_name(options->name))
        return say(words, len,
                   "a metric \"%.*s\"; allowed: letters, digits and _, not beginning with a "
                   "digit, up to %d",
                   (int)(options->name.len < 40 ? options->name.len : 40), options->name.data,
                   METRICS_MAX_NAME);
    if (options->label_count > METRICS_MAX_LABELS)
        return say(words, len, "%zu labels of a metric; allowed: up to %d", options->label_count,
                   METRICS_MAX_LABELS);
    for (size_t i = 0; i < options->label_count; i++) {
        if (!check_label(scope, options, i, words, len))
            return false;
    }
    if (options->bound_count > METRICS_MAX_BUCKETS)
        return say(words, len, "%zu buckets of a histogram; allowed: up to %d",
                   options->bound_count, METRICS_MAX_BUCKETS);
    for (size_t i = 0; i < options->bound_count; i++) {
        if (!isfinite(options->bounds[i]) ||
            (i != 0 && !(options->bounds[i - 1] < options->bounds[i])))
            return say(words, len, "the buckets of a histogram must be numbers that ascend");
    }
    return true;
}

/* ---- labels as text ---- */

static int by_name(const void *a, const void *b)
{
    struct slice left = (*(const struct metrics_label *const *)a)->name;
    struct slice right = (*(const struct metrics_label *const *)b)->name;
    int sign = memcmp(left.data, right.data, left.len < right.len ? left.len : right.len);

    return sign != 0 ? sign : left.len < right.len ? -1 : left.len > right.len;
}

static void write_label(struct writer *out, struct slice name, struct slice value)
{
    if (out->blob->data[out->len - 1] != '{')
        writer_put(out, ',');
    writer_write(out, name.data, name.len);
    writer_write(out, "=\"", 2);
    metrics_write_escaped(out, value, true);
    writer_put(out, '"');
}

/* Name, "{", and labels in the order of their names, so that one set of labels has one text; the
 * realm first. */
static struct slice write_key(struct writer *out, const struct metrics_scope *scope,
                              const struct metrics_options *options)
{
    const struct metrics_label *sorted[METRICS_MAX_LABELS];

    for (size_t i = 0; i < options->label_count; i++)
        sorted[i] = &options->labels[i];
    if (options->label_count != 0)
        qsort(sorted, options->label_count, sizeof(*sorted), by_name);
    writer_init(out, 256);
    writer_write(out, options->name.data, options->name.len);
    writer_put(out, '{');
    if (scope->realm != NULL)
        write_label(out, SLICE("realm"), slice_of(scope->realm));
    for (size_t i = 0; i < options->label_count; i++)
        write_label(out, sorted[i]->name, sorted[i]->value);
    return writer_slice(out);
}

/* ---- finding and making, the lock held ---- */

/* The family with that name; else NULL, and *before is the one that it comes before. */
static struct family *find_family(struct metrics *metrics, struct slice name, struct list **before)
{
    list_each (&metrics->families, link, after) {
        struct family *family = container_of(link, struct family, link);
        struct slice known = slice_of(family->name);
        int sign = memcmp(known.data, name.data, known.len < name.len ? known.len : name.len);

        if (sign == 0 && known.len == name.len)
            return family;
        if (sign > 0 || (sign == 0 && known.len > name.len)) {
            *before = link;
            return NULL;
        }
    }
    *before = &metrics->families;
    return NULL;
}

static struct family *family_new(const struct metrics_options *options, struct list *before)
{
    const double *bounds = options->bounds == NULL ? usual_bounds : options->bounds;
    size_t count = options->bounds == NULL ? ARRAY_LEN(usual_bounds) : options->bound_count;
    struct family *family;

    if (options->type != METRIC_HISTOGRAM)
        count = 0;
    family = mem_zero(1, sizeof(*family) + count * sizeof(double));
    family->name = mem_copy(options->name.data, options->name.len);
    family->help = mem_copy(options->help.len == 0 ? "" : options->help.data, options->help.len);
    family->type = options->type;
    family->bound_count = count;
    for (size_t i = 0; i < count; i++)
        family->bounds[i] = bounds[i];
    list_init(&family->series);
    list_append(before, &family->link);
    return family;
}

static struct series *find_series(struct family *family, const char *labels, struct list **before)
{
    list_each (&family->series, link, after) {
        struct series *series = container_of(link, struct series, of_family);
        int sign = strcmp(series->labels, labels);

        if (sign == 0)
            return series;
        if (sign > 0) {
            *before = link;
            return NULL;
        }
    }
    *before = &family->series;
    return NULL;
}

static struct series *series_new(struct metrics_scope *scope, struct family *family,
                                 struct slice key, struct list *before)
{
    size_t buckets = family->bound_count * sizeof(atomic_uint_fast64_t);
    struct series *series = mem_zero(1, sizeof(*series) + buckets);

    series->family = family;
    series->scope = scope;
    series->key = mem_copy(key.data, key.len);
    series->labels = series->key + strlen(family->name) + 1;
    series->metric.type = family->type;
    series->metric.buckets = series->buckets;
    series->metric.bounds = family->bounds;
    series->metric.bound_count = (unsigned)family->bound_count;
    list_append(before, &series->of_family);
    list_append(&scope->series, &series->of_scope);
    strmap_put(&scope->index, slice_make(series->key, key.len), series);
    return series;
}

static bool is_like(const struct family *family, const struct metrics_options *options, char *words,
                    size_t len)
{
    if (family->type != options->type)
        return say(words, len, "the metric \"%s\" is a %s already", family->name,
                   type_names[family->type]);
    if (options->bounds != NULL &&
        (family->bound_count != options->bound_count ||
         memcmp(family->bounds, options->bounds, options->bound_count * sizeof(double)) != 0))
        return say(words, len, "the histogram \"%s\" has other buckets already", family->name);
    return true;
}

static struct series *make(struct metrics_scope *scope, const struct metrics_options *options,
                           struct slice key, char *words, size_t len)
{
    struct list *before;
    struct family *family = find_family(scope->metrics, options->name, &before);
    char *labels;
    bool is_taken;

    if (family != NULL && !is_like(family, options, words, len))
        return NULL;
    if (scope->index.count >= scope->max) {
        say(words, len, "no room for another series of \"%.*s\": %zu of them are allowed",
            SLICE_ARG(options->name), scope->max);
        return NULL;
    }
    if (family == NULL) {
        family = family_new(options, before);
        return series_new(scope, family, key, &family->series);
    }
    labels = mem_copy(key.data + options->name.len + 1, key.len - options->name.len - 1);
    is_taken = find_series(family, labels, &before) != NULL;
    mem_free(labels);
    if (!is_taken)
        return series_new(scope, family, key, before);
    say(words, len, "the metric \"%s\" with these labels belongs to somebody else", family->name);
    return NULL;
}

struct metric *metrics_find(struct metrics_scope *scope, const struct metrics_options *options,
                            char *words, size_t words_len)
{
    struct series *series;
    struct writer writer;
    struct slice key;

    if (!check_options(scope, options, words, words_len))
        return NULL;
    key = write_key(&writer, scope, options);
    pthread_mutex_lock(&scope->metrics->lock);
    series = strmap_get(&scope->index, key);
    if (series == NULL)
        series = make(scope, options, key, words, words_len);
    else if (!is_like(series->family, options, words, words_len))
        series = NULL;
    pthread_mutex_unlock(&scope->metrics->lock);
    writer_fini(&writer);
    return series == NULL ? NULL : &series->metric;
}

/* ---- counting ---- */

static void add_real(_Atomic double *to, double n)
{
    double before = atomic_load_explicit(to, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(to, &before, before + n, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void metric_add_real(struct metric *metric, double n)
{
    add_real(&metric->value, n);
}

void metric_observe(struct metric *histogram, double value)
{
    for (unsigned i = 0; i < histogram->bound_count; i++) {
        if (value <= histogram->bounds[i]) {
            atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
            break;
        }
    }
    atomic_fetch_add_explicit(&histogram->whole, 1, memory_order_relaxed);
    add_real(&histogram->value, value);
}

double metric_value(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed) +
           (double)atomic_load_explicit(&metric->whole, memory_order_relaxed);
}
