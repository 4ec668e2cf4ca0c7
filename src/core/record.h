/* record.h -- an event that is kept: for late subscribers, and for those who ask for history.
 *
 * A record is made once for a publication and shared by everything that keeps it:
 * immutable, counted, one allocation but for its audience. Its msg is the PUBLISH as it came, so options
 * are read from it again when it is needed.
 *
 * WAMP: "Event Retention", "Event History".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RECORD_H
#define NEXUS_CORE_RECORD_H

#include "wire/msg.h"

struct audience;

struct record {
    unsigned refs;
    size_t size;                     /* bytes that it takes, itself included */
    uint64_t wall;                   /* when it was received: ms since 1970 */
    uint64_t publication;            /* id */
    uint64_t publisher;              /* session id; 0: the router itself */
    int64_t trustlevel;              /* of the publisher; negative: none */
    bool is_disclosed;               /* subscribers are told who published */
    bool is_restricted;              /* it has filters: not everybody may have it */
    bool asks_again;                 /* who else may have it has to be asked; see late.h */
    const struct audience *audience; /* counted; who may have it at most; NULL: everybody */
    struct slice authid, authrole;   /* of the publisher */
    struct slice details;            /* of the publisher, encoded; len 0: not needed */
    struct msg msg;                  /* PUBLISH; all its slices point into this allocation */
};

/* A copy of the message with what is known of the publisher; held once by the caller. Fields that
 * are not slices are copied from `facts`; refs, size and msg of it are ignored. */
struct record *record_new(const struct msg *msg, const struct record *facts);

/* The number of bytes that record_new would take. */
size_t record_size(const struct msg *msg, const struct record *facts);

struct record *record_hold(struct record *record);
void record_drop(struct record *record); /* NULL is fine */

#endif
