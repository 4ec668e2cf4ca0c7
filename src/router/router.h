/* router.h -- the pump, and the face for whoever runs a router in a program.
 *
 * A router is a set of workers (threads, each with a struct net) and of realms
 * (each a struct core with one worker as its home). The pump turns what net
 * reports into events, steps the core, and carries its actions out; between
 * workers both travel through mailboxes, in batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_ROUTER_ROUTER_H
#define NEXUS_ROUTER_ROUTER_H

#include "core/look.h"
#include "net/net.h"

#define MAX_WORKERS 64

struct realm;

/* A realm that somebody asks for and that is not there (yet). */
struct realm_request {
    const char *realm;           /* its name */
    enum codec codec;            /* of details */
    struct slice details;        /* of the first HELLO: a dict */
    struct transport *transport; /* of who said it */
};

/* Who answers what a realm asks (core/ask.h). All but `open` is called on the thread of the
 * realm's home, `start` before all others. */
struct decider {
    /* A realm begins, before any thread runs it: what is returned (never NULL) is the `mind` of
     * the other functions. */
    void *(*open)(void *ctx, struct realm *realm);
    /* The loop of the home will not run any more but to close handles and to take back work that
     * is under way: those of the mind are closed here. No function is called afterwards but
     * `close`, when the realm has ended. */
    void (*stop)(void *mind);
    void (*close)(void *mind);

    /* A question; it is valid until realm_decide has answered it, now or later, or it is taken
     * back. */
    void (*ask)(void *mind, const struct question *question);
    /* The answer to this question is of no interest any more. */
    void (*unask)(void *mind, uint64_t question);

    /* The answer to realm_room. May be NULL when that is not called. */
    void (*room)(void *mind, uint64_t ticket, bool has_room);

    /* The home runs: timers may be set, and peers opened. May be NULL. */
    void (*start)(void *mind);

    /* A session has begun, or ended, and what that caused has been carried out. A session that is
     * named in `joined` may have ended again by then. `left` is valid for the call. May be NULL. */
    void (*joined)(void *mind, uint64_t session);
    void (*left)(void *mind, const struct left *left);

    /* Whether work is under way on other threads that needs what the realm was made of: then it is not
     * closed for being idle. May be NULL: there never is. */
    bool (*is_busy)(void *mind);

    /* Of router_options.opener alone: a realm is asked for, router_open is due, now or later; it has
     * been opened; it has closed for being idle. May be NULL elsewhere. */
    void (*requested)(void *mind, struct realm_request *opening);
    void (*opened)(void *mind, const char *realm);
    void (*closed)(void *mind, const char *realm);
};

struct realm_options {
    struct core_options core; /* realm: its name; random and ids are filled in by the router */
    struct queue_limits queue;
    const struct decider *decider; /* needed where core.asks_join or core.rules is set */
    void *decider_ctx;             /* for `open` */
};

/* For deciders: the name of the realm, its core to look at, and the loop of its home for timers and
 * work on other threads, to be used on that thread only. */
const char *realm_name(const struct realm *realm);
const struct core *realm_core(const struct realm *realm);
struct uv_loop_s *realm_loop(const struct realm *realm);

/* The core to make things for, as audience_tree_new does; it is changed by steps only. */
struct core *realm_own_core(struct realm *realm);

/* Clocks, read once a loop turn: monotonic, and since 1970 (UTC). Milliseconds. */
uint64_t realm_now(const struct realm *realm);
uint64_t realm_wall(const struct realm *realm);
bool realm_is_virtual(const struct realm *realm); /* its time is told */

/* A clock of somebody in a realm: set to an instant of realm_now. One that is set must be cleared
 * before its memory goes. On the home's thread only. */
struct realm_timer {
    struct deadline deadline;
    void (*fire)(struct realm_timer *timer);
};
void realm_set_timer(struct realm *realm, struct realm_timer *timer, uint64_t at);
void realm_clear_timer(struct realm *realm, struct realm_timer *timer);

/* Whether the queue of a peer has room for more than replies that must be sent: at least half of it is
 * free. ROOM_ASKED: its worker is asked, and decider.room is told. */
