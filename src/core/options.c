/* options.c -- see options.h: the table of known keys, and its reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/options.h"

#include "base/check.h"
#include "core/limits.h"
#include "wire/errors.h"

enum kind {
    KIND_BOOL,
    KIND_TEXT,
    KIND_NATURAL,     /* an integer that is not negative */
    KIND_ID,          /* in [1, 2^53] */
    KIND_MATCH,       /* "exact", "prefix", "wildcard" */
    KIND_INVOKE,      /* how a shared registration chooses */
    KIND_MODE,        /* how a call is canceled */
    KIND_IDS,         /* list of ids: `eligible`, `exclude` */
    KIND_TEXTS,       /* list of strings: the other standard filters */
    KIND_FORWARD_FOR, /* list of dicts {session, authid, authrole} */
    KIND_PASSED,      /* text that is copied to the receiver */
    KIND_ENC_ALGO,
    KIND_ENC_SERIALIZER,
};

#define IN(type) (UINT64_C(1) << (MSG_##type & 63))
#define IN_PAYLOAD \
    (IN(PUBLISH) | IN(EVENT) | IN(CALL) | IN(INVOCATION) | IN(YIELD) | IN(RESULT) | IN(ERROR))

struct row {
    struct slice key;
    uint64_t messages; /* bit set of IN(...); HELLO .. GOODBYE would collide with 65 .. 70, but
                          their Details are read elsewhere */
    enum kind kind;
    size_t offset; /* of the field in struct options; KIND_PASSED: enum passed */
};

#define ROW(key, messages, kind, field)                                        \
    {                                                                          \
        {key, sizeof key - 1}, messages, kind, offsetof(struct options, field) \
    }
#define CHECKED(key, messages, kind)                    \
    {                                                   \
        {key, sizeof key - 1}, messages, kind, SIZE_MAX \
    }
#define PASSED(key, messages, kind, which)                  \
    {                                                       \
        {key, sizeof key - 1}, messages, kind, PASS_##which \
    }

static const struct row rows[] = {
    ROW("acknowledge", IN(PUBLISH), KIND_BOOL, acknowledge),
    ROW("exclude_me", IN(PUBLISH), KIND_BOOL, exclude_me),
    ROW("disclose_me", IN(PUBLISH) | IN(CALL), KIND_BOOL, disclose_me),
    ROW("retain", IN(PUBLISH), KIND_BOOL, retain),
    ROW("get_retained", IN(SUBSCRIBE), KIND_BOOL, get_retained),
    ROW("progress", IN(CALL) | IN(YIELD) | IN(RESULT) | IN(INVOCATION), KIND_BOOL, progress),
    ROW("receive_progress", IN(CALL) | IN(INVOCATION), KIND_BOOL, receive_progress),
    ROW("disclose_caller", IN(REGISTER), KIND_BOOL, disclose_caller),
    ROW("forward_timeout", IN(REGISTER), KIND_BOOL, forward_timeout),
    ROW("force_reregister", IN(REGISTER), KIND_BOOL, force_reregister),
    ROW("match", IN(SUBSCRIBE) | IN(REGISTER), KIND_MATCH, match),
    ROW("invoke", IN(REGISTER), KIND_INVOKE, invoke),
    ROW("mode", IN(CANCEL), KIND_MODE, mode),
    ROW("timeout", IN(CALL) | IN(INVOCATION), KIND_NATURAL, timeout),
    ROW("concurrency", IN(REGISTER), KIND_NATURAL, concurrency),
    ROW("rkey", IN(PUBLISH) | IN(CALL), KIND_TEXT, rkey),
    ROW("nkey", IN(SUBSCRIBE) | IN(REGISTER), KIND_TEXT, nkey),
    ROW("runmode", IN(CALL), KIND_TEXT, runmode),
    CHECKED("eligible", IN(PUBLISH), KIND_IDS),
    CHECKED("exclude", IN(PUBLISH), KIND_IDS),
    CHECKED("eligible_authid", IN(PUBLISH), KIND_TEXTS),
    CHECKED("eligible_authrole", IN(PUBLISH), KIND_TEXTS),
    CHECKED("exclude_authid", IN(PUBLISH), KIND_TEXTS),
    CHECKED("exclude_authrole", IN(PUBLISH), KIND_TEXTS),
    CHECKED("forward_for", IN(PUBLISH) | IN(SUBSCRIBE) | IN(CALL) | IN(EVENT), KIND_FORWARD_FOR),
    CHECKED("caller", IN(CALL) | IN(INVOCATION), KIND_ID),
    CHECKED("caller_authid", IN(CALL) | IN(INVOCATION), KIND_TEXT),
    CHECKED("caller_authrole", IN(CALL) | IN(INVOCATION), KIND_TEXT),
    CHECKED("publisher", IN(EVENT), KIND_ID),
    CHECKED("publisher_authid", IN(EVENT), KIND_TEXT),
    CHECKED("publisher_authrole", IN(EVENT), KIND_TEXT),
    CHECKED("topic", IN(EVENT), KIND_TEXT),
    CHECKED("procedure", IN(INVOCATION), KIND_TEXT),
    CHECKED("retained", IN(EVENT), KIND_BOOL),
    CHECKED("x_acknowledged_delivery", IN(EVENT), KIND_BOOL),
    CHECKED("trustlevel", IN(EVENT) | IN(INVOCATION), KIND_NATURAL),
    PASSED("ppt_scheme", IN_PAYLOAD, KIND_PASSED, PPT_SCHEME),
    PASSED("ppt_serializer", IN_PAYLOAD, KIND_PASSED, PPT_SERIALIZER),
    PASSED("ppt_cipher", IN_PAYLOAD, KIND_PASSED, PPT_CIPHER),
    PASSED("ppt_keyid", IN_PAYLOAD, KIND_PASSED, PPT_KEYID),
    PASSED("enc_algo", IN_PAYLOAD, KIND_ENC_ALGO, ENC_ALGO),
    PASSED("enc_serializer", IN_PAYLOAD, KIND_ENC_SERIALIZER, ENC_SERIALIZER),
    PASSED("enc_key", IN_PAYLOAD, KIND_PASSED, ENC_KEY),
    PASSED("transaction_hash", IN(PUBLISH) | IN(EVENT) | IN(CALL) | IN(INVOCATION), KIND_PASSED,
           TRANSACTION_HASH),
};

