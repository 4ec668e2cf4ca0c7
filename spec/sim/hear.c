/* hear.c -- see world_priv.h: what the core sends to peers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/errors.h"
#include "world_priv.h"

static void end_call(const struct world *world, struct peer *peer, uint64_t request)
{
    CHECK(numbers_remove(&peer->calls, request));
    streams_end(&peer->streams, request, world->now);
}

static void on_error(const struct world *world, struct peer *peer, const struct msg *msg)
{
    if (msg->request_type == MSG_INVOCATION) {
        CHECK(numbers_remove(&peer->invocations, msg->id));
    } else if (msg->request_type == MSG_CALL) {
        end_call(world, peer, msg->id);
    } else {
        CHECK(peer->question.type == msg->request_type && peer->question.request == msg->id);
        peer->question.type = MSG_NONE;
    }
}

/* Who takes a procedure by force takes it from all who have it; those who can be told were told. */
static void lose_forced(struct world *world, const struct peer *taker, uint64_t new_id)
{
    const struct open_request *question = &taker->question;

    for (unsigned p = 0; p < world->peer_count; p++) {
        struct peer *peer = &world->peers[p];

        for (size_t i = 0; peer->place == IN_REALM && peer->realm == taker->realm &&
                           i < peer->registrations.count;
             i++) {
            const struct held *held = &peer->registrations.at[i];

            if (held->id == new_id || held->match != question->match ||
                !slice_eq(held->uri, question->uri))
                continue;
            CHECK(question->is_forced && !(peer->manners == POLITE && peer->has_features));
            census_lose(world, peer, REGISTRATION, held->id);
            break; /* it has it once */
        }
    }
}

/* The number under a key of a dictionary that the core made; 0: it is not there. */
static uint64_t number_in(struct world *world, const struct msg *msg, const char *key)
{
    struct dict_walk entry;

    dict_walk(&entry, msg->codec, msg->dict, &world->arena);
    while (dict_next(&entry))
        if (slice_eq(entry.key, slice_of(key)) && entry.token.type == TOKEN_UINT)
            return entry.token.natural;
    return 0;
}

static void on_revoked(struct world *world, struct peer *peer, const struct msg *msg)
{
    enum holding holding = msg->type == MSG_UNREGISTERED ? REGISTRATION : SUBSCRIPTION;
    uint64_t id = number_in(world, msg, holding == REGISTRATION ? "registration" : "subscription");
    bool is_forced =
        holding == REGISTRATION && peer->question.type == MSG_REGISTER && peer->question.is_forced;

    CHECK(peer->has_features);
    CHECK(is_forced || asked_removes(world, peer, holding, id));
    census_lose(world, peer, holding, id);
}

/* An id of a publication. */
static void remember(struct realm *realm, uint64_t publication)
{
    if (publication == realm->publications[0])
        return;
    memmove(realm->publications + 1, realm->publications,
            sizeof(realm->publications) - sizeof(realm->publications[0]));
    realm->publications[0] = publication;
}

/* The answer to the question of this step. */
static void on_done(struct world *world, struct peer *peer, const struct msg *msg)
{
    const struct open_request *question = &peer->question;

    CHECK(question->request == msg->id);
    CHECK(msg->type == question->type + 1 && question->type != MSG_NONE);
    if (msg->type == MSG_SUBSCRIBED)
        held_set_nkey(
            census_gain(world, peer, SUBSCRIPTION, msg->second, question->match, question->uri),
            question->nkey);
    else if (msg->type == MSG_PUBLISHED)
        remember(&world->realms[peer->realm], msg->second);
    else if (msg->type == MSG_REGISTERED)
        lose_forced(world, peer, msg->second);
    if (msg->type == MSG_REGISTERED)
        census_gain(world, peer, REGISTRATION, msg->second, question->match, question->uri);
    else if (msg->type == MSG_UNSUBSCRIBED)
        census_lose(world, peer, SUBSCRIPTION, question->target);
    else if (msg->type == MSG_UNREGISTERED)
        census_lose(world, peer, REGISTRATION, question->target);
    peer->is_given_retained = msg->type == MSG_SUBSCRIBED && question->get_retained;
    peer->question.type = MSG_NONE;
}

static void on_goodbye(struct world *world, struct peer *peer, const struct msg *msg)
{
    /* After the answer to a GOODBYE a release follows; after one of the router's own, nothing. */
    if (!slice_eq(msg->text, SLICE(WAMP_GOODBYE_AND_OUT)))
        world_end_session(world, peer, SHUT_DOWN);
}

static void on_event(struct world *world, struct peer *peer, const struct msg *msg)
{
    const struct held *held = held_find(&peer->subscriptions, msg->id);
    struct slice topic;
    bool is_retained = false;
    struct dict_walk entry;

    CHECK(held != NULL);
    topic = held->uri;
    dict_walk(&entry, msg->codec, msg->dict, &world->arena);
    while (dict_next(&entry)) {
        if (slice_eq(entry.key, SLICE("topic")))
            topic = entry.token.text;
        else if (slice_eq(entry.key, SLICE("retained")))
            is_retained = entry.token.boolean;
    }
    CHECK(uri_matches(held->uri, held->match, topic));
    CHECK(!is_retained || peer->is_given_retained);
    if (world_reserves(world, topic)) {
        census_hear(world, peer, msg, topic);
        return;
    }
    CHECK(is_retained == peer->is_given_retained);
    remember(&world->realms[peer->realm], msg->second);
}

