/* rules_bench.c -- nanoseconds per decision, for 10, 100 and 1000 rules.
 *
 * Prints the best of many short rounds, so that other load on the machine shows little. The
 * rules are those of many applications below one prefix: mostly for a role, some for a session's
 * organisation, some that deny or ask.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "core/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS    2000
#define QUESTIONS 64
#define URI_ROOM  64

struct subject {
    struct rules *rules;
    char uris[QUESTIONS][URI_ROOM];
    struct rules_question questions[QUESTIONS];
    size_t allowed;
};

static struct slice attribute(void *ctx, struct slice name)
{
    (void)ctx;
    return slice_eq(name, SLICE("org")) ? SLICE("acme") : (struct slice){0};
}

/* What comes below "com.acme.appN", in turn. */
static const struct {
    enum rule_effect effect;
    const char *pattern, *uri;
} shapes[] = {
    {RULE_ALLOW, "**", "items.list"},
    {RULE_ALLOW, "org.{session.org}.**", "org.acme.news.today"},
    {RULE_DENY, "admin.**", "admin.stop"},
    {RULE_ASK, "order.{order}.*", "order.4711.get"},
    {RULE_ALLOW, "item.*.get", "item.15.get"},
};

static struct rules *make_rules(size_t count)
{
    struct rules *rules = rules_new();
    struct rules_error error;
    uint32_t role;
    int err = rules_add_role(rules, SLICE("user"), SLICE(""), SLICE(""), &role, &error);

    for (size_t i = 0; i < count; i++) {
        char text[URI_ROOM];
        struct rule rule = {.actions = RULE_ALL_ACTIONS, .trustlevel = -1};

        rule.effect = shapes[i % ARRAY_LEN(shapes)].effect;
        (void)snprintf(text, sizeof(text), "com.acme.app%zu.%s", i / ARRAY_LEN(shapes),
                       shapes[i % ARRAY_LEN(shapes)].pattern);
        rule.uri = slice_of(text);
        err |= rules_add(rules, role, &rule, &error);
    }
    err |= rules_freeze(rules, &error);
    CHECK(err == 0);
    return rules;
}

/* Questions spread over all rules. */
static void make_questions(struct subject *s, size_t count)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        size_t rule = i * count / QUESTIONS;

        (void)snprintf(s->uris[i], URI_ROOM, "com.acme.app%zu.%s", rule / ARRAY_LEN(shapes),
                       shapes[i % ARRAY_LEN(shapes)].uri);
        s->questions[i] = (struct rules_question){
            .action = RULE_CALL,
            .uri = slice_of(s->uris[i]),
            .attribute = attribute,
        };
    }
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *words, size_t count, struct subject *s)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns(), each;

        for (size_t i = 0; i < QUESTIONS; i++) {
            struct rules_verdict verdict;

            s->allowed += rules_decide(s->rules, &s->questions[i], &verdict) == RULE_ALLOW;
        }
        each = (now_ns() - start) / QUESTIONS;
        best = each < best ? each : best;
    }
    printf("%5zu rules  %-28s %8.1f ns\n", count, words, best);
}

static void set_all(struct subject *s, enum match match, const char *uri)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        s->questions[i].match = match;
        s->questions[i].action = RULE_SUBSCRIBE;
        s->questions[i].uri = slice_of(uri);
    }
}

int main(void)
{
    static const size_t counts[] = {10, 100, 1000};
    static struct subject s;

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        s.rules = make_rules(counts[i]);
        make_questions(&s, counts[i]);
        measure("exact", counts[i], &s);
        set_all(&s, MATCH_PREFIX, "com.acme.app1.items.");
        measure("prefix that is allowed", counts[i], &s);
        set_all(&s, MATCH_PREFIX, "com.acme.app1.");
        measure("prefix that a rule cuts", counts[i], &s);
        set_all(&s, MATCH_WILDCARD, "com.acme.app1..get.x");
        measure("wildcard", counts[i], &s);
        rules_free(s.rules);
    }
    return s.allowed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
