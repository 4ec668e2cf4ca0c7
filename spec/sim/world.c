/* world.c -- see world.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "core/limits.h"
#include "core/lobby.h"
#include "wire/errors.h"
#include "world_priv.h"

/* ---- peers ---- */

void world_end_session(struct world *world, struct peer *peer, enum place place)
{
    census_leave(world, peer);
    held_clear(&peer->subscriptions);
    held_clear(&peer->registrations);
    streams_clear(&peer->streams);
    peer->calls.count = peer->invocations.count = peer->killed.count = 0;
    peer->question.type = MSG_NONE;
    asked_testaments(world, peer);
    peer->old_session = peer->session;
    peer->session = 0;
    peer->place = place;
}

static void forget(struct world *world, struct peer *peer)
{
    CHECK(map_remove(&world->by_id, peer->id, 0) == peer);
    world_end_session(world, peer, AWAY);
}

/* ---- what the core wants done ---- */

static void on_joined(struct world *world, struct peer *peer, const struct action *action)
{
    CHECK(peer->place == IN_LOBBY && peer->session == action->key);
    peer->place = IN_REALM;
    peer->next_request = 1;
    peer->last_invocation = peer->watermark = 0;
    census_join(world, peer);
}

static void carry_out(struct world *world)
{
    for (size_t i = 0; i < world->out.count; i++) {
        const struct action *action = &world->out.actions[i];
        struct peer *peer = map_get(&world->by_id, action->peer, 0);

        if (action->type == ACT_NOTE) {
            CHECK(action->notice->words == NULL || strlen(action->notice->words) < 1000);
            continue;
        }
        CHECK(peer != NULL);
        switch ((enum action_type)action->type) {
        case ACT_SEND:
            hear_message(world, peer, action);
            break;
        case ACT_JOINED:
            on_joined(world, peer, action);
            break;
        case ACT_RELEASE:
            CHECK(peer->place == IN_REALM);
            world_end_session(world, peer, IN_LOBBY);
            break;
        case ACT_CLOSE:
            numbers_add(&world->closed, peer->id);
            forget(world, peer);
            break;
        case ACT_ASK: /* its realms are open to all */
        case ACT_UNASK:
        case ACT_HOLD:
        case ACT_LEFT:
            UNREACHABLE("nothing is asked in a realm that is open to all");
        case ACT_NOTE:
        case ACT_ADMIN: /* not among the procedures that are called */
            break;
        }
    }
}

/* ---- laws ---- */

static void check_gauges(const struct world *world, unsigned realm)
{
    const struct core_counters *counters = core_counters(world->realms[realm].core);
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
    CHECK(counters->subscriptions == world->realms[realm].count[SUBSCRIPTION]);
    CHECK(counters->registrations == world->realms[realm].count[REGISTRATION]);
}

/* A core hears of the end of connections that it closed itself, and has nothing to say. */
static void report_closed(struct world *world, unsigned realm)
{
    for (size_t i = 0; i < world->closed.count; i++) {
        core_step(world->realms[realm].core,
                  &(struct event){.type = EV_CLOSED,
                                  .now = world->now,
                                  .wall = world->wall,
                                  .peer = world->closed.at[i]},
                  &world->out);
        CHECK(world->out.count == 0);
    }
    world->closed.count = 0;
}

/* Once a second the realm is told of dropped events, if there were any. */
static bool are_losses_due(const struct world *world, unsigned realm)
{
    return world->realms[realm].losses_at != 0 && world->now >= world->realms[realm].losses_at;
}

static void end_step(struct world *world)
{
    for (unsigned i = 0; i < world->peer_count; i++) {
        world->peers[i].is_given_retained = false;
        world->peers[i].streaming = 0;
    }
    world->asked = (struct asked){0};
    world->is_quiet = false;
    outbox_clear(&world->out);
    arena_reset(&world->arena);
}

void world_step(struct world *world, unsigned realm, struct event *ev)
{
    struct core *core = world->realms[realm].core;
    uint64_t publications = core_counters(core)->publications;

    ev->now = world->now;
    ev->wall = world->wall;
    if (are_losses_due(world, realm))
        census_losses(world);
    core_step(core, ev, &world->out);
    carry_out(world);
    asked_settle(world, core_counters(core)->publications - publications, ev);
    census_settle(world, realm);
    if (are_losses_due(world, realm))
        world->realms[realm].losses_at = world->realms[realm].losses.count = 0;
    core_check(core);
    check_gauges(world, realm);
    end_step(world);
    report_closed(world, realm);
    world->steps++;
}

