/* counts.c -- see counts.h.
 *
 * The series of a hook are looked up when it runs for the first time; from then on a run costs
 * some additions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/counts.h"

#include "base/log.h"

/* A scope that is full is said once, and what finds no place is not counted. */
static struct metric *find(struct counts *counts, enum metric_type type, const char *name,
                           const char *help, const struct metrics_label *labels, size_t count)
{
    struct metrics_options options = {.type = type,
                                      .name = slice_of(name),
                                      .help = slice_of(help),
                                      .labels = labels,
                                      .label_count = count};
    struct metric *metric;
    char words[200];

    if (counts->scope == NULL)
        return NULL;
    metric = metrics_find(counts->scope, &options, words, sizeof words);
    if (metric == NULL) {
        log_line(LOG_WARN, "not-counted", words, "metric", name, NULL);
        counts->scope = NULL;
    }
    return metric;
}

void counts_init(struct counts *counts, struct metrics_scope *scope)
{
    *counts = (struct counts){.scope = scope};
    counts->waiting = find(counts, METRIC_GAUGE, "nexus_lua_waiting",
                           "Functions of the policy that have begun and are not over.", NULL, 0);
    counts->memory = find(counts, METRIC_GAUGE, "nexus_lua_memory_bytes",
                          "Memory of the state of Lua.", NULL, 0);
    counts->failed_reloads = find(counts, METRIC_COUNTER, "nexus_policy_reload_failures_total",
                                  "Reloads that failed; the version before went on.", NULL, 0);
}

void counts_failed_reload(struct counts *counts)
{
    if (counts->failed_reloads != NULL)
        metric_add(counts->failed_reloads, 1);
}

void counts_waiting(struct counts *counts, size_t fibers)
{
    if (counts->waiting != NULL)
        metric_set(counts->waiting, (double)fibers);
}

void counts_memory(struct counts *counts, size_t bytes)
{
    if (counts->memory != NULL)
        metric_set(counts->memory, (double)bytes);
}

void counts_rebuilt(struct counts *counts)
{
    if (counts->rebuilt == NULL)
        counts->rebuilt = find(counts, METRIC_COUNTER, "nexus_lua_rebuilds_total",
                               "States of Lua that were full and made anew.", NULL, 0);
    if (counts->rebuilt != NULL)
        metric_add(counts->rebuilt, 1);
}

static struct hook_counts *hook_of(struct counts *counts, const char *hook)
{
    struct metrics_label label = {SLICE("hook"), slice_of(hook)};
    struct hook_counts *found;

    for (size_t i = 0; i < counts->hook_count; i++) {
        if (counts->hooks[i].hook == hook)
            return &counts->hooks[i];
    }
    if (counts->scope == NULL || counts->hook_count == COUNTS_HOOKS)
        return NULL;
    found = &counts->hooks[counts->hook_count];
    found->hook = hook;
    found->calls = find(counts, METRIC_COUNTER, "nexus_lua_calls_total",
                        "Runs of functions of the policy that are over.", &label, 1);
    found->seconds = find(counts, METRIC_HISTOGRAM, "nexus_lua_seconds",
                          "From their beginning to their end, waits included.", &label, 1);
    found->killed = find(counts, METRIC_COUNTER, "nexus_lua_killed_total",
                         "Those that were ended because a budget ran out.", &label, 1);
    if (counts->scope == NULL)
        return NULL;
    counts->hook_count++;
    return found;
}

void counts_error(struct counts *counts, const char *hook, const char *kind)
{
    struct metrics_label labels[] = {{SLICE("hook"), slice_of(hook)},
                                     {SLICE("kind"), slice_of(kind)}};
    struct metric *errors =
        find(counts, METRIC_COUNTER, "nexus_lua_errors_total",
             "Those that raised an error, were ended, or said nothing; kind says why.", labels, 2);

    if (errors != NULL)
        metric_add(errors, 1);
}

void counts_run(struct counts *counts, const char *hook, uint64_t took_ns,
                const struct door_answer *answer)
{
    struct hook_counts *of = hook_of(counts, hook);

    if (of == NULL)
        return;
    metric_add(of->calls, 1);
    metric_observe(of->seconds, (double)took_ns / 1e9);
    if (answer == NULL)
        return;
    if (answer->outcome == DOOR_KILLED)
        metric_add(of->killed, 1);
    counts_error(counts, hook,
                 answer->outcome == DOOR_KILLED ? door_limit_name(answer->limit) : "error");
}
