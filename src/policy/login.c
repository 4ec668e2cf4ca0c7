/* login.c -- JOIN and AUTHENTICATE: the policy is asked for what it knows, auth/ does the rest.
 *
 *   JOIN          choose a method -> look up (or make a challenge) -> begin
 *   AUTHENTICATE  check, derive on another thread, or let the policy verify
 *   at the end    admit -> ACCEPT (login_welcome.c)
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "core/hello.h"
#include "policy/login_link.h"
#include "policy/login_priv.h"
#include "policy/records.h"
#include "wire/errors.h"

/* The core ends a login that takes longer than auth_timeout; this is about those whose peer is gone. */
#define EXPIRY_MS 1000

struct slice login_identity(const struct login *login)
{
    return login->memory.identity != NULL ? blob_slice(login->memory.identity) : (struct slice){0};
}

struct slice login_method(const struct login *login)
{
    return login->offer->name;
}

/* ---- the life of a login ---- */

static void on_clock(struct realm_timer *timer);

static struct login *login_new(struct mind *mind, const struct question *question)
{
    struct login *login = mem_zero(1, sizeof(*login));

    login->mind = mind;
    login->session = question->session;
    login->version = mind->current;
    login->version->refs++;
    login->clock.fire = on_clock;
    list_init(&login->by_age);
    map_put(&mind->logins, login->session, 0, login);
    return login;
}

void login_end(struct login *login)
{
    struct mind *mind = login->mind;

    map_remove(&mind->logins, login->session, 0);
    if (login->question != NULL)
        map_remove(&mind->login_questions, login->question_id, 0);
    realm_clear_timer(mind->realm, &login->clock);
    list_remove(&login->by_age);
    if (login->derivation.job != NULL)
        realm_note_work(mind->realm, -1);
    derive_cancel(&login->derivation);
    if (login->is_entered)
        guard_leave(mind->guard, login->address);
    version_drop(login->version);
    auth_free(login->x);
    memory_drop(&login->memory);
    blob_drop(login->details);
    mem_free(login);
}

void login_forget(struct login *login)
{
    login_end(login);
}

void login_forget_all(struct mind *mind)
{
    for (;;) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&mind->logins, &at);

        if (entry == NULL)
            return;
        ((struct login *)entry->value)->question = NULL;
        login_end(entry->value);
    }
}

/* ---- answers ---- */

const struct question *login_take_question(struct login *login)
{
    const struct question *question = login->question;

    map_remove(&login->mind->login_questions, question->id, 0);
    login->question = NULL;
    return question;
}

/* `cause` is for the log alone: what was really wrong. */
static void refuse_for(struct login *login, const char *uri, const char *words, const char *cause)
{
    struct realm *realm = login->mind->realm;
    struct decision decision = {.question = login_take_question(login)->id,
                                .verdict = VERDICT_REFUSE,
                                .reason = uri,
                                .words = words,
                                .scram = login->scram,
                                .cause = cause};

    realm_decide(realm, &decision);
    login_end(login);
}

static void refuse(struct login *login, const char *uri, const char *words)
{
    refuse_for(login, uri, words, NULL);
}

/* What the router itself has judged. */
static void tell_refusal(struct login *login)
{
    const struct auth_refusal *refusal = auth_refusal(login->x);

    login->scram = refusal->scram;
    refuse_for(login, refusal->fault.uri, refusal->fault.words, refusal->reason);
}

/* The credential was wrong: who fails often hears of it late. */
static void deny(struct login *login)
{
    struct mind *mind = login->mind;
    uint64_t now = realm_now(mind->realm);
    uint32_t delay = 0, timeout = core_auth_timeout(realm_core(mind->realm));

    if (strcmp(auth_refusal(login->x)->fault.uri, WAMP_AUTHENTICATION_DENIED) == 0)
        delay = guard_fail(mind->guard, login->address, auth_claim(login->x), now);
    if (delay == 0) {
        tell_refusal(login);
        return;
    }
    login->is_late = true;
    if (delay > timeout - timeout / 10) /* the core does not wait for longer */
        delay = timeout - timeout / 10;
    realm_set_timer(mind->realm, &login->clock, now + delay);
}

/* The time of a late answer has come; or the peer is gone, or does not answer the CHALLENGE. */
static void on_clock(struct realm_timer *timer)
{
    struct login *login = container_of(timer, struct login, clock);

    if (login->is_late)
        tell_refusal(login);
    else if (login->question == NULL)
        login_end(login);
}

/* Peers that leave when they are challenged are not heard of. The core knows fewer logins than this,
 * and gives up the oldest ones first, too. */
static void forget_oldest(struct mind *mind, const struct login *but)
{
    struct list *oldest = list_first(&mind->challenged);

    if (oldest != NULL && oldest != &but->by_age &&
        mind->logins.count > core_max_joining(realm_core(mind->realm)))
        login_end(container_of(oldest, struct login, by_age));
}

