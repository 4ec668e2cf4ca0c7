/* decider_test.c -- realms that ask, and somebody who decides: at once, later, or never.
 *
 * Peers in this process are let in by a challenge, and then send a load of requests in
 * one go: what they are told must be in order, whenever the answers come and whichever
 * worker is the home of the realm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actor_kit.h"
#include "router/router.h"
#include "unit.h"

#include <uv.h>

#include <pthread.h>

#define ROOM 16  /* questions that wait for their answer at one time */
#define LOAD 150 /* publications of a load: more than may wait behind a question */

enum when { ANSWER_AT_ONCE, ANSWER_LATER, ANSWER_NEVER };

struct plan {
    enum when when;
    struct router *router;
    struct local_peer *lost; /* with loses_peer: who is closed as soon as anything is asked */
    bool loses_peer, stops_on_ask, stops_on_unask;
    unsigned opened, stopped, closed, asked, unasked;
    pthread_t home;
};

/* ---- who decides ---- */

struct mind {
    struct plan *plan;
    struct realm *realm;
    uv_timer_t timer;
    bool has_timer;
    uint64_t waiting[ROOM];
    unsigned count;
};

static void *open_mind(void *ctx, struct realm *realm)
{
    struct mind *mind = calloc(1, sizeof *mind);

    mind->plan = ctx;
    mind->realm = realm;
    mind->plan->opened++;
    return mind;
}

static void stop_mind(void *ctx)
{
    struct mind *mind = ctx;

    EXPECT_EQ(mind->plan->closed, 0U);
    mind->plan->stopped++;
    if (mind->has_timer)
        uv_close((uv_handle_t *)&mind->timer, NULL);
}

static void close_mind(void *ctx)
{
    struct mind *mind = ctx;

    mind->plan->closed++;
    free(mind);
}

/* Everybody is challenged for "right"; what ends in "yes" is allowed. */
static void judge(const struct mind *mind, uint64_t id)
{
    const struct question *question = core_question(realm_core(mind->realm), id);
    struct decision decision = {.question = id, .codec = CODEC_MSGPACK, .trustlevel = -1};

    if (question == NULL) {
        UNIT_FAIL("question %llu is not open", (unsigned long long)id);
        return;
    }
    decision.authmethod = SLICE("ticket");
    switch (question->ask) {
    case ASK_JOIN:
        decision.verdict = VERDICT_CHALLENGE;
        break;
    case ASK_AUTHENTICATE:
        decision.verdict =
            slice_eq(question->msg->text, SLICE("right")) ? VERDICT_ACCEPT : VERDICT_REFUSE;
        decision.authid = SLICE("alice");
        decision.authrole = SLICE("user");
        decision.authprovider = SLICE("test");
        decision.reason = "wamp.error.authentication_denied";
        break;
    case ASK_AUTHORIZE:
    case ASK_ANSWER:
    case ASK_RETAINED:
    case ASK_RECHECK:
        decision.verdict =
            slice_eq(question->msg->text, SLICE("ask.yes")) ? VERDICT_ALLOW : VERDICT_DENY;
        break;
    }
    realm_decide(mind->realm, &decision);
}

static void on_timer(uv_timer_t *timer)
{
    struct mind *mind = timer->data;

    while (mind->count != 0)
        judge(mind, mind->waiting[--mind->count]);
}

static void put_off(struct mind *mind, uint64_t id)
{
    if (mind->count == ROOM) {
        UNIT_FAIL("more than %d questions are open", ROOM);
        return;
    }
    mind->waiting[mind->count++] = id;
    if (!mind->has_timer) {
        EXPECT_EQ(uv_timer_init(realm_loop(mind->realm), &mind->timer), 0);
        mind->timer.data = mind;
        mind->has_timer = true;
    }
    EXPECT_EQ(uv_timer_start(&mind->timer, on_timer, 1, 0), 0);
}

static void on_ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;
    struct plan *plan = mind->plan;

    if (plan->asked++ == 0)
        plan->home = pthread_self();
    EXPECT(pthread_equal(plan->home, pthread_self()));
    EXPECT(core_question(realm_core(mind->realm), question->id) == question);
    if (plan->lost != NULL)
        local_close(plan->lost);
    plan->lost = NULL;
    if (plan->stops_on_ask)
        router_stop(plan->router);
    if (plan->when == ANSWER_AT_ONCE)
        judge(mind, question->id);
    else if (plan->when == ANSWER_LATER)
        put_off(mind, question->id);
}

static void on_unask(void *ctx, uint64_t question)
{
    struct mind *mind = ctx;

    EXPECT(core_question(realm_core(mind->realm), question) == NULL);
    EXPECT(pthread_equal(mind->plan->home, pthread_self()));
    mind->plan->unasked++;
    if (mind->plan->stops_on_unask)
        router_stop(mind->plan->router);
}

static const struct decider decider = {
    .open = open_mind, .stop = stop_mind, .close = close_mind, .ask = on_ask, .unask = on_unask};

/* ---- who is judged ---- */

