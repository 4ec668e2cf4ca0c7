/* recheck.c -- see recheck.h.
 *
 * The lists of a session are turned: what was judged goes to the end, so that the first one
 * that bears the turn of its session tells that the rest does as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/recheck.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "core/notice.h"
#include "core/permit.h"
#include "wire/errors.h"

/* A question that is open. */
struct recheck_ask {
    struct question question;
    struct session *session; /* borrowed */
    uint64_t holding;        /* id of the subscription or registration */
    struct msg msg;          /* what would ask for it: the type and the URI */
    char uri[];
};

/* One thing that a session holds. */
struct holding {
    uint64_t id;
    enum rule_action action; /* RULE_SUBSCRIBE or RULE_REGISTER */
    const struct match_entry *entry;
};

void recheck_init(struct core *core)
{
    struct recheck *recheck = &core->recheck;

    list_init(&recheck->sessions);
    map_init(&recheck->asks, rng_u64(&core->rng));
    map_init(&recheck->by_holding, rng_u64(&core->rng));
    recheck->timer.kind = TIMER_RECHECK;
}

void recheck_fini(struct core *core)
{
    CHECK(list_is_empty(&core->recheck.sessions) && core->recheck.asks.count == 0);
    deadlines_cancel(&core->deadlines, &core->recheck.timer.deadline);
    map_fini(&core->recheck.asks);
    map_fini(&core->recheck.by_holding);
}

/* The next millisecond: what others want goes on in between. */
static void go_on_soon(struct core *core)
{
    struct recheck *recheck = &core->recheck;

    if (!list_is_empty(&recheck->sessions) && recheck->asks.count < MAX_RECHECKS_ASKED &&
        !deadline_is_set(&recheck->timer.deadline))
        deadlines_set(&core->deadlines, &recheck->timer.deadline, core->now + 1);
}

void recheck_session(struct core *core, struct session *session)
{
    if (session->is_trusted || (session->subscription_count | session->registration_count) == 0)
        return;
    session->turn++;
    if (!list_is_linked(&session->rechecking))
        list_append(&core->recheck.sessions, &session->rechecking);
    go_on_soon(core);
}

void recheck_all(struct core *core)
{
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&core->by_id, &i)) != NULL)
        recheck_session(core, at->value);
}

void recheck_leave(struct core *core, struct session *session)
{
    list_remove(&session->rechecking);
    if (list_is_empty(&core->recheck.sessions))
        deadlines_cancel(&core->deadlines, &core->recheck.timer.deadline);
}

/* ---- questions ---- */

static void close_ask(struct core *core, struct recheck_ask *ask)
{
    map_remove(&core->recheck.asks, ask->question.id, 0);
    map_remove(&core->recheck.by_holding, ask->session->id, ask->holding);
    mem_free(ask);
    go_on_soon(core);
}

static void put_question(struct core *core, struct session *session, const struct holding *holding)
{
    struct slice uri = holding->entry->uri;
    struct recheck_ask *ask = mem_alloc(sizeof *ask + uri.len);

    *ask = (struct recheck_ask){
        .session = session,
        .holding = holding->id,
        .msg = {.type = holding->action == RULE_SUBSCRIBE ? MSG_SUBSCRIBE : MSG_REGISTER,
                .codec = session->codec,
                .text = slice_make(ask->uri, uri.len)}};
    if (uri.len != 0)
        memcpy(ask->uri, uri.data, uri.len);
    ask->question = (struct question){.id = ++core->last_question,
                                      .ask = ASK_RECHECK,
                                      .peer = session->peer,
                                      .session = session->id,
                                      .msg = &ask->msg,
                                      .needs = NEEDS_AUTHORIZE,
                                      .action = holding->action,
                                      .match = holding->entry->match};
    map_put(&core->recheck.asks, ask->question.id, 0, ask);
    map_put(&core->recheck.by_holding, session->id, holding->id, ask);
    outbox_ask(core->out, session->peer, ask->question.id);
}

void recheck_forget(struct core *core, const struct session *session, uint64_t holding)
{
    struct recheck_ask *ask;

    if (LIKELY(core->recheck.asks.count == 0))
        return;
    ask = map_get(&core->recheck.by_holding, session->id, holding);
    if (ask == NULL)
        return;
    outbox_unask(core->out, session->peer, ask->question.id);
    close_ask(core, ask);
}

const struct question *recheck_question(const struct core *core, uint64_t id)
{
    const struct recheck_ask *ask = map_get(&core->recheck.asks, id, 0);

    return ask == NULL ? NULL : &ask->question;
}

/* ---- judgement ---- */

static void revoke(struct core *core, const struct session *session, const struct holding *holding,
                   const char *reason)
{
    if (holding->action == RULE_SUBSCRIBE)
        broker_revoke(core, map_get(&core->broker.members, session->id, holding->id), reason);
    else
        dealer_revoke(core, map_get(&core->dealer.callees, session->id, holding->id), reason);
    core->counters.revoked++;
}

