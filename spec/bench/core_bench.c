/* core_bench.c -- what steps of a core cost, and what they do not depend on.
 *
 *   bench_core [WORD]      only those whose name has the word
 *
 * The ends of sessions, the events of the router that nobody hears, publications
 * among patterns, filters and audiences, questions to the event history. Prints the best of
 * some rounds. Steps only: no sockets, no decoding.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "core/audience.h"
#include "core/candidates.h"
#include "core/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *wanted = "";

struct bench {
    struct core *core;
    struct outbox out;
    struct arena arena;
    uint64_t seed, last_peer;
    uint64_t request; /* of all sessions */
    uint64_t actions; /* of the last step */
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- a core, and peers of it ---- */

static void begin(struct bench *bench, unsigned roles, const struct history_options *history)
{
    struct core_options options;

    *bench = (struct bench){.seed = 1};
    core_defaults(&options);
    options.realm = "realm1";
    options.random = rng_fill_seeded;
    options.random_ctx = &bench->seed;
    options.roles = roles;
    options.anonymous_admin = true;
    options.histories = history;
    options.history_count = history == NULL ? 0 : 1;
    bench->core = core_new(&options);
    outbox_init(&bench->out);
    arena_init(&bench->arena);
}

static void finish(struct bench *bench)
{
    core_free(bench->core);
    outbox_fini(&bench->out);
    arena_fini(&bench->arena);
}

static double step(struct bench *bench, const struct event *ev)
{
    double start = now_ns(), took;

    core_step(bench->core, ev, &bench->out);
    took = now_ns() - start;
    bench->actions = bench->out.count;
    outbox_clear(&bench->out);
    return took;
}

/* One message in JSON, handled as if it had come in MessagePack; returns what the step took. */
static double __attribute__((format(printf, 3, 4)))
say(struct bench *bench, uint64_t peer, const char *format, ...)
{
    static const struct transport transport = {.type = TRANSPORT_RAWSOCKET,
                                               .codec = CODEC_MSGPACK,
                                               .send_max = UINT32_MAX,
                                               .protocol = "wamp.2.msgpack",
                                               .peer = "tcp4:127.0.0.1:1"};
    static const struct msg_limits limits = {.raw_payload = true};
    char text[512];
    struct blob *blob;
    struct fault fault;
    struct msg msg;
    double took;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    blob = transcode(CODEC_JSON, slice_of(text), CODEC_MSGPACK);
    CHECK(msg_decode(&msg, CODEC_MSGPACK, blob_slice(blob), &limits, &bench->arena, &fault) == 0);
    took = step(bench, &(struct event){.type = msg.type == MSG_HELLO ? EV_HELLO : EV_MESSAGE,
                                       .now = 1000,
                                       .wall = 1767225600000,
                                       .peer = peer,
                                       .msg = &msg,
                                       .transport = &transport});
    blob_drop(blob);
    arena_reset(&bench->arena);
    return took;
}

static double join(struct bench *bench, uint64_t *peer)
{
    *peer = ++bench->last_peer;
    return say(bench, *peer,
               "[1,\"realm1\",{\"x_group\":\"g%u\",\"roles\":{\"publisher\":{},"
               "\"subscriber\":{},\"caller\":{},\"callee\":{}}}]",
               (unsigned)(*peer % 50));
}

static double subscribe(struct bench *bench, uint64_t peer, const char *match, const char *topic)
{
    return say(bench, peer, "[32,%llu,{\"match\":\"%s\"},\"%s\"]",
               (unsigned long long)++bench->request, match, topic);
}

static double leave(struct bench *bench, uint64_t peer)
{
    return step(bench, &(struct event){.type = EV_CLOSED, .now = 1000, .peer = peer});
}

