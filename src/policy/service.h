/* service.h -- the session of a policy in its own realm, and those in others.
 *
 * They belong to the realm and not to a version of the policy: what the own one has registered and
 * subscribed to stays when another version takes over. They send and receive messages like any
 * client, but what they may do is not asked.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_SERVICE_H
#define NEXUS_POLICY_SERVICE_H

#include "base/map.h"
#include "policy/policy_priv.h"
#include "script/values.h"
#include "wire/msg.h"

struct mind;

/* A request that is out. */
struct service_request {
    uint64_t id;
    /* The answer: RESULT, ERROR, PUBLISHED, ...; NULL: there will be none, as the session is over.
     * It is forgotten by then, but for progressive RESULTs. */
    void (*answer)(struct service_request *request, const struct msg *msg);
};

struct service {
    struct mind *mind;
    const char *other; /* borrowed: the name of the other realm that it is in; NULL: its own */
    struct local_peer *peer; /* NULL: it is closed */
    uint64_t session;        /* 0: not joined yet */
    bool is_over;            /* it was, or could not be begun; only service_close is left */
    uint64_t last_request;
    struct map requests; /* id -> struct service_request, borrowed */
    struct arena scratch;
};

/* Joins its own realm, and handlers_join is called when that is done; or another one. */
struct service *service_open(struct mind *mind, const char *other);
void service_close(struct service *service);

/* Begins a message of the session: a list with the type and, for requests, the next id (*id; NULL:
 * it is none). It is ended by l_service_end; an error in between is fine. */
struct encoder *l_service_begin(lua_State *lua, struct service *service, enum msg_type type,
                                uint64_t *id);

/* Ends it; the blob goes to service_send_blob. Raises where no client could send it. */
struct blob *l_service_end(lua_State *lua);

/* The same for a message that is made without Lua; its reference moves. */
void service_send_blob(struct service *service, struct blob *blob);

/* Answers an invocation, or sends a progressive result; borrowed until it returns. */
void service_yield(struct service *service, uint64_t invocation, const struct payload *payload,
                   bool is_progress);

/* CANCEL of a CALL that nobody waits for any more. */
void service_cancel(struct service *service, uint64_t request);

/* Waits for the answer to the request with this id. */
void service_expect(struct service *service, struct service_request *request, uint64_t id);
void service_forget(struct service *service, struct service_request *request);

#endif
