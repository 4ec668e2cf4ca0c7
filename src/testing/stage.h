/* stage.h -- what the files of this room share. Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_TESTING_STAGE_H
#define NEXUS_TESTING_STAGE_H

#include "base/arena.h"
#include "base/list.h"
#include "policy/policy.h"

#include <lua.h>

/* A virtual router with one realm and its policy. */
struct stage {
    struct router *router; /* owned; NULL: closed */
    struct policy *policy; /* owned; NULL: everybody may do everything */
    struct realm *realm;   /* borrowed from the router */
    struct policy_use use;
    size_t other_count; /* of use.config.other_realms that are realms of the router */
    struct arena arena; /* of the config */
    char folder[256];   /* of data; "": there is none */
    char wrong[300];    /* why it could not be made */
    struct list actors;
    uint64_t first_line; /* of the log */
    uint32_t patience_ms;
    void *mind;                 /* the policy's, of the realm */
    struct router_state *state; /* owned */
    lua_State *lua;             /* who runs the router; NULL: nobody does */
    bool answers_http;
    struct arena web; /* of the answer at hand */
};

static inline struct stage *stage_of_config(const struct host_config *config)
{
    return (struct stage *)((uintptr_t)config - offsetof(struct stage, use.config));
}

/* The open stage at the index; raises for others. */
struct stage *l_stage_check(lua_State *lua, int index);

/* The same, when its router is not at work: what router:answer_http calls is in the middle of it. */
struct stage *l_stage_rest(lua_State *lua, int index);
void l_stage_expect_rest(lua_State *lua, const struct stage *stage);
void l_stage_open(lua_State *lua);
int l_stage_new(lua_State *lua);

/* One for a policy that was loaded; it has data of its own, and the policy another state. The name is a
 * literal. NULL when something is wrong with it, and that was said. */
struct stage *stage_of_policy(const struct policy *policy, const char *realm, policy_say_fn *say,
                              void *ctx);

/* Closes it, and what points to it must be gone. */
void stage_free(struct stage *stage);

/* Pushes a stage that others own, and that lives longer than the state of Lua. */
void l_stage_lend(lua_State *lua, struct stage *stage);

/* actor.c: stage:open{...} */
void l_actors_open(lua_State *lua);
int l_actor_new(lua_State *lua);

/* Takes the peers of a stage that ends away from their actors. */
void actors_close(struct stage *stage);

/* data.c: stage:kv(name), stage:sqlite(file) */
void l_data_open(lua_State *lua);
int l_store_new(lua_State *lua);
int l_database_new(lua_State *lua);

/* web.c: stage:on_http(fn), and host_config.http_answer */
int l_web_set(lua_State *lua);
void l_web_forget(lua_State *lua, struct stage *stage);
bool web_answer(lua_State *asker, const struct host *host, const struct http_question *question,
                struct http_reply *reply);

/* judge.c */
int l_judge_allows(lua_State *lua);
int l_judge_explain(lua_State *lua);

/* lines.c: the log */
uint64_t lines_count(void);
int l_lines_capture(lua_State *lua);
void l_lines_push(lua_State *lua, uint64_t first);

/* certificate.c: a certificate for `subject`, by `issuer`, as DER in the arena */
struct slice certificate_make(struct arena *arena, struct slice subject, struct slice issuer);

/* proof.c */
int l_proof_cra(lua_State *lua);
int l_proof_sign(lua_State *lua);
int l_proof_public_key(lua_State *lua);
int l_proof_scram(lua_State *lua);
int l_proof_random(lua_State *lua);

#endif
