/* crowd.c -- a thousand sessions that come, hold much, and end in every way there is.
 *
 *   crowd [--seed N] [--sessions N]
 *
 * Every session joins, subscribes, registers, leaves a testament and often waits for
 * a call. Then they end in an order of chance: by all procedures that kill, by
 * GOODBYE, ABORT, loss and violation; some lose subscriptions and registrations
 * before. The laws of world.h hold after each step, core_check among them. At the
 * end nothing may be left. The costs of it are printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "wire/errors.h"
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

struct crowd {
    struct world world;
    struct choices c; /* of what happens */
    struct rng rng;
    struct peer *boss; /* it ends the others, and listens to what the router tells */
    uint64_t ends[8];  /* how many sessions ended, by enum end */
};

enum end { BY_KILL, BY_AUTHID, BY_GOODBYE, BY_ABORT, BY_LOSS, BY_VIOLATION, END_COUNT };

static const char *const end_names[END_COUNT] = {"kill",  "kill_by_authid", "GOODBYE",
                                                 "ABORT", "loss",           "violation"};

/* A number below `bound`, which may be large. */
static unsigned pick(struct crowd *crowd, size_t bound)
{
    return (unsigned)rng_below(&crowd->rng, bound);
}

/* ---- messages ---- */

/* Says the JSON in the peer's own serializer. */
static void __attribute__((format(printf, 3, 4)))
say(struct crowd *crowd, struct peer *peer, const char *format, ...)
{
    char text[1024];
    struct blob *blob;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    blob = transcode(CODEC_JSON, slice_of(text), peer->transport.codec);
    world_say(&crowd->world, peer, blob_slice(blob));
    blob_drop(blob);
}

static unsigned long long request_of(struct peer *peer)
{
    return peer->next_request++;
}

static void join(struct crowd *crowd, struct peer *peer)
{
    const char *flag;

    world_open(&crowd->world, peer, (enum codec)choose(&crowd->c, CODEC_COUNT), UINT32_MAX);
    peer->has_features = choose(&crowd->c, 2) == 1;
    peer->roles = (1U << ROLE_COUNT) - 1;
    flag = peer->has_features ? "true" : "false";
    say(crowd, peer,
        "[1,\"realm1\",{\"x_team\":\"red\",\"roles\":{\"publisher\":{},\"caller\":{},"
        "\"subscriber\":{\"features\":{\"subscription_revocation\":%s}},"
        "\"callee\":{\"features\":{\"registration_revocation\":%s,\"call_canceling\":%s}}}}]",
        flag, flag, flag);
    CHECK(peer->place == IN_REALM);
}

static void subscribe(struct crowd *crowd, struct peer *peer)
{
    static const char *const matches[] = {"exact", "prefix", "wildcard"};

    say(crowd, peer, "[32,%llu,{\"match\":\"%s\",\"get_retained\":%s%s},\"com.%u.%u\"]",
        request_of(peer), matches[choose(&crowd->c, 3)], choose(&crowd->c, 2) ? "true" : "false",
        choose(&crowd->c, 3) == 0 ? ",\"nkey\":\"one\"" : "", pick(crowd, 20), pick(crowd, 20));
}

static void enrol(struct crowd *crowd, struct peer *peer)
{
    if (choose(&crowd->c, 3) == 0)
        say(crowd, peer, "[64,%llu,{},\"com.own.%llu.%u\"]", request_of(peer),
            (unsigned long long)peer->session, pick(crowd, 3));
    else
        say(crowd, peer, "[64,%llu,{\"invoke\":\"random\",\"match\":\"%s\"},\"com.%u\"]",
            request_of(peer), choose(&crowd->c, 2) ? "prefix" : "exact", pick(crowd, 30));
}

static void call(struct crowd *crowd, struct peer *peer)
{
    say(crowd, peer, "[48,%llu,{\"timeout\":%u},\"com.%u\"]", request_of(peer),
        choose(&crowd->c, 2) * 100000, pick(crowd, 30));
}

