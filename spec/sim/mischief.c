/* mischief.c -- see mischief.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mischief.h"

#include "audiences.h"
#include "core/throttle.h"

static uint32_t add_role(struct rules *rules, const char *name, const char *inherit)
{
    struct rules_error error;
    uint32_t role;

    CHECK(rules_add_role(rules, slice_of(name), slice_of(inherit), SLICE("here"), &role, &error) ==
          0);
    return role;
}

static void add_rule(struct rules *rules, uint32_t role, enum rule_effect effect, const char *uri,
                     const struct audience *filter)
{
    struct rules_error error;

    CHECK(rules_add(rules, role,
                    &(struct rule){.effect = effect,
                                   .actions = RULE_ALL_ACTIONS,
                                   .uri = slice_of(uri),
                                   .where = SLICE("here"),
                                   .trustlevel = -1,
                                   .filter = filter},
                    &error) == 0);
    audience_drop(filter);
}

struct rules *mischief_rules(struct choices *c)
{
    struct rules *rules = rules_new();
    uint32_t anonymous = add_role(rules, "anonymous", "");
    struct rules_error error;

    add_rule(rules, anonymous, RULE_ASK, "com.ask.**", NULL);
    add_rule(rules, anonymous, choose(c, 4) != 0 ? RULE_ALLOW : RULE_ASK, "com.free.**", NULL);
    add_rule(rules, anonymous, RULE_ALLOW, "com.free.b", audience_by_chance(c, NULL, NULL, NULL));
    add_rule(rules, anonymous, choose(c, 4) != 0 ? RULE_DENY : RULE_ALLOW, "com.no.**", NULL);
    if (choose(c, 4) != 0) {
        uint32_t staff = add_role(rules, "staff", "anonymous");

        add_rule(rules, staff, choose(c, 4) != 0 ? RULE_ALLOW : RULE_DENY, "com.mine.**", NULL);
        add_rule(rules, staff, RULE_ASK, "wamp.**", NULL);
    }
    CHECK(rules_freeze(rules, &error) == 0);
    return rules;
}

static void choose_limit(struct choices *c, struct limit_options *limit)
{
    static const char *const pers[] = {"session", "authid", "authrole", "ip", "realm", "team"};
    static const enum limit_over overs[] = {LIMIT_DENY, LIMIT_WAIT, LIMIT_WAIT, LIMIT_CLOSE};
    struct rules_error error;

    *limit = (struct limit_options){.action = (enum limit_action)choose(c, LIMIT_ACTION_COUNT),
                                    .role = choose(c, 3) == 0 ? "staff" : NULL,
                                    .per = pers[1 + choose(c, ARRAY_LEN(pers) - 1)]};
    if (limit->action == LIMIT_SESSION) {
        limit->max = 3 + choose(c, 4);
        limit->over = choose(c, 2) == 1 ? LIMIT_DENY : LIMIT_REPLACE_OLDEST;
    } else {
        limit->rate = (double)(1 + choose(c, 40)) / 4;
        limit->burst = choose(c, 20);
    }
    if (limit->action < LIMIT_JOIN) {
        limit->over = overs[choose(c, ARRAY_LEN(overs))];
        limit->uri = choose(c, 3) == 0 ? "com.ask.**" : NULL;
        if (choose(c, 3) == 0)
            limit->per = pers[0];
    }
    CHECK(limit_check(limit, &error) == 0);
}

void mischief_limits(struct choices *c, struct mischief *m, struct core_options *options)
{
    options->limits = m->limits;
    options->limit_count = choose(c, 3) == 0 ? choose(c, MISCHIEF_LIMITS + 1) : 0;
    for (size_t i = 0; i < options->limit_count; i++) {
        choose_limit(c, &m->limits[i]);
        m->has_waits |= m->limits[i].over == LIMIT_WAIT; /* what waits may do so after the limit */
    }
}

static uint64_t pick_session(struct choices *c, const struct numbers *sessions)
{
    return sessions->count == 0 || choose(c, 8) == 0
               ? 1 + choose(c, 100)
               : sessions->at[choose(c, 256) % sessions->count];
}

static struct slice pick_attributes(struct choices *c)
{
    static const char *const attributes[] = {"{}",
                                             "{\"team\":\"red\"}",
                                             "{\"team\":null}",
                                             "{\"team\":[\"red\",1],\"x_group\":\"g1\"}",
                                             "{\"x_list\":\"g1\",\"x_group\":[\"g0\"]}",
                                             "{\"authid\":\"other\"}",
                                             "{\"team\":\"blue\",\"level\":3}"};

    return slice_of(attributes[choose(c, ARRAY_LEN(attributes))]);
}

static void renew(struct choices *c, struct mischief *m, struct event *ev)
{
    core_defaults(&m->options);
    m->options.rules = mischief_rules(c);
    m->options.intercepts = choose(c, 3) == 0 ? choose(c, 16) : 0;
    m->options.asks_filter = choose(c, 2) == 1;
    mischief_limits(c, m, &m->options);
    m->renewal = (struct renewal){.options = &m->options, .rechecks = choose(c, 4) != 0};
    ev->type = EV_RULES;
    ev->renewal = &m->renewal;
}

static void forget(struct choices *c, struct mischief *m, struct event *ev)
{
    m->forget = (struct forget){.name = choose(c, 4) == 0 ? (struct slice){0} : SLICE("authid"),
                                .value = {.type = TOKEN_TEXT, .text = SLICE("joe")}};
    ev->type = EV_FORGET;
    ev->forget = &m->forget;
}

static void end(struct choices *c, const struct numbers *sessions, struct mischief *m,
                struct event *ev)
{
    m->ending = (struct ending){.session = pick_session(c, sessions),
                                .reason = "com.example.enough",
                                .words = choose(c, 2) == 1 ? "out" : NULL,
                                .is_abort = choose(c, 2) == 1};
    ev->type = EV_END;
    ev->ending = &m->ending;
}

void mischief_choose(struct choices *c, const struct numbers *sessions, struct mischief *m,
                     struct event *ev)
{
    switch (choose(c, 8)) {
    case 0:
    case 1:
        renew(c, m, ev);
        break;
    case 2:
        ev->type = EV_RECHECK;
        ev->session = choose(c, 2) == 1 ? 0 : pick_session(c, sessions);
        break;
    case 3:
        forget(c, m, ev);
        break;
    case 4:
        end(c, sessions, m, ev);
        break;
    default:
        m->change = (struct change){.session = pick_session(c, sessions),
                                    .codec = CODEC_JSON,
                                    .attributes = pick_attributes(c),
                                    .fault = &m->fault};
        ev->type = EV_SET;
        ev->change = &m->change;
        break;
    }
}
