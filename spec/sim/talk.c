/* talk.c -- see talk.h: picks what happens next, and says the messages of peers.
 *
 * RUDE peers stray down to the octets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "talk.h"

#include "core/features.h"
#include "speech.h"
#include "wire/errors.h"

/* ---- saying it ---- */

static void begin(struct speech *s, enum msg_type type)
{
    s->strays = s->peer->manners != POLITE && choose_rarely(s->c, 32);
    encode_start(&s->e, s->peer->transport.codec, 0);
    encode_list(&s->e, COUNT_UNKNOWN);
    encode_uint(&s->e, (uint64_t)type);
}

static void say(struct speech *s)
{
    struct blob *blob;

    if (speech_may_stray(s, 5))
        speech_put_value(s, 2); /* one element too much */
    encode_end(&s->e);
    blob = encode_finish(&s->e);
    if (s->peer->manners == RUDE && choose_rarely(s->c, 24)) {
        for (unsigned i = choose(s->c, 4); i != 0 && blob->len != 0; i--)
            blob->data[choose(s->c, 256) % blob->len] = (char)choose(s->c, 256);
        if (choose_rarely(s->c, 4))
            blob->len = choose(s->c, 256) % (blob->len + 1);
    }
    world_say(s->world, s->peer, blob_slice(blob));
    blob_drop(blob);
}

/* Octets that need not be anything. */
static void say_octets(struct speech *s)
{
    char octets[64];
    unsigned len = choose(s->c, sizeof(octets) + 1);

    for (unsigned i = 0; i < len; i++)
        octets[i] = (char)choose(s->c, 256);
    world_say(s->world, s->peer, slice_make(octets, len));
}

/* ---- messages ---- */

static void put_features(struct speech *s)
{
    static const char *const features[] = {
#define NAME(role, name, wire) wire,
        FEATURES_ASKED(NAME)
#undef NAME
    };

    encode_map(&s->e, 1);
    encode_text(&s->e, SLICE("features"));
    encode_map(&s->e, ARRAY_LEN(features));
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        encode_text(&s->e, slice_of(features[i]));
        encode_bool(&s->e, s->peer->has_features);
    }
    encode_end(&s->e);
    encode_end(&s->e);
}

static void say_hello(struct speech *s)
{
    static const char *const roles[] = {"publisher", "subscriber", "caller", "callee"};
    static const char *const teams[] = {"red", "blue"};
    unsigned realm = choose(s->c, s->world->realm_count);
    unsigned left_out = choose_rarely(s->c, 8) ? choose(s->c, ROLE_COUNT) : ROLE_COUNT;

    s->peer->roles = ((1U << ROLE_COUNT) - 1) & ~(1U << left_out);
    s->peer->has_features = choose(s->c, 2) == 1 && left_out == ROLE_COUNT;
    begin(s, MSG_HELLO);
    if (realm == 0 && choose(s->c, 2) == 1)
        encode_null(&s->e);
    else if (speech_may_stray(s, 4))
        speech_put_uri(s);
    else
        encode_text(&s->e, slice_of(world_realm(realm)));
    encode_map(&s->e, COUNT_UNKNOWN);
    encode_text(&s->e, SLICE("roles"));
    if (!speech_put_stray(s)) {
        encode_map(&s->e, COUNT_UNKNOWN);
        for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
            if ((s->peer->roles & (1U << i)) == 0)
                continue;
            encode_text(&s->e, slice_of(roles[i]));
            if (!speech_put_stray(s))
                put_features(s);
        }
        encode_end(&s->e);
    }
    encode_text(&s->e, SLICE("x_team"));
    speech_put_name(s, teams, ARRAY_LEN(teams));
    if (speech_may_stray(s, 4)) {
        encode_text(&s->e, SLICE("authmethods"));
        speech_put_value(s, 0);
    }
    encode_end(&s->e);
    say(s);
}

static void say_subscribe(struct speech *s)
{
    begin(s, MSG_SUBSCRIBE);
    speech_put_request(s);
    speech_put_options(s, MSG_SUBSCRIBE);
    speech_put_pattern(s);
    say(s);
}

static void say_register(struct speech *s)
{
    begin(s, MSG_REGISTER);
    speech_put_request(s);
    speech_put_options(s, MSG_REGISTER);
    speech_put_pattern(s);
    say(s);
}

