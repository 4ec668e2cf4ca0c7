/* policy.h -- policies in Lua: who may come in, and who may do what.
 *
 * A policy is read, run once and checked; what it declares (rules, methods,
 * attributes) is compiled. Each realm then has a mind of its own: a state of Lua
 * with the same code in it, which answers what the core asks (router.h).
 *
 * What goes wrong in a policy while it decides means no.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_POLICY_H
#define NEXUS_POLICY_POLICY_H

#include "module/host.h"
#include "router/router.h"

struct policy;
struct vm;

/* What a call may take, by what is called, in milliseconds: CPU between two waits, CPU in all, time
 * from its beginning on. The rows are kind, name, and the three as they are when nobody says more. */
#define POLICY_BUDGETS(row)                                                             \
    row(AUTHENTICATE, authenticate, 20, 100, 10000) row(ADMIT, admit, 20, 100, 10000)   \
        row(AUTHORIZE, authorize, 20, 20, 5000) row(INTERCEPT, intercept, 20, 20, 5000) \
            row(FILTER, filter, 20, 20, 5000) row(PREDICATE, predicate, 20, 20, 5000)   \
                row(PROCEDURE, procedure, 50, 1000, 30000)                              \
                    row(SUBSCRIPTION, subscription, 50, 200, 30000)                     \
                        row(LIFECYCLE, lifecycle, 50, 200, 30000)                       \
                            row(TASK, task, 50, 5000, 600000)

#define POLICY_GROWTH_MIB 16

#define BUDGET_ROW(kind, name, stretch, cpu, wall) BUDGET_##kind,
enum budget_kind { POLICY_BUDGETS(BUDGET_ROW) BUDGET_COUNT };
#undef BUDGET_ROW

/* The same as the configuration says it: a policy may lower it. */
struct policy_budget {
    uint32_t stretch_ms, cpu_ms, wall_ms;
};

struct policy_budgets {
    struct policy_budget of[BUDGET_COUNT];
    uint64_t growth; /* bytes that a state may grow by between two waits */
};

/* Is told what is wrong with a policy, a line at a time: "policy.lua:14: words". */
typedef void policy_say_fn(void *ctx, const char *line);

/* Reads and checks a file or a folder, for a realm that is configured so (NULL: nothing is; it must
 * outlive the policy); policy_of_text one text that is in no file. NULL when it is
 * not sound; everything that is wrong was said then, in the order of the lines. */
struct policy *policy_load(const char *path, const struct host_config *config, policy_say_fn *say,
                           void *ctx);
struct policy *policy_of_text(const char *label, struct slice text, policy_say_fn *say, void *ctx);

/* When no realm uses it any more. */
void policy_free(struct policy *policy);

/* Its rules; borrowed. */
const struct rules *policy_rules(const struct policy *policy);

/* Whether it lets clients in by that method, as policy.authenticate names it. */
bool policy_offers(const struct policy *policy, const char *method);

/* SHA-256 over its files, in hexadecimal digits. */
const char *policy_version(const struct policy *policy);

/* The same for a realm that is configured otherwise, without its policy.check. NULL when it is not
 * sound there. */
struct policy *policy_again(const struct policy *policy, const struct host_config *config,
                            policy_say_fn *say, void *ctx);

/* As policy_load was told. Borrowed. */
const struct host_config *policy_config(const struct policy *policy);

/* Who makes the `t` of policy.check: a router with the policy in it, that stands still. */
struct stage;
struct policy_tester {
    /* Makes one. NULL: it could not, and that was said. */
    struct stage *(*open)(const struct policy *policy, policy_say_fn *say, void *ctx);
    struct realm *(*realm)(const struct stage *stage);
    /* Makes ready a state of a policy. False: it has no memory for it. */
    bool (*prepare)(struct vm *vm);
    /* Pushes the router as an object that does not own it, or raises. */
    void (*l_push)(lua_State *lua, struct stage *stage);
    void (*close)(struct stage *stage);
};

/* From now on what is loaded has to pass its own policy.check; NULL: it need not. Not while anything
 * is being loaded. */
void policy_set_tester(const struct policy_tester *tester);

/* What the realms of a router share about logins: which failed, and which cookies stand for
 * somebody. Freed after router_free. */
struct shared_logins;
struct shared_logins *policy_share_logins(void);
void policy_unshare_logins(struct shared_logins *logins);

/* router_options.knows_cookie; ctx is a struct shared_logins. */
bool policy_knows_cookie(void *ctx, const char *cookie);

/* A realm that router.lua may open. */
struct policy_use;
struct policy_template {
    const char *name;
    const struct realm_options *options; /* but its name, decider and decider_ctx */
    const struct policy_use *use;        /* NULL: "open" */
};

/* How a realm uses a policy. All is borrowed from router_new on, as long as the router lives. */
struct policy_use {
    const struct policy *policy; /* several realms may share it */
    const char *path;            /* where it is read again from; NULL: nowhere */
    struct host_config config;
    bool is_watched;              /* it is read again when its files change */
    bool rechecks;                /* after that, what sessions hold is judged again */
    struct shared_logins *logins; /* NULL: the realm shares nothing */
    uint32_t probation_ms; /* a new version that fails where the old did not goes back; 0: never */
    bool is_dynamic;       /* made for one realm, and freed with its mind */
    const struct policy_template *templates; /* of the router's own policy */
    size_t template_count;
};

/* What outlives the states of Lua of a mind that policy_decider.open has made; borrowed. */
struct state;
const struct state *policy_state(const void *mind);

/* Decides for a realm; decider_ctx is its struct policy_use. */
extern const struct decider policy_decider;

/* Makes a realm use it: its decider, and what the policy says about options of the core. */
void policy_configure(const struct policy_use *use, struct realm_options *realm);

/* Realms that have their policy configured otherwise from the next reload on, even when its files are as
 * they were; one that refuses the policy goes on as before. What differs may be in `config`, `rechecks`
 * and `probation_ms`. */
struct policy_changes {
    const char *by; /* who wants it */
    size_t count;
    struct policy_change {
        const char *realm;
        const struct policy_use *use;
    } of[];
};

/* Every realm with a policy reads it again, soon, and has its change; what comes of it is logged. All is
 * borrowed as long as the router lives. From any thread. */
void policy_reload_all(struct router *router, const struct policy_changes *changes);

#endif
