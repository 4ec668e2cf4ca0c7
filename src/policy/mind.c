/* mind.c -- see mind.h: the decider of a realm, and the turns of its hearings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/mind.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/module.h"
#include "script/values.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#define NS_PER_MS   UINT64_C(1000000)
#define MAX_SLEEP_S 86400
#define SILENCE_MS  60000 /* between two lines with the same words */
#define GROWTH      ((size_t)16 * 1024 * 1024)

static const char over_words[] = "nobody waits for the answer any more";

/* ---- what is asked ---- */

static struct door_budget budget_of(enum subject subject)
{
    bool is_request = subject == SUBJECT_REQUEST;

    return (struct door_budget){.stretch_ns = 20 * NS_PER_MS,
                                .cpu_ns = (is_request ? 20 : 100) * NS_PER_MS,
                                .wall_ns = (is_request ? 5000 : 10000) * NS_PER_MS,
                                .slice_ns = 2 * NS_PER_MS,
                                .growth = GROWTH};
}

static const char *hook_name(const struct hearing *hearing)
{
    switch (hearing->subject) {
    case SUBJECT_REQUEST:
        return "authorize";
    case SUBJECT_ADMIT:
        return "admit";
    case SUBJECT_LOOKUP:
    case SUBJECT_CHALLENGE:
    case SUBJECT_VERIFY:
        break;
    }
    return "authenticate";
}

static void push_text_value(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, text.len == 0 ? "" : text.data, text.len);
}

static void push_hook(lua_State *lua, void *ctx)
{
    struct hearing *hearing = ctx;
    const struct msg *msg = hearing->question->msg;

    l_policy_push_hook(lua, hearing->hook);
    if (hearing->subject == SUBJECT_REQUEST) {
        l_views_push_request(lua, hearing);
    } else if (hearing->subject == SUBJECT_ADMIT) {
        l_views_push_session(lua, hearing);
    } else {
        l_views_push_hello(lua, hearing);
        if (hearing->subject != SUBJECT_VERIFY)
            return;
        push_text_value(lua, msg->text);
        if (msg->dict.len != 0) {
            l_values_push(lua, msg->codec, msg->dict, "extra");
        } else {
            lua_newtable(lua);
            l_values_mark(lua, VALUES_DICT);
        }
    }
}

/* ---- what is said ---- */

