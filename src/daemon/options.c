/* options.c -- the rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/options.h"

#include "core/limits.h"
#include "daemon/config.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

#define SECTION_OF(rows)                            \
    {                                               \
        .options = (rows), .count = ARRAY_LEN(rows) \
    }

static const char *const serializer_names[] = {"json", "msgpack", "cbor", NULL};
static const char *const protocol_names[] = {"websocket", "rawsocket", NULL};
static const char *const policy_names[] = {"open", NULL};
static const char *const uri_names[] = {"loose", "strict", NULL};
static const char *const request_id_names[] = {"lenient", "sequential", "strict", NULL};
static const char *const overflow_names[] = {"drop_newest", "drop_oldest", "conflate", "disconnect",
                                             NULL};
static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_names[] = {"text", "json", NULL};

_Static_assert(CODEC_JSON == 0 && CODEC_MSGPACK == 1 && CODEC_CBOR == 2, "serializer_names");
_Static_assert(REQUEST_IDS_LENIENT == 0 && REQUEST_IDS_STRICT == 2, "request_id_names");
_Static_assert(OVERFLOW_DROP_NEWEST == 0 && OVERFLOW_DISCONNECT == 3, "overflow_names");
_Static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3, "level_names");
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "counts are written as uint32_t");

/* ---- one address ---- */

#define AT(field) offsetof(struct listen_config, field)

static const struct config_option tls_rows[] = {
    {.name = "cert",
     .type = OPTION_FILE,
     .is_required = true,
     .offset = AT(net.tls_cert),
     .words = "certificate and its chain, PEM"},
    {.name = "key",
     .type = OPTION_FILE,
     .is_required = true,
     .offset = AT(net.tls_key),
     .words = "private key of the certificate, PEM"},
    {.name = "optional",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(is_tls_optional),
     .words = "serve connections without TLS on the same port as well"},
};
static const struct section tls_section = SECTION_OF(tls_rows);

static const struct config_option cookie_rows[] = {
    {.name = "name",
     .type = OPTION_TEXT,
     .min = 1,
     .is_required = true,
     .offset = AT(net.cookie_name),
     .words = "name of the cookie"},
    {.name = "max_age",
     .type = OPTION_DURATION_S,
     .fallback = "7d",
     .min = 1,
     .max = UINT64_C(315360000),
     .offset = AT(net.cookie_max_age_s),
     .words = "how long browsers keep it"},
};
static const struct section cookie_section = SECTION_OF(cookie_rows);

static const struct config_option listen_rows[] = {
    {.name = "address",
     .type = OPTION_TEXT,
     .min = 1,
     .is_required = true,
     .offset = AT(address),
     .words = "\"host:port\", \"[::1]:port\", \"tls://host:port\" or \"unix:/path\"; "
              "port 0: any free one"},
    {.name = "protocols",
     .type = OPTION_SET,
     .fallback = "websocket,rawsocket",
     .choices = protocol_names,
     .offset = AT(protocols),
     .words = "what is spoken there; the first octets tell them apart"},
    {.name = "serializers",
     .type = OPTION_SET,
     .fallback = "json,msgpack,cbor",
     .choices = serializer_names,
     .offset = AT(net.codecs),
     .words = "serializers that peers may choose"},
    {.name = "paths",
     .type = OPTION_TEXTS,
     .fallback = "/,/ws",
     .offset = AT(net.paths),
     .words = "paths that are WebSockets"},
    {.name = "origins",
     .type = OPTION_TEXTS,
     .offset = AT(net.origins),
     .words = "web origins that may connect, e.g. { \"https://app.example.com\" }; not set: any"},
    {.name = "default_realm",
     .type = OPTION_TEXT,
     .min = 1,
     .offset = AT(net.default_realm),
     .words = "realm of a HELLO that names none; not set: such a HELLO is refused"},
    {.name = "rawsocket_min_length",
     .type = OPTION_SIZE,
     .fallback = "0",
     .max = UINT64_C(16) << 20,
     .offset = AT(net.rawsocket_min_len),
     .words = "refuse RawSocket peers that accept only shorter messages; 0: none"},
    {.name = "unix_mode",
     .type = OPTION_MODE,
     .offset = AT(net.unix_mode),
     .words = "permissions of the socket file, e.g. \"0660\"; not set: as the umask says"},
    {.name = "cookie",
     .type = OPTION_SECTION,
     .section = &cookie_section,
     .offset = AT(net.cookie_name),
     .words = "tracking cookie; needs origins; not set: none"},
    {.name = "tls",
     .type = OPTION_SECTION,
     .section = &tls_section,
     .offset = AT(net.tls_cert),
     .words = "certificate and key of a tls:// address"},
};
const struct section listen_section = SECTION_OF(listen_rows);
#undef AT

