/* publish.c -- see publish.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/publish.h"

#include "base/check.h"
#include "core/audience.h"
#include "core/core_priv.h"
#include "core/history.h"
#include "core/judge.h"
#include "core/retained.h"
#include "core/send.h"
#include "wire/errors.h"

/* How EVENTs of one subscription and serializer may differ: for those who do or do not know raw
 * payloads, and who do or do not want trust levels. */
enum variant {
    VARIANT_WRAP_RAW = 1,
    VARIANT_TRUSTLEVEL = 2,
    VARIANT_DISCLOSED = 4, /* to the router's own code, which always knows who published */
    VARIANT_COUNT = 8
};

/* One encoding, and how many receivers share it. */
struct encoding {
    struct blob *blob;
    unsigned uses;
};

struct encodings {
    unsigned made; /* bit set of the places in `of` that hold something */
    struct encoding of[CODEC_COUNT * VARIANT_COUNT];
};

static struct blob *encode_event(const struct publication *pub, const struct subscription *sub,
                                 enum codec codec, unsigned variant)
{
    bool is_pattern = sub->entry.match != MATCH_EXACT;

    return reply_event(&(struct forward){
        .codec = codec,
        .id = sub->id,
        .second = pub->id,
        .uri_key = is_pattern ? "topic" : NULL,
        .uri = pub->msg->text,
        .identity_key = "publisher",
        .identity =
            pub->is_disclosed || ((variant & VARIANT_DISCLOSED) != 0 && pub->identity.session != 0)
                ? &pub->identity
                : NULL,
        .trustlevel = (variant & VARIANT_TRUSTLEVEL) != 0 ? pub->trustlevel : NO_TRUSTLEVEL,
        .options = pub->options,
        .payload = &pub->msg->payload,
        .wrap_raw = (variant & VARIANT_WRAP_RAW) != 0});
}

static unsigned variant_for(const struct publication *pub, const struct session *to)
{
    unsigned variant = 0;

    if (pub->msg->payload.kind == PAYLOAD_RAW &&
        (to->features & SUBSCRIBER_PAYLOAD_TRANSPARENCY) == 0)
        variant |= VARIANT_WRAP_RAW;
    if (pub->trustlevel >= 0 && (to->features & SUBSCRIBER_PUBLICATION_TRUSTLEVELS) != 0)
        variant |= VARIANT_TRUSTLEVEL;
    if (UNLIKELY(to->is_trusted))
        variant |= VARIANT_DISCLOSED;
    return variant;
}

static bool is_admitted(const struct publication *pub, const struct session *to)
{
    for (unsigned i = 0; i < pub->audience_count; i++)
        if (!audience_admits(pub->audiences[i], to))
            return false;
    return true;
}

static bool is_audience(const struct publication *pub, const struct session *to)
{
    if (to == pub->excluded)
        return false;
    if ((pub->filters.count == 0 || filters_pass(&pub->filters, to)) &&
        (pub->audience_count == 0 || is_admitted(pub, to)))
        return true;
    pub->core->counters.filtered++;
    return false;
}

uint64_t publish_key(const struct core *core, const struct subscription *sub, struct slice topic,
                     uint64_t *topic_hash)
{
    if (sub->entry.match == MATCH_EXACT)
        return sub->id;
    if (*topic_hash == 0)
        *topic_hash = hash_bytes(topic, core->broker.index.seed[0], 0) | 1;
    return *topic_hash ^ (sub->id * UINT64_C(0x9e3779b97f4a7c15));
}

/* The encoding that this receiver takes; made when it is the first one. */
static struct encoding *encoding_for(struct encodings *encodings, const struct publication *pub,
                                     const struct subscription *sub, const struct session *to)
{
    unsigned variant = variant_for(pub, to);
    unsigned place = (unsigned)to->codec * VARIANT_COUNT + variant;
    struct encoding *encoding = &encodings->of[place];

    if (UNLIKELY((encodings->made & (1U << place)) == 0)) {
        encodings->made |= 1U << place;
        *encoding = (struct encoding){.blob = encode_event(pub, sub, to->codec, variant)};
    }
    return encoding;
}

/* Every receiver gets a reference of its own: the first is there, the others with one addition. */
static void share_out(struct core *core, struct encodings *encodings)
{
    for (unsigned left = encodings->made; left != 0; left &= left - 1) {
        struct encoding *encoding = &encodings->of[__builtin_ctz(left)];

        core->counters.events += encoding->uses;
        if (encoding->uses == 0)
            blob_drop(encoding->blob);
        else if (encoding->uses > 1)
            blob_hold_many(encoding->blob, encoding->uses - 1);
    }
}

