/* reflection.c -- see reflection.h; and its procedures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/reflection.h"

#include "base/mem.h"
#include "core/limits.h"
#include "core/meta_events.h"
#include "core/meta_priv.h"
#include "core/permit.h"
#include "wire/errors.h"

enum kind { KIND_PROCEDURE = 1, KIND_TOPIC = 2, KIND_ERROR = 4, KIND_ANY = 7 };

struct definition {
    unsigned kind; /* enum kind */
    enum codec codec;
    struct slice uri, schema; /* point into `bytes` */
    char bytes[];
};

void reflection_init(struct core *core)
{
    strmap_init(&core->reflection.by_uri, rng_u64(&core->rng), rng_u64(&core->rng));
}

void reflection_fini(struct core *core)
{
    const struct strmap_entry *at;
    size_t i = 0;

    while ((at = strmap_next(&core->reflection.by_uri, &i)) != NULL)
        mem_free(at->value);
    strmap_fini(&core->reflection.by_uri);
}

/* ---- lists ---- */

/* URIs of the realm, collected in an arena. */
struct uris {
    struct meta_call *call;
    unsigned actions; /* bit set of enum rule_action: one of them must be possible; 0: any URI */
    struct arena *arena;
    struct slice *of;
    size_t count, cap;
};

/* Whether the caller may do something with it, if it asks. */
static bool may_see(const struct uris *uris, enum match match, struct slice uri)
{
    struct grant grant;

    for (unsigned action = 0; action < RULE_ACTION_COUNT; action++)
        if ((uris->actions & RULE_BIT(action)) != 0 &&
            permit_judge(uris->call->core, uris->call->caller, (enum rule_action)action, match, uri,
                         &grant) != RULE_DENY)
            return true;
    return uris->actions == 0;
}

static void add_uri(struct uris *uris, enum match match, struct slice uri)
{
    if (!may_see(uris, match, uri))
        return;
    if (uris->count == uris->cap) {
        size_t cap = uris->cap == 0 ? 64 : uris->cap * 2;
        struct slice *more = arena_alloc(uris->arena, cap * sizeof *more);

        if (uris->count != 0)
            memcpy(more, uris->of, uris->count * sizeof *more);
        uris->of = more;
        uris->cap = cap;
    }
    uris->of[uris->count++] = uri;
}

