/* msg.c -- decodes messages by the shapes in msg_types.h; walks dicts; writes payloads.
 *
 * One loop goes over the letters of a shape and the elements of the list at
 * the same time. The first element that does not fit is named in the fault.
 *
 * WAMP: "Messages".
 * SPDX-License-Identifier: MIT
 */
#include "wire/msg.h"

#include "base/rng.h"
#include "wire/codec_priv.h"
#include "wire/errors.h"

#include <stdio.h>

struct shape {
    const char *name;     /* of the message; NULL: no such message */
    const char *letters;  /* see msg_types.h */
    const char *elements; /* their names, one word each */
};

/* The names of the elements, for the words of faults. The payload is two. */
#define E_HELLO          "Realm Details"
#define E_WELCOME        "Session Details"
#define E_ABORT          "Details Reason Arguments ArgumentsKw"
#define E_CHALLENGE      "AuthMethod Extra"
#define E_AUTHENTICATE   "Signature Extra"
#define E_GOODBYE        "Details Reason"
#define E_ERROR          "REQUEST.Type REQUEST.Request Details Error Arguments ArgumentsKw"
#define E_PUBLISH        "Request Options Topic Arguments ArgumentsKw"
#define E_PUBLISHED      "PUBLISH.Request Publication"
#define E_SUBSCRIBE      "Request Options Topic"
#define E_SUBSCRIBED     "SUBSCRIBE.Request Subscription"
#define E_UNSUBSCRIBE    "Request Subscription Options"
#define E_UNSUBSCRIBED   "UNSUBSCRIBE.Request Details"
#define E_EVENT          "Subscription Publication Details Arguments ArgumentsKw"
#define E_CALL           "Request Options Procedure Arguments ArgumentsKw"
#define E_CANCEL         "CALL.Request Options"
#define E_RESULT         "CALL.Request Details Arguments ArgumentsKw"
#define E_REGISTER       "Request Options Procedure"
#define E_REGISTERED     "REGISTER.Request Registration"
#define E_UNREGISTER     "Request Registration Options"
#define E_UNREGISTERED   "UNREGISTER.Request Details"
#define E_INVOCATION     "Request Registration Details Arguments ArgumentsKw"
#define E_INTERRUPT      "INVOCATION.Request Options"
#define E_YIELD          "INVOCATION.Request Options Arguments ArgumentsKw"
#define E_EVENT_RECEIVED "Publication"

#define ROW(name, code, direction, letters) [code] = {#name, letters, E_##name},
static const struct shape shapes[] = {MSG_TABLE(ROW)};
#undef ROW

/* Before the message code is known. */
static const struct shape nameless = {"Message", "", "code"};

/* What msg_is_for_router makes of the letters R, S and B of the table. */
#define IS_FOR_ROUTER_R true
#define IS_FOR_ROUTER_S false
#define IS_FOR_ROUTER_B true

bool msg_is_for_router(enum msg_type type)
{
#define ROW(name, code, direction, letters) [code] = IS_FOR_ROUTER_##direction,
    static const bool is_for_router[] = {MSG_TABLE(ROW)};
#undef ROW

    return (size_t)type < ARRAY_LEN(is_for_router) && is_for_router[type];
}

/* Everything one decoding needs. */
struct decoding {
    struct msg *msg;
    struct reader *reader;
    const struct codec_ops *ops;
    const struct shape *shape;
    const struct msg_limits *limits;
    struct fault *fault;
    unsigned index; /* of the element at hand; 1: the first after the message code */
};

/* ---- faults ---- */

/* "the 2nd element" by its name. */
static struct slice element_name(const struct decoding *d)
{
    const char *word = d->shape->elements, *end;

    for (unsigned i = 1; i < d->index; i++) {
        const char *space = strchr(word, ' ');

        if (space == NULL)
            break;
        word = space + 1;
    }
    end = strchr(word, ' ');
    return slice_make(word, end == NULL ? strlen(word) : (size_t)(end - word));
}

/* Describes what stands where something else was expected. */
static void describe(const struct token *token, char *words, size_t len)
{
    switch (token->type) {
    case TOKEN_INT:
        snprintf(words, len, "%lld", (long long)token->integer);
        return;
    case TOKEN_UINT:
        snprintf(words, len, "%llu", (unsigned long long)token->natural);
        return;
    case TOKEN_FLOAT:
        snprintf(words, len, "the float %.17g", token->real);
        return;
    case TOKEN_NULL:
    case TOKEN_BOOL:
    case TOKEN_BIGNUM:
    case TOKEN_TEXT:
    case TOKEN_BYTES:
    case TOKEN_EXT:
    case TOKEN_LIST:
    case TOKEN_MAP:
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
    snprintf(words, len, "%s", token_words(token->type));
}

static int fault_found(const struct decoding *d, const char *expected, const struct token *token)
{
    struct slice name = element_name(d);
    char found[48];

    describe(token, found, sizeof(found));
    return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                     "%s.%.*s: expected %s, found %s", d->shape->name, SLICE_ARG(name), expected,
                     found);
}

