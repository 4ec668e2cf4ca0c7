/* world.c -- see world.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "world.h"

#include "base/mem.h"
#include "core/lobby.h"
#include "core/options.h"
#include "wire/errors.h"

/* ---- peers ---- */

static void end_session(struct peer *peer, enum place place)
{
    held_clear(&peer->subscriptions);
    held_clear(&peer->registrations);
    streams_clear(&peer->streams);
    peer->calls.count = peer->invocations.count = peer->killed.count = 0;
    peer->question.type = MSG_NONE;
    peer->session = 0;
    peer->place = place;
}

static void forget(struct world *world, struct peer *peer)
{
    CHECK(map_remove(&world->by_id, peer->id, 0) == peer);
    end_session(peer, AWAY);
}

/* ---- what the core sends ---- */

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

/* Who takes a procedure by force is told of its own loss first, if it can be told. */
static void lose_forced(struct peer *peer, uint64_t new_id)
{
    const struct open_request *question = &peer->question;

    for (size_t i = 0; i < peer->registrations.count; i++) {
        const struct held *held = &peer->registrations.at[i];

        if (held->id == new_id || held->match != question->match ||
            !slice_eq(held->uri, question->uri))
            continue;
        CHECK(question->is_forced && !peer->has_features);
        held_remove(&peer->registrations, held->id);
        return;
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
    CHECK(msg->type == MSG_UNREGISTERED && peer->has_features);
    CHECK(peer->question.type == MSG_REGISTER && peer->question.is_forced);
    held_remove(&peer->registrations, number_in(world, msg, "registration"));
}

/* The answer to the question of this step. */
static void on_done(struct peer *peer, const struct msg *msg)
{
    const struct open_request *question = &peer->question;

    CHECK(question->request == msg->id);
    CHECK(msg->type == question->type + 1 && question->type != MSG_NONE);
    if (msg->type == MSG_SUBSCRIBED)
        held_add(&peer->subscriptions, msg->second, question->match, question->uri);
    else if (msg->type == MSG_REGISTERED)
        lose_forced(peer, msg->second);
    if (msg->type == MSG_REGISTERED)
        held_add(&peer->registrations, msg->second, question->match, question->uri);
    else if (msg->type == MSG_UNSUBSCRIBED)
        held_remove(&peer->subscriptions, question->target);
    else if (msg->type == MSG_UNREGISTERED)
        held_remove(&peer->registrations, question->target);
    peer->question.type = MSG_NONE;
}

static void on_goodbye(struct peer *peer, const struct msg *msg)
{
    /* After the answer to a GOODBYE a release follows; after one of the router's own, nothing. */
    if (!slice_eq(msg->text, SLICE(WAMP_GOODBYE_AND_OUT)))
        end_session(peer, SHUT_DOWN);
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
    CHECK(msg->id == peer->last_invocation + 1);
    peer->last_invocation = msg->id;
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

static void on_result(const struct world *world, struct peer *peer, const struct msg *msg,
                      const struct options *options)
{
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
        on_goodbye(peer, msg);
        break;
    case MSG_ERROR:
        on_error(world, peer, msg);
        break;
    case MSG_EVENT:
        CHECK(held_find(&peer->subscriptions, msg->id) != NULL);
        CHECK(action->kind == SEND_EVENT);
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
            on_done(peer, msg);
        break;
    default:
        UNREACHABLE("a message that a router does not send to a session");
    }
}

static bool is_bounded(enum msg_type type)
{
    return type == MSG_EVENT || type == MSG_INVOCATION || type == MSG_RESULT;
}

static void on_send(struct world *world, struct peer *peer, const struct action *action)
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
        peer->session = msg.id;
}

static void on_joined(struct peer *peer, const struct action *action)
{
    CHECK(peer->place == IN_LOBBY && peer->session == action->key);
    peer->place = IN_REALM;
    peer->next_request = 1;
    peer->last_invocation = peer->watermark = 0;
}