static const char *keep_words(struct hearing *hearing, struct slice text)
{
    char *copy;

    if (text.len == 0)
        return NULL;
    copy = arena_alloc(&hearing->arena, text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static void take_dict(lua_State *lua, struct hearing *hearing)
{
    struct blob *blob;

    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, 1, VALUES_DICT, hearing->subject == SUBJECT_CHALLENGE ? "extra" : "record");
    blob = l_values_end(lua);
    hearing->dict = arena_copy(&hearing->arena, blob_slice(blob));
    explicit_bzero(blob->data, blob->len); /* there may be a secret in it */
    blob_drop(blob);
    hearing->said = SAID_DICT;
}

static void take_ruling(struct hearing *hearing, const struct ruling *ruling)
{
    hearing->said = ruling->is_allowed ? SAID_YES : SAID_NO;
    hearing->grant = ruling->grant;
    hearing->uri = keep_words(hearing, ruling->uri);
    hearing->words = keep_words(hearing, ruling->words);
}

static void take_boolean(lua_State *lua, struct hearing *hearing)
{
    struct slice words = {0};

    hearing->said = lua_toboolean(lua, 1) ? SAID_YES : SAID_NO;
    if (hearing->said == SAID_NO && lua_type(lua, 2) == LUA_TSTRING) {
        words.data = lua_tolstring(lua, 2, &words.len);
        hearing->words = keep_words(hearing, words);
    }
}

static const char *allowed_words(enum subject subject)
{
    switch (subject) {
    case SUBJECT_REQUEST:
        return "true, false, nexus.allow{}, nexus.deny{}";
    case SUBJECT_ADMIT:
        return "true, false, nexus.deny{}";
    case SUBJECT_CHALLENGE:
        return "a table, nil, nexus.deny{}";
    case SUBJECT_LOOKUP:
    case SUBJECT_VERIFY:
        break;
    }
    return "a record, nil, nexus.deny{}";
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct hearing *hearing = ctx;
    bool is_judged = hearing->subject == SUBJECT_REQUEST || hearing->subject == SUBJECT_ADMIT;
    const struct ruling *ruling = count == 0 ? NULL : module_ruling(lua, 1);

    hearing->said = SAID_NOTHING;
    if (count == 0 || lua_isnil(lua, 1))
        return;
    if (ruling != NULL && (!ruling->is_allowed || hearing->subject == SUBJECT_REQUEST))
        take_ruling(hearing, ruling);
    else if (is_judged && lua_isboolean(lua, 1))
        take_boolean(lua, hearing);
    else if (!is_judged && lua_istable(lua, 1))
        take_dict(lua, hearing);
    else if (is_judged || !lua_isboolean(lua, 1) || lua_toboolean(lua, 1))
        luaL_error(lua, "policy.%s returned %s%s; allowed: %s", hook_name(hearing),
                   ruling != NULL ? "nexus.allow" : "a ",
                   ruling != NULL ? "" : luaL_typename(lua, 1), allowed_words(hearing->subject));
}

/* ---- complaints ---- */

void mind_complain(struct mind *mind, const char *hook, const char *message, const char *trace)
{
    uint64_t now = mind_now();
    size_t i = 0;
    char more[24] = "";

    while (i < ARRAY_LEN(mind->errors) &&
           strncmp(mind->errors[i].message, message, sizeof(mind->errors[i].message) - 1) != 0)
        i++;
    if (i < ARRAY_LEN(mind->errors) && now - mind->errors[i].at < SILENCE_MS) {
        mind->errors[i].more++;
        return;
    }
    if (i == ARRAY_LEN(mind->errors)) {
        i = mind->last_error++ % ARRAY_LEN(mind->errors);
        snprintf(mind->errors[i].message, sizeof(mind->errors[i].message), "%s", message);
        mind->errors[i].more = 0;
    }
    if (mind->errors[i].more != 0)
        snprintf(more, sizeof(more), "%u", mind->errors[i].more);
    mind->errors[i].at = now;
    mind->errors[i].more = 0;
    log_line(LOG_ERROR, "policy-failed", message, "realm", realm_name(mind->realm), "hook", hook,
             "trace", trace == NULL || *trace == '\0' ? NULL : trace, "more_since",
             *more == '\0' ? NULL : more, NULL);
}

/* ---- clocks ---- */

uint64_t mind_now(void)
{
    return uv_hrtime() / NS_PER_MS;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct mind *mind)
{
    uint64_t next = deadlines_next(&mind->alarms), now = mind_now();

    if (mind->is_stopped)
        return;
    if (next == NEVER)
        uv_timer_stop(&mind->timer);
    else /* the loop's clock may be behind */
        uv_timer_start(&mind->timer, on_timer,
                       (next > now ? next - now : 0) + (now - uv_now(mind->timer.loop)), 0);
}

void mind_set_alarm(struct mind *mind, struct alarm *alarm, uint64_t at)
{
    deadlines_set(&mind->alarms, &alarm->deadline, at);
    set_timer(mind);
}

void mind_clear_alarm(struct mind *mind, struct alarm *alarm)
{
    if (!deadline_is_set(&alarm->deadline))
        return;
    deadlines_cancel(&mind->alarms, &alarm->deadline);
    set_timer(mind);
}

/* ---- the life of a hearing ---- */

static struct hearing *hearing_take(struct mind *mind)
{
    struct list *node = list_first(&mind->idle);
    struct hearing *hearing;

    if (node != NULL) {
        list_remove(node);
        return container_of(node, struct hearing, link);
    }
    hearing = mem_zero(1, sizeof(*hearing));
    hearing->mind = mind;
    list_append(&mind->hearings, &hearing->of_mind);
    list_init(&hearing->link);
    arena_init(&hearing->arena);
    return hearing;
}

/* Views point to it, so it stays as long as the state. */
static void hearing_give(struct hearing *hearing)
{
    struct mind *mind = hearing->mind;

    hearing->generation++;
    hearing->question = NULL;
    hearing->login = NULL;
    hearing->run = NULL;
    if (hearing->dict.len != 0)
        explicit_bzero((void *)(uintptr_t)hearing->dict.data, hearing->dict.len);
    hearing->dict = (struct slice){0};
    hearing->uri = hearing->words = NULL;
    arena_reset(&hearing->arena);
    mind_clear_alarm(mind, &hearing->alarm);
    list_prepend(&mind->idle, &hearing->link);
}

static void decide_request(struct hearing *hearing, bool is_sound)
{
    struct mind *mind = hearing->mind;
    struct decision decision = {.question = hearing->question->id, .verdict = VERDICT_DENY};

    if (!is_sound) {
        decision.reason = WAMP_AUTHORIZATION_FAILED;
    } else if (hearing->said == SAID_YES) {
        decision.verdict = VERDICT_ALLOW;
        decision.grant = hearing->grant;
    } else {
        decision.reason = hearing->uri;
        decision.words = hearing->words;
    }
    realm_decide(mind->realm, &decision);
}

static void finish(struct hearing *hearing, bool is_sound)
{
    if (hearing->question != NULL)
        map_remove(&hearing->mind->hearing_questions, hearing->question->id, 0);
    if (hearing->question == NULL)
        ; /* nobody waits for it */
    else if (hearing->subject == SUBJECT_REQUEST)
        decide_request(hearing, is_sound);
    else
        login_heard(hearing->login, hearing, is_sound);
    hearing_give(hearing);
}

static void await(struct hearing *hearing)
{
    uint64_t now = mind_now();
    uint64_t wake_at = now + hearing->sleep_ms;

    mind_set_alarm(hearing->mind, &hearing->alarm,
                   wake_at < hearing->ends_at ? wake_at : hearing->ends_at);
}

static void settle(struct hearing *hearing, const struct door_answer *answer)
{
    struct mind *mind = hearing->mind;

    hearing->run = answer->run;
    switch (answer->outcome) {
    case DOOR_RETURNED:
        finish(hearing, true);
        break;
    case DOOR_FAILED:
    case DOOR_KILLED:
        if (hearing->question != NULL)
            mind_complain(mind, hook_name(hearing), answer->message, answer->trace);
        finish(hearing, false);
        break;
    case DOOR_WAITING:
        await(hearing);
        break;
    case DOOR_SLICED:
        mind->sliced = hearing;
        break;
    }
}

static void begin(struct hearing *hearing, struct door_answer *answer)
{
    struct door_call call = {
        .push = push_hook, .take = take, .ctx = hearing, .budget = budget_of(hearing->subject)};

    hearing->ends_at = mind_now() + call.budget.wall_ns / NS_PER_MS;
    door_enter(hearing->mind->policy->vm, &call, answer);
}

/* One step of a hearing: its beginning, or whatever comes after it waited or was sliced. */
static void step(struct hearing *hearing)
{
    struct door_answer answer;

    if (hearing->run == NULL)
        begin(hearing, &answer);
    else if (hearing->question == NULL)
        door_cancel(hearing->run, DOOR_CANCELED, over_words, &answer);
    else if (mind_now() >= hearing->ends_at)
        door_cancel(hearing->run, DOOR_WALL,
                    hearing->subject == SUBJECT_REQUEST ? "not done after 5 s"
                                                        : "not done after 10 s",
                    &answer);
    else
        door_resume(hearing->run, NULL, NULL, &answer);
    settle(hearing, &answer);
}

static void on_turn(uv_idle_t *turn);

/* Steps what is ready; all but the one that was sliced wait for that. */
static void run_ready(struct mind *mind)
{
    struct list *node;

    if (mind->is_running || mind->is_stopped)
        return;
    mind->is_running = true;
    while (mind->sliced == NULL && (node = list_first(&mind->ready)) != NULL) {
        list_remove(node);
        step(container_of(node, struct hearing, link));
    }
    mind->is_running = false;
    if (mind->sliced != NULL)
        uv_idle_start(&mind->turn, on_turn);
    else
        uv_idle_stop(&mind->turn);
}

/* The loop had its turn. */
static void on_turn(uv_idle_t *turn)
{
    struct mind *mind = turn->data;
    struct hearing *hearing = mind->sliced;

    if (hearing != NULL && !mind->is_running) {
        mind->sliced = NULL;
        mind->is_running = true;
        step(hearing);
        mind->is_running = false;
    }
    run_ready(mind);
}

static void on_timer(uv_timer_t *timer)
{
    struct mind *mind = timer->data;
    struct deadline *due;
    uint64_t now = mind_now();

    while ((due = deadlines_due(&mind->alarms, now)) != NULL) {
        struct alarm *alarm = container_of(due, struct alarm, deadline);

        if (alarm->is_login)
            login_on_alarm(alarm);
        else
            list_append(&mind->ready, &container_of(alarm, struct hearing, alarm)->link);
    }
    set_timer(mind);
    run_ready(mind);
}

void mind_hear(struct mind *mind, enum subject subject, size_t hook,
               const struct question *question, struct login *login)
{
    struct hearing *hearing = hearing_take(mind);

    hearing->subject = subject;
    hearing->hook = hook;
    hearing->question = question;
    hearing->login = login;
    hearing->said = SAID_NOTHING;
    hearing->grant = (struct grant){0};
    hearing->sleep_ms = 0;
    map_put(&mind->hearing_questions, question->id, 0, hearing);
    list_append(&mind->ready, &hearing->link);
    run_ready(mind);
}

/* Nobody waits for it any more. */
static void dismiss(struct hearing *hearing)
{
    struct mind *mind = hearing->mind;
    bool is_ready = list_is_linked(&hearing->link);

    hearing->question = NULL;
    hearing->login = NULL;
    hearing->generation++;
    if (hearing->run == NULL) {
        if (is_ready) { /* it has not begun */
            list_remove(&hearing->link);
            hearing_give(hearing);
        }
        return;
    }
    if (is_ready || mind->sliced == hearing)
        return;
    mind_clear_alarm(mind, &hearing->alarm);
    list_append(&mind->ready, &hearing->link);
    run_ready(mind);
}

/* ---- waiting ---- */

static int wait(lua_State *lua, uint64_t ms)
{
    struct hearing *hearing = door_ctx(lua);

    if (hearing != NULL && policy_of(lua)->is_loaded)
        hearing->sleep_ms = ms;
    return door_wait(lua, (struct door_wait){0});
}

int l_mind_sleep(lua_State *lua)
{
    double seconds = luaL_checknumber(lua, 1);

    luaL_argcheck(lua, seconds >= 0 && seconds <= MAX_SLEEP_S, 1, "seconds, from 0 to 86400");
    return wait(lua, (uint64_t)(seconds * 1000 + 0.5));
}

int l_mind_breathe(lua_State *lua)
{
    return wait(lua, 0);
}

/* ---- the decider ---- */

static void fill_random(void *ctx, void *buf, size_t len)
{
    char *at = buf;

    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got <= 0)
            continue;
        at += got;
        len -= (size_t)got;
    }
}