/* ---- what a peer says ---- */

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
            world_step(world, realm, &ev);
            CHECK(peer->place == IN_REALM || peer->place == AWAY);
            return;
        }
        lobby_refuse(peer->id, peer->transport.codec, WAMP_NO_SUCH_REALM, "no such realm",
                     &world->out);
    }
    carry_out(world);
    CHECK(peer->place == AWAY);
    world->closed.count = 0;
    end_step(world);
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
        expect_message(world, peer, &msg);
    else
        world_step(world, peer->realm,
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
        world_step(world, peer->realm, &(struct event){.type = EV_CLOSED, .peer = id});
}

void world_unsent(struct world *world, struct peer *peer, uint64_t invocation)
{
    (void)numbers_remove(&peer->invocations, invocation);
    world_step(world, peer->realm,
               &(struct event){.type = EV_UNSENT, .peer = peer->id, .invocation = invocation});
}

void world_drop(struct world *world, struct peer *peer, unsigned count)
{
    struct realm *realm = &world->realms[peer->realm];

    losses_list_add(&realm->losses, peer->place == IN_REALM ? peer->session : peer->old_session,
                    count);
    if (realm->losses_at == 0)
        realm->losses_at = world->now + LOSSES_INTERVAL_MS;
    world_step(world, peer->realm,
               &(struct event){.type = EV_DROPPED, .peer = peer->id, .dropped = count});
}

/* The realm whose deadline comes first. */
static unsigned next_realm(const struct world *world)
{
    unsigned next = 0;

    for (unsigned realm = 1; realm < world->realm_count; realm++)
        if (core_wake_at(world->realms[realm].core) < core_wake_at(world->realms[next].core))
            next = realm;
    return next;
}

void world_pass(struct world *world, uint64_t ms)
{
    uint64_t until = world->now + ms;

    for (;;) {
        unsigned realm = next_realm(world);
        uint64_t wake_at = core_wake_at(world->realms[realm].core);

        if (wake_at > until)
            break;
        if (wake_at > world->now)
            world->now = wake_at;
        world_step(world, realm, &(struct event){.type = EV_TICK});
        CHECK(core_wake_at(world->realms[realm].core) > world->now);
    }
    world->wall += ms;
    world->now = until;
}

void world_close_realm(struct world *world, unsigned realm, const char *reason)
{
    world->is_quiet = true;
    world_step(world, realm, &(struct event){.type = EV_CLOSE_REALM, .reason = reason});
    CHECK(core_counters(world->realms[realm].core)->sessions == 0);
}

struct peer *world_find(const struct world *world, unsigned realm, uint64_t session)
{
    for (unsigned i = 0; i < world->peer_count; i++) {
        struct peer *peer = &world->peers[i];

        if (peer->place == IN_REALM && peer->realm == realm && peer->session == session)
            return peer;
    }
    return NULL;
}

bool world_reserves(const struct world *world, struct slice uri)
{
    for (const char *const *prefix = world->options.reserved_prefixes; *prefix != NULL; prefix++)
        if (slice_starts_with(uri, slice_of(*prefix)) &&
            (uri.len == strlen(*prefix) || uri.data[strlen(*prefix)] == '.'))
            return true;
    return false;
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
    world->wall = UINT64_C(1767225600000);
    world->seed = choose(c, 256);
    knobs_choose(&world->options, c);
    world->strict_uris = world->options.strict_uris;
    world->ppt_compat = world->options.ppt_compat;
    options = world->options;
    options.random = rng_fill_seeded;
    options.random_ctx = &world->seed;
    options.wall = world->wall;
    options.ids = (struct id_keeper){claim, give_back, world};
    for (unsigned realm = 0; realm < realm_count; realm++) {
        options.realm = world_realm(realm);
        world->realms[realm].core = core_new(&options);
        world->realms[realm].last_id = options.history_count;
        world->realms[realm].count[SUBSCRIPTION] = options.history_count;
    }
}

static void check_empty(const struct world *world, const struct core_counters *counters)
{
    CHECK(counters->sessions == 0);
    CHECK(counters->subscriptions == world->options.history_count);
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
    world_pass(world, LOSSES_INTERVAL_MS);
    for (unsigned realm = 0; realm < world->realm_count; realm++) {
        check_empty(world, core_counters(world->realms[realm].core));
        CHECK(core_wake_at(world->realms[realm].core) == NEVER);
        core_free(world->realms[realm].core);
        mem_free(world->realms[realm].losses.at);
    }
    CHECK(world->sessions.count == 0 && world->by_id.count == 0);
    map_fini(&world->sessions);
    map_fini(&world->by_id);
    census_fini(&world->census);
    arena_fini(&world->arena);
    outbox_fini(&world->out);
    mem_free(world->closed.at);
    mem_free(world->peers);
}
