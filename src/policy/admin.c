/* admin.c -- see admin.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/admin.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "policy/explain.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/prompt.h"
#include "wire/errors.h"

#include <stdio.h>

#define ON_RELOAD     "nexus.policy.on_reload"
#define RELOAD_FAILED "nexus.error.reload_failed"

/* ---- messages ---- */

/* [YIELD, invocation, {}, [ ... one value, and the end of it by end_yield. */
static void begin_yield(struct encoder *e, uint64_t invocation)
{
    encode_start(e, CODEC_MSGPACK, 512);
    encode_list(e, COUNT_UNKNOWN);
    encode_uint(e, MSG_YIELD);
    encode_uint(e, invocation);
    encode_map(e, 0);
    encode_end(e);
    encode_list(e, 1);
}

static void send_yield(struct mind *mind, struct encoder *e)
{
    encode_end(e);
    encode_end(e);
    service_send_blob(mind->service, encode_finish(e));
}

/* ERROR whose arguments are the lines of a text. */
static void send_error(struct mind *mind, uint64_t invocation, const char *uri, const char *words)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 512);
    encode_list(&e, COUNT_UNKNOWN);
    encode_uint(&e, MSG_ERROR);
    encode_uint(&e, MSG_INVOCATION);
    encode_uint(&e, invocation);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    encode_list(&e, COUNT_UNKNOWN);
    while (*words != '\0') {
        size_t len = strcspn(words, "\n");

        encode_text(&e, slice_make(words, len));
        words += len + (words[len] == '\n');
    }
    encode_end(&e);
    encode_end(&e);
    service_send_blob(mind->service, encode_finish(&e));
}

static void put_number(struct encoder *e, const char *key, uint64_t number)
{
    encode_text(e, slice_of(key));
    encode_uint(e, number);
}

/* ---- reload, check, rollback ---- */

/* Somebody who called waits for the end of a reload. */
struct caller {
    struct reload_wish wish;
    struct mind *mind;
    uint64_t invocation;
};

static void told(struct reload_wish *wish, const struct reload_report *report)
{
    struct caller *caller = container_of(wish, struct caller, wish);
    struct mind *mind = caller->mind;
    struct encoder e;

    if (mind->is_stopped) {
        mem_free(caller);
        return;
    }
    if (report->is_done) {
        begin_yield(&e, caller->invocation);
        encode_map(&e, COUNT_UNKNOWN);
        encode_text_pair(&e, "version", slice_of(report->version));
        encode_text_pair(&e, "previous", slice_of(report->previous));
        encode_text(&e, SLICE("changed"));
        encode_bool(&e, report->is_new);
        encode_end(&e);
        send_yield(mind, &e);
    } else {
        send_error(mind, caller->invocation, RELOAD_FAILED, report->words);
    }
    mem_free(caller);
}

static struct caller *caller_new(struct mind *mind, const struct msg *msg)
{
    struct caller *caller = mem_zero(1, sizeof(*caller));

    caller->mind = mind;
    caller->invocation = msg->id;
    caller->wish.told = told;
    return caller;
}

/* "session 17": by whose will. */
static const char *by_of(const struct msg *msg, char out[64])
{
    snprintf(out, 64, "session %llu", (unsigned long long)facts_number(msg, SLICE("caller")));
    return out;
}

static void on_reload(struct mind *mind, const struct msg *msg)
{
    char by[64];

    reloads_wish(mind->reloads, by_of(msg, by), &caller_new(mind, msg)->wish);
}

static void on_check(struct mind *mind, const struct msg *msg)
{
    reloads_check(mind->reloads, &caller_new(mind, msg)->wish);
}

/* The first positional argument when it is a text. */
static struct slice first_text(const struct msg *msg, struct arena *arena)
{
    struct dict_walk item;
    struct slice text = {0};

    if (msg->payload.kind != PAYLOAD_ARGS || msg->payload.args.len == 0)
        return text;
    list_walk(&item, msg->payload.codec, msg->payload.args, arena);
    if (list_next(&item) && item.token.type == TOKEN_TEXT)
        text = item.token.text;
    return text;
}

static void on_rollback(struct mind *mind, const struct msg *msg)
{
    struct arena arena;
    struct caller *caller;
    char version[SOURCE_VERSION_LEN + 1], by[64];
    struct slice text;

    arena_init(&arena);
    text = first_text(msg, &arena);
    snprintf(version, sizeof(version), "%.*s", SLICE_ARG(text));
    arena_fini(&arena);
    if (text.len == 0) {
        send_error(mind, msg->id, WAMP_INVALID_ARGUMENT,
                   "the first argument must be a version, as nexus.policy.history has them");
        return;
    }
    caller = caller_new(mind, msg);
    if (reloads_roll_back(mind->reloads, version, by_of(msg, by), &caller->wish))
        return;
    mem_free(caller);
    send_error(mind, msg->id, WAMP_INVALID_ARGUMENT,
               "no such version is kept; see nexus.policy.history");
}

/* ---- status, history ---- */

