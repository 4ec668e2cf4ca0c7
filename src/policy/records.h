/* records.h -- records of principals as policies give them, and what becomes of them.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_RECORDS_H
#define NEXUS_POLICY_RECORDS_H

#include "policy/policy_priv.h"

/* Reads a record (MessagePack) for a method (NULL: the policy verifies by itself). Its attributes must
 * be declared and of their types. Held once by the caller, or NULL with words for the log. */
struct auth_record *records_read(const struct policy *policy, const struct auth_method *method,
                                 struct slice dict, struct fault *fault);

/* What values of the attribute are ("a string"), when the token begins none of them; else NULL. */
const char *records_wanted(const struct attribute *attribute, const struct token *token);

/* Writes all declared attributes into a map that is open: those that the record does not give are
 * null, so that no HELLO can claim them. */
void records_encode_attributes(struct encoder *e, const struct policy *policy,
                               const struct auth_record *record, bool has_nulls);

#endif
