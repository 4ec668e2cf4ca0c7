/* details.c -- see details.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/details.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "wire/errors.h"

/* Short, for this file. */
#define KEPT DETAILS_CODEC

/* Keys that the standard names; nobody else may set them. */
static const char *const standard_keys[] = {"session",    "authid",       "authrole",
                                            "authmethod", "authprovider", "transport"};
static const char *const protected_keys[] = {"realm", "roles"};

static bool is_one_of(struct slice key, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(key, slice_of(keys[i])))
            return true;
    return false;
}

static bool is_standard(struct slice key)
{
    return is_one_of(key, standard_keys, ARRAY_LEN(standard_keys));
}

/* Everything but the attributes that clients and modify_details bring. */
static bool is_fixed(struct slice key)
{
    return is_standard(key) || is_one_of(key, protected_keys, ARRAY_LEN(protected_keys));
}

/* ---- tags ---- */

/* While tags are made they collect here. */
struct tags {
    struct tag *tags;
    uint32_t count, cap;
    uint32_t *compounds;
    uint32_t compound_count;
};

/* Takes over one count of both numbers. */
static void add_tag(struct intern *intern, struct tags *tags, uint32_t key, uint32_t value)
{
    if (value == INTERN_NONE) {
        intern_drop(intern, key);
        return;
    }
    if (tags->count == tags->cap) {
        tags->cap = tags->cap == 0 ? 8 : tags->cap * 2;
        tags->tags = mem_grow(tags->tags, tags->cap * sizeof *tags->tags);
    }
    tags->tags[tags->count++] = (struct tag){key, value};
}

/* An attribute that is more than its tags say. */
static void add_compound(struct intern *intern, struct tags *tags, struct slice name)
{
    uint32_t key = intern_text(intern, name);

    if (key == INTERN_NONE)
        return;
    tags->compounds =
        mem_grow(tags->compounds, (tags->compound_count + 1) * sizeof *tags->compounds);
    tags->compounds[tags->compound_count++] = key;
}

/* A scalar has one tag, a list of scalars one for each. */
static void add_detail(struct core *core, struct tags *tags, const struct dict_walk *detail)
{
    struct intern *intern = &core->intern;
    struct dict_walk item;

    if (detail->token.type != TOKEN_LIST) {
        uint32_t value = intern_token(intern, &detail->token);

        if (value == INTERN_NONE && detail->token.type != TOKEN_NULL)
            add_compound(intern, tags, detail->key);
        add_tag(intern, tags, intern_text(intern, detail->key), value);
        return;
    }
    add_compound(intern, tags, detail->key);
    list_walk(&item, KEPT, detail->value, &core->scratch);
    while (list_next(&item))
        add_tag(intern, tags, intern_text(intern, detail->key), intern_token(intern, &item.token));
}

static void drop_tags(struct core *core, struct session *session)
{
    for (uint32_t i = 0; i < session->tag_count; i++) {
        intern_drop(&core->intern, session->tags[i].key);
        intern_drop(&core->intern, session->tags[i].value);
    }
    for (uint32_t i = 0; i < session->compound_count; i++)
        intern_drop(&core->intern, session->compounds[i]);
    mem_free(session->tags);
    mem_free(session->compounds);
}

/* Takes over the dict, and makes its tags. */
static void set_details(struct core *core, struct session *session, struct encoder *e)
{
    struct blob *blob = encode_finish(e);
    struct tags tags = {0};
    struct dict_walk detail;

    mem_free((void *)(uintptr_t)session->details.data);
    session->details = slice_make(mem_copy(blob->data, blob->len), blob->len);
    blob_drop(blob);
    dict_walk(&detail, KEPT, session->details, &core->scratch);
    while (dict_next(&detail))
        if (!slice_eq(detail.key, SLICE("session")) && !slice_eq(detail.key, SLICE("transport")))
            add_detail(core, &tags, &detail);
    drop_tags(core, session);
    session->tags = mem_grow(tags.tags, tags.count * sizeof *tags.tags);
    session->tag_count = tags.count;
    session->compounds = tags.compounds;
    session->compound_count = tags.compound_count;
}

/* ---- claims ---- */

static void add_claim(struct core *core, struct session *session, struct slice name)
{
    uint32_t key = intern_text(&core->intern, name);

    if (key == INTERN_NONE)
        return;
    session->claims =
        mem_grow(session->claims, (session->claim_count + 1) * sizeof *session->claims);
    session->claims[session->claim_count++] = key;
}

/* Where the name is among the claims; their count: it is none. */
static uint32_t find_claim(const struct core *core, const struct session *session,
                           struct slice name)
{
    uint32_t key = intern_find_text(&core->intern, name), i = 0;

    while (i < session->claim_count && session->claims[i] != key)
        i++;
    return i;
}

