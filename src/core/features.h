/* features.h -- roles and features: what clients may announce and what we do.
 *
 * FEATURES_ASKED: announcements of clients that change what we do, one bit each.
 * FEATURES_GIVEN: what WELCOME announces, exactly what works and is tested.
 *
 * WAMP: "Feature Announcement".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_FEATURES_H
#define NEXUS_CORE_FEATURES_H

#include "base/base.h"

enum role { ROLE_PUBLISHER, ROLE_SUBSCRIBER, ROLE_CALLER, ROLE_CALLEE, ROLE_COUNT };

/* role, feature, name on the wire */
#define FEATURES_ASKED(X)                                                   \
    X(PUBLISHER, PAYLOAD_PASSTHRU_MODE, "payload_passthru_mode")            \
    X(SUBSCRIBER, PAYLOAD_TRANSPARENCY, "payload_transparency")             \
    X(CALLER, PAYLOAD_PASSTHRU_MODE, "payload_passthru_mode")               \
    X(CALLER, PAYLOAD_TRANSPARENCY, "payload_transparency")                 \
    X(CALLEE, PAYLOAD_PASSTHRU_MODE, "payload_passthru_mode")               \
    X(CALLEE, PAYLOAD_TRANSPARENCY, "payload_transparency")                 \
    X(SUBSCRIBER, PUBLICATION_TRUSTLEVELS, "publication_trustlevels")       \
    X(SUBSCRIBER, SUBSCRIPTION_REVOCATION, "subscription_revocation")       \
    X(CALLER, PROGRESSIVE_CALL_INVOCATIONS, "progressive_call_invocations") \
    X(CALLEE, PROGRESSIVE_CALL_RESULTS, "progressive_call_results")         \
    X(CALLEE, PROGRESSIVE_CALL_INVOCATIONS, "progressive_call_invocations") \
    X(CALLEE, CALL_TIMEOUT, "call_timeout")                                 \
    X(CALLEE, CALL_TRUSTLEVELS, "call_trustlevels")                         \
    X(CALLEE, CALL_REROUTE, "call_reroute")                                 \
    X(CALLEE, REGISTRATION_REVOCATION, "registration_revocation")           \
    X(CALLEE, CALL_CANCELING, "call_canceling")                             \
    X(CALLEE, CALL_CANCELLING, "call_cancelling")

#define FEATURE_NUMBER(role, name, wire) FEATURE_NUMBER_##role##_##name,
enum { FEATURES_ASKED(FEATURE_NUMBER) FEATURE_NUMBERS };
#undef FEATURE_NUMBER

/* Bits of session->features: CALLEE_CALL_CANCELING and so on. */
#define FEATURE_BIT(role, name, wire) role##_##name = 1 << FEATURE_NUMBER_##role##_##name,
enum feature { FEATURES_ASKED(FEATURE_BIT) };
#undef FEATURE_BIT

/* What a realm is: a broker, a dealer, or both. */
enum router_role { ROUTER_BROKER = 1, ROUTER_DEALER = 2 };

/* When a feature is announced. */
enum feature_when {
    WHEN_EVER = 1,
    WHEN_PPT_COMPAT = 2, /* with the knob ppt_compat */
    WHEN_META = 4,       /* broker and dealer: procedures and topics of the router itself */
    WHEN_HISTORY = 8,    /* some events are kept, and can be asked for */
};

/* role of the router, name on the wire, when */
#define FEATURES_GIVEN(X)                                        \
    X(ROUTER_BROKER, "event_history", WHEN_HISTORY)              \
    X(ROUTER_BROKER, "event_retention", WHEN_EVER)               \
    X(ROUTER_BROKER, "pattern_based_subscription", WHEN_EVER)    \
    X(ROUTER_BROKER, "payload_passthru_mode", WHEN_EVER)         \
    X(ROUTER_BROKER, "payload_transparency", WHEN_PPT_COMPAT)    \
    X(ROUTER_BROKER, "publication_trustlevels", WHEN_EVER)       \
    X(ROUTER_BROKER, "publisher_exclusion", WHEN_EVER)           \
    X(ROUTER_BROKER, "publisher_identification", WHEN_EVER)      \
    X(ROUTER_BROKER, "reflection", WHEN_META)                    \
    X(ROUTER_BROKER, "session_meta_api", WHEN_META)              \
    X(ROUTER_BROKER, "sharded_subscription", WHEN_EVER)          \
    X(ROUTER_BROKER, "subscriber_blackwhite_listing", WHEN_EVER) \
    X(ROUTER_BROKER, "subscription_meta_api", WHEN_META)         \
    X(ROUTER_BROKER, "subscription_revocation", WHEN_META)       \
    X(ROUTER_DEALER, "call_canceling", WHEN_EVER)                \
    X(ROUTER_DEALER, "call_reroute", WHEN_EVER)                  \
    X(ROUTER_DEALER, "call_timeout", WHEN_EVER)                  \
    X(ROUTER_DEALER, "call_trustlevels", WHEN_EVER)              \
    X(ROUTER_DEALER, "caller_identification", WHEN_EVER)         \
    X(ROUTER_DEALER, "pattern_based_registration", WHEN_EVER)    \
    X(ROUTER_DEALER, "payload_passthru_mode", WHEN_EVER)         \
    X(ROUTER_DEALER, "payload_transparency", WHEN_PPT_COMPAT)    \
    X(ROUTER_DEALER, "progressive_call_invocations", WHEN_EVER)  \
    X(ROUTER_DEALER, "progressive_call_results", WHEN_EVER)      \
    X(ROUTER_DEALER, "reflection", WHEN_META)                    \
    X(ROUTER_DEALER, "registration_meta_api", WHEN_META)         \
    X(ROUTER_DEALER, "registration_revocation", WHEN_EVER)       \
    X(ROUTER_DEALER, "session_meta_api", WHEN_META)              \
    X(ROUTER_DEALER, "sharded_registration", WHEN_EVER)          \
    X(ROUTER_DEALER, "shared_registration", WHEN_EVER)           \
    X(ROUTER_DEALER, "testament_meta_api", WHEN_META)

#endif
