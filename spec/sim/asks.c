/* asks.c -- see asks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "asks.h"

#include "audiences.h"
#include "base/mem.h"
#include "core/core.h"
#include "core/limits.h"
#include "core/look.h"
#include "core/options.h"
#include "judge.h"
#include "lists.h"
#include "mischief.h"
#include "wire/errors.h"

#include <stdarg.h>

#define GUESTS 8

enum state {
    GONE,
    WAITS,      /* for an answer to HELLO or AUTHENTICATE */
    CHALLENGED, /* AUTHENTICATE is what it has to say */
    IN,
    LEAVING, /* told GOODBYE */
};

/* A request that was sent and not answered. */
struct request {
    unsigned type;
    uint64_t id;
};

struct guest {
    uint64_t peer; /* new with every connection */
    enum state state;
    enum codec codec;
    bool is_held;
    uint64_t next_request;
    uint64_t session;
    bool is_trusted;          /* the router's own code */
    size_t sent;              /* requests since it last had no question */
    size_t answers;           /* ever */
    struct request *requests; /* owned; in order; all but CALLs */
    size_t request_count, request_cap;
    struct numbers calls, invocations;
    uint64_t streamed; /* its last progressive call; 0: none */
    const char *stream_uri;
};

struct hall {
    struct core *core; /* owned */
    struct rules *rules;
    struct choices *c;
    struct guest guests[GUESTS];
    struct numbers open, over; /* questions; those of the step at hand that are none any more */
    struct outbox out;
    struct arena arena;
    uint64_t now, seed, last_peer;
    bool is_governed; /* rules and sessions change at somebody's will */
    unsigned haste;   /* of the judge: so many of 20 steps are its */
    struct mischief mischief;
    struct asks_totals *totals;
};

/* ---- what the core does ---- */

static struct guest *find_guest(struct hall *hall, uint64_t peer)
{
    for (unsigned i = 0; i < GUESTS; i++)
        if (hall->guests[i].state != GONE && hall->guests[i].peer == peer)
            return &hall->guests[i];
    return NULL;
}

static void forget(struct guest *guest, enum state state)
{
    guest->request_count = guest->calls.count = guest->invocations.count = 0;
    guest->streamed = 0;
    guest->state = state;
}

static void on_answer(struct guest *guest, unsigned type, uint64_t id)
{
    if (type == MSG_CALL) {
        CHECK(numbers_remove(&guest->calls, id));
        return;
    }
    CHECK(guest->request_count != 0);
    CHECK(guest->requests[0].type == type && guest->requests[0].id == id);
    guest->request_count--;
    memmove(guest->requests, guest->requests + 1, guest->request_count * sizeof(*guest->requests));
}

static bool is_progress(struct hall *hall, const struct msg *msg)
{
    struct options options;
    struct fault fault;

    CHECK(options_read(&options, msg, &hall->arena, &fault) == 0);
    return options.progress;
}

static void on_send(struct hall *hall, struct guest *guest, const struct action *action)
{
    const struct msg_limits limits = {.raw_payload = true};
    struct fault fault;
    struct msg msg;

    CHECK(msg_decode(&msg, guest->codec, blob_slice(action->blob), &limits, &hall->arena, &fault) ==
          0);
    switch ((unsigned)msg.type) {
    case MSG_CHALLENGE:
        CHECK(guest->state == WAITS);
        guest->state = CHALLENGED;
        break;
    case MSG_GOODBYE:
        CHECK(guest->state == IN);
        forget(guest, LEAVING);
        break;
    case MSG_PUBLISHED:
    case MSG_SUBSCRIBED:
    case MSG_UNSUBSCRIBED:
    case MSG_REGISTERED:
    case MSG_UNREGISTERED:
        if (msg.id != 0) /* not revoked */
            on_answer(guest, (unsigned)msg.type - 1, msg.id);
        break;
    case MSG_RESULT:
        if (!is_progress(hall, &msg))
            on_answer(guest, MSG_CALL, msg.id);
        else
            CHECK(numbers_have(&guest->calls, msg.id));
        break;
    case MSG_ERROR:
        on_answer(guest, (unsigned)msg.request_type, msg.id);
        break;
    case MSG_INVOCATION:
        if (!numbers_have(&guest->invocations, msg.id)) /* or it is more input */
            numbers_add(&guest->invocations, msg.id);
        break;
    case MSG_INTERRUPT:
        (void)numbers_remove(&guest->invocations, msg.id);
        break;
    default:
        CHECK(msg.type == MSG_EVENT || msg.type == MSG_WELCOME || msg.type == MSG_ABORT);
        break;
    }
}

