/* join.c -- see join.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/join.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/limits.h"
#include "core/meta_events.h"
#include "core/notice.h"
#include "core/permit.h"
#include "core/send.h"
#include "wire/errors.h"

#include <stdio.h>

/* What is needed until WELCOME. */
struct joining {
    struct msg hello;            /* its slices point into `bytes` */
    struct transport *transport; /* owned */
    struct question question;    /* id 0: none is open */
    struct answer *answer;       /* owned; the AUTHENTICATE that is judged, or NULL */
    bool is_challenged;          /* AUTHENTICATE is what comes next */
    struct list by_age;          /* of core->challenged, then */
    struct session *session;
    char bytes[];
};

/* A message that is kept as long as its question is open. */
struct answer {
    struct msg msg;
    char bytes[];
};

/* ---- identities ---- */

/* "XXXX-XXXX-XXXX-XXXX-XXXX-XXXX" of letters and digits that are not mistaken for each other. */
static struct slice make_authid(struct core *core)
{
    static const char letters[] = "345679ACEFGHJKLMNPQRSTUVWXY";
    char *text = arena_alloc(&core->scratch, 29);

    for (size_t i = 0; i < 29; i++)
        text[i] = (char)(i % 5 == 4 ? '-' : letters[rng_below(&core->rng, sizeof letters - 1)]);
    return slice_make(text, 29);
}

static uint64_t fresh_session_id(struct core *core)
{
    const struct id_keeper *ids = &core->options.ids;

    for (;;) {
        uint64_t id = rng_wamp_id(&core->rng);

        if (map_get(&core->by_id, id, 0) == NULL &&
            (ids->claim == NULL || ids->claim(ids->ctx, id)))
            return id;
    }
}

static void give_id_back(struct core *core, uint64_t id)
{
    if (core->options.ids.give_back != NULL)
        core->options.ids.give_back(core->options.ids.ctx, id);
}

/* ---- refusals ---- */

static void turn_down(struct core *core, uint64_t peer, const struct transport *transport,
                      const struct msg *hello, const struct decision *no)
{
    core->counters.refusals++;
    notice_refused(core, peer, transport, hello, no->reason, no->words, no->cause);
    outbox_send(core->out, peer, reply_refusal(transport->codec, no->reason, no->words, no->scram),
                SEND_REPLY, 0);
    outbox_close(core->out, peer, CLOSE_NORMAL, no->reason);
}

static void refuse(struct core *core, const struct event *ev, const char *reason, const char *words)
{
    turn_down(core, ev->peer, ev->transport, ev->msg,
              &(struct decision){.reason = reason, .words = words});
}

static bool is_full(const struct core *core)
{
    return core->options.max_sessions != 0 &&
           core->by_id.count - core->trusted_count >= core->options.max_sessions;
}

/* Why a realm that is open to all turns somebody down, as the reason of an ABORT; NULL: it does
 * not. */
static const char *refusal_of(struct core *core, const struct hello *hello, enum codec codec,
                              const char **words)
{
    if (!hello_offers(hello, codec, SLICE("anonymous"), &core->scratch)) {
        *words = "this realm offers the authentication method \"anonymous\" only";
        return WAMP_NO_MATCHING_AUTH_METHOD;
    }
    if (hello->authrole.len != 0 &&
        !slice_eq(hello->authrole, slice_of(core->options.anonymous_role))) {
        *words = "HELLO.Details.authrole: the role is not one of an anonymous session";
        return WAMP_NO_SUCH_ROLE;
    }
    if (permit_role(core, slice_of(core->options.anonymous_role)) == RULE_NO_ROLE) {
        *words = "the realm has no such role";
        return WAMP_NO_SUCH_ROLE;
    }
    return NULL;
}

/* ---- sessions ---- */

static struct session *session_new(struct core *core, uint64_t peer, uint64_t id,
                                   const struct transport *transport)
{
    struct session *session = mem_alloc(sizeof *session);

    *session = (struct session){.id = id,
                                .peer = peer,
                                .state = SESSION_AUTHENTICATING,
                                .codec = transport->codec,
                                .send_max = transport->send_max,
                                .is_trusted = transport->is_trusted,
                                .is_operator = transport->is_admin,
                                .tls = transport_tls_hold(transport->tls),
                                .http = transport_http_hold(transport->http),
                                .timer = {.kind = TIMER_SESSION},
                                .pause = {.kind = TIMER_PAUSE}};
    list_init(&session->members);
    list_init(&session->callees);
    list_init(&session->calls);
    list_init(&session->invocations);
    list_init(&session->testaments);
    list_init(&session->parked);
    list_init(&session->reviews);
    list_init(&session->late);
    list_init(&session->rechecking);
    list_init(&session->seats);
    map_put(&core->by_peer, session->peer, 0, session);
    return session;
}