static void challenge(struct login *login)
{
    struct realm *realm = login->mind->realm;
    const struct question *question = login_take_question(login);
    struct decision decision = {.question = question->id,
                                .verdict = VERDICT_CHALLENGE,
                                .codec = question->hello->codec,
                                .authmethod = login->offer->name,
                                .extra = auth_challenge(login->x)};

    realm_set_timer(realm, &login->clock,
                    realm_now(realm) + core_auth_timeout(realm_core(realm)) + EXPIRY_MS);
    login->was_challenged = true;
    list_append(&login->mind->challenged, &login->by_age);
    forget_oldest(login->mind, login);
    realm_decide(realm, &decision);
}

/* ---- policy.admit ---- */

static void hear(struct login *login, enum subject subject, size_t hook)
{
    mind_hear(login->mind, login->version, subject, hook, login->question, login);
}

static void admit(struct login *login)
{
    if (!login->version->policy->has_admit) {
        login_welcome(login);
        return;
    }
    login_make_details(login);
    hear(login, SUBJECT_ADMIT, HOOK_ADMIT);
}

/* ---- keys ---- */

static void go_on(struct login *login, enum auth_step step);

static void on_derived(struct derivation *derivation, struct auth_job *job)
{
    struct login *login = container_of(derivation, struct login, derivation);

    realm_note_work(login->mind->realm, -1);
    go_on(login, auth_resume(login->x, job));
}

static void derive(struct login *login)
{
    struct mind *mind = login->mind;
    struct auth_job *job = auth_take_job(login->x);

    if (mind->derive_desk == NULL)
        mind->derive_desk = derive_open(realm_loop(mind->realm));
    login->derivation.done = on_derived;
    if (derive_add(mind->derive_desk, login->address, &login->derivation, job)) {
        realm_note_work(mind->realm, 1);
        return;
    }
    auth_job_free(job);
    refuse(login, WAMP_AUTHENTICATION_FAILED, "too many logins at this time; try again later");
}

/* ---- steps ---- */

static void go_on(struct login *login, enum auth_step step)
{
    switch (step) {
    case AUTH_CHALLENGE:
        challenge(login);
        break;
    case AUTH_DERIVE:
        derive(login);
        break;
    case AUTH_ASK:
        hear(login, SUBJECT_VERIFY, HOOK_METHODS + login->method * 2);
        break;
    case AUTH_OK:
        admit(login);
        break;
    case AUTH_REFUSED:
        deny(login);
        break;
    }
}

/* A cookie is of no use to a HELLO that claims to be of somebody else. */
static bool has_cookie(struct login *login, const struct hello *hello)
{
    const char *cookie = login->question->transport->cookie;

    if (cookie == NULL || !login->version->policy->has_cookie)
        return false;
    if (login->memory.record == NULL &&
        !cookies_find(login->mind->cookies, cookie, realm_wall(login->mind->realm), &login->memory))
        return false;
    return hello->authid.len == 0 || slice_eq(hello->authid, blob_slice(login->memory.authid));
}

/* What a HELLO asks for. `hello`, `link` and `arena` hold what the request points into. */
static bool read_request(struct login *login, struct auth_request *request, struct hello *hello,
                         struct login_link *link, struct arena *arena)
{
    const struct question *question = login->question;
    struct fault fault;

    if (hello_read(hello, question->hello, arena, &fault) < 0)
        return false;
    *request = (struct auth_request){.realm = slice_of(realm_name(login->mind->realm)),
                                     .authid = hello->authid,
                                     .codec = question->hello->codec,
                                     .authextra = hello->authextra,
                                     .session = question->session,
                                     .now_ms = realm_wall(login->mind->realm),
                                     .rng = &login->mind->rng,
                                     .has_cookie = has_cookie(login, hello)};
    login_link_read(link, request, question->transport);
    return true;
}

/* Begins with the record (NULL: there is none), or with Extra of the policy's own. */
static void begin(struct login *login, struct auth_record *record, struct slice extra)
{
    struct mind *mind = login->mind;
    struct auth_request request;
    struct login_link link;
    struct hello hello;
    struct arena arena;
    enum auth_step step = AUTH_REFUSED;
    bool is_read;

    arena_init(&arena);
    is_read = read_request(login, &request, &hello, &link, &arena);
    if (is_read && login_is_by_cookie(login))
        request.authid = blob_slice(login->memory.authid);
    if (is_read && login->offer->method == NULL)
        step = auth_begin_own(&login->x, login->offer->name, &request, CODEC_MSGPACK, extra);
    else if (is_read)
        step = auth_begin(&login->x, login->offer->method, &mind->settings, &request, record);
    arena_fini(&arena);
    if (is_read)
        go_on(login, step);
    else
        refuse(login, WAMP_AUTHENTICATION_FAILED, NULL);
}

/* What was proved by the cookie's first login holds on. */
static void begin_remembered(struct login *login)
{
    struct fault fault;
    struct auth_record *record = records_read(login->version->policy, login->offer->method,
                                              blob_slice(login->memory.record), &fault);

    if (record == NULL) /* of another version of the policy */
        mind_complain(login->mind, login->mind->current, "authenticate", fault.words, NULL);
    begin(login, record, (struct slice){0});
    auth_record_drop(record);
}

