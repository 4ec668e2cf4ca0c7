/* broker.h -- who hears what: subscriptions and their members.
 *
 * The broker owns every subscription of one realm. It knows topics, patterns and
 * sessions; it does not know connections or clocks. Publications are in publish.h.
 *
 * Invariant, verified by broker_check(): a session is among the members of a
 * subscription exactly when the subscription is in the session's list; a
 * subscription without members exists only where the realm keeps its history.
 *
 * WAMP: "Publish and Subscribe", "Pattern-based Subscriptions", "Sharded
 * Subscription", "Subscription Revocation".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_BROKER_H
#define NEXUS_CORE_BROKER_H

#include "core/match.h"
#include "core/options.h"
#include "core/session.h"

struct core;

/* One session that hears a subscription. */
struct member {
    struct session *session;           /* borrowed */
    struct subscription *subscription; /* borrowed */
    uint32_t place;                    /* in subscription->members */
    uint32_t turn;                     /* in which it was judged; see recheck.h */
    struct list in_session;            /* session->members */
    struct shard *shard;               /* borrowed; NULL: it hears every event */
};

/* The members of a subscription that share one nkey. */
struct shard {
    size_t member_count;
    size_t nkey_len;
    char nkey[];
};

struct subscription {
    struct match_entry entry; /* entry.uri points at `uri` */
    uint64_t id;
    uint64_t created;        /* wall clock, ms */
    struct member **members; /* array owned; the members belong to broker->members */
    size_t member_count, member_cap;
    struct strmap shards;  /* nkey -> shard, owned */
    bool hears_meta;       /* a reserved topic may match it */
    struct store_log *log; /* borrowed from the store; NULL: no history */
    char uri[];
};

struct broker {
    struct match_index index; /* of struct subscription, by URI */
    struct map by_id;         /* subscription id -> subscription, owned */
    struct map members;       /* (session id, subscription id) -> member, owned */
    size_t log_count;         /* subscriptions with history */
    size_t meta_listeners;    /* subscriptions that reserved topics may match */
};

void broker_init(struct core *core);
void broker_fini(struct core *core);

/* The requests, with their checks from the grammar of the URI on, and their answers. */
void broker_subscribe(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options);
void broker_unsubscribe(struct core *core, struct session *session, const struct msg *msg);

/* A member loses its subscription without having asked: it is told if it announced
 * subscription_revocation. */
void broker_revoke(struct core *core, struct member *member, const char *reason);

/* The session ends: it leaves all subscriptions, in the order of their ids. */
void broker_leave(struct core *core, struct session *session);

/* An event with an rkey goes to one shard, and to whoever is in none. */
static inline bool shard_is_elsewhere(const struct member *member, const struct shard *shard)
{
    return member->shard != NULL && member->shard != shard;
}

/* The shard that an event with this rkey goes to; NULL when nobody has an nkey. */
const struct shard *broker_choose_shard(const struct subscription *sub, struct slice rkey);

void broker_check(const struct core *core);

#endif