/* Challenges of nobody come from it: the same ones in all realms, whenever they were made. */
static unsigned char router_key[DIGEST_LEN];

static void make_key(void)
{
    fill_random(NULL, router_key, sizeof(router_key));
}

static void init_settings(struct mind *mind)
{
    static uv_once_t once = UV_ONCE_INIT;

    uv_once(&once, make_key);
    auth_settings_init(&mind->settings, &mind->rng);
    memcpy(mind->settings.key, router_key, sizeof(router_key));
}

static void say_again(void *ctx, const char *line)
{
    const struct realm *realm = ctx;

    log_line(LOG_ERROR, "policy-unsound", line, "realm", realm_name(realm), NULL);
}

static int l_open(lua_State *lua)
{
    l_views_open(lua);
    return 0;
}

static void *open_mind(void *ctx, struct realm *realm)
{
    const struct policy *policy = ctx;
    struct mind *mind = mem_zero(1, sizeof(*mind));

    mind->realm = realm;
    list_init(&mind->idle);
    list_init(&mind->ready);
    list_init(&mind->hearings);
    deadlines_init(&mind->alarms);
    rng_init(&mind->rng, fill_random, NULL);
    map_init(&mind->hearing_questions, rng_u64(&mind->rng));
    map_init(&mind->logins, rng_u64(&mind->rng));
    map_init(&mind->login_questions, rng_u64(&mind->rng));
    init_settings(mind);
    mind->policy = policy_instance(policy->source, realm_name(realm), say_again, realm);
    if (mind->policy != NULL && vm_try(mind->policy->vm, l_open, NULL, NULL, 0) != 0) {
        policy_free(mind->policy);
        mind->policy = NULL;
    }
    return mind;
}