static void put_version(struct encoder *e, const struct kept_version *kept)
{
    encode_map(e, 3);
    encode_text_pair(e, "version", slice_of(source_version(kept->source)));
    put_number(e, "at", kept->at / 1000);
    encode_text_pair(e, "by", slice_of(kept->by));
    encode_end(e);
}

static void on_history(struct mind *mind, const struct msg *msg)
{
    const struct kept_version *kept;
    struct encoder e;

    begin_yield(&e, msg->id);
    encode_list(&e, COUNT_UNKNOWN);
    for (size_t i = 0; (kept = reloads_history(mind->reloads, i)) != NULL; i++)
        put_version(&e, kept);
    encode_end(&e);
    send_yield(mind, &e);
}

static void on_status(struct mind *mind, const struct msg *msg)
{
    const struct kept_version *kept = reloads_history(mind->reloads, 0);
    struct encoder e;
    uint64_t versions = 0;

    list_each (&mind->versions, node, after)
        versions++;
    begin_yield(&e, msg->id);
    encode_map(&e, COUNT_UNKNOWN);
    if (kept != NULL) {
        encode_text_pair(&e, "version", slice_of(source_version(kept->source)));
        put_number(&e, "since", kept->at / 1000);
        encode_text_pair(&e, "by", slice_of(kept->by));
    }
    if (mind->current != NULL) {
        put_number(&e, "memory", vm_memory(mind->current->policy->vm));
        put_number(&e, "memory_max", vm_memory_max(mind->current->policy->vm));
    }
    put_number(&e, "running", mind->fibers.count);
    put_number(&e, "versions", versions);
    put_number(&e, "reload_failures", reloads_failures(mind->reloads));
    put_number(&e, "rebuilds", reloads_rebuilt(mind->reloads));
    encode_end(&e);
    send_yield(mind, &e);
}

/* ---- realms ---- */

static void put_realm(void *ctx, const struct realm *realm)
{
    struct encoder *e = ctx;

    if (realm_is_decided(realm))
        encode_text(e, slice_of(realm_name(realm)));
}

/* Those that have a policy. */
static void on_realms(struct mind *mind, const struct msg *msg)
{
    struct encoder e;

    begin_yield(&e, msg->id);
    encode_list(&e, COUNT_UNKNOWN);
    realm_each(mind->realm, put_realm, &e);
    encode_end(&e);
    send_yield(mind, &e);
}

/* ---- explain ---- */

/* What is asked: a session or the attributes of one, the action, the URI, and perhaps the match. */
struct inquiry {
    uint64_t session; /* 0: attributes count */
    struct explain_question question;
};

/* NULL, or what is wrong with argument number `i`. */
static const char *read_argument(struct inquiry *inquiry, unsigned i, const struct dict_walk *item)
{
    struct slice text = item->token.type == TOKEN_TEXT ? item->token.text : (struct slice){0};

    switch (i) {
    case 0:
        if (item->token.type == TOKEN_MAP)
            inquiry->question.attributes = item->value;
        else if (item->token.type == TOKEN_UINT)
            inquiry->session = item->token.natural;
        else if (item->token.type == TOKEN_INT && item->token.integer > 0)
            inquiry->session = (uint64_t)item->token.integer;
        else
            return "the first argument must be a dict of attributes, or the id of a session";
        return NULL;
    case 1:
        return explain_read_action(text, &inquiry->question.action)
                   ? NULL
                   : "the second argument must be \"call\", \"register\", \"publish\" or "
                     "\"subscribe\"";
    case 2:
        inquiry->question.uri = text;
        return text.len != 0 ? NULL : "the third argument must be a URI";
    case 3:
        return explain_read_match(text, &inquiry->question.match)
                   ? NULL
                   : "the fourth argument must be \"exact\", \"prefix\" or \"wildcard\"";
    default:
        return "more arguments than session or attributes, action, URI, match";
    }
}

static const char *read_inquiry(struct inquiry *inquiry, const struct msg *msg, struct arena *arena)
{
    const char *wrong = NULL;
    struct dict_walk item;
    unsigned count = 0;

    *inquiry = (struct inquiry){.question = {.codec = msg->payload.codec, .match = MATCH_EXACT}};
    if (msg->payload.kind == PAYLOAD_ARGS && msg->payload.args.len != 0) {
        list_walk(&item, msg->payload.codec, msg->payload.args, arena);
        while (wrong == NULL && list_next(&item))
            wrong = read_argument(inquiry, count++, &item);
    }
    return wrong == NULL && count < 3 ? "arguments are: session or attributes, action, URI, match"
                                      : wrong;
}

static void yield_explanation(struct mind *mind, uint64_t invocation,
                              const struct rules_explanation *explanation)
{
    const struct rule *rule = explanation->verdict.rule;
    struct writer text;
    struct encoder e;

    writer_init(&text, 256);
    explain_write(&text, mind->current->policy, explanation);
    begin_yield(&e, invocation);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text_pair(&e, "outcome", slice_of(explain_effect(explanation->verdict.effect)));
    if (rule != NULL)
        encode_text_pair(&e, "rule", rule->where);
    encode_text_pair(&e, "text", writer_slice(&text));
    encode_end(&e);
    writer_fini(&text);
    send_yield(mind, &e);
}

