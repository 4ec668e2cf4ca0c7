/* core.c -- one realm: makes it, steps it, checks it. See core.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/core.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/calls.h"
#include "core/core_priv.h"
#include "core/govern.h"
#include "core/ids.h"
#include "core/join.h"
#include "core/limits.h"
#include "core/meta.h"
#include "core/park.h"
#include "core/review.h"

static const char *const default_reserved[] = {"wamp", "nexus", NULL};

void core_defaults(struct core_options *options)
{
    *options = (struct core_options){
        .anonymous_role = "anonymous",
        .ppt_compat = true,
        .request_id_check = REQUEST_IDS_LENIENT,
        .disclose_caller = DISCLOSE_REQUEST,
        .disclose_publisher = DISCLOSE_REQUEST,
        .disclose_callee_request = true,
        .progress_requires_cancel = true,
        .allow_force_reregister = true,
        .cancel_default_mode = CANCEL_KILLNOWAIT,
        .call_queue_timeout_ms = DEFAULT_CALL_QUEUE_TIMEOUT_MS,
        .max_subscriptions = DEFAULT_MAX_SUBSCRIPTIONS,
        .max_registrations = DEFAULT_MAX_REGISTRATIONS,
        .max_pending_calls = DEFAULT_MAX_PENDING_CALLS,
        .goodbye_timeout_ms = DEFAULT_GOODBYE_TIMEOUT_MS,
        .auth_timeout_ms = DEFAULT_AUTH_TIMEOUT_MS,
        .max_joining = DEFAULT_MAX_JOINING,
        .roles = ROUTER_BROKER | ROUTER_DEALER,
        .reserved_prefixes = default_reserved,
        .history_max_result = DEFAULT_HISTORY_MAX_RESULT,
        .retained = {DEFAULT_RETAINED_MAX_TOPICS, DEFAULT_RETAINED_MAX_BYTES}};
}

static const char *copy_of(const char *text)
{
    return text == NULL ? NULL : mem_copy(text, strlen(text));
}

static void copy_reserved(struct core *core, const char *const *prefixes)
{
    size_t count = 0;

    while (prefixes[count] != NULL)
        count++;
    core->reserved = mem_zero(count + 1, sizeof *core->reserved);
    for (size_t i = 0; i < count; i++) {
        unsigned char first = (unsigned char)prefixes[i][0];

        core->reserved[i] = slice_of(copy_of(prefixes[i]));
        core->reserved_first[first / 64] |= UINT64_C(1) << (first % 64);
    }
    core->reserved_count = count;
}

static void copy_histories(struct core *core, const struct history_options *histories)
{
    size_t count = core->options.history_count;
    struct history_options *copies = mem_zero(count + 1, sizeof *copies);

    for (size_t i = 0; i < count; i++) {
        copies[i] = histories[i];
        copies[i].uri = copy_of(histories[i].uri);
    }
    core->options.histories = copies;
}

/* The core outlives what its options point at. */
static void copy_options(struct core *core, const struct core_options *options)
{
    CHECK(options->realm != NULL && options->random != NULL && options->anonymous_role != NULL);
    CHECK(options->roles != 0);
    core->options = *options;
    if (options->max_buckets == 0)
        core->options.max_buckets = DEFAULT_MAX_BUCKETS;
    if (options->max_kept_nodes == 0)
        core->options.max_kept_nodes = DEFAULT_MAX_KEPT_NODES;
    core->options.realm = copy_of(options->realm);
    core->options.agent = copy_of(options->agent);
    core->options.anonymous_role = copy_of(options->anonymous_role);
    core->options.reserved_prefixes = NULL;
    copy_reserved(core, options->reserved_prefixes);
    copy_histories(core, options->histories);
    core->options.expose = govern_copy_names(options->expose);
    core->options.filterable = govern_copy_names(options->filterable);
    core->options.http_headers = govern_copy_names(options->http_headers);
}

static void free_text(const char *text)
{
    mem_free((void *)(uintptr_t)text);
}

