/* router_priv.h -- what a router is made of. Never leaves this room.
 *
 * Who may touch what: a worker's fields belong to its thread, except its mailbox
 * and its snapshot, which have a lock each. A realm's core belongs to the thread
 * of its home; everything else in a realm never changes after it was made. The
 * table of realms and the set of session ids have a lock each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_ROUTER_ROUTER_PRIV_H
#define NEXUS_ROUTER_ROUTER_PRIV_H

#include "base/arena.h"
#include "base/deadlines.h"
#include "base/list.h"
#include "base/map.h"
#include "core/lobby.h"
#include "router/router.h"

#include <pthread.h>
#include <stdatomic.h>

/* Ids of local peers have the number of their worker, and this bit above it. */
#define LOCAL_WORKER 128

/* What a connection may have on the way to another worker before it is not read any more. */
#define MAX_MAIL_MESSAGES 256
#define MAX_MAIL_BYTES    (4U << 20)

/* What may wait in a mailbox before events for that worker's connections are dropped. */
#define MAX_MAILBOX_ITEMS 200000

/* Realms that are being asked for at one time, and HELLOs that wait for them. */
#define MAX_OPENINGS      1000
#define MAX_AWAITING      10000
#define MAX_AWAITING_SIZE 65536 /* octets of such a HELLO */

/* What the clock of a virtual router shows first. */
#define VIRTUAL_START 1000

struct worker;

/* Questions that are still to be handed over, from `next` on; 0: taken back. */
struct asks {
    uint64_t *of; /* owned array */
    size_t next, count, cap;
    bool is_running;
};

/* Who has come and gone: what the decider is still to be told, from `next` on. */
struct coming {
    uint64_t session;
    struct left *left; /* owned; NULL: it has come */
};

struct comings {
    struct coming *of; /* owned array */
    size_t next, count, cap;
    bool is_running;
};

struct realm {
    struct core *core;   /* owned; touched by the home's thread only */
    struct worker *home; /* borrowed */
    struct queue_limits queue;
    const struct decider *decider; /* borrowed; NULL: nothing is asked */
    void *mind;                    /* the decider's */
    struct asks asks;
    struct realm_probe *probe; /* borrowed; NULL: there is none */
    const struct decision *given;
    struct comings comings;
    bool ppt_compat;
    struct realm_timer wake;       /* in home->deadlines */
    bool is_started;               /* its decider has heard that the home runs */
    bool is_stopped;               /* its decider was told that it ends */
    bool is_closing;               /* under realms_lock: nobody comes in any more */
    atomic_uint guests;            /* peers that are in it; only under realms_lock it may grow */
    _Atomic uint64_t idle_since;   /* when the last one left: net_now */
    uint32_t idle_ms;              /* it closes after so long; 0: never */
    struct realm_timer idle;       /* in home->deadlines */
    unsigned rounds, answers_due;  /* of its end: see ends.c */
    struct list at_home;           /* home->realms */
    bool is_touched;               /* stepped since the last snapshot */
    struct core_counters snapshot; /* under home->snapshot_lock */
    size_t name_len;
    char name[];
};

/* A peer as its worker sees it: a connection, or code in this process. */
struct peer {
    uint64_t id;                /* of the connection */
    struct worker *worker;      /* borrowed */
    struct realm *realm;        /* borrowed; NULL: in the lobby */
    struct local_peer *local;   /* owner; NULL for connections */
    struct transport transport; /* strings owned */
    bool is_leaving;  /* its GOODBYE is on the way to another worker: what follows waits */
    bool is_paused;   /* too much of it is on the way to another worker */
    bool is_resident; /* the realm's own: it does not keep it open */
    bool is_held;     /* its realm does not want to hear more at this time */
    bool is_closing;  /* nothing more is taken from it */
    char *awaits;     /* owned: the realm that is being opened for it; NULL: none */
    uint32_t mail_messages;
    size_t mail_bytes;
    struct waiting *waiting, **waiting_end; /* owned; messages that came while it is leaving */
};

