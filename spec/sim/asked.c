/* asked.c -- see world_priv.h: what calls of meta procedures do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "world_priv.h"

enum scope { DETACHED, DESTROYED };

/* The argument at that place, from 0; its token is of type TOKEN_NULL when it is not there. */
static struct dict_walk argument(struct world *world, const struct msg *msg, unsigned place)
{
    struct dict_walk item = {.token = {.type = TOKEN_NULL}};

    if (msg->payload.kind != PAYLOAD_ARGS)
        return item;
    list_walk(&item, msg->payload.codec, msg->payload.args, &world->arena);
    for (unsigned i = 0; i <= place; i++)
        if (!list_next(&item))
            return (struct dict_walk){.token = {.type = TOKEN_NULL}};
    return item;
}

/* detached when the keyword or the first argument says so; else destroyed. */
static enum scope scope_of(struct world *world, const struct msg *msg, bool by_place)
{
    struct dict_walk entry, scope = {.token = {.type = TOKEN_NULL}};

    if (msg->payload.kind == PAYLOAD_ARGS) {
        dict_walk(&entry, msg->payload.codec, msg->payload.kwargs, &world->arena);
        while (dict_next(&entry))
            if (slice_eq(entry.key, SLICE("scope")))
                scope = entry;
    }
    if (by_place && scope.token.type == TOKEN_NULL)
        scope = argument(world, msg, 0);
    return scope.token.type == TOKEN_TEXT && slice_eq(scope.token.text, SLICE("detached"))
               ? DETACHED
               : DESTROYED;
}

static bool is_one(const struct asked *asked, const char *procedure)
{
    return slice_eq(asked->procedure, slice_of(procedure));
}

static uint64_t count_holders(const struct world *world, unsigned realm, enum holding holding,
                              uint64_t id)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < world->peer_count; i++) {
        const struct peer *peer = &world->peers[i];

        count += peer->place == IN_REALM && peer->realm == realm &&
                 held_find(holding == SUBSCRIPTION ? &peer->subscriptions : &peer->registrations,
                           id) != NULL;
    }
    return count;
}

/* The procedures whose answer is a number that we know. */
static void set_answer(struct world *world, const struct peer *peer, struct asked *asked,
                       const struct token *first)
{
    uint64_t id;

    asked->is_answer = true;
    if (is_one(asked, "session.count") && first->type == TOKEN_NULL)
        asked->answer = core_counters(world->realms[peer->realm].core)->sessions;
    else if (is_one(asked, "subscription.count_subscribers") && token_is_id(first, &id))
        asked->answer = count_holders(world, peer->realm, SUBSCRIPTION, id);
    else if (is_one(asked, "registration.count_callees") && token_is_id(first, &id))
        asked->answer = count_holders(world, peer->realm, REGISTRATION, id);
    else
        asked->is_answer = false;
}

void asked_begin(struct world *world, struct peer *peer, const struct msg *msg)
{
    struct asked *asked = &world->asked;
    struct dict_walk first = argument(world, msg, 0), second = argument(world, msg, 1);

    *asked = (struct asked){.request = msg->id, .caller = peer};
    if (!slice_starts_with(msg->text, SLICE("wamp.")))
        return;
    asked->procedure = slice_make(msg->text.data + 5, msg->text.len - 5);
    asked->scope = scope_of(world, msg, is_one(asked, "session.flush_testaments"));
    asked->holding = is_one(asked, "subscription.remove_subscriber") ? SUBSCRIPTION : REGISTRATION;
    if ((asked->holding == SUBSCRIPTION || is_one(asked, "registration.remove_callee")) &&
        token_is_id(&first.token, &asked->id) && token_is_id(&second.token, &asked->session))
        CHECK(asked->id != 0 && asked->session != 0);
    else
        asked->id = asked->session = 0;
    set_answer(world, peer, asked, &first.token);
}

bool asked_removes(const struct world *world, const struct peer *peer, enum holding holding,
                   uint64_t id)
{
    const struct asked *asked = &world->asked;

    return asked->session != 0 && asked->session == peer->session && asked->holding == holding &&
           asked->id == id && asked->caller->realm == peer->realm;
}

/* The session that the procedure took something from is told if it wanted to be. */
static void remove_silently(struct world *world, const struct asked *asked)
{
    struct peer *peer = world_find(world, asked->caller->realm, asked->session);
    const struct held_list *list;

    CHECK(peer != NULL);
    list = asked->holding == SUBSCRIPTION ? &peer->subscriptions : &peer->registrations;
    if (held_find(list, asked->id) == NULL)
        return; /* it was told */
    CHECK(!(peer->manners == POLITE && peer->has_features));
    census_lose(world, peer, asked->holding, asked->id);
}

void asked_result(struct world *world, struct peer *peer, const struct msg *msg)
{
    struct asked *asked = &world->asked;
    struct dict_walk first = argument(world, msg, 0);

    if (asked->procedure.len == 0 || peer != asked->caller || msg->id != asked->request)
        return;
    asked->is_done = true;
    world->answers++;
    world->is_quiet = is_one(asked, "session.kill_all");
    if (asked->is_answer)
        CHECK(first.token.type == TOKEN_UINT && first.token.natural == asked->answer);
    if (asked->session != 0)
        remove_silently(world, asked);
    if (is_one(asked, "session.add_testament"))
        peer->testaments[asked->scope]++;
    else if (is_one(asked, "session.flush_testaments"))
        peer->testaments[asked->scope] = 0;
}

void asked_testaments(struct world *world, struct peer *peer)
{
    world->testaments += peer->testaments[DETACHED] + peer->testaments[DESTROYED];
    peer->testaments[DETACHED] = peer->testaments[DESTROYED] = 0;
}

/* A meta procedure is answered in the step of its call. What is published without PUBLISH are
 * testaments. */
void asked_settle(struct world *world, uint64_t publications, const struct event *ev)
{
    const struct asked *asked = &world->asked;
    bool is_publish = ev->type == EV_MESSAGE && ev->msg->type == MSG_PUBLISH;

    if (asked->procedure.len != 0)
        CHECK(!numbers_have(&asked->caller->calls, asked->request));
    if (world->is_quiet)
        CHECK(publications == 0);
    else if (!is_publish || world->testaments != 0)
        CHECK(publications == world->testaments);
    world->testaments = 0;
}
