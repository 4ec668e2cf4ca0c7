/* notes.h -- what happened in a realm, for the log and for the audit log.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_ROUTER_NOTES_H
#define NEXUS_ROUTER_NOTES_H

#include "core/action.h"

struct worker;
struct realm;
struct peer;

/* A session that is denied the same thing again and again is one line, and then one a minute. That
 * many such pairs of session and URI are told apart, for each worker; and fewer of one session, which
 * would hide what others do otherwise. */
#define MAX_DENIALS            4096
#define MAX_DENIALS_OF_SESSION 64
#define DENIAL_SUMMARY_MS      60000

void notes_init(struct worker *worker);

/* Says what is not said yet. The clocks of the worker must still be there. */
void notes_fini(struct worker *worker);

/* A realm at home here ends: says what is not said yet of it. */
void notes_forget(struct worker *worker, const struct realm *realm);

/* A note of a realm that is at home here. */
void notes_write(struct worker *worker, const struct realm *realm, const struct action *action);

/* A peer was turned down before it reached a realm, with that URI. */
void notes_refused(const struct peer *peer, struct slice realm, const char *reason);

#endif