/* Those of a session that is open. NULL, or why not. */
static const char *take_attributes(const struct mind *mind, struct inquiry *inquiry)
{
    struct look look;

    if (inquiry->session == 0)
        return NULL;
    if (!core_look(realm_core(mind->realm), inquiry->session, &look))
        return "there is no such session";
    if (look.is_trusted)
        return "the session is the router's own: no rule is for it";
    inquiry->question.codec = look.codec;
    inquiry->question.attributes = look.details;
    inquiry->question.is_session = true;
    return NULL;
}

static void on_explain(struct mind *mind, const struct msg *msg)
{
    struct rules_explanation *explanation = mem_zero(1, sizeof(*explanation));
    char words[EXPLAIN_WORDS_LEN];
    struct inquiry inquiry;
    struct arena arena;
    const char *wrong;

    arena_init(&arena);
    wrong = mind->current == NULL ? "there is no policy that could be asked"
                                  : read_inquiry(&inquiry, msg, &arena);
    if (wrong == NULL)
        wrong = take_attributes(mind, &inquiry);
    if (wrong == NULL &&
        !explain_attributes(mind->current->policy, &inquiry.question, explanation, words))
        wrong = words;
    if (wrong == NULL)
        yield_explanation(mind, msg->id, explanation);
    else
        send_error(mind, msg->id, WAMP_INVALID_ARGUMENT, wrong);
    arena_fini(&arena);
    mem_free(explanation);
}

/* ---- eval ---- */

static void evaluated(struct mind *mind, uint64_t invocation, const char *outcome,
                      struct slice output)
{
    struct encoder e;

    begin_yield(&e, invocation);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text_pair(&e, "outcome", slice_of(outcome));
    if (utf8_is_valid(output)) {
        encode_text_pair(&e, "output", output);
    } else {
        encode_text(&e, SLICE("output"));
        encode_bytes(&e, output);
    }
    encode_end(&e);
    send_yield(mind, &e);
}

static void on_eval(struct mind *mind, const struct msg *msg)
{
    static const struct prompt_answer answer = {evaluated, send_error};

    prompt_eval(mind, msg, &answer);
}

/* ---- the procedures ---- */

static const struct {
    const char *uri;
    void (*handler)(struct mind *mind, const struct msg *msg);
} procedures[] = {
    {"nexus.policy.status", on_status},     {"nexus.policy.reload", on_reload},
    {"nexus.policy.check", on_check},       {"nexus.policy.history", on_history},
    {"nexus.policy.rollback", on_rollback}, {"nexus.policy.explain", on_explain},
    {"nexus.policy.realms", on_realms},     {"nexus.policy.eval", on_eval},
};

_Static_assert(ARRAY_LEN(procedures) == ADMIN_COUNT, "admin.h");

static void on_registered(struct service_request *request, const struct msg *msg)
{
    struct admin_procedure *procedure = container_of(request, struct admin_procedure, request);

    procedure->id = msg == NULL || msg->type != MSG_REGISTERED ? 0 : msg->second;
}

void admin_join(struct mind *mind)
{
    struct service *service = mind->service;

    for (size_t i = 0; i < ADMIN_COUNT; i++) {
        struct encoder e;

        service->last_request++;
        encode_start(&e, CODEC_MSGPACK, 128);
        encode_list(&e, 4);
        encode_uint(&e, MSG_REGISTER);
        encode_uint(&e, service->last_request);
        encode_map(&e, 0);
        encode_end(&e);
        encode_text(&e, slice_of(procedures[i].uri));
        encode_end(&e);
        mind->admin.of[i].request.answer = on_registered;
        service_expect(service, &mind->admin.of[i].request, service->last_request);
        service_send_blob(service, encode_finish(&e));
    }
}

bool admin_invoke(struct mind *mind, const struct msg *msg)
{
    for (size_t i = 0; i < ADMIN_COUNT; i++) {
        if (mind->admin.of[i].id != msg->second)
            continue;
        procedures[i].handler(mind, msg);
        return true;
    }
    return false;
}

void admin_publish_reload(struct mind *mind, const char *by, const struct reload_report *report)
{
    struct service *service = mind->service;
    struct encoder e;

    if (service == NULL || service->session == 0 || (report->is_done && !report->is_new))
        return;
    encode_start(&e, CODEC_MSGPACK, 512);
    encode_list(&e, 5);
    encode_uint(&e, MSG_PUBLISH);
    encode_uint(&e, ++service->last_request);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, SLICE(ON_RELOAD));
    encode_list(&e, 1);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text(&e, SLICE("ok"));
    encode_bool(&e, report->is_done);
    encode_text_pair(&e, "version", slice_of(report->version));
    encode_text_pair(&e, "previous", slice_of(report->previous));
    encode_text_pair(&e, "by", slice_of(by));
    if (!report->is_done)
        encode_text_pair(&e, "error", slice_of(report->words));
    encode_end(&e);
    encode_end(&e);
    encode_end(&e);
    service_send_blob(service, encode_finish(&e));
}