static unsigned features_given(const struct core *core)
{
    const struct core_options *options = &core->options;
    unsigned when = WHEN_EVER;

    if (options->ppt_compat)
        when |= WHEN_PPT_COMPAT;
    if (options->roles == (ROUTER_BROKER | ROUTER_DEALER))
        when |= WHEN_META | (options->history_count == 0 ? 0 : WHEN_HISTORY);
    return when;
}

/* How long until that time of the wall clock. */
static uint64_t delay_until(const struct core *core, uint64_t wall)
{
    return wall > core->wall ? wall - core->wall : 0;
}

/* What a limit of the policy says, for people. */
static const char *words_of(struct core *core, const struct throttled *throttled)
{
    char words[MAX_QUOTED_LEN];

    if (throttled->delay_ms == 0)
        return "there are as many sessions of this kind as there may be";
    (void)snprintf(words, sizeof words, "too many sessions at this time; retry after %.3f s",
                   (double)throttled->delay_ms / 1000);
    return core_remember(core, slice_of(words));
}

/* Opens the session, unless there are too many: then returns why, in words. */
static const char *establish(struct core *core, struct session *session, const struct hello *hello,
                             enum codec hello_codec, const struct transport *transport,
                             const struct decision *decision)
{
    struct welcome welcome = {.session = session->id,
                              .agent = slice_of(core->options.agent),
                              .realm = slice_of(core->options.realm),
                              .authid =
                                  decision->authid.len == 0 ? make_authid(core) : decision->authid,
                              .authrole = decision->authrole,
                              .authmethod = decision->authmethod,
                              .authprovider = decision->authprovider,
                              .extra_codec = decision->codec,
                              .authextra = decision->extra,
                              .roles = core->options.roles,
                              .when = features_given(core)};
    struct throttled throttled;

    session->features = hello->features;
    session->roles = (uint8_t)hello->roles;
    session->is_admin = decision->is_admin;
    session->trustlevel = decision->trustlevel;
    session->joined = core->wall;
    session->rule_role = permit_role(core, decision->authrole);
    details_init(core, session, &welcome, hello, hello_codec, transport, decision);
    if (!throttle_admit(core, session, &throttled))
        return words_of(core, &throttled);
    session->state = SESSION_ESTABLISHED;
    map_put(&core->by_id, session->id, 0, session);
    core->counters.sessions++;
    core->trusted_count += session->is_trusted;
    session->number = ++core->counters.joins;
    throttle_count(core, session);
    deadlines_cancel(&core->deadlines, &session->timer.deadline);
    if (decision->expires != 0)
        deadlines_set(&core->deadlines, &session->timer.deadline,
                      core->now + delay_until(core, decision->expires));
    send_reply(core, session, reply_welcome(session->codec, &welcome));
    outbox_joined(core->out, session->peer, session->id);
    notice_joined(core, session);
    meta_on_join(core, session);
    return NULL;
}

/* ---- questions ---- */

static void put_question(struct core *core, struct session *session, enum ask ask,
                         const struct msg *msg)
{
    struct joining *joining = session->joining;

    joining->question = (struct question){.id = ++core->last_question,
                                          .ask = ask,
                                          .round = joining->question.round,
                                          .peer = session->peer,
                                          .session = session->id,
                                          .hello = &joining->hello,
                                          .msg = msg,
                                          .transport = joining->transport};
    map_put(&core->questions, joining->question.id, 0, session);
    outbox_ask(core->out, session->peer, joining->question.id);
}

/* The question is answered, or of no interest any more. */
static void close_question(struct core *core, struct joining *joining)
{
    map_remove(&core->questions, joining->question.id, 0);
    joining->question.id = 0;
}

/* A ticket or signature must not stay in memory longer than it is needed. */
static void forget_answer(struct joining *joining)
{
    if (joining->answer == NULL)
        return;
    explicit_bzero(joining->answer, sizeof *joining->answer + msg_len(&joining->answer->msg));
    mem_free(joining->answer);
    joining->answer = NULL;
}

const struct question *join_question(const struct session *session)
{
    return &session->joining->question;
}

static struct joining *joining_new(struct session *session, const struct msg *hello,
                                   const struct transport *transport)
{
    struct joining *joining = mem_alloc(sizeof *joining + msg_len(hello));

    *joining = (struct joining){.transport = transport_copy(transport), .session = session};
    list_init(&joining->by_age);
    msg_copy(&joining->hello, hello, joining->bytes);
    return joining;
}

static void joining_free(struct core *core, struct session *session)
{
    forget_answer(session->joining);
    list_remove(&session->joining->by_age);
    transport_free(session->joining->transport);
    mem_free(session->joining);
    session->joining = NULL;
    core->joining_count--;
}