enum room { ROOM_YES, ROOM_NO, ROOM_ASKED };
enum room realm_room(struct realm *realm, uint64_t peer, uint64_t ticket);

/* For work on threads that uv does not know of: begun (1), or over (-1). A virtual router waits for
 * it. On the home's thread only. */
void realm_note_work(struct realm *realm, int change);

/* Something happened to the core at the will of a decider: a step of its own. The time is filled
 * in. Not from within `ask` and `unask`, which are called in the middle of things. */
void realm_step(struct realm *realm, struct event *ev);

/* core_set_vars, for that realm. */
int realm_set_vars(struct realm *realm, uint64_t session, enum codec codec,
                   struct slice vars) MUST_CHECK;

/* Answers a question; one that was taken back is passed over. On the home's thread only. */
void realm_decide(struct realm *realm, const struct decision *decision);

/* A question of somebody else to the decider of a realm: what would be decided? It is not the
 * core's, and nothing comes of it. At most one at a time for a realm. */
struct realm_probe {
    struct question question; /* all but its id; what it points to stays until the end */
    void (*answer)(struct realm_probe *probe, const struct decision *decision);
    bool is_answered;
};

/* `answer` is called at once or later; realm_probe_end is due in any case, and takes the question
 * back when it is open. */
void realm_probe_begin(struct realm *realm, struct realm_probe *probe);
void realm_probe_end(struct realm *realm, struct realm_probe *probe);

/* The answer to decider.requested: a realm with these options (decider_ctx is borrowed until it is
 * closed; all else is copied), that closes when it has had no sessions but its own for so long (0:
 * never). NULL: there is no such realm. On the thread of the opener's home; the opening is gone
 * then. False: it was not opened, as there are too many, or the router is closing. */
bool router_open(struct realm *opener, struct realm_request *opening,
                 const struct realm_options *options, uint32_t idle_ms);

/* While `decision` is not NULL, it is the answer to every question whether a peer may join: for tests.
 * Borrowed. */
void realm_give(struct realm *realm, const struct decision *decision);

/* The decider's, as `open` returned it. */
void *realm_mind(const struct realm *realm);

/* All realms of its router, this one too: only what realm_name and realm_is_decided say of them may be
 * asked. `fn` must not wait. From any thread. */
void realm_each(const struct realm *realm, void (*fn)(void *ctx, const struct realm *other),
                void *ctx);

/* It has a decider. */
bool realm_is_decided(const struct realm *realm);

struct router_options {
    unsigned workers;         /* 1 .. MAX_WORKERS */
    struct net_limits limits; /* max_connections and per_address are of the whole router */
    const struct listener_options *listeners;
    size_t listener_count;
    const struct realm_options *realms;
    size_t realm_count;
    const struct realm_options *realm_template; /* for any other realm; NULL: there is no other */
    uint32_t max_template_realms;               /* how many may be made from it */
    const struct realm_options *opener;         /* who opens other realms: a realm that nobody can
                                                   join, by its name; NULL: nobody does */
    uint32_t max_dynamic_realms;                /* how many that are open */
    uint32_t opening_rate;                      /* how many may be asked for in a second */
    bool strict_uris;                           /* grammar of realm names in HELLO */
    uint32_t shutdown_grace_ms;                 /* GOODBYE to all -> everything is closed anyway */

    /* Adds to the page /metrics; called by any worker. NULL: nothing is added. */
    void (*write_metrics)(void *ctx, struct writer *page);
    void *metrics_ctx; /* borrowed until router_free */

    /* Whether a cookie stands for somebody; called by any worker. NULL: none does. */
    bool (*knows_cookie)(void *ctx, const char *cookie);
    void *cookie_ctx; /* the same */

    /* For tests: one worker, no listeners, no threads, and time is what router_advance says. */
    bool is_virtual;
    uint64_t virtual_wall; /* ms since 1970 when it begins */
};

struct router;

/* Makes the workers and realms and opens the listeners, in that order. All options are copied
 * or used up. On failure returns NULL, with a line for people in `words`. */
struct router *router_new(const struct router_options *options, char *words, size_t words_len);

