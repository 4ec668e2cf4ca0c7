/* cron.h -- times as crontab has them: "0 6 * * 1-5".
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_CRON_H
#define NEXUS_POLICY_CRON_H

#include "base/slice.h"

/* Bit n of each: the number n is one of them. */
struct cron {
    uint64_t minutes, hours, days, months, weekdays;
    bool is_any_day, is_any_weekday; /* when neither, one of the two is enough */
};

/* Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); each "*"
 * or a list of numbers and ranges, with "/step". False: words say what is wrong. */
bool cron_parse(struct cron *cron, struct slice text, char words[160]);

/* The first minute after `wall` (ms since 1970) that matches, by the local time of the machine; 0:
 * there is none within five years. */
uint64_t cron_next(const struct cron *cron, uint64_t wall);

#endif