struct choice {
    const char *const *names;
    size_t count;
    const char *words;
};

static const char *const match_names[] = {"exact", "prefix", "wildcard"};
static const char *const invoke_names[] = {"single", "roundrobin", "random", "first", "last"};
static const char *const mode_names[] = {"killnowait", "kill", "skip"};
static const char *const enc_algos[] = {"cryptobox", "mqtt", "xbr"};
static const char *const enc_serializers[] = {"json", "msgpack", "cbor", "ubjson", "flatbuffers"};

const char *invoke_name(enum invoke invoke)
{
    return invoke_names[invoke];
}

const char *cancel_mode_name(enum cancel_mode mode)
{
    return mode_names[mode];
}

/* ---- checks of one value each; they return false and fill in what was expected ---- */

static bool pick(const struct token *token, const char *const *names, size_t count, unsigned *which)
{
    for (*which = 0; *which < count; (*which)++)
        if (token->type == TOKEN_TEXT && slice_eq(token->text, slice_of(names[*which])))
            return true;
    return false;
}

static bool is_custom(struct slice text)
{
    return slice_starts_with(text, SLICE("x_")) && text.len > 2;
}

static bool is_list_of(const struct dict_walk *entry, bool of_ids, struct arena *arena)
{
    struct dict_walk item;
    uint64_t id;

    if (entry->token.type != TOKEN_LIST)
        return false;
    list_walk(&item, entry->reader.codec, entry->value, arena);
    while (list_next(&item))
        if (of_ids ? !token_is_id(&item.token, &id) : item.token.type != TOKEN_TEXT)
            return false;
    return true;
}

static bool is_forward(const struct dict_walk *item, struct arena *arena)
{
    struct dict_walk field;
    bool has_session = false, has_authrole = false, is_sound = true;

    if (item->token.type != TOKEN_MAP)
        return false;
    dict_walk(&field, item->reader.codec, item->value, arena);
    while (dict_next(&field)) {
        enum token_type type = field.token.type;

        if (slice_eq(field.key, SLICE("session")))
            has_session = type == TOKEN_UINT;
        else if (slice_eq(field.key, SLICE("authrole")))
            has_authrole = type == TOKEN_TEXT;
        else if (slice_eq(field.key, SLICE("authid")))
            is_sound = type == TOKEN_TEXT || type == TOKEN_NULL;
    }
    return has_session && has_authrole && is_sound;
}

