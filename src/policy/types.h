/* types.h -- what policies may be made of, written down: for editors, and for people.
 *
 * Both texts come from the tables that the module is opened from (module/module.h), that the policy
 * table is checked by (check.h), and from the shapes of what hooks are given and give back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_TYPES_H
#define NEXUS_POLICY_TYPES_H

#include "base/writer.h"

/* A file of annotations ("---@meta nexus") for the language server of Lua. */
void types_write(struct writer *out);

/* The reference, in Markdown. */
void types_write_reference(struct writer *out);

#endif
