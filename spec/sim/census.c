/* census.c -- see census.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "census.h"

#include "base/mem.h"
#include "world.h"

/* ---- what changes ---- */

/* Changes of one session are told in the order of these: its subscriptions, its registrations, by
 * their ids, then the session itself. */
enum { OF_SUBSCRIPTION = 0, OF_REGISTRATION = 1, OF_SESSION = 2 };
enum { CREATED, GAINED, LOST, DELETED };

static uint64_t order_of(uint64_t class, uint64_t id, uint64_t what)
{
    return class << 60 | id << 2 | what;
}

static void tell(struct world *world, const struct tiding *tiding)
{
    struct census *census = &world->census;

    if (tiding->session != 0 && world->options.roles != (ROUTER_BROKER | ROUTER_DEALER))
        return; /* a realm that is only one of them has no meta API */
    if (census->tiding_count == census->tiding_cap) {
        census->tiding_cap = census->tiding_cap * 2 + 16;
        census->tidings = mem_grow(census->tidings, census->tiding_cap * sizeof(*census->tidings));
    }
    census->tidings[census->tiding_count++] = *tiding;
}

void census_join(struct world *world, struct peer *peer)
{
    tell(world, &(struct tiding){"wamp.session.on_join", peer->session, .is_for_all = true});
}

static struct held_list *list_of(struct peer *peer, enum holding holding)
{
    return holding == SUBSCRIPTION ? &peer->subscriptions : &peer->registrations;
}

static bool is_held(const struct world *world, unsigned realm, enum holding holding, uint64_t id)
{
    for (unsigned i = 0; i < world->peer_count; i++) {
        struct peer *peer = &world->peers[i];

        if (peer->session != 0 && peer->realm == realm &&
            held_find(list_of(peer, holding), id) != NULL)
            return true;
    }
    return false;
}

/* Subscriptions with history are there from the beginning to the end. */
static bool is_lasting(const struct world *world, enum holding holding, enum match match,
                       struct slice uri)
{
    for (size_t i = 0; holding == SUBSCRIPTION && i < world->options.history_count; i++)
        if (world->options.histories[i].match == match &&
            slice_eq(uri, slice_of(world->options.histories[i].uri)))
            return true;
    return false;
}

static const char *const topics[2][4] = {
    {"wamp.subscription.on_create", "wamp.subscription.on_subscribe",
     "wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete"},
    {"wamp.registration.on_create", "wamp.registration.on_register",
     "wamp.registration.on_unregister", "wamp.registration.on_delete"}};

static void tell_held(struct world *world, const struct peer *peer, enum holding holding,
                      const struct held *held, unsigned what)
{
    unsigned class = holding == SUBSCRIPTION ? OF_SUBSCRIPTION : OF_REGISTRATION;

    if (holding == SUBSCRIPTION && world_reserves(world, held->uri))
        return;
    tell(world,
         &(struct tiding){topics[holding][what], peer->session, held->id, held->match,
                          arena_copy(&world->arena, held->uri), order_of(class, held->id, what),
                          holding == REGISTRATION || !world->options.meta_skips_causer});
}

/* Whether an event of the router may come by this pattern. */
static bool is_listener(enum match match, struct slice uri)
{
    static const char *const others[] = {"wamp.session.on_join", "wamp.session.on_leave",
                                         "nexus.session.on_drops"};
    bool is_one = false;

    for (unsigned i = 0; i < 8; i++)
        is_one = is_one || uri_matches(uri, match, slice_of(topics[i / 4][i % 4]));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        is_one = is_one || uri_matches(uri, match, slice_of(others[i]));
    return is_one;
}

struct held *census_gain(struct world *world, struct peer *peer, enum holding holding, uint64_t id,
                         enum match match, struct slice uri)
{
    struct realm *realm = &world->realms[peer->realm];
    struct held *held = held_find(list_of(peer, holding), id);
    bool is_new;

    if (held != NULL) { /* asked for twice: the same again */
        CHECK(held->match == match && slice_eq(held->uri, uri));
        return held;
    }
    is_new = !is_lasting(world, holding, match, uri) && !is_held(world, peer->realm, holding, id);
    held = held_add(list_of(peer, holding), id, match, uri);
    held->since = world->steps;
    held->is_listener = holding == SUBSCRIPTION && is_listener(match, uri);
    if (is_new) {
        CHECK(id == realm->last_id + 1);
        realm->last_id = id;
        realm->count[holding]++;
        tell_held(world, peer, holding, held, CREATED);
    }
    tell_held(world, peer, holding, held, GAINED);
    return held;
}