/* A session with five subscriptions of its own, five shared, and five registrations. */
static double settle(struct bench *bench, uint64_t *peer)
{
    double took = join(bench, peer);
    char uri[64];

    for (unsigned i = 0; i < 5; i++) {
        snprintf(uri, sizeof uri, "com.own.%llu.%u", (unsigned long long)*peer, i);
        took += subscribe(bench, *peer, "exact", uri);
        took += say(bench, *peer, "[64,%llu,{},\"%s\"]", (unsigned long long)++bench->request, uri);
        snprintf(uri, sizeof uri, "com.shared.%u", i);
        took += subscribe(bench, *peer, "exact", uri);
    }
    return took;
}

/* ---- what is measured ---- */

#define ROUNDS 300

static bool is_wanted(const char *name)
{
    return strstr(name, wanted) != NULL;
}

static void print(const char *name, const char *words, double ns, const char *per)
{
    printf("%-10s %-56s %12.0f ns %s\n", name, words, ns, per);
}

static double least(double best, double took)
{
    return took < best ? took : best;
}

static void bench_ends(void)
{
    static const unsigned others[] = {10, 100, 1000, 10000};

    for (size_t k = 0; k < ARRAY_LEN(others); k++) {
        struct bench bench;
        uint64_t peer;
        double best = 1e18;
        char words[80];

        begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
        for (unsigned i = 0; i < others[k]; i++)
            settle(&bench, &peer);
        for (unsigned i = 0; i < ROUNDS; i++) {
            settle(&bench, &peer);
            best = least(best, leave(&bench, peer));
        }
        snprintf(words, sizeof words, "a session that holds 15 things ends, %u others", others[k]);
        print("ends", words, best, "");
        finish(&bench);
    }
}

/* Places in one procedure are in order of registration, so that one is not found at once. */
static void bench_shared_ends(void)
{
    static const unsigned others[] = {10, 10000};

    for (size_t k = 0; k < ARRAY_LEN(others); k++) {
        struct bench bench;
        double best = 1e18;
        char words[80];

        begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
        for (unsigned i = 0; i < others[k] + ROUNDS; i++) {
            uint64_t peer;

            join(&bench, &peer);
            say(&bench, peer, "[64,%llu,{\"invoke\":\"random\"},\"com.shared\"]",
                (unsigned long long)++bench.request);
        }
        for (unsigned i = 0; i < ROUNDS; i++)
            best = least(best, leave(&bench, others[k] / 2 + i));
        snprintf(words, sizeof words, "one callee of a procedure ends, %u others", others[k]);
        print("ends", words, best, "");
        finish(&bench);
    }
}

/* A session comes, subscribes and registers 15 times, and ends. */
static double life(struct bench *bench)
{
    double best = 1e18;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t peer;
        double took = settle(bench, &peer);

        best = least(best, took + leave(bench, peer));
    }
    return best;
}

static void bench_unheard(void)
{
    struct bench bench;
    uint64_t peer, listener;

    begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
    settle(&bench, &peer);
    print("unheard", "join, 15 requests, end: nobody listens", life(&bench), "");
    join(&bench, &listener);
    subscribe(&bench, listener, "exact", "com.else");
    print("unheard", "the same, somebody listens to something else", life(&bench), "");
    subscribe(&bench, listener, "prefix", "wamp.");
    print("unheard", "the same, one listens to all the router tells", life(&bench), "");
    finish(&bench);
}

static double publish(struct bench *bench, uint64_t peer, const char *options, const char *topic)
{
    double best = 1e18;

    for (unsigned i = 0; i < ROUNDS; i++)
        best = least(best, say(bench, peer, "[16,%llu,%s,\"%s\",[\"some text\"]]",
                               (unsigned long long)++bench->request, options, topic));
    return best;
}

static void bench_patterns(void)
{
    struct bench bench;
    uint64_t peer, other;
    char uri[64];

    begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
    join(&bench, &peer);
    join(&bench, &other);
    subscribe(&bench, other, "exact", "com.target.topic");
    print("patterns", "exact publish, 1 subscriber, nothing else",
          publish(&bench, peer, "{}", "com.target.topic"), "");
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(uri, sizeof uri, "com.a%u.b%u.", i % 300, i);
        subscribe(&bench, other, "prefix", uri);
        snprintf(uri, sizeof uri, "com.a%u..c%u", i % 300, i);
        subscribe(&bench, other, "wildcard", uri);
    }
    print("patterns", "the same among 100,000 other patterns",
          publish(&bench, peer, "{}", "com.target.topic"), "");
    print("patterns", "of those one prefix and one wildcard match",
          publish(&bench, peer, "{}", "com.a7.b7.c7"), "");
    finish(&bench);
}

