/* hello.c -- see hello.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/hello.h"

#include "wire/errors.h"

static const char *const role_names[ROLE_COUNT] = {"publisher", "subscriber", "caller", "callee"};

struct feature_row {
    enum role role;
    enum feature bit;
    struct slice name;
};

static const struct feature_row features[] = {
#define FEATURE_ROW(role, name, wire) {ROLE_##role, role##_##name, {wire, sizeof wire - 1}},
    FEATURES_ASKED(FEATURE_ROW)
#undef FEATURE_ROW
};

static int wrong(struct fault *fault, const char *key, const char *expected)
{
    return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION, "HELLO.Details.%s: expected %s",
                     key, expected);
}

static void read_features(struct hello *hello, enum role role, const struct dict_walk *entry,
                          struct arena *arena)
{
    struct dict_walk feature;

    dict_walk(&feature, entry->reader.codec, entry->value, arena);
    while (dict_next(&feature)) {
        bool is_on = feature.token.type == TOKEN_BOOL && feature.token.boolean;

        for (size_t i = 0; i < ARRAY_LEN(features); i++)
            if (is_on && features[i].role == role && slice_eq(features[i].name, feature.key))
                hello->features |= features[i].bit;
    }
}

static int read_role(struct hello *hello, enum role role, const struct dict_walk *entry,
                     struct arena *arena, struct fault *fault)
{
    struct dict_walk field;

    if (entry->token.type != TOKEN_MAP)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "HELLO.Details.roles.%s: expected a dict", role_names[role]);
    hello->roles |= 1U << role;
    dict_walk(&field, entry->reader.codec, entry->value, arena);
    while (dict_next(&field)) {
        if (!slice_eq(field.key, SLICE("features")))
            continue;
        if (field.token.type != TOKEN_MAP)
            return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                             "HELLO.Details.roles.%s.features: expected a dict", role_names[role]);
        read_features(hello, role, &field, arena);
    }
    return 0;
}

static int read_roles(struct hello *hello, const struct dict_walk *entry, struct arena *arena,
                      struct fault *fault)
{
    struct dict_walk role;

    if (entry->token.type != TOKEN_MAP)
        return wrong(fault, "roles", "a dict");
    dict_walk(&role, entry->reader.codec, entry->value, arena);
    while (dict_next(&role)) {
        for (unsigned i = 0; i < ROLE_COUNT; i++) {
            int err = 0;

            if (slice_eq(role.key, slice_of(role_names[i])))
                err = read_role(hello, (enum role)i, &role, arena, fault);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

static bool is_list_of_texts(const struct dict_walk *entry, struct arena *arena)
{
    struct dict_walk item;

    if (entry->token.type != TOKEN_LIST)
        return false;
    list_walk(&item, entry->reader.codec, entry->value, arena);
    while (list_next(&item))
        if (item.token.type != TOKEN_TEXT)
            return false;
    return true;
}

static int read_text_or_null(struct slice *text, const struct dict_walk *entry, const char *key,
                             struct fault *fault)
{
    if (entry->token.type == TOKEN_TEXT)
        *text = entry->token.text;
    else if (entry->token.type != TOKEN_NULL)
        return wrong(fault, key, "a string");
    return 0;
}

/* Keys with a meaning of their own, which are not attributes of the session. */
static bool is_set_aside(struct slice key)
{
    static const char *const keys[] = {"transport",  "realm",        "resumable",
                                       "session",    "resume-token", "resume-session",
                                       "authmethod", "authprovider"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (slice_eq(key, slice_of(keys[i])))
            return true;
    return false;
}

/* Keeps an attribute unless it, or all of them together, would take too much room. */
static void keep_attribute(struct hello *hello, const struct dict_walk *entry, size_t *total)
{
    size_t len = entry->key.len + entry->value.len;
    struct hello_attribute attribute = {entry->key, entry->value};

    if (len > MAX_ATTRIBUTE_LEN || *total + len > MAX_ATTRIBUTES_LEN)
        return;
    for (unsigned i = 0; i < hello->attribute_count; i++) {
        if (slice_eq(hello->attributes[i].key, entry->key)) {
            hello->attributes[i] = attribute;
            *total += len;
            return;
        }
    }
    if (hello->attribute_count == MAX_ATTRIBUTES)
        return;
    hello->attributes[hello->attribute_count++] = attribute;
    *total += len;
}

static int read_entry(struct hello *hello, const struct dict_walk *entry, struct arena *arena,
                      size_t *total, struct fault *fault)
{
    enum token_type type = entry->token.type;

    if (slice_eq(entry->key, SLICE("roles")))
        return read_roles(hello, entry, arena, fault);
    if (slice_eq(entry->key, SLICE("authid")))
        return read_text_or_null(&hello->authid, entry, "authid", fault);
    if (slice_eq(entry->key, SLICE("authrole")))
        return read_text_or_null(&hello->authrole, entry, "authrole", fault);
    if (slice_eq(entry->key, SLICE("authmethods"))) {
        if (!is_list_of_texts(entry, arena))
            return wrong(fault, "authmethods", "a list of strings");
        hello->authmethods = entry->value;
        return 0;
    }
    if (slice_eq(entry->key, SLICE("authextra"))) {
        if (type != TOKEN_MAP && type != TOKEN_NULL)
            return wrong(fault, "authextra", "a dict");
        hello->authextra = type == TOKEN_MAP ? entry->value : (struct slice){0};
        return 0;
    }
    if (slice_eq(entry->key, SLICE("agent")) && type != TOKEN_TEXT)
        return wrong(fault, "agent", "a string");
    if (!is_set_aside(entry->key))
        keep_attribute(hello, entry, total);
    return 0;
}

int hello_read(struct hello *hello, const struct msg *msg, struct arena *arena, struct fault *fault)
{
    struct dict_walk entry;
    size_t total = 0;

    hello->roles = 0;
    hello->features = 0;
    hello->authid = hello->authrole = (struct slice){0};
    hello->authmethods = hello->authextra = (struct slice){0};
    hello->attribute_count = 0;
    dict_walk(&entry, msg->codec, msg->dict, arena);
    while (dict_next(&entry)) {
        int err = read_entry(hello, &entry, arena, &total, fault);

        if (err < 0)
            return err;
    }
    if ((hello->features & CALLEE_CALL_CANCELLING) != 0)
        hello->features |= CALLEE_CALL_CANCELING;
    if (hello->roles == 0)
        return wrong(fault, "roles",
                     "at least one of \"publisher\", \"subscriber\", \"caller\", \"callee\"");
    return 0;
}

bool hello_offers(const struct hello *hello, enum codec codec, struct slice method,
                  struct arena *arena)
{
    struct dict_walk item;
    bool is_empty = true;

    list_walk(&item, codec, hello->authmethods, arena);
    while (list_next(&item)) {
        is_empty = false;
        if (slice_eq(item.token.text, method))
            return true;
    }
    return is_empty && slice_eq(method, SLICE("anonymous"));
}
