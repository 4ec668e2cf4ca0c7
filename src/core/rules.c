/* rules.c -- roles and rules as they are written: adding them, and what may be wrong with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/rules.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/audience.h"
#include "core/rules_priv.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_SHOWN 60 /* octets of a name that an error quotes */

/* For "%.*s". */
#define SHOWN(s) (int)((s).len < MAX_SHOWN ? (s).len : MAX_SHOWN), (s).data

static const char *const action_names[RULE_ACTION_COUNT] = {
    [RULE_CALL] = "call",
    [RULE_REGISTER] = "register",
    [RULE_PUBLISH] = "publish",
    [RULE_SUBSCRIBE] = "subscribe",
};

const char *rules_action_name(enum rule_action action)
{
    return action_names[action];
}

const char *rules_effect_name(enum rule_effect effect)
{
    static const char *const names[RULE_EFFECT_COUNT] = {
        [RULE_DENY] = "deny",
        [RULE_ASK] = "ask",
        [RULE_ALLOW] = "allow",
    };

    return names[effect];
}

int rules_fail(struct rules_error *error, struct slice where, const char *format, ...)
{
    size_t len = 0;
    va_list args;

    error->at = 0;
    if (where.len != 0)
        len = (size_t)snprintf(error->words, sizeof(error->words), "%.*s: ", SHOWN(where));
    va_start(args, format);
    (void)vsnprintf(error->words + len, sizeof(error->words) - len, format, args);
    va_end(args);
    return ERR_CONFIG;
}

struct rules *rules_new(void)
{
    struct rules *rules = mem_zero(1, sizeof(*rules));

    arena_init(&rules->arena);
    /* Keys are the operator's, and looking one up adds nothing: no seed needs to be secret. */
    strmap_init(&rules->by_name, 1, 2);
    return rules;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->item_count; i++)
        audience_drop(rules->items[i]->rule.filter);
    for (struct rules_node *node = rules->nodes; node != NULL; node = node->next_made)
        strmap_fini(&node->by_text);
    strmap_fini(&rules->by_name);
    mem_free(rules->roles);
    mem_free(rules->items);
    mem_free(rules->attributes);
    arena_fini(&rules->arena);
    mem_free(rules);
}

/* Room for one more in a list of `count`, which doubles whenever it is a power of two. */
static void *grow(void *list, size_t count, size_t len)
{
    if ((count & (count - 1)) != 0)
        return list;
    return mem_grow(list, (count == 0 ? 1 : count * 2) * len);
}

int rules_add_role(struct rules *rules, struct slice name, struct slice inherit, struct slice where,
                   uint32_t *role, struct rules_error *error)
{
    const struct rules_role *other = strmap_get(&rules->by_name, name);
    struct rules_role *added;

    CHECK(!rules->is_frozen);
    if (name.len == 0)
        return rules_fail(error, where, "a role has no name");
    if (other != NULL)
        return rules_fail(error, where, "role \"%.*s\" is there twice; the other is at %.*s",
                          SHOWN(name), SHOWN(other->where));
    added = arena_alloc(&rules->arena, sizeof(*added));
    *added = (struct rules_role){
        .name = arena_copy(&rules->arena, name),
        .inherit = arena_copy(&rules->arena, inherit),
        .where = arena_copy(&rules->arena, where),
        .index = (uint32_t)rules->role_count,
    };
    added->last = &added->first;
    rules->roles = grow(rules->roles, rules->role_count, sizeof(struct rules_role *));
    rules->roles[rules->role_count++] = added;
    (void)strmap_put(&rules->by_name, added->name, added);
    *role = added->index;
    return 0;
}

static int check_rule(const struct rule *rule, struct rules_error *error)
{
    bool carries = rule->disclose != RULE_DISCLOSE_AS_ASKED || rule->trustlevel != -1 ||
                   rule->timeout_ms != 0 || rule->filter != NULL || rule->options.len != 0;

    if (rule->actions == 0 || (rule->actions & ~RULE_ALL_ACTIONS) != 0)
        return rules_fail(error, rule->where,
                          "a rule names no action; there are call, register, "
                          "publish, subscribe and *");
    if (rule->trustlevel < -1)
        return rules_fail(error, rule->where, "trustlevel is %lld; it is at least 0",
                          (long long)rule->trustlevel);
    if (rule->filter != NULL && (rule->actions & RULE_BIT(RULE_PUBLISH)) == 0)
        return rules_fail(error, rule->where, "filter is for publish, which is no action here");
    if (rule->effect != RULE_ALLOW && carries)
        return rules_fail(error, rule->where,
                          "%s rules carry nothing; disclose, trustlevel, timeout, filter and "
                          "options are for allow",
                          rules_effect_name(rule->effect));
    return 0;
}

static void note_attributes(struct rules *rules, const struct rules_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++) {
        size_t k = 0;

        if (pattern->at[i].kind != RULES_SESSION)
            continue;
        while (k < rules->attribute_count && !slice_eq(rules->attributes[k], pattern->at[i].text))
            k++;
        if (k != rules->attribute_count)
            continue;
        rules->attributes = grow(rules->attributes, k, sizeof(struct slice));
        rules->attributes[rules->attribute_count++] = pattern->at[i].text;
    }
}