static void free_options(struct core *core)
{
    for (size_t i = 0; i < core->reserved_count; i++)
        free_text(core->reserved[i].data);
    mem_free(core->reserved);
    for (size_t i = 0; i < core->options.history_count; i++)
        free_text(core->options.histories[i].uri);
    mem_free((void *)(uintptr_t)core->options.histories);
    mem_free((void *)(uintptr_t)core->options.expose);
    mem_free((void *)(uintptr_t)core->options.filterable);
    mem_free((void *)(uintptr_t)core->options.http_headers);
    free_text(core->options.realm);
    free_text(core->options.agent);
    free_text(core->options.anonymous_role);
}

struct core *core_new(const struct core_options *options)
{
    struct core *core = mem_zero(1, sizeof *core);

    copy_options(core, options);
    core->is_role_checked =
        options->role_check || options->roles != (ROUTER_BROKER | ROUTER_DEALER);
    rng_init(&core->rng, options->random, options->random_ctx);
    intern_init(&core->intern, rng_u64(&core->rng), rng_u64(&core->rng));
    map_init(&core->by_peer, rng_u64(&core->rng));
    map_init(&core->by_id, rng_u64(&core->rng));
    map_init(&core->questions, rng_u64(&core->rng));
    list_init(&core->challenged);
    map_init(&core->reviews, rng_u64(&core->rng));
    core->store = store_memory(&options->retained, rng_u64(&core->rng), rng_u64(&core->rng));
    broker_init(core);
    dealer_init(core);
    reflection_init(core);
    losses_init(core);
    recheck_init(core);
    kept_init(core);
    late_init(core);
    throttle_init(core);
    deadlines_init(&core->deadlines);
    arena_init(&core->scratch);
    throttle_renew(core, options->limits, options->limit_count);
    core->options.limits = NULL;
    return core;
}

bool core_looks_up_reserved(const struct core *core, struct slice uri)
{
    for (size_t i = 0; i < core->reserved_count; i++)
        if (uri_is_within(uri, core->reserved[i]))
            return true;
    return false;
}

/* Sessions that are left end without a word to anybody. */
static void end_sessions(struct core *core)
{
    struct ids peers = ids_new(&core->scratch, core->by_peer.count);
    struct outbox out;
    size_t i = 0;
    const struct map_entry *at;

    outbox_init(&out);
    core->out = &out; /* cppcheck-suppress autoVariables ; core is freed next */
    core->is_quiet = true;
    while ((at = map_next(&core->by_peer, &i)) != NULL)
        ids_add(&peers, at->a);
    for (i = 0; i < peers.count; i++)
        session_on_closed(core, map_get(&core->by_peer, peers.of[i], 0));
    outbox_fini(&out);
}

void core_free(struct core *core)
{
    if (core == NULL)
        return;
    end_sessions(core);
    recheck_fini(core);
    kept_fini(core);
    late_fini(core);
    throttle_fini(core);
    losses_fini(core);
    broker_fini(core);
    dealer_fini(core);
    reflection_fini(core);
    core->store.ops->free(core->store.store);
    deadlines_fini(&core->deadlines);
    map_fini(&core->by_peer);
    map_fini(&core->by_id);
    map_fini(&core->questions);
    map_fini(&core->reviews);
    intern_fini(&core->intern);
    arena_fini(&core->scratch);
    free_options(core);
    mem_free(core);
}

/* Sessions that are being opened come to nothing. */
static void abort_joining(struct core *core, const char *reason)
{
    struct ids peers = ids_new(&core->scratch, core->by_peer.count);
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&core->by_peer, &i)) != NULL) {
        const struct session *session = at->value;

        if (session->state == SESSION_AUTHENTICATING)
            ids_add(&peers, at->a);
    }
    for (i = 0; i < peers.count; i++)
        join_abort(core, map_get(&core->by_peer, peers.of[i], 0), reason, "the realm is closing");
}

