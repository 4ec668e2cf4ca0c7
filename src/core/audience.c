/* audience.c -- see audience.h: making audiences, keeping them, reading them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/audience.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "wire/errors.h"

#include <stdatomic.h>

/* Types of values as intern.c writes them, and one of our own. */
#define TYPE_PUBLISHERS 'p'

struct audience {
    atomic_uint refs;
    enum audience_kind kind;
    bool is_bound, has_tree;
    uint32_t part_count;
    size_t size;
    const struct audience *a, *b; /* BOTH, EITHER: held */
    struct audience_tree *tree;   /* TREE: owned */
    struct slice attribute;       /* ONLY, EXCEPT: these point behind the struct */
    struct slice *values;         /* typed bytes */
    size_t value_count;
};

/* ---- making ---- */

struct slice audience_placeholder(struct slice text)
{
    struct slice begin = SLICE("{session.");

    if (!slice_starts_with(text, begin) || text.data[text.len - 1] != '}' ||
        text.len <= begin.len + 1)
        return (struct slice){0};
    return slice_make(text.data + begin.len, text.len - begin.len - 1);
}

static struct audience *audience_new(enum audience_kind kind, size_t more)
{
    struct audience *audience = mem_alloc(sizeof *audience + more);

    *audience = (struct audience){
        .kind = kind, .is_bound = true, .part_count = 1, .size = sizeof *audience + more};
    atomic_init(&audience->refs, 1);
    return audience;
}

struct audience *audience_nobody(void)
{
    return audience_new(AUDIENCE_NOBODY, 0);
}

struct audience *audience_of_tree(struct audience_tree *tree)
{
    struct audience *audience = audience_new(AUDIENCE_TREE, 0);

    audience->tree = tree;
    audience->has_tree = true;
    audience->is_bound = false;
    return audience;
}

/* A condition on values that are written as typed bytes. */
static struct audience *condition_new(enum audience_kind kind, struct slice attribute,
                                      const struct slice *values, size_t count)
{
    size_t len = attribute.len;
    struct audience *made;
    char *at;

    for (size_t i = 0; i < count; i++)
        len += values[i].len;
    made = audience_new(kind, count * sizeof *values + len);
    made->values = (struct slice *)(made + 1);
    made->value_count = count;
    at = (char *)(made->values + count);
    made->attribute = slice_make(at, attribute.len);
    if (attribute.len != 0)
        memcpy(at, attribute.data, attribute.len);
    at += attribute.len;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, values[i].data, values[i].len);
        made->values[i] = slice_make(at, values[i].len);
        made->is_bound &= values[i].data[0] != TYPE_PUBLISHERS;
        at += values[i].len;
    }
    return made;
}

/* Typed bytes of a value; len 0: no attribute has it. */
static struct slice type_value(struct arena *arena, const struct audience_value *value)
{
    char room[INTERN_MAX_BYTES + 1];
    size_t len = 0;

    if (!value->is_publishers) {
        len = intern_bytes(&value->token, room);
    } else if (value->token.text.len <= MAX_ATTRIBUTE_LEN) {
        len = value->token.text.len + 1;
        room[0] = TYPE_PUBLISHERS;
        memcpy(room + 1, value->token.text.data, len - 1);
    }
    return arena_copy(arena, slice_make(room, len));
}

static bool is_scalar(const struct token *token)
{
    return token->type == TOKEN_TEXT || token->type == TOKEN_BOOL || token->type == TOKEN_INT ||
           token->type == TOKEN_UINT || token->type == TOKEN_FLOAT;
}

static struct audience *make_condition(enum audience_kind kind, struct slice attribute,
                                       const struct audience_value *values, size_t count,
                                       struct fault *fault)
{
    struct arena arena;
    struct audience *made;
    struct slice *typed;
    size_t kept = 0;

    if (count > MAX_FILTER_VALUES) {
        fault_set(fault, ERR_TOO_LONG, WAMP_INVALID_ARGUMENT,
                  "%.*s: found %zu values, at most %d are allowed", SLICE_ARG(attribute), count,
                  MAX_FILTER_VALUES);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_scalar(&values[i].token))
            continue;
        fault_set(fault, ERR_INVALID, WAMP_INVALID_ARGUMENT,
                  "%.*s: value %zu: expected a string, a number or a boolean", SLICE_ARG(attribute),
                  i + 1);
        return NULL;
    }
    arena_init(&arena);
    typed = arena_alloc(&arena, (count + 1) * sizeof *typed);
    for (size_t i = 0; i < count; i++) {
        typed[kept] = type_value(&arena, &values[i]);
        kept += typed[kept].len != 0; /* what is too long is equal to nothing */
    }
    made = condition_new(kind, attribute, typed, kept);
    arena_fini(&arena);
    return made;
}

struct audience *audience_only(struct slice attribute, const struct audience_value *values,
                               size_t count, struct fault *fault)
{
    return make_condition(AUDIENCE_ONLY, attribute, values, count, fault);
}

