/* rules_random_test.c -- random rules against a model that knows no tree.
 *
 * The model has every URI of a small alphabet, and compares the rules that match it one by one,
 * by the words of rules.h. The alphabet has every word that rules and attributes use, and for
 * each way in which a prefix may end words that nothing uses. URIs go one component further than
 * any rule, so what the model says of a pattern is exact: a grant must not exceed what the rules
 * allow, and nothing is refused without a URI that is the reason.
 *
 * RULES_SEED and RULES_ROUNDS in the environment make other and longer runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/rng.h"
#include "rules_kit.h"

#define MAX_DEPTH 3               /* components of a rule */
#define LONGEST   (MAX_DEPTH + 1) /* of a URI */
#define MAX_RULES 10
#define ROLES     3
#define QUESTIONS 60 /* with patterns, of each set of rules */

/* What rules are made of, and what attributes are worth. */
static const char *const words[] = {"a", "b", "ab"};

/* What URIs are made of: words and values, and what no rule has: "" and each of them continued. */
static const char *const alphabet[] = {"a", "b", "ab", "c", "ac", "bc", "abc", "acc"};

static const char *const attributes[] = {"x", "y", "z"};
static const char *const values[] = {"a", "b", "ab", "ac", NULL, "", "a.b", "a b"};

struct part {
    enum rules_kind kind;
    const char *text;
};

struct model_rule {
    struct part parts[MAX_DEPTH];
    size_t count;
    bool has_rest;
    enum rule_effect effect;
    unsigned actions;
    uint32_t role;
};

/* A URI as indexes of the alphabet. */
struct model_uri {
    size_t count;
    unsigned char at[LONGEST];
    char text[64];
};

static struct rng rng;
static uint64_t rng_state;
static struct kit_session session;
static struct model_rule rules[MAX_RULES];
static size_t rule_count;
static uint32_t parent_of[ROLES]; /* RULE_NO_ROLE: none */
static struct model_uri *uris;
static size_t uri_count;
static unsigned char *effects; /* of each URI, for the role and action at hand */

static size_t below(size_t bound)
{
    return (size_t)rng_below(&rng, bound);
}

static bool one_in(size_t n)
{
    return below(n) == 0;
}

#define PICK(list) ((list)[below(ARRAY_LEN(list))])

static size_t number_in_environment(const char *name, size_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (size_t)strtoull(text, NULL, 10);
}

static void add_uris(struct model_uri *uri)
{
    struct model_uri longer = *uri;

    if (uri->count != 0)
        uris[uri_count++] = *uri;
    if (uri->count == LONGEST)
        return;
    longer.count++;
    for (size_t i = 0; i < ARRAY_LEN(alphabet); i++) {
        int len = snprintf(longer.text, sizeof(longer.text), "%s%s%s", uri->text,
                           uri->count == 0 ? "" : ".", alphabet[i]);

        CHECK(len > 0 && len < (int)sizeof(longer.text));
        longer.at[uri->count] = (unsigned char)i;
        add_uris(&longer);
    }
}

static void make_uris(void)
{
    struct model_uri none = {.count = 0};
    size_t most = 0, power = 1;

    for (size_t i = 0; i < LONGEST; i++)
        most += power *= ARRAY_LEN(alphabet);
    uris = mem_zero(most, sizeof(*uris));
    effects = mem_zero(most, 1);
    uri_count = 0;
    add_uris(&none);
    CHECK(uri_count == most);
}

/* What the model does. */

static bool part_matches(const struct part *part, const char *word)
{
    if (part->kind == RULES_ANY)
        return true;
    if (part->kind == RULES_LITERAL)
        return strcmp(part->text, word) == 0;

    struct slice value = kit_attribute(&session, slice_of(part->text));
    return value.data != NULL && slice_eq(value, slice_of(word));
}

static bool rule_matches(const struct model_rule *rule, const struct model_uri *uri)
{
    if (uri->count < rule->count || (uri->count > rule->count && !rule->has_rest))
        return false;
    for (size_t i = 0; i < rule->count; i++) {
        if (!part_matches(&rule->parts[i], alphabet[uri->at[i]]))
            return false;
    }
    return true;
}

/* How far up the role of the rule is; -1: not there. */
static int distance(uint32_t role, const struct model_rule *rule)
{
    int steps = 0;

    for (; role != RULE_NO_ROLE; role = parent_of[role], steps++) {
        if (role == rule->role)
            return steps;
    }
    return -1;
}

/* How specific the rule is at a component; the higher the more. */
static int weight(const struct model_rule *rule, size_t i)
{
    static const int weights[] = {[RULES_LITERAL] = 4, [RULES_SESSION] = 3, [RULES_ANY] = 2};

    if (i < rule->count)
        return weights[rule->parts[i].kind];
    return rule->has_rest ? 1 : 5;
}

