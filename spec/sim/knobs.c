/* knobs.c -- see world_priv.h: realms of every kind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "world_priv.h"

static void choose_calls(struct core_options *options, struct choices *c)
{
    options->disclose_caller = (enum disclosure)choose(c, 3);
    options->disclose_publisher = (enum disclosure)choose(c, 3);
    options->progress_requires_cancel = choose(c, 2) == 1;
    options->allow_force_reregister = choose(c, 4) != 3;
    options->reinterrupt = choose(c, 2) == 1;
    options->invoke_unknown_fallback = choose(c, 2) == 1;
    options->cancel_default_mode = (enum cancel_mode)choose(c, CANCEL_COUNT);
    options->trustlevel = choose(c, 3);
    options->call_default_timeout_ms = choose(c, 2) * 700;
    options->call_max_timeout_ms = choose(c, 2) * 200;
    options->kill_grace_ms = choose(c, 2) * 500;
    options->callee_max_pending = choose_rarely(c, 4) ? 1 + choose(c, 3) : 0;
    options->call_queue_len = choose(c, 2) * 3;
    options->call_queue_timeout_ms = 900;
}

static void choose_roles(struct core_options *options, struct choices *c)
{
    static const char *const usual[] = {"wamp", "nexus", NULL};
    static const char *const more[] = {"wamp", "nexus", "org.x", NULL};

    options->roles = choose_rarely(c, 8) ? 1 + choose(c, 2) : ROUTER_BROKER | ROUTER_DEALER;
    options->role_check = choose(c, 4) == 3;
    options->reserved_prefixes = choose(c, 4) == 3 ? more : usual;
}

static void choose_meta(struct core_options *options, struct choices *c)
{
    options->anonymous_admin = choose(c, 4) != 3;
    options->meta_strict = choose(c, 2) == 1;
    options->meta_skips_causer = choose(c, 2) == 1;
    options->enable_modify_details = choose(c, 4) != 3;
    options->lookup_miss_is_zero = choose(c, 2) == 1;
    options->kill_reason_is_normal = choose(c, 2) == 1;
    options->kill_results = (enum kill_results)choose(c, 3);
}

/* The first so many of these: exact and with patterns, of everything, and of the router itself. */
static void choose_histories(struct core_options *options, struct choices *c)
{
    static const struct history_options histories[] = {
        {"com.a", MATCH_PREFIX, {.max_events = 5}},
        {"com.a.b", MATCH_EXACT, {.max_events = 3, .max_age_s = 4}},
        {"", MATCH_PREFIX, {.max_events = 50, .max_bytes = 2000}},
        {"wamp.session.", MATCH_PREFIX, {.max_events = 4}},
        {"com..", MATCH_WILDCARD, {.max_events = 1}},
    };

    options->histories = histories;
    options->history_count = choose(c, 2) * choose(c, ARRAY_LEN(histories) + 1);
    options->history_result_is_list = choose(c, 2) == 1;
    options->history_max_result = choose(c, 2) == 1 ? 2 : 1000;
    if (choose(c, 4) == 3)
        options->retained = (struct retained_limits){1 + choose(c, 4), 200 + choose(c, 256)};
}

static void choose_limits(struct core_options *options, struct choices *c)
{
    if (!choose_rarely(c, 4))
        return;
    options->max_sessions = 1 + choose(c, 8);
    options->max_subscriptions = options->max_registrations = 1 + choose(c, 4);
    options->max_pending_calls = 1 + choose(c, 4);
}

void knobs_choose(struct core_options *options, struct choices *c)
{
    core_defaults(options);
    options->agent = "world";
    options->strict_uris = choose(c, 2) == 1;
    options->ppt_compat = choose(c, 4) != 3;
    options->request_id_check = (enum request_id_check)choose(c, 3);
    options->empty_eligible_is_absent = choose(c, 2) == 1;
    choose_calls(options, c);
    choose_roles(options, c);
    choose_meta(options, c);
    choose_histories(options, c);
    choose_limits(options, c);
}