enum mail_type {
    MAIL_EVENT,  /* to the home of a realm */
    MAIL_ACTION, /* to the worker of a peer */
    MAIL_TAKEN,  /* to the worker of a peer: so much of its mail has been handled */
    MAIL_ROOM,   /* to the worker of a peer, and back to the home: has it room? */
    MAIL_VISIT,  /* to the home of a realm: somebody wants to talk to its decider */
    MAIL_START,  /* to the home of a realm: it begins */
    MAIL_AWAKE,  /* to the worker of a peer: the realm that it awaits is there, or will not be */
    MAIL_ROUND,  /* to a worker and back to the home of a realm, behind all that is on its way */
};

struct mail {
    enum mail_type type;
    struct realm *realm;
    union {
        struct {
            enum event_type type;
            uint64_t peer;
            struct blob *bytes;          /* counted; what msg points into, or NULL */
            char *text;                  /* owned; msg.text when it is not in the bytes */
            struct transport *transport; /* owned; EV_HELLO */
            struct fault *fault;         /* owned; EV_FAULT */
            union {
                uint64_t invocation;     /* EV_UNSENT */
                uint64_t dropped;        /* EV_DROPPED */
                struct admin_done *done; /* EV_ADMIN; owned */
            };
            struct msg msg;
        } event;
        struct {
            uint64_t peer, ticket;
            bool is_answer, has_room;
        } room;
        struct {
            void (*fn)(void *mind, void *ctx);
            void *ctx;
        } visit;
        struct {
            uint64_t peer;
            const char *reason, *words; /* static; NULL: it is there */
        } awake;
        bool is_answer;       /* MAIL_ROUND */
        struct action action; /* its blob is counted; its words are not sent along */
        struct {
            uint64_t peer;
            uint32_t messages;
            size_t bytes;
        } taken;
    };
};

struct mail_list {
    struct mail *items; /* array owned */
    size_t count, cap;
};

struct mailbox {
    pthread_mutex_t lock;
    struct mail_list mail;
    atomic_size_t backlog; /* items posted and not handled yet */
};

struct snapshot {
    struct net_counters net;
    uint64_t mail_dropped;
};

struct worker {
    struct router *router; /* borrowed */
    unsigned index;
    pthread_t thread;
    bool is_started;
    struct net *net;            /* owned */
    struct map peers;           /* id -> struct peer, owned */
    struct list realms;         /* whose home this is; under snapshot_lock */
    struct deadlines deadlines; /* of those realms: struct realm_timer */
    struct outbox out;          /* of the step at hand */
    struct arena scratch;       /* of the message at hand */
    uint64_t wall;              /* ms since 1970, read once a turn; 0: not yet */
    uint64_t grace_at;          /* when stopping: the instant to give up; NEVER otherwise */
    unsigned tls_turn;          /* the reload that was fetched last */
    bool is_closing;            /* GOODBYE has been said */
    bool is_over;               /* the loop has ended: nothing is routed any more */
    struct mailbox mailbox;     /* from other workers */
    struct mail_list *outgoing; /* array owned; one for each worker */
    struct mail_list incoming;  /* being handled */
    struct list local_peers;    /* with something to deliver */
    uint64_t next_local;
    uint64_t mail_dropped;  /* events not sent because a mailbox was full */
    struct map unreported;  /* peer -> struct loss, owned: what its realm does not know yet */
    uint64_t report_at;     /* when it is to be told; NEVER: there is nothing */
    struct map denials;     /* (session, hash) -> struct denial, owned; see notes.c */
    struct map denied;      /* session -> how many of these it has, as a number */
    uint64_t other_denials; /* for which there was no room in it */
    pthread_mutex_t snapshot_lock;
    struct snapshot snapshot;
    struct core_counters ended; /* under snapshot_lock: of realms that are gone */
};

/* What an administrator wants is done on a thread, one thing at a time. */
struct admin_job {
    pthread_mutex_t lock;
    bool is_busy; /* under lock: it has not posted its answer yet; the rest is of who set it */
    bool has_thread;
    pthread_t thread;
    struct realm *realm; /* borrowed */
    uint64_t peer, session, request;
};

