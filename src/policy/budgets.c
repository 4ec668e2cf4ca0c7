/* budgets.c -- what calls of a policy may take, unless it says less.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/policy_priv.h"

#define NS_PER_MS UINT64_C(1000000)
#define TURN      (2 * NS_PER_MS)

#define NAME_ROW(kind, name, stretch, cpu, wall)    [BUDGET_##kind] = #name,
#define DEFAULT_ROW(kind, name, stretch, cpu, wall) [BUDGET_##kind] = {stretch, cpu, wall},

const char *const budget_names[BUDGET_COUNT] = {POLICY_BUDGETS(NAME_ROW)};

static const struct policy_budgets defaults = {.of = {POLICY_BUDGETS(DEFAULT_ROW)},
                                               .growth = (uint64_t)POLICY_GROWTH_MIB << 20};

void budgets_fill(struct door_budget budgets[BUDGET_COUNT], const struct policy_budgets *configured)
{
    const struct policy_budgets *from = configured == NULL ? &defaults : configured;

    for (unsigned i = 0; i < BUDGET_COUNT; i++) {
        const struct policy_budget *budget = &from->of[i];

        budgets[i] = (struct door_budget){.stretch_ns = budget->stretch_ms * NS_PER_MS,
                                          .cpu_ns = budget->cpu_ms * NS_PER_MS,
                                          .wall_ns = budget->wall_ms * NS_PER_MS,
                                          .slice_ns = TURN,
                                          .growth = from->growth};
    }
}
