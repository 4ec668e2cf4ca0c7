/* meta_events.c -- see meta_events.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/meta_events.h"

#include "base/instant.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/publish.h"

/* Events are written once in this serializer, and transcoded for those who speak another. */
#define META_CODEC CODEC_MSGPACK

bool meta_is_heard(const struct core *core)
{
    return core->broker.meta_listeners != 0 && !core->is_quiet &&
           core->options.roles == (ROUTER_BROKER | ROUTER_DEALER);
}

void meta_start(struct encoder *e)
{
    encode_start(e, META_CODEC, 256);
    encode_list(e, COUNT_UNKNOWN);
}

void meta_publish(struct core *core, const char *topic, struct encoder *e,
                  const struct session *excluded)
{
    struct blob *args;

    encode_end(e);
    args = encode_finish(e);
    publish_meta(core, topic, META_CODEC, blob_slice(args),
                 excluded == NULL ? core->leaving : excluded);
    blob_drop(args);
}

void meta_on_join(struct core *core, const struct session *session)
{
    struct encoder e;

    if (!meta_is_heard(core))
        return;
    meta_start(&e);
    details_encode(&e, core, session);
    meta_publish(core, "wamp.session.on_join", &e, NULL);
}

void meta_on_leave(struct core *core, const struct session *session)
{
    struct encoder e;

    if (!meta_is_heard(core))
        return;
    meta_start(&e);
    encode_uint(&e, session->id);
    encode_text(&e, intern_get_text(&core->intern, session->authid));
    encode_text(&e, intern_get_text(&core->intern, session->authrole));
    meta_publish(core, "wamp.session.on_leave", &e, NULL);
}

/* ---- subscriptions and registrations ---- */

/* id, created, uri, match: the beginning of the details of both kinds. */
static void encode_entry(struct encoder *e, uint64_t id, uint64_t created,
                         const struct match_entry *entry)
{
    char text[INSTANT_LEN];

    encode_text(e, SLICE("id"));
    encode_uint(e, id);
    encode_text_pair(e, "created", instant_format(created, text));
    encode_text_pair(e, "uri", entry->uri);
    encode_text_pair(e, "match", slice_of(match_name(entry->match)));
}

void meta_encode_subscription(struct encoder *e, const struct subscription *sub)
{
    encode_map(e, 4);
    encode_entry(e, sub->id, sub->created, &sub->entry);
    encode_end(e);
}

void meta_encode_registration(struct encoder *e, const struct registration *reg)
{
    encode_map(e, 5);
    encode_entry(e, reg->id, reg->created, &reg->entry);
    encode_text_pair(e, "invoke", slice_of(invoke_name(reg->invoke)));
    encode_end(e);
}

static const struct session *causer_of(const struct core *core, const struct meta_subject *subject)
{
    return core->options.meta_skips_causer ? subject->session : NULL;
}

static void publish_pair(struct core *core, const char *topic, uint64_t session, uint64_t id,
                         const struct session *excluded)
{
    struct encoder e;

    meta_start(&e);
    encode_uint(&e, session);
    encode_uint(&e, id);
    meta_publish(core, topic, &e, excluded);
}

void meta_on_subscription(struct core *core, const char *topic, const struct meta_subject *subject)
{
    if (meta_is_heard(core) && !subject->is_silent)
        publish_pair(core, topic, subject->session->id, subject->id, causer_of(core, subject));
}

void meta_on_subscription_create(struct core *core, const struct subscription *sub,
                                 const struct meta_subject *subject)
{
    struct encoder e;

    if (!meta_is_heard(core) || subject->is_silent)
        return;
    meta_start(&e);
    encode_uint(&e, subject->session->id);
    meta_encode_subscription(&e, sub);
    meta_publish(core, "wamp.subscription.on_create", &e, causer_of(core, subject));
}

void meta_on_registration(struct core *core, const char *topic, const struct session *session,
                          uint64_t id)
{
    if (meta_is_heard(core))
        publish_pair(core, topic, session->id, id, NULL);
}

void meta_on_registration_create(struct core *core, const struct registration *reg,
                                 const struct session *session)
{
    struct encoder e;

    if (!meta_is_heard(core))
        return;
    meta_start(&e);
    encode_uint(&e, session->id);
    meta_encode_registration(&e, reg);
    meta_publish(core, "wamp.registration.on_create", &e, NULL);
}