static bool is_forward_for(const struct dict_walk *entry, struct arena *arena)
{
    struct dict_walk item;

    if (entry->token.type != TOKEN_LIST)
        return false;
    list_walk(&item, entry->reader.codec, entry->value, arena);
    while (list_next(&item))
        if (!is_forward(&item, arena))
            return false;
    return true;
}

/* ---- storing ---- */

static void add_filter(struct options *options, const struct dict_walk *entry, struct arena *arena)
{
    bool eligible = slice_starts_with(entry->key, SLICE("eligible"));
    size_t prefix = eligible ? sizeof "eligible" - 1 : sizeof "exclude" - 1;
    struct filter_option filter = {.is_eligible = eligible,
                                   .by_session = entry->key.len == prefix,
                                   .is_no_list = entry->token.type != TOKEN_LIST,
                                   .values = entry->value};

    if (!filter.by_session)
        filter.attribute = slice_make(entry->key.data + prefix + 1, entry->key.len - prefix - 1);
    if (options->filters == NULL)
        options->filters = arena_alloc(arena, MAX_FILTERS * sizeof *options->filters);
    for (unsigned i = 0; i < options->filter_count && i < MAX_FILTERS; i++) {
        struct filter_option *old = &options->filters[i];

        if (old->is_eligible == filter.is_eligible && old->by_session == filter.by_session &&
            slice_eq(old->attribute, filter.attribute)) {
            *old = filter; /* a duplicate key: the last one counts */
            return;
        }
    }
    if (options->filter_count < MAX_FILTERS)
        options->filters[options->filter_count] = filter;
    options->filter_count++; /* more than MAX_FILTERS are noticed by filters_build */
}

static void set_passed(struct options *options, size_t which, struct slice text)
{
    CHECK(which < PASS_COUNT);
    options->passed |= 1U << which;
    options->pass[which] = text;
}

/* What a key must hold, for people. */
static const char *expected_words(enum kind kind)
{
    static const char *const words[] = {
        [KIND_BOOL] = "a boolean",
        [KIND_TEXT] = "a string",
        [KIND_NATURAL] = "an integer that is not negative",
        [KIND_ID] = "an id in [1, 2^53]",
        [KIND_MATCH] = "\"exact\", \"prefix\" or \"wildcard\"",
        [KIND_INVOKE] = "\"single\", \"roundrobin\", \"random\", \"first\" or \"last\"",
        [KIND_MODE] = "\"skip\", \"kill\" or \"killnowait\"",
        [KIND_IDS] = "a list of session ids",
        [KIND_TEXTS] = "a list of strings",
        [KIND_FORWARD_FOR] = "a list of {session, authid, authrole}",
        [KIND_PASSED] = "a string",
        [KIND_ENC_ALGO] = "\"cryptobox\", \"mqtt\", \"xbr\" or \"x_...\"",
        [KIND_ENC_SERIALIZER] =
            "\"json\", \"msgpack\", \"cbor\", \"ubjson\", \"flatbuffers\" or \"x_...\"",
    };

    return words[kind];
}

/* Checks the value at hand against its row and stores it; false when it does not fit. */
static bool store(struct options *options, const struct row *row, const struct dict_walk *entry,
                  struct arena *arena)
{
    const struct token *token = &entry->token;
    void *field = row->offset == SIZE_MAX ? NULL : (char *)options + row->offset;
    uint64_t natural;
    unsigned which;