/* Who has left may still have answered. */
static void on_ask(struct hall *hall, const struct guest *guest, uint64_t id)
{
    CHECK(!numbers_have(&hall->open, id) && !numbers_have(&hall->over, id));
    CHECK(guest == NULL || guest->state != CHALLENGED);
    numbers_add(&hall->open, id);
    hall->totals->questions++;
}

static void on_unask(struct hall *hall, uint64_t id)
{
    CHECK(numbers_remove(&hall->open, id));
    numbers_add(&hall->over, id);
    hall->totals->taken_back++;
}

static void carry_out_one(struct hall *hall, const struct action *action)
{
    struct guest *guest = find_guest(hall, action->peer);

    switch ((enum action_type)action->type) {
    case ACT_SEND:
        CHECK(guest != NULL);
        on_send(hall, guest, action);
        break;
    case ACT_JOINED:
        CHECK(guest != NULL && guest->state == WAITS);
        guest->state = IN;
        guest->next_request = 1;
        guest->session = action->key;
        hall->totals->joins++;
        break;
    case ACT_RELEASE:
    case ACT_CLOSE:
        CHECK(guest != NULL);
        forget(guest, GONE);
        break;
    case ACT_ASK:
        on_ask(hall, guest, action->key);
        break;
    case ACT_UNASK:
        on_unask(hall, action->key);
        break;
    case ACT_HOLD: /* it may come behind ACT_CLOSE */
        CHECK(guest == NULL || guest->is_held != (action->kind != 0));
        if (guest != NULL)
            guest->is_held = action->kind != 0;
        hall->totals->held += action->kind != 0;
        hall->haste = action->kind != 0 ? 10 : 1; /* it sees the queue */
        break;
    case ACT_NOTE:
    case ACT_LEFT:
    case ACT_ADMIN: /* nobody is an administrator */
        break;
    }
}

/* ---- laws ---- */

/* About what it asks for; not about what it answers. */
static bool has_question(const struct hall *hall, const struct guest *guest)
{
    for (size_t i = 0; i < hall->open.count; i++) {
        const struct question *question = core_question(hall->core, hall->open.at[i]);

        if (question->peer == guest->peer && question->ask != ASK_ANSWER &&
            question->ask != ASK_RECHECK && question->ask != ASK_RETAINED)
            return true;
    }
    return false;
}

/* Or for its time. */
static bool may_wait(const struct hall *hall, const struct guest *guest)
{
    return has_question(hall, guest) ||
           (hall->mischief.has_waits && core_wake_at(hall->core) != NEVER);
}

static const struct guest *find_session(const struct hall *hall, uint64_t session)
{
    for (unsigned i = 0; i < GUESTS; i++)
        if (hall->guests[i].state == IN && hall->guests[i].session == session)
            return &hall->guests[i];
    return NULL;
}

/* Somebody waits for the answer, and nobody is the router's own code. */
static void check_answer(const struct hall *hall, const struct question *question)
{
    const struct guest *caller = find_session(hall, question->caller);
    const struct guest *callee = find_session(hall, question->session);

    CHECK(caller != NULL && caller->calls.count != 0 && !caller->is_trusted);
    CHECK(callee == NULL || !callee->is_trusted);
    CHECK(question->msg->type == MSG_YIELD || question->msg->type == MSG_ERROR);
    CHECK(question->procedure.len != 0);
}

/* What is judged is what the guest sent, and the first that was not answered. */
static void check_question(struct hall *hall, const struct question *question)
{
    const struct guest *guest = find_guest(hall, question->peer);

    if (question->ask == ASK_ANSWER) {
        check_answer(hall, question);
        return;
    }
    if (question->ask == ASK_RETAINED) {
        CHECK(guest != NULL && guest->state == IN && guest->session == question->session);
        CHECK(question->publisher != NULL && question->publisher->details.len != 0);
        return;
    }
    CHECK(guest != NULL && !guest->is_trusted);
    if (question->ask == ASK_RECHECK) {
        CHECK(guest->state == IN);
        CHECK(question->msg->type == MSG_SUBSCRIBE || question->msg->type == MSG_REGISTER);
        return;
    }
    CHECK((question->ask == ASK_AUTHORIZE) == (guest->state == IN));
    if (question->ask != ASK_AUTHORIZE)
        CHECK(question->hello->type == MSG_HELLO && guest->state == WAITS);
    else if (question->msg->type == MSG_CALL)
        CHECK(question->is_chunk || numbers_have(&guest->calls, question->msg->id));
    else
        CHECK(guest->request_count != 0 && guest->requests[0].id == question->msg->id);
}

