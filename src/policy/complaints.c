/* complaints.c -- see complaints.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/complaints.h"

#include "base/log.h"

#include <stdio.h>

#define SILENCE_MS 60000

static void on_timer(struct realm_timer *timer);

void complaints_init(struct complaints *complaints, struct realm *realm, struct rng *rng)
{
    *complaints = (struct complaints){.realm = realm, .rng = rng};
    complaints->timer.fire = on_timer;
}

void complaints_stop(struct complaints *complaints)
{
    realm_clear_timer(complaints->realm, &complaints->timer);
}

static void write_line(const struct complaints *complaints, const struct complaint_said *said,
                       const char *message, const char *trace)
{
    log_line(LOG_ERROR, "policy-failed", message, "realm", realm_name(complaints->realm), "hook",
             said->hook, "incident", said->incident, "version",
             *said->version == '\0' ? NULL : said->version, "trace",
             trace == NULL || *trace == '\0' ? NULL : trace, NULL);
}

/* "policy.lua:31: words (312 more in 60 s)" */
static void sum_up(const struct complaints *complaints, struct complaint_said *said)
{
    char words[sizeof(said->message) + 40];

    snprintf(words, sizeof(words), "%s (%u more in 60 s)", said->message, said->more);
    said->more = 0;
    write_line(complaints, said, words, NULL);
}

/* Sums of a minute that is over; the next time that there may be one. */
static void on_timer(struct realm_timer *timer)
{
    struct complaints *complaints = container_of(timer, struct complaints, timer);
    uint64_t now = realm_now(complaints->realm), next = NEVER;

    for (size_t i = 0; i < COMPLAINTS_KEPT; i++) {
        struct complaint_said *said = &complaints->of[i];

        if (said->more == 0)
            continue;
        if (now >= said->at + SILENCE_MS)
            sum_up(complaints, said);
        else if (said->at + SILENCE_MS < next)
            next = said->at + SILENCE_MS;
    }
    if (next != NEVER)
        realm_set_timer(complaints->realm, timer, next);
}

static bool is_cut_of(const char *cut, size_t len, const char *text)
{
    return strncmp(cut, text, len - 1) == 0;
}

/* The same words of another hook or version are something else: its line has the wrong names. */
static struct complaint_said *find(struct complaints *complaints, const char *version,
                                   const char *hook, const char *message)
{
    for (size_t i = 0; i < COMPLAINTS_KEPT; i++) {
        struct complaint_said *said = &complaints->of[i];

        if (*said->message != '\0' && is_cut_of(said->message, sizeof(said->message), message) &&
            is_cut_of(said->hook, sizeof(said->hook), hook) &&
            is_cut_of(said->version, sizeof(said->version), version == NULL ? "" : version))
            return said;
    }
    return NULL;
}

const char *complaints_say(struct complaints *complaints, const char *version, const char *hook,
                           const char *message, const char *trace)
{
    uint64_t now = realm_now(complaints->realm);
    struct complaint_said *said = find(complaints, version, hook, message);

    if (said != NULL && now < said->at + SILENCE_MS) {
        said->more++;
        if (!deadline_is_set(&complaints->timer.deadline))
            realm_set_timer(complaints->realm, &complaints->timer, said->at + SILENCE_MS);
        return said->incident;
    }
    if (said == NULL)
        said = &complaints->of[complaints->last++ % COMPLAINTS_KEPT];
    if (said->more != 0)
        sum_up(complaints, said); /* its place is needed */
    said->at = now;
    snprintf(said->message, sizeof(said->message), "%s", message);
    snprintf(said->version, sizeof(said->version), "%s", version == NULL ? "" : version);
    snprintf(said->hook, sizeof(said->hook), "%s", hook);
    snprintf(said->incident, sizeof(said->incident), "%08llx",
             (unsigned long long)(rng_u64(complaints->rng) & 0xffffffff));
    write_line(complaints, said, message, trace);
    return said->incident;
}