static bool judge(struct core *core, struct session *session, const struct holding *holding)
{
    const struct kept_answer *kept;
    struct grant grant;

    switch (permit_judge(core, session, holding->action, holding->entry->match, holding->entry->uri,
                         &grant)) {
    case RULE_ALLOW:
        recheck_forget(core, session, holding->id);
        return true;
    case RULE_ASK:
        kept =
            kept_find(core, session, holding->action, holding->entry->match, holding->entry->uri);
        if (kept != NULL) {
            recheck_forget(core, session, holding->id);
            if (kept->verdict == VERDICT_DENY)
                revoke(core, session, holding, kept->reason);
            return true;
        }
        if (core->recheck.asks.count >= MAX_RECHECKS_ASKED)
            return false;
        recheck_forget(core, session, holding->id); /* it was put by the rules before these */
        put_question(core, session, holding);
        return true;
    case RULE_DENY:
    case RULE_EFFECT_COUNT:
        break;
    }
    revoke(core, session, holding, WAMP_NOT_AUTHORIZED);
    return true;
}

/* What comes next in the session, turned to the end of its list; NULL: all is judged. *turn is
 * that of the thing. */
static struct list *next_of(struct session *session, struct holding *holding, uint32_t **turn)
{
    struct list *node = list_first(&session->members);

    if (node != NULL) {
        struct member *member = container_of(node, struct member, in_session);

        *turn = &member->turn;
        *holding = (struct holding){member->subscription->id, RULE_SUBSCRIBE,
                                    &member->subscription->entry};
        if (member->turn != session->turn)
            return node;
    }
    node = list_first(&session->callees);
    if (node != NULL) {
        struct callee *callee = container_of(node, struct callee, in_session);

        *turn = &callee->turn;
        *holding =
            (struct holding){callee->registration->id, RULE_REGISTER, &callee->registration->entry};
        if (callee->turn != session->turn)
            return node;
    }
    return NULL;
}

/* True when everything is done that can be done now. */
static bool judge_next(struct core *core, struct session *session)
{
    struct holding holding;
    uint32_t *turn;
    struct list *node = next_of(session, &holding, &turn);

    if (node == NULL) {
        list_remove(&session->rechecking);
        return list_is_empty(&core->recheck.sessions);
    }
    list_remove(node);
    list_append(holding.action == RULE_SUBSCRIBE ? &session->members : &session->callees, node);
    *turn = session->turn;
    if (judge(core, session, &holding))
        return false;
    *turn = session->turn - 1; /* no question may be put now */
    list_remove(node);
    list_prepend(holding.action == RULE_SUBSCRIBE ? &session->members : &session->callees, node);
    return true;
}

void recheck_on_timer(struct core *core)
{
    struct recheck *recheck = &core->recheck;

    for (unsigned i = 0; i < RECHECKS_AT_ONCE && !list_is_empty(&recheck->sessions); i++)
        if (judge_next(core,
                       container_of(list_first(&recheck->sessions), struct session, rechecking)))
            break;
    if (list_is_empty(&recheck->sessions))
        deadlines_cancel(&core->deadlines,
                         &recheck->timer.deadline); /* an answer may have set it */
    go_on_soon(core);
}

/* ---- answers ---- */

bool recheck_decide(struct core *core, const struct decision *decision)
{
    struct recheck_ask *ask = map_get(&core->recheck.asks, decision->question, 0);
    const char *reason = decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason;
    struct session *session;
    struct holding holding;

    if (ask == NULL)
        return false;
    CHECK(decision->verdict == VERDICT_ALLOW || decision->verdict == VERDICT_DENY);
    session = ask->session;
    holding = (struct holding){.id = ask->holding, .action = ask->question.action};
    kept_add(core, session, &ask->question, decision);
    close_ask(core, ask);
    if (decision->verdict == VERDICT_ALLOW)
        return true;
    revoke(core, session, &holding, reason);
    if (!decision->closes)
        return true;
    notice_killed(core, session, NULL, (struct slice){0}, reason);
    session_shut_down(core, session, reason, slice_of(decision->words));
    return true;
}

/* ---- for tests ---- */

size_t recheck_check(const struct core *core)
{
    const struct recheck *recheck = &core->recheck;
    const struct map_entry *at;
    size_t i = 0, count = 0;

    list_each (&recheck->sessions, node, after)
        CHECK(container_of(node, struct session, rechecking)->state == SESSION_ESTABLISHED);
    while ((at = map_next(&recheck->asks, &i)) != NULL) {
        const struct recheck_ask *ask = at->value;
        bool is_topic = ask->question.action == RULE_SUBSCRIBE;

        CHECK(ask->question.id == at->a && ask->session->state == SESSION_ESTABLISHED);
        CHECK(map_get(&recheck->by_holding, ask->session->id, ask->holding) == ask);
        CHECK(map_get(is_topic ? &core->broker.members : &core->dealer.callees, ask->session->id,
                      ask->holding) != NULL);
        count++;
    }
    CHECK(count == recheck->by_holding.count && count <= MAX_RECHECKS_ASKED);
    CHECK(deadline_is_set(&recheck->timer.deadline) ==
          (!list_is_empty(&recheck->sessions) && count < MAX_RECHECKS_ASKED));
    return deadline_is_set(&recheck->timer.deadline);
}