struct actor {
    struct local_peer *peer;
    struct router *router;
    const char *realm, *ticket;
    unsigned welcomes, answers, goodbyes, aborts;
    char reason[80]; /* of ABORT */
    bool has_closed;
};

static void deliver(const struct actor *actor, struct encoder *e)
{
    struct blob *blob;

    encode_end(e);
    blob = encode_finish(e);
    local_send(actor->peer, blob_slice(blob));
    blob_drop(blob);
}

static void say_hello(const struct actor *actor)
{
    static const char *const roles[] = {"publisher", "subscriber", "caller"};
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, 3);
    encode_uint(&e, MSG_HELLO);
    encode_text(&e, slice_of(actor->realm));
    encode_map(&e, 1);
    encode_text(&e, SLICE("roles"));
    encode_map(&e, ARRAY_LEN(roles));
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        encode_text(&e, slice_of(roles[i]));
        encode_map(&e, 0);
        encode_end(&e);
    }
    encode_end(&e);
    encode_end(&e);
    deliver(actor, &e);
}

/* [5, ticket, {}] */
static void say_ticket(const struct actor *actor)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, 3);
    encode_uint(&e, MSG_AUTHENTICATE);
    encode_text(&e, slice_of(actor->ticket));
    encode_map(&e, 0);
    encode_end(&e);
    deliver(actor, &e);
}

/* [type, id, {"acknowledge": true}, uri]; without an id, [type, {...}, uri] */
static void say(const struct actor *actor, enum msg_type type, uint64_t id, const char *uri)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, id == 0 ? 3 : 4);
    encode_uint(&e, (uint64_t)type);
    if (id != 0)
        encode_uint(&e, id);
    encode_map(&e, 1);
    encode_text(&e, SLICE("acknowledge"));
    encode_bool(&e, true);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    deliver(actor, &e);
}

/* Three that are asked about, and many behind them. */
static void say_load(const struct actor *actor)
{
    say(actor, MSG_SUBSCRIBE, 1, "ask.yes");
    say(actor, MSG_PUBLISH, 2, "ask.no");
    say(actor, MSG_CALL, 3, "ask.yes");
    for (uint64_t id = 4; id < 4 + LOAD; id++)
        say(actor, MSG_PUBLISH, id, "com.x");
}

static void on_answer(struct actor *actor, const struct msg *msg)
{
    enum msg_type expected = actor->answers == 0  ? MSG_SUBSCRIBED
                             : actor->answers < 3 ? MSG_ERROR
                                                  : MSG_PUBLISHED;

    EXPECT_EQ(msg->type, expected);
    EXPECT_EQ(msg->id, (uint64_t)++actor->answers);
    if (actor->answers == 2)
        EXPECT_SLICE(msg->text, SLICE("wamp.error.not_authorized"));
    if (actor->answers == 3)
        EXPECT_SLICE(msg->text, SLICE("wamp.error.no_such_procedure"));
    if (actor->answers == 3 + LOAD)
        router_stop(actor->router);
}

static void on_message(void *ctx, const struct msg *msg)
{
    struct actor *actor = ctx;

    switch ((unsigned)msg->type) {
    case MSG_CHALLENGE:
        EXPECT_SLICE(msg->text, SLICE("ticket"));
        say_ticket(actor);
        break;
    case MSG_WELCOME:
        actor->welcomes++;
        say_load(actor);
        break;
    case MSG_SUBSCRIBED:
    case MSG_PUBLISHED:
    case MSG_ERROR:
        on_answer(actor, msg);
        break;
    case MSG_ABORT:
        actor->aborts++;
        snprintf(actor->reason, sizeof actor->reason, "%.*s", SLICE_ARG(msg->text));
        router_stop(actor->router);
        break;
    case MSG_GOODBYE:
        actor->goodbyes++;
        say(actor, MSG_GOODBYE, 0, "wamp.close.goodbye_and_out");
        break;
    default:
        UNIT_FAIL("not expected: %s", msg_name(msg->type));
    }
}

static void receive(void *ctx, struct slice message)
{
    kit_decode(ctx, message, on_message);
}

static void on_close(void *ctx)
{
    ((struct actor *)ctx)->has_closed = true;
}

/* ---- scenes ---- */

/* The role "user" may do everything, but "ask.**" is asked about. */
static struct rules *make_rules(void)
{
    static const struct {
        enum rule_effect effect;
        const char *uri;
    } list[] = {
        {RULE_ALLOW, "**"},
        {RULE_ASK, "ask.**"},
    };
    struct rules *rules = rules_new();
    struct rules_error error = {.words = ""};
    uint32_t role;
    int err = rules_add_role(rules, SLICE("user"), SLICE(""), SLICE("the test"), &role, &error);

    for (size_t i = 0; err == 0 && i < ARRAY_LEN(list); i++) {
        struct rule rule = {.effect = list[i].effect,
                            .actions = RULE_ALL_ACTIONS,
                            .uri = slice_of(list[i].uri),
                            .where = SLICE("the test"),
                            .trustlevel = -1};

        err = rules_add(rules, role, &rule, &error);
    }
    if (err == 0)
        err = rules_freeze(rules, &error);
    EXPECT_STR(error.words, "");
    EXPECT_EQ(err, 0);
    return rules;
}

