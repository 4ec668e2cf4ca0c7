/* fuzz_rules.c -- rules as lines, judged by the tree and one by one.
 *
 * Input: lines; the first letter says what one is.
 *
 *     @name value        an attribute of the session; without a value it has no text
 *     r name parent      a role, for the rules that follow; the last one is who asks
 *     + - ? pattern      allows, denies, asks about everything; "+1 pattern" about action 1 only
 *     e p w uri          a question: exact, prefix, wildcard; "e1 uri" with action 1
 *
 * Questions come when all rules are there. What must hold: of an exact question the same rule
 * decides that is best when all are compared; a pattern is never granted more than each URI
 * among the questions that it matches; and what it is granted is right for its example.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "core/rules.h"
#include "fuzz.h"

#define MAX_LINES      128
#define MAX_ATTRIBUTES 8
#define MAX_ROLES      8

struct line {
    char letter;
    unsigned action; /* RULE_ACTION_COUNT: all */
    struct slice text;
};

struct attribute {
    struct slice name, value;
};

struct stage {
    struct line lines[MAX_LINES];
    size_t count;
    struct attribute attributes[MAX_ATTRIBUTES];
    size_t attribute_count;
    struct slice parents[MAX_ROLES]; /* by the index of the role */
    struct rules *rules;
    struct rules_pattern patterns[MAX_LINES]; /* of the rules, in order */
    struct arena arena;
};

static struct slice attribute_of(void *ctx, struct slice name)
{
    const struct stage *stage = ctx;

    for (size_t i = 0; i < stage->attribute_count; i++) {
        if (slice_eq(stage->attributes[i].name, name))
            return stage->attributes[i].value;
    }
    return (struct slice){0};
}

/* The words before and behind the first blank. */
static struct slice cut(struct slice *rest)
{
    const char *blank = rest->len == 0 ? NULL : memchr(rest->data, ' ', rest->len);
    struct slice word = *rest;

    if (blank == NULL) {
        *rest = slice_make(rest->data + rest->len, 0);
        return word;
    }
    word.len = (size_t)(blank - rest->data);
    *rest = slice_make(blank + 1, rest->len - word.len - 1);
    return word;
}

static void read_line(struct stage *stage, struct slice text)
{
    struct line *line = &stage->lines[stage->count];

    if (text.len < 2 || stage->count == MAX_LINES || memchr("@r+-?epw", text.data[0], 8) == NULL)
        return;
    *line = (struct line){.letter = text.data[0], .action = RULE_ACTION_COUNT};
    if (text.data[1] >= '0' && text.data[1] < '0' + RULE_ACTION_COUNT)
        line->action = (unsigned)(text.data[1] - '0');
    (void)cut(&text);
    line->text = text;
    stage->count++;
}

static void read_lines(struct stage *stage, struct slice rest)
{
    while (rest.len != 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);

        read_line(stage, slice_make(rest.data, len));
        len += end != NULL;
        rest = slice_make(rest.data + len, rest.len - len);
    }
}

static void add_attribute(struct stage *stage, struct slice text)
{
    struct attribute *attribute = &stage->attributes[stage->attribute_count];

    if (stage->attribute_count == MAX_ATTRIBUTES)
        return;
    attribute->value = memchr(text.data, ' ', text.len) == NULL ? (struct slice){0} : text;
    attribute->name = cut(&text);
    if (attribute->value.data != NULL)
        attribute->value = text;
    stage->attribute_count++;
}

static enum rule_effect effect_for(char letter)
{
    return letter == '+' ? RULE_ALLOW : letter == '-' ? RULE_DENY : RULE_ASK;
}

static int add_role(struct stage *stage, struct slice text, uint32_t *role)
{
    struct slice name = cut(&text);
    struct rules_error error;
    uint32_t added;
    int err = rules_add_role(stage->rules, name, text, SLICE("here"), &added, &error);

    CHECK(err == 0 || error.words[0] != '\0');
    if (err != 0)
        return err;
    if (added == MAX_ROLES)
        return -1;
    stage->parents[added] = text;
    *role = added;
    return 0;
}

