/* decider.c -- the mind of a realm begins, is asked, and ends. See router.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "policy/handlers.h"
#include "policy/login_cookies.h"
#include "policy/login_guard.h"
#include "policy/login_settings.h"
#include "policy/mind.h"
#include "policy/opener.h"
#include "policy/others.h"
#include "policy/reload.h"
#include "state/state.h"
#include "wire/errors.h"

static void say_again(void *ctx, const char *line)
{
    const struct realm *realm = ctx;

    log_line(LOG_ERROR, "policy-unsound", line, "realm", realm_name(realm), NULL);
}

struct shared_logins {
    struct guard_board *failed;   /* owned */
    struct cookie_board *cookies; /* owned */
};

struct shared_logins *policy_share_logins(void)
{
    struct shared_logins *logins = mem_zero(1, sizeof(*logins));
    struct rng rng;

    rng_init(&rng, login_fill_random, NULL);
    logins->failed = guard_board_new(&rng);
    logins->cookies = cookie_board_new(&rng);
    return logins;
}

void policy_unshare_logins(struct shared_logins *logins)
{
    if (logins == NULL)
        return;
    guard_board_free(logins->failed);
    cookie_board_free(logins->cookies);
    mem_free(logins);
}

bool policy_knows_cookie(void *ctx, const char *cookie)
{
    const struct shared_logins *logins = ctx;

    return cookie_board_has(logins->cookies, cookie);
}

/* One address may have half of what a realm opens at one time. */
static struct guard *make_guard(struct mind *mind, const struct shared_logins *shared)
{
    const struct logins *logins = logins_used();
    uint32_t max_joining = core_max_joining(realm_core(mind->realm));
    struct guard_limits limits = {.free_failures = logins->free_failures,
                                  .max_delay_ms = logins->max_delay_ms,
                                  .max_joining_of_an_address = max_joining - max_joining / 2};

    return guard_new(&limits, shared == NULL ? NULL : shared->failed, &mind->rng);
}

static struct state *open_state(const struct mind *mind)
{
    const struct host_config *config = &mind->use->config;

    return state_open(&(struct state_options){
        .realm = realm_name(mind->realm),
        .folder = config->data_folder,
        .kv_max_entries = config->kv_max_entries,
        .kv_max_bytes = config->kv_max_bytes,
        .metrics = config->router_state == NULL ? NULL : config->router_state->metrics});
}

static void *open_mind(void *ctx, struct realm *realm)
{
    const struct policy_use *use = ctx;
    struct mind *mind = mem_zero(1, sizeof(*mind));
    struct policy *policy;

    mind->realm = realm;
    fibers_init(&mind->fibers, mind, realm);
    list_init(&mind->versions);
    list_init(&mind->idle);
    list_init(&mind->challenged);
    list_init(&mind->hearings);
    rng_init(&mind->rng, login_fill_random, NULL);
    map_init(&mind->hearing_questions, rng_u64(&mind->rng));
    map_init(&mind->logins, rng_u64(&mind->rng));
    map_init(&mind->open[0], rng_u64(&mind->rng));
    map_init(&mind->open[1], rng_u64(&mind->rng));
    map_init(&mind->leaving, rng_u64(&mind->rng));
    map_init(&mind->rooms, rng_u64(&mind->rng));
    map_init(&mind->invoked, rng_u64(&mind->rng));
    list_init(&mind->endpoints);
    list_init(&mind->others);
    list_init(&mind->invocations);
    list_init(&mind->idle_invocations);
    list_init(&mind->deliveries);
    list_init(&mind->idle_deliveries);
    map_init(&mind->login_questions, rng_u64(&mind->rng));
    logins_init_settings(&mind->settings, &mind->rng);
    mind->settings.looks = &mind->looks;
    mind->guard = make_guard(mind, use->logins);
    complaints_init(&mind->complaints, realm, &mind->rng);
    mind->use = use;
    mind->state = open_state(mind);
    mind->cookies = cookies_new(use->logins == NULL ? NULL : use->logins->cookies, &mind->rng);
    counts_init(&mind->counts, mind->state->counts);
    mind->reloads = reloads_new(mind, use);
    policy = policy_instance(use->policy->source, &use->config, mind->state, realm_name(realm),
                             say_again, realm);
    if (policy != NULL)
        mind->current = mind_version(mind, policy);
    return mind;
}

static void start_mind(void *ctx)
{
    struct mind *mind = ctx;

    fibers_start(&mind->fibers);
    if (!mind->use->config.is_router) /* nobody is in its realm, not even itself */
        mind->service = service_open(mind, NULL);
    reloads_start(mind->reloads);
    if (mind->use->is_dynamic) /* the template was read when the router began */
        reloads_wish(mind->reloads, "open", NULL);
}