static struct router *make(unsigned workers, const struct rules *rules, struct plan *plan,
                           uint32_t auth_timeout_ms)
{
    static const char *const names[] = {"com.first", "com.second"};
    struct realm_options realms[ARRAY_LEN(names)] = {0};
    char words[200] = "";
    struct router_options options = {.workers = workers,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 10, .close_timeout_ms = 100},
                                     .shutdown_grace_ms = 20000};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = names[i];
        realms[i].core.asks_join = true;
        realms[i].core.auth_timeout_ms = auth_timeout_ms;
        realms[i].core.rules = rules;
        realms[i].decider = &decider;
        realms[i].decider_ctx = plan;
    }
    plan->router = router_new(&options, words, sizeof words);
    EXPECT_STR(words, "");
    EXPECT_EQ(plan->opened, ARRAY_LEN(names));
    return plan->router;
}

/* One peer says HELLO to that realm, and the router runs until somebody stops it. */
static struct actor play(unsigned workers, const char *realm, const char *ticket, struct plan *plan,
                         uint32_t auth_timeout_ms)
{
    struct rules *rules = make_rules();
    struct router *router = make(workers, rules, plan, auth_timeout_ms);
    struct actor actor = {.router = router, .realm = realm, .ticket = ticket};

    actor.peer = local_open(router, receive, on_close, &actor);
    if (plan->loses_peer)
        plan->lost = actor.peer;
    say_hello(&actor);
    EXPECT_EQ(router_run(router), 0);
    if (!plan->loses_peer)
        local_close(actor.peer);
    router_free(router);
    EXPECT_EQ(plan->stopped, 2U);
    EXPECT_EQ(plan->closed, 2U);
    rules_free(rules);
    return actor;
}

static void play_load(unsigned workers, const char *realm, enum when when)
{
    struct plan plan = {.when = when};
    struct actor actor = play(workers, realm, "right", &plan, 20000);

    EXPECT_EQ(actor.welcomes, 1U);
    EXPECT_EQ(actor.answers, 3U + LOAD);
    EXPECT_EQ(actor.goodbyes, 1U);
    EXPECT_EQ(actor.aborts, 0U);
    EXPECT(actor.has_closed);
    EXPECT_EQ(plan.asked, 5U);
    EXPECT_EQ(plan.unasked, 0U);
}

static const struct {
    unsigned workers;
    const char *realm;
} homes[] = {{1, "com.first"}, {2, "com.first"}, {2, "com.second"}};

TEST(answers_at_once_are_steps_of_their_own)
{
    for (size_t i = 0; i < ARRAY_LEN(homes); i++)
        play_load(homes[i].workers, homes[i].realm, ANSWER_AT_ONCE);
}

TEST(answers_may_come_later)
{
    for (size_t i = 0; i < ARRAY_LEN(homes); i++)
        play_load(homes[i].workers, homes[i].realm, ANSWER_LATER);
}

TEST(who_is_refused_is_told_why)
{
    for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
        struct plan plan = {.when = i == 0 ? ANSWER_LATER : ANSWER_AT_ONCE};
        struct actor actor = play(homes[i].workers, homes[i].realm, "wrong", &plan, 20000);

        EXPECT_EQ(actor.aborts, 1U);
        EXPECT_STR(actor.reason, "wamp.error.authentication_denied");
        EXPECT_EQ(actor.welcomes, 0U);
        EXPECT_EQ(plan.asked, 2U);
        EXPECT_EQ(plan.unasked, 0U);
        EXPECT(actor.has_closed);
    }
}

TEST(what_is_never_answered_is_taken_back_in_time)
{
    for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
        struct plan plan = {.when = ANSWER_NEVER};
        struct actor actor = play(homes[i].workers, homes[i].realm, "right", &plan, 20);

        EXPECT_EQ(actor.aborts, 1U);
        EXPECT_STR(actor.reason, "wamp.error.authentication_failed");
        EXPECT_EQ(plan.asked, 1U);
        EXPECT_EQ(plan.unasked, 1U);
        EXPECT(actor.has_closed);
    }
}

TEST(the_end_of_the_router_takes_questions_back)
{
    for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
        struct plan plan = {.when = ANSWER_NEVER, .stops_on_ask = true};
        struct actor actor = play(homes[i].workers, homes[i].realm, "right", &plan, 20000);

        EXPECT_EQ(actor.aborts, 1U);
        EXPECT_STR(actor.reason, "wamp.close.system_shutdown");
        EXPECT_EQ(plan.asked, 1U);
        EXPECT_EQ(plan.unasked, 1U);
        EXPECT(actor.has_closed);
    }
}

TEST(a_peer_that_is_gone_takes_its_question_with_it)
{
    struct plan plan = {.when = ANSWER_NEVER, .loses_peer = true, .stops_on_unask = true};
    struct actor actor = play(1, "com.first", "right", &plan, 20000);

    EXPECT_EQ(actor.aborts + actor.welcomes, 0U);
    EXPECT_EQ(plan.asked, 1U);
    EXPECT_EQ(plan.unasked, 1U);
}
