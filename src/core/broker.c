/* broker.c -- see broker.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/broker.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/filter.h"
#include "core/reply.h"
#include "wire/errors.h"

struct member {
    struct session *session;           /* borrowed */
    struct subscription *subscription; /* borrowed */
    size_t place;                      /* in subscription->members */
    struct list in_session;            /* session->members */
};

struct subscription {
    struct match_entry entry; /* entry.uri points at `uri` */
    uint64_t id;
    uint64_t created;        /* wall clock, ms */
    struct member **members; /* array owned; the members belong to broker->members */
    size_t member_count, member_cap;
    char uri[];
};

void broker_init(struct core *core)
{
    match_init(&core->broker.index, rng_u64(&core->rng), rng_u64(&core->rng));
    map_init(&core->broker.by_id, rng_u64(&core->rng));
    map_init(&core->broker.members, rng_u64(&core->rng));
}

void broker_fini(struct core *core)
{
    match_fini(&core->broker.index);
    map_fini(&core->broker.by_id);
    map_fini(&core->broker.members);
}

/* ---- subscriptions and their members ---- */

static struct subscription *subscription_new(struct core *core, enum match match, struct slice uri)
{
    struct subscription *sub = mem_alloc(sizeof *sub + uri.len);

    *sub = (struct subscription){.id = ++core->last_id, .created = core->wall};
    memcpy(sub->uri, uri.data, uri.len);
    sub->entry = (struct match_entry){slice_make(sub->uri, uri.len), match};
    match_insert(&core->broker.index, &sub->entry);
    map_put(&core->broker.by_id, sub->id, 0, sub);
    core->counters.subscriptions++;
    return sub;
}

static void subscription_free(struct core *core, struct subscription *sub)
{
    match_remove(&core->broker.index, &sub->entry);
    map_remove(&core->broker.by_id, sub->id, 0);
    core->counters.subscriptions--;
    mem_free(sub->members);
    mem_free(sub);
}

static void attach(struct core *core, struct subscription *sub, struct session *session)
{
    struct member *member = mem_alloc(sizeof *member);

    if (sub->member_count == sub->member_cap) {
        sub->member_cap = sub->member_cap == 0 ? 1 : sub->member_cap * 2;
        sub->members = mem_grow(sub->members, sub->member_cap * sizeof(struct member *));
    }
    *member = (struct member){.session = session, .subscription = sub, .place = sub->member_count};
    sub->members[sub->member_count++] = member;
    list_append(&session->members, &member->in_session);
    session->subscription_count++;
    map_put(&core->broker.members, session->id, sub->id, member);
}

/* The reverse of attach; the last member takes the subscription along. */
static void detach(struct core *core, struct member *member)
{
    struct subscription *sub = member->subscription;
    struct member *last = sub->members[--sub->member_count];

    sub->members[member->place] = last;
    last->place = member->place;
    list_remove(&member->in_session);
    member->session->subscription_count--;
    map_remove(&core->broker.members, member->session->id, sub->id);
    mem_free(member);
    if (sub->member_count == 0)
        subscription_free(core, sub);
}

void broker_leave(struct core *core, struct session *session)
{
    list_each (&session->members, node, after)
        detach(core, container_of(node, struct member, in_session));
}

void broker_subscribe(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options)
{
    if (!uri_is_valid(msg->text, options->match, core->options.strict_uris)) {
        session_send_error(core, session, MSG_SUBSCRIBE, msg->id, WAMP_INVALID_URI,
                           "SUBSCRIBE.Topic is not a valid URI for its match policy");
        return;
    }

    struct match_entry *entry = match_find(&core->broker.index, options->match, msg->text);
    struct subscription *sub =
        entry == NULL ? NULL : container_of(entry, struct subscription, entry);
    bool is_member = sub != NULL && map_get(&core->broker.members, session->id, sub->id) != NULL;

    if (!is_member && session->subscription_count >= core->options.max_subscriptions) {
        session_send_error(core, session, MSG_SUBSCRIBE, msg->id, WAMP_OPTION_NOT_ALLOWED,
                           "too many subscriptions in this session (max_subscriptions)");
        return;
    }
    if (sub == NULL)
        sub = subscription_new(core, options->match, msg->text);
    if (!is_member)
        attach(core, sub, session);
    session_send(core, session, reply_done(session->codec, MSG_SUBSCRIBED, msg->id, sub->id));
}

void broker_unsubscribe(struct core *core, struct session *session, const struct msg *msg)
{
    struct member *member = map_get(&core->broker.members, session->id, msg->second);

    if (member == NULL) {
        session_send_error(core, session, MSG_UNSUBSCRIBE, msg->id, WAMP_NO_SUCH_SUBSCRIPTION,
                           "the session has no subscription with this id");
        return;
    }
    detach(core, member);
    session_send(core, session, reply_done(session->codec, MSG_UNSUBSCRIBED, msg->id, 0));
}

/* ---- publications ---- */

/* A publication on its way to the subscriptions that match. */
struct publication {
    struct core *core;
    struct session *publisher; /* borrowed */
    uint64_t id;
    uint64_t topic_hash; /* of patterns: tells topics apart in queues that conflate */
    const struct msg *msg;
    const struct options *options;
    struct filter_set filters;
    bool is_disclosed;
    struct identity identity; /* of the publisher */
};

/* How EVENTs of one subscription and serializer may differ: for those who do or do not know raw
 * payloads, and who do or do not want trust levels. */
