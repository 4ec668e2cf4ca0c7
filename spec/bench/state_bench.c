/* state_bench.c -- nanoseconds of stores, limiters and counters, and the worst single operation.
 *
 * Means are of a loop over all keys in a mixed order, the best of some rounds. The worst
 * operation is measured by the CPU time of the thread, so that other load makes nothing slow; that
 * clock itself costs near a microsecond here. With a folder as argument a store that persists there is
 * measured as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "state/state.h"

#include <stdio.h>
#include <time.h>

#define KEYS    100000
#define ROUNDS  5
#define KEY_LEN 24
#define STEP    61803 /* without a common divisor with KEYS */

static char keys[KEYS][KEY_LEN];
static struct kv_error error;
static struct blob *value;

static struct slice key_at(size_t i)
{
    return slice_of(keys[i * STEP % KEYS]);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- what is measured ---- */

struct stage {
    struct kv_store *store;
    struct limiter *limiter;
    struct metric *counter, *histogram;
    uint64_t ttl_ms;
};

typedef void operation(struct stage *stage, size_t i);

static void set(struct stage *stage, size_t i)
{
    struct kv_change change = {.key = key_at(i), .value = value, .ttl_ms = stage->ttl_ms};

    CHECK(kv_change(stage->store, &change, (struct kv_time){i, i}, &error) == 0);
}

static void get(struct stage *stage, size_t i)
{
    struct blob *found = kv_get(stage->store, key_at(i), i, NULL);

    CHECK(found != NULL);
    blob_drop(found);
}

static void miss(struct stage *stage, size_t i)
{
    struct slice key = key_at(i);

    key.len--;
    CHECK(kv_get(stage->store, key, i, NULL) == NULL);
}

static void incr(struct stage *stage, size_t i)
{
    struct kv_addition one = {.key = SLICE("counter"), .n = 1};
    int64_t sum;

    CHECK(kv_incr(stage->store, &one, (struct kv_time){i, i}, &sum, &error) == 0);
}

static void drop(struct stage *stage, size_t i)
{
    struct kv_change change = {.key = key_at(i)};

    CHECK(kv_change(stage->store, &change, (struct kv_time){i, i}, &error) == 0);
}

static void take(struct stage *stage, size_t i)
{
    double retry_after;

    CHECK(limiter_take(stage->limiter, key_at(i), 1, i / 1000, &retry_after) || retry_after > 0);
}

static void count(struct stage *stage, size_t i)
{
    (void)i;
    metric_add(stage->counter, 1);
}

static void observe(struct stage *stage, size_t i)
{
    metric_observe(stage->histogram, (double)(i % 1000) / 1000);
}

/* ---- how ---- */

static void mean(const char *name, struct stage *stage, operation *run)
{
    uint64_t best = UINT64_MAX;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t began = clock_ns(CLOCK_MONOTONIC), took;

        for (size_t i = 0; i < KEYS; i++)
            run(stage, i);
        took = clock_ns(CLOCK_MONOTONIC) - began;
        best = took < best ? took : best;
    }
    printf("%-28s %5llu ns\n", name, (unsigned long long)(best / KEYS));
}

static void worst(const char *name, struct stage *stage, operation *run)
{
    uint64_t most = 0;

    for (size_t i = 0; i < KEYS; i++) {
        uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID), took;

        run(stage, i);
        took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
        most = took > most ? took : most;
    }
    printf("%-28s %5llu us at worst\n", name, (unsigned long long)(most / 1000));
}

static void measure_space(const char *title, const struct kv_space_options *options, bool persists)
{
    struct kv_space *space = kv_space_new(options);
    struct kv_store_options how = {.persists = persists ? KV_YES : KV_NO};
    struct stage stage = {.store = kv_open(space, SLICE("s"), &how, (struct kv_time){0}, &error)};

    CHECK(stage.store != NULL);
    printf("-- %s, %d entries\n", title, KEYS);
    worst("set, new", &stage, set);
    mean("get", &stage, get);
    mean("get, not there", &stage, miss);
    mean("set", &stage, set);
    stage.ttl_ms = 1000000;
    mean("set with ttl", &stage, set);
    mean("incr", &stage, incr);
    worst("get", &stage, get);
    worst("set with ttl", &stage, set);
    worst("delete", &stage, drop);
    CHECK(kv_space_close(space, &error) == 0);
}

static struct metric *metric_of(struct metrics_scope *scope, enum metric_type type,
                                struct slice name)
{
    struct metrics_options options = {.type = type, .name = name};
    struct metric *metric = metrics_find(scope, &options, error.words, sizeof(error.words));

    CHECK(metric != NULL);
    return metric;
}

static void measure_others(void)
{
    struct limiters *limiters = limiters_new(0);
    struct metrics *metrics = metrics_new();
    struct metrics_scope *scope = metrics_scope_new(metrics, "r", 0);
    struct stage stage = {.limiter = limiter_open(limiters, SLICE("l"), 0.01, 1000),
                          .counter = metric_of(scope, METRIC_COUNTER, SLICE("c")),
                          .histogram = metric_of(scope, METRIC_HISTOGRAM, SLICE("h"))};

    printf("-- limiter of %d keys, metrics\n", KEYS);
    worst("take, new", &stage, take);
    mean("take", &stage, take);
    mean("counter", &stage, count);
    mean("histogram", &stage, observe);
    metrics_scope_free(scope);
    metrics_free(metrics);
    limiters_free(limiters);
}

int main(int argc, char **argv)
{
    struct kv_space_options options = {.realm = "bench"};

    value = blob_copy(SLICE("\xb5twenty octets of text"));
    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], KEY_LEN, "user:%06zu:visits", i);
    measure_space("store of a realm", &options, false);
    options.is_shared = true;
    measure_space("store of the router", &options, false);
    if (argc > 1) {
        options = (struct kv_space_options){.realm = "bench", .folder = argv[1]};
        measure_space("store that persists", &options, true);
    }
    measure_others();
    blob_drop(value);
    return 0;
}
