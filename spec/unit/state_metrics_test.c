/* state_metrics_test.c -- the registry, its bounds and its text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/blob.h"
#include "state/metrics.h"
#include "unit.h"

#include <math.h>
#include <pthread.h>

static char words[200];

static struct metric *find(struct metrics_scope *scope, enum metric_type type, const char *name,
                           const char *label, const char *value)
{
    struct metrics_label labels[1] = {
        {slice_of(label == NULL ? "" : label), slice_of(value == NULL ? "" : value)}};
    struct metrics_options options = {.type = type,
                                      .name = slice_of(name),
                                      .labels = labels,
                                      .label_count = label == NULL ? 0 : 1};

    return metrics_find(scope, &options, words, sizeof words);
}

/* Valid until the next one. */
static const char *text_of(struct metrics *metrics)
{
    static char text[8000];
    struct writer out;

    writer_init(&out, 0);
    metrics_write(metrics, &out);
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(writer_slice(&out)));
    writer_fini(&out);
    return text;
}

TEST(series_and_their_text)
{
    static const double bounds[] = {0.1, 1};
    struct metrics *metrics = metrics_new();
    struct metrics_scope *acme = metrics_scope_new(metrics, "com.acme", 0);
    struct metrics_scope *router = metrics_scope_new(metrics, NULL, 0);
    struct metrics_options timing = {.type = METRIC_HISTOGRAM,
                                     .name = SLICE("seconds"),
                                     .help = SLICE("How long.\nIn \\ seconds."),
                                     .bounds = bounds,
                                     .bound_count = 2};
    struct metric *seconds = metrics_find(router, &timing, words, sizeof words);

    metric_add(find(acme, METRIC_COUNTER, "joins", "role", "b\"\\\n"), 2);
    metric_add(find(acme, METRIC_COUNTER, "joins", "role", "a"), 1);
    metric_add(find(acme, METRIC_COUNTER, "joins", "role", "a"), 3);
    metric_add_real(find(acme, METRIC_COUNTER, "joins", "role", "a"), 0.5);
    metric_set(find(router, METRIC_GAUGE, "level", NULL, NULL), -2.25);
    metric_observe(seconds, 0.1);
    metric_observe(seconds, 0.5);
    metric_observe(seconds, 7);
    EXPECT_STR(text_of(metrics), "# TYPE joins counter\n"
                                 "joins{realm=\"com.acme\",role=\"a\"} 4.5\n"
                                 "joins{realm=\"com.acme\",role=\"b\\\"\\\\\\n\"} 2\n"
                                 "# TYPE level gauge\n"
                                 "level -2.25\n"
                                 "# HELP seconds How long.\\nIn \\\\ seconds.\n"
                                 "# TYPE seconds histogram\n"
                                 "seconds_bucket{le=\"0.1\"} 1\n"
                                 "seconds_bucket{le=\"1\"} 2\n"
                                 "seconds_bucket{le=\"+Inf\"} 3\n"
                                 "seconds_sum 7.6\n"
                                 "seconds_count 3\n");
    metrics_scope_free(acme);
    metrics_scope_free(router);
    EXPECT_STR(text_of(metrics), "");
    metrics_free(metrics);
}

TEST(realms_have_series_of_their_own)
{
    struct metrics *metrics = metrics_new();
    struct metrics_scope *a = metrics_scope_new(metrics, "a", 0);
    struct metrics_scope *b = metrics_scope_new(metrics, "b", 0);

    metric_add(find(b, METRIC_COUNTER, "n", NULL, NULL), 2);
    metric_add(find(a, METRIC_COUNTER, "n", NULL, NULL), 1);
    EXPECT_STR(text_of(metrics), "# TYPE n counter\nn{realm=\"a\"} 1\nn{realm=\"b\"} 2\n");
    metrics_scope_free(a);
    EXPECT_STR(text_of(metrics), "# TYPE n counter\nn{realm=\"b\"} 2\n");
    metrics_scope_free(b);
    metrics_free(metrics);
}

TEST(labels_in_any_order_are_the_same_series)
{
    struct metrics *metrics = metrics_new();
    struct metrics_scope *scope = metrics_scope_new(metrics, NULL, 0);
    struct metrics_label labels[] = {{SLICE("b"), SLICE("2")}, {SLICE("a"), SLICE("1")}};
    struct metrics_label turned[] = {labels[1], labels[0]};
    struct metrics_options options = {
        .type = METRIC_GAUGE, .name = SLICE("g"), .labels = labels, .label_count = 2};
    struct metric *metric = metrics_find(scope, &options, words, sizeof words);

    options.labels = turned;
    EXPECT(metric != NULL && metrics_find(scope, &options, words, sizeof words) == metric);
    EXPECT_STR(text_of(metrics), "# TYPE g gauge\ng{a=\"1\",b=\"2\"} 0\n");
    turned[1].name = turned[0].name;
    EXPECT(metrics_find(scope, &options, words, sizeof words) == NULL);
    EXPECT_STR(words, "the label \"a\" comes twice");
    metrics_scope_free(scope);
    metrics_free(metrics);
}

