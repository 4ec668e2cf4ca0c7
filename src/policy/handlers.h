/* handlers.h -- procedures, subscriptions and tasks of a policy, and what becomes of them.
 *
 * What a policy declares is a struct handler. What the realm knows of it, a registration or a
 * subscription of the service session, is a struct endpoint: it has an id, and a handler that may
 * be of another version the next time.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_HANDLERS_H
#define NEXUS_POLICY_HANDLERS_H

#include "policy/mind.h"
#include "policy/service.h"

#define DEFAULT_CONCURRENCY 64
#define MAX_CONCURRENCY     10000
#define MAX_WAITING_CALLS   10000                      /* of one procedure */
#define MAX_WAITING_EVENTS  1000                       /* of one subscription */
#define MAX_WAITING_LEN     ((size_t)64 * 1024 * 1024) /* octets of them, of one endpoint */
#define MAX_ENDPOINTS       10000                      /* of a realm */

enum endpoint_state { ENDPOINT_ASKED, ENDPOINT_OPEN, ENDPOINT_ENDING };

/* What a handler that was made at run time needs: counted, as calls go on when the endpoint is gone.
 * All who hold it hold the version, too. */
struct texts {
    unsigned refs;
    struct vm *vm;
    int ref; /* to the function; LUA_NOREF: none yet */
    struct arena arena;
};

/* NULL is fine: of handlers that the policy declares. */
struct texts *texts_hold(struct texts *texts);
void texts_drop(struct texts *texts);

/* A registration or subscription of the service session. */
struct endpoint {
    struct service_request request; /* REGISTER, SUBSCRIBE, or their opposites */
    struct list link;               /* mind->endpoints */
    struct mind *mind;
    enum endpoint_state state;
    bool is_topic;    /* a subscription; else a registration */
    bool is_kept;     /* declared by the policy; else made at run time, and ends with its version */
    uint64_t id;      /* OPEN: of the registration or subscription */
    struct slice uri; /* owned */
    enum match match;
    struct blob *options;    /* counted; what it was registered or subscribed with */
    struct texts *texts;     /* held; of a handler at run time, else NULL */
    struct handler handler;  /* its other texts are the version's */
    struct version *version; /* whose handler it is; held */
    struct list waiting;     /* struct invocation or struct delivery: not begun */
    struct list busy;        /* the same: they run */
    struct endpoint *same;   /* another one with the same id */
    bool is_unwanted;        /* to end as soon as it is open */
    unsigned waiting_count, running;
    size_t waiting_len;      /* octets of what waits */
    struct opening *opening; /* who waits for the answer, at run time; or NULL */
    uint64_t serial;         /* for objects of Lua */
};

/* The service session is there: all that the current version declares is registered and subscribed
 * to, and its tasks begin. */
void handlers_join(struct mind *mind);

/* Another version takes over: what both declare goes on under its id, and so on. */
void handlers_swap(struct mind *mind, struct version *from);

/* True when a procedure that the policy declares, and that is not ours yet, is taken by a client; its
 * name in *uri. */
bool handlers_conflict(struct mind *mind, const struct policy *policy, struct slice *uri);

/* UNREGISTERED or UNSUBSCRIBED that we did not ask for. */
void handlers_revoked(struct mind *mind, const struct msg *msg);

/* The realm ends: everything is given back. */
void handlers_free(struct mind *mind);

/* nexus.realm:register and :subscribe, of (self, pattern, function, options?). Waits. */
int l_handlers_open(lua_State *lua, bool is_topic);

/* Reads these arguments: the function, by reference, and the texts go to `texts`, also when it raises. */
void l_handler_read(lua_State *lua, struct texts *texts, struct handler *handler, bool is_topic);

/* What endpoints at run time return: { remove = }. */
extern const struct module_table policy_endpoints;

/* ---- procedures.c, call_view.c ---- */

void procedures_invoke(struct mind *mind, const struct msg *msg);
void procedures_room(struct mind *mind, uint64_t ticket, bool has_room);
void procedures_interrupt(struct mind *mind, const struct msg *msg);
void procedures_free(struct mind *mind);
extern const struct module_table policy_calls;

/* An endpoint ends: what waits for it is answered; what runs goes on without it. */
void procedures_drop_waiting(struct endpoint *endpoint);
void procedures_detach(struct endpoint *endpoint);

/* ---- topics.c ---- */

void topics_receive(struct mind *mind, const struct msg *msg);
void topics_free(struct mind *mind);
void topics_drop_waiting(struct endpoint *endpoint);
void topics_detach(struct endpoint *endpoint);
extern const struct module_table policy_events;

/* ---- tasks.c ---- */

void tasks_start(struct version *version);
void tasks_stop(struct version *version);

#endif