static void add_rule(struct stage *stage, const struct line *line, uint32_t role)
{
    struct rule rule = {
        .effect = effect_for(line->letter),
        .actions = line->action == RULE_ACTION_COUNT ? RULE_ALL_ACTIONS : RULE_BIT(line->action),
        .uri = line->text,
        .trustlevel = -1,
    };
    struct rules_pattern *pattern = &stage->patterns[rules_count(stage->rules)];
    struct rules_error error = {.at = 0}, also;
    int err = rules_add(stage->rules, role, &rule, &error);

    CHECK((rules_pattern_parse(pattern, &stage->arena, line->text, &also) == 0) == (err == 0));
    CHECK(err == 0 || (error.words[0] != '\0' && error.at <= line->text.len &&
                       error.at == also.at && utf8_is_valid(slice_of(error.words))));
}

/* Returns whether there are rules to ask. */
static bool build(struct stage *stage, uint32_t *role)
{
    struct rules_error error;
    bool has_role = false;

    for (size_t i = 0; i < stage->count; i++) {
        const struct line *line = &stage->lines[i];

        if (line->letter == '@')
            add_attribute(stage, line->text);
        else if (line->letter == 'r' && add_role(stage, line->text, role) != 0)
            return false;
        else if (line->letter == 'r')
            has_role = true;
        else if (memchr("+-?", line->letter, 3) != NULL && has_role)
            add_rule(stage, line, *role);
    }
    return rules_freeze(stage->rules, &error) == 0 && has_role;
}

static int distance_of(const struct stage *stage, uint32_t role, uint32_t owner)
{
    int steps = 0;

    for (; role != owner; steps++) {
        if (stage->parents[role].len == 0)
            return -1;
        role = rules_find_role(stage->rules, stage->parents[role]);
    }
    return steps;
}

/* True when rule `a` goes before rule `b`, by their numbers. */
static bool goes_before(const struct stage *stage, uint32_t role, size_t a, size_t b)
{
    const struct rule *one = rules_at(stage->rules, a), *other = rules_at(stage->rules, b);
    int order = rules_pattern_compare(&stage->patterns[a], &stage->patterns[b]);

    if (order == 0)
        order = distance_of(stage, role, one->role) - distance_of(stage, role, other->role);
    if (order == 0)
        order = (int)one->effect - (int)other->effect;
    return order < 0;
}

/* The rule for a URI, of all of them; NULL: none. */
static const struct rule *best_rule(const struct stage *stage, const struct rules_question *q)
{
    struct rules_point point;
    size_t best = SIZE_MAX;

    if (!uri_is_valid(q->uri, MATCH_EXACT, false))
        return NULL;
    CHECK(rules_point_split(&point, q->uri));
    for (size_t i = 0; i < rules_count(stage->rules); i++) {
        const struct rule *rule = rules_at(stage->rules, i);

        if ((rule->actions & RULE_BIT(q->action)) == 0 ||
            distance_of(stage, q->role, rule->role) < 0 ||
            !rules_pattern_matches(&stage->patterns[i], &point, q->attribute, q->ctx))
            continue;
        if (best == SIZE_MAX || goes_before(stage, q->role, i, best))
            best = i;
    }
    return best == SIZE_MAX ? NULL : rules_at(stage->rules, best);
}

static void check_verdict(const struct rules_question *q, const struct rules_verdict *verdict)
{
    const char *begin = q->uri.data;

    CHECK(verdict->rule == NULL ? verdict->effect == RULE_DENY
                                : verdict->effect == verdict->rule->effect);
    CHECK(verdict->rule != NULL || verdict->capture_count == 0);
    CHECK(verdict->capture_count <= MAX_RULE_CAPTURES);
    for (size_t i = 0; i < verdict->capture_count; i++) {
        struct slice value = verdict->captures[i].value;

        CHECK(q->match != MATCH_EXACT || value.data != NULL);
        CHECK(value.data == NULL ||
              (value.data >= begin && value.data + value.len <= begin + q->uri.len));
    }
}

