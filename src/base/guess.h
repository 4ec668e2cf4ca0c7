/* guess.h -- "did you mean": the known word that is most like a wrong one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_GUESS_H
#define NEXUS_BASE_GUESS_H

#include "base/slice.h"

struct guess {
    struct slice word; /* the wrong one */
    struct slice best; /* data NULL: none is like it */
    unsigned distance;
};

/* Starts; offer the known words one by one. */
struct guess guess_begin(struct slice word);
void guess_offer(struct guess *guess, struct slice known);

/* Writes ` (did you mean "x"?)`, or nothing. */
const char *guess_words(const struct guess *guess, char out[128]);

#endif
