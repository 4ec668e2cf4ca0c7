/* mind.c -- see mind.h: the turns of hearings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/mind.h"

#include "base/log.h"
#include "base/mem.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdio.h>

#define NS_PER_MS   UINT64_C(1000000)
#define MAX_SLEEP_S 86400
#define SILENCE_MS  60000 /* between two lines with the same words */

static const char over_words[] = "nobody waits for the answer any more";

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
            mind_complain(mind, hearing_hook(hearing), answer->message, answer->trace);
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
    struct door_call call = {.push = hearing_push,
                             .take = hearing_hear,
                             .ctx = hearing,
                             .budget = hearing_budget(hearing->subject)};

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

void mind_dismiss(struct hearing *hearing)
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
