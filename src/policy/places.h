/* places.h -- where in its files a policy says something.
 *
 * Tables of Lua do not know where they were written. So the files are cut into
 * words, and a rule is looked for by what stands in it. What was put together
 * by code is not found, and then only the file is known.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_PLACES_H
#define NEXUS_POLICY_PLACES_H

#include "script/source.h"

struct places;

struct place {
    const char *label; /* of the file; borrowed from the source */
    unsigned line;     /* 0: not known */
};

/* The source must live as long. */
struct places *places_new(const struct source *source);
void places_free(struct places *places);

/* Of one of its files alone. */
struct places *places_new_of(const struct source *source, const struct source_file *file);

/* The rule with `effect = "actions"` and `uri = "..."` in one table. Equal ones are given out in the
 * order of the files. */
struct place places_rule(struct places *places, struct slice effect, struct slice actions,
                         struct slice uri);

/* The first place where a key gets a value: `key = `, `["key"] = `, `function x.key(`. */
struct place places_key(const struct places *places, struct slice key);

#endif
