/* policy_load_test.c -- what is wrong with a policy is said with its line, all of it at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/policy.h"
#include "policy/policy_priv.h"
#include "unit.h"

#include <stdio.h>

static char said[4000];

static void say(void *ctx, const char *line)
{
    size_t at = strlen(said);

    (void)ctx;
    snprintf(said + at, sizeof(said) - at, "%s\n", line);
}

static struct policy *load(const char *text)
{
    said[0] = '\0';
    return policy_of_text("acme/policy.lua", slice_of(text), say, NULL);
}

static void expect_said(const char *text, const char *lines)
{
    struct policy *policy = load(text);

    EXPECT(policy == NULL);
    EXPECT_STR(said, lines);
    policy_free(policy);
}

static struct policy *expect_sound(const char *text)
{
    struct policy *policy = load(text);

    if (policy == NULL)
        UNIT_FAIL("not sound:\n%s", said);
    return policy;
}

#define HEAD                                    \
    "local nexus <const> = require \"nexus\"\n" \
    "local policy <const> = nexus.policy{ api = 1, attributes = { org = \"string\" } }\n"

TEST(an_unknown_key_is_an_error_with_a_suggestion)
{
    expect_said(HEAD "function policy.authorise(request) return true end\n"
                     "return policy\n",
                "acme/policy.lua:3: policy.authorise: no such key (did you mean \"authorize\"?)\n");
    expect_said(
        HEAD "policy.procedurs = {}\nreturn policy\n",
        "acme/policy.lua:3: policy.procedurs: no such key (did you mean \"procedures\"?)\n");
}

TEST(everything_is_said_at_once_in_the_order_of_lines)
{
    expect_said(HEAD "policy.admitt = 1\n"
                     "policy.roles.user = {\n"
                     "  { allow = \"cal\", uri = \"com.acme.**\" },\n"
                     "  { allow = \"call\", uri = \"com..acme\" },\n"
                     "  { allow = \"call\", uri = \"com.acme.x\", disclos = true },\n"
                     "}\n"
                     "policy.authenticate.ticket = 7\n"
                     "return policy\n",
                "acme/policy.lua:3: policy.admitt: no such key (did you mean \"admit\"?)\n"
                "acme/policy.lua:5: policy.roles.user[1].allow: \"cal\" is no action; there are "
                "call, register, publish, subscribe and *\n"
                "acme/policy.lua:6: policy.roles.user[2]: uri, at character 5: component 2 is "
                "empty; write * for any component\n"
                "acme/policy.lua:7: policy.roles.user[3].disclos: no such option (did you mean "
                "\"disclose\"?)\n"
                "acme/policy.lua:9: policy.authenticate.ticket: found 7; allowed: a function, or a "
                "table with verify\n");
}

TEST(what_does_not_run_is_an_error)
{
    expect_said("return {\n api = 1,\n", "acme/policy.lua:3: unexpected symbol near <eof>\n");
    expect_said("local x = 1\nreturn y\n",
                "acme/policy.lua:2: there is no global \"y\"; declare it with local\n");
    expect_said("return 5",
                "acme/policy.lua: the file returns 5; allowed: the table of a policy\n");
    expect_said("", "acme/policy.lua: the file returns nothing; allowed: the table of a policy\n");
    expect_said("local nexus = require 'nexus'\nnexus.sleep(1)\nreturn { api = 1 }",
                "acme/policy.lua:2: not while loading; use policy.on_load\n");
}

TEST(the_version_of_the_api_is_needed)
{
    expect_said("return {}", "acme/policy.lua: policy.api is missing; this router knows 1\n");
    expect_said("return {\n api = 2 }",
                "acme/policy.lua:2: policy.api: found 2; this router knows 1\n");
}

TEST(attributes_have_types)
{
    expect_said("return { api = 1, attributes = {\n org = \"text\",\n authid = \"string\" } }",
                "acme/policy.lua:2: policy.attributes.org: found \"text\"; allowed: \"string\", "
                "\"integer\", \"boolean\", \"list\"\n"
                "acme/policy.lua:3: policy.attributes.authid: every session has that of its own\n");
    expect_said(HEAD "policy.roles.user = {\n { allow = \"call\", uri = \"a.{session.ogr}\" } }\n"
                     "return policy",
                "acme/policy.lua:4: policy.roles.user[1].uri has {session.ogr}: no attribute "
                "\"ogr\" (did you mean \"org\"?)\n");
}

TEST(methods_are_of_a_kind)
{
    expect_said(
        HEAD "function policy.authenticate.magic(hello) end\n"
             "policy.authenticate.wampcra = { verify = function() end }\n"
             "policy.authenticate.own = { challenge = function() end }\n"
             "policy.authenticate[\"wamp-scram\"] = function() end\n"
             "policy.authmethods = { \"tiket\" }\n"
             "policy.authenticate.ticket = { verify = function() end, verfy = 1 }\n"
             "return policy",
        "acme/policy.lua:3: policy.authenticate.magic: the router cannot verify that "
        "method; allowed: { challenge = function, verify = function }\n"
        "acme/policy.lua:4: policy.authenticate.wampcra: found a table; allowed: a function "
        "that looks up, as the router verifies; of the known methods only ticket may have "
        "{ verify = }\n"
        "acme/policy.lua:5: policy.authenticate.own.verify is missing\n"
        "acme/policy.lua:6: policy.authenticate[\"wamp-scram\"]: its key is "
        "\"scram\", for both names that it has on the wire\n"
        "acme/policy.lua:7: policy.authmethods[1]: found \"tiket\"; there is no "
        "policy.authenticate for it (did you mean \"ticket\"?)\n"
        "acme/policy.lua:8: policy.authenticate.ticket.verfy: no such option (did you mean "
        "\"verify\"?)\n");
}

TEST(options_of_a_rule_are_those_of_its_messages)
{
    policy_free(
        expect_sound(HEAD "policy.roles.user = {\n"
                          "  { allow = \"publish\", uri = \"a.**\",\n"
                          "    options = { eligible_org = { \"acme\" }, exclude_me = false } },\n"
                          "  { allow = \"*\", uri = \"b\", options = { invoke = \"random\" } },\n"
                          "}\nreturn policy"));
    expect_said(
        HEAD "policy.roles.user = {\n"
             "  { allow = \"call publish\", uri = \"a\", options = { exclude_me = 1 } },\n"
             "  { allow = \"call\", uri = \"b\", options = { progress = true } },\n"
             "  { allow = \"call\", uri = \"c\", options = { timeout = print } },\n"
             "  { allow = \"call\", uri = \"d\", options = 7 },\n"
             "  { deny = \"call\", uri = \"e\", options = { timeout = 7 } },\n"
             "}\nreturn policy",
        "acme/policy.lua:4: policy.roles.user[1].options: PUBLISH.exclude_me: expected a boolean\n"
        "acme/policy.lua:5: policy.roles.user[2].options.progress: only a client can say that\n"
        "acme/policy.lua:6: policy.roles.user[3].options: options.timeout: function cannot be "
        "sent\n"
        "acme/policy.lua:7: policy.roles.user[4].options: found 7; allowed: a table of options\n"
        "acme/policy.lua:8: policy.roles.user[5]: deny rules carry nothing; disclose, trustlevel, "
        "timeout, filter and "
        "options are for allow\n");
}

TEST(a_rule_that_asks_needs_somebody_to_ask)
{
    expect_said(HEAD "policy.roles.user = { { ask = \"call\", uri = \"**\" } }\nreturn policy",
                "acme/policy.lua:3: policy.roles.user[1].ask: there is no policy.authorize to "
                "ask\n");
}

TEST(roles_inherit_from_roles)
{
    expect_said(HEAD "policy.roles.admin = { inherit = \"user\" }\nreturn policy",
                "acme/policy.lua:3: role \"admin\" inherits from \"user\", which is no role\n");
}

TEST(rules_know_their_lines)
{
    struct policy *policy =
        expect_sound(HEAD "policy.roles.a = { { allow = \"call\", uri = \"x.y\" } }\n"
                          "policy.roles.b = {\n  -- { deny = \"call\", uri = \"x.y\" }\n"
                          "  { deny = \"call\", uri = \"x.y\" },\n}\n"
                          "return policy");
    const struct rules *rules = policy_rules(policy);

    EXPECT_EQ(rules_count(rules), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct rule *rule = rules_at(rules, i);
        bool is_a = rule->effect == RULE_ALLOW;

        EXPECT(
            slice_eq(rule->where, is_a ? SLICE("acme/policy.lua:3") : SLICE("acme/policy.lua:6")));
    }
    EXPECT_EQ(strlen(policy_version(policy)), 64);
    policy_free(policy);
}

TEST(without_roles_everything_is_asked_or_denied)
{
    struct policy *policy =
        expect_sound("return { api = 1, authorize = function() return true end }");
    uint32_t role = rules_find_role(policy_rules(policy), SLICE("*"));
    struct rules_verdict verdict;
    struct rules_question question = {
        .role = role, .action = RULE_CALL, .match = MATCH_EXACT, .uri = SLICE("a.b")};

    EXPECT_EQ(rules_decide(policy_rules(policy), &question, &verdict), RULE_ASK);
    policy_free(policy);
    policy = expect_sound("return { api = 1 }");
    EXPECT_EQ(rules_decide(policy_rules(policy), &question, &verdict), RULE_DENY);
    policy_free(policy);
}

TEST(limits_say_what_is_wrong_with_them)
{
    expect_said(HEAD "policy.limits = {\n"
                     "  { action = \"publsh\", per = \"ip\", rate = 1 },\n"
                     "  { action = \"call\", per = \"ip\", rate = 0 },\n"
                     "  { action = \"call\", per = \"ip\", rat = 1 },\n"
                     "  { action = \"join\", per = \"ip\", rate = 1, over = \"wait\" },\n"
                     "  { per = \"ip\", rate = 1 }, 7,\n"
                     "  { action = \"session\", per = \"ip\", max = 0 },\n"
                     "}\n"
                     "return policy\n",
                "acme/policy.lua:3: policy.limits[1].action: found \"publsh\"; allowed: \"call\", "
                "\"register\", \"publish\", \"subscribe\", \"join\", \"session\"\n"
                "acme/policy.lua:3: policy.limits[2].rate: expected a number from 1e-06 to 1e+06 "
                "(a second), found 0\n"
                "acme/policy.lua:3: policy.limits[3].rat: no such option (did you mean \"rate\"?)\n"
                "acme/policy.lua:3: policy.limits[4].over: expected \"deny\" for action \"join\"\n"
                "acme/policy.lua:3: policy.limits[5].action is missing; allowed: \"call\", "
                "\"register\", \"publish\", \"subscribe\", \"join\", \"session\"\n"
                "acme/policy.lua:3: policy.limits[6]: found 7; allowed: a table\n"
                "acme/policy.lua:3: policy.limits[7].max: found 0; allowed: an integer from 1 to "
                "1000000000\n");
    expect_said(HEAD
                "policy.roles.user = {}\n"
                "policy.limits = { { action = \"call\", role = \"usr\", per = \"ip\", rate = 1 } "
                "}\n"
                "return policy\n",
                "acme/policy.lua:4: policy.limits[1].role: there is no role \"usr\"\n");
    expect_said(HEAD "policy.expose = 7\npolicy.filterable = { \"org\", true }\nreturn policy\n",
                "acme/policy.lua:3: policy.expose: found 7; allowed: \"*\", or a list of "
                "attributes\n"
                "acme/policy.lua:4: policy.filterable[2]: found true; allowed: the name of an "
                "attribute\n");
    policy_free(expect_sound(
        HEAD "policy.limits = { { action = \"call\", per = \"org\", rate = 0.5, burst = 3 } }\n"
             "policy.expose = \"*\"\nreturn policy\n"));
}

TEST(constructors_check_their_keys)
{
    expect_said("local nexus = require 'nexus'\nlocal x = nexus.deny{ eror = 'a.b' }\n",
                "acme/policy.lua:2: nexus.deny: eror: no such option (did you mean \"error\"?)\n");
    expect_said("local nexus = require 'nexus'\nlocal x = nexus.allow{ trustlevel = 'a' }\n",
                "acme/policy.lua:2: nexus.allow.trustlevel: found a string; allowed: an integer "
                "from 0 to 2147483648\n");
    expect_said("local nexus = require 'nexus'\nlocal x = nexus.deny{ error = 'a b' }\n",
                "acme/policy.lua:2: nexus.deny.error: found \"a b\"; allowed: a URI\n");
}

TEST(the_module_has_uris_and_values)
{
    struct policy *policy = expect_sound(
        "local nexus = require 'nexus'\n"
        "assert(nexus.uri.matches('com.acme.**', 'com.acme.x.y'))\n"
        "assert(not nexus.uri.matches('com.*.x', 'com.acme.y'))\n"
        "assert(nexus.uri.valid('com.acme') and not nexus.uri.valid('com acme'))\n"
        "assert(not nexus.uri.valid('com.Acme', 'strict'))\n"
        "assert(nexus.type(nexus.null) == 'null' and nexus.type(nexus.list()) == 'list')\n"
        "assert(nexus.now() > 1.6e9 and nexus.monotonic() > 0)\n"
        "assert(type(nexus.version) == 'string')\n"
        "return { api = 1 }");

    policy_free(policy);
}