/* ---- one realm ---- */

#define AT(field) offsetof(struct realm_config, router.field)

static const struct config_option queue_rows[] = {
    {.name = "messages",
     .type = OPTION_COUNT,
     .fallback = "10000",
     .min = 1,
     .max = 100000000,
     .offset = AT(queue.max_messages),
     .words = "messages that wait for one session at most"},
    {.name = "bytes",
     .type = OPTION_SIZE,
     .fallback = "32MiB",
     .min = 4096,
     .max = 1 << 30,
     .offset = AT(queue.max_bytes),
     .words = "bytes after which an event or invocation does not fit"},
    {.name = "hard_bytes",
     .type = OPTION_SIZE,
     .fallback = "64MiB",
     .min = 4096,
     .max = 2147483648U,
     .offset = AT(queue.hard_bytes),
     .words = "bytes after which even a reply does not fit and the session ends"},
    {.name = "overflow",
     .type = OPTION_CHOICE,
     .fallback = "drop_newest",
     .choices = overflow_names,
     .offset = AT(queue.overflow),
     .words = "what happens to an event that does not fit; conflate: a topic's latest stays"},
};
static const struct section queue_section = SECTION_OF(queue_rows);

static const struct config_option realm_rows[] = {
    {.name = "policy",
     .type = OPTION_CHOICE,
     .is_required = true,
     .choices = policy_names,
     .offset = offsetof(struct realm_config, policy),
     .words = "who may come in and do what; \"open\": anybody, everything"},
    {.name = "anonymous_role",
     .type = OPTION_TEXT,
     .min = 1,
     .fallback = "anonymous",
     .offset = AT(core.anonymous_role),
     .words = "authrole of sessions that did not authenticate"},
    {.name = "uri_check",
     .type = OPTION_SWITCH,
     .fallback = "loose",
     .choices = uri_names,
     .offset = AT(core.strict_uris),
     .words = "grammar of URIs; strict: a-z, 0-9, _ and dots"},
    {.name = "request_id_check",
     .type = OPTION_CHOICE,
     .fallback = "lenient",
     .choices = request_id_names,
     .offset = AT(core.request_id_check),
     .words = "how exactly request ids of peers must count up"},
    {.name = "ppt_compat",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = AT(core.ppt_compat),
     .words = "accept the older framing of end-to-end encrypted payloads"},
    {.name = "empty_eligible_is_absent",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.empty_eligible_is_absent),
     .words = "an empty list of eligible receivers means everybody, as with some other routers"},
    {.name = "max_sessions",
     .type = OPTION_COUNT,
     .fallback = "0",
     .max = 10000000,
     .offset = AT(core.max_sessions),
     .words = "sessions in the realm; 0: no bound"},
    {.name = "max_subscriptions",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_MAX_SUBSCRIPTIONS),
     .min = 1,
     .max = 10000000,
     .offset = AT(core.max_subscriptions),
     .words = "subscriptions of one session"},
    {.name = "max_registrations",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_MAX_REGISTRATIONS),
     .min = 1,
     .max = 10000000,
     .offset = AT(core.max_registrations),
     .words = "registrations of one session"},
    {.name = "max_pending_calls",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_MAX_PENDING_CALLS),
     .min = 1,
     .max = 10000000,
     .offset = AT(core.max_pending_calls),
     .words = "calls of one session that wait for a result"},
    {.name = "goodbye_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "5s",
     .min = 10,
     .max = 3600000,
     .offset = AT(core.goodbye_timeout_ms),
     .words = "our GOODBYE to the peer's answer"},
    {.name = "queue",
     .type = OPTION_SECTION,
     .section = &queue_section,
     .words = "what may wait for a session that reads too slowly"},
};
const struct section realm_section = SECTION_OF(realm_rows);
#undef AT

/* ---- the file ---- */

#define AT(field) offsetof(struct config, field)

