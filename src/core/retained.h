/* retained.h -- the latest event of a topic, for those who come late.
 *
 * WAMP: "Event Retention".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RETAINED_H
#define NEXUS_CORE_RETAINED_H

#include "core/publish.h"

/* A publication with the option `retain`: kept for its topic, or, without any payload, the end of
 * what was kept. One that is for nobody is not kept. */
void retained_keep(struct publication *pub);

/* Whether a late subscriber may have the event. */
enum retained_answer {
    RETAINED_NO,
    RETAINED_YES,
    RETAINED_ASK, /* nobody can tell yet */
};
enum retained_answer retained_judge(struct core *core, const struct member *member,
                                    const struct record *record);

/* Sends it. */
void retained_send(struct core *core, const struct member *member, const struct record *record);

#endif
