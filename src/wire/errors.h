/* errors.h -- the predefined URIs of errors and of reasons to close.
 *
 * WAMP: "Predefined URIs".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_ERRORS_H
#define NEXUS_WIRE_ERRORS_H

#define WAMP_INVALID_URI              "wamp.error.invalid_uri"
#define WAMP_NO_SUCH_PROCEDURE        "wamp.error.no_such_procedure"
#define WAMP_PROCEDURE_ALREADY_EXISTS "wamp.error.procedure_already_exists"
#define WAMP_NO_SUCH_REGISTRATION     "wamp.error.no_such_registration"
#define WAMP_NO_SUCH_SUBSCRIPTION     "wamp.error.no_such_subscription"
#define WAMP_NO_SUCH_SESSION          "wamp.error.no_such_session"
#define WAMP_INVALID_ARGUMENT         "wamp.error.invalid_argument"
#define WAMP_CANCELED                 "wamp.error.canceled"
#define WAMP_TIMEOUT                  "wamp.error.timeout"
#define WAMP_PAYLOAD_SIZE_EXCEEDED    "wamp.error.payload_size_exceeded"
#define WAMP_PROTOCOL_VIOLATION       "wamp.error.protocol_violation"
#define WAMP_NOT_AUTHORIZED           "wamp.error.not_authorized"
#define WAMP_AUTHORIZATION_FAILED     "wamp.error.authorization_failed"
#define WAMP_AUTHENTICATION_DENIED    "wamp.error.authentication_denied"
#define WAMP_AUTHENTICATION_FAILED    "wamp.error.authentication_failed"
#define WAMP_AUTHENTICATION_REQUIRED  "wamp.error.authentication_required"
#define WAMP_NO_MATCHING_AUTH_METHOD  "wamp.error.no_matching_auth_method"
#define WAMP_NO_SUCH_PRINCIPAL        "wamp.error.no_such_principal"
#define WAMP_NO_SUCH_REALM            "wamp.error.no_such_realm"
#define WAMP_NO_SUCH_ROLE             "wamp.error.no_such_role"
#define WAMP_OPTION_NOT_ALLOWED       "wamp.error.option_not_allowed"
#define WAMP_DISCLOSE_ME_DISALLOWED   "wamp.error.option_disallowed.disclose_me"
#define WAMP_FEATURE_NOT_SUPPORTED    "wamp.error.feature_not_supported"
#define WAMP_UNAVAILABLE              "wamp.error.unavailable"
#define WAMP_NO_AVAILABLE_CALLEE      "wamp.error.no_available_callee"
#define WAMP_NETWORK_FAILURE          "wamp.error.network_failure"
#define WAMP_HISTORY_UNAVAILABLE      "wamp.error.history_unavailable"
#define WAMP_UNREGISTERED             "wamp.error.unregistered"

/* All of them. */
#define WAMP_ERROR_URIS                                                                       \
    WAMP_INVALID_URI, WAMP_NO_SUCH_PROCEDURE, WAMP_PROCEDURE_ALREADY_EXISTS,                  \
        WAMP_NO_SUCH_REGISTRATION, WAMP_NO_SUCH_SUBSCRIPTION, WAMP_NO_SUCH_SESSION,           \
        WAMP_INVALID_ARGUMENT, WAMP_CANCELED, WAMP_TIMEOUT, WAMP_PAYLOAD_SIZE_EXCEEDED,       \
        WAMP_PROTOCOL_VIOLATION, WAMP_NOT_AUTHORIZED, WAMP_AUTHORIZATION_FAILED,              \
        WAMP_AUTHENTICATION_DENIED, WAMP_AUTHENTICATION_FAILED, WAMP_AUTHENTICATION_REQUIRED, \
        WAMP_NO_MATCHING_AUTH_METHOD, WAMP_NO_SUCH_PRINCIPAL, WAMP_NO_SUCH_REALM,             \
        WAMP_NO_SUCH_ROLE, WAMP_OPTION_NOT_ALLOWED, WAMP_DISCLOSE_ME_DISALLOWED,              \
        WAMP_FEATURE_NOT_SUPPORTED, WAMP_UNAVAILABLE, WAMP_NO_AVAILABLE_CALLEE,               \
        WAMP_NETWORK_FAILURE, WAMP_HISTORY_UNAVAILABLE, WAMP_UNREGISTERED

/* Of others, passed on. */
#define WAMP_AUTHORIZATION_DENIED   "wamp.error.authorization_denied"
#define WAMP_AUTHORIZATION_REQUIRED "wamp.error.authorization_required"
#define WAMP_RUNTIME_ERROR          "wamp.error.runtime_error"

/* Our own. */
#define NEXUS_RATE_LIMITED  "nexus.error.rate_limited"
#define NEXUS_RELOAD_FAILED "nexus.error.reload_failed"

#define WAMP_CLOSE_SYSTEM_SHUTDOWN "wamp.close.system_shutdown"
#define WAMP_CLOSE_REALM           "wamp.close.close_realm"
#define WAMP_GOODBYE_AND_OUT       "wamp.close.goodbye_and_out"
#define WAMP_CLOSE_KILLED          "wamp.close.killed"
#define WAMP_CLOSE_NORMAL          "wamp.close.normal"
#define WAMP_CLOSE_LOGOUT          "wamp.close.logout"

#endif