/* A CALL is pending, or waits behind a question. */
static void check_calls(const struct hall *hall)
{
    uint64_t pending = core_counters(hall->core)->pending_calls, sent = 0, waiting = 0;

    for (unsigned i = 0; i < GUESTS; i++) {
        const struct guest *guest = &hall->guests[i];

        sent += guest->calls.count;
        waiting += may_wait(hall, guest) ? guest->calls.count : 0;
    }
    CHECK(pending <= sent && sent - waiting <= pending);
}

static void check(struct hall *hall)
{
    core_check(hall->core);
    for (size_t i = 0; i < hall->open.count; i++) {
        const struct question *question = core_question(hall->core, hall->open.at[i]);

        CHECK(question != NULL && question->id == hall->open.at[i]);
        check_question(hall, question);
    }
    for (size_t i = 0; i < hall->over.count; i++)
        CHECK(core_question(hall->core, hall->over.at[i]) == NULL);
    for (unsigned i = 0; i < GUESTS; i++) {
        struct guest *guest = &hall->guests[i];
        bool must_wait = guest->state == WAITS || guest->request_count != 0;

        CHECK(guest->state == GONE || !must_wait || may_wait(hall, guest));
        CHECK(guest->state != IN || !guest->is_held || guest->sent > MAX_PARKED / 2 ||
              guest->answers > MAX_REVIEWED / 2);
        if (!may_wait(hall, guest))
            guest->sent = 0;
        hall->totals->waited += guest->request_count > 1;
    }
    check_calls(hall);
    hall->over.count = 0;
}

static void step(struct hall *hall, struct event *ev)
{
    ev->now = hall->now;
    ev->wall = UINT64_C(1767225600000) + hall->now;
    core_step(hall->core, ev, &hall->out);
    for (size_t i = 0; i < hall->out.count; i++)
        carry_out_one(hall, &hall->out.actions[i]);
    outbox_clear(&hall->out);
    check(hall);
    arena_reset(&hall->arena);
}

/* ---- guests ---- */

/* Says the JSON in the guest's own serializer. */
static void __attribute__((format(printf, 3, 4)))
say(struct hall *hall, struct guest *guest, const char *format, ...)
{
    static const struct msg_limits limits = {.raw_payload = true};
    const struct transport transport = {.type = TRANSPORT_RAWSOCKET,
                                        .codec = guest->codec,
                                        .is_trusted = guest->is_trusted,
                                        .send_max = UINT32_MAX,
                                        .protocol = "wamp.2.x",
                                        .peer = "tcp4:127.0.0.1:1"};
    char text[512];
    struct blob *blob;
    struct fault fault;
    struct msg msg;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    blob = transcode(CODEC_JSON, slice_of(text), guest->codec);
    CHECK(msg_decode(&msg, guest->codec, blob_slice(blob), &limits, &hall->arena, &fault) == 0);
    step(hall, &(struct event){.type = msg.type == MSG_HELLO ? EV_HELLO : EV_MESSAGE,
                               .peer = guest->peer,
                               .msg = &msg,
                               .transport = &transport});
    blob_drop(blob);
}

static void enter(struct hall *hall, struct guest *guest)
{
    guest->peer = ++hall->last_peer;
    guest->codec = (enum codec)choose(hall->c, CODEC_COUNT);
    guest->state = WAITS;
    guest->is_held = false;
    guest->is_trusted = choose_rarely(hall->c, 8);
    guest->sent = guest->answers = 0;
    say(hall, guest,
        "[1,\"realm1\",{\"authmethods\":[\"anonymous\",\"ticket\"],\"authid\":\"joe\","
        "\"x_group\":\"g%u\",\"x_list\":[%u,\"g1\"],\"roles\":{"
        "\"publisher\":{},\"subscriber\":{},"
        "\"caller\":{\"features\":{\"progressive_call_invocations\":true}},"
        "\"callee\":{\"features\":{\"call_canceling\":true,\"progressive_call_results\":true,"
        "\"progressive_call_invocations\":true}}}}]",
        choose(hall->c, 3), choose(hall->c, 2));
}