void join_abandon(struct core *core, struct session *session)
{
    struct joining *joining = session->joining;

    if (joining->question.id != 0) {
        outbox_unask(core->out, session->peer, joining->question.id);
        close_question(core, joining);
    }
    joining_free(core, session);
    give_id_back(core, session->id);
}

static void give_up(struct core *core, struct session *session, const struct decision *no)
{
    turn_down(core, session->peer, session->joining->transport, &session->joining->hello, no);
    join_abandon(core, session);
    session_free(core, session);
}

void join_abort(struct core *core, struct session *session, const char *reason, const char *words)
{
    give_up(core, session, &(struct decision){.reason = reason, .words = words});
}

static void restart_timer(struct core *core, struct session *session)
{
    deadlines_set(&core->deadlines, &session->timer.deadline,
                  core->now + core->options.auth_timeout_ms);
}

/* ---- HELLO ---- */

/* Who is in earnest answers a CHALLENGE soon. So when there are too many, who has had the longest
 * time to do so makes room, and a flood of logins that are never finished keeps nobody out. */
static bool make_room(struct core *core)
{
    struct list *oldest = list_first(&core->challenged);

    if (core->joining_count < core->options.max_joining)
        return true;
    if (oldest == NULL)
        return false;
    join_abort(core, container_of(oldest, struct joining, by_age)->session,
               WAMP_AUTHENTICATION_FAILED,
               "no answer to the CHALLENGE, while others want to log in (max_joining)");
    return true;
}

static void ask(struct core *core, const struct event *ev)
{
    struct session *session;

    if (msg_len(ev->msg) > MAX_JOINING_LEN) {
        refuse(core, ev, WAMP_NOT_AUTHORIZED,
               "HELLO has more bytes than are kept while a session is being opened");
        return;
    }
    if (!make_room(core)) {
        refuse(core, ev, WAMP_NOT_AUTHORIZED,
               "too many sessions are being opened at this time (max_joining)");
        return;
    }
    session = session_new(core, ev->peer, fresh_session_id(core), ev->transport);
    session->joining = joining_new(session, ev->msg, ev->transport);
    core->joining_count++;
    restart_timer(core, session);
    put_question(core, session, ASK_JOIN, &session->joining->hello);
}

/* Identities become numbers, and those have a bound. */
static bool is_sound(const struct decision *decision)
{
    return decision->authid.len < MAX_ATTRIBUTE_LEN && decision->authrole.len != 0 &&
           decision->authrole.len < MAX_ATTRIBUTE_LEN;
}

static struct slice or_else(struct slice text, struct slice otherwise)
{
    return text.len == 0 ? otherwise : text;
}

static void open_at_once(struct core *core, const struct event *ev, const struct hello *hello,
                         const struct decision *decision)
{
    struct session *session = session_new(core, ev->peer, fresh_session_id(core), ev->transport);
    const char *words = establish(core, session, hello, ev->msg->codec, ev->transport, decision);

    if (words == NULL)
        return;
    refuse(core, ev, NEXUS_RATE_LIMITED, words);
    give_id_back(core, session->id);
    session_free(core, session);
}

/* The router's own code is who it says it is, also where others are asked about. */
static void welcome_trusted(struct core *core, const struct event *ev, const struct hello *hello)
{
    struct decision decision = {.authid = or_else(hello->authid, SLICE("policy")),
                                .authrole = or_else(hello->authrole, SLICE("trusted")),
                                .authmethod = SLICE("internal"),
                                .authprovider = SLICE("policy"),
                                .trustlevel = NO_TRUSTLEVEL,
                                .is_admin = true};

    CHECK(is_sound(&decision));
    open_at_once(core, ev, hello, &decision);
}

/* Who may open the socket may do everything, so nobody is asked. */
static void welcome_operator(struct core *core, const struct event *ev, const struct hello *hello)
{
    struct decision decision = {.authid = or_else(hello->authid, SLICE("admin")),
                                .authrole = SLICE("admin"),
                                .authmethod = SLICE("socket"),
                                .authprovider = SLICE("static"),
                                .trustlevel = NO_TRUSTLEVEL,
                                .is_admin = true};

    if (is_sound(&decision))
        open_at_once(core, ev, hello, &decision);
    else
        refuse(core, ev, WAMP_NOT_AUTHORIZED, "the authid is too long");
}

