/* budget.c -- how much of its budgets a run has used.
 *
 * The first look at the clock is at the first hook, so short runs never
 * pay for it. Time is measured by the wall and believed only when the CPU time
 * of the thread agrees: a busy machine kills nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/door_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define GRACE_NS          ((uint64_t)5000000) /* for <close> variables of a killed run */
#define NS_PER_MS         1000000.0
#define CPU_ASKED_AT(max) ((max) / 8) /* when the CPU clock is asked for the first time */

const char *door_limit_name(enum door_limit limit)
{
    static const char *const names[] = {
        [DOOR_NO_LIMIT] = "none",
        [DOOR_STRETCH] = "stretch",
        [DOOR_CPU] = "cpu",
        [DOOR_WALL] = "wall",
        [DOOR_INSTRUCTIONS] = "instructions",
        [DOOR_MEMORY] = "memory",
        [DOOR_CANCELED] = "canceled",
    };

    return names[limit];
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t budget_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* What of `elapsed` was CPU time; asked late, since it takes a system call. */
static uint64_t cpu_of(struct door_run *run, uint64_t elapsed, uint64_t max)
{
    uint64_t cpu;

    if (elapsed < CPU_ASKED_AT(max))
        return 0;
    cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (run->segment_cpu_at == 0) {
        /* Unknown is what it was until now; half of the limit is the most that is assumed. */
        uint64_t assumed = elapsed < max / 2 ? elapsed : max / 2;

        run->segment_cpu_at = assumed < cpu ? cpu - assumed : 1;
    }
    return elapsed < max ? 0 : cpu - run->segment_cpu_at;
}

/* What is left of `max` after `used`; much when there is no maximum. */
static uint64_t left_of(uint64_t max, uint64_t used)
{
    if (max == 0)
        return UINT64_MAX;
    return used >= max ? 0 : max - used;
}

/* One look at the clock for both, so that the first of two equal bounds is the one named. */
static enum door_limit cpu_limit(struct door_run *run, uint64_t elapsed)
{
    const struct door_budget *budget = &run->call.budget;
    uint64_t stretch = left_of(budget->stretch_ns, run->stretch_ns);
    uint64_t in_all = left_of(budget->cpu_ns, run->cpu_ns + run->stretch_ns);
    uint64_t used = cpu_of(run, elapsed, stretch < in_all ? stretch : in_all);

    if (used >= stretch)
        return DOOR_STRETCH;
    return used >= in_all ? DOOR_CPU : DOOR_NO_LIMIT;
}

enum door_limit budget_limit(struct door_run *run, uint64_t now)
{
    const struct door_budget *budget = &run->call.budget;
    uint64_t elapsed = now - run->segment_at;
    enum door_limit limit;

    if (run->is_out_of_memory)
        return DOOR_MEMORY;
    if (run->is_closing)
        return cpu_of(run, elapsed, GRACE_NS) >= GRACE_NS ? DOOR_STRETCH : DOOR_NO_LIMIT;
    if (budget->instructions != 0 && run->instructions >= budget->instructions)
        return DOOR_INSTRUCTIONS;
    limit = cpu_limit(run, elapsed);
    if (limit != DOOR_NO_LIMIT)
        return limit;
    if (budget->wall_ns != 0 && now - run->began_at >= budget->wall_ns)
        return DOOR_WALL;
    return DOOR_NO_LIMIT;
}

void budget_look(struct door_run *run, uint64_t now)
{
    if (run->began_at == 0)
        run->began_at = now;
    if (run->segment_at == 0)
        run->segment_at = now;
}

void budget_end(struct door_run *run, bool is_stretch_end)
{
    if (run->segment_at != 0)
        run->stretch_ns += budget_now() - run->segment_at;
    run->segment_at = run->segment_cpu_at = 0;
    if (is_stretch_end) {
        run->cpu_ns += run->stretch_ns;
        run->stretch_ns = 0;
    }
}

void budget_words(const struct door_run *run, enum door_limit limit, char *out, size_t len)
{
    const struct door_budget *budget = &run->call.budget;

    switch (limit) {
    case DOOR_STRETCH:
        snprintf(out, len,
                 run->call.no_wait == NULL
                     ? "%g ms without waiting; call nexus.breathe() in long loops"
                     : "%g ms of CPU where nothing can wait",
                 (double)budget->stretch_ns / NS_PER_MS);
        break;
    case DOOR_CPU:
        snprintf(out, len, "%g ms of CPU in all", (double)budget->cpu_ns / NS_PER_MS);
        break;
    case DOOR_WALL:
        snprintf(out, len, "not done after %g s", (double)budget->wall_ns / NS_PER_MS / 1000);
        break;
    case DOOR_INSTRUCTIONS:
        snprintf(out, len, "more than %" PRIu64 " instructions", budget->instructions);
        break;
    case DOOR_MEMORY:
        snprintf(out, len,
                 "not enough memory: it may grow by %zu KiB without waiting, to %zu KiB in all, "
                 "%zu KiB of them in one string or table",
                 (budget->growth != 0 ? budget->growth : run->vm->options.memory) / 1024,
                 run->vm->options.memory / 1024, run->vm->options.block_max / 1024);
        break;
    case DOOR_CANCELED:
    case DOOR_NO_LIMIT:
        snprintf(out, len, "canceled");
        break;
    }
}
