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

/* role of the router, name on the wire, whether the knob ppt_compat must be on */
#define FEATURES_GIVEN(X)                             \
    X(broker, "pattern_based_subscription", false)    \
    X(broker, "payload_passthru_mode", false)         \
    X(broker, "payload_transparency", true)           \
    X(broker, "publication_trustlevels", false)       \
    X(broker, "publisher_exclusion", false)           \
    X(broker, "publisher_identification", false)      \
    X(broker, "subscriber_blackwhite_listing", false) \
    X(dealer, "call_canceling", false)                \
    X(dealer, "call_reroute", false)                  \
    X(dealer, "call_timeout", false)                  \
    X(dealer, "call_trustlevels", false)              \
    X(dealer, "caller_identification", false)         \
    X(dealer, "pattern_based_registration", false)    \
    X(dealer, "payload_passthru_mode", false)         \
    X(dealer, "payload_transparency", true)           \
    X(dealer, "progressive_call_invocations", false)  \
    X(dealer, "progressive_call_results", false)      \
    X(dealer, "registration_revocation", false)       \
    X(dealer, "sharded_registration", false)          \
    X(dealer, "shared_registration", false)

#endif
