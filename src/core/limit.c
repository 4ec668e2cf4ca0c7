/* limit.c -- see limit.h and throttle.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/limit.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/permit.h"

#include <stdarg.h>
#include <stdio.h>

#define NS_PER_S 1e9

/* ---- what may be asked for ---- */

static int fail(struct rules_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(struct rules_error *error, const char *format, ...)
{
    va_list args;

    *error = (struct rules_error){.at = 0};
    va_start(args, format);
    (void)vsnprintf(error->words, sizeof error->words, format, args);
    va_end(args);
    return ERR_CONFIG;
}

static bool is_per(const struct limit_options *options, const char *name)
{
    return strcmp(options->per, name) == 0;
}

static int check_sessions(const struct limit_options *options, struct rules_error *error)
{
    if (options->max == 0)
        return fail(error, "max: expected how many sessions there may be, at least 1");
    if (options->rate != 0 || options->burst != 0)
        return fail(error, "rate, burst: a limit on sessions has max");
    if (options->over == LIMIT_WAIT)
        return fail(error, "over: expected \"deny\" or \"replace_oldest\" for sessions");
    return 0;
}

static int check_rate(const struct limit_options *options, struct rules_error *error)
{
    if (options->max != 0)
        return fail(error, "max: is for action \"session\"");
    if (!(options->rate >= MIN_LIMIT_RATE && options->rate <= MAX_LIMIT_RATE))
        return fail(error, "rate: expected a number from %g to %g (a second), found %g",
                    MIN_LIMIT_RATE, MAX_LIMIT_RATE, options->rate);
    if (options->burst / options->rate > MAX_LIMIT_FILL_S)
        return fail(error, "burst: at this rate it would take more than %g s to come back",
                    MAX_LIMIT_FILL_S);
    if (options->over == LIMIT_REPLACE_OLDEST)
        return fail(error, "over: \"replace_oldest\" is for action \"session\"");
    return 0;
}

int limit_check(const struct limit_options *options, struct rules_error *error)
{
    bool is_request = options->action < LIMIT_JOIN;
    struct rules_pattern pattern;
    struct rules_error wrong;
    struct arena arena;
    int err = 0;

    if (options->per == NULL || options->per[0] == '\0')
        return fail(error, "per: expected \"session\", \"authid\", \"authrole\", \"ip\", \"realm\" "
                           "or the name of an attribute");
    if (!is_request && (is_per(options, "session") || options->uri != NULL))
        return fail(error, "%s: makes no sense for who is only coming in",
                    options->uri != NULL ? "uri" : "per = \"session\"");
    if (options->action == LIMIT_JOIN && options->over != LIMIT_DENY)
        return fail(error, "over: expected \"deny\" for action \"join\"");
    err = options->action == LIMIT_SESSION ? check_sessions(options, error)
                                           : check_rate(options, error);
    if (err < 0 || options->uri == NULL)
        return err;
    arena_init(&arena);
    err = rules_pattern_parse(&pattern, &arena, slice_of(options->uri), &wrong);
    arena_fini(&arena);
    return err == 0 ? 0 : fail(error, "uri: %s", wrong.words);
}

/* ---- compiled ---- */

static enum limit_per per_of(const struct limit_options *options)
{
    return is_per(options, "realm")     ? PER_REALM
           : is_per(options, "session") ? PER_SESSION
           : is_per(options, "ip")      ? PER_IP
                                        : PER_ATTRIBUTE;
}

static struct slice name_of(const struct limit_options *options)
{
    const char *const texts[] = {options->role, options->uri, options->per};
    char numbers[120];
    struct writer w;
    struct slice name;
    int len = snprintf(numbers, sizeof numbers, "%d %a %u %u", (int)options->action, options->rate,
                       options->burst, options->max);

    writer_init(&w, 128);
    writer_write(&w, numbers, (size_t)len);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        writer_put(&w, texts[i] == NULL ? '0' : '1');
        if (texts[i] != NULL)
            writer_write(&w, texts[i], strlen(texts[i]) + 1);
    }
    name = writer_slice(&w);
    name.data = mem_copy(name.data, name.len);
    writer_fini(&w);
    return name;
}

