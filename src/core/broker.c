/* broker.c -- see broker.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/broker.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/ids.h"
#include "core/late.h"
#include "core/meta_events.h"
#include "core/reply.h"
#include "core/send.h"
#include "core/shard.h"
#include "wire/errors.h"

/* ---- shards ---- */

static void leave_shard(struct member *member)
{
    struct shard *shard = member->shard;

    member->shard = NULL;
    if (shard == NULL || --shard->member_count > 0)
        return;
    strmap_remove(&member->subscription->shards, slice_make(shard->nkey, shard->nkey_len));
    mem_free(shard);
}

static void set_shard(struct member *member, struct slice nkey)
{
    struct strmap *shards = &member->subscription->shards;
    struct shard *shard;

    leave_shard(member);
    if (LIKELY(nkey.data == NULL))
        return;
    shard = strmap_get(shards, nkey);
    if (shard == NULL) {
        shard = mem_alloc(sizeof *shard + nkey.len);
        *shard = (struct shard){.nkey_len = nkey.len};
        if (nkey.len != 0)
            memcpy(shard->nkey, nkey.data, nkey.len);
        strmap_put(shards, slice_make(shard->nkey, shard->nkey_len), shard);
    }
    shard->member_count++;
    member->shard = shard;
}

const struct shard *broker_choose_shard(const struct subscription *sub, struct slice rkey)
{
    const struct strmap_entry *at;
    const struct shard *best = NULL;
    struct slice best_key = {0};
    uint64_t best_score = 0;
    size_t i = 0;

    while ((at = strmap_next(&sub->shards, &i)) != NULL) {
        uint64_t score = shard_score(rkey, at->key);

        if (best != NULL && !shard_beats(score, at->key, best_score, best_key))
            continue;
        best = at->value;
        best_key = at->key;
        best_score = score;
    }
    return best;
}

/* ---- subscriptions and their members ---- */

/* Whether a reserved topic can match: those who ask for it make the events of the router worth
 * their making. A wildcard is taken for one when its first component allows it. */
static bool may_hear_meta(const struct core *core, const struct match_entry *entry)
{
    bool more = true;
    struct slice rest = entry->uri, first = uri_component(&rest, &more);

    if (core_reserves(core, entry->uri))
        return true;
    for (size_t i = 0; i < core->reserved_count; i++) {
        struct slice prefix = core->reserved[i];
        struct slice after = prefix, reserved_first;

        more = true;
        reserved_first = uri_component(&after, &more);
        if (entry->match == MATCH_PREFIX && slice_starts_with(prefix, entry->uri))
            return true;
        if (entry->match == MATCH_WILDCARD && (first.len == 0 || slice_eq(first, reserved_first)))
            return true;
    }
    return false;
}

static struct subscription *subscription_new(struct core *core, enum match match, struct slice uri)
{
    struct subscription *sub = mem_alloc(sizeof *sub + uri.len);

    *sub = (struct subscription){.id = ++core->last_id, .created = core->wall};
    if (uri.len != 0)
        memcpy(sub->uri, uri.data, uri.len);
    sub->entry = (struct match_entry){slice_make(sub->uri, uri.len), match};
    strmap_init(&sub->shards, core->broker.index.seed[0], core->broker.index.seed[1]);
    match_insert(&core->broker.index, &sub->entry);
    map_put(&core->broker.by_id, sub->id, 0, sub);
    sub->hears_meta = may_hear_meta(core, &sub->entry);
    core->broker.meta_listeners += sub->hears_meta;
    core->counters.subscriptions++;
    return sub;
}

static void subscription_free(struct core *core, struct subscription *sub)
{
    match_remove(&core->broker.index, &sub->entry);
    map_remove(&core->broker.by_id, sub->id, 0);
    core->broker.meta_listeners -= sub->hears_meta;
    core->counters.subscriptions--;
    strmap_fini(&sub->shards);
    mem_free(sub->members);
    mem_free(sub);
}

static struct member *attach(struct core *core, struct subscription *sub, struct session *session)
{
    struct member *member = mem_alloc(sizeof *member);

