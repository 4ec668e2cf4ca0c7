/* retained.c -- see retained.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/retained.h"

#include "core/core_priv.h"
#include "core/limits.h"
#include "core/send.h"

void retained_keep(struct publication *pub)
{
    const struct store *store = &pub->core->store;

    if (pub->msg->payload.kind == PAYLOAD_NONE && !options_is_ppt(pub->options))
        store->ops->forget(store->store, pub->msg->text);
    else if (!store->ops->retain(store->store, publish_record(pub)))
        pub->core->counters.unretained++;
}

/* A late subscriber, and how many events it may still get. */
struct late {
    struct core *core;
    const struct member *member;
    unsigned left;
};

/* Whether the session would have been in the audience of that event. */
static bool is_for(struct core *core, const struct member *member, const struct record *record,
                   const struct options *options)
{
    const struct session *session = member->session;
    struct filter_set filters;
    struct fault fault;

    if (record->publisher == session->id && options->exclude_me)
        return false;
    if (options->rkey.data != NULL && member->shard != NULL &&
        broker_choose_shard(member->subscription, options->rkey) != member->shard)
        return false;
    return filters_build(&filters, options, record->msg.codec, &core->intern,
                         core->options.empty_eligible_is_absent, &core->scratch, &fault) == 0 &&
           filters_pass(&filters, session);
}

static void deliver(struct core *core, const struct member *member, const struct record *record,
                    const struct options *options)
{
    const struct subscription *sub = member->subscription;
    const struct session *session = member->session;
    uint64_t topic_hash = 0;
    const struct identity identity = {record->publisher, record->authid, record->authrole};
    bool wants_trustlevel = (session->features & SUBSCRIBER_PUBLICATION_TRUSTLEVELS) != 0;
    struct blob *blob = reply_event(
        &(struct forward){.codec = session->codec,
                          .id = sub->id,
                          .second = record->publication,
                          .uri_key = sub->entry.match == MATCH_EXACT ? NULL : "topic",
                          .uri = record->msg.text,
                          .identity_key = "publisher",
                          .identity = record->is_disclosed ? &identity : NULL,
                          .trustlevel = wants_trustlevel ? record->trustlevel : NO_TRUSTLEVEL,
                          .is_retained = true,
                          .options = options,
                          .payload = &record->msg.payload,
                          .wrap_raw = (session->features & SUBSCRIBER_PAYLOAD_TRANSPARENCY) == 0});

    if (blob->len > session->send_max) {
        core->counters.oversized++;
        blob_drop(blob);
        return;
    }
    core->counters.events++;
    outbox_send(core->out, session->peer, blob, SEND_EVENT,
                publish_key(core, sub, record->msg.text, &topic_hash));
}

/* The newest event of the topic that this subscriber may have. */
static void choose(void *ctx, struct slice topic, struct record *const *newest_first, size_t count)
{
    struct late *late = ctx;
    struct options options;
    struct fault fault;

    (void)topic;
    for (size_t i = 0; i < count && late->left > 0; i++) {
        if (options_read(&options, &newest_first[i]->msg, &late->core->scratch, &fault) < 0 ||
            !is_for(late->core, late->member, newest_first[i], &options))
            continue;
        deliver(late->core, late->member, newest_first[i], &options);
        late->left--;
        return;
    }
}

void retained_deliver(struct core *core, const struct member *member)
{
    const struct match_entry *entry = &member->subscription->entry;
    struct late late = {core, member, MAX_RETAINED_AT_ONCE};

    core->store.ops->retained(core->store.store, entry->match, entry->uri, SIZE_MAX, choose, &late);
}
