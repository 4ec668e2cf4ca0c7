/* questions.c -- asks.h from seeds.
 *
 *   questions [--seed N] [--seeds N] [--steps N]
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

static uint64_t number(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    uint64_t first = number(argc, argv, "--seed", 1), seeds = number(argc, argv, "--seeds", 1);
    uint64_t steps = number(argc, argv, "--steps", 3000);
    struct asks_totals totals = {0};

    (void)signal(SIGABRT, last_words);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        struct rng rng;
        struct choices choices = {.rng = &rng};
        uint64_t state = seed;

        (void)snprintf(where, sizeof(where), "questions: broken with --seed %llu\n",
                       (unsigned long long)seed);
        rng_init(&rng, rng_fill_seeded, &state);
        asks_run(&choices, steps, &totals);
    }
    printf("%llu seeds: %llu joins, %llu questions, %llu answered, %llu taken back; "
           "requests waited in %llu steps, %llu were held back\n",
           (unsigned long long)seeds, (unsigned long long)totals.joins,
           (unsigned long long)totals.questions, (unsigned long long)totals.answered,
           (unsigned long long)totals.taken_back, (unsigned long long)totals.waited,
           (unsigned long long)totals.held);
    return EXIT_SUCCESS;
}