static void publish(struct crowd *crowd, struct peer *peer)
{
    say(crowd, peer, "[16,%llu,{\"acknowledge\":true,\"retain\":%s%s},\"com.%u.%u\",[1]]",
        request_of(peer), choose(&crowd->c, 4) == 0 ? "true" : "false",
        choose(&crowd->c, 3) == 0 ? ",\"rkey\":\"some\"" : "", pick(crowd, 20), pick(crowd, 20));
}

static void leave_testament(struct crowd *crowd, struct peer *peer)
{
    say(crowd, peer, "[48,%llu,{},\"wamp.session.add_testament\",[\"com.%u.%u\",[1],{}]]",
        request_of(peer), pick(crowd, 20), pick(crowd, 20));
}

/* Some of everything that a session can hold. */
static void settle_in(struct crowd *crowd, struct peer *peer)
{
    for (unsigned i = choose(&crowd->c, 3); i != 0; i--)
        subscribe(crowd, peer);
    for (unsigned i = choose(&crowd->c, 3); i != 0; i--)
        enrol(crowd, peer);
    if (choose(&crowd->c, 2) == 1)
        call(crowd, peer);
    if (choose(&crowd->c, 4) == 0)
        leave_testament(crowd, peer);
    if (choose(&crowd->c, 4) == 0)
        publish(crowd, peer);
    if (choose(&crowd->c, 8) == 0)
        world_drop(&crowd->world, peer, 1 + choose(&crowd->c, 5));
}

/* ---- ends ---- */

/* The boss takes something from the peer, which has to be told when it wants to be. */
static void take_away(struct crowd *crowd, struct peer *peer)
{
    struct peer *boss = crowd->boss;

    if (peer->subscriptions.count != 0)
        say(crowd, boss, "[48,%llu,{},\"wamp.subscription.remove_subscriber\",[%llu,%llu]]",
            request_of(boss), (unsigned long long)peer->subscriptions.at[0].id,
            (unsigned long long)peer->session);
    if (peer->registrations.count != 0)
        say(crowd, boss, "[48,%llu,{},\"wamp.registration.remove_callee\",[%llu,%llu]]",
            request_of(boss), (unsigned long long)peer->registrations.at[0].id,
            (unsigned long long)peer->session);
}

static void end(struct crowd *crowd, struct peer *peer, enum end how)
{
    struct peer *boss = crowd->boss;

    switch (how) {
    case BY_KILL:
        say(crowd, boss, "[48,%llu,{},\"wamp.session.kill\",[%llu],{\"message\":\"so be it\"}]",
            request_of(boss), (unsigned long long)peer->session);
        break;
    case BY_AUTHID:
        say(crowd, boss, "[48,%llu,{},\"wamp.session.kill_by_authid\",[\"%s\"]]", request_of(boss),
            peer->authid);
        break;
    case BY_GOODBYE:
        say(crowd, peer, "[6,{},\"%s\"]", WAMP_CLOSE_NORMAL);
        break;
    case BY_ABORT:
        say(crowd, peer, "[3,{},\"com.example.enough\"]");
        break;
    case BY_LOSS:
        world_close(&crowd->world, peer);
        break;
    case BY_VIOLATION:
        peer->manners = RUDE;
        say(crowd, peer, "[70,1000,{}]"); /* YIELD of an INVOCATION that never was */
        peer->manners = POLITE;
        break;
    case END_COUNT:
        break;
    }
    CHECK(peer->place != IN_REALM);
    crowd->ends[how]++;
}

/* Who was told GOODBYE answers, is lost, or says nothing until the router has waited enough. */
static void answer_goodbye(struct crowd *crowd, struct peer *peer)
{
    unsigned how = choose(&crowd->c, 3);

    if (peer->place != SHUT_DOWN || how == 0)
        return;
    if (how == 1)
        say(crowd, peer, "[6,{},\"%s\"]", WAMP_GOODBYE_AND_OUT);
    else
        world_close(&crowd->world, peer);
    CHECK(peer->place == AWAY);
}

