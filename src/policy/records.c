/* records.c -- see records.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/records.h"

#include "base/check.h"
#include "base/guess.h"
#include "core/limits.h"
#include "wire/errors.h"
#include "wire/msg.h"

static const char *const type_words[ATTRIBUTE_TYPE_COUNT] = {"a string", "an integer", "a boolean",
                                                             "a list"};

static bool is_of_type(enum attribute_type type, const struct token *token)
{
    switch (type) {
    case ATTRIBUTE_STRING:
        return token->type == TOKEN_TEXT;
    case ATTRIBUTE_INTEGER:
        return token->type == TOKEN_INT || token->type == TOKEN_UINT;
    case ATTRIBUTE_BOOLEAN:
        return token->type == TOKEN_BOOL;
    case ATTRIBUTE_LIST:
    case ATTRIBUTE_TYPE_COUNT:
        break;
    }
    /* A table of Lua without anything in it is a dict, unless it is marked. */
    return token->type == TOKEN_LIST || (token->type == TOKEN_MAP && token->count == 0);
}

const char *records_wanted(const struct attribute *attribute, const struct token *token)
{
    CHECK(attribute->type < ATTRIBUTE_TYPE_COUNT);
    return is_of_type(attribute->type, token) ? NULL : type_words[attribute->type];
}

static int check_attribute(const struct policy *policy, const struct dict_walk *walk,
                           struct fault *fault)
{
    const struct attribute *attribute = policy_attribute(policy, walk->key);
    struct guess guess = guess_begin(walk->key);
    char words[128] = "";
    const char *wanted;

    if (attribute == NULL) {
        for (size_t i = 0; i < policy->attribute_count; i++)
            guess_offer(&guess, policy->attributes[i].name);
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "record: attributes.%.*s: policy.attributes does not declare it%s",
                         (int)(walk->key.len < 60 ? walk->key.len : 60), walk->key.data,
                         guess_words(&guess, words));
    }
    if (walk->token.type == TOKEN_NULL) /* as a column of a database has it */
        return 0;
    wanted = records_wanted(attribute, &walk->token);
    if (wanted != NULL)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "record: attributes.%.*s: must be %s, as policy.attributes says",
                         SLICE_ARG(walk->key), wanted);
    if (walk->key.len + walk->value.len > MAX_ATTRIBUTE_LEN)
        return fault_set(fault, ERR_TOO_LONG, WAMP_AUTHENTICATION_FAILED,
                         "record: attributes.%.*s: more than %d octets", SLICE_ARG(walk->key),
                         MAX_ATTRIBUTE_LEN);
    return 0;
}

static int check_attributes(const struct policy *policy, const struct auth_record *record,
                            struct fault *fault)
{
    struct dict_walk walk;
    struct arena arena;
    int err = 0;

    arena_init(&arena);
    dict_walk(&walk, record->codec, record->attributes, &arena);
    while (err == 0 && dict_next(&walk))
        err = check_attribute(policy, &walk, fault);
    arena_fini(&arena);
    return err;
}

struct auth_record *records_read(const struct policy *policy, const struct auth_method *method,
                                 struct slice dict, struct fault *fault)
{
    struct auth_record *record = auth_record_parse(method, CODEC_MSGPACK, dict, fault);

    if (record != NULL && check_attributes(policy, record, fault) != 0) {
        auth_record_drop(record);
        return NULL;
    }
    return record;
}

static struct slice find(const struct auth_record *record, struct slice name, bool *is_map)
{
    struct dict_walk walk;
    struct arena arena;
    struct slice found = {0};

    arena_init(&arena);
    dict_walk(&walk, record->codec, record->attributes, &arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, name) || walk.token.type == TOKEN_NULL)
            continue;
        found = walk.value;
        *is_map = walk.token.type == TOKEN_MAP;
    }
    arena_fini(&arena);
    return found;
}

void records_encode_attributes(struct encoder *e, const struct policy *policy,
                               const struct auth_record *record, bool has_nulls)
{
    for (size_t i = 0; i < policy->attribute_count; i++) {
        bool is_map = false;
        struct slice name = policy->attributes[i].name;
        struct slice value = find(record, name, &is_map);

        if (value.data == NULL && !has_nulls)
            continue;
        encode_text(e, name);
        if (value.data == NULL) {
            encode_null(e);
        } else if (is_map) {
            encode_list(e, 0);
            encode_end(e);
        } else {
            encode_value(e, record->codec, value);
        }
    }
}