struct router {
    struct router_options options; /* strings and arrays of the caller are not used after
                                      router_new, but for the listeners' */
    struct worker *workers;        /* array owned */
    unsigned worker_count;
    char (*addresses)[128]; /* array owned; one for each listener */
    pthread_mutex_t realms_lock;
    struct strmap realms; /* name -> struct realm, owned */
    uint32_t template_realms;
    unsigned next_home;
    struct realm_options realm_template;
    bool has_template;
    struct realm *opener;    /* owned; NULL: there is none */
    struct strmap openings;  /* name -> struct asking, owned; under realms_lock, as what follows */
    size_t awaiting;         /* peers, in all of them */
    uint32_t dynamic_realms; /* that are open, or being opened */
    double opening_tokens;
    uint64_t opening_at;   /* when there were so many */
    struct list farewells; /* owned: struct farewell, on their way to the opener */
    pthread_mutex_t ids_lock;
    struct map session_ids; /* in use anywhere */
    atomic_bool is_stopping;
    atomic_bool is_unflushed; /* the grace time ran out */
    atomic_size_t open_peers;
    uint64_t started_at;
    pthread_mutex_t tls_lock;
    struct tls_files **tls_files; /* array owned, items held, under tls_lock; NULL: not reloaded */
    atomic_uint tls_turn;         /* counts reloads */
    struct admin_job admin;
};

/* reload.c */
void reload_init(struct router *router);
void reload_fini(struct router *router);

/* On the worker's thread: takes what was reloaded since the last time. */
void reload_fetch(struct worker *worker);

/* realms.c */
struct realm *realm_new(struct router *router, const struct realm_options *options,
                        const char *name, size_t name_len);
void realm_free(struct realm *realm);
void realm_fini(struct realm *realm); /* all but its own memory */

/* The two halves of it; the second under realms_lock, where it matters. */
struct realm *realm_make(struct router *router, const struct realm_options *options,
                         const char *name, size_t name_len, struct worker *home);
void realm_enter(struct realm *realm);

/* A peer that was in it is not any more. */
void realm_leave(struct realm *realm, const struct peer *peer);

/* openings.c */
void openings_init(struct router *router, const struct realm_options *opener);
void openings_fini(struct router *router);

/* Under realms_lock: asks for a realm that is not there, or is closing, for a peer that said HELLO
 * (`len` octets). False: it does not wait, and `reason` and `words` say why. */
bool openings_wait(struct peer *peer, struct slice name, const struct msg *hello, size_t len,
                   const char **reason, const char **words);

/* A peer that waits is closed. */
void openings_leave(struct peer *peer);

/* Under realms_lock: a dynamic realm has gone, that somebody may have asked for meanwhile. */
void openings_resume(struct router *router, struct slice name);

/* ends.c */
void ends_watch(struct realm *realm);
void ends_round(struct realm *realm);
void ends_take_round(struct worker *worker, const struct mail *item);

/* Puts a peer that said HELLO (`len` octets) into the realm of that name, made from the template when
 * there is one. False: it is not there. Then either peer->awaits is set, as somebody is asked
 * whether to open it, or `reason` and `words` say why not. */
bool realms_seek(struct peer *peer, struct slice name, const struct msg *hello, size_t len,
                 const char **reason, const char **words);

/* asks.c */
void asks_add(struct realm *realm, uint64_t question);
void asks_remove(struct realm *realm, uint64_t question);
void asks_run(struct realm *realm);

/* comings.c */
void comings_joined(struct realm *realm, uint64_t session);
void comings_left(struct realm *realm, uint64_t session, struct left *left); /* owned from now */
void comings_run(struct realm *realm);
void comings_free(struct realm *realm);

/* Reads from a connection, or does not, as is_paused and is_held say. */
void pump_read_on(struct peer *peer);

