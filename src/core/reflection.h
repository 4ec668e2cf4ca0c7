/* reflection.h -- what procedures, topics and errors mean, as their authors say.
 *
 * A definition is a dict under a URI. The router reads of it nothing but its `kind`;
 * it lives as long as the realm.
 *
 * WAMP: "Procedure Reflection"; the layouts are ours.
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_REFLECTION_H
#define NEXUS_CORE_REFLECTION_H

#include "base/map.h"

struct core;

struct reflection {
    struct strmap by_uri; /* uri -> struct definition, owned */
    size_t len;           /* bytes of their URIs and schemas */
};

void reflection_init(struct core *core);
void reflection_fini(struct core *core);

#endif
