/* mind.h -- what decides for one realm: its policy, and what that is busy with.
 *
 * A hearing is a question of the core, put to one function of the policy or to several, one
 * after the other. A login is a session on its way in, which asks several questions. It all
 * happens on the thread of the realm's home.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MIND_H
#define NEXUS_POLICY_MIND_H

#include "base/map.h"
#include "core/look.h"
#include "policy/complaints.h"
#include "policy/counts.h"
#include "policy/derive.h"
#include "policy/fiber.h"
#include "policy/reads.h"
#include "policy/service.h"

#define ADMIN_COUNT 8

struct admin_procedure {
    struct service_request request; /* REGISTER */
    uint64_t id;                    /* of the registration; 0: not there */
};

struct admin {
    struct admin_procedure of[ADMIN_COUNT];
};

struct login;
struct service;
struct reloads;

/* What a function is asked, and with what in hand. Those of requests come one after the other, as far
 * as they are needed. */
enum subject {
    SUBJECT_REQUEST,   /* policy.authorize */
    SUBJECT_INTERCEPT, /* policy.intercept.publish, ... */
    SUBJECT_FILTER,    /* policy.filter */
    SUBJECT_LOOKUP,
    SUBJECT_CHALLENGE,
    SUBJECT_VERIFY,
    SUBJECT_ADMIT,
};

enum said {
    SAID_NOTHING, /* nil, or nothing at all */
    SAID_YES,
    SAID_NO,
    SAID_DICT, /* a record, or Extra of a challenge */
};

struct hearing {
    struct fiber fiber;
    struct list of_mind; /* mind->hearings */
    struct list link;    /* mind->idle, or none */
    struct mind *mind;
    uint32_t generation; /* of the views that were handed out */
    enum subject subject;
    size_t hook;
    const struct question *question; /* NULL: of no interest any more */
    struct login *login;             /* of a login, else NULL */
    unsigned needs;                  /* what is still to be asked */

    enum said said;
    struct grant grant;
    struct arena arena; /* of the answer */
    const char *uri, *words;
    struct slice dict; /* MessagePack */
    struct slice deny_kwargs;
    bool closes;
    uint32_t keep_ms;
    const struct slice *names; /* what policy.authorize has read; NULL: it is not to be kept */
    size_t name_count;
    const struct audience *allowed;  /* held: of nexus.allow, the grant points to it */
    const struct audience *filtered; /* held: what policy.filter said */
    struct reads reads;              /* of policy.authorize, or of a predicate */
};

struct mind {
    struct realm *realm;
    struct fibers fibers;
    struct version *current;      /* held; NULL: it could not be loaded again, all answers are no */
    struct list versions;         /* the current one, and those with fibers left */
    struct list hearings;         /* owned: all that were ever made, as views point to them */
    struct list idle;             /* some of them */
    struct map hearing_questions; /* question -> hearing */
    struct map logins;            /* session -> login, owned */
    struct map login_questions;   /* question -> login */
    struct list challenged;       /* logins that have to answer, the oldest first */
    struct service *service;      /* owned; NULL: not begun */
    struct list others;           /* owned: struct other, sessions in other realms */
    struct derive_desk *derive_desk; /* owned; NULL: no key was derived yet */
    struct guard *guard;             /* owned */
    struct list endpoints;           /* owned: struct endpoint */
    struct map open[2];              /* id -> endpoint that is OPEN: registrations, subscriptions */
    uint64_t last_endpoint;
    size_t endpoint_count;
    struct list invocations,
        deliveries; /* owned: all that were ever made, as views point to them */
    struct list idle_invocations, idle_deliveries;
    struct map leaving; /* serial -> struct leaving, of a fiber */
    uint64_t last_leaving;
    struct map rooms; /* ticket -> a progressive result that waits for room */
    uint64_t last_room;
    struct map invoked;      /* request -> struct invocation that is not over */
    struct cookies *cookies; /* owned */
    struct auth_settings settings;
    struct auth_looks looks; /* of records that the policy has given; settings point at it */
    struct rng rng;
    const struct policy_use *use; /* borrowed */
    struct state *state;          /* owned */
    struct reloads *reloads;      /* owned */
    struct admin admin;
    struct counts counts;
    bool is_stopped;

    struct complaints complaints;
};

/* ---- what is asked and said: hearing.c ---- */

/* Puts a question to a function of a version; it may be over when this returns. */
void mind_hear(struct mind *mind, struct version *version, enum subject subject, size_t hook,
               const struct question *question, struct login *login);

/* The same for a question about what a session does, with all the functions that have a say. */
void mind_judge(struct mind *mind, const struct question *question);

/* Nobody waits for it any more; what its question pointed to is gone. */
void mind_dismiss(struct hearing *hearing);

void hearings_free(struct mind *mind);

/* ---- mind.c ---- */

/* Logs what went wrong in a hook of a version (NULL: none), the same words once a minute; returns the incident's number, see
 * complaints.h. */
const char *mind_complain(struct mind *mind, const struct version *version, const char *hook,
                          const char *message, const char *trace);

/* A fiber is over: counts it, and complains of what went wrong. */
void mind_count(struct mind *mind, const struct fiber *fiber, enum fiber_end end,
                const struct door_answer *answer);

/* What runs in the mind's realm from now on; the mind holds it. */
struct version *mind_version(struct mind *mind, struct policy *policy);

/* ---- lifecycle.c ---- */

/* A session that has left, as long as policy.on_leave runs for it. */
struct leaving {
    struct left *left; /* owned */
    uint64_t serial;
};

void lifecycle_joined(struct mind *mind, uint64_t session);
void lifecycle_left(struct mind *mind, const struct left *left);

/* The current version has taken over from the previous one (NULL: it is the first). */
void lifecycle_loaded(struct mind *mind, struct version *previous);
void lifecycle_unloaded(struct mind *mind, struct version *from);

/* ---- logins: login.c ---- */

void login_ask(struct mind *mind, const struct question *question);

/* Its question was taken back. */
void login_forget(struct login *login);
void login_forget_all(struct mind *mind);

/* A hearing has ended; is_sound false: with an error, which was logged. The hearing is still
 * valid for the time of the call. */
void login_heard(struct login *login, const struct hearing *hearing, bool is_sound);

/* Of the session that it will be: what core_look tells of one that is open. */
void login_look(const struct login *login, struct look *look);

/* What is known by the cookie of the connection (MessagePack dict); len 0: nothing. */
struct slice login_identity(const struct login *login);

/* A session has ended. */
void login_left(struct mind *mind, uint64_t session, const char *reason);

/* The name on the wire of the method that is tried. */
struct slice login_method(const struct login *login);

/* ---- views: views.c ---- */

void l_views_open(lua_State *lua);
void l_views_push_request(lua_State *lua, struct hearing *hearing);
void l_views_push_message(lua_State *lua, struct hearing *hearing);
void l_views_push_event(lua_State *lua, struct hearing *hearing);
void l_views_push_hello(lua_State *lua, struct hearing *hearing);

/* Who published an event that was kept, as it was then. */
void l_views_push_publisher(lua_State *lua, struct hearing *hearing);

/* Of a session that is open, and of the one that a login will be. */
void l_views_push_session(lua_State *lua, const struct mind *mind, uint64_t session);
void l_views_push_left(lua_State *lua, const struct mind *mind, const struct leaving *leaving);
void l_views_push_admitted(lua_State *lua, struct hearing *hearing);

#endif
