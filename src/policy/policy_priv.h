/* policy_priv.h -- what a policy is when it has been read and checked.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_POLICY_PRIV_H
#define NEXUS_POLICY_POLICY_PRIV_H

#include "auth/auth.h"
#include "base/arena.h"
#include "base/guess.h"
#include "core/rules_pattern.h"
#include "module/host.h"
#include "policy/cron.h"
#include "policy/places.h"
#include "policy/policy.h"
#include "script/door.h"
#include "state/state.h"

enum attribute_type {
    ATTRIBUTE_STRING,
    ATTRIBUTE_INTEGER,
    ATTRIBUTE_BOOLEAN,
    ATTRIBUTE_LIST,
    ATTRIBUTE_TYPE_COUNT
};

/* What the policy may say of a session. */
struct attribute {
    struct slice name;
    enum attribute_type type;
};

/* An entry of policy.authenticate. */
struct method {
    struct slice key;
    bool is_own; /* the policy verifies; else it looks up, and the router does */
    bool has_challenge;
    bool is_remembered; /* cookie = true: what was proved holds on */
};

/* The names in policy.budgets. */
extern const char *const budget_names[BUDGET_COUNT];

/* What calls may take that the policy does not lower; configured NULL: the defaults. */
void budgets_fill(struct door_budget budgets[BUDGET_COUNT],
                  const struct policy_budgets *configured);

struct version;

/* Functions of a policy that the router calls; those of methods follow, two each: what looks up or
 * verifies, and what makes a challenge; then those of handlers. */
enum hook {
    HOOK_AUTHORIZE = 1,
    HOOK_ADMIT,
    HOOK_FILTER,
    HOOK_INTERCEPT_PUBLISH,
    HOOK_INTERCEPT_CALL,
    HOOK_INTERCEPT_RESULT,
    HOOK_INTERCEPT_ERROR,
    HOOK_ON_JOIN,
    HOOK_ON_LEAVE,
    HOOK_ON_LOAD,
    HOOK_ON_UNLOAD,
    HOOK_CHECK,
    HOOK_REALM_REQUESTED,
    HOOK_REALM_OPENED,
    HOOK_REALM_CLOSED,
    HOOK_METHODS
};

/* An entry of policy.procedures or policy.subscriptions. */
struct handler {
    struct rules_pattern pattern; /* as written, with the names of captures */
    struct slice uri;             /* as it is registered */
    enum match match;
    size_t hook; /* its function */
    int ref;     /* instead of that: a reference, of those made at run time */
    unsigned concurrency;
    unsigned queue; /* events that may wait */
    bool is_ordered, drops_newest;
    bool is_forced;        /* takes the place of what a client has registered */
    uint32_t timeout_ms;   /* 0: what the budget says */
    struct slice options;  /* MessagePack dict: for REGISTER or SUBSCRIBE; len 0: none */
    struct slice describe; /* len 0: nothing */
};

/* An entry of policy.tasks. */
struct task_spec {
    struct slice name;
    size_t hook;
    uint64_t every_ms, jitter_ms; /* every_ms 0: by cron */
    struct cron cron;
};

struct policy {
    struct source *source; /* held */
    struct vm *vm;
    struct host host;        /* of the state */
    const char *realm;       /* whose mind it is; NULL: nobody's */
    struct version *version; /* NULL: it runs for nobody (yet) */
    struct door_budget budgets[BUDGET_COUNT];
    struct arena arena;
    struct attribute *attributes; /* in the arena, as all arrays here */
    size_t attribute_count;
    struct method *methods;
    size_t method_count;
    struct auth_offer *offers;
    size_t *offer_methods; /* by offer: index of the method */
    size_t offer_count;
    size_t preferred; /* the first so many offers are in the order of policy.authmethods */
    bool has_cookie;
    bool is_loaded; /* it was run and checked */
    bool is_loose;  /* nobody says whether it is a realm's or the router's: its keys do */
    bool is_router;
    bool has_requested, has_opened, has_closed; /* of the router's */
    bool has_authorize, has_admit, has_filter, has_on_join, has_on_leave, has_on_load;
    bool has_on_unload, has_check;
    uint32_t keep_ms;         /* of answers of authorize that do not say themselves */
    const char *authorize_at; /* "policy.lua:20"; NULL without it */
    bool intercepts[4];       /* publish, call, result, error */
    size_t last_hook;
    struct handler *procedures, *subscriptions;
    size_t procedure_count, subscription_count;
    struct limit_options *limits; /* their strings are in the arena as well */
    size_t limit_count;
    const char *const *expose, *const *filterable; /* NULL: all */
    struct task_spec *tasks;
    size_t task_count;
    struct rules *rules; /* owned; NULL until it is checked */
};

/* Runs and checks a source, which is held by the policy then. NULL when it is not sound. `state`: of the
 * realm, NULL when it runs for nobody. */
struct policy *policy_instance(struct source *source, const struct host_config *config,
                               const struct state *state, const char *realm, policy_say_fn *say,
                               void *ctx);

/* The same for nobody, after all its files were compiled: what is left is its declarations. */
struct policy *policy_of_source(struct source *source, const struct host_config *config,
                                policy_say_fn *say, void *ctx);

/* Who makes the `t` of policy.check; NULL: nobody. */
const struct policy_tester *gate_tester(void);

/* Runs its policy.check, if it has one; says what is wrong. */
bool gate_passes(const struct policy *policy, policy_say_fn *say, void *ctx) MUST_CHECK;

/* Ends its state of Lua, while the loop still turns: what that had open is closed on other threads. */
void policy_stop(struct policy *policy);

/* Pushes the function of a hook. */
void l_policy_push_hook(lua_State *lua, size_t hook);

/* Stores the function at the top of the stack and pops it. */
void l_policy_set_hook(lua_State *lua, size_t hook);

/* Text in an arena. */
PRINTF_LIKE(2, 3) const char *policy_format(struct arena *arena, const char *format, ...);

/* Everything that l_ functions of the module nexus need. */
struct policy *policy_of(lua_State *lua);

/* Whether sessions have that attribute: those that they always have, and what was declared. */
bool policy_has_attribute(const struct policy *policy, struct slice name);

/* The same, and the guess says what may have been meant. */
bool policy_knows_attribute(const struct policy *policy, struct slice name, struct guess *guess);

static inline const struct attribute *policy_attribute(const struct policy *policy,
                                                       struct slice name)
{
    for (size_t i = 0; i < policy->attribute_count; i++) {
        if (slice_eq(policy->attributes[i].name, name))
            return &policy->attributes[i];
    }
    return NULL;
}

#endif