static const struct config_option limits_rows[] = {
    {.name = "max_connections",
     .type = OPTION_COUNT,
     .fallback = "50000",
     .min = 1,
     .max = 10000000,
     .offset = AT(router.limits.max_connections),
     .words = "connections at one time"},
    {.name = "max_connections_per_address",
     .type = OPTION_COUNT,
     .fallback = "0",
     .max = 10000000,
     .offset = AT(router.limits.max_connections_per_address),
     .words = "connections from one IP address; 0: no bound"},
    {.name = "max_message_size",
     .type = OPTION_SIZE,
     .fallback = "16MiB",
     .min = 512,
     .max = UINT64_C(16) << 20,
     .offset = AT(router.limits.max_message_len),
     .words = "a peer that sends a longer message is closed"},
    {.name = "handshake_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "10s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.limits.handshake_timeout_ms),
     .words = "connection to the end of the TLS, WebSocket or RawSocket handshake"},
    {.name = "hello_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "5s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.limits.hello_timeout_ms),
     .words = "handshake to a session"},
    {.name = "rejoin_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "5s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.limits.rejoin_timeout_ms),
     .words = "end of a session to the next one on the same connection"},
    {.name = "ping_interval",
     .type = OPTION_DURATION_MS,
     .fallback = "20s",
     .max = 86400000,
     .offset = AT(router.limits.ping_interval_ms),
     .words = "a peer that was silent that long is asked whether it lives; 0: never"},
    {.name = "ping_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "20s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.limits.ping_timeout_ms),
     .words = "how long the answer may take"},
    {.name = "close_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "5s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.limits.close_timeout_ms),
     .words = "how long writing out the last messages of a connection may take"},
    {.name = "max_pings_per_second",
     .type = OPTION_COUNT,
     .fallback = "100",
     .min = 1,
     .max = 1000000,
     .offset = AT(router.limits.max_pings_per_s),
     .words = "RawSocket PINGs of one peer; one that sends more is closed"},
};
static const struct section limits_section = SECTION_OF(limits_rows);

static const struct config_option log_rows[] = {
    {.name = "level",
     .type = OPTION_CHOICE,
     .fallback = "info",
     .choices = level_names,
     .offset = AT(log_level),
     .words = "the least important lines that are written"},
    {.name = "format",
     .type = OPTION_SWITCH,
     .fallback = "text",
     .choices = format_names,
     .offset = AT(is_log_json),
     .words = "text for people, json for programs"},
    {.name = "file",
     .type = OPTION_TEXT,
     .min = 1,
     .offset = AT(log_file),
     .words = "file that lines are added to; not set: standard error"},
};
static const struct section log_section = SECTION_OF(log_rows);

static const struct config_option config_rows[] = {
    {.name = "listen",
     .type = OPTION_LISTEN,
     .is_required = true,
     .section = &listen_section,
     .words = "addresses; each speaks WebSocket, RawSocket and HTTP"},
    {.name = "realms",
     .type = OPTION_REALMS,
     .section = &realm_section,
     .words = "realms by name; peers of different realms never meet"},
    {.name = "realm_template",
     .type = OPTION_REALM,
     .section = &realm_section,
     .words = "for realms that nobody named here, made when the first peer asks for one"},
    {.name = "max_realms",
     .type = OPTION_COUNT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .offset = AT(router.max_template_realms),
     .words = "realms that may be made from the template"},
    {.name = "workers",
     .type = OPTION_COUNT,
     .fallback = "1",
     .min = 1,
     .max = MAX_WORKERS,
     .offset = AT(router.workers),
     .words = "threads that serve connections"},
    {.name = "shutdown_grace",
     .type = OPTION_DURATION_MS,
     .fallback = "4s",
     .min = 10,
     .max = 3600000,
     .offset = AT(router.shutdown_grace_ms),
     .words = "how long sessions may take to say goodbye when nexusd is stopped"},
    {.name = "agent",
     .type = OPTION_TEXT,
     .fallback = "nexus-" NEXUS_VERSION,
     .offset = AT(agent),
     .words = "how the router calls itself in WELCOME; \"\": not at all"},
    {.name = "limits",
     .type = OPTION_SECTION,
     .section = &limits_section,
     .words = "bounds and times of all connections"},
    {.name = "log", .type = OPTION_SECTION, .section = &log_section, .words = "log lines"},
};
const struct section config_section = SECTION_OF(config_rows);