/* pump.c */
/* The wall clock, ms since 1970; of a worker: read once a turn. */
uint64_t pump_wall_now(const struct router *router);
uint64_t pump_wall(struct worker *worker);

void pump_open(struct worker *worker, struct peer *peer);
void pump_message(struct peer *peer, struct slice bytes);

/* The same of a peer of this process in its realm's own worker: see local_say. */
void pump_say(struct peer *peer, const struct msg *msg);
void pump_close(struct peer *peer);
void pump_step(struct worker *worker, struct realm *realm, struct event *ev);
void pump_close_realm(struct worker *worker, struct realm *realm);
void pump_action(struct worker *worker, struct realm *realm, struct action *action);
void pump_wake(struct worker *worker);

/* The home of a realm runs: its decider is told, once. */
void pump_start(struct realm *realm);

/* The realm that a peer awaits is there (reason NULL), or will not be. */
void pump_awake(struct worker *worker, uint64_t peer, const char *reason, const char *words);

static inline bool peer_is_local(uint64_t peer)
{
    return (net_worker_of(peer) & LOCAL_WORKER) != 0;
}

static inline struct worker *peer_worker(const struct router *router, uint64_t peer)
{
    return &router->workers[net_worker_of(peer) & (LOCAL_WORKER - 1)];
}

/* The id of a peer, or NULL when it is gone. */
struct peer *pump_find(struct worker *worker, uint64_t id);

/* admin.c */
void admin_init(struct router *router);
void admin_fini(struct router *router); /* waits for what is under way */
void admin_begin(struct realm *realm, const struct action *action);

/* mail.c */
void mail_init(struct worker *worker, unsigned worker_count);
void mail_fini(struct worker *worker);

/* Puts an item (copied; what it owns moves) into the batch for another worker. */
void mail_add(struct worker *from, struct worker *to, const struct mail *item);

/* Hands all batches over: one lock and one wake-up for each worker that gets something. */
void mail_post(struct worker *from);

/* Lets the home of a new realm know of it; from any thread. */
void mail_start(struct realm *realm);

/* Tells a worker about a peer that awaits a realm; from any thread. */
void mail_awake(struct router *router, uint64_t peer, const char *reason, const char *words);

/* Calls a function on the thread of the realm's home, soon; from any thread. */
void mail_visit(struct realm *realm, void (*fn)(void *mind, void *ctx), void *ctx);

/* Tells the home of a realm what came of an ACT_ADMIN (owned from now on); from any thread. */
void mail_done(struct realm *realm, uint64_t peer, struct admin_done *done);

/* Handles what others have posted. */
void mail_handle(struct worker *worker);

/* reports.c */
void reports_init(struct worker *worker);
void reports_fini(struct worker *worker);

/* Tells the realm of a peer how many EVENTs its connection has dropped. */
void reports_send(struct peer *peer, uint64_t count);

/* Counts an EVENT that did not fit into the mailbox of its receiver's worker. */
void reports_note_mail(struct worker *worker, struct realm *realm, uint64_t peer);

/* Reports what the instant has come for. */
void reports_wake(struct worker *worker);

/* A session is about to end by its peer's will: reports what is left, while it is known. First
 * for the worker of the peer, then for the home of its realm when that is another one. */
void reports_settle(struct peer *peer);
void reports_settle_mail(struct worker *worker, uint64_t peer);

/* The same when the session has ended already: nobody is to be told. */
void reports_forget(struct peer *peer);
void reports_forget_mail(struct worker *worker, uint64_t peer);

/* local.c */
/* What waits for peers in this process, up to some number of messages; true: there is more. */
bool local_deliver(struct worker *worker);
void local_receive(struct peer *peer, struct blob *blob);
void local_closed(struct peer *peer);

/* status.c */
void status_snapshot(struct worker *worker);
void status_end(struct realm *realm); /* under snapshot_lock: what it counted stays */
void status_write(struct worker *worker, enum page form, struct writer *page);

/* random.c */
void random_fill(void *ctx, void *buf, size_t len);

#endif