static bool goes_before(uint32_t role, const struct model_rule *a, const struct model_rule *b)
{
    for (size_t i = 0; i <= a->count && i <= b->count; i++) {
        if (weight(a, i) != weight(b, i))
            return weight(a, i) > weight(b, i);
    }
    if (distance(role, a) != distance(role, b))
        return distance(role, a) < distance(role, b);
    return a->effect < b->effect;
}

/* The rule that decides; NULL: none matches. */
static const struct model_rule *model_rule_for(uint32_t role, enum rule_action action,
                                               const struct model_uri *uri)
{
    const struct model_rule *best = NULL;

    for (size_t i = 0; i < rule_count; i++) {
        const struct model_rule *rule = &rules[i];

        if ((rule->actions & RULE_BIT(action)) == 0 || distance(role, rule) < 0 ||
            !rule_matches(rule, uri))
            continue;
        if (best == NULL || goes_before(role, rule, best))
            best = rule;
    }
    return best;
}

static void fill_effects(uint32_t role, enum rule_action action)
{
    for (size_t i = 0; i < uri_count; i++) {
        const struct model_rule *rule = model_rule_for(role, action, &uris[i]);

        effects[i] = (unsigned char)(rule == NULL ? RULE_DENY : rule->effect);
    }
}

static enum rule_effect model_contains(struct slice pattern, enum match match)
{
    enum rule_effect strictest = RULE_ALLOW;

    for (size_t i = 0; i < uri_count; i++) {
        if (effects[i] < strictest && uri_matches(pattern, match, slice_of(uris[i].text)))
            strictest = (enum rule_effect)effects[i];
    }
    return strictest;
}

/* What is made up. */

/* Attributes often have the same value: then different ones are equally specific. */
static void make_session(void)
{
    const char *shared = one_in(2) ? PICK(words) : NULL;

    session = (struct kit_session){.names = {NULL}};
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        session.names[i] = attributes[i];
        session.values[i] = shared != NULL && !one_in(4) ? shared : PICK(values);
    }
}

static void make_rule(struct model_rule *rule)
{
    static const enum rule_effect likely[] = {RULE_ALLOW, RULE_ALLOW, RULE_ALLOW, RULE_DENY,
                                              RULE_ASK};

    *rule = (struct model_rule){.role = (uint32_t)below(ROLES), .effect = PICK(likely)};
    rule->has_rest = !one_in(3);
    rule->count = below(MAX_DEPTH + 1);
    if (rule->count == 0 && !rule->has_rest)
        rule->count = 1;
    for (size_t i = 0; i < rule->count; i++) {
        struct part *part = &rule->parts[i];

        part->kind = (enum rules_kind)below(RULES_REST);
        part->text = part->kind == RULES_LITERAL   ? PICK(words)
                     : part->kind == RULES_SESSION ? PICK(attributes)
                                                   : "*";
    }
    rule->actions = one_in(4) ? (unsigned)(1 + below(RULE_ALL_ACTIONS)) : RULE_ALL_ACTIONS;
}

static void write_rule(const struct model_rule *rule, char *text, size_t len)
{
    size_t at = 0;

    for (size_t i = 0; i < rule->count; i++) {
        bool is_session = rule->parts[i].kind == RULES_SESSION;

        at += (size_t)snprintf(text + at, len - at, "%s%s%s%s", i == 0 ? "" : ".",
                               is_session ? "{session." : "", rule->parts[i].text,
                               is_session ? "}" : "");
    }
    if (rule->has_rest)
        (void)snprintf(text + at, len - at, "%s**", rule->count == 0 ? "" : ".");
}

/* A few roles, each of which may inherit from one before, and rules. */
static struct rules *make_rules(void)
{
    static const char *const names[ROLES] = {"r0", "r1", "r2"};
    struct rules *made = rules_new();
    struct rules_error error = {.at = 0};
    int err = 0;

    for (uint32_t i = 0; i < ROLES; i++) {
        uint32_t role;

        parent_of[i] = i == 0 || one_in(3) ? RULE_NO_ROLE : (uint32_t)below(i);
        err |= rules_add_role(made, slice_of(names[i]),
                              slice_of(parent_of[i] == RULE_NO_ROLE ? "" : names[parent_of[i]]),
                              SLICE(""), &role, &error);
    }
    rule_count = 1 + below(MAX_RULES);
    for (size_t i = 0; i < rule_count; i++) {
        char text[128];
        struct rule rule = {.trustlevel = -1};

        make_rule(&rules[i]);
        write_rule(&rules[i], text, sizeof(text));
        rule.effect = rules[i].effect;
        rule.actions = rules[i].actions;
        rule.uri = slice_of(text);
        err |= rules_add(made, rules[i].role, &rule, &error);
    }
    err |= rules_freeze(made, &error);
    if (err != 0)
        printf("%s\n", error.words);
    CHECK(err == 0);
    return made;
}

