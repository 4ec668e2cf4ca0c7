/* pattern.h -- Lua's patterns, matched with a bound on the work.
 *
 * The language is that of Lua 5.4's string library. A matcher that backtracks can
 * take exponential time within one C function, where no hook sees it; so steps
 * are counted here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_PATTERN_H
#define NEXUS_SCRIPT_PATTERN_H

#include "base/slice.h"

#include <lua.h>

#define PATTERN_STEPS_MAX    2000000 /* and a few for each octet of the subject */
#define PATTERN_CAPTURES_MAX 32

struct pattern {
    lua_State *lua;
    const char *subject, *subject_end;
    const char *from, *end; /* the pattern, without its anchor */
    bool is_anchored;
    uint64_t steps, steps_max;
    unsigned depth;
    unsigned count; /* captures begun */
    struct {
        const char *at;
        ptrdiff_t len; /* or one of the two below */
    } captures[PATTERN_CAPTURES_MAX];
};

#define CAPTURE_OPEN     (-1)
#define CAPTURE_POSITION (-2)

/* Both are borrowed. */
void pattern_init(struct pattern *p, lua_State *lua, struct slice subject, struct slice pattern);

/* The end of a match that begins exactly at `at`, or NULL. Raises when the pattern is malformed,
 * or takes too many steps. */
const char *l_pattern_match(struct pattern *p, const char *at);

/* The first match at *at or later; *at gets where it begins. */
const char *l_pattern_search(struct pattern *p, const char **at);

/* Pushes all captures of a match, or the whole match when there are none and whole is not NULL.
 * Returns how many. */
int l_pattern_push(struct pattern *p, const char *whole, const char *end);

/* Pushes capture i (from 0); the whole match when there are none at all and i is 0. */
void l_pattern_push_one(struct pattern *p, unsigned i, const char *whole, const char *end);

#endif
