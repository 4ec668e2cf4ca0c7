/* prompt.h -- nexus.policy.eval: a text of Lua in the state of the policy that runs.
 *
 * For those alone who came in by an address for administrators. Unless they say that it is to act,
 * what changes something outside of the state raises.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_PROMPT_H
#define NEXUS_POLICY_PROMPT_H

#include "policy/mind.h"

/* Answers the INVOCATION, now or later, by these functions of its caller's. */
struct prompt_answer {
    void (*done)(struct mind *mind, uint64_t invocation, const char *outcome, struct slice output);
    void (*refused)(struct mind *mind, uint64_t invocation, const char *uri, const char *words);
};

void prompt_eval(struct mind *mind, const struct msg *msg, const struct prompt_answer *answer);

/* Words for what would change something, in a text that only reads; NULL: it may. */
const char *prompt_forbids(lua_State *lua);

#endif
