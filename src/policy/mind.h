/* mind.h -- what decides for one realm: its policy, and what that is busy with.
 *
 * A hearing is one call of a function of the policy on behalf of one question. It
 * is made ready, runs when no other run of the state is in the middle of a slice,
 * may wait, and ends with what was said. It all happens on the thread of the
 * realm's home.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MIND_H
#define NEXUS_POLICY_MIND_H

#include "base/deadlines.h"
#include "base/list.h"
#include "base/map.h"
#include "core/look.h"
#include "policy/policy_priv.h"

#include <uv.h>

struct login;

/* What a function is asked, and with what in hand. */
enum subject { SUBJECT_REQUEST, SUBJECT_LOOKUP, SUBJECT_CHALLENGE, SUBJECT_VERIFY, SUBJECT_ADMIT };

enum said {
    SAID_NOTHING, /* nil, or nothing at all */
    SAID_YES,
    SAID_NO,
    SAID_DICT, /* a record, or Extra of a challenge */
};

struct alarm {
    struct deadline deadline;
    bool is_login; /* it is that of a login, else of a hearing */
};

struct hearing {
    struct list of_mind; /* mind->hearings */
    struct list link;    /* mind->idle, ->ready, or none: it waits or is sliced */
    struct mind *mind;
    uint32_t generation; /* of the views that were handed out */
    enum subject subject;
    size_t hook;
    const struct question *question; /* NULL: of no interest any more */
    struct login *login;             /* all but SUBJECT_REQUEST */

    struct door_run *run; /* waiting or sliced */
    struct alarm alarm;
    uint64_t ends_at;  /* ms; the wall budget */
    uint64_t sleep_ms; /* what it waits for */

    enum said said;
    struct grant grant;
    struct arena arena; /* of the answer */
    const char *uri, *words;
    struct slice dict; /* MessagePack */
};

struct mind {
    struct realm *realm;
    struct policy *policy;   /* owned; NULL: it could not be loaded again, all answers are no */
    struct list hearings;    /* owned: all that were ever made, as views point to them */
    struct list idle, ready; /* some of them */
    struct hearing *sliced;  /* it goes first */
    bool is_running;         /* a hearing is being stepped */
    struct map hearing_questions; /* question -> hearing */
    struct map logins;            /* session -> login, owned */
    struct map login_questions;   /* question -> login */
    uint64_t login_serial;
    unsigned jobs; /* keys that are being derived */
    struct auth_settings settings;
    struct rng rng;

    bool has_handles, is_stopped;
    uv_timer_t timer;
    uv_idle_t turn;
    struct deadlines alarms;

    struct {
        char message[160];
        uint64_t at;
        unsigned more;
    } errors[16]; /* said lately */
    unsigned last_error;
};

/* ---- what is asked and said: hearing.c ---- */

struct door_budget hearing_budget(enum subject subject);
const char *hearing_hook(const struct hearing *hearing);

/* For the door: pushes function and arguments; reads what was returned into the hearing. */
void hearing_push(lua_State *lua, void *ctx);
void hearing_hear(lua_State *lua, int count, void *ctx);

/* ---- turns: mind.c ---- */

/* Makes one ready; it may be over when this returns. */
void mind_hear(struct mind *mind, enum subject subject, size_t hook,
               const struct question *question, struct login *login);

/* Nobody waits for it any more; what its question pointed to is gone. */
void mind_dismiss(struct hearing *hearing);

/* Logs what went wrong in a hook, the same words once a minute. */
void mind_complain(struct mind *mind, const char *hook, const char *message, const char *trace);

uint64_t mind_now(void);
void mind_set_alarm(struct mind *mind, struct alarm *alarm, uint64_t at);
void mind_clear_alarm(struct mind *mind, struct alarm *alarm);

/* nexus.sleep, nexus.breathe. */
int l_mind_sleep(lua_State *lua);
int l_mind_breathe(lua_State *lua);

/* ---- logins: login.c ---- */

void login_ask(struct mind *mind, const struct question *question);

/* Its question was taken back. */
void login_forget(struct login *login);
void login_forget_all(struct mind *mind);
void login_on_alarm(struct alarm *alarm);

/* A hearing has ended; is_sound false: with an error, which was logged. The hearing is still
 * valid for the time of the call. */
void login_heard(struct login *login, const struct hearing *hearing, bool is_sound);

/* Of the session that it will be: what core_look tells of one that is open. */
void login_look(const struct login *login, struct look *look);

/* The name on the wire of the method that is tried. */
struct slice login_method(const struct login *login);

/* ---- views: views.c ---- */

void l_views_open(lua_State *lua);
void l_views_push_request(lua_State *lua, struct hearing *hearing);
void l_views_push_hello(lua_State *lua, struct hearing *hearing);
void l_views_push_session(lua_State *lua, struct hearing *hearing);

#endif
