/* filter.c -- see filter.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/filter.h"

#include "core/limits.h"
#include "wire/errors.h"

#define SHORT_SET 8

static uint64_t spread(uint64_t value)
{
    value *= UINT64_C(0x9e3779b97f4a7c15);
    return value ^ (value >> 32);
}

static bool has(const struct number_set *set, uint64_t value)
{
    if (set->mask == 0) {
        for (uint32_t i = 0; i < set->count; i++)
            if (set->slots[i] == value)
                return true;
        return false;
    }
    for (uint64_t at = spread(value);; at++) {
        uint64_t slot = set->slots[at & set->mask];

        if (slot == value)
            return true;
        if (slot == 0)
            return false;
    }
}

static void set_init(struct number_set *set, uint64_t *values, uint32_t count, struct arena *arena)
{
    *set = (struct number_set){.slots = values, .count = count};
    if (count <= SHORT_SET)
        return;

    uint32_t cap = 16;

    while (cap < 2 * count)
        cap *= 2;

    uint64_t *slots = arena_alloc(arena, cap * sizeof *slots);

    memset(slots, 0, cap * sizeof *slots);
    set->mask = cap - 1;
    set->slots = slots;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = spread(values[i]);

        while (slots[at & set->mask] != 0 && slots[at & set->mask] != values[i])
            at++;
        slots[at & set->mask] = values[i];
    }
}

/* Collects the numbers of an option's list; values that no session has are left out. */
static int read_values(struct filter *filter, const struct filter_option *option, enum codec codec,
                       const struct intern *intern, struct arena *arena, bool *is_empty,
                       struct fault *fault)
{
    struct dict_walk item;
    uint64_t *values = NULL;
    uint32_t count = 0, cap = 0, total = 0;

    list_walk(&item, codec, option->values, arena);
    while (list_next(&item)) {
        uint64_t value = 0;

        if (++total > MAX_FILTER_VALUES)
            return fault_set(
                fault, ERR_TOO_LONG, WAMP_OPTION_NOT_ALLOWED, "%s%s%.*s: more than %d values",
                option->is_eligible ? "eligible" : "exclude", option->by_session ? "" : "_",
                SLICE_ARG(option->attribute), MAX_FILTER_VALUES);
        if (!option->by_session)
            value = intern_find_token(intern, &item.token);
        else if (!token_is_id(&item.token, &value))
            value = 0;
        if (value == 0)
            continue;
        if (count == cap) {
            uint64_t *more =
                arena_alloc(arena, (cap = cap == 0 ? SHORT_SET : cap * 2) * sizeof *more);

            if (count != 0)
                memcpy(more, values, count * sizeof *more);
            values = more;
        }
        values[count++] = value;
    }
    *is_empty = total == 0;
    set_init(&filter->values, values, count, arena);
    return 0;
}

int filters_build(struct filter_set *set, const struct options *options, enum codec codec,
                  const struct intern *intern, bool empty_eligible_is_absent, struct arena *arena,
                  struct fault *fault)
{
    *set = (struct filter_set){0};
    if (options->filter_count == 0)
        return 0;
    if (options->filter_count > MAX_FILTERS)
        return fault_set(fault, ERR_TOO_LONG, WAMP_OPTION_NOT_ALLOWED,
                         "more than %d options eligible_... and exclude_...", MAX_FILTERS);
    set->filters = arena_alloc(arena, options->filter_count * sizeof *set->filters);
    for (unsigned i = 0; i < options->filter_count; i++) {
        const struct filter_option *option = &options->filters[i];
        struct filter *filter = &set->filters[set->count];
        bool is_empty;

        *filter = (struct filter){.is_eligible = option->is_eligible,
                                  .by_session = option->by_session,
                                  .by_identity = slice_eq(option->attribute, SLICE("authid")) ||
                                                 slice_eq(option->attribute, SLICE("authrole")),
                                  .key = intern_find_text(intern, option->attribute)};

        int err = read_values(filter, option, codec, intern, arena, &is_empty, fault);

        if (err < 0)
            return err;
        if (is_empty && (!option->is_eligible || empty_eligible_is_absent))
            continue;
        set->count++;
    }
    return 0;
}

static bool is_listed(const struct filter *filter, const struct session *session)
{
    if (filter->by_session)
        return has(&filter->values, session->id);
    if (filter->key == INTERN_NONE)
        return false;
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == filter->key && has(&filter->values, session->tags[i].value))
            return true;
    return false;
}

bool filters_pass(const struct filter_set *set, const struct session *session)
{
    for (unsigned i = 0; i < set->count; i++)
        if (is_listed(&set->filters[i], session) != set->filters[i].is_eligible)
            return false;
    return true;
}