/* GOODBYE to every session. They stay in the map until they close, so that does not change. */
static void close_realm(struct core *core, const char *reason)
{
    size_t i = 0;
    const struct map_entry *at;

    abort_joining(core, reason);
    core->is_quiet = true;
    while ((at = map_next(&core->by_peer, &i)) != NULL)
        calls_forget(core, at->value, NULL);
    i = 0;
    while ((at = map_next(&core->by_peer, &i)) != NULL) {
        struct session *session = at->value;

        if (session->state == SESSION_ESTABLISHED)
            session_shut_down(core, session, reason, (struct slice){0});
    }
    core->is_quiet = false;
}

static void run_deadlines(struct core *core)
{
    struct deadline *due;

    while ((due = deadlines_due(&core->deadlines, core->now)) != NULL) {
        struct timer *timer = container_of(due, struct timer, deadline);

        switch (timer->kind) {
        case TIMER_SESSION:
            session_on_timer(core, container_of(timer, struct session, timer));
            break;
        case TIMER_CALL:
            calls_on_timer(core, timer);
            break;
        case TIMER_LOSSES:
            losses_on_timer(core);
            break;
        case TIMER_RECHECK:
            recheck_on_timer(core);
            break;
        case TIMER_PAUSE:
            park_resume(core, container_of(timer, struct session, pause));
            break;
        }
    }
}

static struct session *find_session(struct core *core, uint64_t peer)
{
    if (core->last == NULL || core->last->peer != peer)
        core->last = map_get(&core->by_peer, peer, 0);
    return core->last;
}

static bool is_of_session(enum event_type type)
{
    return type == EV_MESSAGE || type == EV_FAULT || type == EV_CLOSED || type == EV_UNSENT ||
           type == EV_DROPPED || type == EV_ADMIN;
}

static void decide(struct core *core, const struct decision *decision)
{
    struct session *session = map_get(&core->questions, decision->question, 0);

    if (session == NULL) {
        if (!review_decide(core, decision) && !recheck_decide(core, decision))
            (void)late_decide(core, decision); /* if not, nobody needs the answer any more */
        return;
    }
    if (session->joining != NULL)
        join_decide(core, session, decision);
    else
        park_decide(core, session, decision);
}

static void recheck(struct core *core, uint64_t id)
{
    struct session *session = map_get(&core->by_id, id, 0);

    if (id == 0)
        recheck_all(core);
    else if (session != NULL)
        recheck_session(core, session);
}

void core_step(struct core *core, const struct event *ev, struct outbox *out)
{
    struct session *session = NULL;

    arena_reset(&core->scratch);
    core->now = core->came_at = ev->now;
    core->wall = ev->wall;
    core->out = out;
    if (UNLIKELY(deadlines_next(&core->deadlines) <= ev->now))
        run_deadlines(core);
    if (is_of_session(ev->type)) {
        session = find_session(core, ev->peer);
        if (session == NULL)
            return; /* it ended while this was on its way */
    }
    switch (ev->type) {
    case EV_MESSAGE:
        session_on_message(core, session, ev->msg);
        break;
    case EV_HELLO:
        CHECK(map_get(&core->by_peer, ev->peer, 0) == NULL);
        join_begin(core, ev);
        break;
    case EV_FAULT:
        session_on_fault(core, session, ev->fault);
        break;
    case EV_CLOSED:
        session_on_closed(core, session);
        break;
    case EV_UNSENT:
        calls_unsent(core, session, ev->invocation);
        break;
    case EV_CLOSE_REALM:
        close_realm(core, ev->reason);
        break;
    case EV_DROPPED:
        losses_add(core, session, ev->dropped);
        break;
    case EV_DECISION:
        decide(core, ev->decision);
        break;
    case EV_RULES:
        govern_renew(core, ev->renewal);
        break;
    case EV_RECHECK:
        recheck(core, ev->session);
        break;
    case EV_SET:
        govern_set(core, ev->change);
        break;
    case EV_FORGET:
        kept_forget(core, ev->forget);
        break;
    case EV_END:
        govern_end(core, ev->ending);
        break;
    case EV_ADMIN:
        meta_admin_done(core, session, ev->done);
        break;
    case EV_TICK:
        break;
    }
}

