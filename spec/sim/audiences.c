/* audiences.c -- see audiences.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audiences.h"

#include "core/candidates.h"

static const char *const attributes[] = {"authrole", "authid",  "x_group",
                                         "x_list",   "session", "nothing"};
static const char *const texts[] = {"anonymous", "staff", "joe", "g0", "g1", "g2", ""};

static struct token random_token(struct choices *c)
{
    struct token token = {.type = TOKEN_TEXT};

    switch (choose(c, 6)) {
    case 0:
        token.type = TOKEN_BOOL;
        token.boolean = choose(c, 2) == 1;
        break;
    case 1:
        token.type = TOKEN_UINT;
        token.natural = choose(c, 3);
        break;
    default:
        token.text = slice_of(texts[choose(c, ARRAY_LEN(texts))]);
        break;
    }
    return token;
}

static const struct audience *random_condition(struct choices *c)
{
    struct slice attribute = slice_of(attributes[choose(c, ARRAY_LEN(attributes))]);
    struct audience_value values[4];
    size_t count = choose(c, 4);
    const struct audience *made;
    struct fault fault;

    for (size_t i = 0; i < count; i++) {
        values[i].is_publishers = choose(c, 3) == 0;
        values[i].token = random_token(c);
        if (values[i].is_publishers)
            values[i].token = (struct token){.type = TOKEN_TEXT, .text = attribute};
    }
    made = choose(c, 2) == 1 ? audience_only(attribute, values, count, &fault)
                             : audience_except(attribute, values, count, &fault);
    CHECK(made != NULL);
    return made;
}

/* A predicate that may look at something else each time. */
struct predicate {
    struct choices *c;
    struct audience_tree *tree;
};

static bool run(void *ctx, const struct session *session)
{
    struct predicate *predicate = ctx;
    struct choices *c = predicate->c;
    struct audience_look looks[4];
    size_t count = choose(c, 4);

    if (audience_tree_ask(predicate->tree, session) != AUDIENCE_UNKNOWN)
        return true;
    for (size_t i = 0; i < count; i++) {
        looks[i].kind = choose(c, 8) == 0 ? LOOK_SELF : choose(c, 2) == 0 ? LOOK_HAS : LOOK_VALUE;
        looks[i].attribute = slice_of(attributes[choose(c, ARRAY_LEN(attributes))]);
        looks[i].value = random_token(c);
    }
    audience_tree_add(predicate->tree, session, looks, count, choose(c, 2) == 1);
    CHECK(audience_tree_ask(predicate->tree, session) != AUDIENCE_UNKNOWN);
    return !choose_rarely(c, 16); /* who is left out gets nothing */
}

static const struct audience *random_tree(struct choices *c, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant)
{
    struct predicate predicate = {c, audience_tree_new(core)};

    core_each_candidate(core, question, grant, run, &predicate);
    return audience_of_tree(predicate.tree);
}

static const struct audience *random_part(struct choices *c, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant)
{
    unsigned which = choose(c, 8);

    if (which == 0)
        return audience_nobody();
    return which < 4 && question != NULL ? random_tree(c, core, question, grant)
                                         : random_condition(c);
}

const struct audience *audience_by_chance(struct choices *c, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant)
{
    const struct audience *a, *b, *made;
    struct fault fault;

    if (choose(c, 4) == 0)
        return NULL;
    a = random_part(c, core, question, grant);
    if (choose(c, 3) != 0)
        return a;
    b = random_part(c, core, question, grant);
    made = choose(c, 2) == 1 ? audience_both(a, b, &fault) : audience_either(a, b, &fault);
    CHECK(made != NULL);
    audience_drop(a);
    audience_drop(b);
    return made;
}
