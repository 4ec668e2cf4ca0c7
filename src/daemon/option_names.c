/* option_names.c -- rows by name, and the name that was meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/options.h"

#include <ctype.h>

const struct config_option *option_find(const struct section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->options[i].name, name) == 0)
            return &section->options[i];
    }
    return NULL;
}

#define MAX_NAME_LEN 40

/* How many letters must be changed, added, left out or swapped. Both shorter than MAX_NAME_LEN. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[3][MAX_NAME_LEN + 1], a_len = strlen(a), b_len = strlen(b);
    size_t *last = row[0], *prev = row[1], *now = row[2];

    for (size_t j = 0; j <= b_len; j++)
        prev[j] = last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            bool is_same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = prev[j - 1] + (is_same ? 0U : 1U);
            if (prev[j] + 1 < best)
                best = prev[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                last[j - 2] + 1 < best)
                best = last[j - 2] + 1;
            now[j] = best;
        }
        size_t *oldest = last;
        last = prev;
        prev = now;
        now = oldest;
    }
    return prev[b_len];
}

const struct config_option *option_guess(const struct section *section, const char *name)
{
    const struct config_option *best = NULL;
    size_t len = strlen(name), best_distance = len > 9 ? 3 : len > 4 ? 2 : 1;

    if (len >= MAX_NAME_LEN || len < 2)
        return NULL;
    for (size_t i = 0; i < section->count; i++) {
        size_t distance = edit_distance(name, section->options[i].name);
        if (distance <= best_distance) {
            best_distance = distance - (distance != 0);
            best = &section->options[i];
        }
    }
    return best;
}
