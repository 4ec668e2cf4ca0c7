/* judge.c -- see judge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "judge.h"

#include "wire/errors.h"

static struct slice pick(struct choices *c, const char *const *texts, unsigned count)
{
    return slice_of(texts[choose(c, count)]);
}

#define PICK(c, texts) pick(c, texts, ARRAY_LEN(texts))

static void judge_join(struct choices *c, uint64_t wall, struct decision *decision)
{
    static const char *const roles[] = {"anonymous", "staff", "staff", "unknown"};
    unsigned which = choose(c, 8);

    decision->authmethod = SLICE("ticket");
    decision->verdict = which < 5 ? VERDICT_ACCEPT : which < 7 ? VERDICT_CHALLENGE : VERDICT_REFUSE;
    decision->authrole = PICK(c, roles);
    decision->authprovider = SLICE("static");
    decision->authid = choose(c, 2) == 1 ? SLICE("joe") : (struct slice){0};
    decision->trustlevel = (int64_t)choose(c, 3) - 1;
    decision->is_admin = choose(c, 2) == 1;
    if (choose(c, 4) == 0)
        decision->expires = wall + choose(c, 256) * 20;
    decision->reason = WAMP_AUTHENTICATION_FAILED;
    decision->words = choose(c, 2) == 1 ? "no" : NULL;
}

/* What the message gets instead of its own; some of it fits no message, or not this one. */
static void rewrite(struct choices *c, struct grant *grant)
{
    static const char *const uris[] = {"com.free.a", "com.ask.b",          "com.no.a", "a..b",
                                       "wamp.x",     "wamp.session.count", "com."};
    static const char *const options[] = {
        "{\"disclose_me\":true}", "{\"timeout\":100,\"exclude_me\":false}",
        "{\"exclude_me\":5}",     "{\"match\":\"prefix\"}",
        "{\"match\":null}",       "{\"progress\":true}",
        "{\"acknowledge\":null}", "{}"};
    static const char *const args[] = {"[]", "[\"other\",{\"a\":[null]}]", "[1]"};
    static const char *const kwargs[] = {"{}", "{\"b\":1.5}"};

    grant->codec = CODEC_JSON;
    if (choose(c, 3) == 0)
        grant->uri = PICK(c, uris);
    if (choose(c, 4) == 0)
        grant->options = PICK(c, options);
    if (choose(c, 2) == 0)
        grant->args = PICK(c, args);
    if (choose(c, 3) == 0)
        grant->kwargs = PICK(c, kwargs);
}

/* For those who are equal in what was read. */
static void keep(struct choices *c, struct decision *decision)
{
    static const struct slice reads[] = {
        {"authrole", 8}, {"team", 4}, {"trustlevel", 10}, {"id", 2}, {"authid", 6}};
    unsigned from = choose(c, ARRAY_LEN(reads));

    if (choose(c, 2) == 0)
        return;
    decision->keep_ms = choose(c, 256) * 20;
    decision->reads = reads + from;
    decision->read_count = choose(c, (unsigned)ARRAY_LEN(reads) - from + 1);
}

static void judge_message(struct choices *c, struct decision *decision)
{
    decision->verdict = choose(c, 3) != 0 ? VERDICT_ALLOW : VERDICT_DENY;
    decision->grant = (struct grant){.discloses = choose(c, 2) == 1,
                                     .has_trustlevel = choose(c, 2) == 1,
                                     .trustlevel = choose(c, 4),
                                     .timeout_ms = choose(c, 2) * 300};
    if (choose(c, 2) == 1)
        rewrite(c, &decision->grant);
    decision->reason = choose(c, 2) == 1 ? "com.example.not_today" : NULL;
    decision->words = choose(c, 4) == 0 ? "no" : NULL;
    if (choose(c, 4) == 0)
        decision->kwargs = SLICE("{\"retry_after\":3}");
    decision->closes = choose_rarely(c, 16);
    keep(c, decision);
}

void judge_decide(struct choices *c, uint64_t wall, const struct question *question,
                  struct decision *decision)
{
    *decision = (struct decision){.question = question->id, .codec = CODEC_JSON};
    if (question->ask == ASK_JOIN || question->ask == ASK_AUTHENTICATE)
        judge_join(c, wall, decision);
    else
        judge_message(c, decision);
}
