/* check.h -- the table that a policy returns: what may be in it, and what it declares.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_CHECK_H
#define NEXUS_POLICY_CHECK_H

#include "base/guess.h"
#include "policy/policy_priv.h"

/* More than that is no policy. */
#define MAX_COMPLAINTS 100

struct complaint {
    const char *line; /* in the arena */
    unsigned at;      /* line number */
};

struct check {
    struct policy *policy;
    struct places *places;
    lua_State *lua;
    struct arena arena;
    struct complaint complaints[MAX_COMPLAINTS];
    size_t count;
};

/* A key of the policy table: how it is read, and what is said about it. */
struct check_key {
    const char *name;
    const char *type;  /* in the syntax of LuaLS */
    const char *words; /* a sentence or two */
    void (*read)(struct check *check, int index);
};

/* All of them; the last has no name. */
extern const struct check_key check_keys[];

/* The same for the policy of the router (router.lua). */
extern const struct check_key check_router_keys[];

/* Checks the value at the index, and fills in the policy. May raise. */
void check_table(struct check *check, int index);

/* policy.authenticate at the index, and then .authmethods, which fills in what is offered. */
void check_authenticate(struct check *check, int index);
void check_authmethods(struct check *check, int index);

/* The roles at the index; nil: there are none. */
void check_roles(struct check *check, int index);

/* policy.procedures, .subscriptions, .tasks at the index. */
void check_procedures(struct check *check, int index);
void check_subscriptions(struct check *check, int index);
void check_tasks(struct check *check, int index);

/* policy.limits, .expose, .filterable at the index. */
void check_limits(struct check *check, int index);
void check_expose(struct check *check, int index);
void check_filterable(struct check *check, int index);
/* policy.budgets, .cache_decisions at the index. */
void check_budgets(struct check *check, int index);
void check_cache_decisions(struct check *check, int index);

/* How many entries the table at the index has. */
size_t check_entries(lua_State *lua, int index);

/* True when there is a table at the index; nil is fine, and no table. */
bool check_is_table(struct check *check, int index, const char *key, const char *allowed);

/* How the key at the index is written behind what it is in: ".name", or "[7]". */
const char *check_key_words(struct check *check, int key);

/* Says of each key of the table at the index that it belongs into no list: it would be overlooked. */
void check_list(struct check *check, struct place at, int index, const char *key);

/* Adds a line about a place. */
PRINTF_LIKE(3, 4)
void check_complain(struct check *check, struct place at, const char *format, ...);

/* Where the value at the index is: that of a function is known, others are looked for by key. */
struct place check_place(struct check *check, int index, struct slice key);

/* The string at the index; borrowed from Lua. */
struct slice check_text(lua_State *lua, int index);

/* "string", "table of 3"... what is at the index, for complaints. */
const char *check_found(struct check *check, int index);

#endif