/* Says what stands here instead of a value that could have been skipped. */
static int fault_type(const struct decoding *d, const char *expected)
{
    struct token token;
    int err = d->ops->token(d->reader, &token, false);

    return err != 0 ? err : fault_found(d, expected, &token);
}

/* How many elements a shape allows, the message code included. */
static void allowed_lengths(const char *letters, unsigned *least, unsigned *most)
{
    *least = *most = 1;
    for (; *letters != '\0'; letters++) {
        *most += *letters == 'P' ? 2 : 1;
        *least += *letters != 'P' && *letters != 'd';
    }
}

static int fault_length(const struct decoding *d, uint64_t found)
{
    unsigned least, most;
    char allowed[32];

    allowed_lengths(d->shape->letters, &least, &most);
    if (least == most)
        snprintf(allowed, sizeof(allowed), "%u", most);
    else
        snprintf(allowed, sizeof(allowed), "%u to %u", least, most);
    return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                     "%s: expected %s elements, found %llu", d->shape->name, allowed,
                     (unsigned long long)found);
}

/* ---- elements ---- */

bool token_is_id(const struct token *token, uint64_t *id)
{
    if (token->type == TOKEN_UINT) {
        *id = token->natural;
    } else if (token->type == TOKEN_FLOAT && token->real >= 1 &&
               token->real <= (double)WAMP_ID_MAX) {
        *id = (uint64_t)token->real;
        if ((double)*id != token->real)
            return false;
    } else {
        return false;
    }
    return *id >= 1 && *id <= WAMP_ID_MAX;
}

static bool is_zero(const struct token *token)
{
    return (token->type == TOKEN_UINT && token->natural == 0) ||
           (token->type == TOKEN_FLOAT && token->real >= 0 && token->real <= 0);
}

static int read_id(struct decoding *d, bool or_zero)
{
    struct token token;
    uint64_t id = 0;
    int err = d->ops->token(d->reader, &token, false);

    if (UNLIKELY(err != 0))
        return err;
    if (UNLIKELY(!token_is_id(&token, &id))) {
        if (!or_zero || !is_zero(&token))
            return fault_found(d, or_zero ? "an id in [1, 2^53], or 0" : "an id in [1, 2^53]",
                               &token);
        id = 0;
    }
    if (d->msg->id == 0)
        d->msg->id = id;
    else
        d->msg->second = id;
    return 0;
}

/* ERROR answers these requests, and no other message. */
static bool is_request(uint64_t code)
{
    return code == MSG_PUBLISH || code == MSG_SUBSCRIBE || code == MSG_UNSUBSCRIBE ||
           code == MSG_CALL || code == MSG_REGISTER || code == MSG_UNREGISTER ||
           code == MSG_INVOCATION;
}

static int read_request_type(struct decoding *d)
{
    struct token token;
    uint64_t code;
    int err = d->ops->token(d->reader, &token, false);

    if (err != 0)
        return err;
    if (!token_is_id(&token, &code) || !is_request(code))
        return fault_found(d, "the code of a request", &token);
    d->msg->request_type = (enum msg_type)code;
    return 0;
}

static int read_text(struct decoding *d, bool or_null)
{
    struct token token;
    int err = d->ops->token(d->reader, &token, false);

    if (UNLIKELY(err != 0))
        return err;
    if (LIKELY(token.type == TOKEN_TEXT)) {
        d->msg->text = token.text;
        return 0;
    }
    if (!or_null || token.type != TOKEN_NULL)
        return fault_found(d, or_null ? "a string or null" : "a string", &token);
    d->msg->is_null = true;
    return 0;
}

/* Moves past a list or dict that is expected here; an empty one counts as absent. */
static int read_extent(struct decoding *d, enum token_type type, enum skip_mode mode,
                       struct slice *extent)
{
    const char *start = d->reader->at;
    bool is_empty;
    int err;

    if (UNLIKELY(d->ops->peek(d->reader) != type))
        return fault_type(d, token_words(type));
    err = d->ops->skip(d->reader, mode, &is_empty);
    if (UNLIKELY(err != 0))
        return err;
    if (!is_empty)
        *extent = slice_make(start, (size_t)(d->reader->at - start));
    return 0;
}

/* Payload transparency: one string or binary in the place of the arguments. */
static int read_raw(struct decoding *d)
{
    struct payload *payload = &d->msg->payload;
    const char *start = d->reader->at;
    bool is_empty;
    int err = d->ops->skip(d->reader, SKIP_PAYLOAD, &is_empty);

    payload->kind = PAYLOAD_RAW;
    payload->args = slice_make(start, (size_t)(d->reader->at - start));
    return err;
}

