/* option_names.c -- rows by name, and the name that was meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/distance.h"
#include "daemon/options.h"

const struct config_option *option_find(const struct section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->options[i].name, name) == 0)
            return &section->options[i];
    }
    return NULL;
}

const struct config_option *option_guess(const struct section *section, const char *name)
{
    const struct config_option *best = NULL;
    size_t len = strlen(name), best_distance = len > 9 ? 3 : len > 4 ? 2 : 1;

    if (len >= MAX_DISTANCE_LEN || len < 2)
        return NULL;
    for (size_t i = 0; i < section->count; i++) {
        size_t distance =
            distance_between(slice_of(name), slice_of(section->options[i].name), true);
        if (distance <= best_distance) {
            best_distance = distance - (distance != 0);
            best = &section->options[i];
        }
    }
    return best;
}