/* On the thread of the loop, and so not in open_mind. */
static void open_handles(struct mind *mind)
{
    if (mind->has_handles)
        return;
    mind->has_handles = true;
    uv_timer_init(realm_loop(mind->realm), &mind->timer);
    uv_idle_init(realm_loop(mind->realm), &mind->turn);
    mind->timer.data = mind->turn.data = mind;
}

static void stop_mind(void *ctx)
{
    struct mind *mind = ctx;

    mind->is_stopped = true;
    if (!mind->has_handles)
        return;
    uv_close((uv_handle_t *)&mind->timer, NULL);
    uv_close((uv_handle_t *)&mind->turn, NULL);
}

static void free_hearings(struct mind *mind)
{
    list_each (&mind->hearings, node, after) {
        struct hearing *hearing = container_of(node, struct hearing, of_mind);

        if (hearing->dict.len != 0)
            explicit_bzero((void *)(uintptr_t)hearing->dict.data, hearing->dict.len);
        arena_fini(&hearing->arena);
        list_remove(node);
        mem_free(hearing);
    }
}

static void close_mind(void *ctx)
{
    struct mind *mind = ctx;

    login_forget_all(mind);
    policy_free(mind->policy);
    free_hearings(mind);
    deadlines_fini(&mind->alarms);
    map_fini(&mind->hearing_questions);
    map_fini(&mind->logins);
    map_fini(&mind->login_questions);
    explicit_bzero(&mind->settings, sizeof(mind->settings));
    mem_free(mind);
}

