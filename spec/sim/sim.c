/* sim.c -- the simulation: many peers on a few realms, from a seed.
 *
 *   sim [--seed N] [--seeds N] [--steps N] [--peers N] [--realms N] [--record FILE]
 *
 * Runs the seeds from --seed on, each in a world of its own. The same seed leads
 * to the same steps; it is printed when a law is broken (world.h says which laws
 * there are). --record writes the choices of the run as an input of fuzz_core.
 *
 * SPDX-License-Identifier: MIT
 */
#include "talk.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct settings {
    uint64_t seed, seeds, steps, peers, realms;
    const char *record;
};

static char where[128]; /* the run has come to; for the last words */

static void note_where(uint64_t seed, uint64_t step)
{
    (void)snprintf(where, sizeof(where), "sim: broken with --seed %llu at step %llu\n",
                   (unsigned long long)seed, (unsigned long long)step);
}

static void last_words(int signal)
{
    (void)signal;
    if (write(STDERR_FILENO, where, strlen(where)) < 0)
        _exit(EXIT_FAILURE);
}

static NO_RETURN void usage(const char *words, const char *what)
{
    (void)fprintf(stderr,
                  "sim: %s: %s\n"
                  "usage: sim [--seed N] [--seeds N] [--steps N] [--peers N (1..256)] "
                  "[--realms N (1..%d)] [--record FILE]\n",
                  words, what, MAX_REALMS);
    exit(2);
}

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most)
        usage("not a number that is allowed", name);
    return value;
}

static void read_arguments(struct settings *settings, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];

        if (value == NULL)
            usage("an option without its value", name);
        if (strcmp(name, "--seed") == 0)
            settings->seed = number(name, value, 0, UINT64_MAX);
        else if (strcmp(name, "--seeds") == 0)
            settings->seeds = number(name, value, 1, UINT64_MAX);
        else if (strcmp(name, "--steps") == 0)
            settings->steps = number(name, value, 1, UINT64_MAX);
        else if (strcmp(name, "--peers") == 0)
            settings->peers = number(name, value, 1, 256);
        else if (strcmp(name, "--realms") == 0)
            settings->realms = number(name, value, 1, MAX_REALMS);
        else if (strcmp(name, "--record") == 0)
            settings->record = value;
        else
            usage("unknown option", name);
    }
}

/* What happened, so that a run that tests nothing is seen. */
struct totals {
    struct core_counters counters;
    uint64_t steps, tidings, answers;
};

static void add_totals(struct totals *totals, const struct world *world)
{
    totals->steps += world->steps;
    totals->tidings += world->tidings;
    totals->answers += world->answers;
    for (unsigned i = 0; i < world->realm_count; i++) {
        const struct core_counters *from = core_counters(world->realms[i].core);
        struct core_counters *to = &totals->counters;

        to->joins += from->joins;
        to->refusals += from->refusals;
        to->violations += from->violations;
        to->publications += from->publications;
        to->events += from->events;
        to->filtered += from->filtered;
        to->oversized += from->oversized;
        to->calls += from->calls;
        to->results += from->results;
        to->errors += from->errors;
    }
}

static void run(const struct settings *settings, uint64_t seed, struct totals *totals)
{
    struct rng rng;
    uint64_t state = seed;
    struct choices choices = {.rng = &rng};
    struct world world;

    rng_init(&rng, rng_fill_seeded, &state);
    if (settings->record != NULL) {
        choices.record = fopen(settings->record, "wb");
        if (choices.record == NULL)
            usage("cannot be written", settings->record);
    }
    note_where(seed, 0);
    world_init(&world, (unsigned)settings->realms, (unsigned)settings->peers, &choices);
    for (uint64_t step = 1; step <= settings->steps; step++) {
        note_where(seed, step);
        talk_step(&world, &choices);
    }
    add_totals(totals, &world);
    world_fini(&world);
    if (choices.record != NULL && fclose(choices.record) != 0)
        usage("cannot be written", settings->record);
}

static void print_totals(const struct settings *settings, const struct totals *totals)
{
    const struct core_counters *c = &totals->counters;

    printf("%llu seeds, %llu steps: %llu joins, %llu refusals, %llu violations, "
           "%llu publications, %llu events, %llu filtered, %llu too long, "
           "%llu calls, %llu results, %llu errors, %llu events and %llu results of the router\n",
           (unsigned long long)settings->seeds, (unsigned long long)totals->steps,
           (unsigned long long)c->joins, (unsigned long long)c->refusals,
           (unsigned long long)c->violations, (unsigned long long)c->publications,
           (unsigned long long)c->events, (unsigned long long)c->filtered,
           (unsigned long long)c->oversized, (unsigned long long)c->calls,
           (unsigned long long)c->results, (unsigned long long)c->errors,
           (unsigned long long)totals->tidings, (unsigned long long)totals->answers);
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = 1, .seeds = 1, .steps = 20000, .peers = 24, .realms = 2};
    struct totals totals = {.steps = 0};

    read_arguments(&settings, argc, argv);
    (void)signal(SIGABRT, last_words);
    for (uint64_t i = 0; i < settings.seeds; i++)
        run(&settings, settings.seed + i, &totals);
    print_totals(&settings, &totals);
    return EXIT_SUCCESS;
}
