/* world.h -- a few realms, their peers, and what each peer may expect of a router.
 *
 * The world does what the router does around its cores, without threads and
 * sockets and with time that it sets itself: a peer without a session is in the
 * lobby, its HELLO goes to a realm, actions are carried out in order. It plays no
 * part in what peers say; that is talk.h.
 *
 * After every step it CHECKs: core_check(); that whatever the core sends is a
 * message that a router may send, to somebody who can take it, at that time; that
 * each request is answered once and at once; that only what is held is heard of;
 * that invocation ids count up and only chunks repeat one; that nobody is
 * interrupted twice, or without being able to; that features come to those who
 * announced them; that as many subscribers were considered for an event as hold a
 * matching subscription; that events of the router tell what has changed, all of it
 * and nothing else (census.h); that meta procedures do what they answer (asks.c);
 * and that the gauges are what the peers would count.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_WORLD_H
#define NEXUS_SPEC_WORLD_H

#include "base/map.h"
#include "census.h"
#include "choice.h"
#include "core/core.h"
#include "lists.h"

#define MAX_REALMS 4

/* POLITE peers keep to the protocol: they are never thrown out of a session. CHAOTIC ones send
 * messages that can be read, RUDE ones anything. */
enum manners { POLITE, CHAOTIC, RUDE };

enum place {
    AWAY,      /* no connection */
    IN_LOBBY,  /* no session */
    IN_REALM,  /* a session */
    SHUT_DOWN, /* told GOODBYE by the router, which waits for the answer */
};

/* A request that the step at hand must answer. */
struct open_request {
    enum msg_type type; /* MSG_NONE: none is open */
    uint64_t request;
    uint64_t target; /* UNSUBSCRIBE, UNREGISTER: what is to go */
    enum match match;
    struct slice uri;  /* of the message; valid during the step */
    struct slice nkey; /* the same */
    bool is_forced;    /* REGISTER: may take the procedure from those who have it */
    bool get_retained; /* SUBSCRIBE */
};

/* A meta procedure that the step at hand calls. */
struct asked {
    struct slice procedure; /* without "wamp."; len 0: none is called */
    struct peer *caller;
    uint64_t request;
    unsigned scope; /* of testaments: place in peer->testaments */
    bool is_done;   /* it was answered with a RESULT */
    bool is_answer; /* the first result is to be `answer` */
    uint64_t answer;
    /* remove_callee, remove_subscriber: of whom */
    enum holding holding;
    uint64_t session, id;
};

struct peer {
    uint64_t id; /* new with every connection */
    enum place place;
    enum manners manners;
    struct transport transport;
    unsigned realm;    /* where it is, or was last */
    bool has_features; /* it announced everything there is to announce */
    unsigned roles;    /* bit set of enum role: those it announced */
    uint64_t session;
    char authid[32];
    unsigned testaments[2]; /* that wait for its end: detached, destroyed */
    uint64_t old_session;   /* the one before; SHUT_DOWN: the one that ends */
    uint64_t next_request, last_invocation;
    uint64_t watermark; /* the last request that was new */
    struct held_list subscriptions, registrations;
    struct numbers calls;       /* that it waits for */
    struct streams streams;     /* those whose input comes in chunks, and some that are over */
    struct numbers invocations; /* that it may answer; some are over */
    struct numbers killed;      /* those among them that were interrupted in mode kill */
    struct open_request question;
    uint64_t streaming;     /* INVOCATION of the step at hand that says more input follows; or 0 */
    bool is_given_retained; /* the step at hand brings it retained events */
};

/* What one realm is, by what its peers were told. */
struct realm {
    struct core *core;         /* owned */
    uint64_t last_id;          /* of subscriptions and registrations */
    uint64_t count[2];         /* by enum holding */
    uint64_t publications[4];  /* ids of the last */
    uint64_t losses_at;        /* when the realm is told of dropped events; 0: there are none */
    struct losses_list losses; /* those events */
};

struct world {
    struct realm realms[MAX_REALMS];
    unsigned realm_count;
    struct peer *peers; /* owned */
    unsigned peer_count;
    struct map by_id;    /* connection -> peer, borrowed */
    struct map sessions; /* ids that are taken, in any realm */
    bool strict_uris, ppt_compat;
    struct core_options options; /* of all realms */
    uint64_t last_id, now, wall;
    uint64_t seed; /* state of the cores' random numbers */
    struct arena arena;
    struct outbox out;
    struct numbers closed; /* connections that the step at hand has closed */
    bool is_chunk;         /* the step at hand is more input for a call */
    bool is_progress;      /* the step at hand is a YIELD that is not the last */
    bool is_quiet;         /* sessions end all at once in this step: no meta events */
    uint64_t testaments;   /* to be published in this step */
    struct asked asked;
    struct census census;
    uint64_t publications[8];         /* some ids that were given out */
    uint64_t steps, tidings, answers; /* so far; events of the router heard, meta calls done */
};

/* Some knobs of the realms are chosen. All peers are away. */
void world_init(struct world *world, unsigned realm_count, unsigned peer_count, struct choices *c);

/* Everybody vanishes; nothing may be left. */
void world_fini(struct world *world);

/* A new connection of a peer that was away. */
void world_open(struct world *world, struct peer *peer, enum codec codec, uint32_t send_max);

/* The peer's connection is lost. */
void world_close(struct world *world, struct peer *peer);

/* One message of a peer, whatever it is. */
void world_say(struct world *world, struct peer *peer, struct slice bytes);

/* An INVOCATION that was sent to the peer does not fit into its queue. */
void world_unsent(struct world *world, struct peer *peer, uint64_t invocation);

/* So many events did not fit into the peer's queue. */
void world_drop(struct world *world, struct peer *peer, unsigned count);

/* Time goes by; deadlines that come due are served at their instant. */
void world_pass(struct world *world, uint64_t ms);

void world_close_realm(struct world *world, unsigned realm, const char *reason);

/* The peer with that session in that realm, or NULL. */
struct peer *world_find(const struct world *world, unsigned realm, uint64_t session);

/* Whether only the router may use that URI. */
bool world_reserves(const struct world *world, struct slice uri);

/* The name of a realm of this world. */
const char *world_realm(unsigned realm);

#endif