static void choose(struct login *login)
{
    const struct policy *policy = login->version->policy;
    struct auth_menu menu = {
        .offers = policy->offers, .count = policy->offer_count, .preferred = policy->preferred};
    struct auth_request request;
    struct fault fault = {.uri = WAMP_AUTHENTICATION_FAILED};
    struct login_link link;
    struct hello hello;
    struct arena arena;

    arena_init(&arena);
    if (read_request(login, &request, &hello, &link, &arena))
        login->offer = auth_choose(&menu, &request, hello.authmethods, &fault);
    arena_fini(&arena);
    if (login->offer == NULL) {
        refuse(login, fault.uri, fault.words);
        return;
    }
    login->method = policy->offer_methods[login->offer - policy->offers];
    const struct method *method = &policy->methods[login->method];
    if (method->is_remembered)
        begin_remembered(login);
    else if (!method->is_own)
        hear(login, SUBJECT_LOOKUP, HOOK_METHODS + login->method * 2);
    else if (method->has_challenge)
        hear(login, SUBJECT_CHALLENGE, HOOK_METHODS + login->method * 2 + 1);
    else
        begin(login, NULL, (struct slice){0});
}

/* A HELLO. */
static void arrive(struct login *login)
{
    struct mind *mind = login->mind;
    const char *peer = login->question->transport->peer, *words;

    if (peer == NULL || !transport_network(slice_of(peer), login->address))
        login->address[0] = '\0';
    words = guard_judge(mind->guard, login->address, realm_now(mind->realm));
    if (words == NULL) {
        words = guard_enter(mind->guard, login->address);
        login->is_entered = words == NULL;
    }
    if (words == NULL)
        choose(login);
    else
        refuse(login, WAMP_AUTHENTICATION_FAILED, words);
}

void login_ask(struct mind *mind, const struct question *question)
{
    struct login *login = map_get(&mind->logins, question->session, 0);
    const char *words;

    if (login == NULL) {
        login = login_new(mind, question);
    } else if (question->ask == ASK_JOIN) { /* of a peer that is gone, with the same id by chance */
        login_end(login);
        login = login_new(mind, question);
    }
    login->question = question;
    login->question_id = question->id;
    map_put(&mind->login_questions, question->id, 0, login);
    realm_clear_timer(mind->realm, &login->clock);
    list_remove(&login->by_age);
    if (question->ask == ASK_JOIN)
        arrive(login);
    else if ((words = guard_judge(mind->guard, login->address, realm_now(mind->realm))) != NULL)
        refuse(login, WAMP_AUTHENTICATION_FAILED, words);
    else if (login->x == NULL)
        refuse(login, WAMP_AUTHENTICATION_FAILED, "timeout");
    else
        go_on(login, auth_check(login->x, question->msg->text, question->msg->dict));
}

/* ---- what the policy said ---- */

/* The record that was said; *is_wrong: it is none, which was logged. */
static struct auth_record *record_of(struct login *login, const struct hearing *hearing,
                                     bool *is_wrong)
{
    struct fault fault;
    struct auth_record *record;

    *is_wrong = false;
    if (hearing->said != SAID_DICT)
        return NULL;
    record = records_read(login->version->policy, login->offer->method, hearing->dict, &fault);
    if (record == NULL) {
        mind_complain(login->mind, login->mind->current, "authenticate", fault.words, NULL);
        *is_wrong = true;
    }
    return record;
}

static void heard_record(struct login *login, const struct hearing *hearing)
{
    bool is_wrong;
    struct auth_record *record = record_of(login, hearing, &is_wrong);

    if (is_wrong) {
        refuse(login, WAMP_AUTHENTICATION_FAILED, NULL);
        return;
    }
    if (hearing->subject == SUBJECT_VERIFY) {
        go_on(login, auth_answer_record(login->x, record));
    } else {
        if (record != NULL)
            auth_looks_learn(&login->mind->looks, record);
        begin(login, record, (struct slice){0});
    }
    auth_record_drop(record);
}

void login_heard(struct login *login, const struct hearing *hearing, bool is_sound)
{
    const char *uri = hearing->uri;

    if (uri == NULL) /* who it is has been proved when policy.admit is asked */
        uri = hearing->subject == SUBJECT_ADMIT ? WAMP_NOT_AUTHORIZED : WAMP_AUTHENTICATION_DENIED;

    if (!is_sound) {
        refuse(login, WAMP_AUTHENTICATION_FAILED, NULL);
    } else if (hearing->said == SAID_NO) {
        refuse(login, uri, hearing->words);
    } else if (hearing->subject == SUBJECT_CHALLENGE) {
        begin(login, NULL, hearing->dict);
    } else if (hearing->subject != SUBJECT_ADMIT) {
        heard_record(login, hearing);
    } else if (hearing->said == SAID_YES) {
        login_welcome(login);
    } else {
        refuse(login, uri, NULL);
    }
}