void census_lose(struct world *world, struct peer *peer, enum holding holding, uint64_t id)
{
    struct held_list *list = list_of(peer, holding);
    const struct held *held = held_find(list, id);
    struct held lost;

    CHECK(held != NULL);
    lost = *held;
    lost.uri = arena_copy(&world->arena, held->uri);
    held_remove(list, id);
    tell_held(world, peer, holding, &lost, LOST);
    if (is_lasting(world, holding, lost.match, lost.uri) ||
        is_held(world, peer->realm, holding, id))
        return;
    world->realms[peer->realm].count[holding]--;
    tell_held(world, peer, holding, &lost, DELETED);
}

void census_leave(struct world *world, struct peer *peer)
{
    for (unsigned holding = 0; holding < 2 && peer->session != 0; holding++)
        while (list_of(peer, holding)->count != 0)
            census_lose(world, peer, holding, list_of(peer, holding)->at[0].id);
    if (peer->session != 0)
        tell(world, &(struct tiding){"wamp.session.on_leave", peer->session,
                                     .order = order_of(OF_SESSION, 0, LOST), .is_for_all = true});
}

void census_losses(struct world *world)
{
    tell(world, &(struct tiding){"nexus.session.on_drops", .is_for_all = true});
}

void census_hear(struct world *world, struct peer *peer, const struct msg *event,
                 struct slice topic)
{
    struct census *census = &world->census;

    if (census->heard_count == census->heard_cap) {
        census->heard_cap = census->heard_cap * 2 + 64;
        census->heard = mem_grow(census->heard, census->heard_cap * sizeof(*census->heard));
    }
    census->heard[census->heard_count++] = (struct heard){
        peer,         peer->session,      event->id, arena_copy(&world->arena, topic),
        event->codec, event->payload.args};
}

/* ---- what an event tells ---- */

/* The entry of a dict; its token is of type TOKEN_NULL when it is not there. */
static struct dict_walk entry_of(struct world *world, enum codec codec, struct slice dict,
                                 const char *key)
{
    struct dict_walk walk;

    dict_walk(&walk, codec, dict, &world->arena);
    while (dict_next(&walk))
        if (slice_eq(walk.key, slice_of(key)))
            return walk;
    walk.token = (struct token){.type = TOKEN_NULL};
    return walk;
}

static bool has_number(struct world *world, enum codec codec, struct slice dict, const char *key,
                       uint64_t number)
{
    struct dict_walk entry = entry_of(world, codec, dict, key);

    return entry.token.type == TOKEN_UINT && entry.token.natural == number;
}

static bool has_text(struct world *world, enum codec codec, struct slice dict, const char *key,
                     struct slice text)
{
    struct dict_walk entry = entry_of(world, codec, dict, key);

    return entry.token.type == TOKEN_TEXT && slice_eq(entry.token.text, text);
}

/* [[{session, dropped}...]]: each that lost something, and nobody else. */
static bool tells_losses(struct world *world, unsigned realm, const struct dict_walk *first,
                         enum codec codec)
{
    const struct losses_list *losses = &world->realms[realm].losses;
    struct dict_walk item;
    size_t found = 0;

    CHECK(first->token.type == TOKEN_LIST);
    list_walk(&item, codec, first->value, &world->arena);
    for (; list_next(&item); found++) {
        CHECK(found < losses->count);
        CHECK(has_number(world, codec, item.value, "session", losses->at[found].session));
        CHECK(has_number(world, codec, item.value, "dropped", losses->at[found].count));
    }
    return found == losses->count;
}

