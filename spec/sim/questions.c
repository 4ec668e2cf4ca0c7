/* questions.c -- asks.h from seeds.
 *
 *   questions [--seed N] [--seeds N] [--steps N] [--record FILE]
 *
 * --record writes the choices of the last seed as an input of fuzz_asks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "asks.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static char where[64]; /* for the last words */

static void last_words(int signal)
{
    (void)signal;
    if (write(STDERR_FILENO, where, strlen(where)) < 0)
        _exit(EXIT_FAILURE);
}

static const char *argument(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static uint64_t number(int argc, char **argv, const char *name, const char *otherwise)
{
    return strtoull(argument(argc, argv, name, otherwise), NULL, 10);
}

static void run(uint64_t seed, uint64_t steps, const char *record, struct asks_totals *totals)
{
    struct rng rng;
    struct choices choices = {.rng = &rng};
    uint64_t state = seed;

    (void)snprintf(where, sizeof(where), "questions: broken with --seed %llu\n",
                   (unsigned long long)seed);
    rng_init(&rng, rng_fill_seeded, &state);
    if (record != NULL) {
        choices.record = fopen(record, "wb");
        CHECK(choices.record != NULL);
    }
    asks_run(&choices, steps, totals);
    if (choices.record != NULL)
        CHECK(fclose(choices.record) == 0);
}

int main(int argc, char **argv)
{
    uint64_t first = number(argc, argv, "--seed", "1"), seeds = number(argc, argv, "--seeds", "1");
    uint64_t steps = number(argc, argv, "--steps", "3000");
    const char *record = argument(argc, argv, "--record", NULL);
    struct asks_totals totals = {0};

    (void)signal(SIGABRT, last_words);
    for (uint64_t seed = first; seed < first + seeds; seed++)
        run(seed, steps, record, &totals);
    printf("%llu seeds: %llu joins, %llu questions, %llu answered, %llu taken back; "
           "%llu answers of callees, %llu rewritten, %llu events filtered, %llu retained; "
           "requests waited in %llu steps, %llu were held back; "
           "%llu revoked, %llu over a limit, %llu answers of use again\n",
           (unsigned long long)seeds, (unsigned long long)totals.joins,
           (unsigned long long)totals.questions, (unsigned long long)totals.answered,
           (unsigned long long)totals.taken_back, (unsigned long long)totals.reviewed,
           (unsigned long long)totals.rewritten, (unsigned long long)totals.filtered,
           (unsigned long long)totals.retained, (unsigned long long)totals.waited,
           (unsigned long long)totals.held, (unsigned long long)totals.revoked,
           (unsigned long long)totals.limited, (unsigned long long)totals.kept);
    return EXIT_SUCCESS;
}
