/* compat.c -- one table for each preset. config/moving.md says the same to people.
 *
 * A preset names a habit also where our default is the same today. What no option
 * can change is listed in config/moving.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/compat.h"

#include "base/check.h"
#include "daemon/options.h"

struct habit {
    const char *option;
    const char *value; /* as people would write it */
};

struct preset {
    const struct habit *habits;
    size_t count;
};

/* The Go router. Its realms do not disclose anybody unless told to, it takes REGISTER's options as
 * they come, and its meta procedures are for everybody whom no authorizer stops. */
static const struct habit nexus_habits[] = {
    {"anonymous_admin", "true"},
    {"request_id_check", "lenient"},
    {"empty_eligible_is_absent", "true"},
    {"disclose_caller", "never"},
    {"disclose_publisher", "never"},
    {"cancel_default_mode", "killnowait"},
    {"reinterrupt", "true"},
    {"invoke_unknown", "fallback"},
    {"meta_skips_causer", "true"},
    {"lookup_miss", "zero"},
    {"kill_reason", "normal"},
    {"kill_results", "count"},
};

static const struct habit crossbar_habits[] = {
    {"reserved_prefixes", "wamp,nexus,crossbar"},
    {"request_id_check", "lenient"},
    {"empty_eligible_is_absent", "true"},
    {"cancel_default_mode", "killnowait"},
    {"progress_requires_cancel", "false"},
    {"kill_reason", "normal"},
    {"kill_results", "list"},
    {"history_result", "list"},
};

static const struct preset presets[] = {
    [COMPAT_NONE] = {NULL, 0},
    [COMPAT_NEXUS] = {nexus_habits, ARRAY_LEN(nexus_habits)},
    [COMPAT_CROSSBAR] = {crossbar_habits, ARRAY_LEN(crossbar_habits)},
};

const char *const compat_names[] = {
    [COMPAT_NONE] = "none", [COMPAT_NEXUS] = "nexus", [COMPAT_CROSSBAR] = "crossbar", NULL};

void compat_apply(struct realm_config *realm, struct arena *arena)
{
    const struct preset *preset;

    CHECK(realm->compat < ARRAY_LEN(presets));
    preset = &presets[realm->compat];
    for (size_t i = 0; i < preset->count; i++) {
        const struct config_option *option = option_find(&realm_section, preset->habits[i].option);
        CHECK(option != NULL);
        option_set(option, preset->habits[i].value, realm, arena);
    }
}