static int compare_uris(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len == 0 ? 0 : memcmp(x->data, y->data, len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorts what was added since `from`, and takes out what is there twice. */
static void sort_from(struct uris *uris, size_t from)
{
    size_t kept = from;

    if (uris->count == from)
        return;
    qsort(uris->of + from, uris->count - from, sizeof *uris->of, compare_uris);
    for (size_t i = from; i < uris->count; i++)
        if (kept == from || !slice_eq(uris->of[kept - 1], uris->of[i]))
            uris->of[kept++] = uris->of[i];
    uris->count = kept;
}

static void add_defined(struct uris *uris, const struct core *core, enum kind kind)
{
    const struct strmap_entry *at;
    size_t i = 0;

    while ((at = strmap_next(&core->reflection.by_uri, &i)) != NULL) {
        const struct definition *definition = at->value;

        if ((definition->kind & kind) != 0)
            add_uri(uris, MATCH_EXACT, definition->uri);
    }
}

static void add_entries(struct uris *uris, const struct match_index *index, enum match match)
{
    const struct strmap_entry *at;
    size_t i = 0;

    while ((at = strmap_next(&index->by_uri[match], &i)) != NULL)
        add_uri(uris, match, at->key);
}

static void put_uris(struct meta_call *call, const struct uris *uris)
{
    encode_list(call->results, uris->count);
    for (size_t i = 0; i < uris->count; i++)
        encode_text(call->results, uris->of[i]);
    encode_end(call->results);
}

/* Exact URIs and those that are defined first, then patterns. */
static void put_list(struct meta_call *call, struct uris *uris, const struct match_index *index,
                     enum kind kind)
{
    size_t patterns;

    add_entries(uris, index, MATCH_EXACT);
    add_defined(uris, call->core, kind);
    sort_from(uris, 0);
    patterns = uris->count;
    add_entries(uris, index, MATCH_PREFIX);
    add_entries(uris, index, MATCH_WILDCARD);
    sort_from(uris, patterns);
    put_uris(call, uris);
}

const char *meta_reflection_procedure_list(struct meta_call *call)
{
    struct uris uris = {
        .call = call, .actions = RULE_BIT(RULE_CALL), .arena = &call->core->scratch};

    put_list(call, &uris, &call->core->dealer.index, KIND_PROCEDURE);
    return NULL;
}

static void add_retained(void *ctx, struct slice topic, struct record *const *newest_first,
                         size_t count)
{
    (void)newest_first;
    (void)count;
    add_uri(ctx, MATCH_EXACT, topic);
}

const char *meta_reflection_topic_list(struct meta_call *call)
{
    const struct store *store = &call->core->store;
    struct uris uris = {.call = call,
                        .actions = RULE_BIT(RULE_SUBSCRIBE) | RULE_BIT(RULE_PUBLISH),
                        .arena = &call->core->scratch};

    store->ops->retained(store->store, MATCH_PREFIX, (struct slice){0}, SIZE_MAX, add_retained,
                         &uris);
    put_list(call, &uris, &call->core->broker.index, KIND_TOPIC);
    return NULL;
}

const char *meta_reflection_error_list(struct meta_call *call)
{
    static const char *const known[] = {WAMP_ERROR_URIS, WAMP_AUTHORIZATION_DENIED,
                                        WAMP_AUTHORIZATION_REQUIRED, WAMP_RUNTIME_ERROR};
    struct uris uris = {.call = call, .arena = &call->core->scratch};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        add_uri(&uris, MATCH_EXACT, slice_of(known[i]));
    add_defined(&uris, call->core, KIND_ERROR);
    sort_from(&uris, 0);
    put_uris(call, &uris);
    return NULL;
}

/* ---- descriptions ---- */

static const char *describe(struct meta_call *call, unsigned kind, const char *unknown_uri)
{
    const struct definition *definition;
    struct slice uri;
    const char *error = meta_need_text(call, 0, "uri", &uri);

    if (error != NULL)
        return error;
    definition = strmap_get(&call->core->reflection.by_uri, uri);
    if (definition == NULL || (definition->kind & kind) == 0)
        return meta_error(call, unknown_uri, "nobody has defined this URI");
    encode_value(call->results, definition->codec, definition->schema);
    return NULL;
}

const char *meta_reflection_procedure_describe(struct meta_call *call)
{
    return describe(call, KIND_PROCEDURE, WAMP_NO_SUCH_PROCEDURE);
}

const char *meta_reflection_topic_describe(struct meta_call *call)
{
    return describe(call, KIND_TOPIC, WAMP_INVALID_ARGUMENT);
}

const char *meta_reflection_error_describe(struct meta_call *call)
{
    return describe(call, KIND_ERROR, WAMP_INVALID_ARGUMENT);
}

const char *meta_reflect_describe(struct meta_call *call)
{
    const struct strmap *all = &call->core->reflection.by_uri;
    const struct strmap_entry *at;
    size_t i = 0;

    if (call->args[0].is_there)
        return describe(call, KIND_ANY, WAMP_INVALID_ARGUMENT);
    encode_map(call->results, all->count);
    while ((at = strmap_next(all, &i)) != NULL) {
        const struct definition *definition = at->value;

        encode_text(call->results, definition->uri);
        encode_value(call->results, definition->codec, definition->schema);
    }
    encode_end(call->results);
    return NULL;
}

/* ---- definitions ---- */

static void publish(struct core *core, const char *topic, const struct definition *definition)
{
    struct encoder e;

    if (!meta_is_heard(core))
        return;
    meta_start(&e);
    encode_text(&e, definition->uri);
    if (strcmp(topic, "wamp.reflect.on_define") == 0)
        encode_value(&e, definition->codec, definition->schema);
    meta_publish(core, topic, &e, NULL);
}

static const char *take_kind(struct meta_call *call, unsigned *kind)
{
    static const char *const names[] = {"procedure", "topic", "error"};
    struct dict_walk entry;

    *kind = KIND_ANY;
    dict_walk(&entry, call->codec, call->args[1].value, &call->core->scratch);
    while (dict_next(&entry)) {
        if (!slice_eq(entry.key, SLICE("kind")))
            continue;
        *kind = 0;
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
            if (entry.token.type == TOKEN_TEXT && slice_eq(entry.token.text, slice_of(names[i])))
                *kind = 1U << i;
    }
    if (*kind != 0)
        return NULL;
    return meta_error(call, WAMP_INVALID_ARGUMENT,
                      "schema.kind: expected \"procedure\", \"topic\" or \"error\"");
}

static struct definition *definition_new(struct meta_call *call, struct slice uri, unsigned kind)
{
    struct slice schema = call->args[1].value;
    struct definition *definition = mem_alloc(sizeof *definition + uri.len + schema.len);

    definition->kind = kind;
    definition->codec = call->codec;
    memcpy(definition->bytes, uri.data, uri.len);
    memcpy(definition->bytes + uri.len, schema.data, schema.len);
    definition->uri = slice_make(definition->bytes, uri.len);
    definition->schema = slice_make(definition->bytes + uri.len, schema.len);
    return definition;
}

static size_t len_of(const struct definition *definition)
{
    return definition == NULL ? 0 : definition->uri.len + definition->schema.len;
}

static const char *undefine(struct meta_call *call, struct slice uri)
{
    struct definition *definition = strmap_remove(&call->core->reflection.by_uri, uri);

    if (definition == NULL)
        return NULL;
    call->core->reflection.len -= len_of(definition);
    publish(call->core, "wamp.reflect.on_undefine", definition);
    mem_free(definition);
    return NULL;
}

/* Why there is no room for a definition in the place of another one, or of none. */
static const char *check_room(struct meta_call *call, struct slice uri,
                              const struct definition *replaced)
{
    const struct reflection *reflection = &call->core->reflection;
    size_t len = call->args[1].value.len;

    if (len > MAX_DEFINITION_LEN)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument 2 (schema): more than %d bytes",
                          MAX_DEFINITION_LEN);
    if (reflection->by_uri.count >= MAX_DEFINITIONS && replaced == NULL)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "a realm keeps %d definitions at most",
                          MAX_DEFINITIONS);
    if (reflection->len - len_of(replaced) + uri.len + len > MAX_DEFINITIONS_LEN)
        return meta_error(call, WAMP_INVALID_ARGUMENT,
                          "a realm keeps %d bytes of definitions at most", MAX_DEFINITIONS_LEN);
    return NULL;
}