static void take_leave(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->world.peer_count; i++)
        answer_goodbye(crowd, &crowd->world.peers[i]);
    world_pass(&crowd->world, crowd->world.options.goodbye_timeout_ms);
    for (unsigned i = 0; i < crowd->world.peer_count; i++) {
        struct peer *peer = &crowd->world.peers[i];

        CHECK(peer->place != SHUT_DOWN);
        if (peer->place == IN_LOBBY)
            world_close(&crowd->world, peer);
    }
}

/* ---- a round ---- */

static void gather(struct crowd *crowd)
{
    struct world *world = &crowd->world;

    crowd->boss = &world->peers[0];
    join(crowd, crowd->boss);
    say(crowd, crowd->boss, "[32,1,{\"match\":\"prefix\"},\"wamp.\"]");
    say(crowd, crowd->boss, "[32,2,{\"match\":\"wildcard\"},\"nexus..\"]");
    crowd->boss->next_request = 3;
    for (unsigned i = 1; i < world->peer_count; i++) {
        join(crowd, &world->peers[i]);
        settle_in(crowd, &world->peers[1 + pick(crowd, i)]);
    }
}

/* Ends all but `left` sessions, one by one, in an order of chance. */
static void thin_out(struct crowd *crowd, unsigned left)
{
    struct world *world = &crowd->world;
    unsigned there = world->peer_count - 1, *order = mem_alloc(there * sizeof(*order));

    for (unsigned i = 0; i < there; i++)
        order[i] = i + 1;
    while (there > left) {
        unsigned place = pick(crowd, there);
        struct peer *peer = &world->peers[order[place]];

        if (choose(&crowd->c, 4) == 0)
            take_away(crowd, peer);
        if (choose(&crowd->c, 8) == 0)
            settle_in(crowd, peer);
        end(crowd, peer, (enum end)choose(&crowd->c, END_COUNT));
        order[place] = order[--there];
    }
    mem_free(order);
}

/* Half of them one by one, the rest at a stroke of the boss, who goes last. */
static void play(struct crowd *crowd, const char *stroke)
{
    struct world *world = &crowd->world;
    const struct core_counters *counters = core_counters(world->realms[0].core);

    gather(crowd);
    CHECK(counters->sessions == world->peer_count);
    CHECK(counters->subscriptions > 10 && counters->registrations > 10);
    thin_out(crowd, world->peer_count / 2);
    CHECK(counters->sessions == world->peer_count / 2 + 1);
    say(crowd, crowd->boss, "[48,%llu,{},%s]", request_of(crowd->boss), stroke);
    CHECK(counters->sessions == 1);
    CHECK(counters->pending_calls == 0 && counters->registrations == 0);
    say(crowd, crowd->boss, "[6,{},\"%s\"]", WAMP_CLOSE_NORMAL);
    take_leave(crowd);
    CHECK(counters->sessions == 0 && counters->subscriptions == 0);
}

static uint64_t number(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    struct choices none = {.rng = NULL}; /* the knobs that are chosen by zeros: an open realm */
    uint64_t seed = number(argc, argv, "--seed", 1), state = seed;
    uint64_t sessions = number(argc, argv, "--sessions", 1000);
    struct crowd crowd = {.ends = {0}};

    printf("seed %llu, %llu sessions\n", (unsigned long long)seed, (unsigned long long)sessions);
    rng_init(&crowd.rng, rng_fill_seeded, &state);
    crowd.c.rng = &crowd.rng;
    world_init(&crowd.world, 1, (unsigned)sessions, &none);
    for (unsigned i = 0; i < crowd.world.peer_count; i++)
        crowd.world.peers[i].manners = POLITE;
    play(&crowd, "\"wamp.session.kill_by_authrole\",[\"anonymous\"]");
    play(&crowd, "\"wamp.session.kill_all\"");
    for (unsigned i = 0; i < END_COUNT; i++) {
        CHECK(crowd.ends[i] != 0);
        printf("%llu by %s, ", (unsigned long long)crowd.ends[i], end_names[i]);
    }
    printf("the rest at two strokes; %llu steps, %llu events of the router, %.1f s\n",
           (unsigned long long)crowd.world.steps, (unsigned long long)crowd.world.tidings,
           (double)clock() / CLOCKS_PER_SEC);
    world_fini(&crowd.world);
    return EXIT_SUCCESS;
}