static void lose(struct hall *hall, struct guest *guest)
{
    forget(guest, GONE);
    step(hall, &(struct event){.type = EV_CLOSED, .peer = guest->peer});
}

/* The id of a request that will be answered. */
static unsigned long long note(struct guest *guest, unsigned type)
{
    uint64_t id = guest->next_request++;

    guest->sent++;
    if (type == MSG_CALL) {
        numbers_add(&guest->calls, id);
        return id;
    }
    if (guest->request_count == guest->request_cap) {
        guest->request_cap = guest->request_cap * 2 + 8;
        guest->requests = mem_grow(guest->requests, guest->request_cap * sizeof(*guest->requests));
    }
    guest->requests[guest->request_count++] = (struct request){type, id};
    return id;
}

static const char *pick_uri(struct hall *hall)
{
    static const char *const uris[] = {"com.ask.a", "com.ask.b",  "com.free.a", "com.free.b",
                                       "com.no.a",  "com.mine.b", "com a",      "wamp.x",
                                       "com.ask.c", "com.free.a"};

    return uris[choose(hall->c, ARRAY_LEN(uris))];
}

/* A call, which may have more input later. */
static void call_something(struct hall *hall, struct guest *guest)
{
    bool is_progressive = choose(hall->c, 4) == 0;
    const char *uri = pick_uri(hall);
    unsigned long long id = note(guest, MSG_CALL);

    if (is_progressive && strcmp(uri, "com a") != 0) {
        guest->streamed = id;
        guest->stream_uri = uri;
    }
    say(hall, guest, "[48,%llu,{\"timeout\":%u,\"receive_progress\":true%s},\"%s\",[1],{\"a\":2}]",
        id, choose(hall->c, 3) * 500, is_progressive ? ",\"progress\":true" : "", uri);
}

/* More input for the last progressive call, unless that is over. */
static void go_on_calling(struct hall *hall, struct guest *guest)
{
    bool is_last = choose(hall->c, 4) == 0;
    unsigned long long id = guest->streamed;

    if (id == 0 || !numbers_have(&guest->calls, id))
        return;
    guest->sent++;
    if (is_last)
        guest->streamed = 0;
    say(hall, guest, "[48,%llu,{\"progress\":%s},\"%s\",[2]]", id, is_last ? "false" : "true",
        guest->stream_uri);
}

static void request_something(struct hall *hall, struct guest *guest)
{
    static const char *const matches[] = {"exact", "exact", "prefix", "wildcard"};
    const char *uri = pick_uri(hall), *match = matches[choose(hall->c, 4)];

    if (strcmp(match, "wildcard") == 0 && choose(hall->c, 2) == 1)
        uri = "com..a";
    else if (strcmp(match, "prefix") == 0)
        uri = choose(hall->c, 2) == 1 ? "com.ask." : "com.free.";
    switch (choose(hall->c, 9)) {
    case 8:
        go_on_calling(hall, guest);
        break;
    case 0:
    case 1:
        say(hall, guest, "[16,%llu,{\"acknowledge\":true,\"retain\":%s},\"%s\"%s]",
            note(guest, MSG_PUBLISH), choose(hall->c, 2) == 1 ? "true" : "false", pick_uri(hall),
            choose(hall->c, 8) == 0 ? "" : ",[1]");
        break;
    case 2:
        say(hall, guest, "[32,%llu,{\"match\":\"%s\",\"get_retained\":%s},\"%s\"]",
            note(guest, MSG_SUBSCRIBE), match, choose(hall->c, 2) == 1 ? "true" : "false", uri);
        break;
    case 3:
        say(hall, guest, "[64,%llu,{\"match\":\"%s\",\"invoke\":\"random\"},\"%s\"]",
            note(guest, MSG_REGISTER), match, uri);
        break;
    case 4:
        say(hall, guest, "[34,%llu,%u]", note(guest, MSG_UNSUBSCRIBE), 1 + choose(hall->c, 9));
        break;
    case 5:
        say(hall, guest, "[66,%llu,%u]", note(guest, MSG_UNREGISTER), 1 + choose(hall->c, 9));
        break;
    case 6:
        say(hall, guest, "[48,%llu,{},\"wamp.session.%s\",[\"none\"]]", note(guest, MSG_CALL),
            choose(hall->c, 2) == 1 ? "kill_by_authid" : "count");
        break;
    default:
        call_something(hall, guest);
        break;
    }
}

