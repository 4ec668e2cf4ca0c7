/* limits.h -- every bound a peer can reach inside the core, with its reason.
 *
 * Bounds of the configuration are in struct core_options; those of the network
 * in net/net.h; those of the grammar in wire/codec.h and wire/uri.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LIMITS_H
#define NEXUS_CORE_LIMITS_H

/* HELLO attributes are kept as long as the session lives: a peer must not make us store more. */
#define MAX_ATTRIBUTES     32
#define MAX_ATTRIBUTE_LEN  4096
#define MAX_ATTRIBUTES_LEN 16384

/* A list in `eligible*` or `exclude*` costs time in every publication. */
#define MAX_FILTER_VALUES 10000
#define MAX_FILTERS       32

/* Conditions that an audience is made of; they cost time for each subscriber. */
#define MAX_AUDIENCE_PARTS 64

/* A decision tree: what a predicate may look at for one answer, the edges in all, and after how many
 * answers in a row that no other session could use it stops to grow. */
#define MAX_AUDIENCE_LOOKS  64
#define MAX_AUDIENCE_EDGES  65536
#define MAX_AUDIENCE_MISSES 256

/* Subscriptions of a session whose retained events wait for somebody to say who gets them. */
#define MAX_LATE 16

/* Roles that session.count and session.list look for at once. */
#define MAX_ROLES_ASKED 1000

/* Text of a peer that is quoted in a fault or a log line. */
#define MAX_QUOTED_LEN 80

/* Bytes of a name or text in a note: a peer does not fill the log with one. */
#define MAX_NOTICE_LEN 1024

/* Late chunks of finished progressive calls are told from new calls by remembering those. */
#define MAX_FINISHED_CALLS 64

/* Publications that a session leaves behind. */
#define MAX_TESTAMENTS     64
#define MAX_TESTAMENTS_LEN 4194304

/* Retained events that one SUBSCRIBE of a pattern brings. */
#define MAX_RETAINED_AT_ONCE 1000

/* Definitions of the reflection API, the length of one, and of all: one answer may hold them. */
#define MAX_DEFINITIONS     10000
#define MAX_DEFINITION_LEN  65536
#define MAX_DEFINITIONS_LEN 16777216

/* Events in one answer of the history: from this length on the rest is for the next one. */
#define MAX_HISTORY_RESULT_LEN 16777216

/* How often the realm is told of events that were dropped. */
#define LOSSES_INTERVAL_MS 1000

/* Requests of a session that wait while one is judged; then its socket is not read. */
#define MAX_PARKED     64
#define MAX_PARKED_LEN 1048576

/* Answers of a callee that are judged, or wait behind such; then its socket is not read. */
#define MAX_REVIEWED     256
#define MAX_REVIEWED_LEN 4194304

/* A HELLO, and an AUTHENTICATE, that is kept for those who judge it: anybody may send one. */
#define MAX_JOINING_LEN 65536

/* What sessions hold and is judged again: so much in a millisecond, and so many questions at a
 * time. */
#define RECHECKS_AT_ONCE   2000
#define MAX_RECHECKS_ASKED 64

/* Answers of somebody who was asked, kept for those who are equal in what was read for them. */
#define MAX_KEPT_LEN   8388608
#define MAX_KEPT_READS 16

/* Limits of a policy: tokens a second, and how long an empty bucket may take to be full. */
#define MIN_LIMIT_RATE   1e-6
#define MAX_LIMIT_RATE   1e6
#define MAX_LIMIT_FILL_S 1e9

/* What a policy keeps with a session. */
#define MAX_VARS_LEN 16384

/* Memory of calls that are over, kept for the next ones of a realm: 256 KiB. */
#define MAX_SPARE_CALLS 1024

/* CHALLENGEs before a session is open: methods with several rounds. */
#define MAX_CHALLENGES 4

#define DEFAULT_AUTH_TIMEOUT_MS 10000
#define DEFAULT_MAX_KEPT_NODES  50000
#define DEFAULT_MAX_BUCKETS     100000
#define DEFAULT_MAX_JOINING     10000

/* Chunks of input that a progressive call may have while it waits for a callee. */
#define MAX_WAITING_CHUNKS     64
#define MAX_WAITING_CHUNKS_LEN 4194304

#define DEFAULT_MAX_SUBSCRIPTIONS     100000
#define DEFAULT_MAX_REGISTRATIONS     100000
#define DEFAULT_MAX_PENDING_CALLS     10000
#define DEFAULT_GOODBYE_TIMEOUT_MS    5000
#define DEFAULT_CALL_QUEUE_TIMEOUT_MS 10000
#define DEFAULT_HISTORY_MAX_RESULT    1000
#define DEFAULT_RETAINED_MAX_TOPICS   10000
#define DEFAULT_RETAINED_MAX_BYTES    67108864

/* How long a finished progressive call is remembered (MAX_FINISHED_CALLS of them). */
#define FINISHED_CALL_MS 60000

/* Instants must not overflow, whatever a peer asks for: some 285,000 years. */
#define MAX_TIMEOUT_MS (UINT64_C(1) << 53)

/* A callee that was given the timeout should have used it: the dealer waits so much longer. */
#define TIMEOUT_BACKSTOP_MS 5000

/* INTERRUPTs that the knob reinterrupt causes, for one callee session. */
#define REINTERRUPT_MS 1000

#endif