    if (sub->member_count == sub->member_cap) {
        sub->member_cap = sub->member_cap == 0 ? 1 : sub->member_cap * 2;
        sub->members = mem_grow(sub->members, sub->member_cap * sizeof(struct member *));
    }
    *member = (struct member){.session = session,
                              .subscription = sub,
                              .place = (uint32_t)sub->member_count,
                              .turn = session->turn};
    sub->members[sub->member_count++] = member;
    list_append(&session->members, &member->in_session);
    session->subscription_count++;
    map_put(&core->broker.members, session->id, sub->id, member);
    return member;
}

/* The reverse of attach; the last member takes the subscription along. */
static void detach(struct core *core, struct member *member)
{
    struct subscription *sub = member->subscription;
    struct session *session = member->session;
    struct member *last = sub->members[--sub->member_count];
    bool is_last = sub->member_count == 0 && sub->log == NULL;
    struct meta_subject subject = {session, sub->id, core_reserves(core, sub->entry.uri)};

    recheck_forget(core, session, sub->id);
    late_forget(core, member);
    leave_shard(member);
    sub->members[member->place] = last;
    last->place = member->place;
    list_remove(&member->in_session);
    session->subscription_count--;
    map_remove(&core->broker.members, session->id, sub->id);
    mem_free(member);
    if (is_last)
        subscription_free(core, sub);
    meta_on_subscription(core, "wamp.subscription.on_unsubscribe", &subject);
    if (is_last)
        meta_on_subscription(core, "wamp.subscription.on_delete", &subject);
}

void broker_revoke(struct core *core, struct member *member, const char *reason)
{
    struct session *session = member->session;

    if ((session->features & SUBSCRIBER_SUBSCRIPTION_REVOCATION) != 0)
        send_reply(core, session,
                   reply_revoked(session->codec, MSG_UNSUBSCRIBED, "subscription",
                                 member->subscription->id, reason));
    detach(core, member);
}

void broker_leave(struct core *core, struct session *session)
{
    struct ids ids;

    if (!meta_is_heard(core)) { /* nobody sees the order */
        list_each (&session->members, node, after)
            detach(core, container_of(node, struct member, in_session));
        return;
    }
    ids = ids_new(&core->scratch, session->subscription_count);
    list_each (&session->members, node, after)
        ids_add(&ids, container_of(node, struct member, in_session)->subscription->id);
    ids_sort(&ids);
    for (size_t i = 0; i < ids.count; i++)
        detach(core, map_get(&core->broker.members, session->id, ids.of[i]));
}

/* ---- history ---- */

static void open_log(struct core *core, const struct history_options *history)
{
    struct slice uri = slice_of(history->uri);
    struct subscription *sub = subscription_new(core, history->match, uri);

    sub->created = core->options.wall;
    sub->log = core->store.ops->log_open(core->store.store, history->match, uri, &history->limits);
    core->broker.log_count++;
}

/* What is left are the subscriptions that exist for their history. */
static void close_logs(struct core *core)
{
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&core->broker.by_id, &i)) != NULL) {
        struct subscription *sub = at->value;

        CHECK(sub->log != NULL && sub->member_count == 0);
        core->store.ops->log_close(core->store.store, sub->log);
        subscription_free(core, sub);
        i = 0; /* the map has changed */
    }
}

void broker_init(struct core *core)
{
    match_init(&core->broker.index, rng_u64(&core->rng), rng_u64(&core->rng));
    map_init(&core->broker.by_id, rng_u64(&core->rng));
    map_init(&core->broker.members, rng_u64(&core->rng));
    for (size_t i = 0; i < core->options.history_count; i++)
        open_log(core, &core->options.histories[i]);
}

void broker_fini(struct core *core)
{
    close_logs(core);
    match_fini(&core->broker.index);
    map_fini(&core->broker.by_id);
    map_fini(&core->broker.members);
}

/* ---- requests ---- */