enum variant { VARIANT_WRAP_RAW = 1, VARIANT_TRUSTLEVEL = 2, VARIANT_COUNT = 4 };

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

    return reply_event(&(struct forward){.codec = codec,
                                         .id = sub->id,
                                         .second = pub->id,
                                         .uri_key = is_pattern ? "topic" : NULL,
                                         .uri = pub->msg->text,
                                         .identity_key = "publisher",
                                         .identity = pub->is_disclosed ? &pub->identity : NULL,
                                         .trustlevel = (variant & VARIANT_TRUSTLEVEL) != 0
                                                           ? pub->publisher->trustlevel
                                                           : NO_TRUSTLEVEL,
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
    if (pub->publisher->trustlevel >= 0 && (to->features & SUBSCRIBER_PUBLICATION_TRUSTLEVELS) != 0)
        variant |= VARIANT_TRUSTLEVEL;
    return variant;
}

static bool is_audience(const struct publication *pub, const struct session *to)
{
    if (to == pub->publisher && pub->options->exclude_me)
        return false;
    if (pub->filters.count == 0 || filters_pass(&pub->filters, to))
        return true;
    pub->core->counters.filtered++;
    return false;
}

/* One number for (subscription, topic): the latest event of a topic may replace a queued one. */
static uint64_t conflation_key(struct publication *pub, const struct subscription *sub)
{
    if (sub->entry.match == MATCH_EXACT)
        return sub->id;
    if (pub->topic_hash == 0)
        pub->topic_hash = hash_bytes(pub->msg->text, pub->core->broker.index.seed[0], 0) | 1;
    return pub->topic_hash ^ (sub->id * UINT64_C(0x9e3779b97f4a7c15));
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
    uint64_t key = conflation_key(pub, sub);
    struct encodings encodings;

    encodings.made = 0;
    for (size_t i = 0; i < sub->member_count; i++) {
        const struct session *to = sub->members[i]->session;

        if (!is_audience(pub, to))
            continue;

        struct encoding *event = encoding_for(&encodings, pub, sub, to);

        if (UNLIKELY(event->blob->len > to->send_max)) {
            core->counters.oversized++;
            continue;
        }
        event->uses++;
        outbox_send(core->out, to->peer, event->blob, SEND_EVENT, key);
    }
    share_out(core, &encodings);
}

/* What is wrong with a publication, as the URI of an ERROR; NULL: nothing. */
static const char *fault_of(struct core *core, struct publication *pub, const char **words,
                            struct fault *fault)
{
    if (!uri_is_valid(pub->msg->text, MATCH_EXACT, core->options.strict_uris)) {
        *words = "PUBLISH.Topic is not a valid URI";
        return WAMP_INVALID_URI;
    }
    if (uri_is_reserved(pub->msg->text, MATCH_EXACT)) {
        *words = "PUBLISH.Topic is reserved: it begins with \"wamp\"";
        return WAMP_INVALID_URI;
    }
    if (pub->options->disclose_me && core->options.disclose_publisher == DISCLOSE_NEVER) {
        *words = "this realm does not disclose publishers";
        return WAMP_DISCLOSE_ME_DISALLOWED;
    }
    if (filters_build(&pub->filters, pub->options, pub->msg->codec, &core->intern,
                      core->options.empty_eligible_is_absent, &core->scratch, fault) < 0) {
        *words = fault->words;
        return fault->uri;
    }
    return NULL;
}

void broker_publish(struct core *core, struct session *session, const struct msg *msg,
                    const struct options *options)
{
    struct publication pub = {.core = core, .publisher = session, .msg = msg, .options = options};
    struct fault fault;
    const char *words, *error = fault_of(core, &pub, &words, &fault);

    if (error != NULL) {
        if (options->acknowledge)
            session_send_error(core, session, MSG_PUBLISH, msg->id, error, words);
        return;
    }
    pub.id = rng_wamp_id(&core->rng);
    pub.is_disclosed = options->disclose_me || core->options.disclose_publisher == DISCLOSE_ALWAYS;
    pub.identity = (struct identity){session->id, intern_get_text(&core->intern, session->authid),
                                     intern_get_text(&core->intern, session->authrole)};
    core->counters.publications++;
    if (options->acknowledge)
        session_send(core, session, reply_done(session->codec, MSG_PUBLISHED, msg->id, pub.id));
    match_all(&core->broker.index, msg->text, fan_out, &pub);
}

void broker_check(const struct core *core)
{
    const struct broker *broker = &core->broker;
    const struct map_entry *at;
    size_t i = 0, members = 0;

    CHECK(match_count(&broker->index) == broker->by_id.count);
    CHECK(core->counters.subscriptions == broker->by_id.count);
    while ((at = map_next(&broker->by_id, &i)) != NULL) {
        struct subscription *sub = at->value;

        CHECK(sub->id == at->a && sub->id <= core->last_id);
        CHECK(match_find(&broker->index, sub->entry.match, sub->entry.uri) == &sub->entry);
        CHECK(sub->member_count > 0);
        members += sub->member_count;
        for (size_t m = 0; m < sub->member_count; m++) {
            const struct member *member = sub->members[m];

            CHECK(member->place == m && member->subscription == sub);
            CHECK(member->session->state == SESSION_ESTABLISHED);
            CHECK(map_get(&core->by_id, member->session->id, 0) == member->session);
            CHECK(map_get(&broker->members, member->session->id, sub->id) == member);
        }
    }
    CHECK(members == broker->members.count);
}