static bool tells(struct world *world, unsigned realm, const struct heard *heard,
                  const struct tiding *tiding)
{
    struct dict_walk item;
    enum codec codec = heard->codec;

    if (!slice_eq(heard->topic, slice_of(tiding->topic)))
        return false;
    list_walk(&item, codec, heard->args, &world->arena);
    CHECK(list_next(&item));
    if (tiding->session == 0)
        return tells_losses(world, realm, &item, codec);
    if (item.token.type == TOKEN_MAP) { /* on_join */
        bool is_whole = entry_of(world, codec, item.value, "realm").token.type == TOKEN_TEXT;

        CHECK(is_whole != world->options.meta_strict);
        return has_number(world, codec, item.value, "session", tiding->session);
    }
    if (item.token.type != TOKEN_UINT || item.token.natural != tiding->session)
        return false;
    CHECK(list_next(&item));
    if (item.token.type == TOKEN_TEXT) /* on_leave */
        return tiding->id == 0;
    if (item.token.type == TOKEN_MAP) /* on_create */
        return has_number(world, codec, item.value, "id", tiding->id) &&
               has_text(world, codec, item.value, "uri", tiding->uri) &&
               has_text(world, codec, item.value, "match", slice_of(match_name(tiding->match)));
    return item.token.type == TOKEN_UINT && item.token.natural == tiding->id;
}

/* ---- the end of the step ---- */

static void note(struct world *world, const struct heard *heard, const struct tiding *tiding,
                 size_t place)
{
    struct census *census = &world->census;
    struct held *held = held_find(&heard->peer->subscriptions, heard->via);

    if (heard->peer->session != heard->session) {
        CHECK(tiding->session != heard->session); /* its own end is not for it */
        return;
    }
    if (held == NULL)
        return;
    if (held->heard_in != world->steps)
        held->heard = held->heard_sum = held->last_session = 0;
    held->heard_in = world->steps;
    CHECK(tiding->session == 0 || tiding->session != held->last_session ||
          tiding->order > held->last_order);
    held->last_session = tiding->session;
    held->last_order = tiding->order;
    held->heard++;
    held->heard_sum += place * place + 1;
    census->place = place;
}

/* What was heard must be a change of this step. */
static void check_heard(struct world *world, unsigned realm, const struct heard *heard)
{
    const struct census *census = &world->census;
    size_t first = census->place < 64 ? 0 : census->place - 64; /* it is not far from the last */

    if (slice_starts_with(heard->topic, SLICE("wamp.reflect."))) {
        CHECK(slice_eq(world->asked.procedure, SLICE("reflect.define")) && world->asked.is_done);
        return;
    }
    CHECK(!world->is_quiet);
    for (size_t n = 0; n < census->tiding_count; n++) {
        size_t i = (first + n) % census->tiding_count;
        const struct tiding *tiding = &census->tidings[i];

        if (!tells(world, realm, heard, tiding))
            continue;
        CHECK(tiding->is_for_all || tiding->session != heard->session);
        note(world, heard, tiding, i);
        return;
    }
    UNREACHABLE("an event of the router about what did not happen");
}

/* What has changed must have been heard by who listens to it and did so before. */
static void check_listener(const struct world *world, const struct peer *peer,
                           const struct held *held)
{
    const struct census *census = &world->census;
    bool is_fresh = held->heard_in == world->steps;
    uint64_t count = 0, sum = 0;

    for (size_t i = 0; !world->is_quiet && i < census->tiding_count; i++) {
        const struct tiding *tiding = &census->tidings[i];

        if ((!tiding->is_for_all && tiding->session == peer->session) ||
            !uri_matches(held->uri, held->match, slice_of(tiding->topic)))
            continue;
        count++;
        sum += i * i + 1;
    }
    CHECK((is_fresh ? held->heard : 0) == count && (is_fresh ? held->heard_sum : 0) == sum);
}

static bool listens(const struct peer *peer, unsigned realm)
{
    return peer->place == IN_REALM && peer->realm == realm &&
           peer->transport.send_max == UINT32_MAX;
}

void census_settle(struct world *world, unsigned realm)
{
    struct census *census = &world->census;

    for (size_t i = 0; i < census->heard_count; i++)
        check_heard(world, realm, &census->heard[i]);
    for (unsigned p = 0; census->tiding_count != 0 && p < world->peer_count; p++) {
        const struct peer *peer = &world->peers[p];

        for (size_t i = 0; listens(peer, realm) && i < peer->subscriptions.count; i++)
            if (peer->subscriptions.at[i].is_listener &&
                peer->subscriptions.at[i].since != world->steps)
                check_listener(world, peer, &peer->subscriptions.at[i]);
    }
    world->tidings += census->heard_count;
    census->tiding_count = census->heard_count = census->place = 0;
}

void census_fini(struct census *census)
{
    mem_free(census->tidings);
    mem_free(census->heard);
}