static void stop_mind(void *ctx)
{
    struct mind *mind = ctx;

    mind->is_stopped = true;
    complaints_stop(&mind->complaints);
    reloads_stop(mind->reloads);
    fibers_stop(&mind->fibers);
    list_each (&mind->versions, node, after)
        version_abandon(container_of(node, struct version, of_mind));
    login_forget_all(mind);
    list_each (&mind->versions, node, after)
        host_stop(&container_of(node, struct version, of_mind)->policy->host);
    derive_close(mind->derive_desk);
    mind->derive_desk = NULL;
    handlers_free(mind);
    others_close(mind);
    service_close(mind->service);
    mind->service = NULL;
    list_each (&mind->versions, node, behind)
        policy_stop(container_of(node, struct version, of_mind)->policy);
}

static void free_versions(struct mind *mind)
{
    list_each (&mind->versions, node, after) {
        struct version *version = container_of(node, struct version, of_mind);

        version->refs = 1;
        version_drop(version);
    }
}

static void close_mind(void *ctx)
{
    struct mind *mind = ctx;

    free_versions(mind);
    reloads_free(mind->reloads);
    (void)state_close(mind->state);
    hearings_free(mind);
    guard_free(mind->guard);
    procedures_free(mind);
    topics_free(mind);
    map_fini(&mind->open[0]);
    map_fini(&mind->open[1]);
    map_fini(&mind->leaving);
    map_fini(&mind->rooms);
    map_fini(&mind->invoked);
    cookies_free(mind->cookies);
    map_fini(&mind->hearing_questions);
    map_fini(&mind->logins);
    map_fini(&mind->login_questions);
    explicit_bzero(&mind->settings, sizeof(mind->settings));
    opener_drop_use(mind->use);
    mem_free(mind);
}

static bool is_of_login(const struct question *question)
{
    return question->ask == ASK_JOIN || question->ask == ASK_AUTHENTICATE;
}

static bool is_for_authorize(const struct question *question)
{
    return question->ask == ASK_RECHECK ||
           (question->ask == ASK_AUTHORIZE && (question->needs & NEEDS_AUTHORIZE) != 0);
}

/* Fails closed. */
static void refuse_all(const struct mind *mind, const struct question *question)
{
    bool is_request = !is_of_login(question);

    realm_decide(mind->realm,
                 &(struct decision){.question = question->id,
                                    .verdict = is_request ? VERDICT_DENY : VERDICT_REFUSE,
                                    .reason = is_request ? WAMP_AUTHORIZATION_FAILED
                                                         : WAMP_AUTHENTICATION_FAILED});
}

static bool is_crowded(struct mind *mind, const struct question *question)
{
    if (mind->fibers.count < MAX_FIBERS)
        return false;
    mind_complain(mind, mind->current, is_of_login(question) ? "authenticate" : "authorize",
                  "as many hooks wait as may (10000)", NULL);
    return true;
}

static void ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;

    if (mind->current == NULL || is_crowded(mind, question) ||
        (is_for_authorize(question) && !mind->current->policy->has_authorize))
        refuse_all(mind, question);
    else if (is_of_login(question))
        login_ask(mind, question);
    else
        mind_judge(mind, question);
}

static void unask(void *ctx, uint64_t question)
{
    struct mind *mind = ctx;
    struct hearing *hearing = map_remove(&mind->hearing_questions, question, 0);
    struct login *login = map_get(&mind->login_questions, question, 0);
    bool was_held = fibers_hold(&mind->fibers);

    if (hearing != NULL)
        mind_dismiss(hearing);
    if (login != NULL)
        login_forget(login);
    fibers_release(&mind->fibers, was_held);
}

static void room(void *ctx, uint64_t ticket, bool has_room)
{
    procedures_room(ctx, ticket, has_room);
}

static void joined(void *ctx, uint64_t session)
{
    lifecycle_joined(ctx, session);
}

static void left(void *ctx, const struct left *session)
{
    lifecycle_left(ctx, session);
    login_left(ctx, session->look.id, session->reason);
}

static bool is_busy(void *ctx)
{
    const struct mind *mind = ctx;

    return reloads_is_busy(mind->reloads);
}

const struct decider policy_decider = {.open = open_mind,
                                       .start = start_mind,
                                       .stop = stop_mind,
                                       .close = close_mind,
                                       .ask = ask,
                                       .unask = unask,
                                       .room = room,
                                       .joined = joined,
                                       .left = left,
                                       .is_busy = is_busy,
                                       .requested = opener_requested,
                                       .opened = opener_opened,
                                       .closed = opener_closed};

/* The realm with that name is configured otherwise; others are read again. */
static void visit(void *ctx, void *changes_of)
{
    const struct policy_changes *changes = changes_of;
    const struct mind *mind = ctx;

    if (mind->is_stopped)
        return;
    for (size_t i = 0; !mind->use->is_dynamic && i < changes->count; i++) {
        if (strcmp(changes->of[i].realm, realm_name(mind->realm)) != 0)
            continue;
        reloads_configure(mind->reloads, changes->of[i].use, changes->by);
        return;
    }
    reloads_wish(mind->reloads, changes->by, NULL);
}

void policy_reload_all(struct router *router, const struct policy_changes *changes)
{
    router_visit(router, &policy_decider, visit, (void *)(uintptr_t)changes);
}

const struct state *policy_state(const void *mind)
{
    return ((const struct mind *)mind)->state;
}
