/* amend.c -- see amend.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/amend.h"

#include "core/core_priv.h"

/* ---- options ---- */

static struct slice keep(struct core *core, struct blob *blob)
{
    struct slice copy = arena_copy(&core->scratch, blob_slice(blob));

    blob_drop(blob);
    return copy;
}

static bool has_key(struct core *core, enum codec codec, struct slice dict, struct slice key)
{
    struct dict_walk entry;

    dict_walk(&entry, codec, dict, &core->scratch);
    while (dict_next(&entry))
        if (slice_eq(entry.key, key))
            return true;
    return false;
}

/* The entries of `own`, but those of `over` stand before them; a null there takes one away. */
static struct slice merge(struct core *core, enum codec codec, struct slice own, enum codec from,
                          struct slice over)
{
    struct dict_walk entry;
    struct encoder e;

    encode_start(&e, codec, own.len + over.len + 16);
    encode_map(&e, COUNT_UNKNOWN);
    dict_walk(&entry, codec, own, &core->scratch);
    while (dict_next(&entry)) {
        if (has_key(core, from, over, entry.key))
            continue;
        encode_text(&e, entry.key);
        encode_value(&e, codec, entry.value);
    }
    dict_walk(&entry, from, over, &core->scratch);
    while (dict_next(&entry)) {
        if (entry.token.type == TOKEN_NULL)
            continue;
        encode_text(&e, entry.key);
        encode_value(&e, from, entry.value);
    }
    encode_end(&e);
    return keep(core, encode_finish(&e));
}

static void merge_options(struct core *core, struct msg *msg, const struct grant *grant)
{
    if (grant->options.len != 0)
        msg->dict = merge(core, msg->codec, msg->dict, grant->codec, grant->options);
}

static bool has_same_payload(const struct options *own, const struct options *merged)
{
    if (((own->passed ^ merged->passed) & ~(1U << PASS_TRANSACTION_HASH)) != 0)
        return false;
    for (unsigned i = 0; i < PASS_COUNT; i++)
        if (i != PASS_TRANSACTION_HASH && (own->passed & (1U << i)) != 0 &&
            !slice_eq(own->pass[i], merged->pass[i]))
            return false;
    return true;
}

/* Whether a client is answered, and how many messages it sends, is for the client to say; so is
 * what its payload is. */
static const char *fault_of_options(const struct core *core, const struct options *own,
                                    const struct options *merged)
{
    if (own->acknowledge != merged->acknowledge)
        return "options.acknowledge cannot be changed: the client waits for an answer, or does not";
    if (own->progress != merged->progress)
        return "options.progress cannot be changed: it says whether the client sends more";
    if (!has_same_payload(own, merged))
        return "options.ppt_* and enc_* cannot be changed: they say what the payload is";
    if (merged->invoke == INVOKE_UNKNOWN && !core->options.invoke_unknown_fallback)
        return "options.invoke: expected \"single\", \"roundrobin\", \"random\", \"first\" or "
               "\"last\"";
    return NULL;
}

/* Reads the options, with what stands before those of the client. */
static const char *read_options(struct core *core, const struct msg *msg, struct amended *amended)
{
    struct options own;
    struct fault fault;
    const char *words;

    if (options_read(&amended->options, &amended->msg, &core->scratch, &fault) < 0)
        return arena_copy(&core->scratch, slice_make(fault.words, strlen(fault.words) + 1)).data;
    if (amended->msg.dict.data != msg->dict.data) {
        if (options_read(&own, msg, &core->scratch, &fault) < 0)
            return "the options are not what they were when they came";
        words = fault_of_options(core, &own, &amended->options);
        if (words != NULL)
            return words;
    }
    if (amended->options.invoke == INVOKE_UNKNOWN)
        amended->options.invoke = INVOKE_ROUNDROBIN;
    return NULL;
}

/* ---- payload ---- */

static struct slice unless_empty(struct core *core, enum codec codec, struct slice value,
                                 bool is_dict)
{
    struct dict_walk item;
    bool has_items;

    if (is_dict)
        dict_walk(&item, codec, value, &core->scratch);
    else
        list_walk(&item, codec, value, &core->scratch);
    has_items = is_dict ? dict_next(&item) : list_next(&item);
    return has_items ? value : (struct slice){0};
}

static struct slice in_codec(struct core *core, enum codec from, struct slice value, enum codec to)
{
    return value.len == 0 || from == to ? value : keep(core, transcode(from, value, to));
}

