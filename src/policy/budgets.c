/* budgets.c -- what calls of a policy may take, unless it or the configuration says less.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/policy_priv.h"

#define MS     UINT64_C(1000000) /* nanoseconds */
#define S      (1000 * MS)
#define TURN   (2 * MS)
#define GROWTH ((size_t)16 * 1024 * 1024)

const char *const budget_names[BUDGET_COUNT] = {
    [BUDGET_AUTHENTICATE] = "authenticate",
    [BUDGET_ADMIT] = "admit",
    [BUDGET_AUTHORIZE] = "authorize",
    [BUDGET_INTERCEPT] = "intercept",
    [BUDGET_FILTER] = "filter",
    [BUDGET_PREDICATE] = "predicate",
    [BUDGET_PROCEDURE] = "procedure",
    [BUDGET_SUBSCRIPTION] = "subscription",
    [BUDGET_LIFE] = "lifecycle",
    [BUDGET_TASK] = "task",
};

/* A predicate is evaluated in one go, since those whom it judges may come and go meanwhile. */
const struct door_budget budget_defaults[BUDGET_COUNT] = {
    [BUDGET_AUTHENTICATE] = {20 * MS, 100 * MS, 10 * S, TURN, 0, GROWTH},
    [BUDGET_ADMIT] = {20 * MS, 100 * MS, 10 * S, TURN, 0, GROWTH},
    [BUDGET_AUTHORIZE] = {20 * MS, 20 * MS, 5 * S, TURN, 0, GROWTH},
    [BUDGET_INTERCEPT] = {20 * MS, 20 * MS, 5 * S, TURN, 0, GROWTH},
    [BUDGET_FILTER] = {20 * MS, 20 * MS, 5 * S, TURN, 0, GROWTH},
    [BUDGET_PREDICATE] = {20 * MS, 20 * MS, 5 * S, 0, 0, GROWTH},
    [BUDGET_PROCEDURE] = {50 * MS, 1 * S, 30 * S, TURN, 0, GROWTH},
    [BUDGET_SUBSCRIPTION] = {50 * MS, 200 * MS, 30 * S, TURN, 0, GROWTH},
    [BUDGET_LIFE] = {50 * MS, 200 * MS, 30 * S, TURN, 0, GROWTH},
    [BUDGET_TASK] = {50 * MS, 5 * S, 600 * S, TURN, 0, GROWTH},
};
