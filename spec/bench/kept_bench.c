/* kept_bench.c -- nanoseconds to find a decision that is kept, against one that the rules make.
 *
 * Prints the best of many short rounds. Every URI is asked about; for the first kind of line
 * the rules say that it is, and the answer is found under the values of 0 to 3 attributes of a
 * session that has 8. The last line is a rule that allows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "core/core_priv.h"
#include "core/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS   2000
#define URIS     64
#define URI_ROOM 40

static char uris[URIS][URI_ROOM];

static struct rules *make_rules(enum rule_effect effect)
{
    struct rules *rules = rules_new();
    struct rules_error error;
    uint32_t role;
    struct rule rule = {.effect = effect,
                        .actions = RULE_ALL_ACTIONS,
                        .uri = SLICE("com.acme.**"),
                        .trustlevel = -1};

    CHECK(rules_add_role(rules, SLICE("anonymous"), SLICE(""), SLICE(""), &role, &error) == 0 &&
          rules_add(rules, role, &rule, &error) == 0 && rules_freeze(rules, &error) == 0);
    return rules;
}

/* {"roles": {"caller": {}}, "a0": "value", ... "a7": "value"} */
static struct blob *make_hello(void)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text(&e, SLICE("roles"));
    encode_map(&e, 1);
    encode_text(&e, SLICE("caller"));
    encode_map(&e, 0);
    encode_end(&e);
    encode_end(&e);
    for (int i = 0; i < 8; i++) {
        const char key[] = {'a', (char)('0' + i), '\0'};

        encode_text_pair(&e, key, SLICE("value"));
    }
    encode_end(&e);
    return encode_finish(&e);
}

static struct session *join(struct core *core)
{
    struct blob *details = make_hello();
    struct msg msg = {.type = MSG_HELLO,
                      .codec = CODEC_MSGPACK,
                      .text = SLICE("realm1"),
                      .dict = blob_slice(details)};
    struct transport transport = {.type = TRANSPORT_LOCAL,
                                  .codec = CODEC_MSGPACK,
                                  .send_max = UINT32_MAX,
                                  .protocol = "wamp.2.local"};
    struct outbox out;

    outbox_init(&out);
    core_step(core,
              &(struct event){
                  .type = EV_HELLO, .now = 1, .peer = 1, .msg = &msg, .transport = &transport},
              &out);
    outbox_fini(&out);
    blob_drop(details);
    return map_get(&core->by_peer, 1, 0);
}

static void fill(struct core *core, struct session *session, size_t reads)
{
    static const struct slice names[] = {{"a7", 2}, {"authrole", 8}, {"a3", 2}, {"authid", 6}};

    for (size_t i = 0; i < URIS; i++) {
        struct msg msg = {.type = MSG_CALL, .text = slice_of(uris[i])};
        struct question question = {.id = ++core->last_question,
                                    .msg = &msg,
                                    .needs = NEEDS_AUTHORIZE,
                                    .action = RULE_CALL};

        kept_add(
            core, session, &question,
            &(struct decision){
                .verdict = VERDICT_ALLOW, .keep_ms = 1000000, .reads = names, .read_count = reads});
    }
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What judges a CALL: the rules, and what is kept when they ask. */
static bool is_allowed(struct core *core, struct session *session, struct slice uri)
{
    const struct kept_answer *kept;
    struct grant grant;
    enum rule_effect effect = permit_judge(core, session, RULE_CALL, MATCH_EXACT, uri, &grant);

    if (effect != RULE_ASK)
        return effect == RULE_ALLOW;
    kept = kept_find(core, session, RULE_CALL, MATCH_EXACT, uri);
    return kept != NULL && kept->verdict == VERDICT_ALLOW;
}

static void measure(struct core *core, struct session *session, const char *words, bool with_rules)
{
    double best = 1e18;
    size_t allowed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns(), each;

        for (size_t i = 0; i < URIS; i++)
            allowed += with_rules ? is_allowed(core, session, slice_of(uris[i]))
                                  : kept_find(core, session, RULE_CALL, MATCH_EXACT,
                                              slice_of(uris[i])) != NULL;
        each = (now_ns() - start) / URIS;
        best = each < best ? each : best;
    }
    CHECK(allowed == (size_t)ROUNDS * URIS);
    printf("%-44s %8.1f ns\n", words, best);
}

int main(void)
{
    static const char *const words[] = {"kept, nothing was read", "kept, 1 attribute was read",
                                        "kept, 2 attributes were read",
                                        "kept, 3 attributes were read"};
    struct rules *asks = make_rules(RULE_ASK), *allows = make_rules(RULE_ALLOW);
    struct core_options options;
    struct session *session;
    struct core *core;
    uint64_t seed = 1;

    for (size_t i = 0; i < URIS; i++)
        (void)snprintf(uris[i], URI_ROOM, "com.acme.order.number%zu.get", i);
    core_defaults(&options);
    options.realm = "realm1";
    options.rules = asks;
    options.random = rng_fill_seeded;
    options.random_ctx = &seed;
    core = core_new(&options);
    session = join(core);
    for (size_t reads = 0; reads < ARRAY_LEN(words); reads++) {
        fill(core, session, reads);
        measure(core, session, words[reads], false);
    }
    measure(core, session, "rules that ask, and the last of these", true);
    core->options.rules = allows;
    measure(core, session, "rules that allow", true);
    core_free(core);
    rules_free(asks);
    rules_free(allows);
    return EXIT_SUCCESS;
}