    switch (row->kind) {
    case KIND_BOOL:
        if (token->type == TOKEN_BOOL && field != NULL)
            *(bool *)field = token->boolean;
        return token->type == TOKEN_BOOL;
    case KIND_TEXT:
        if (token->type == TOKEN_TEXT && field != NULL)
            *(struct slice *)field = token->text;
        return token->type == TOKEN_TEXT;
    case KIND_NATURAL:
        if (!token_is_natural(token, &natural))
            return false;
        if (field != NULL)
            *(uint64_t *)field = natural;
        return true;
    case KIND_ID:
        return token_is_id(token, &natural);
    case KIND_MATCH:
        if (!pick(token, match_names, MATCH_COUNT, &which))
            return false;
        options->match = (enum match)which;
        return true;
    case KIND_INVOKE:
        if (token->type != TOKEN_TEXT)
            return false;
        if (!pick(token, invoke_names, INVOKE_COUNT, &which))
            which = INVOKE_UNKNOWN;
        options->invoke = (enum invoke)which;
        return true;
    case KIND_MODE:
        if (!pick(token, mode_names, CANCEL_COUNT, &which))
            return false;
        options->mode = (enum cancel_mode)which;
        options->has_mode = true;
        return true;
    case KIND_IDS:
    case KIND_TEXTS:
        if (!is_list_of(entry, row->kind == KIND_IDS, arena))
            return false;
        add_filter(options, entry, arena);
        return true;
    case KIND_FORWARD_FOR:
        return is_forward_for(entry, arena);
    case KIND_ENC_ALGO:
        if (!pick(token, enc_algos, ARRAY_LEN(enc_algos), &which) &&
            !(token->type == TOKEN_TEXT && is_custom(token->text)))
            return false;
        set_passed(options, row->offset, token->text);
        return true;
    case KIND_ENC_SERIALIZER:
        if (!pick(token, enc_serializers, ARRAY_LEN(enc_serializers), &which) &&
            !(token->type == TOKEN_TEXT && is_custom(token->text)))
            return false;
        set_passed(options, row->offset, token->text);
        return true;
    case KIND_PASSED:
        if (token->type != TOKEN_TEXT)
            return false;
        set_passed(options, row->offset, token->text);
        return true;
    }
    return false;
}

static const struct row *find_row(struct slice key, uint64_t message)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((rows[i].messages & message) != 0 && slice_eq(rows[i].key, key))
            return &rows[i];
    return NULL;
}

/* `eligible_x` or `exclude_x` for an attribute x of our own or of the client's making. */
static bool is_attribute_filter(struct slice key)
{
    return (slice_starts_with(key, SLICE("eligible_")) && key.len > sizeof "eligible_" - 1) ||
           (slice_starts_with(key, SLICE("exclude_")) && key.len > sizeof "exclude_" - 1);
}

static bool is_private(struct slice key)
{
    return key.len >= 3 && (key.data[0] == '_' || slice_starts_with(key, SLICE("x_")));
}

/* JavaScript's `undefined`, as its serializers write it: a key whose value was not given. JSON
 * leaves such keys out. */
static bool is_undefined(const struct dict_walk *entry)
{
    if (entry->reader.codec == CODEC_CBOR)
        return slice_eq(entry->value, SLICE("\xf7"));
    return entry->reader.codec == CODEC_MSGPACK && slice_eq(entry->value, SLICE("\xd4\0\0"));
}

int options_read(struct options *options, const struct msg *msg, struct arena *arena,
                 struct fault *fault)
{
    uint64_t message = UINT64_C(1) << ((unsigned)msg->type & 63);
    struct dict_walk entry;

    *options = (struct options){.exclude_me = true};
    if (LIKELY(msg->dict.len == 0))
        return 0;
    dict_walk(&entry, msg->codec, msg->dict, arena);
    while (dict_next(&entry)) {
        const struct row *row = find_row(entry.key, message);

        if (row != NULL) {
            if (!store(options, row, &entry, arena) && !is_undefined(&entry))
                return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION, "%s.%s: expected %s",
                                 msg_name(msg->type), row->key.data, expected_words(row->kind));
        } else if (msg->type == MSG_PUBLISH && is_attribute_filter(entry.key) &&
                   !is_undefined(&entry)) {
            add_filter(options, &entry, arena);
        } else if (msg->type == MSG_ERROR && is_private(entry.key)) {
            options->custom = msg->dict;
            options->custom_codec = msg->codec;
        }
    }
    return 0;
}

unsigned options_passed_count(const struct options *options)
{
    /* Mostly none; the count is a function call where the processor need not have it. */
    return LIKELY(options->passed == 0) ? 0 : (unsigned)__builtin_popcount(options->passed);
}

void options_encode_passed(struct encoder *e, const struct options *options)
{
    static const char *const names[] = {
#define PASSED_NAME(name, wire) wire,
        PASSED_OPTIONS(PASSED_NAME)
#undef PASSED_NAME
    };

    for (unsigned i = 0; i < PASS_COUNT; i++) {
        if ((options->passed & (1U << i)) == 0)
            continue;
        encode_text(e, slice_of(names[i]));
        encode_text(e, options->pass[i]);
    }
}