/* Fails closed. */
static void refuse_all(const struct mind *mind, const struct question *question)
{
    bool is_request = question->ask == ASK_AUTHORIZE;

    realm_decide(mind->realm,
                 &(struct decision){.question = question->id,
                                    .verdict = is_request ? VERDICT_DENY : VERDICT_REFUSE,
                                    .reason = is_request ? WAMP_AUTHORIZATION_FAILED
                                                         : WAMP_AUTHENTICATION_FAILED});
}

static void ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;

    open_handles(mind);
    if (mind->policy == NULL || (question->ask == ASK_AUTHORIZE && !mind->policy->has_authorize))
        refuse_all(mind, question);
    else if (question->ask == ASK_AUTHORIZE)
        mind_hear(mind, SUBJECT_REQUEST, HOOK_AUTHORIZE, question, NULL);
    else
        login_ask(mind, question);
}

static void unask(void *ctx, uint64_t question)
{
    struct mind *mind = ctx;
    struct hearing *hearing = map_remove(&mind->hearing_questions, question, 0);
    struct login *login = map_get(&mind->login_questions, question, 0);

    if (hearing != NULL)
        dismiss(hearing);
    if (login != NULL)
        login_forget(login);
}

const struct decider policy_decider = {
    .open = open_mind, .stop = stop_mind, .close = close_mind, .ask = ask, .unask = unask};