static void answer_or_cancel(struct hall *hall, struct guest *guest)
{
    if (guest->invocations.count != 0 && choose(hall->c, 2) == 1) {
        unsigned long long id =
            guest->invocations.at[choose(hall->c, 256) % guest->invocations.count];

        guest->answers++;
        if (choose(hall->c, 3) == 0) {
            say(hall, guest, "[70,%llu,{\"progress\":true},[1]]", id);
            return;
        }
        (void)numbers_remove(&guest->invocations, id);
        if (choose(hall->c, 3) == 0)
            say(hall, guest, "[8,68,%llu,{},\"com.example.sorry\",[1],{\"a\":1}]", id);
        else
            say(hall, guest, "[70,%llu,{},[1],{\"a\":1}]", id);
    } else if (guest->calls.count != 0) {
        say(hall, guest, "[49,%llu,{\"mode\":\"%s\"}]",
            (unsigned long long)guest->calls.at[choose(hall->c, 256) % guest->calls.count],
            choose(hall->c, 2) == 1 ? "skip" : "killnowait");
    }
}

static void leave(struct hall *hall, struct guest *guest)
{
    switch (choose(hall->c, 4)) {
    case 0:
        say(hall, guest, "[3,{},\"com.example.enough\"]");
        break;
    case 1:
        if (guest->state == IN || guest->state == LEAVING)
            say(hall, guest, "[6,{},\"%s\"]", WAMP_CLOSE_NORMAL);
        else
            say(hall, guest, "[16,1,{},\"com.free.a\"]"); /* a violation */
        break;
    case 2:
        if (guest->state == IN)
            say(hall, guest, "[70,100000,{}]"); /* the same */
        break;
    default:
        lose(hall, guest);
        break;
    }
}

/* ---- the judge ---- */

static void judge_audience(struct hall *hall, const struct question *question,
                           struct decision *decision)
{
    if (choose(hall->c, 4) == 0)
        decision->grant.audience =
            audience_by_chance(hall->c, hall->core, question, &decision->grant);
    decision->audience = audience_by_chance(hall->c, hall->core, question, &decision->grant);
    hall->totals->filtered += decision->grant.audience != NULL || decision->audience != NULL;
}

static void judge(struct hall *hall)
{
    struct decision decision = {.codec = CODEC_JSON};
    const struct question *question;
    uint64_t id;

    if (hall->open.count == 0 || choose(hall->c, 16) == 0) { /* too late, or never asked */
        decision.question = choose(hall->c, 2) == 1 ? 1000000000 : 1;
        decision.verdict = VERDICT_DENY;
        if (!numbers_have(&hall->open, decision.question))
            step(hall, &(struct event){.type = EV_DECISION, .decision = &decision});
        return;
    }
    id = hall->open.at[choose(hall->c, 256) % hall->open.count];
    question = core_question(hall->core, id);
    CHECK(question != NULL);
    judge_decide(hall->c, UINT64_C(1767225600000) + hall->now, question, &decision);
    if (decision.verdict == VERDICT_ALLOW && (question->needs & NEEDS_FILTER) != 0)
        judge_audience(hall, question, &decision);
    hall->totals->retained += question->ask == ASK_RETAINED;
    (void)numbers_remove(&hall->open, id);
    numbers_add(&hall->over, id);
    hall->totals->answered++;
    hall->totals->reviewed += question->ask == ASK_ANSWER;
    hall->totals->rewritten += decision.grant.args.data != NULL;
    step(hall, &(struct event){.type = EV_DECISION, .decision = &decision});
    audience_drop(decision.grant.audience);
    audience_drop(decision.audience);
}

/* ---- what happens ---- */

static void pass(struct hall *hall, uint64_t ms)
{
    uint64_t until = hall->now + ms;

    while (core_wake_at(hall->core) <= until) {
        if (core_wake_at(hall->core) > hall->now)
            hall->now = core_wake_at(hall->core);
        step(hall, &(struct event){.type = EV_TICK});
        CHECK(core_wake_at(hall->core) > hall->now);
    }
    hall->now = until;
}

static void authenticate(struct hall *hall, struct guest *guest)
{
    guest->state = WAITS;
    say(hall, guest, "[5,\"secret\",{}]");
}