TEST(what_cannot_be_had_is_said)
{
    static const double falling[] = {1, 0.5};
    struct metrics *metrics = metrics_new();
    struct metrics_scope *scope = metrics_scope_new(metrics, "r", 3);
    struct metrics_options odd = {
        .type = METRIC_HISTOGRAM, .name = SLICE("h"), .bounds = falling, .bound_count = 2};

    EXPECT(find(scope, METRIC_COUNTER, "9lives", NULL, NULL) == NULL);
    EXPECT_STR(words, "a metric \"9lives\"; allowed: letters, digits and _, not beginning with a "
                      "digit, up to 100");
    EXPECT(find(scope, METRIC_COUNTER, "n", "a-b", "") == NULL);
    EXPECT_STR(words, "a label \"a-b\"; allowed: letters, digits and _, not beginning with a "
                      "digit, up to 100");
    EXPECT(find(scope, METRIC_COUNTER, "n", "realm", "") == NULL);
    EXPECT_STR(words, "the label \"realm\" is set by the router");
    EXPECT(find(scope, METRIC_HISTOGRAM, "n", "le", "") == NULL);
    EXPECT_STR(words, "the label \"le\" is set by the router");
    EXPECT(find(scope, METRIC_COUNTER, "n", "a", "\xff") == NULL);
    EXPECT_STR(words, "the value of the label \"a\" is not valid UTF-8");
    EXPECT(metrics_find(scope, &odd, words, sizeof words) == NULL);
    EXPECT_STR(words, "the buckets of a histogram must be numbers that ascend");
    EXPECT(find(scope, METRIC_COUNTER, "n", NULL, NULL) != NULL);
    EXPECT(find(scope, METRIC_GAUGE, "n", NULL, NULL) == NULL);
    EXPECT_STR(words, "the metric \"n\" is a counter already");
    EXPECT(find(scope, METRIC_GAUGE, "n", "a", "1") == NULL);
    EXPECT(find(scope, METRIC_COUNTER, "n", "a", "1") != NULL);
    EXPECT(find(scope, METRIC_COUNTER, "n", "a", "2") != NULL);
    EXPECT(find(scope, METRIC_COUNTER, "n", "a", "3") == NULL);
    EXPECT_STR(words, "no room for another series of \"n\": 3 of them are allowed");
    EXPECT(find(scope, METRIC_COUNTER, "n", "a", "2") != NULL);
    metrics_scope_free(scope);
    metrics_free(metrics);
}

/* ---- threads ---- */

static void *count(void *ctx)
{
    struct metrics_scope *scope = ctx;
    struct metric *counter = find(scope, METRIC_COUNTER, "n", NULL, NULL);
    struct metric *gauge = find(scope, METRIC_GAUGE, "g", NULL, NULL);
    struct metric *histogram = find(scope, METRIC_HISTOGRAM, "h", NULL, NULL);

    for (unsigned i = 0; i < 10000; i++) {
        metric_add(counter, 1);
        metric_add_real(gauge, i % 2 == 0 ? 1 : -1);
        metric_observe(histogram, 0.5);
    }
    return NULL;
}

TEST(threads_lose_nothing)
{
    struct metrics *metrics = metrics_new();
    struct metrics_scope *scope = metrics_scope_new(metrics, NULL, 0);
    pthread_t threads[4];

    EXPECT(find(scope, METRIC_COUNTER, "n", NULL, NULL) != NULL);
    EXPECT(find(scope, METRIC_GAUGE, "g", NULL, NULL) != NULL);
    EXPECT(find(scope, METRIC_HISTOGRAM, "h", NULL, NULL) != NULL);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, count, scope), 0);
    for (unsigned i = 0; i < 100; i++)
        (void)text_of(metrics);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT(fabs(metric_value(find(scope, METRIC_COUNTER, "n", NULL, NULL)) - 40000) < 0.1);
    EXPECT(fabs(metric_value(find(scope, METRIC_GAUGE, "g", NULL, NULL))) < 0.1);
    EXPECT(strstr(text_of(metrics), "h_sum 20000\nh_count 40000\n") != NULL);
    metrics_scope_free(scope);
    metrics_free(metrics);
}