static const char *define(struct meta_call *call, struct slice uri)
{
    struct reflection *reflection = &call->core->reflection;
    struct definition *replaced = strmap_get(&reflection->by_uri, uri), *definition;
    unsigned kind;
    const char *error;

    if (call->args[1].token.type != TOKEN_MAP)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument 2 (schema): expected a dict");
    error = take_kind(call, &kind);
    if (error == NULL)
        error = check_room(call, uri, replaced);
    if (error != NULL)
        return error;
    definition = definition_new(call, uri, kind);
    reflection->len += len_of(definition) - len_of(replaced);
    strmap_put(&reflection->by_uri, definition->uri, definition);
    mem_free(replaced);
    publish(call->core, "wamp.reflect.on_define", definition);
    return NULL;
}

const char *meta_reflect_define(struct meta_call *call)
{
    struct slice uri;
    const char *error = meta_need_text(call, 0, "uri", &uri);

    if (error != NULL)
        return error;
    if (uri.len == 0 || !uri_is_valid(uri, MATCH_EXACT, call->core->options.strict_uris))
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument 1 (uri): not a valid URI");
    if (!call->args[1].is_given)
        return meta_error(call, WAMP_INVALID_ARGUMENT,
                          "argument 2 (schema): expected a dict, or null to take it away");
    return call->args[1].is_there ? define(call, uri) : undefine(call, uri);
}