void join_begin(struct core *core, const struct event *ev)
{
    struct hello hello;
    struct fault fault;
    const char *words = NULL, *reason = NULL;
    struct throttled throttled;

    if (hello_read(&hello, ev->msg, &core->scratch, &fault) < 0) {
        reason = fault.uri;
        words = core_remember(core, slice_of(fault.words));
    } else if (ev->transport->is_trusted) {
        welcome_trusted(core, ev, &hello);
        return;
    } else if (ev->transport->is_admin) {
        welcome_operator(core, ev, &hello);
        return;
    } else if (is_full(core)) {
        reason = WAMP_NOT_AUTHORIZED;
        words = "the realm has as many sessions as it may (max_sessions)";
    } else if (!throttle_hello(core, ev->transport, &throttled)) {
        reason = NEXUS_RATE_LIMITED;
        words = words_of(core, &throttled);
    } else if (core->options.asks_join) {
        ask(core, ev);
        return;
    } else {
        reason = refusal_of(core, &hello, ev->msg->codec, &words);
    }
    if (reason != NULL) {
        refuse(core, ev, reason, words);
        return;
    }
    open_at_once(core, ev, &hello,
                 &(struct decision){.authrole = slice_of(core->options.anonymous_role),
                                    .authmethod = SLICE("anonymous"),
                                    .authprovider = SLICE("static"),
                                    .trustlevel = (int64_t)core->options.trustlevel - 1,
                                    .is_admin = core->options.anonymous_admin});
}

/* ---- AUTHENTICATE ---- */

int join_receive(struct core *core, struct session *session, const struct msg *msg,
                 struct fault *fault)
{
    struct joining *joining = session->joining;

    if (msg->type != MSG_AUTHENTICATE || !joining->is_challenged)
        return fault_set(fault, ERR_INVALID, WAMP_PROTOCOL_VIOLATION,
                         "%s: not expected while the session is being opened", msg_name(msg->type));
    joining->is_challenged = false;
    list_remove(&joining->by_age);
    if (msg_len(msg) > MAX_JOINING_LEN) {
        join_abort(core, session, WAMP_AUTHENTICATION_FAILED,
                   "AUTHENTICATE has more bytes than are kept while a session is being opened");
        return 0;
    }
    joining->answer = mem_alloc(sizeof *joining->answer + msg_len(msg));
    msg_copy(&joining->answer->msg, msg, joining->answer->bytes);
    restart_timer(core, session);
    put_question(core, session, ASK_AUTHENTICATE, &joining->answer->msg);
    return 0;
}

void join_on_timer(struct core *core, struct session *session)
{
    join_abort(core, session, WAMP_AUTHENTICATION_FAILED, "timeout");
}

/* ---- decisions ---- */

static void challenge(struct core *core, struct session *session, const struct decision *decision)
{
    struct joining *joining = session->joining;

    if (joining->question.round == MAX_CHALLENGES) {
        join_abort(core, session, WAMP_AUTHENTICATION_FAILED, "too many challenges");
        return;
    }
    forget_answer(joining);
    joining->question.round++;
    joining->is_challenged = true;
    list_append(&core->challenged, &joining->by_age);
    restart_timer(core, session);
    send_reply(
        core, session,
        reply_challenge(session->codec, decision->authmethod, decision->codec, decision->extra));
}

static void accept(struct core *core, struct session *session, const struct decision *decision)
{
    struct joining *joining = session->joining;
    struct hello hello;
    struct fault fault;
    const char *words;

    if (is_full(core)) {
        join_abort(core, session, WAMP_NOT_AUTHORIZED,
                   "the realm has as many sessions as it may (max_sessions)");
        return;
    }
    if (!is_sound(decision) || hello_read(&hello, &joining->hello, &core->scratch, &fault) < 0) {
        join_abort(core, session, WAMP_AUTHENTICATION_FAILED, NULL);
        return;
    }
    if (permit_role(core, decision->authrole) == RULE_NO_ROLE) {
        join_abort(core, session, WAMP_NO_SUCH_ROLE, "the realm has no such role");
        return;
    }
    words = establish(core, session, &hello, joining->hello.codec, joining->transport, decision);
    if (words == NULL)
        joining_free(core, session);
    else
        join_abort(core, session, NEXUS_RATE_LIMITED, words);
}

void join_decide(struct core *core, struct session *session, const struct decision *decision)
{
    close_question(core, session->joining);
    switch (decision->verdict) {
    case VERDICT_ACCEPT:
        accept(core, session, decision);
        break;
    case VERDICT_CHALLENGE:
        challenge(core, session, decision);
        break;
    case VERDICT_REFUSE:
        give_up(core, session, decision);
        break;
    case VERDICT_ALLOW:
    case VERDICT_DENY:
        UNREACHABLE("a verdict for a request");
    }
}

void join_check(const struct core *core, const struct session *session)
{
    const struct joining *joining = session->joining;

    CHECK(joining != NULL && deadline_is_set(&session->timer.deadline));
    CHECK((joining->question.id == 0) == joining->is_challenged);
    CHECK(list_is_linked(&joining->by_age) == joining->is_challenged);
    CHECK(joining->question.id == 0 ||
          map_get(&core->questions, joining->question.id, 0) == session);
}