/* The payload has one serializer: that of the grant when all comes from there, else the client's. */
static void replace_payload(struct core *core, struct payload *payload, const struct grant *grant)
{
    bool is_all = (grant->args.data != NULL || payload->args.len == 0) &&
                  (grant->kwargs.data != NULL || payload->kwargs.len == 0);
    enum codec codec = is_all ? grant->codec : payload->codec;

    if (grant->args.data != NULL)
        payload->args =
            unless_empty(core, codec, in_codec(core, grant->codec, grant->args, codec), false);
    if (grant->kwargs.data != NULL)
        payload->kwargs =
            unless_empty(core, codec, in_codec(core, grant->codec, grant->kwargs, codec), true);
    payload->codec = codec;
    payload->kind =
        payload->args.len == 0 && payload->kwargs.len == 0 ? PAYLOAD_NONE : PAYLOAD_ARGS;
}

static const char *amend_payload(struct core *core, const struct grant *grant,
                                 struct amended *amended)
{
    if (grant->args.data == NULL && grant->kwargs.data == NULL)
        return NULL;
    if (options_is_ppt(&amended->options) || amended->msg.payload.kind == PAYLOAD_RAW)
        return "args, kwargs: the payload is for its receivers alone and cannot be replaced";
    replace_payload(core, &amended->msg.payload, grant);
    return NULL;
}

/* ---- requests ---- */

static const char *amend_uri(const struct core *core, const struct session *session,
                             const struct grant *grant, struct amended *amended)
{
    bool is_speaking = amended->msg.type == MSG_PUBLISH || amended->msg.type == MSG_REGISTER;

    if (grant->uri.data == NULL)
        return NULL;
    if (!uri_is_valid(grant->uri, amended->options.match, core->options.strict_uris))
        return "uri: not a valid URI for what it stands in";
    if (is_speaking && core_reserves_from(core, session, grant->uri))
        return "uri: reserved for the router (reserved_prefixes)";
    amended->options.asked = amended->msg.text;
    amended->msg.text = grant->uri;
    return NULL;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    return a < b ? a : b;
}

/* What is left to be done of both: what was said stands before what the rules gave. */
static struct grant join_grants(const struct grant *given, const struct grant *grant)
{
    bool says_who = grant->discloses || grant->hides;
    const struct grant *trust = grant->has_trustlevel ? grant : given;

    return (struct grant){.discloses = says_who ? grant->discloses : given->discloses,
                          .hides = says_who ? grant->hides : given->hides,
                          .has_trustlevel = trust->has_trustlevel,
                          .trustlevel = trust->trustlevel,
                          .timeout_ms = shorter(given->timeout_ms, grant->timeout_ms),
                          .is_explicit =
                              grant->is_explicit || (given->is_explicit && grant->uri.data == NULL),
                          .audience = grant->audience,
                          .rule_audience = given->audience};
}

const char *amend_request(struct core *core, const struct session *session, const struct msg *msg,
                          const struct grant *given, const struct grant *grant,
                          struct amended *amended)
{
    const char *words;

    amended->msg = *msg;
    merge_options(core, &amended->msg, given);
    merge_options(core, &amended->msg, grant);
    words = read_options(core, msg, amended);
    if (words == NULL)
        words = amend_uri(core, session, grant, amended);
    if (words == NULL)
        words = amend_payload(core, grant, amended);
    amended->options.grant = join_grants(given, grant);
    return words;
}

const char *amend_chunk(struct core *core, const struct msg *msg, const struct grant *grant,
                        struct amended *amended)
{
    const char *words;

    amended->msg = *msg;
    words = read_options(core, msg, amended);
    return words != NULL ? words : amend_payload(core, grant, amended);
}

/* ---- answers ---- */

const char *amend_answer(struct core *core, const struct msg *msg, const struct grant *grant,
                         struct amended *amended)
{
    const char *words;

    amended->msg = *msg;
    words = read_options(core, msg, amended);
    if (words != NULL)
        return words;
    if (grant->options.len != 0)
        return "options: an answer has none that could be replaced";
    if (grant->uri.data != NULL) {
        if (msg->type != MSG_ERROR)
            return "uri: a result has none";
        if (!uri_is_valid(grant->uri, MATCH_EXACT, core->options.strict_uris))
            return "uri: not a valid URI of an error";
        amended->msg.text = grant->uri;
    }
    return amend_payload(core, grant, amended);
}
