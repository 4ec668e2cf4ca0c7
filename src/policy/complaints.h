/* complaints.h -- what goes wrong in a policy: said once with all that is known, then summed up.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_COMPLAINTS_H
#define NEXUS_POLICY_COMPLAINTS_H

#include "router/router.h"

#define COMPLAINTS_KEPT 16 /* different ones, that were said lately */

struct complaint_said {
    char message[160]; /* its beginning; empty: free */
    char hook[80];
    char incident[9];
    char version[9]; /* the beginning of it, which tells it apart; empty: there is none */
    uint64_t at;     /* realm_now */
    unsigned more;
};

struct complaints {
    struct realm *realm;
    struct rng *rng;
    struct realm_timer timer; /* when sums are due */
    struct complaint_said of[COMPLAINTS_KEPT];
    unsigned last;
};

void complaints_init(struct complaints *complaints, struct realm *realm, struct rng *rng);

/* No sums any more: the loop will not run. */
void complaints_stop(struct complaints *complaints);

/* Logs it, unless that was done in the last minute; then it is counted. The incident is a number that
 * the log has next to the words; all who meet the same trouble within a minute get the same one.
 * version is that of the policy in which it went wrong; it and trace may be NULL. */
const char *complaints_say(struct complaints *complaints, const char *version, const char *hook,
                           const char *message, const char *trace);

#endif