static bool can_be_raw(const struct decoding *d, enum token_type type)
{
    return d->limits->raw_payload && d->msg->type != MSG_ABORT &&
           (type == TOKEN_TEXT || type == TOKEN_BYTES);
}

static int read_args(struct decoding *d)
{
    enum token_type type = d->ops->peek(d->reader);
    struct payload *payload = &d->msg->payload;
    bool is_empty;
    int err;

    if (type == TOKEN_NULL)
        return d->ops->skip(d->reader, SKIP_PAYLOAD, &is_empty);
    if (can_be_raw(d, type))
        return read_raw(d);
    err = read_extent(d, TOKEN_LIST, SKIP_PAYLOAD, &payload->args);
    if (payload->args.len != 0)
        payload->kind = PAYLOAD_ARGS;
    return err;
}

static int read_kwargs(struct decoding *d)
{
    struct payload *payload = &d->msg->payload;
    bool is_empty;
    int err;

    if (d->ops->peek(d->reader) == TOKEN_NULL)
        return d->ops->skip(d->reader, SKIP_PAYLOAD, &is_empty);
    err = read_extent(d, TOKEN_MAP, SKIP_KWARGS, &payload->kwargs);
    if (err != 0 || payload->kwargs.len == 0)
        return err;
    if (payload->kind == PAYLOAD_RAW)
        return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                         "%s.ArgumentsKw: not allowed beside a payload that is one %s",
                         d->shape->name, "string or binary value");
    payload->kind = PAYLOAD_ARGS;
    return 0;
}

/* Reads the element at hand. */
static int read_element(struct decoding *d, char letter)
{
    switch (letter) {
    case 'I':
    case 'Z':
        return read_id(d, letter == 'Z');
    case 'T':
        return read_request_type(d);
    case 'U':
    case 'S':
    case 'N':
        return read_text(d, letter == 'N');
    case 'D':
    case 'd':
        return read_extent(d, TOKEN_MAP, SKIP_DICT, &d->msg->dict);
    case 'P':
        return read_args(d);
    default: /* the second half of P */
        return read_kwargs(d);
    }
}

/* ---- the message ---- */

/* Counts what is there too much. */
static int too_many(struct decoding *d, uint64_t found)
{
    struct reader *r = d->reader;

    for (;;) {
        bool is_empty;
        int position;
        int err = d->ops->skip(r, SKIP_PAYLOAD, &is_empty);

        if (err != 0)
            return err;
        found++;
        position = d->ops->begin(r);
        if (position < 0)
            return position;
        if (position == POSITION_END)
            return fault_length(d, found);
    }
}

/* Opens the list and reads the message code. */
static int read_code(struct decoding *d)
{
    struct reader *r = d->reader;
    struct token token;
    uint64_t code;
    int err = reader_next(r, &token);

    if (UNLIKELY(err != 0))
        return err;
    if (UNLIKELY(token.type != TOKEN_LIST))
        return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                         "a message is a list, found %s", token_words(token.type));
    err = reader_next(r, &token);
    if (UNLIKELY(err != 0))
        return err;
    d->index = 1;
    if (UNLIKELY(token.type == TOKEN_END))
        return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                         "a message begins with its code, found an empty list");
    if (UNLIKELY(!token_is_id(&token, &code)))
        return fault_found(d, "the number of a message", &token);
    if (UNLIKELY(code >= ARRAY_LEN(shapes) || shapes[code].name == NULL))
        return fault_set(d->fault, ERR_MALFORMED, WAMP_PROTOCOL_VIOLATION,
                         "there is no message with code %llu", (unsigned long long)code);
    d->msg->type = (enum msg_type)code;
    d->shape = &shapes[code];
    return 0;
}

/* Reads element after element, to the end of the list. */
static int read_elements(struct decoding *d)
{
    static const char kwargs[] = "K";
    const char *letter = d->shape->letters;

    for (d->index = 1;; d->index++) {
        int position = d->ops->begin(d->reader);
        int err;

        if (UNLIKELY(position < 0))
            return position;
        if (position == POSITION_END)
            break;
        if (UNLIKELY(*letter == '\0'))
            return too_many(d, d->index);
        err = read_element(d, *letter);
        if (UNLIKELY(err != 0))
            return err;
        letter = *letter == 'P' ? kwargs : letter + 1;
    }
    if (UNLIKELY(*letter != '\0' && *letter != 'P' && *letter != 'K' && *letter != 'd'))
        return fault_length(d, d->index);
    return 0;
}

