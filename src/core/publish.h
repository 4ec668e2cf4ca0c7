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

/* Who gets it besides what its publisher says: by the rules, by a grant, by a filter. */
#define MAX_AUDIENCES 3

struct publication {
    struct core *core;
    uint64_t id;
    const struct session *excluded; /* gets nothing; NULL: nobody is left out */
    const struct msg *msg;          /* topic, options and payload */
    const struct options *options;
    struct filter_set filters;
    const struct audience_test *audiences[MAX_AUDIENCES];
    unsigned audience_count;
    const struct session *publisher; /* NULL: the router */
    bool is_meta;                    /* by the router itself */
    bool is_trusted;                 /* by a trusted session */
    bool is_unasked;                 /* it was to be asked who gets it, and was not */
    bool is_disclosed;               /* subscribers are told who published */
    struct identity identity;        /* of the publisher; session 0: the router */
    int64_t trustlevel;              /* of the publisher, or NO_TRUSTLEVEL */
    uint64_t topic_hash;             /* of patterns: tells topics apart in queues that conflate */
    struct record *record;           /* held when somebody keeps the event; NULL: not made yet */
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

/* True when nobody may ever have the event, or who may is not known and cannot be asked. */
bool publish_is_for_nobody(const struct publication *pub);

/* True when who may have it besides those that are here now is a question for later. */
bool publish_asks_again(const struct publication *pub);

/* True when who may have it is said by more than the publisher's options. */
bool publish_has_audience(const struct publication *pub);

/* The record of the publication; made when it is asked for the first time. */
struct record *publish_record(struct publication *pub);

#endif
