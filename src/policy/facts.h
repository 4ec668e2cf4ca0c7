/* facts.h -- parts of messages and connections as values of Lua.
 *
 * Private to the room. All functions push one value, and may raise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_FACTS_H
#define NEXUS_POLICY_FACTS_H

#include "core/look.h"
#include "script/values.h"
#include "wire/msg.h"

/* The value under a key of an encoded dict (the last one of that name), or nil. */
void l_facts_push_entry(lua_State *lua, enum codec codec, struct slice dict, struct slice key,
                        const char *path);

/* What handlers want of the Details of an INVOCATION, read in one walk. */
struct facts {
    uint64_t caller;
    struct slice
        procedure; /* borrowed from the message, which is MessagePack; len 0: as registered */
    bool receive_progress, progress;
    bool is_sealed; /* nobody but the ends can read the arguments */
};

struct facts facts_read(const struct msg *msg);

/* True when Options or Details say `key` = true. */
bool facts_has_true(const struct msg *msg, struct slice key);

/* The number under a key of them, or 0. */
uint64_t facts_number(const struct msg *msg, struct slice key);

/* The text under a key of them, or nothing; of messages in MessagePack, where it is as it stands. */
struct slice facts_text(const struct msg *msg, struct slice key);

/* Options or Details. */
void l_facts_push_dict(lua_State *lua, const struct msg *msg, const char *path);

/* Arguments or ArgumentsKw: empty if there are none, nil where only the ends can read them; and of
 * a message that is known not to be sealed. */
void l_facts_push_payload(lua_State *lua, const struct msg *msg, bool is_args);
void l_facts_push_open_payload(lua_State *lua, const struct payload *payload, bool is_args);

/* An empty list or dict. */
void l_facts_push_empty(lua_State *lua, enum values_shape shape);

/* How a client is connected: of one that says HELLO, and of a session. */
void l_facts_push_transport(lua_State *lua, const struct transport *transport);
void l_facts_push_session_transport(lua_State *lua, const struct look *look);

#endif