static void do_something(struct hall *hall, struct guest *guest)
{
    unsigned which = choose(hall->c, 24);

    if (which == 0)
        leave(hall, guest);
    else if (guest->state == CHALLENGED && which < 12)
        authenticate(hall, guest);
    else if (guest->state == IN && which < (guest->invocations.count != 0 ? 14U : 4U))
        answer_or_cancel(hall, guest);
    else if (guest->state == IN && (!guest->is_held || which < 6))
        request_something(hall, guest);
}

static void do_mischief(struct hall *hall)
{
    struct rules *old = hall->rules;
    struct numbers sessions = {0};
    struct event ev = {0};

    for (unsigned i = 0; i < GUESTS; i++)
        if (hall->guests[i].state == IN)
            numbers_add(&sessions, hall->guests[i].session);
    mischief_choose(hall->c, &sessions, &hall->mischief, &ev);
    if (ev.type == EV_RULES)
        hall->rules = (struct rules *)(uintptr_t)ev.renewal->options->rules;
    step(hall, &ev);
    if (ev.type == EV_RULES)
        rules_free(old);
    mem_free(sessions.at);
}

static void happen(struct hall *hall)
{
    unsigned which = choose(hall->c, 20);
    struct guest *guest = &hall->guests[choose(hall->c, GUESTS)];

    pass(hall, 0); /* a session may have come in that is to end at once */
    if (which < hall->haste && (hall->haste > 1 || choose(hall->c, 8) == 0))
        judge(hall);
    else if (which == 18 && choose(hall->c, 8) == 0)
        pass(hall, choose(hall->c, 256) * UINT64_C(60));
    else if (which == 17 && hall->is_governed && choose(hall->c, 4) == 0)
        do_mischief(hall);
    else if (which == 19 && choose(hall->c, 64) == 0)
        step(hall, &(struct event){.type = EV_CLOSE_REALM, .reason = WAMP_CLOSE_REALM});
    else if (guest->state == GONE)
        enter(hall, guest);
    else
        do_something(hall, guest);
}

static void begin(struct hall *hall, struct choices *c, struct asks_totals *totals)
{
    struct core_options options;

    *hall = (struct hall){.c = c, .totals = totals, .now = 1000, .seed = choose(c, 256)};
    hall->is_governed = choose(c, 2) == 1;
    hall->rules = mischief_rules(c);
    outbox_init(&hall->out);
    arena_init(&hall->arena);
    core_defaults(&options);
    options.realm = "realm1";
    options.random = rng_fill_seeded;
    options.random_ctx = &hall->seed;
    options.rules = hall->rules;
    options.asks_join = choose(c, 4) != 0;
    options.asks_filter = choose(c, 2) == 1;
    options.auth_timeout_ms = 4000;
    hall->haste = choose(c, 3) == 0 ? 1 : 5;
    options.max_joining = choose(c, 4) == 0 ? 3 : GUESTS;
    options.anonymous_admin = choose(c, 2) == 1;
    options.intercepts = choose(c, 3) != 0 ? choose(c, 16) : 0;
    options.call_queue_len = choose(c, 2) * 4;
    if (hall->is_governed)
        mischief_limits(c, &hall->mischief, &options);
    hall->core = core_new(&options);
}

static void finish(struct hall *hall)
{
    const struct core_counters *counters = core_counters(hall->core);

    pass(hall, 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        struct guest *guest = &hall->guests[i];

        if (guest->state != GONE)
            lose(hall, guest);
        mem_free(guest->requests);
        mem_free(guest->calls.at);
        mem_free(guest->invocations.at);
    }
    CHECK(hall->open.count == 0);
    hall->totals->revoked += counters->revoked;
    hall->totals->limited += counters->limited;
    hall->totals->kept += counters->decisions_reused;
    CHECK(counters->sessions == 0 && counters->subscriptions == 0);
    CHECK(counters->registrations == 0 && counters->pending_calls == 0);
    CHECK(core_wake_at(hall->core) == NEVER);
    core_free(hall->core);
    rules_free(hall->rules);
    outbox_fini(&hall->out);
    arena_fini(&hall->arena);
    mem_free(hall->open.at);
    mem_free(hall->over.at);
}

void asks_run(struct choices *c, uint64_t steps, struct asks_totals *totals)
{
    struct hall hall;

    begin(&hall, c, totals);
    while (steps-- != 0 && choices_are_left(c))
        happen(&hall);
    finish(&hall);
}