static void bench_filters(void)
{
    static const char *const filters[][2] = {
        {"to 10,000 subscribers, no filter", "{}"},
        {"the same, eligible: 3 of 50 groups", "{\"eligible_x_group\":[\"g1\",\"g2\",\"g3\"]}"},
        {"the same, exclude: 3 of 50 groups", "{\"exclude_x_group\":[\"g1\",\"g2\",\"g3\"]}"},
        {"the same, eligible: all by authrole", "{\"eligible_authrole\":[\"anonymous\"]}"}};
    struct bench bench;
    uint64_t peer;

    begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
    for (unsigned i = 0; i < 10000; i++) {
        join(&bench, &peer);
        subscribe(&bench, peer, "exact", "com.topic");
    }
    join(&bench, &peer);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        double best = publish(&bench, peer, filters[i][1], "com.topic");
        char per[40];

        snprintf(per, sizeof per, "(%llu events)", (unsigned long long)bench.actions);
        print("filters", filters[i][0], best, per);
    }
    finish(&bench);
}

/* ---- audiences ---- */

struct building {
    struct core *core;
    struct audience_tree *tree;
    bool is_all;
};

/* The session is in one of three groups; or in any. */
static bool is_in(const struct building *building, const struct session *session)
{
    static const char *const groups[] = {"g1", "g2", "g3"};

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        struct token group = {.type = TOKEN_TEXT, .text = slice_of(groups[i])};

        if (core_candidate_has(building->core, session, SLICE("x_group"), &group))
            return true;
    }
    return building->is_all;
}

/* What a policy does for each subscriber, but for running Lua. */
static bool build(void *ctx, const struct session *session)
{
    const struct audience_look look = {.kind = LOOK_VALUE, .attribute = SLICE("x_group")};
    struct building *building = ctx;

    if (audience_tree_ask(building->tree, session) == AUDIENCE_UNKNOWN)
        audience_tree_add(building->tree, session, &look, 1, is_in(building, session));
    return true;
}

static const struct audience *make_tree(struct bench *bench, uint64_t question, bool is_all,
                                        double *took)
{
    struct building building = {bench->core, audience_tree_new(bench->core), is_all};
    double start = now_ns();

    core_each_candidate(bench->core, core_question(bench->core, question), NULL, build, &building);
    *took = now_ns() - start;
    return audience_of_tree(building.tree);
}

static const struct audience *make_condition(bool is_only, const char *attribute,
                                             const char *const *values, size_t count)
{
    struct audience_value list[8] = {0};
    struct fault fault;

    for (size_t i = 0; i < count; i++)
        list[i].token = (struct token){.type = TOKEN_TEXT, .text = slice_of(values[i])};
    return is_only ? audience_only(slice_of(attribute), list, count, &fault)
                   : audience_except(slice_of(attribute), list, count, &fault);
}

enum audience_row { ROW_NONE, ROW_ONLY, ROW_EXCEPT, ROW_ROLE, ROW_TREE, ROW_TREE_ALL, ROW_COUNT };

static const struct audience *make_audience(struct bench *bench, enum audience_row row,
                                            uint64_t question, double *took)
{
    static const char *const groups[] = {"g1", "g2", "g3"};
    static const char *const roles[] = {"anonymous"};

    switch (row) {
    case ROW_ONLY:
    case ROW_EXCEPT:
        return make_condition(row == ROW_ONLY, "x_group", groups, 3);
    case ROW_ROLE:
        return make_condition(true, "authrole", roles, 1);
    case ROW_TREE:
    case ROW_TREE_ALL:
        return make_tree(bench, question, row == ROW_TREE_ALL, took);
    case ROW_NONE:
    case ROW_COUNT:
        break;
    }
    return NULL;
}