const struct question *core_question(const struct core *core, uint64_t id)
{
    const struct session *session = map_get(&core->questions, id, 0);

    if (session == NULL) {
        const struct question *question = review_question(core, id);

        if (question == NULL)
            question = late_question(core, id);
        return question != NULL ? question : recheck_question(core, id);
    }
    return session->joining == NULL ? park_question(session) : join_question(session);
}

const char *core_remember(struct core *core, struct slice text)
{
    size_t len = text.len < MAX_QUOTED_LEN ? text.len : MAX_QUOTED_LEN;
    char *copy = arena_alloc(&core->scratch, len + 1);

    if (len != 0)
        memcpy(copy, text.data, len);
    copy[len] = '\0';
    return copy;
}

uint64_t core_wake_at(const struct core *core)
{
    return deadlines_next(&core->deadlines);
}

const struct core_counters *core_counters(struct core *core)
{
    core->store.ops->count(core->store.store, &core->counters.store);
    core->counters.decisions_kept = core->kept.answer_count;
    return &core->counters;
}

static size_t count_nodes(const struct list *list)
{
    size_t count = 0;

    list_each (list, node, after)
        count++;
    return count;
}

static void check_session(const struct core *core, const struct session *session)
{
    bool is_open = session->state == SESSION_ESTABLISHED;
    size_t held = session->subscription_count + session->registration_count + session->call_count +
                  session->invocation_count + session->testament_count + session->parked_count +
                  session->review_count + session->holds;

    CHECK(is_open == (map_get(&core->by_id, session->id, 0) == session));
    CHECK(is_open || deadline_is_set(&session->timer.deadline));
    CHECK(count_nodes(&session->members) == session->subscription_count);
    CHECK(count_nodes(&session->callees) == session->registration_count);
    CHECK(count_nodes(&session->calls) == session->call_count);
    CHECK(count_nodes(&session->invocations) == session->invocation_count);
    CHECK(count_nodes(&session->testaments) == session->testament_count);
    CHECK(is_open || held == 0);
    CHECK((session->state == SESSION_AUTHENTICATING) == (session->joining != NULL));
    if (session->joining != NULL)
        join_check(core, session);
    park_check(core, session);
    review_check(core, session);
    CHECK(is_open || list_is_empty(&session->late));
    for (uint32_t i = 0; i < session->tag_count; i++)
        CHECK(session->tags[i].key != INTERN_NONE && session->tags[i].value != INTERN_NONE);
}

void core_check(const struct core *core)
{
    const struct map_entry *at;
    size_t i = 0, open = 0, joining = 0, late = 0, trusted = 0, timers = 0, questions = 0;

    while ((at = map_next(&core->by_peer, &i)) != NULL) {
        const struct session *session = at->value;

        CHECK(session->peer == at->a);
        check_session(core, session);
        late += late_check(core, session);
        open += session->state == SESSION_ESTABLISHED;
        trusted += session->is_trusted && session->state == SESSION_ESTABLISHED;
        joining += session->state == SESSION_AUTHENTICATING;
        timers += deadline_is_set(&session->timer.deadline);
        timers += deadline_is_set(&session->pause.deadline);
    }
    for (i = 0; map_next(&core->questions, &i) != NULL;)
        questions++;
    CHECK(open == core->by_id.count && open == core->counters.sessions);
    CHECK(joining == core->joining_count && questions <= joining + open);
    CHECK(trusted == core->trusted_count);
    kept_check(core);
    CHECK(late == core->late.asks.count);
    throttle_check(core);
    broker_check(core);
    dealer_check(core);
    core->store.ops->check(core->store.store);
    CHECK(timers + calls_check(core) + recheck_check(core) +
              deadline_is_set(&core->losses.timer.deadline) ==
          core->deadlines.count);
}