/* Nothing is wrong with the SUBSCRIBE. `sub` is NULL when nobody else has it. */
static void subscribe(struct core *core, struct session *session, struct subscription *sub,
                      const struct msg *msg, const struct options *options)
{
    bool is_new = sub == NULL, is_joining;
    struct member *member = NULL;
    struct meta_subject subject;

    if (is_new)
        sub = subscription_new(core, options->match, msg->text);
    else
        member = map_get(&core->broker.members, session->id, sub->id);
    subject = (struct meta_subject){session, sub->id, core_reserves(core, sub->entry.uri)};
    send_reply(core, session, reply_done(session->codec, MSG_SUBSCRIBED, msg->id, sub->id));
    is_joining = member == NULL;
    if (is_joining)
        member = attach(core, sub, session);
    set_shard(member, options->nkey);
    if (options->get_retained)
        late_begin(core, member);
    if (is_new)
        meta_on_subscription_create(core, sub, &subject);
    if (is_joining)
        meta_on_subscription(core, "wamp.subscription.on_subscribe", &subject);
}

void broker_subscribe(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options)
{
    if (!uri_is_valid(msg->text, options->match, core->options.strict_uris)) {
        send_error(core, session, MSG_SUBSCRIBE, msg->id, WAMP_INVALID_URI,
                   "SUBSCRIBE.Topic is not a valid URI for its match policy");
        return;
    }

    struct match_entry *entry = match_find(&core->broker.index, options->match, msg->text);
    struct subscription *sub =
        entry == NULL ? NULL : container_of(entry, struct subscription, entry);
    bool is_member = sub != NULL && map_get(&core->broker.members, session->id, sub->id) != NULL;

    if (!is_member && !session->is_trusted &&
        session->subscription_count >= core->options.max_subscriptions) {
        send_error(core, session, MSG_SUBSCRIBE, msg->id, WAMP_OPTION_NOT_ALLOWED,
                   "too many subscriptions in this session (max_subscriptions)");
        return;
    }
    subscribe(core, session, sub, msg, options);
}

void broker_unsubscribe(struct core *core, struct session *session, const struct msg *msg)
{
    struct member *member = map_get(&core->broker.members, session->id, msg->second);

    if (member == NULL) {
        send_error(core, session, MSG_UNSUBSCRIBE, msg->id, WAMP_NO_SUCH_SUBSCRIPTION,
                   "the session has no subscription with this id");
        return;
    }
    send_reply(core, session, reply_done(session->codec, MSG_UNSUBSCRIBED, msg->id, 0));
    detach(core, member);
}

static void check_shards(const struct subscription *sub)
{
    const struct strmap_entry *at;
    size_t i = 0, in_shards = 0, with_shard = 0;

    while ((at = strmap_next(&sub->shards, &i)) != NULL) {
        const struct shard *shard = at->value;

        CHECK(shard->member_count > 0);
        in_shards += shard->member_count;
    }
    for (size_t m = 0; m < sub->member_count; m++) {
        const struct shard *shard = sub->members[m]->shard;

        with_shard += shard != NULL;
        CHECK(shard == NULL ||
              strmap_get(&sub->shards, slice_make(shard->nkey, shard->nkey_len)) == shard);
    }
    CHECK(in_shards == with_shard);
}

void broker_check(const struct core *core)
{
    const struct broker *broker = &core->broker;
    const struct map_entry *at;
    size_t i = 0, members = 0, logs = 0, listeners = 0;

    CHECK(match_count(&broker->index) == broker->by_id.count);
    CHECK(core->counters.subscriptions == broker->by_id.count);
    while ((at = map_next(&broker->by_id, &i)) != NULL) {
        struct subscription *sub = at->value;

        CHECK(sub->id == at->a && sub->id <= core->last_id);
        CHECK(match_find(&broker->index, sub->entry.match, sub->entry.uri) == &sub->entry);
        CHECK(sub->member_count > 0 || sub->log != NULL);
        members += sub->member_count;
        logs += sub->log != NULL;
        listeners += sub->hears_meta;
        CHECK(sub->hears_meta == may_hear_meta(core, &sub->entry));
        check_shards(sub);
        for (size_t m = 0; m < sub->member_count; m++) {
            const struct member *member = sub->members[m];

            CHECK(member->place == m && member->subscription == sub);
            CHECK(member->session->state == SESSION_ESTABLISHED);
            CHECK(map_get(&core->by_id, member->session->id, 0) == member->session);
            CHECK(map_get(&broker->members, member->session->id, sub->id) == member);
        }
    }
    CHECK(members == broker->members.count);
    CHECK(logs == broker->log_count && listeners == broker->meta_listeners);
}
