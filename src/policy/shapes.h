/* shapes.h -- what hooks are given and what they give back, as far as it has no functions.
 *
 * Tables as in module/module.h, that nothing is opened from: views have their fields in views.c, and
 * tables of policies are read in check_*.c. Classes with functions are where the functions are.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_SHAPES_H
#define NEXUS_POLICY_SHAPES_H

#include "module/module.h"

/* NULL at the end. */
const struct module_table *const *shapes_tables(void);

#endif
