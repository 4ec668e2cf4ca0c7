/* rules_test.c -- each sentence about rules as a table of questions and who decides them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rules_kit.h"

/* A question of the role "user", and what comes of it. */
struct row {
    const char *question;
    const char *expected;
};

static void expect_rows(const char *const *lines, const char *role, struct kit_session *session,
                        const struct row *rows, size_t count)
{
    struct rules *rules = kit_rules(lines);

    for (size_t i = 0; i < count; i++)
        kit_expect(rules, role, session, rows[i].question, rows[i].expected);
    rules_free(rules);
}

#define EXPECT_ROWS(lines, role, session, rows) \
    expect_rows(lines, role, session, rows, ARRAY_LEN(rows))

static struct kit_session nobody;

TEST(what_no_rule_matches_is_denied)
{
    static const char *const lines[] = {"user", "allow call a.b", NULL};
    static const struct row rows[] = {
        {"call a.b", "allow 2"}, {"call a", "deny"},        {"call a.b.c", "deny"},
        {"call a.c", "deny"},    {"register a.b", "deny"},  {"publish a.b", "deny"},
        {"call b", "deny"},      {"subscribe a.b", "deny"}, {"call A.b", "deny"},
        {"call a.bb", "deny"},
    };

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(a_role_without_rules_may_nothing)
{
    static const char *const lines[] = {"user", "other", "allow * **", NULL};
    static const struct row rows[] = {
        {"call a", "deny"}, {"subscribe prefix ", "deny"}, {"subscribe wildcard ", "deny"}};

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(notation)
{
    static const char *const lines[] = {"user",
                                        "allow call lit.one",
                                        "allow call any.*",
                                        "allow call name.{x}",
                                        "allow call rest.**",
                                        "allow call mid.*.end",
                                        "allow call any.*.deep.**",
                                        NULL};
    static const struct row rows[] = {
        {"call lit.one", "allow 2"},
        {"call lit.two", "deny"},
        {"call any.x", "allow 3"},
        {"call any", "deny"},
        {"call any.x.y", "deny"},
        {"call name.x", "allow 4"},
        {"call name", "deny"},
        {"call rest", "allow 5"},
        {"call rest.a", "allow 5"},
        {"call rest.a.b.c.d", "allow 5"},
        {"call restful", "deny"},
        {"call restful.a", "deny"},
        {"call mid.x.end", "allow 6"},
        {"call mid.x.y.end", "deny"},
        {"call mid.end", "deny"},
        {"call any.q.deep", "allow 7"},
        {"call any.q.deep.x", "allow 7"},
        {"call any.q.dee", "deny"},
    };

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(the_rest_of_all_is_all)
{
    static const char *const lines[] = {"user", "ask * **", NULL};
    static const struct row rows[] = {{"call a", "ask 2"},
                                      {"publish a.b.c", "ask 2"},
                                      {"subscribe prefix ", "ask 2"},
                                      {"subscribe prefix x.y", "ask 2"},
                                      {"register wildcard .", "ask 2"}};

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(no_uri_no_match)
{
    static const char *const lines[] = {"user", "allow * **", "allow * *.*", NULL};
    static const struct row rows[] = {
        {"call a..b", "deny"},
        {"call .a", "deny"},
        {"call a.", "deny"},
        {"call ", "deny"},
        {"subscribe prefix .a", "deny"},
        {"subscribe prefix a..b", "deny"},
        {"subscribe prefix a..", "deny"},
        {"subscribe prefix a.", "allow 2"},
        {"subscribe wildcard .a", "allow 3"},
        {"subscribe wildcard ..", "allow 2"},
    };

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(most_specific_wins)
{
    static struct kit_session session = {{"org", "team"}, {"acme", "acme"}};
    static const char *const lines[] = {
        "user",                           /* from the left: */
        "ask call **",                    /* 2 */
        "allow call a.**",                /* 3 */
        "deny call a.*.**",               /* 4 */
        "ask call a.*.c",                 /* 5: '*', then a literal */
        "allow call a.b.**",              /* 6: a literal goes before 5 */
        "deny call a.{session.org}.**",   /* 7 */
        "allow call a.{session.org}.c",   /* 8 */
        "ask call *.x",                   /* 9 */
        "allow call z",                   /* 10 */
        "deny call z.**",                 /* 11: less specific than 10 for "z" itself */
        "deny call *",                    /* 12 */
        "ask call m.{session.team}.acme", /* 13 */
        "deny call m.{session.org}.**",   /* 14: equal until then; '**' is last */
        "allow call n.{session.org}.*",   /* 15 */
        "deny call n.{session.team}.*",   /* 16: equal, and denies */
        NULL};
    static const struct row rows[] = {
        {"call q.r", "ask 2"},          {"call a", "allow 3"},        {"call a.q", "deny 4"},
        {"call a.q.c", "ask 5"},        {"call a.q.c.d", "deny 4"},   {"call a.b.c", "allow 6"},
        {"call a.b", "allow 6"},        {"call a.acme.c", "allow 8"}, {"call a.acme.d", "deny 7"},
        {"call a.acme", "deny 7"},      {"call a.x", "deny 4"},       {"call q.x", "ask 9"},
        {"call z", "allow 10"},         {"call z.y", "deny 11"},      {"call q", "deny 12"},
        {"call m.acme.acme", "ask 13"}, {"call m.acme.b", "deny 14"}, {"call n.acme.b", "deny 16"},
    };

    EXPECT_ROWS(lines, "user", &session, rows);
}

TEST(deny_beats_ask_beats_allow)
{
    static const char *const lines[] = {"user",
                                        "allow call a.*",
                                        "ask call a.{x}",
                                        "deny call a.{y}",
                                        "allow call b.**",
                                        "ask call b.**",
                                        "allow call c",
                                        "deny call c",
                                        "ask call d",
                                        "deny call d",
                                        "allow publish a.*",
                                        NULL};
    static const struct row rows[] = {{"call a.b", "deny 4"},
                                      {"call b.c", "ask 6"},
                                      {"call c", "deny 8"},
                                      {"call d", "deny 10"},
                                      {"publish a.b", "allow 11"}};

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(order_does_not_matter)
{
    static const char *const one[] = {"user", "allow call a.**", "deny call a.b.**", "ask call *.b",
                                      NULL};
    static const char *const other[] = {"user", "ask call *.b", "deny call a.b.**",
                                        "allow call a.**", NULL};
    static const struct row in_one[] = {
        {"call a.c", "allow 2"}, {"call a.b", "deny 3"}, {"call c.b", "ask 4"}};
    static const struct row in_other[] = {
        {"call a.c", "allow 4"}, {"call a.b", "deny 3"}, {"call c.b", "ask 2"}};

    EXPECT_ROWS(one, "user", &nobody, in_one);
    EXPECT_ROWS(other, "user", &nobody, in_other);
}

TEST(roles_are_shared)
{
    static const char *const lines[] = {"admin < user", /* 1: inherits what is further down */
                                        "allow * com.acme.admin.**", /* 2 */
                                        "user < guest",              /* 3 */
                                        "deny * com.acme.admin.**",  /* 4 */
                                        "allow call com.acme.**",    /* 5 */
                                        "ask call com.acme.x",       /* 6 */
                                        "guest",                     /* 7 */
                                        "deny call com.acme.x",      /* 8: lifted by 6 */
                                        "deny call com.acme.y",      /* 9: more specific than 5 */
                                        "allow subscribe news.**",   /* 10 */
                                        NULL};
    static const struct row as_admin[] = {{"call com.acme.admin.x", "allow 2"},
                                          {"call com.acme.x", "ask 6"},
                                          {"call com.acme.y", "deny 9"},
                                          {"subscribe news.x", "allow 10"},
                                          {"call com.acme.z", "allow 5"}};
    static const struct row as_user[] = {{"call com.acme.admin.x", "deny 4"},
                                         {"call com.acme.x", "ask 6"},
                                         {"subscribe prefix news.", "allow 10"}};
    static const struct row as_guest[] = {{"call com.acme.x", "deny 8"},
                                          {"call com.acme.z", "deny"},
                                          {"subscribe news.a", "allow 10"}};

    EXPECT_ROWS(lines, "admin", &nobody, as_admin);
    EXPECT_ROWS(lines, "user", &nobody, as_user);
    EXPECT_ROWS(lines, "guest", &nobody, as_guest);
}

TEST(attributes)
{
    static struct kit_session session = {{"org", "none", "empty", "dots", "space"},
                                         {"acme", NULL, "", "a.b", "a b"}};
    static const char *const lines[] = {"user",
                                        "allow * org.{session.org}.**",   /* 2 */
                                        "allow * none.{session.none}",    /* 3 */
                                        "allow * empty.{session.empty}",  /* 4 */
                                        "allow * dots.{session.dots}.**", /* 5 */
                                        "allow * un.{session.unknown}",   /* 6 */
                                        "allow * space.**",               /* 7 */
                                        "deny * space.{session.space}",   /* 8: can never match */
                                        "allow * cut.**",                 /* 9 */
                                        "deny * cut.{session.org}.x",     /* 10 */
                                        NULL};
    static const struct row rows[] = {
        {"publish org.acme.x", "allow 2"},
        {"publish org.acme", "allow 2"},
        {"publish org.acm", "deny"},
        {"publish org.acmes", "deny"},
        {"publish org.other.x", "deny"},
        {"publish none.", "deny"},
        {"publish none.nil", "deny"},
        {"publish empty.", "deny"},
        {"publish empty", "deny"},
        {"publish dots.a.b", "deny"},
        {"publish dots.a", "deny"},
        {"publish un.x", "deny"},
        {"publish un.unknown", "deny"},
        {"subscribe prefix org.acme.", "allow 2"},
        {"subscribe prefix org.acme", "deny"},
        {"subscribe prefix org.", "deny"},
        {"subscribe wildcard org.acme.", "allow 2"},
        {"subscribe wildcard org..x", "deny"},
        {"subscribe prefix dots.a.b.", "deny"},
        {"subscribe prefix space.", "allow 7"},
        {"subscribe wildcard empty.", "deny"},
        {"subscribe prefix cut.", "deny 10"},
        {"subscribe prefix cut.ac", "deny 10"},
        {"subscribe prefix cut.acme.y", "allow 9"},
        {"subscribe prefix cut.b", "allow 9"},
        {"subscribe wildcard cut..x", "deny 10"},
        {"subscribe wildcard cut..y", "allow 9"},
    };

    EXPECT_ROWS(lines, "user", &session, rows);
}

TEST(patterns_are_contained)
{
    static const char *const lines[] = {"user",
                                        "allow subscribe com.acme.public.**", /* 2 */
                                        "allow subscribe many.**",            /* 3 */
                                        "deny subscribe many.secret.**",      /* 4 */
                                        "ask subscribe many.orders.**",       /* 5 */
                                        "allow subscribe *.two",              /* 6 */
                                        "allow subscribe one.*",              /* 7 */
                                        "deny subscribe one.*.*",             /* 8 */
                                        "allow subscribe any.**",             /* 9 */
                                        "deny subscribe any.*.x",             /* 10 */
                                        NULL};
    static const struct row rows[] = {
        /* A prefix must not reach around the rules. */
        {"subscribe prefix com.acme", "deny"},
        {"subscribe prefix com.acme.", "deny"},
        {"subscribe prefix com.acme.public", "deny"}, /* com.acme.publicity */
        {"subscribe prefix com.acme.public.", "allow 2"},
        {"subscribe prefix com.acme.public.x", "allow 2"},
        {"subscribe prefix com.acme.public.x.", "allow 2"},
        {"subscribe prefix ", "deny"},
        {"subscribe wildcard com.acme.", "deny"},
        {"subscribe wildcard com.acme.public.", "allow 2"},
        {"subscribe wildcard com.acme..x", "deny"},
        {"subscribe wildcard com.acme.public", "allow 2"},
        {"subscribe com.acme.public", "allow 2"},
        /* What cuts in. */
        {"subscribe prefix many.", "deny 4"},
        {"subscribe prefix many.s", "deny 4"},
        {"subscribe prefix many.secret", "deny 4"},
        {"subscribe prefix many.secrets", "allow 3"},
        {"subscribe prefix many.o", "ask 5"},
        {"subscribe prefix many.orders", "ask 5"},
        {"subscribe prefix many.orders.", "ask 5"},
        {"subscribe prefix many.ordersx", "allow 3"},
        {"subscribe prefix many.x", "allow 3"},
        {"subscribe wildcard many.", "deny 4"},
        {"subscribe wildcard many..x", "deny 4"},
        {"subscribe wildcard many.orders.", "ask 5"},
        {"subscribe wildcard many.x..", "allow 3"},
        {"subscribe prefix any.", "deny 10"},
        {"subscribe prefix any.b.x", "deny 10"},
        {"subscribe prefix any.b.xy", "allow 9"},
        {"subscribe wildcard any.b.", "deny 10"},
        {"subscribe wildcard any.b..", "allow 9"},
        /* Specific ones that say the same as what is around them. */
        {"subscribe wildcard .two", "allow 6"},
        {"subscribe wildcard one.", "allow 7"},
        {"subscribe wildcard .", "deny"},
        {"subscribe prefix one.", "deny"},
        {"register prefix many.x", "deny"},
    };

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(what_is_overruled_does_not_cut_in)
{
    static struct kit_session session = {{"org"}, {"acme"}};
    static const char *const lines[] = {
        "user < base",
        "allow subscribe a.**",              /* 2 */
        "allow subscribe a.b.**",            /* 3 */
        "allow subscribe s.**",              /* 4 */
        "allow subscribe s.acme.**",         /* 5: a literal, so 6 never decides */
        "deny subscribe s.{session.org}.**", /* 6 */
        "allow subscribe t.**",              /* 7 */
        "allow subscribe t.b",               /* 8: lifts only a part of 13 */
        "base",
        "deny subscribe a.b.**", /* 10: lifted by 3 */
        "deny subscribe a.b.**", /* 11: the same again */
        "ask subscribe a",       /* 12: no component behind, so no "a." prefix has it */
        "deny subscribe t.b.**", /* 13 */
        NULL};
    static const struct row rows[] = {
        {"subscribe prefix a.", "allow 2"},    {"subscribe prefix a.b", "allow 2"},
        {"subscribe prefix a.b.", "allow 3"},  {"subscribe prefix s.", "allow 4"},
        {"subscribe wildcard s.", "allow 4"},  {"subscribe wildcard t.", "allow 7"},
        {"subscribe wildcard t..", "deny 13"}, {"subscribe prefix t.", "deny 13"},
        {"subscribe wildcard a", "ask 12"},    {"subscribe a", "ask 12"},
        {"subscribe wildcard ", "deny"},
    };

    EXPECT_ROWS(lines, "user", &session, rows);
}

TEST(lengths_that_only_some_rules_have)
{
    static const char *const lines[] = {
        "user",
        "allow subscribe a.*",        /* 2 */
        "allow subscribe a.*.*",      /* 3 */
        "allow subscribe a.*.*.*.**", /* 4: together all behind "a." */
        "allow subscribe b.*",        /* 5 */
        "allow subscribe b.*.*.*.**", /* 6: b.x.y is missing */
        "allow subscribe c.**",       /* 7 */
        "deny subscribe c.*.*.*",     /* 8: one length only */
        "ask subscribe d.*.*.**",     /* 9 */
        "allow subscribe d.**",       /* 10 */
        NULL};
    static const struct row rows[] = {
        {"subscribe prefix a.", "allow 4"},       {"subscribe prefix a.x.", "allow 4"},
        {"subscribe prefix a", "deny"},           {"subscribe prefix b.", "deny"},
        {"subscribe prefix b.x.y.z", "allow 6"},  {"subscribe prefix b.x.y", "deny"},
        {"subscribe prefix c.", "deny 8"},        {"subscribe prefix c.x.y.z", "deny 8"},
        {"subscribe prefix c.x.y.z.", "allow 7"}, {"subscribe wildcard c...", "deny 8"},
        {"subscribe wildcard c....", "allow 7"},  {"subscribe wildcard d.", "allow 10"},
        {"subscribe wildcard d..", "ask 9"},      {"subscribe prefix d.x", "ask 9"},
    };

    EXPECT_ROWS(lines, "user", &nobody, rows);
}

TEST(captures)
{
    static struct kit_session session = {{"org"}, {"acme"}};
    static const char *const lines[] = {"user", "ask * order.{order}.*.{part}.**",
                                        "ask * {session.org}.{a}", NULL};
    static const struct {
        const char *question, *first, *second; /* NULL: left open; "": no such capture */
    } rows[] = {
        {"call order.12.x.34", "12", "34"},
        {"call order.12.x.34.y", "12", "34"},
        {"call acme.q", "q", ""},
        {"subscribe prefix order.12.x.34.", "12", "34"},
        {"subscribe prefix order.12.x.34", "12", NULL}, /* it may go on: 345 */
        {"subscribe prefix order.12.x.", "12", NULL},
        {"subscribe wildcard order..x.34", NULL, "34"},
        {"subscribe wildcard order...", NULL, NULL},
    };
    struct rules *rules = kit_rules(lines);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules_question question = kit_question(rules, "user", &session, rows[i].question);
        struct rules_verdict verdict;
        const char *const expected[] = {rows[i].first, rows[i].second};
        bool is_one = expected[1] != NULL && expected[1][0] == '\0';

        EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ASK);
        EXPECT_EQ(verdict.capture_count, is_one ? 1 : 2);
        for (size_t k = 0; k < verdict.capture_count; k++) {
            const struct rules_capture *capture = &verdict.captures[k];

            EXPECT_SLICE(capture->name, slice_of(is_one ? "a" : k == 0 ? "order" : "part"));
            EXPECT((capture->value.data == NULL) == (expected[k] == NULL));
            EXPECT_SLICE(capture->value, slice_of(expected[k]));
        }
    }
    rules_free(rules);
}

TEST(explained)
{
    static const char *const lines[] = {"user < guest",
                                        "allow call subscribe com.acme.**",
                                        "deny * com.acme.admin.**",
                                        "ask call com.acme.x",
                                        "guest",
                                        "allow * **",
                                        "allow call com.acme.admin.**",
                                        "allow subscribe *.x",
                                        NULL};
    static const struct {
        const char *question, *verdict, *example;
        const char *beaten[4];
    } rows[] = {
        {"call com.acme.admin.y", "deny 3", "com.acme.admin.y", {"7", "2", "6"}},
        {"call com.acme.q", "allow 2", "com.acme.q", {"6"}},
        {"subscribe prefix com.acme", "deny 3", "com.acme.admin.x", {"2", "6"}},
        {"subscribe prefix com.ac", "deny 3", "com.acme.admin.x", {"2", "6"}},
        {"subscribe prefix org.", "allow 6", "org.x.x.x", {NULL}},
        {"subscribe wildcard .x", "allow 8", "x.x", {"6"}},
        {"publish com.a..b", "deny", NULL, {NULL}},
    };
    struct rules *rules = kit_rules(lines);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules_question question = kit_question(rules, "user", &nobody, rows[i].question);
        struct rules_explanation *why = malloc(sizeof(*why));
        size_t count = 0;

        rules_explain(rules, &question, why);
        kit_expect(rules, "user", &nobody, rows[i].question, rows[i].verdict);
        while (rows[i].beaten[count] != NULL)
            count++;
        EXPECT_EQ(why->beaten_count, count);
        for (size_t k = 0; k < count && k < why->beaten_count; k++)
            EXPECT_SLICE(why->beaten[k]->where, slice_of(rows[i].beaten[k]));
        EXPECT_EQ(why->example.data == NULL, rows[i].example == NULL);
        EXPECT_SLICE(why->example, slice_of(rows[i].example));
        free(why);
    }
    rules_free(rules);
}

/* More of everything than fits. */
TEST(limits)
{
    struct rules *rules = rules_new();
    struct rules_error error;
    char uri[4 * MAX_URI_COMPONENTS];
    uint32_t role = 0;
    struct rule rule = {.effect = RULE_ALLOW, .actions = RULE_ALL_ACTIONS, .trustlevel = -1};
    size_t len = 0;

    EXPECT_EQ(rules_add_role(rules, SLICE("user"), SLICE(""), SLICE(""), &role, &error), 0);
    for (unsigned i = 0; i < MAX_URI_COMPONENTS; i++) {
        memcpy(uri + len, "*.", 2);
        len += 2;
    }
    memcpy(uri + len, "**", 2);
    rule.uri = slice_make(uri, len + 2);
    EXPECT_EQ(rules_add(rules, role, &rule, &error), 0);
    EXPECT_EQ(rules_freeze(rules, &error), 0);

    for (size_t i = 0; i < len; i += 2)
        uri[i] = 'a';
    struct rules_question question = {
        .role = role, .attribute = kit_attribute, .ctx = &nobody, .uri = {uri, len - 1}};
    struct rules_verdict verdict;

    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ALLOW);
    question.uri.len -= 2; /* one component less */
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_DENY);
    question.uri.len = len + 1; /* one more */
    uri[len] = 'a';
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_DENY);
    question.match = MATCH_PREFIX;
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_DENY);
    question.uri.len = len - 1; /* the last of all prefixes: nothing can follow */
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ALLOW);
    question.uri.len = len - 3;
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_DENY);
    question.match = MATCH_WILDCARD;
    question.uri.len = len + 1;
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_DENY);
    question.uri.len = len - 1;
    EXPECT_EQ(rules_decide(rules, &question, &verdict), RULE_ALLOW);
    rules_free(rules);
}

TEST(many_literals)
{
    struct rules *rules = rules_new();
    struct rules_error error;
    uint32_t role = 0;
    char line[64];

    EXPECT_EQ(kit_add(rules, "user", &role, 0, NULL, &error), 0);
    for (unsigned i = 1; i <= 200; i++) {
        (void)snprintf(line, sizeof(line), "%s call app.n%u.**", i % 2 == 0 ? "allow" : "deny", i);
        EXPECT_EQ(kit_add(rules, line, &role, i, NULL, &error), 0);
    }
    EXPECT_EQ(kit_add(rules, "allow call app.**", &role, 201, NULL, &error), 0);
    EXPECT_EQ(rules_freeze(rules, &error), 0);
    for (unsigned i = 1; i <= 200; i++) {
        char expected[32];

        (void)snprintf(line, sizeof(line), "call app.n%u.x", i);
        (void)snprintf(expected, sizeof(expected), "%s %u", i % 2 == 0 ? "allow" : "deny", i);
        kit_expect(rules, "user", &nobody, line, expected);
    }
    kit_expect(rules, "user", &nobody, "call app.n201", "allow 201");
    kit_expect(rules, "user", &nobody, "call app", "allow 201");
    rules_free(rules);
}
