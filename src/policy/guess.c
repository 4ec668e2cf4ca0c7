/* guess.c -- see guess.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/guess.h"

#include <stdio.h>

#define MAX_WORD_LEN 40

struct guess guess_begin(struct slice word)
{
    return (struct guess){.word = word, .distance = word.len < 4 ? 1 : word.len < 8 ? 2 : 3};
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters are to be put in, taken out, exchanged or swapped with their neighbour. */
static unsigned distance(struct slice a, struct slice b)
{
    unsigned rows[3][MAX_WORD_LEN + 1];

    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool differs = a.data[i - 1] != b.data[j - 1];

            row[j] = least(above[j - 1] + differs, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void guess_offer(struct guess *guess, struct slice known)
{
    unsigned found;

    if (known.len > MAX_WORD_LEN || guess->word.len > MAX_WORD_LEN || known.len == 0)
        return;
    found = distance(guess->word, known);
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
