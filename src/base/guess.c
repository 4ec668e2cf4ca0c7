/* guess.c -- see guess.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/guess.h"

#include "base/distance.h"

#include <stdio.h>

struct guess guess_begin(struct slice word)
{
    return (struct guess){.word = word, .distance = word.len < 4 ? 1 : word.len < 8 ? 2 : 3};
}

void guess_offer(struct guess *guess, struct slice known)
{
    unsigned found;

    if (known.len > MAX_DISTANCE_LEN || guess->word.len > MAX_DISTANCE_LEN || known.len == 0)
        return;
    found = distance_between(guess->word, known, false);
    if (found > guess->distance || (found == guess->distance && guess->best.data != NULL))
        return;
    guess->best = known;
    guess->distance = found;
}

const char *guess_words(const struct guess *guess, char out[128])
{
    out[0] = '\0';
    if (guess->best.data != NULL)
        snprintf(out, 128, " (did you mean \"%.*s\"?)", SLICE_ARG(guess->best));
    return out;
}