/* UNSUBSCRIBE and UNREGISTER: of what is held, or of something else. */
static void say_leave(struct speech *s, enum msg_type type, const struct held_list *held)
{
    uint64_t id = 1 + choose(s->c, 64);

    if (held->count != 0 && id > 8)
        id = held->at[id % held->count].id;
    begin(s, type);
    speech_put_request(s);
    speech_put_id(s, id);
    if (choose_rarely(s->c, 4)) {
        encode_map(&s->e, 0);
        encode_end(&s->e);
    }
    say(s);
}

static void say_publish(struct speech *s)
{
    begin(s, MSG_PUBLISH);
    speech_put_request(s);
    speech_put_options(s, MSG_PUBLISH);
    speech_put_uri(s);
    speech_put_payload(s);
    say(s);
}

static void say_call(struct speech *s)
{
    begin(s, MSG_CALL);
    speech_put_request(s);
    speech_put_options(s, MSG_CALL);
    speech_put_procedure(s);
    speech_put_payload(s);
    say(s);
}

/* Something of the router itself. */
static void say_meta_call(struct speech *s)
{
    begin(s, MSG_CALL);
    speech_put_request(s);
    encode_map(&s->e, 0);
    encode_end(&s->e);
    speech_put_meta_call(s);
    say(s);
}

/* The next chunk of a call, or one too many. */
static void say_chunk(struct speech *s)
{
    const struct streams *streams = &s->peer->streams;
    const struct stream *stream;

    if (streams->count == 0) {
        say_call(s);
        return;
    }
    stream = &streams->at[choose(s->c, 256) % streams->count];
    if (s->peer->manners == POLITE && (stream->over_at != 0 || stream->inputs_done)) {
        say_call(s);
        return;
    }
    begin(s, MSG_CALL);
    speech_put_id(s, stream->request);
    speech_put_options(s, MSG_CALL);
    encode_text(&s->e, stream->uri);
    speech_put_payload(s);
    say(s);
}

static void say_cancel(struct speech *s)
{
    const struct numbers *calls = &s->peer->calls;

    begin(s, MSG_CANCEL);
    speech_put_id(s, calls->count != 0 ? calls->at[choose(s->c, 256) % calls->count] : 1);
    speech_put_options(s, MSG_CANCEL);
    say(s);
}

/* The invocation to answer, or one that is long over. 0: there was none yet. */
static uint64_t pick_invocation(struct speech *s, bool is_late)
{
    const struct numbers *open = &s->peer->invocations;

    if (s->peer->last_invocation == 0)
        return 0;
    if (open->count != 0 && !is_late)
        return open->at[choose(s->c, 256) % open->count];
    return 1 + choose(s->c, 256) % s->peer->last_invocation;
}

static void say_answer(struct speech *s, bool is_late)
{
    uint64_t id = pick_invocation(s, is_late);

    if (id == 0) {
        world_pass(s->world, 1);
        return;
    }
    if (choose(s->c, 4) != 3) {
        begin(s, MSG_YIELD);
        speech_put_id(s, id);
        speech_put_options(s, MSG_YIELD);
    } else {
        begin(s, MSG_ERROR);
        if (!speech_put_stray(s))
            encode_uint(&s->e, MSG_INVOCATION);
        speech_put_id(s, id);
        speech_put_options(s, MSG_ERROR);
        if (choose(s->c, 2) == 1)
            encode_text(&s->e, SLICE(WAMP_UNAVAILABLE));
        else
            speech_put_uri(s);
    }
    speech_put_payload(s);
    say(s);
}

/* Messages that change nothing, and those that only the router may send. */
static void say_rest(struct speech *s)
{
    unsigned which = 1 + choose(s->c, s->peer->manners == RUDE ? 3 : 1);

    if (which == 1) {
        begin(s, MSG_EVENT_RECEIVED);
        speech_put_id(s, 1 + choose(s->c, 256));
    } else if (which == 2) {
        begin(s, MSG_SUBSCRIBED);
        speech_put_id(s, 1);
        speech_put_id(s, 1);
    } else {
        begin(s, MSG_WELCOME);
        speech_put_id(s, 1);
        speech_put_options(s, MSG_WELCOME);
    }
    say(s);
}

static void say_farewell(struct speech *s, enum msg_type type)
{
    begin(s, type);
    speech_put_options(s, type);
    encode_text(&s->e, type == MSG_GOODBYE ? SLICE(WAMP_CLOSE_NORMAL) : SLICE("com.example.bye"));
    say(s);
}

/* ---- what happens next ---- */

static void do_leave(struct speech *s)
{
    switch (choose(s->c, 4)) {
    case 0:
        say_farewell(s, MSG_ABORT);
        break;
    case 1:
        world_close(s->world, s->peer);
        break;
    default:
        say_farewell(s, MSG_GOODBYE);
        break;
    }
}

