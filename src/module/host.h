/* host.h -- what the functions of the module `nexus` find around them.
 *
 * Each state of Lua that runs a policy has one. It names what outlives the state:
 * clocks, stores, what the configuration says. Functions of the module know this
 * room and those below it; what needs a core or a router is in the room policy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_HOST_H
#define NEXUS_MODULE_HOST_H

#include "base/slice.h"

#include <lua.h>

struct kv_space;
struct policy_budgets;
struct limiters;
struct metrics_scope;
struct router_state;
struct state;
struct uv_loop_s;
struct host;
struct http_question;
struct http_reply;

struct secret {
    const char *name;
    struct slice value;
};

/* What the configuration says to the policy of a realm. It outlives all its states. */
struct host_config {
    struct slice settings;        /* MessagePack dict, for nexus.config; len 0: empty */
    const struct secret *secrets; /* secret_count of them, for nexus.secret */
    size_t secret_count;
    const char
        *settings_file; /* Lua or JSON, read with the policy: `require "settings.file"`; or NULL */
    const char *data_folder; /* where files of stores and databases are; NULL: nowhere */
    const char *const
        *http_hosts; /* "host", "host:port", "*.example.com"; NULL-terminated, or NULL */
    const char *const
        *other_realms; /* patterns of names, for nexus.realm_named; NULL-terminated, or NULL */
    const char *http_ca_file; /* certificates of those who vouch for servers; NULL: the system's */
    const char *const *c_modules;          /* that may be required; NULL-terminated, or NULL */
    size_t memory;                         /* bytes of a state of Lua; 0: the default */
    const struct policy_budgets *budgets;  /* what calls may take; NULL: the defaults */
    uint64_t kv_max_entries, kv_max_bytes; /* of all stores of the realm; 0: the defaults */
    struct router_state *router_state;     /* what all realms share; NULL: nothing */
    bool is_router;                        /* the router's own policy, which opens realms */
    bool is_unknown; /* there is none: only what the policy itself says is checked */

    /* For tests: host.http_answer of all states. */
    bool (*http_answer)(lua_State *lua, const struct host *host,
                        const struct http_question *question, struct http_reply *reply);
};

/* A request of nexus.http, and what somebody else than the network says to it. */
struct http_question {
    struct slice method, url, body;
    const struct slice *headers; /* name, value, ... */
    size_t header_count;         /* pairs */
};

struct http_reply {
    const char *trouble; /* it fails with these words; else NULL */
    int status;
    const struct slice *headers;
    size_t header_count;
    struct slice body;
};

struct host_run {
    const char *hook; /* NULL: none */
    uint64_t session; /* on whose behalf; 0: nobody's */
};

struct host {
    const char *realm;
    const char *version;    /* of the policy: hexadecimal digits */
    struct uv_loop_s *loop; /* of the thread that it runs on; NULL: it is only being checked */
    bool is_loading;        /* the policy is being run to get its table: nothing may act */
    const struct host_config *config; /* never NULL */

    /* Milliseconds: of a monotonic clock, and since 1970 (UTC). In tests they are the test's. */
    uint64_t (*now)(const struct host *host);
    uint64_t (*wall)(const struct host *host);
    void *clock; /* theirs */

    void (*random)(const struct host *host, void *out, size_t len); /* for keys */

    /* What runs, for logs. May be NULL. */
    struct host_run (*run)(lua_State *lua);

    /* Words for what changes something, where what runs only reads; NULL: it may. May be NULL. */
    const char *(*forbids)(lua_State *lua);

    /* What outlives the state; borrowed. NULL while a policy is only being checked: it may open
     * stores then, and find nothing in them. */
    struct kv_space *kv, *router_kv;
    struct limiters *limiters;
    struct metrics_scope *metrics;

    /* For tests: true when it has filled in the reply, which is copied at once. NULL: nobody does. */
    bool (*http_answer)(lua_State *lua, const struct host *host,
                        const struct http_question *question, struct http_reply *reply);

    /* Of this room: what is under way and what stays open. host_fini gives it back. */
    struct tally *work;
    struct database *databases;
    struct web *web;
};

/* The C modules that may be required where the configuration does not say; NULL-terminated. */
#define HOST_C_MODULE "cjson"
extern const char *const host_c_modules[];

/* A host of nobody, with the clocks of the machine and an empty configuration. */
void host_init(struct host *host);

/* Gives it the state of its realm, and what the configuration says that all realms share. */
void host_set_state(struct host *host, const struct state *state);

/* The same clocks in seconds, as fine as they are. */
double host_monotonic(const struct host *host);
double host_time(const struct host *host);

/* The loop will not run much longer, and no Lua any more; the state may still be there. What is
 * under way must have been dropped. What runs on threads ends on the loop, which must be run until
 * then. */
void host_stop(struct host *host);

/* After its state of Lua is gone. Ends what can be ended; what runs on other threads ends on the loop when
 * it is done, and needs the host no more. */
void host_fini(struct host *host);

/* Puts *** in the place of every secret of 6 octets or more, and of the beginning of one at the end
 * of the text, where it may have been cut. */
void host_mask(const struct host *host, char *text);

/* The host of a state; borrowed as long as that lives. */
void l_host_set(lua_State *lua, struct host *host);
struct host *host_of(lua_State *lua);

/* True when there is no folder for files, and there will be none. */
bool host_lacks_folder(const struct host *host);

/* Raises `not while loading; use policy.on_load` while the policy is being loaded. */
struct host *l_host_acts(lua_State *lua);

/* The same, and raises where what runs only reads. For what changes anything outside of the state. */
struct host *l_host_changes(lua_State *lua);

/* The same, and raises where nothing can wait. */
struct host *l_host_waits(lua_State *lua);

#endif