/* A prefix ends where a rule of the model or the alphabet can tell: at most MAX_DEPTH points. */
static void make_pattern(enum match match, char *text, size_t len)
{
    size_t count = 1 + below(match == MATCH_PREFIX ? MAX_DEPTH : LONGEST), at = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_open = match == MATCH_PREFIX ? i + 1 == count && one_in(2) : one_in(2);
        const char *word = is_open ? "" : PICK(alphabet);

        at += (size_t)snprintf(text + at, len - at, "%s%s", i == 0 ? "" : ".", word);
    }
}

static void print_all(void)
{
    for (uint32_t i = 0; i < ROLES; i++)
        printf("r%u < %d\n", i, (int)parent_of[i]);
    for (size_t i = 0; i < rule_count; i++) {
        char text[128];

        write_rule(&rules[i], text, sizeof(text));
        printf("r%u %s %#x %s\n", rules[i].role, rules_effect_name(rules[i].effect),
               rules[i].actions, text);
    }
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        printf("%s = %s\n", attributes[i], session.values[i]);
}

/* The verdict's rule must be one that decides about some URI, of the effect that was given. */
static void check_reason(const struct rules *made, const struct rules_question *question,
                         const struct rules_verdict *verdict)
{
    static struct rules_explanation why;
    struct rules_question exact = *question;
    struct rules_verdict of_example;

    rules_explain(made, question, &why);
    EXPECT_EQ(why.verdict.effect, verdict->effect);
    EXPECT(why.verdict.rule == verdict->rule);
    EXPECT(why.example.data != NULL);
    EXPECT(uri_is_valid(why.example, MATCH_EXACT, false));
    EXPECT(uri_matches(question->uri, question->match, why.example));
    exact.match = MATCH_EXACT;
    exact.uri = why.example;
    EXPECT_EQ(rules_decide(made, &exact, &of_example), verdict->effect);
    EXPECT(of_example.rule == verdict->rule);
}

/* How often each verdict came, to see that there is something to find. */
static size_t seen[RULE_EFFECT_COUNT];

static void ask_pattern(const struct rules *made, struct rules_question *question)
{
    char text[64];
    struct rules_verdict verdict;
    enum rule_effect expected;

    question->match = one_in(2) ? MATCH_PREFIX : MATCH_WILDCARD;
    make_pattern(question->match, text, sizeof(text));
    question->uri = slice_of(text);
    expected = model_contains(question->uri, question->match);
    if (rules_decide(made, question, &verdict) != expected) {
        UNIT_FAIL("r%u %s %s \"%s\": %s, expected %s", question->role,
                  rules_action_name(question->action), match_name(question->match), text,
                  rules_effect_name(verdict.effect), rules_effect_name(expected));
        print_all();
    }
    EXPECT(verdict.rule == NULL ? verdict.effect == RULE_DENY
                                : verdict.rule->effect == verdict.effect);
    check_reason(made, question, &verdict);
    seen[verdict.effect]++;
}

static void ask_exact(const struct rules *made, struct rules_question *question)
{
    question->match = MATCH_EXACT;
    for (size_t i = 0; i < uri_count; i += 1 + below(8)) {
        struct rules_verdict verdict;

        question->uri = slice_of(uris[i].text);
        if (rules_decide(made, question, &verdict) != (enum rule_effect)effects[i]) {
            UNIT_FAIL("r%u %s \"%s\": %s, expected %s", question->role,
                      rules_action_name(question->action), uris[i].text,
                      rules_effect_name(verdict.effect),
                      rules_effect_name((enum rule_effect)effects[i]));
            print_all();
            return;
        }
    }
}

static void play_round(void)
{
    struct rules *made;
    struct rules_question question = {.attribute = kit_attribute, .ctx = &session};

    make_session();
    made = make_rules();
    question.role = (uint32_t)below(ROLES);
    question.action = (enum rule_action)below(RULE_ACTION_COUNT);
    fill_effects(question.role, question.action);
    ask_exact(made, &question);
    for (size_t i = 0; i < QUESTIONS; i++)
        ask_pattern(made, &question);
    rules_free(made);
}

TEST(as_the_model)
{
    size_t rounds = number_in_environment("RULES_ROUNDS", 1500);

    rng_state = number_in_environment("RULES_SEED", 1);
    rng_init(&rng, rng_fill_seeded, &rng_state);
    make_uris();
    for (size_t i = 0; i < rounds && unit_failures == 0; i++)
        play_round();
    for (unsigned i = 0; i < RULE_EFFECT_COUNT; i++) {
        printf("%s: %zu patterns\n", rules_effect_name((enum rule_effect)i), seen[i]);
        EXPECT(seen[i] >= rounds || rounds < 100);
    }
    mem_free(uris);
    mem_free(effects);
}