static void on_invocation(const struct world *world, struct peer *peer, const struct msg *msg,
                          const struct options *options, const struct action *action)
{
    CHECK(action->kind == SEND_INVOCATION && action->key == msg->id);
    CHECK(peer->has_features ||
          (!options->progress && !options->receive_progress && options->timeout == 0));
    if (world->is_chunk) { /* also of an invocation that was answered badly or is not held now */
        CHECK(peer->has_features && msg->id <= peer->last_invocation);
        CHECK(!numbers_have(&peer->killed, msg->id));
        return;
    }
    CHECK(held_find(&peer->registrations, msg->second) != NULL);
    if (peer->streaming != 0 && msg->id == peer->streaming) { /* input that had to wait, too */
        peer->streaming = options->progress ? msg->id : 0;
        return;
    }
    CHECK(msg->id == peer->last_invocation + 1);
    peer->last_invocation = msg->id;
    peer->streaming = options->progress ? msg->id : 0;
    numbers_add(&peer->invocations, msg->id);
}

static bool is_kill(struct world *world, const struct msg *msg)
{
    struct dict_walk entry;

    dict_walk(&entry, msg->codec, msg->dict, &world->arena);
    while (dict_next(&entry))
        if (slice_eq(entry.key, SLICE("mode")))
            return slice_eq(entry.token.text, SLICE("kill"));
    UNREACHABLE("an INTERRUPT without mode");
}

static void on_interrupt(struct world *world, struct peer *peer, const struct msg *msg)
{
    bool was_killed = numbers_have(&peer->killed, msg->id);

    CHECK(peer->has_features);
    if (is_kill(world, msg)) {
        CHECK(!was_killed && numbers_have(&peer->invocations, msg->id));
        numbers_add(&peer->killed, msg->id);
        return;
    }
    if (world->is_progress) { /* the call may be over for long: knob reinterrupt */
        CHECK(world->options.reinterrupt || numbers_have(&peer->invocations, msg->id));
        CHECK(msg->id <= peer->last_invocation);
        (void)numbers_remove(&peer->invocations, msg->id);
        return;
    }
    CHECK(!was_killed && numbers_remove(&peer->invocations, msg->id));
}

static void on_result(struct world *world, struct peer *peer, const struct msg *msg,
                      const struct options *options)
{
    asked_result(world, peer, msg);
    if (options->progress)
        CHECK(numbers_have(&peer->calls, msg->id));
    else
        end_call(world, peer, msg->id);
}

static void on_session_message(struct world *world, struct peer *peer, const struct msg *msg,
                               const struct options *options, const struct action *action)
{
    switch ((unsigned)msg->type) {
    case MSG_ABORT:
        CHECK(peer->manners != POLITE);
        break;
    case MSG_GOODBYE:
        on_goodbye(world, peer, msg);
        break;
    case MSG_ERROR:
        on_error(world, peer, msg);
        break;
    case MSG_EVENT:
        CHECK(action->kind == SEND_EVENT);
        on_event(world, peer, msg);
        break;
    case MSG_RESULT:
        on_result(world, peer, msg, options);
        break;
    case MSG_INVOCATION:
        on_invocation(world, peer, msg, options, action);
        break;
    case MSG_INTERRUPT:
        on_interrupt(world, peer, msg);
        break;
    case MSG_PUBLISHED:
    case MSG_SUBSCRIBED:
    case MSG_UNSUBSCRIBED:
    case MSG_REGISTERED:
    case MSG_UNREGISTERED:
        if (msg->id == 0)
            on_revoked(world, peer, msg);
        else
            on_done(world, peer, msg);
        break;
    default:
        UNREACHABLE("a message that a router does not send to a session");
    }
}

static void on_welcome(struct world *world, struct peer *peer, const struct msg *msg)
{
    struct dict_walk entry;

    peer->session = msg->id;
    dict_walk(&entry, msg->codec, msg->dict, &world->arena);
    while (dict_next(&entry))
        if (slice_eq(entry.key, SLICE("authid")))
            (void)snprintf(peer->authid, sizeof(peer->authid), "%.*s", SLICE_ARG(entry.token.text));
    CHECK(peer->authid[0] != '\0');
}

static bool is_bounded(enum msg_type type)
{
    return type == MSG_EVENT || type == MSG_INVOCATION || type == MSG_RESULT;
}

void hear_message(struct world *world, struct peer *peer, const struct action *action)
{
    const struct msg_limits limits = {.raw_payload = true};
    struct options options = {0};
    struct fault fault;
    struct msg msg;

    CHECK(msg_decode(&msg, peer->transport.codec, blob_slice(action->blob), &limits, &world->arena,
                     &fault) == 0);
    CHECK(!is_bounded(msg.type) || action->blob->len <= peer->transport.send_max);
    CHECK(action->kind == SEND_REPLY || msg.type == MSG_EVENT || msg.type == MSG_INVOCATION);
    if (is_bounded(msg.type) || msg.type == MSG_ERROR)
        CHECK(options_read(&options, &msg, &world->arena, &fault) == 0);
    if (peer->place == IN_REALM) {
        on_session_message(world, peer, &msg, &options, action);
        return;
    }
    CHECK(peer->place == IN_LOBBY);
    CHECK(msg.type == MSG_WELCOME || msg.type == MSG_ABORT);
    if (msg.type == MSG_WELCOME)
        on_welcome(world, peer, &msg);
}