struct audience *audience_except(struct slice attribute, const struct audience_value *values,
                                 size_t count, struct fault *fault)
{
    return make_condition(AUDIENCE_EXCEPT, attribute, values, count, fault);
}

static struct audience *join(enum audience_kind kind, const struct audience *a,
                             const struct audience *b, struct fault *fault)
{
    struct audience *made;

    if (a->part_count + b->part_count > MAX_AUDIENCE_PARTS) {
        fault_set(fault, ERR_TOO_LONG, WAMP_INVALID_ARGUMENT,
                  "found %u conditions, at most %d are allowed", a->part_count + b->part_count,
                  MAX_AUDIENCE_PARTS);
        return NULL;
    }
    made = audience_new(kind, 0);
    made->a = audience_hold(a);
    made->b = audience_hold(b);
    made->part_count = a->part_count + b->part_count;
    made->size += a->size + b->size;
    made->is_bound = a->is_bound && b->is_bound;
    made->has_tree = a->has_tree || b->has_tree;
    return made;
}

struct audience *audience_both(const struct audience *a, const struct audience *b,
                               struct fault *fault)
{
    return join(AUDIENCE_BOTH, a, b, fault);
}

struct audience *audience_either(const struct audience *a, const struct audience *b,
                                 struct fault *fault)
{
    return join(AUDIENCE_EITHER, a, b, fault);
}

/* Only its count ever changes. */
static struct audience *counted(const struct audience *audience)
{
    return (struct audience *)(uintptr_t)audience;
}

const struct audience *audience_hold(const struct audience *audience)
{
    atomic_fetch_add_explicit(&counted(audience)->refs, 1, memory_order_relaxed);
    return audience;
}

/* No deeper than MAX_AUDIENCE_PARTS. */
void audience_drop(const struct audience *audience)
{
    if (audience == NULL ||
        atomic_fetch_sub_explicit(&counted(audience)->refs, 1, memory_order_acq_rel) != 1)
        return;
    audience_drop(audience->a);
    audience_drop(audience->b);
    audience_tree_free(audience->tree);
    mem_free(counted(audience));
}

/* ---- what it is ---- */

bool audience_is_nobody(const struct audience *audience)
{
    switch (audience->kind) {
    case AUDIENCE_NOBODY:
        return true;
    case AUDIENCE_ONLY:
        return audience->value_count == 0;
    case AUDIENCE_BOTH:
        return audience_is_nobody(audience->a) || audience_is_nobody(audience->b);
    case AUDIENCE_EITHER:
        return audience_is_nobody(audience->a) && audience_is_nobody(audience->b);
    case AUDIENCE_EXCEPT:
    case AUDIENCE_TREE:
        break;
    }
    return false;
}

bool audience_has_tree(const struct audience *audience)
{
    return audience->has_tree;
}

size_t audience_per_session(const struct audience *audience)
{
    if (!audience->has_tree)
        return 0;
    if (audience->kind == AUDIENCE_TREE)
        return audience_tree_per_session(audience->tree);
    return audience_per_session(audience->a) + audience_per_session(audience->b);
}

size_t audience_size(const struct audience *audience)
{
    return audience->size;
}

bool audience_is_bound(const struct audience *audience)
{
    return audience->is_bound;
}

/* ---- a publisher's own ---- */

static bool is_publishers(struct slice value)
{
    return value.data[0] == TYPE_PUBLISHERS;
}

static struct slice name_of(struct slice value)
{
    return slice_make(value.data + 1, value.len - 1);
}

static const struct audience *bind_condition(const struct audience *audience,
                                             const struct core *core,
                                             const struct session *publisher)
{
    size_t count = 0, most = audience->value_count;
    const struct audience *made;
    struct slice *values;

    for (size_t i = 0; i < audience->value_count; i++)
        most += is_publishers(audience->values[i]) ? publisher->tag_count : 0;
    values = mem_zero(most + 1, sizeof *values);
    for (size_t i = 0; i < audience->value_count; i++) {
        uint32_t key;

        if (!is_publishers(audience->values[i])) {
            values[count++] = audience->values[i];
            continue;
        }
        key = intern_find_text(&core->intern, name_of(audience->values[i]));
        for (uint32_t t = 0; key != INTERN_NONE && t < publisher->tag_count; t++)
            if (publisher->tags[t].key == key)
                values[count++] = intern_get_bytes(&core->intern, publisher->tags[t].value);
    }
    made = condition_new(audience->kind, audience->attribute, values, count);
    mem_free(values);
    return made;
}

/* Both, or the one that is left. An "either" of which one cannot be kept lets everybody in, since
 * that one might have. */
static const struct audience *bind_pair(const struct audience *audience, const struct core *core,
                                        const struct session *publisher)
{
    const struct audience *a = audience_bind(audience->a, core, publisher);
    const struct audience *b = audience_bind(audience->b, core, publisher);
    const struct audience *made;
    struct fault fault;

    if (a == NULL || b == NULL) {
        if (audience->kind == AUDIENCE_BOTH)
            return a == NULL ? b : a;
        audience_drop(a);
        audience_drop(b);
        return NULL;
    }
    made = join(audience->kind, a, b, &fault);
    CHECK(made != NULL); /* not more parts than before */
    audience_drop(a);
    audience_drop(b);
    return made;
}

