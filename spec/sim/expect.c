/* expect.c -- see world_priv.h: what a message of a peer leads to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/shard.h"
#include "world_priv.h"

/* ---- publications ---- */

/* Of the keys under which the members of a subscription share its events, the one for this rkey. */
static struct slice shard_for(const struct world *world, unsigned realm, uint64_t id,
                              struct slice rkey)
{
    struct slice best = {0};
    uint64_t best_score = 0;

    for (unsigned i = 0; i < world->peer_count; i++) {
        const struct peer *peer = &world->peers[i];
        const struct held *held = peer->place == IN_REALM && peer->realm == realm
                                      ? held_find(&peer->subscriptions, id)
                                      : NULL;
        uint64_t score;

        if (held == NULL || held->nkey.data == NULL)
            continue;
        score = shard_score(rkey, held->nkey);
        if (best.data != NULL && !shard_beats(score, held->nkey, best_score, best))
            continue;
        best = held->nkey;
        best_score = score;
    }
    return best;
}

/* Subscribers that a publication concerns: by definition, without lengths. */
struct audience {
    uint64_t all;   /* also those that it does not go to by their nkey */
    uint64_t count; /* without them */
};

static void add_audience(const struct world *world, const struct peer *peer, const struct msg *msg,
                         const struct options *options, struct audience *audience)
{
    for (size_t k = 0; k < peer->subscriptions.count; k++) {
        const struct held *held = &peer->subscriptions.at[k];

        if (!uri_matches(held->uri, held->match, msg->text))
            continue;
        audience->all++;
        audience->count +=
            held->nkey.data == NULL || options->rkey.data == NULL ||
            slice_eq(held->nkey, shard_for(world, peer->realm, held->id, options->rkey));
    }
}

static struct audience audience_of(const struct world *world, const struct peer *publisher,
                                   const struct msg *msg, const struct options *options)
{
    struct audience audience = {0};

    for (unsigned i = 0; i < world->peer_count; i++) {
        const struct peer *peer = &world->peers[i];

        if (peer->place == IN_REALM && peer->realm == publisher->realm &&
            (peer != publisher || !options->exclude_me))
            add_audience(world, peer, msg, options, &audience);
    }
    return audience;
}

static uint64_t considered(const struct core_counters *counters)
{
    return counters->events + counters->filtered + counters->oversized;
}

/* ---- what a peer says ---- */

/* Whether a CALL begins a call, is a chunk of one, or neither: by definition. */
enum call_kind { CALL_NEW, CALL_CHUNK, CALL_NOTHING };

static enum call_kind kind_of_call(const struct world *world, const struct peer *peer,
                                   const struct msg *msg)
{
    enum request_id_check check = world->options.request_id_check;
    const struct stream *stream = streams_find(&peer->streams, msg->id);

    if (numbers_have(&peer->calls, msg->id))
        return stream != NULL && !stream->inputs_done && slice_eq(stream->uri, msg->text)
                   ? CALL_CHUNK
                   : CALL_NOTHING;
    if (check == REQUEST_IDS_LENIENT)
        return streams_remember(&peer->streams, msg->id, world->now) ? CALL_NOTHING : CALL_NEW;
    if (check == REQUEST_IDS_SEQUENTIAL && peer->watermark == 0)
        return CALL_NEW;
    return msg->id == peer->watermark % WAMP_ID_MAX + 1 ? CALL_NEW : CALL_NOTHING;
}

static void expect_call(struct world *world, struct peer *peer, const struct msg *msg,
                        const struct options *options)
{
    enum call_kind kind = kind_of_call(world, peer, msg);

    world->is_chunk = kind == CALL_CHUNK;
    if (kind == CALL_CHUNK) {
        streams_find(&peer->streams, msg->id)->inputs_done = !options->progress;
    } else if (kind == CALL_NEW) {
        peer->watermark = msg->id;
        numbers_add(&peer->calls, msg->id);
        if (options->progress)
            streams_add(&peer->streams, msg->id, msg->text);
        asked_begin(world, peer, msg);
    }
}

/* Notes what the core owes the peer for this message. */
static void expect(struct world *world, struct peer *peer, const struct msg *msg,
                   const struct options *options)
{
    switch ((unsigned)msg->type) {
    case MSG_SUBSCRIBE:
    case MSG_UNSUBSCRIBE:
    case MSG_REGISTER:
    case MSG_UNREGISTER:
        peer->watermark = msg->id;
        break;
    case MSG_PUBLISH:
        peer->watermark = msg->id;
        if (!options->acknowledge)
            return;
        break;
    case MSG_CALL:
        expect_call(world, peer, msg, options);
        return;
    case MSG_YIELD:
        if (!options->progress)
            (void)numbers_remove(&peer->invocations, msg->id);
        return;
    case MSG_ERROR:
        (void)numbers_remove(&peer->invocations, msg->id);
        return;
    default:
        return;
    }
    peer->question = (struct open_request){
        .type = msg->type,
        .request = msg->id,
        .target = msg->second,
        .match = options->match,
        .uri = msg->text,
        .nkey = options->nkey,
        .is_forced = options->force_reregister,
        .get_retained = options->get_retained,
    };
}

/* A YIELD in payload passthru mode may be refused with an ERROR to the callee itself. */
static bool can_bounce(const struct msg *msg, const struct options *options)
{
    return msg->type == MSG_YIELD && !options->progress && options_is_ppt(options);
}

void expect_message(struct world *world, struct peer *peer, const struct msg *msg)
{
    const struct core_counters *counters = core_counters(world->realms[peer->realm].core);
    uint64_t before = considered(counters), publications = counters->publications;
    struct audience audience = {0};
    struct options options = {.exclude_me = true};
    struct fault fault;
    bool is_readable = msg->type == MSG_HELLO || msg->type == MSG_GOODBYE ||
                       options_read(&options, msg, &world->arena, &fault) == 0;

    if (is_readable && peer->place == IN_REALM) {
        if (!can_bounce(msg, &options))
            expect(world, peer, msg, &options);
        if (msg->type == MSG_PUBLISH)
            audience = audience_of(world, peer, msg, &options);
    }
    world->is_progress = is_readable && msg->type == MSG_YIELD && options.progress;
    world_step(world, peer->realm,
               &(struct event){.type = EV_MESSAGE, .peer = peer->id, .msg = msg});
    world->is_chunk = world->is_progress = false;
    CHECK(peer->question.type == MSG_NONE);
    if (msg->type == MSG_PUBLISH && peer->place == IN_REALM &&
        counters->publications != publications) {
        uint64_t count = considered(counters) - before;

        /* who is filtered out counts, in whatever shard it is */
        CHECK(count >= audience.count && count <= audience.all);
        CHECK(options.filter_count != 0 || count == audience.count);
    }
    if (peer->place == IN_REALM && is_readable && can_bounce(msg, &options))
        (void)numbers_remove(&peer->invocations, msg->id);
}