/* Whether a message of that role would be no violation, or the peer does not care. */
static bool dares(const struct speech *s, enum role role)
{
    const struct core_options *options = &s->world->options;
    bool is_pubsub = role == ROLE_PUBLISHER || role == ROLE_SUBSCRIBER;

    if (s->peer->manners != POLITE && choose_rarely(s->c, 32))
        return true;
    return (options->roles & (is_pubsub ? ROUTER_BROKER : ROUTER_DEALER)) != 0 &&
           (!options->role_check || (s->peer->roles & (1U << role)) != 0);
}

static void say_as_publisher(struct speech *s)
{
    say_publish(s);
}

static void say_as_subscriber(struct speech *s)
{
    if (choose(s->c, 5) == 4)
        say_leave(s, MSG_UNSUBSCRIBE, &s->peer->subscriptions);
    else
        say_subscribe(s);
}

static void say_as_caller(struct speech *s)
{
    unsigned which = choose(s->c, 12);

    if (which < 5)
        say_call(s);
    else if (which < 7)
        say_chunk(s);
    else if (which < 9)
        say_cancel(s);
    else
        say_meta_call(s);
}

static void say_as_callee(struct speech *s)
{
    unsigned which = choose(s->c, 11);

    if (which < 3)
        say_register(s);
    else if (which < 4)
        say_leave(s, MSG_UNREGISTER, &s->peer->registrations);
    else
        say_answer(s, which == 10);
}

static void do_something_else(struct speech *s)
{
    unsigned which = choose(s->c, 8);

    if (which < 1)
        world_unsent(s->world, s->peer, pick_invocation(s, false));
    else if (which < 2 && s->peer->manners != POLITE)
        say_rest(s);
    else if (which < 3 && s->peer->manners == RUDE && choose_rarely(s->c, 4))
        say_octets(s);
    else if (which < 4)
        world_drop(s->world, s->peer, 1 + choose(s->c, 3));
    else if (which < 5 && choose_rarely(s->c, 4))
        do_leave(s);
    else
        world_pass(s->world, choose(s->c, 256) * UINT64_C(10));
}

static void do_in_realm(struct speech *s)
{
    unsigned which = choose(s->c, 40);

    if (which < 6 && dares(s, ROLE_PUBLISHER))
        say_as_publisher(s);
    else if (which < 11 && dares(s, ROLE_SUBSCRIBER))
        say_as_subscriber(s);
    else if (which < 23 && dares(s, ROLE_CALLER))
        say_as_caller(s);
    else if (which < 34 && dares(s, ROLE_CALLEE))
        say_as_callee(s);
    else
        do_something_else(s);
}

static void do_in_lobby(struct speech *s)
{
    if (s->peer->manners == RUDE && choose_rarely(s->c, 8))
        say_octets(s);
    else if (s->peer->manners != POLITE && choose_rarely(s->c, 16))
        say_publish(s);
    else if (choose_rarely(s->c, 16))
        do_leave(s);
    else
        say_hello(s);
}

static void do_shut_down(struct speech *s)
{
    switch (choose(s->c, 4)) {
    case 0:
        if (choose(s->c, 2) == 1)
            world_drop(s->world, s->peer, 1);
        else
            say_publish(s);
        break;
    case 1:
        world_pass(s->world, choose(s->c, 256) * UINT64_C(40));
        break;
    case 2:
        do_leave(s);
        break;
    default:
        say_farewell(s, MSG_GOODBYE);
        break;
    }
}

static void do_away(struct speech *s)
{
    enum codec codec = (enum codec)choose(s->c, CODEC_COUNT);
    unsigned send_max = choose(s->c, 8);

    world_open(s->world, s->peer, codec, send_max == 7 ? 64 : UINT32_MAX);
}

void talk_step(struct world *world, struct choices *c)
{
    static const char *const reasons[] = {WAMP_CLOSE_REALM, WAMP_CLOSE_SYSTEM_SHUTDOWN};
    struct speech s = {.world = world, .c = c};

    if (choose_rarely(c, 256) && choose_rarely(c, 4)) {
        world_close_realm(world, choose(c, world->realm_count), reasons[choose(c, 2)]);
        return;
    }
    s.peer = &world->peers[choose(c, world->peer_count)];
    switch (s.peer->place) {
    case AWAY:
        do_away(&s);
        break;
    case IN_LOBBY:
        do_in_lobby(&s);
        break;
    case IN_REALM:
        do_in_realm(&s);
        break;
    case SHUT_DOWN:
        do_shut_down(&s);
        break;
    }
}