/* The address that listener number `index` was really bound to ("127.0.0.1:41234"). */
const char *router_address(const struct router *router, size_t index);

/* Starts the other workers and runs worker 0 in this thread until router_stop has done its
 * work. Returns 0, ERR_CLOSED when the grace time ran out before a peer had taken its last
 * messages, or ERR_IO when a worker could not be started. */
int router_run(struct router *router);

/* Sends GOODBYE wamp.close.system_shutdown to all, writes everything out, ends router_run.
 * May be called from any thread and from a signal handler; again: nothing more happens. */
void router_stop(struct router *router);

/* Reads the files of all TLS listeners again. New connections see what is in them; those that are
 * open do not notice. A listener whose files are bad keeps what it has. Both is logged. How many
 * listeners have something new; `words` gets what is wrong with the first that is bad, or "". `by`
 * is for the audit log: by whose will. From any thread, but not a signal handler. */
unsigned router_reload_tls(struct router *router, const char *by, char *words, size_t words_len);

/* Calls a function for each realm that has this decider, with its mind, on the thread of its home,
 * soon. From any thread, while the router runs. */
void router_visit(struct router *router, const struct decider *decider,
                  void (*fn)(void *mind, void *ctx), void *ctx);

void router_free(struct router *router);

/* ---- a router that stands still: is_virtual ----
 *
 * It does something only within these functions, on the thread that calls them. Work of other
 * threads (keys, files) is waited for, in real time; `wait_ms` bounds that and everything else, and
 * they return false when it was not enough. */

/* Does what there is to do without the clock. */
bool router_turn(struct router *router, uint32_t wait_ms);

/* The same, but what other threads do is not waited for. */
bool router_glance(struct router *router, uint32_t wait_ms);

/* As router_turn, then moves the clock on by so much, from one deadline to the next, with turns between. */
bool router_advance(struct router *router, uint64_t ms, uint32_t wait_ms);

/* What the clock shows, what it would show at the next deadline (or NEVER), and the time of day. */
uint64_t router_now(const struct router *router);
uint64_t router_next(const struct router *router);
uint64_t router_wall(struct router *router);

/* What the page /metrics would show. */
void router_metrics(struct router *router, struct writer *page);

/* The realm of that name, or NULL; none is made. */
struct realm *router_realm(struct router *router, const char *name);

/* ---- local peers: sessions of code in this process ---- */

/* Called on the home worker's thread, with one WAMP message (MessagePack); returns nothing. */
typedef void local_receive_fn(void *ctx, struct slice message);

struct local_peer;

/* A peer in this process: its messages go through local_send, answers come to `receive`.
 * `worker` 0 only, before router_run or on its thread. It starts without a session: say HELLO.
 * `on_close` tells that the router has closed it; local_close may still be called then. */
struct local_peer *local_open(struct router *router, local_receive_fn *receive,
                              void (*on_close)(void *ctx), void *ctx);
void local_send(struct local_peer *local, struct slice message);

/* The same with a connection that it looks like, for tests: messages are in its codec. Copied. */
struct local_peer *local_open_as(struct router *router, const struct transport *transport,
                                 local_receive_fn *receive, void (*on_close)(void *ctx), void *ctx);

/* The same for the decider of a realm, on the thread of its home: its session is not subject to
 * what anybody decides. HELLO must name the realm; authid and authrole in it count. */
struct local_peer *realm_open_peer(struct realm *realm, local_receive_fn *receive,
                                   void (*on_close)(void *ctx), void *ctx);

/* The same for another realm than that of the decider, which HELLO names: it may be anywhere, and
 * stays open as long as such a peer is in it. */
struct local_peer *realm_open_guest(struct realm *realm, local_receive_fn *receive,
                                    void (*on_close)(void *ctx), void *ctx);

/* Says a message that is not encoded, for a peer made by realm_open_peer that has a session:
 * nothing of it is checked. Borrowed until it returns. */
void local_say(struct local_peer *local, const struct msg *msg);

/* Ends the peer, and its session as a lost connection does. Due for every peer before
 * router_free; also after router_run has returned. */
void local_close(struct local_peer *local);

#endif
