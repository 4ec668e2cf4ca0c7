/* retained.c -- see retained.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/retained.h"

#include "core/audience.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "core/send.h"

void retained_keep(struct publication *pub)
{
    const struct store *store = &pub->core->store;

    if (pub->msg->payload.kind == PAYLOAD_NONE && !options_is_ppt(pub->options))
        store->ops->forget(store->store, pub->msg->text);
    else if (!publish_is_for_nobody(pub) && !store->ops->retain(store->store, publish_record(pub)))
        pub->core->counters.unretained++;
}

/* Whether the session would have been in the audience of that event, as far as that was kept. */
static bool is_for(struct core *core, const struct member *member, const struct record *record,
                   const struct options *options)
{
    static const struct audience_publisher nobody = {0}; /* what was kept does not refer to it */
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
           filters_pass(&filters, session) &&
           (record->audience == NULL ||
            audience_admits(audience_read(record->audience, core, &nobody), session));
}

enum retained_answer retained_judge(struct core *core, const struct member *member,
                                    const struct record *record)
{
    struct options options;
    struct fault fault;

    if (options_read(&options, &record->msg, &core->scratch, &fault) < 0 ||
        !is_for(core, member, record, &options))
        return RETAINED_NO;
    if (!record->asks_again)
        return RETAINED_YES;
    return core->options.asks_filter ? RETAINED_ASK : RETAINED_NO;
}

void retained_send(struct core *core, const struct member *member, const struct record *record)
{
    const struct subscription *sub = member->subscription;
    const struct session *session = member->session;
    uint64_t topic_hash = 0;
    const struct identity identity = {record->publisher, record->authid, record->authrole};
    bool wants_trustlevel = (session->features & SUBSCRIBER_PUBLICATION_TRUSTLEVELS) != 0;
    struct options options;
    struct fault fault;
    struct blob *blob;

    if (options_read(&options, &record->msg, &core->scratch, &fault) < 0)
        return;
    blob = reply_event(
        &(struct forward){.codec = session->codec,
                          .id = sub->id,
                          .second = record->publication,
                          .uri_key = sub->entry.match == MATCH_EXACT ? NULL : "topic",
                          .uri = record->msg.text,
                          .identity_key = "publisher",
                          .identity = record->is_disclosed ? &identity : NULL,
                          .trustlevel = wants_trustlevel ? record->trustlevel : NO_TRUSTLEVEL,
                          .is_retained = true,
                          .options = &options,
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