static void carry_out(struct world *world)
{
    for (size_t i = 0; i < world->out.count; i++) {
        const struct action *action = &world->out.actions[i];
        struct peer *peer = map_get(&world->by_id, action->peer, 0);

        if (action->type == ACT_NOTE) {
            CHECK(action->words == NULL || strlen(action->words) < 1000);
            continue;
        }
        CHECK(peer != NULL);
        switch ((enum action_type)action->type) {
        case ACT_SEND:
            on_send(world, peer, action);
            break;
        case ACT_JOINED:
            on_joined(peer, action);
            break;
        case ACT_RELEASE:
            CHECK(peer->place == IN_REALM);
            end_session(peer, IN_LOBBY);
            break;
        case ACT_CLOSE:
            numbers_add(&world->closed, peer->id);
            forget(world, peer);
            break;
        case ACT_ASK:
        case ACT_UNASK:
        case ACT_HOLD:
            CHECK(!"the realms of the simulation ask nobody");
            break;
        case ACT_NOTE:
            break;
        }
    }
    outbox_clear(&world->out);
}

/* ---- laws ---- */

static void check_gauges(const struct world *world, unsigned realm)
{
    const struct core_counters *counters = core_counters(world->cores[realm]);
    size_t sessions = 0, calls = 0;

    for (unsigned i = 0; i < world->peer_count; i++) {
        const struct peer *peer = &world->peers[i];

        if (peer->place != IN_REALM || peer->realm != realm)
            continue;
        sessions++;
        calls += peer->calls.count;
    }
    CHECK(counters->sessions == sessions);
    CHECK(counters->pending_calls == calls);
}

/* A core hears of the end of connections that it closed itself, and has nothing to say. */
static void report_closed(struct world *world, unsigned realm)
{
    for (size_t i = 0; i < world->closed.count; i++) {
        core_step(world->cores[realm],
                  &(struct event){.type = EV_CLOSED,
                                  .now = world->now,
                                  .wall = world->wall,
                                  .peer = world->closed.at[i]},
                  &world->out);
        CHECK(world->out.count == 0);
    }
    world->closed.count = 0;
}

static void step(struct world *world, unsigned realm, struct event *ev)
{
    ev->now = world->now;
    ev->wall = world->wall;
    core_step(world->cores[realm], ev, &world->out);
    carry_out(world);
    core_check(world->cores[realm]);
    check_gauges(world, realm);
    report_closed(world, realm);
    arena_reset(&world->arena);
    world->steps++;
}

/* How many subscribers a publication concerns: by definition, without filters and lengths. */
static uint64_t audience_of(const struct world *world, const struct peer *publisher,
                            const struct msg *msg, const struct options *options)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < world->peer_count; i++) {
        const struct peer *peer = &world->peers[i];

        if (peer->place != IN_REALM || peer->realm != publisher->realm ||
            (peer == publisher && options->exclude_me))
            continue;
        for (size_t k = 0; k < peer->subscriptions.count; k++)
            count += uri_matches(peer->subscriptions.at[k].uri, peer->subscriptions.at[k].match,
                                 msg->text);
    }
    return count;
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
        msg->type, msg->id, msg->second, options->match, msg->text, options->force_reregister,
    };
}

/* A YIELD in payload passthru mode may be refused with an ERROR to the callee itself. */
static bool can_bounce(const struct msg *msg, const struct options *options)
{
    return msg->type == MSG_YIELD && !options->progress && options_is_ppt(options);
}

static void say_in_realm(struct world *world, struct peer *peer, const struct msg *msg)
{
    const struct core_counters *counters = core_counters(world->cores[peer->realm]);
    uint64_t before = considered(counters), publications = counters->publications, audience = 0;
    struct options options = {.exclude_me = true};
    struct fault fault;
    struct event ev = {.type = EV_MESSAGE, .peer = peer->id, .msg = msg};
    bool is_readable = msg->type == MSG_HELLO || msg->type == MSG_GOODBYE ||
                       options_read(&options, msg, &world->arena, &fault) == 0;

    if (is_readable && peer->place == IN_REALM) {
        if (!can_bounce(msg, &options))
            expect(world, peer, msg, &options);
        if (msg->type == MSG_PUBLISH)
            audience = audience_of(world, peer, msg, &options);
    }
    world->is_progress = is_readable && msg->type == MSG_YIELD && options.progress;
    step(world, peer->realm, &ev);
    world->is_chunk = world->is_progress = false;
    CHECK(peer->question.type == MSG_NONE);
    if (msg->type == MSG_PUBLISH && counters->publications != publications)
        CHECK(considered(counters) - before == audience);
    if (peer->place == IN_REALM && is_readable && can_bounce(msg, &options))
        (void)numbers_remove(&peer->invocations, msg->id);
}

static unsigned find_realm(const struct world *world, struct slice name)
{
    unsigned realm = 0;

    while (realm < world->realm_count && !slice_eq(name, slice_of(world_realm(realm))))
        realm++;
    return realm;
}