/* Somebody else has said what it is. */
static void drop_claim(struct core *core, struct session *session, struct slice name)
{
    uint32_t i = find_claim(core, session, name);

    if (i == session->claim_count)
        return;
    intern_drop(&core->intern, session->claims[i]);
    session->claims[i] = session->claims[--session->claim_count];
}

/* ---- the dict ---- */

/* The entry of the delta that counts for this key: the last one. */
static bool find_change(struct core *core, enum codec codec, struct slice delta, struct slice key,
                        struct dict_walk *change)
{
    struct dict_walk entry;
    bool found = false;

    dict_walk(&entry, codec, delta, &core->scratch);
    while (dict_next(&entry)) {
        if (!slice_eq(entry.key, key))
            continue;
        *change = entry;
        found = true;
    }
    return found;
}

/* The value of a header of its request, or NULL. */
static const char *find_header(const struct transport_http *http, const char *name)
{
    const char *at = http->bytes;

    for (uint32_t i = 0; i < http->header_count; i++) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static void put_headers(struct encoder *e, const char *const *names,
                        const struct transport_http *http)
{
    if (names == NULL || http == NULL)
        return;
    encode_text(e, SLICE("http_headers_received"));
    encode_map(e, COUNT_UNKNOWN);
    for (; *names != NULL; names++) {
        const char *value = find_header(http, *names);

        if (value != NULL && utf8_is_valid(slice_of(value)))
            encode_text_pair(e, *names, slice_of(value));
    }
    encode_end(e);
}

static void put_transport(struct encoder *e, const struct core *core,
                          const struct transport *transport)
{
    encode_text(e, SLICE("transport"));
    encode_map(e, COUNT_UNKNOWN);
    encode_text_pair(e, "type", slice_of(transport_name(transport->type)));
    encode_text_pair(e, "protocol", slice_of(transport->protocol));
    if (transport->peer != NULL)
        encode_text_pair(e, "peer", slice_of(transport->peer));
    encode_text(e, SLICE("secure"));
    encode_bool(e, transport->is_secure);
    put_headers(e, core->options.http_headers, transport->http);
    encode_end(e);
}

/* What HELLO says, where the decision says nothing. */
static void put_claims(struct encoder *e, struct core *core, struct session *session,
                       const struct hello *hello, enum codec codec, const struct decision *decision)
{
    struct dict_walk given;

    for (unsigned i = 0; i < hello->attribute_count; i++) {
        struct slice key = hello->attributes[i].key;

        if (find_change(core, decision->codec, decision->attributes, key, &given))
            continue;
        encode_text(e, key);
        encode_value(e, codec, hello->attributes[i].value);
        add_claim(core, session, key);
    }
}

void details_init(struct core *core, struct session *session, const struct welcome *welcome,
                  const struct hello *hello, enum codec codec, const struct transport *transport,
                  const struct decision *decision)
{
    struct encoder e;
    struct dict_walk given;

    session->authid = intern_text(&core->intern, welcome->authid);
    session->authrole = intern_text(&core->intern, welcome->authrole);
    encode_start(&e, KEPT, 512);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text(&e, SLICE("session"));
    encode_uint(&e, session->id);
    encode_text_pair(&e, "authid", welcome->authid);
    encode_text_pair(&e, "authrole", welcome->authrole);
    encode_text_pair(&e, "authmethod", welcome->authmethod);
    encode_text_pair(&e, "authprovider", welcome->authprovider);
    encode_text_pair(&e, "realm", welcome->realm);
    put_transport(&e, core, transport);
    put_claims(&e, core, session, hello, codec, decision);
    dict_walk(&given, decision->codec, decision->attributes, &core->scratch);
    while (dict_next(&given)) {
        if (is_fixed(given.key) || given.token.type == TOKEN_NULL)
            continue;
        encode_text(&e, given.key);
        encode_value(&e, decision->codec, given.value);
    }
    encode_end(&e);
    set_details(core, session, &e);
}

void details_fini(struct core *core, struct session *session)
{
    drop_tags(core, session);
    for (uint32_t i = 0; i < session->claim_count; i++)
        intern_drop(&core->intern, session->claims[i]);
    mem_free(session->claims);
    intern_drop(&core->intern, session->authid);
    intern_drop(&core->intern, session->authrole);
    mem_free((void *)(uintptr_t)session->details.data);
}

static bool is_shown(const struct core *core, struct slice key)
{
    const char *const *name = core->options.expose;

    if (core->options.meta_strict)
        return is_standard(key);
    if (is_fixed(key))
        return true;
    while (*name != NULL && !slice_eq(key, slice_of(*name)))
        name++;
    return *name != NULL;
}

void details_encode(struct encoder *e, struct core *core, const struct session *session)
{
    struct dict_walk detail;

    if (!core->options.meta_strict && core->options.expose == NULL) {
        encode_value(e, KEPT, session->details);
        return;
    }
    encode_map(e, COUNT_UNKNOWN);
    dict_walk(&detail, KEPT, session->details, &core->scratch);
    while (dict_next(&detail)) {
        if (!is_shown(core, detail.key))
            continue;
        encode_text(e, detail.key);
        encode_value(e, KEPT, detail.value);
    }
    encode_end(e);
}

/* ---- changes ---- */

struct bounds {
    size_t count, len;
};

static int too_much(struct fault *fault, struct slice key)
{
    return fault_set(fault, ERR_TOO_LONG, WAMP_INVALID_ARGUMENT,
                     "%.*s: a session keeps %d attributes, %d bytes each and %d in all",
                     (int)(key.len < MAX_QUOTED_LEN ? key.len : MAX_QUOTED_LEN), key.data,
                     MAX_ATTRIBUTES, MAX_ATTRIBUTE_LEN, MAX_ATTRIBUTES_LEN);
}

static int check_keys(struct core *core, enum codec codec, struct slice delta, struct fault *fault)
{
    struct dict_walk entry;
    size_t count = 0;

    dict_walk(&entry, codec, delta, &core->scratch);
    while (dict_next(&entry)) {
        if (is_fixed(entry.key))
            return fault_set(fault, ERR_INVALID, WAMP_INVALID_ARGUMENT,
                             "%.*s: this detail cannot be changed", SLICE_ARG(entry.key));
        if (++count > (size_t)2 * MAX_ATTRIBUTES ||
            entry.key.len + entry.value.len > MAX_ATTRIBUTE_LEN)
            return too_much(fault, entry.key);
    }
    return 0;
}

static void put_kept(struct encoder *e, enum codec codec, const struct dict_walk *entry,
                     struct bounds *bounds)
{
    encode_text(e, entry->key);
    encode_value(e, codec, entry->value);
    if (!is_fixed(entry->key)) {
        bounds->count++;
        bounds->len += entry->key.len + entry->value.len;
    }
}

/* The old details without those that change, then those that are new. */
static void merge(struct core *core, const struct session *session, enum codec codec,
                  struct slice delta, struct encoder *e, struct bounds *bounds)
{
    struct dict_walk entry, change;

    dict_walk(&entry, KEPT, session->details, &core->scratch);
    while (dict_next(&entry))
        if (!find_change(core, codec, delta, entry.key, &change))
            put_kept(e, KEPT, &entry, bounds);
    dict_walk(&entry, codec, delta, &core->scratch);
    while (dict_next(&entry))
        if (find_change(core, codec, delta, entry.key, &change) &&
            change.value.data == entry.value.data && entry.token.type != TOKEN_NULL)
            put_kept(e, codec, &entry, bounds);
}

int details_modify(struct core *core, struct session *session, enum codec codec, struct slice delta,
                   struct fault *fault)
{
    struct bounds bounds = {0};
    struct dict_walk entry;
    struct encoder e;
    int err = check_keys(core, codec, delta, fault);

    if (err < 0)
        return err;
    encode_start(&e, KEPT, session->details.len + delta.len);
    encode_map(&e, COUNT_UNKNOWN);
    merge(core, session, codec, delta, &e, &bounds);
    encode_end(&e);
    if (bounds.count > MAX_ATTRIBUTES || bounds.len > MAX_ATTRIBUTES_LEN) {
        encode_discard(&e);
        return too_much(fault, SLICE("delta"));
    }
    set_details(core, session, &e);
    dict_walk(&entry, codec, delta, &core->scratch);
    while (dict_next(&entry))
        drop_claim(core, session, entry.key);
    kept_forget_session(core, session);
    if (throttle_is_for(&core->throttle, LIMIT_SESSION))
        throttle_count(core, session);
    return 0;
}

void details_disown(struct core *core, struct session *session, const struct slice *names,
                    size_t count)
{
    struct fault fault;
    struct encoder e;
    struct blob *blob;
    bool is_any = false;

    if (session->claim_count == 0)
        return;
    encode_start(&e, KEPT, 64);
    encode_map(&e, COUNT_UNKNOWN);
    for (size_t i = 0; i < count; i++) {
        if (find_claim(core, session, names[i]) == session->claim_count)
            continue;
        is_any = true;
        encode_text(&e, names[i]);
        encode_null(&e);
    }
    encode_end(&e);
    blob = encode_finish(&e);
    if (is_any) /* what is taken away has been found, and makes nothing longer */
        CHECK(details_modify(core, session, KEPT, blob_slice(blob), &fault) == 0);
    blob_drop(blob);
}
