/* filter.c -- see filter.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/filter.h"

#include "core/limits.h"
#include "wire/errors.h"

#define FIRST_VALUES 8

static bool is_identity(struct slice attribute)
{
    return slice_eq(attribute, SLICE("authid")) || slice_eq(attribute, SLICE("authrole"));
}

/* Collects the numbers of an option's list; values that no session has are left out. */
static int read_values(struct filter *filter, const struct filter_option *option, enum codec codec,
                       const struct intern *intern, struct arena *arena, bool *is_empty,
                       struct fault *fault)
{
    struct dict_walk item;
    uint64_t *values = NULL;
    uint32_t count = 0, cap = 0, total = 0;

    *is_empty = false;
    if (option->is_no_list)
        return 0; /* filters_check refuses it; nobody has such a value */
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
                arena_alloc(arena, (cap = cap == 0 ? FIRST_VALUES : cap * 2) * sizeof *more);

            if (count != 0)
                memcpy(more, values, count * sizeof *more);
            values = more;
        }
        values[count++] = value;
    }
    *is_empty = total == 0;
    number_set_init(&filter->values, values, count, arena);
    return 0;
}

static bool is_filterable(struct slice attribute, const char *const *filterable)
{
    if (filterable == NULL || is_identity(attribute))
        return true;
    while (*filterable != NULL && !slice_eq(attribute, slice_of(*filterable)))
        filterable++;
    return *filterable != NULL;
}

int filters_check(const struct options *options, const char *const *filterable, struct fault *fault)
{
    for (unsigned i = 0; i < options->filter_count && i < MAX_FILTERS; i++) {
        const struct filter_option *option = &options->filters[i];
        const char *which = option->is_eligible ? "eligible" : "exclude";
        int len =
            (int)(option->attribute.len < MAX_QUOTED_LEN ? option->attribute.len : MAX_QUOTED_LEN);

        if (option->by_session)
            continue;
        if (!is_filterable(option->attribute, filterable))
            return fault_set(fault, ERR_INVALID, WAMP_OPTION_NOT_ALLOWED,
                             "%s_%.*s: clients may not filter by this attribute (filterable)",
                             which, len, option->attribute.data);
        if (option->is_no_list)
            return fault_set(fault, ERR_INVALID, WAMP_INVALID_ARGUMENT, "%s_%.*s: expected a list",
                             which, len, option->attribute.data);
    }
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
                                  .by_identity = is_identity(option->attribute),
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
        return number_set_has(&filter->values, session->id);
    if (filter->key == INTERN_NONE)
        return false;
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == filter->key &&
            number_set_has(&filter->values, session->tags[i].value))
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