/* msg NULL: it said what is no message, and fault says why. */
static void say_in_lobby(struct world *world, struct peer *peer, const struct msg *msg,
                         const struct fault *fault)
{
    struct slice name;

    if (lobby_receive(peer->id, &peer->transport, msg, fault, world->strict_uris, &name,
                      &world->out)) {
        unsigned realm = find_realm(world, name);
        struct event ev = {
            .type = EV_HELLO, .peer = peer->id, .msg = msg, .transport = &peer->transport};

        CHECK(world->out.count == 0);
        if (realm < world->realm_count) {
            peer->realm = realm;
            step(world, realm, &ev);
            CHECK(peer->place == IN_REALM || peer->place == AWAY);
            return;
        }
        lobby_refuse(peer->id, peer->transport.codec, WAMP_NO_SUCH_REALM, "no such realm",
                     &world->out);
    }
    carry_out(world);
    CHECK(peer->place == AWAY);
    world->closed.count = 0;
    arena_reset(&world->arena);
}

void world_say(struct world *world, struct peer *peer, struct slice bytes)
{
    const struct msg_limits limits = {.raw_payload = world->ppt_compat};
    struct fault fault = {0};
    struct msg msg;
    bool is_msg =
        msg_decode(&msg, peer->transport.codec, bytes, &limits, &world->arena, &fault) == 0;

    CHECK(peer->place != AWAY);
    CHECK(is_msg || peer->manners != POLITE);
    if (peer->place == IN_LOBBY)
        say_in_lobby(world, peer, is_msg ? &msg : NULL, &fault);
    else if (is_msg)
        say_in_realm(world, peer, &msg);
    else
        step(world, peer->realm,
             &(struct event){.type = EV_FAULT, .peer = peer->id, .fault = &fault});
}

/* ---- what else happens ---- */

void world_open(struct world *world, struct peer *peer, enum codec codec, uint32_t send_max)
{
    static const char *const protocols[CODEC_COUNT] = {"wamp.2.json", "wamp.2.msgpack",
                                                       "wamp.2.cbor"};

    CHECK(peer->place == AWAY);
    peer->id = ++world->last_id;
    peer->place = IN_LOBBY;
    peer->transport = (struct transport){.type = TRANSPORT_RAWSOCKET,
                                         .codec = codec,
                                         .send_max = send_max,
                                         .protocol = protocols[codec],
                                         .peer = "tcp4:127.0.0.1:1",
                                         .default_realm = world_realm(0)};
    map_put(&world->by_id, peer->id, 0, peer);
}

void world_close(struct world *world, struct peer *peer)
{
    bool is_known = peer->place == IN_REALM || peer->place == SHUT_DOWN;
    uint64_t id = peer->id;

    forget(world, peer);
    if (is_known)
        step(world, peer->realm, &(struct event){.type = EV_CLOSED, .peer = id});
}

void world_unsent(struct world *world, struct peer *peer, uint64_t invocation)
{
    (void)numbers_remove(&peer->invocations, invocation);
    step(world, peer->realm,
         &(struct event){.type = EV_UNSENT, .peer = peer->id, .invocation = invocation});
}

/* The realm whose deadline comes first. */
static unsigned next_realm(const struct world *world)
{
    unsigned next = 0;

    for (unsigned realm = 1; realm < world->realm_count; realm++)
        if (core_wake_at(world->cores[realm]) < core_wake_at(world->cores[next]))
            next = realm;
    return next;
}

void world_pass(struct world *world, uint64_t ms)
{
    uint64_t until = world->now + ms;

    for (;;) {
        unsigned realm = next_realm(world);
        uint64_t wake_at = core_wake_at(world->cores[realm]);

        if (wake_at > until)
            break;
        if (wake_at > world->now)
            world->now = wake_at;
        step(world, realm, &(struct event){.type = EV_TICK});
        CHECK(core_wake_at(world->cores[realm]) > world->now);
    }
    world->wall += ms;
    world->now = until;
}

void world_close_realm(struct world *world, unsigned realm, const char *reason)
{
    step(world, realm, &(struct event){.type = EV_CLOSE_REALM, .reason = reason});
    CHECK(core_counters(world->cores[realm])->sessions == 0);
}

const char *world_realm(unsigned realm)
{
    static const char *const names[MAX_REALMS] = {"realm1", "realm2", "realm3", "realm4"};

    return names[realm];
}

