/* rules_build_test.c -- writing rules: what they carry, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "rules_kit.h"

static struct kit_session nobody;

TEST(what_rules_carry)
{
    struct rules *rules = rules_new();
    struct rules_error error;
    struct rules_verdict verdict;
    struct rule extra = {.disclose = RULE_DISCLOSE_ALWAYS,
                         .trustlevel = 3,
                         .timeout_ms = 1500,
                         .options = SLICE("\x81\xa1x\x01")};
    struct rules_question question;
    uint32_t role = 0;

    EXPECT_EQ(kit_add(rules, "user", &role, 1, NULL, &error), 0);
    EXPECT_EQ(kit_add(rules, "allow call a.*", &role, 2, &extra, &error), 0);
    EXPECT_EQ(kit_add(rules, "allow publish a.*", &role, 3, NULL, &error), 0);
    EXPECT_EQ(rules_freeze(rules, &error), 0);
    EXPECT_EQ(rules_count(rules), 2);
    question = kit_question(rules, "user", &nobody, "call a.b");
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ALLOW);
    EXPECT(verdict.rule == rules_at(rules, 0));
    EXPECT_EQ(verdict.rule->disclose, RULE_DISCLOSE_ALWAYS);
    EXPECT_EQ(verdict.rule->trustlevel, 3);
    EXPECT_EQ(verdict.rule->timeout_ms, 1500);
    EXPECT_SLICE(verdict.rule->options, SLICE("\x81\xa1x\x01"));
    EXPECT_SLICE(rules_role_name(rules, verdict.rule->role), SLICE("user"));
    question = kit_question(rules, "user", &nobody, "publish a.b");
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ALLOW);
    EXPECT_EQ(verdict.rule->disclose, RULE_DISCLOSE_AS_ASKED);
    EXPECT_EQ(verdict.rule->trustlevel, -1);
    rules_free(rules);
}

TEST(which_of_two_counts)
{
    static const struct {
        const char *first, *second;
        bool is_clear;
    } rows[] = {
        {"allow call a.*", "allow call a.*", false},
        {"allow call a.*", "allow publish a.*", true},
        {"allow call a.*", "allow * a.{x}", false},
        {"allow call a.*", "allow call a.b", true},
        {"allow call a.**", "allow call a.*.**", true},
        {"allow call {session.a}", "allow call {session.b}", true},
    };
    struct rule extra = {.trustlevel = 5};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules *rules = rules_new();
        struct rules_error error = {.at = 0};
        uint32_t role = 0;

        EXPECT_EQ(kit_add(rules, "user", &role, 1, NULL, &error), 0);
        EXPECT_EQ(kit_add(rules, rows[i].first, &role, 2, NULL, &error), 0);
        EXPECT_EQ(kit_add(rules, rows[i].second, &role, 3, &extra, &error), 0);
        EXPECT_EQ(rules_freeze(rules, &error), rows[i].is_clear ? 0 : ERR_CONFIG);
        if (!rows[i].is_clear)
            EXPECT_STR(error.words,
                       "3: this rule and that of 2 are for the same URIs and actions, and differ "
                       "in their captures or in what they carry; which one counts?");
        rules_free(rules);
    }
}

TEST(wrong_rules)
{
    static const struct {
        const char *lines[4];
        const char *words;
    } rows[] = {
        {{"user", "user"}, "2: role \"user\" is there twice; the other is at 1"},
        {{"user < usr", "guest"}, "1: role \"user\" inherits from \"usr\", which is no role"},
        {{"a < a"}, "1: role \"a\" inherits from itself, by way of \"a\""},
        {{"a < b", "b < c", "c < b"}, "2: role \"b\" inherits from itself, by way of \"c\""},
        {{"user", "allow cal a.b"},
         "\"cal\" is no action; there are call, register, publish, subscribe and *"},
        {{"user", "allow call a..b"},
         "2: uri, at character 3: component 2 is empty; write * for any component"},
        {{"user", "allow call \xc3\xbc.\xc3\xbc.b*"},
         "2: uri, at character 6: \"b*\": '*' is no part of a component; *, ** and {name} are "
         "components of their own"},
        {{"user", "ask call a.{x}", "ask publish call a.{y}"},
         "3: this rule and that of 2 are for the same URIs and actions, and differ in their "
         "captures or in what they carry; which one counts?"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules_error error = {.at = 0};
        const char *lines[ARRAY_LEN(rows[i].lines) + 1] = {NULL};

        memcpy(lines, rows[i].lines, sizeof(rows[i].lines));
        EXPECT(kit_try(lines, &error) == NULL);
        EXPECT_STR(error.words, rows[i].words);
    }
}

TEST(only_allow_carries)
{
    static const struct {
        struct rule rule;
        const char *words;
    } rows[] = {
        {{.effect = RULE_DENY, .actions = 1, .trustlevel = 0},
         "p.lua:3: deny rules carry nothing; disclose, trustlevel, timeout, filter and options "
         "are for allow"},
        {{.effect = RULE_ASK, .actions = 1, .trustlevel = -1, .timeout_ms = 1},
         "p.lua:3: ask rules carry nothing; disclose, trustlevel, timeout, filter and options are "
         "for allow"},
        {{.effect = RULE_ALLOW, .trustlevel = -1},
         "p.lua:3: a rule names no action; there are call, register, publish, subscribe and *"},
        {{.effect = RULE_ALLOW, .actions = 1, .trustlevel = -2},
         "p.lua:3: trustlevel is -2; it is at least 0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules *rules = rules_new();
        struct rules_error error = {.at = 0};
        struct rule rule = rows[i].rule;
        uint32_t role = 0;

        rule.uri = SLICE("a");
        rule.where = SLICE("p.lua:3");
        EXPECT_EQ(rules_add_role(rules, SLICE("r"), SLICE(""), SLICE(""), &role, &error), 0);
        EXPECT_EQ(rules_add(rules, role, &rule, &error), ERR_CONFIG);
        EXPECT_STR(error.words, rows[i].words);
        rules_free(rules);
    }
}

TEST(actions)
{
    static const struct {
        const char *text;
        int err;
        unsigned actions;
    } rows[] = {
        {"call", 0, RULE_BIT(RULE_CALL)},
        {"call subscribe", 0, RULE_BIT(RULE_CALL) | RULE_BIT(RULE_SUBSCRIBE)},
        {"  register\tpublish ", 0, RULE_BIT(RULE_REGISTER) | RULE_BIT(RULE_PUBLISH)},
        {"*", 0, RULE_ALL_ACTIONS},
        {"call call", 0, RULE_BIT(RULE_CALL)},
        {"", ERR_CONFIG, 0},
        {"  ", ERR_CONFIG, 0},
        {"Call", ERR_CONFIG, 0},
        {"call,publish", ERR_CONFIG, 0},
        {"**", ERR_CONFIG, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules_error error;
        unsigned actions = 0;

        if (rules_parse_actions(slice_of(rows[i].text), &actions, &error) != rows[i].err ||
            actions != rows[i].actions)
            UNIT_FAIL("\"%s\": %#x", rows[i].text, actions);
    }
}

TEST(names)
{
    static const char *const lines[] = {"user", "allow call {session.org}.{session.team}",
                                        "allow call x.{session.org}", NULL};
    struct rules *rules = kit_rules(lines);

    EXPECT_SLICE(rules_attribute_name(rules, 0), SLICE("org"));
    EXPECT_SLICE(rules_attribute_name(rules, 1), SLICE("team"));
    EXPECT(rules_attribute_name(rules, 2).data == NULL);
    EXPECT_EQ(rules_find_role(rules, SLICE("user")), 0);
    EXPECT_EQ(rules_find_role(rules, SLICE("usr")), RULE_NO_ROLE);
    EXPECT_EQ(rules_find_role(rules, SLICE("")), RULE_NO_ROLE);
    rules_free(rules);
}