/* The number of the character at an octet, for people: from 1. */
static size_t character_at(struct slice text, size_t at)
{
    size_t count = 1;

    for (size_t i = 0; i < at && i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

int rules_add(struct rules *rules, uint32_t role, const struct rule *rule,
              struct rules_error *error)
{
    struct rules_item *item;
    struct rules_error wrong;
    int err = check_rule(rule, error);

    CHECK(!rules->is_frozen && role < rules->role_count);
    if (err != 0)
        return err;
    item = arena_alloc(&rules->arena, sizeof(*item));
    *item = (struct rules_item){.rule = *rule, .order = rules->item_count};
    item->rule.role = role;
    item->rule.uri = arena_copy(&rules->arena, rule->uri);
    item->rule.where = arena_copy(&rules->arena, rule->where);
    item->rule.options = arena_copy(&rules->arena, rule->options);
    err = rules_pattern_parse(&item->pattern, &rules->arena, item->rule.uri, &wrong);
    if (err != 0) {
        (void)rules_fail(error, rule->where, "uri, at character %zu: %.*s",
                         character_at(rule->uri, wrong.at),
                         (int)strnlen(wrong.words, sizeof(wrong.words)), wrong.words);
        error->at = wrong.at;
        return err;
    }
    *rules->roles[role]->last = item;
    rules->roles[role]->last = &item->next;
    if (rule->filter != NULL) {
        CHECK(!audience_has_tree(rule->filter));
        (void)audience_hold(rule->filter);
    }
    rules->items = grow(rules->items, rules->item_count, sizeof(struct rules_item *));
    rules->items[rules->item_count++] = item;
    note_attributes(rules, &item->pattern);
    return 0;
}

static int find_parents(struct rules *rules, struct rules_error *error)
{
    for (size_t i = 0; i < rules->role_count; i++) {
        struct rules_role *role = rules->roles[i];

        if (role->inherit.len == 0)
            continue;
        role->parent = strmap_get(&rules->by_name, role->inherit);
        if (role->parent == NULL)
            return rules_fail(error, role->where,
                              "role \"%.*s\" inherits from \"%.*s\", which is no role",
                              SHOWN(role->name), SHOWN(role->inherit));
    }
    return 0;
}

static int check_cycles(struct rules *rules, struct rules_error *error)
{
    for (size_t i = 0; i < rules->role_count; i++) {
        unsigned mark = (unsigned)i + 1;

        for (struct rules_role *role = rules->roles[i]; role != NULL; role = role->parent) {
            if (role->mark == mark)
                return rules_fail(error, role->where,
                                  "role \"%.*s\" inherits from itself, by way of \"%.*s\"",
                                  SHOWN(role->name), SHOWN(role->inherit));
            role->mark = mark;
        }
    }
    return 0;
}

int rules_freeze(struct rules *rules, struct rules_error *error)
{
    int err;

    CHECK(!rules->is_frozen);
    err = find_parents(rules, error);
    if (err == 0)
        err = check_cycles(rules, error);
    for (size_t i = 0; err == 0 && i < rules->role_count; i++)
        err = rules_compile(rules, rules->roles[i], error);
    rules->is_frozen = err == 0;
    return err;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The set that a word is for; 0: none. */
static unsigned actions_of(struct slice word)
{
    if (slice_eq(word, SLICE("*")))
        return RULE_ALL_ACTIONS;
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++) {
        if (slice_eq(word, slice_of(action_names[i])))
            return RULE_BIT(i);
    }
    return 0;
}

int rules_parse_actions(struct slice text, unsigned *actions, struct rules_error *error)
{
    unsigned set = 0;

    for (size_t at = 0; at < text.len;) {
        size_t end = at;

        while (end < text.len && !is_blank(text.data[end]))
            end++;
        if (end != at) {
            struct slice word = slice_make(text.data + at, end - at);
            unsigned more = actions_of(word);

            if (more == 0)
                return rules_fail(error, (struct slice){0},
                                  "\"%.*s\" is no action; there are call, register, publish, "
                                  "subscribe and *",
                                  SHOWN(word));
            set |= more;
        }
        at = end + 1;
    }
    if (set == 0)
        return rules_fail(error, (struct slice){0},
                          "no action; there are call, register, publish, subscribe and *");
    *actions = set;
    return 0;
}

uint32_t rules_find_role(const struct rules *rules, struct slice name)
{
    const struct rules_role *role = strmap_get(&rules->by_name, name);

    return role == NULL ? RULE_NO_ROLE : role->index;
}

struct slice rules_role_name(const struct rules *rules, uint32_t role)
{
    CHECK(role < rules->role_count);
    return rules->roles[role]->name;
}

size_t rules_role_count(const struct rules *rules)
{
    return rules->role_count;
}

size_t rules_count(const struct rules *rules)
{
    return rules->item_count;
}

const struct rule *rules_at(const struct rules *rules, size_t i)
{
    CHECK(i < rules->item_count);
    return &rules->items[i]->rule;
}

struct slice rules_attribute_name(const struct rules *rules, size_t i)
{
    return i < rules->attribute_count ? rules->attributes[i] : (struct slice){0};
}