/* ---- beginning and end ---- */

static bool claim(void *ctx, uint64_t session)
{
    struct world *world = ctx;

    CHECK(session >= 1 && session <= WAMP_ID_MAX);
    if (map_get(&world->sessions, session, 0) != NULL)
        return false;
    map_put(&world->sessions, session, 0, world);
    return true;
}

static void give_back(void *ctx, uint64_t session)
{
    struct world *world = ctx;

    CHECK(map_remove(&world->sessions, session, 0) == world);
}

/* Knobs of calls. */
static void choose_knobs(struct core_options *options, struct choices *c)
{
    options->disclose_caller = (enum disclosure)choose(c, 3);
    options->disclose_publisher = (enum disclosure)choose(c, 3);
    options->progress_requires_cancel = choose(c, 2) == 1;
    options->allow_force_reregister = choose(c, 4) != 3;
    options->reinterrupt = choose(c, 2) == 1;
    options->invoke_unknown_fallback = choose(c, 2) == 1;
    options->cancel_default_mode = (enum cancel_mode)choose(c, CANCEL_COUNT);
    options->trustlevel = choose(c, 3);
    options->call_default_timeout_ms = choose(c, 2) * 700;
    options->call_max_timeout_ms = choose(c, 2) * 200;
    options->kill_grace_ms = choose(c, 2) * 500;
    options->callee_max_pending = choose_rarely(c, 4) ? 1 + choose(c, 3) : 0;
    options->call_queue_len = choose(c, 2) * 3;
    options->call_queue_timeout_ms = 900;
}

void world_init(struct world *world, unsigned realm_count, unsigned peer_count, struct choices *c)
{
    struct core_options options;

    CHECK(realm_count >= 1 && realm_count <= MAX_REALMS);
    *world = (struct world){.realm_count = realm_count, .peer_count = peer_count, .now = 1000};
    world->peers = mem_zero(peer_count, sizeof(*world->peers));
    for (unsigned i = 0; i < peer_count; i++)
        world->peers[i].manners = i % 2 == 0 ? POLITE : i % 4 == 1 ? CHAOTIC : RUDE;
    map_init(&world->by_id, 1);
    map_init(&world->sessions, 2);
    arena_init(&world->arena);
    outbox_init(&world->out);
    world->strict_uris = choose(c, 2) == 1;
    world->ppt_compat = choose(c, 4) != 3;
    world->seed = choose(c, 256);

    core_defaults(&options);
    options.strict_uris = world->strict_uris;
    options.ppt_compat = world->ppt_compat;
    options.request_id_check = (enum request_id_check)choose(c, 3);
    options.empty_eligible_is_absent = choose(c, 2) == 1;
    options.random = rng_fill_seeded;
    options.random_ctx = &world->seed;
    options.agent = "world";
    options.ids = (struct id_keeper){claim, give_back, world};
    choose_knobs(&options, c);
    if (choose_rarely(c, 4)) {
        options.max_sessions = 1 + choose(c, 8);
        options.max_subscriptions = options.max_registrations = 1 + choose(c, 4);
        options.max_pending_calls = 1 + choose(c, 4);
    }
    world->options = options;
    for (unsigned realm = 0; realm < realm_count; realm++) {
        options.realm = world_realm(realm);
        world->cores[realm] = core_new(&options);
    }
}

static void check_empty(const struct core_counters *counters)
{
    CHECK(counters->sessions == 0);
    CHECK(counters->subscriptions == 0);
    CHECK(counters->registrations == 0);
    CHECK(counters->pending_calls == 0);
}

void world_fini(struct world *world)
{
    for (unsigned i = 0; i < world->peer_count; i++) {
        struct peer *peer = &world->peers[i];

        if (peer->place != AWAY)
            world_close(world, peer);
        mem_free(peer->calls.at);
        mem_free(peer->invocations.at);
        mem_free(peer->killed.at);
    }
    for (unsigned realm = 0; realm < world->realm_count; realm++) {
        check_empty(core_counters(world->cores[realm]));
        CHECK(core_wake_at(world->cores[realm]) == NEVER);
        core_free(world->cores[realm]);
    }
    CHECK(world->sessions.count == 0 && world->by_id.count == 0);
    map_fini(&world->sessions);
    map_fini(&world->by_id);
    arena_fini(&world->arena);
    outbox_fini(&world->out);
    mem_free(world->closed.at);
    mem_free(world->peers);
}