/* EVENT differs between subscriptions (it carries their id) and between serializers, in nothing
 * else: so one encoding for each pair, and its receivers share the bytes. */
static void fan_out(void *ctx, struct match_entry *entry)
{
    struct publication *pub = ctx;
    const struct subscription *sub = container_of(entry, struct subscription, entry);
    struct core *core = pub->core;
    uint64_t key = publish_key(core, sub, pub->msg->text, &pub->topic_hash);
    const struct shard *shard =
        pub->options->rkey.data == NULL ? NULL : broker_choose_shard(sub, pub->options->rkey);
    bool has_late = core->late.asks.count != 0;
    struct encodings encodings;

    if (UNLIKELY(sub->log != NULL))
        history_keep(pub, sub);
    encodings.made = 0;
    for (size_t i = 0; i < sub->member_count; i++) {
        const struct session *to = sub->members[i]->session;

        if (!is_audience(pub, to) || (shard != NULL && shard_is_elsewhere(sub->members[i], shard)))
            continue;

        struct encoding *event = encoding_for(&encodings, pub, sub, to);

        if (UNLIKELY(event->blob->len > to->send_max)) {
            core->counters.oversized++;
            continue;
        }
        event->uses++;
        if (UNLIKELY(has_late && !list_is_empty(&to->late)))
            late_overtake(core, sub->members[i], pub->msg->text);
        outbox_send(core->out, to->peer, event->blob, SEND_EVENT, key);
    }
    share_out(core, &encodings);
}

/* ---- what is wrong with it ---- */

const char *publish_fault(struct publication *pub, const char **words)
{
    struct core *core = pub->core;
    struct fault fault;

    if (!uri_is_valid(pub->msg->text, MATCH_EXACT, core->options.strict_uris)) {
        *words = "PUBLISH.Topic is not a valid URI";
        return WAMP_INVALID_URI;
    }
    if (core_reserves(core, pub->msg->text) &&
        (!pub->is_trusted || uri_is_within(pub->msg->text, SLICE("wamp")))) {
        *words = "PUBLISH.Topic is reserved for the router (reserved_prefixes)";
        return WAMP_INVALID_URI;
    }
    if (pub->options->disclose_me && !pub->options->grant.discloses &&
        (core->options.disclose_publisher == DISCLOSE_NEVER || pub->options->grant.hides)) {
        *words = "publishers are not disclosed here";
        return WAMP_DISCLOSE_ME_DISALLOWED;
    }
    if (filters_check(pub->options, core->options.filterable, &fault) < 0 ||
        filters_build(&pub->filters, pub->options, pub->msg->codec, &core->intern,
                      core->options.empty_eligible_is_absent, &core->scratch, &fault) < 0) {
        *words = arena_copy(&core->scratch, slice_make(fault.words, strlen(fault.words) + 1)).data;
        return fault.uri;
    }
    return NULL;
}

/* ---- out with it ---- */

bool publish_has_audience(const struct publication *pub)
{
    return pub->audience_count != 0 || pub->is_unasked;
}

/* What was said of who may have it; NULL: nothing. */
static const struct audience *audience_at(const struct publication *pub, unsigned i)
{
    const struct grant *grant = &pub->options->grant;
    const struct audience *const all[MAX_AUDIENCES] = {grant->rule_audience, grant->audience,
                                                       grant->filter_audience};

    return all[i];
}

bool publish_is_for_nobody(const struct publication *pub)
{
    for (unsigned i = 0; i < MAX_AUDIENCES; i++)
        if (audience_at(pub, i) != NULL && audience_is_nobody(audience_at(pub, i)))
            return true;
    return false;
}

bool publish_asks_again(const struct publication *pub)
{
    for (unsigned i = 0; i < MAX_AUDIENCES; i++)
        if (audience_at(pub, i) != NULL && audience_has_tree(audience_at(pub, i)))
            return true;
    return pub->is_unasked;
}

/* Takes both over. So many conditions that they cannot be joined are nobody's. */
static const struct audience *join(const struct audience *a, const struct audience *b)
{
    const struct audience *both;
    struct fault fault;

    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    both = audience_both(a, b, &fault);
    if (both == NULL)
        both = audience_nobody();
    audience_drop(a);
    audience_drop(b);
    return both;
}

/* What of the audiences can be kept; NULL: nothing. Held once. */
static const struct audience *bind_audience(const struct publication *pub)
{
    const struct audience *bound = NULL;

    for (unsigned i = 0; i < MAX_AUDIENCES; i++)
        if (audience_at(pub, i) != NULL)
            bound = join(bound, audience_bind(audience_at(pub, i), pub->core, pub->publisher));
    return bound;
}