int msg_decode(struct msg *msg, enum codec codec, struct slice bytes,
               const struct msg_limits *limits, struct arena *arena, struct fault *fault)
{
    struct reader reader;
    struct decoding d = {
        .msg = msg,
        .reader = &reader,
        .ops = codec_ops(codec),
        .shape = &nameless,
        .limits = limits,
        .fault = fault,
    };
    int position, err;

    *msg = (struct msg){.codec = codec, .payload.codec = codec};
    reader_init(&reader, codec, bytes, arena, fault);
    err = read_code(&d);
    if (LIKELY(err == 0))
        err = read_elements(&d);
    if (UNLIKELY(err != 0))
        return err;
    position = d.ops->begin(&reader); /* the end, or a fault: a second value is none here */
    return LIKELY(position == POSITION_DONE) ? 0 : position;
}

/* ---- walking ---- */

static void start_walk(struct dict_walk *walk, enum codec codec, struct slice value,
                       struct arena *arena, enum token_type type)
{
    reader_init(&walk->reader, codec, value, arena, NULL);
    walk->reader.bare_keys = true; /* what was validated as payload may be walked, too */
    walk->key = walk->value = (struct slice){0};
    if (value.len == 0 || reader_next(&walk->reader, &walk->token) != 0 || walk->token.type != type)
        walk->token.type = TOKEN_DONE;
}

/* Reads one value whole: its first token and its extent. False at the end. */
static bool walk_value(struct dict_walk *walk)
{
    struct reader *r = &walk->reader;
    const char *start;

    if (reader_next(r, &walk->token) != 0 || walk->token.type == TOKEN_END ||
        walk->token.type == TOKEN_DONE) {
        walk->token.type = TOKEN_DONE;
        return false;
    }
    start = r->start;
    if ((walk->token.type == TOKEN_LIST || walk->token.type == TOKEN_MAP) &&
        reader_skip_opened(r, SKIP_PAYLOAD) != 0)
        return false;
    walk->value = slice_make(start, (size_t)(r->at - start));
    return true;
}

void dict_walk(struct dict_walk *walk, enum codec codec, struct slice dict, struct arena *arena)
{
    start_walk(walk, codec, dict, arena, TOKEN_MAP);
}

bool dict_next(struct dict_walk *walk)
{
    while (walk->token.type != TOKEN_DONE) {
        bool is_text;

        if (!walk_value(walk))
            return false;
        is_text = walk->token.type == TOKEN_TEXT;
        walk->key = walk->token.text;
        if (!walk_value(walk))
            return false;
        if (is_text)
            return true;
    }
    return false;
}

void list_walk(struct dict_walk *walk, enum codec codec, struct slice list, struct arena *arena)
{
    start_walk(walk, codec, list, arena, TOKEN_LIST);
}

bool list_next(struct dict_walk *walk)
{
    return walk->token.type != TOKEN_DONE && walk_value(walk);
}

/* ---- payload ---- */

unsigned payload_elements(const struct payload *payload)
{
    if (payload->kwargs.len != 0)
        return 2;
    return payload->args.len != 0 ? 1 : 0;
}

size_t payload_len(const struct payload *payload)
{
    return payload->args.len + payload->kwargs.len + 8;
}

void encode_payload(struct encoder *e, const struct payload *payload, bool wrap_raw)
{
    bool is_wrapped = wrap_raw && payload->kind == PAYLOAD_RAW;

    if (payload->args.len == 0 && payload->kwargs.len == 0)
        return;
    if (payload->args.len == 0 || is_wrapped)
        encode_list(e, is_wrapped ? 1 : 0);
    if (payload->args.len != 0)
        encode_value(e, payload->codec, payload->args);
    if (payload->args.len == 0 || is_wrapped)
        encode_end(e);
    if (payload->kwargs.len != 0)
        encode_value(e, payload->codec, payload->kwargs);
}

size_t msg_len(const struct msg *msg)
{
    return msg->text.len + msg->dict.len + msg->payload.args.len + msg->payload.kwargs.len;
}

void msg_copy(struct msg *copy, const struct msg *msg, char *bytes)
{
    struct slice *const parts[] = {&copy->text, &copy->dict, &copy->payload.args,
                                   &copy->payload.kwargs};

    *copy = *msg;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]->data == NULL)
            continue;
        if (parts[i]->len != 0)
            memcpy(bytes, parts[i]->data, parts[i]->len);
        parts[i]->data = bytes;
        bytes += parts[i]->len;
    }
}

bool token_is_natural(const struct token *token, uint64_t *value)
{
    if (token->type == TOKEN_UINT) {
        *value = token->natural;
        return true;
    }
    if (token->type == TOKEN_FLOAT && token->real >= 0 && token->real <= 9007199254740992.0) {
        *value = (uint64_t)token->real;
        return (double)*value == token->real;
    }
    return false;
}
