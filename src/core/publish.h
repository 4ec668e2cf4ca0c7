/* publish.h -- publications: to everybody they are for, and into what is kept.
 *
 * Sessions publish, the testaments of sessions that are gone are published, and so
 * are the events of the meta API. All become one struct publication.
 *
 * WAMP: "Publish and Subscribe", "Publisher Exclusion", "Publisher Identification",
 * "Subscriber Black- and Whitelisting", "Publication Trust Levels".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_PUBLISH_H
#define NEXUS_CORE_PUBLISH_H

#include "core/broker.h"
#include "core/filter.h"
#include "core/record.h"
#include "core/reply.h"

struct publication {
    struct core *core;
    uint64_t id;
    const struct session *excluded; /* gets nothing; NULL: nobody is left out */
    const struct msg *msg;          /* topic, options and payload */
    const struct options *options;
    struct filter_set filters;
    bool is_meta;             /* by the router itself */
    bool is_trusted;          /* by a trusted session */
    bool is_disclosed;        /* subscribers are told who published */
    struct identity identity; /* of the publisher; session 0: the router */
    int64_t trustlevel;       /* of the publisher, or NO_TRUSTLEVEL */
    uint64_t topic_hash;      /* of patterns: tells topics apart in queues that conflate */
    struct record *record;    /* held when somebody keeps the event; NULL: not made yet */
};

/* PUBLISH of a session. */
void publish_receive(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options);

/* What a session that is ending left behind: the same as its PUBLISH would have been, unheard by
 * itself. */
void publish_testament(struct core *core, struct session *session, const struct msg *msg);

/* An event of the router itself; args is an encoded list. */
void publish_meta(struct core *core, const char *topic, enum codec codec, struct slice args,
                  const struct session *excluded);

/* What is wrong with the topic and options of a PUBLISH, as the URI of an ERROR with words that
 * live until the next step; NULL: nothing. The filters of the publication are made. */
const char *publish_fault(struct publication *pub, const char **words);

/* One number for (subscription, topic): the latest event of a topic may replace a queued one.
 * *topic_hash is 0 at first, and kept for the next subscription. */
uint64_t publish_key(const struct core *core, const struct subscription *sub, struct slice topic,
                     uint64_t *topic_hash);

/* The record of the publication; made when it is asked for the first time. */
struct record *publish_record(struct publication *pub);

#endif