struct record *publish_record(struct publication *pub)
{
    const struct audience *audience;
    bool asks_again;

    if (pub->record != NULL)
        return pub->record;
    asks_again = publish_asks_again(pub);
    audience = publish_has_audience(pub) ? bind_audience(pub) : NULL;
    pub->record = record_new(
        pub->msg, &(struct record){
                      .wall = pub->core->wall,
                      .publication = pub->id,
                      .publisher = pub->identity.session,
                      .trustlevel = pub->trustlevel,
                      .is_disclosed = pub->is_disclosed,
                      .is_restricted = pub->filters.count != 0 || audience != NULL || asks_again,
                      .asks_again = asks_again,
                      .audience = audience,
                      .authid = pub->identity.authid,
                      .authrole = pub->identity.authrole,
                      .details = asks_again ? pub->publisher->details : (struct slice){0},
                  });
    audience_drop(audience);
    return pub->record;
}

/* Who gets it besides what the options of the publisher say. */
static void set_audience(struct publication *pub)
{
    const struct audience_publisher publisher = {.session = pub->publisher};

    pub->is_unasked =
        pub->core->options.asks_filter && pub->options->grant.publication == 0 && !pub->is_trusted;
    for (unsigned i = 0; i < MAX_AUDIENCES; i++) {
        const struct audience *audience = audience_at(pub, i);

        if (audience == NULL)
            continue;
        pub->audiences[pub->audience_count++] = audience_read(audience, pub->core, &publisher);
        pub->core->counters.filter_per_session += audience_per_session(audience);
    }
}

static void run(struct publication *pub)
{
    if (LIKELY(!pub->is_unasked))
        match_all(&pub->core->broker.index, pub->msg->text, fan_out, pub);
    if (UNLIKELY(pub->options->retain))
        retained_keep(pub);
    record_drop(pub->record);
}

/* What a publication has from its session. */
static void set_publisher(struct publication *pub, const struct session *session)
{
    const struct core *core = pub->core;
    const struct grant *grant = &pub->options->grant;

    pub->is_disclosed = !grant->hides && (grant->discloses || pub->options->disclose_me ||
                                          core->options.disclose_publisher == DISCLOSE_ALWAYS);
    pub->identity = (struct identity){session->id, intern_get_text(&core->intern, session->authid),
                                      intern_get_text(&core->intern, session->authrole)};
    pub->trustlevel = grant->has_trustlevel ? grant->trustlevel : session->trustlevel;
    pub->publisher = session;
    set_audience(pub);
}

void publish_receive(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options)
{
    struct publication pub = {
        .core = core, .msg = msg, .options = options, .is_trusted = session->is_trusted};
    const char *words, *error = publish_fault(&pub, &words);

    if (error != NULL) {
        if (options->acknowledge)
            send_error(core, session, MSG_PUBLISH, msg->id, error, words);
        return;
    }
    pub.id = UNLIKELY(options->grant.publication != 0) ? options->grant.publication
                                                       : rng_wamp_id(&core->rng);
    pub.excluded = options->exclude_me ? session : NULL;
    set_publisher(&pub, session);
    core->counters.publications++;
    if (options->acknowledge)
        send_reply(core, session, reply_done(session->codec, MSG_PUBLISHED, msg->id, pub.id));
    run(&pub);
}

void publish_testament(struct core *core, struct session *session, const struct msg *msg)
{
    struct amended amended;
    struct publication pub = {.core = core,
                              .msg = &amended.msg,
                              .options = &amended.options,
                              .excluded = session,
                              .is_trusted = session->is_trusted};
    const char *words;

    if (judge_testament(core, session, msg, &amended) != NULL ||
        publish_fault(&pub, &words) != NULL)
        return;
    pub.id = rng_wamp_id(&core->rng);
    set_publisher(&pub, session);
    core->counters.publications++;
    run(&pub);
}

void publish_meta(struct core *core, const char *topic, enum codec codec, struct slice args,
                  const struct session *excluded)
{
    static const struct options no_options = {0};
    const struct msg msg = {.type = MSG_PUBLISH,
                            .codec = codec,
                            .text = slice_of(topic),
                            .payload = {.codec = codec, .kind = PAYLOAD_ARGS, .args = args}};
    struct publication pub = {.core = core,
                              .id = rng_wamp_id(&core->rng),
                              .excluded = excluded,
                              .msg = &msg,
                              .options = &no_options,
                              .is_meta = true,
                              .trustlevel = NO_TRUSTLEVEL};

    run(&pub);
}