static void ask_exact(const struct stage *stage, const struct rules_question *q)
{
    struct rules_verdict verdict;
    const struct rule *best = best_rule(stage, q);

    if (q->uri.len != 0 && !uri_is_valid(q->uri, MATCH_EXACT, false))
        return;
    (void)rules_decide(stage->rules, q, &verdict);
    check_verdict(q, &verdict);
    /* Two with the same pattern for this session may be equally good: the first was added. */
    CHECK(verdict.rule == best);
}

/* No exact question of the input may be more restricted than the pattern that matches it. */
static void check_grant(const struct stage *stage, const struct rules_question *q,
                        enum rule_effect effect)
{
    for (size_t i = 0; i < stage->count; i++) {
        struct rules_question exact = *q;
        struct rules_verdict verdict;

        exact.match = MATCH_EXACT;
        exact.uri = stage->lines[i].text;
        if (stage->lines[i].letter != 'e' || !uri_is_valid(exact.uri, MATCH_EXACT, false) ||
            !uri_matches(q->uri, q->match, exact.uri))
            continue;
        CHECK(rules_decide(stage->rules, &exact, &verdict) >= effect);
    }
}

static void ask_pattern(const struct stage *stage, const struct rules_question *q)
{
    struct rules_explanation *why = mem_alloc(sizeof(*why));
    struct rules_question exact = *q;
    struct rules_verdict verdict;
    const struct rule *best;

    (void)rules_decide(stage->rules, q, &verdict);
    check_verdict(q, &verdict);
    rules_explain(stage->rules, q, why);
    CHECK(why->verdict.effect == verdict.effect && why->verdict.rule == verdict.rule);
    if (why->example.data == NULL) {
        /* Only where there is no URI, or no room for a longer word. */
        CHECK(q->uri.len > MAX_URI_LEN / 2 || !uri_is_valid(q->uri, q->match, false));
        mem_free(why);
        return;
    }
    CHECK(uri_matches(q->uri, q->match, why->example));
    exact.match = MATCH_EXACT;
    exact.uri = why->example;
    best = best_rule(stage, &exact);
    CHECK(best == verdict.rule);
    check_grant(stage, q, verdict.effect);
    mem_free(why);
}

static void ask(struct stage *stage, const struct line *line, uint32_t role)
{
    struct rules_question question = {
        .role = role,
        .action = line->action == RULE_ACTION_COUNT ? RULE_CALL : (enum rule_action)line->action,
        .match = line->letter == 'e'   ? MATCH_EXACT
                 : line->letter == 'p' ? MATCH_PREFIX
                                       : MATCH_WILDCARD,
        .uri = line->text,
        .attribute = attribute_of,
        .ctx = stage,
    };

    if (question.match == MATCH_EXACT)
        ask_exact(stage, &question);
    else if (uri_is_valid(question.uri, question.match, false))
        ask_pattern(stage, &question);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_make(data, len);
    struct stage *stage;
    uint32_t role = 0;

    if (!utf8_is_valid(text))
        return 0;
    stage = mem_zero(1, sizeof(*stage));
    arena_init(&stage->arena);
    stage->rules = rules_new();
    read_lines(stage, text);
    if (build(stage, &role)) {
        for (size_t i = 0; i < stage->count; i++) {
            if (memchr("epw", stage->lines[i].letter, 3) != NULL)
                ask(stage, &stage->lines[i], role);
        }
    }
    rules_free(stage->rules);
    arena_fini(&stage->arena);
    mem_free(stage);
    return 0;
}
