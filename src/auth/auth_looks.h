/* auth_looks.h -- what challenges of a realm look like, so that those of nobody look no different.
 *
 * A challenge shows how a record was made: which derivation, how long a salt, in wampcra also role
 * and provider. Records of one realm may differ in that (some made by an older tool, some for
 * administrators), so each way that was seen is kept, and a name that nobody has takes one of them:
 * always the same one, whoever else logs in meanwhile. Once every way was seen nothing changes any
 * more, and no way of looking says that somebody is there.
 *
 * Included by auth.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_AUTH_LOOKS_H
#define NEXUS_AUTH_LOOKS_H

#include "auth/auth_record.h"

#define MAX_LOOKS     8  /* of one kind of credential; the first ones stay */
#define MAX_LOOK_NAME 64 /* of a role or provider; records with longer ones teach nothing */

/* Hashed as it lies in memory, so what is not used is 0. */
struct auth_look {
    uint32_t credential; /* enum credential */
    uint32_t kind, iterations, memory, lanes;
    uint32_t keylen, salt_len; /* salt_len 0: unsalted; else in octets */
    char role[MAX_LOOK_NAME], provider[MAX_LOOK_NAME];
};

/* Zeroed: nothing was seen yet. */
struct auth_looks {
    struct auth_look list[3 * MAX_LOOKS];
    unsigned count;
};

struct auth_request;
struct auth_settings;

/* Notes how the record of somebody looks. */
void auth_looks_learn(struct auth_looks *looks, const struct auth_record *record);

/* Makes the settings those for a name that nobody has; they point into `looks` then. The work is the
 * same for every name. Without anything seen for the credential they stay as they are. */
void auth_looks_wear(const struct auth_looks *looks, enum credential credential,
                     const struct auth_request *request, struct auth_settings *settings);

#endif