const struct audience *audience_bind(const struct audience *audience, const struct core *core,
                                     const struct session *publisher)
{
    if (audience->is_bound)
        return audience_hold(audience);
    switch (audience->kind) {
    case AUDIENCE_TREE:
        return NULL;
    case AUDIENCE_BOTH:
    case AUDIENCE_EITHER:
        return bind_pair(audience, core, publisher);
    case AUDIENCE_ONLY:
    case AUDIENCE_EXCEPT:
        return bind_condition(audience, core, publisher);
    case AUDIENCE_NOBODY:
        break;
    }
    return audience_hold(audience);
}

/* ---- reading ---- */

/* Numbers that are collected for a set. */
struct numbers {
    uint64_t *of;
    uint32_t count, cap;
};

static void add_number(struct numbers *numbers, uint32_t number, struct arena *arena)
{
    if (number == INTERN_NONE)
        return; /* no session has it */
    if (numbers->count == numbers->cap) {
        uint64_t *more = arena_alloc(
            arena, (numbers->cap = numbers->cap == 0 ? 8 : numbers->cap * 2) * sizeof *more);

        if (numbers->count != 0)
            memcpy(more, numbers->of, numbers->count * sizeof *more);
        numbers->of = more;
    }
    numbers->of[numbers->count++] = number;
}

static void add_tags(struct numbers *numbers, const struct session *session, uint32_t key,
                     struct arena *arena)
{
    for (uint32_t i = 0; key != INTERN_NONE && i < session->tag_count; i++)
        if (session->tags[i].key == key)
            add_number(numbers, session->tags[i].value, arena);
}

/* The same of details that were kept. */
static void add_details(struct numbers *numbers, struct core *core, enum codec codec,
                        struct slice details, struct slice name)
{
    struct dict_walk detail, item;

    dict_walk(&detail, codec, details, &core->scratch);
    while (dict_next(&detail)) {
        if (!slice_eq(detail.key, name))
            continue;
        if (detail.token.type != TOKEN_LIST) {
            add_number(numbers, intern_find_token(&core->intern, &detail.token), &core->scratch);
            continue;
        }
        list_walk(&item, codec, detail.value, &core->scratch);
        while (list_next(&item))
            add_number(numbers, intern_find_token(&core->intern, &item.token), &core->scratch);
    }
}

static void read_values(struct audience_test *test, const struct audience *audience,
                        struct core *core, const struct audience_publisher *publisher)
{
    struct numbers numbers = {0};

    test->key = intern_find_text(&core->intern, audience->attribute);
    for (size_t i = 0; i < audience->value_count; i++) {
        struct slice value = audience->values[i];

        if (!is_publishers(value))
            add_number(&numbers, intern_find_bytes(&core->intern, value), &core->scratch);
        else if (publisher->session != NULL)
            add_tags(&numbers, publisher->session, intern_find_text(&core->intern, name_of(value)),
                     &core->scratch);
        else
            add_details(&numbers, core, publisher->codec, publisher->details, name_of(value));
    }
    number_set_init(&test->values, numbers.of, numbers.count, &core->scratch);
}

const struct audience_test *audience_read(const struct audience *audience, struct core *core,
                                          const struct audience_publisher *publisher)
{
    struct audience_test *test = arena_alloc(&core->scratch, sizeof *test);

    *test = (struct audience_test){.kind = audience->kind, .tree = audience->tree};
    switch (audience->kind) {
    case AUDIENCE_ONLY:
    case AUDIENCE_EXCEPT:
        read_values(test, audience, core, publisher);
        break;
    case AUDIENCE_BOTH:
    case AUDIENCE_EITHER:
        test->a = audience_read(audience->a, core, publisher);
        test->b = audience_read(audience->b, core, publisher);
        break;
    case AUDIENCE_NOBODY:
    case AUDIENCE_TREE:
        break;
    }
    return test;
}

static bool has_value(const struct audience_test *test, const struct session *session)
{
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == test->key &&
            number_set_has(&test->values, session->tags[i].value))
            return true;
    return false;
}

/* An attribute that no session has is no tag's key. */
bool audience_admits(const struct audience_test *test, const struct session *session)
{
    switch (test->kind) {
    case AUDIENCE_ONLY:
        return has_value(test, session);
    case AUDIENCE_EXCEPT:
        return !has_value(test, session);
    case AUDIENCE_TREE:
        return audience_tree_admits(test->tree, session);
    case AUDIENCE_BOTH:
        return audience_admits(test->a, session) && audience_admits(test->b, session);
    case AUDIENCE_EITHER:
        return audience_admits(test->a, session) || audience_admits(test->b, session);
    case AUDIENCE_NOBODY:
        break;
    }
    return false;
}