static void set_rate(struct limit *limit, const struct limit_options *options)
{
    double tokens = options->burst != 0 ? options->burst : options->rate;

    if (options->action == LIMIT_SESSION)
        return;
    limit->interval = (uint64_t)(NS_PER_S / options->rate + 0.5);
    limit->capacity = (uint64_t)(tokens * NS_PER_S / options->rate + 0.5);
    if (limit->capacity < limit->interval)
        limit->capacity = limit->interval;
}

struct limit *limit_new(struct core *core, const struct limit_options *options)
{
    struct limit *limit = mem_zero(1, sizeof *limit);
    struct rules_error error;

    CHECK(limit_check(options, &error) == 0);
    limit->name = name_of(options);
    limit->per = per_of(options);
    limit->over = options->over;
    limit->max = options->max;
    set_rate(limit, options);
    if (limit->per == PER_ATTRIBUTE)
        limit->key = intern_text(&core->intern, slice_of(options->per));
    if (options->role != NULL)
        limit->role = intern_text(&core->intern, slice_of(options->role));
    arena_init(&limit->arena);
    limit->has_pattern = options->uri != NULL;
    if (limit->has_pattern)
        CHECK(rules_pattern_parse(&limit->pattern, &limit->arena,
                                  arena_copy(&limit->arena, slice_of(options->uri)), &error) == 0);
    return limit;
}

void limit_free(struct core *core, struct limit *limit)
{
    intern_drop(&core->intern, limit->key);
    intern_drop(&core->intern, limit->role);
    mem_free((void *)(uintptr_t)limit->name.data);
    arena_fini(&limit->arena);
    mem_free(limit);
}

bool limit_is_for(const struct core *core, const struct limit *limit, const struct session *session,
                  struct slice uri)
{
    struct permit_subject subject = {core, session};
    struct rules_point point;

    if (limit->role != INTERN_NONE && limit->role != session->authrole)
        return false;
    return !limit->has_pattern ||
           (rules_point_split(&point, uri) &&
            rules_pattern_matches(&limit->pattern, &point, permit_attribute, &subject));
}

/* ---- values ---- */

uint32_t limit_address(struct core *core, struct slice peer)
{
    char network[TRANSPORT_NETWORK_LEN];

    return intern_text(&core->intern, transport_network(peer, network) ? slice_of(network) : peer);
}

static struct slice peer_of(struct core *core, const struct session *session)
{
    struct dict_walk detail, entry;

    dict_walk(&detail, DETAILS_CODEC, session->details, &core->scratch);
    while (dict_next(&detail)) {
        if (!slice_eq(detail.key, SLICE("transport")))
            continue;
        dict_walk(&entry, DETAILS_CODEC, detail.value, &core->scratch);
        while (dict_next(&entry))
            if (slice_eq(entry.key, SLICE("peer")) && entry.token.type == TOKEN_TEXT)
                return entry.token.text;
    }
    return (struct slice){0};
}

static uint64_t attribute_of(const struct session *session, uint32_t key)
{
    for (uint32_t i = 0; i < session->compound_count; i++)
        if (session->compounds[i] == key)
            return VALUE_IS_SESSION | session->id;
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == key)
            return session->tags[i].value;
    return INTERN_NONE;
}

uint64_t limit_value(struct core *core, const struct limit *limit, struct session *session)
{
    switch (limit->per) {
    case PER_SESSION:
        return VALUE_IS_SESSION | session->id;
    case PER_IP:
        if (session->address == INTERN_NONE)
            session->address = limit_address(core, peer_of(core, session));
        return session->address;
    case PER_ATTRIBUTE:
        return attribute_of(session, limit->key);
    case PER_REALM:
        break;
    }
    return 0;
}

static bool is_interned(const struct limit *limit, uint64_t value)
{
    return (limit->per == PER_IP || limit->per == PER_ATTRIBUTE) && value < VALUE_IS_SESSION &&
           value != INTERN_NONE;
}

void limit_hold_value(struct core *core, const struct limit *limit, uint64_t value)
{
    if (is_interned(limit, value))
        intern_hold(&core->intern, (uint32_t)value);
}

void limit_drop_value(struct core *core, const struct limit *limit, uint64_t value)
{
    if (is_interned(limit, value))
        intern_drop(&core->intern, (uint32_t)value);
}

bool limit_knows_at_hello(const struct limit *limit)
{
    return limit->role == INTERN_NONE && (limit->per == PER_IP || limit->per == PER_REALM);
}