static void bench_audience(struct bench *bench, uint64_t peer, enum audience_row row)
{
    static const char *const words[ROW_COUNT] = {
        "to 10,000 subscribers, answered without an audience",
        "the same, only: 3 of 50 groups",
        "the same, except: 3 of 50 groups",
        "the same, only: all by authrole",
        "the same, a predicate: 3 of 50 groups",
        "the same, a predicate: all"};
    double best = 1e18, best_built = 1e18, built = 1e18;
    char per[40];

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct decision decision = {.question = i + 1 + row * ROUNDS, .verdict = VERDICT_ALLOW};

        say(bench, peer, "[16,%llu,{},\"com.topic\",[\"some text\"]]",
            (unsigned long long)++bench->request);
        CHECK(core_question(bench->core, decision.question) != NULL);
        decision.audience = make_audience(bench, row, decision.question, &built);
        best = least(best, step(bench, &(struct event){.type = EV_DECISION,
                                                       .now = 1000,
                                                       .wall = 1767225600000,
                                                       .decision = &decision}));
        best_built = least(best_built, built);
        audience_drop(decision.audience);
    }
    snprintf(per, sizeof per, "(%llu events)", (unsigned long long)bench->actions);
    print("audiences", words[row], best, per);
    if (row == ROW_TREE || row == ROW_TREE_ALL)
        print("audiences", "    and making its tree, without Lua", best_built, "");
}

static void bench_audiences(void)
{
    struct bench bench;
    uint64_t peer;

    begin(&bench, ROUTER_BROKER | ROUTER_DEALER, NULL);
    core_step(
        bench.core,
        &(struct event){
            .type = EV_RULES,
            .now = 1000,
            .renewal = &(struct renewal){.options = &(struct core_options){.asks_filter = true}}},
        &bench.out);
    for (unsigned i = 0; i < 10000; i++) {
        join(&bench, &peer);
        subscribe(&bench, peer, "exact", "com.topic");
    }
    join(&bench, &peer);
    for (enum audience_row row = ROW_NONE; row < ROW_COUNT; row++)
        bench_audience(&bench, peer, row);
    finish(&bench);
}

static void bench_history(void)
{
    static const char *const questions[][2] = {
        {"get_events: the first 1,000 of 10,000", "{\"limit\":1000}"},
        {"get_events: the last 1,000, newest first", "{\"limit\":1000,\"reverse\":true}"},
        {"get_events: 1,000 of one topic of ten", "{\"limit\":1000,\"topic\":\"com.t3\"}"},
        {"get_events: the first one", "{\"limit\":1}"}};
    static const struct history_options history = {"com.", MATCH_PREFIX, {.max_events = 10000}};
    struct bench bench;
    uint64_t peer;

    begin(&bench, ROUTER_BROKER | ROUTER_DEALER, &history);
    join(&bench, &peer);
    for (unsigned i = 0; i < 10000; i++)
        say(&bench, peer, "[16,%llu,{},\"com.t%u\",[\"some text\",%u]]",
            (unsigned long long)++bench.request, i % 10, i);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        double best = 1e18;

        for (unsigned round = 0; round < ROUNDS; round++)
            best = least(best,
                         say(&bench, peer, "[48,%llu,{},\"wamp.subscription.get_events\",[1],%s]",
                             (unsigned long long)++bench.request, questions[i][1]));
        print("history", questions[i][0], best, "");
    }
    finish(&bench);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        wanted = argv[1];
    if (is_wanted("ends")) {
        bench_ends();
        bench_shared_ends();
    }
    if (is_wanted("unheard"))
        bench_unheard();
    if (is_wanted("patterns"))
        bench_patterns();
    if (is_wanted("filters"))
        bench_filters();
    if (is_wanted("audiences"))
        bench_audiences();
    if (is_wanted("history"))
        bench_history();
    return EXIT_SUCCESS;
}
