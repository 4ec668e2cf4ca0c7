/* options_realm.c -- the rows of a realm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/limits.h"
#include "daemon/compat.h"
#include "daemon/config.h"
#include "daemon/options.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

static const char *const role_names[] = {"broker", "dealer", NULL};
static const char *const lookup_miss_names[] = {"null", "zero", NULL};
static const char *const kill_reason_names[] = {"killed", "normal", NULL};
static const char *const kill_results_names[] = {"standard", "count", "list", NULL};
static const char *const match_names[] = {"exact", "prefix", "wildcard", NULL};
static const char *const history_result_names[] = {"flat", "list", NULL};
static const char *const uri_names[] = {"loose", "strict", NULL};
static const char *const request_id_names[] = {"lenient", "sequential", "strict", NULL};
static const char *const disclosure_names[] = {"never", "request", "always", NULL};
static const char *const cancel_mode_names[] = {"killnowait", "kill", "skip", NULL};
static const char *const invoke_unknown_names[] = {"violation", "fallback", NULL};
static const char *const overflow_names[] = {"drop_newest", "drop_oldest", "conflate", "disconnect",
                                             NULL};

_Static_assert(ROUTER_BROKER == 1 && ROUTER_DEALER == 2, "role_names");
_Static_assert(KILL_RESULTS_STANDARD == 0 && KILL_RESULTS_LIST == 2, "kill_results_names");
_Static_assert(MATCH_EXACT == 0 && MATCH_WILDCARD == 2, "match_names");
_Static_assert(DEFAULT_AUTH_TIMEOUT_MS == 10000, "auth_timeout");
_Static_assert(DEFAULT_RETAINED_MAX_BYTES == 64 << 20, "retained_max_bytes");
_Static_assert(sizeof(enum match) == sizeof(unsigned), "choices are written as unsigned");
_Static_assert(REQUEST_IDS_LENIENT == 0 && REQUEST_IDS_STRICT == 2, "request_id_names");
_Static_assert(DISCLOSE_NEVER == 0 && DISCLOSE_ALWAYS == 2, "disclosure_names");
_Static_assert(CANCEL_KILLNOWAIT == 0 && CANCEL_SKIP == 2, "cancel_mode_names");
_Static_assert(OVERFLOW_DROP_NEWEST == 0 && OVERFLOW_DISCONNECT == 3, "overflow_names");

/* Far more than a machine has; and sums of it do not overflow. */
#define MAX_BYTES (UINT64_C(1) << 40)

#define HISTORY_AT(field) offsetof(struct history_options, field)

static const struct config_option history_rows[] = {
    {.name = "uri",
     .type = OPTION_TEXT,
     .is_required = true,
     .offset = HISTORY_AT(uri),
     .words = "the topic, or the pattern of topics, e.g. \"com.acme.log\""},
    {.name = "match",
     .type = OPTION_CHOICE,
     .fallback = "exact",
     .choices = match_names,
     .offset = HISTORY_AT(match),
     .words = "how uri is meant, as in SUBSCRIBE"},
    {.name = "limit",
     .type = OPTION_COUNT,
     .fallback = "1000",
     .min = 1,
     .max = 10000000,
     .offset = HISTORY_AT(limits.max_events),
     .words = "events that are kept; the oldest go first"},
    {.name = "max_age",
     .type = OPTION_DURATION_S,
     .fallback = "0s",
     .max = UINT64_C(315360000),
     .offset = HISTORY_AT(limits.max_age_s),
     .words = "how long an event is kept; 0: no bound"},
    {.name = "max_bytes",
     .type = OPTION_SIZE64,
     .fallback = "64MiB",
     .max = MAX_BYTES,
     .offset = HISTORY_AT(limits.max_bytes),
     .words = "memory of the kept events; 0: no bound"},
};
static const struct section history_section = SECTION_OF(history_rows);

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

static const struct config_option kv_rows[] = {
    {.name = "max_entries",
     .type = OPTION_COUNT,
     .fallback = "1000000",
     .min = 1,
     .max = 100000000,
     .offset = offsetof(struct realm_config, kv_max_entries),
     .words = "entries of all stores of the realm's policy together"},
    {.name = "max_bytes",
     .type = OPTION_SIZE64,
     .fallback = "256MiB",
     .min = 4096,
     .max = UINT64_C(1) << 40,
     .offset = offsetof(struct realm_config, kv_max_bytes),
     .words = "keys, values and 192 bytes an entry, of all of them"},
};
static const struct section kv_section = SECTION_OF(kv_rows);

#define REALM_AT(field) offsetof(struct realm_config, field)

/* Rows of one budget. */
#define BUDGET_TIME(kind, field, fallback_ms, text)                                          \
    {                                                                                        \
        .name = #field, .type = OPTION_DURATION_MS, .fallback = STRING(fallback_ms) "ms",    \
        .min = 1, .max = 86400000, .offset = REALM_AT(budgets.of[BUDGET_##kind].field##_ms), \
        .words = text,                                                                       \
    }

#define BUDGET_SECTION(kind, key, stretch_ms_, cpu_ms_, wall_ms_)           \
    static const struct config_option key##_budget_rows[] = {               \
        BUDGET_TIME(kind, stretch, stretch_ms_, "CPU between two waits"),   \
        BUDGET_TIME(kind, cpu, cpu_ms_, "CPU in all"),                      \
        BUDGET_TIME(kind, wall, wall_ms_, "time in all, waiting included"), \
    };                                                                      \
    static const struct section key##_budget = SECTION_OF(key##_budget_rows);

POLICY_BUDGETS(BUDGET_SECTION)

#define BUDGET_OPTION(kind, key, stretch_ms_, cpu_ms_, wall_ms_) \
    {.name = #key, .type = OPTION_SECTION, .section = &key##_budget, .words = "of one " #key},

static const struct config_option budgets_rows[] = {
    POLICY_BUDGETS(BUDGET_OPTION){
        .name = "growth",
        .type = OPTION_SIZE64,
        .fallback = STRING(POLICY_GROWTH_MIB) "MiB",
        .min = 65536,
        .max = MAX_BYTES,
        .offset = REALM_AT(budgets.growth),
        .words = "by so much the memory of a policy may grow between two waits"},
};
static const struct section budgets_section = SECTION_OF(budgets_rows);

/* What every policy may use, that of a realm and the router's own. */
#define POLICY_ROWS                                                                               \
    {.name = "kv",                                                                                \
     .type = OPTION_SECTION,                                                                      \
     .section = &kv_section,                                                                      \
     .words = "stores of the policy (nexus.kv)"},                                                 \
        {.name = "settings",                                                                      \
         .type = OPTION_SETTINGS,                                                                 \
         .offset = offsetof(struct realm_config, settings),                                       \
         .words =                                                                                 \
             "what the policy finds as nexus.config, such as { url = \"http://127.0.0.1/\" }"},   \
        {.name = "secrets",                                                                       \
         .type = OPTION_SECRETS,                                                                  \
         .offset = offsetof(struct realm_config, secrets),                                        \
         .words = "what nexus.secret(name) gives, from a file, seen from this one, or a "         \
                  "variable of the environment: { key = { file = \"/etc/nexus/key\" }, "          \
                  "pin = { env = \"PIN\" } }"},                                                   \
        {.name = "http_hosts",                                                                    \
         .type = OPTION_TEXTS,                                                                    \
         .offset = offsetof(struct realm_config, http_hosts),                                     \
         .words = "hosts that the policy may ask by nexus.http: \"host\", \"host:port\", "        \
                  "\"*.example.com\"; not set: none"},                                            \
        {.name = "http_ca_file",                                                                  \
         .type = OPTION_FILE,                                                                     \
         .offset = offsetof(struct realm_config, http_ca_file),                                   \
         .words = "certificates of those who vouch for these hosts; not set: the system's"},      \
        {.name = "other_realms",                                                                  \
         .type = OPTION_TEXTS,                                                                    \
         .offset = offsetof(struct realm_config, other_realms),                                   \
         .words = "realms in which the policy may call and publish (nexus.realm_named), by name " \
                  "or pattern: \"com.audit\", \"com.tenant.*\"; not set: none"},                  \
        {.name = "c_modules",                                                                     \
         .type = OPTION_TEXTS,                                                                    \
         .offset = offsetof(struct realm_config, c_modules),                                      \
         .fallback = HOST_C_MODULE,                                                               \
         .may_be_empty = true,                                                                    \
         .words = "modules in C that the policy may require: they are trusted"},                  \
        {.name = "memory",                                                                        \
         .type = OPTION_SIZE64,                                                                   \
         .fallback = "64MiB",                                                                     \
         .min = UINT64_C(1) << 20,                                                                \
         .max = MAX_BYTES,                                                                        \
         .offset = REALM_AT(memory),                                                              \
         .words = "memory of the policy; what it holds in stores is beside that"},                \
        {.name = "budgets",                                                                       \
         .type = OPTION_SECTION,                                                                  \
         .section = &budgets_section,                                                             \
         .words = "what calls of the policy may take; policy.budgets may say less"},              \
        {.name = "watch",                                                                         \
         .type = OPTION_BOOL,                                                                     \
         .fallback = "true",                                                                      \
         .offset = REALM_AT(is_watched),                                                          \
         .words = "the policy is read again when its files change"},                              \
    {                                                                                             \
        .name = "probation", .type = OPTION_DURATION_MS, .fallback = "0ms", .max = 86400000,      \
        .offset = REALM_AT(probation_ms),                                                         \
        .words =                                                                                  \
            "for so long a new version goes back to the one before when a hook fails that did "   \
            "not fail there; 0: never"                                                            \
    }

static const struct config_option realm_rows[] = {
    {.name = "policy",
     .type = OPTION_POLICY,
     .is_required = true,
     .offset = offsetof(struct realm_config, policy),
     .words = "who may come in and do what; \"open\": anybody, everything; or the path of a policy "
              "in Lua, seen from this file"},
    {.name = "compat",
     .type = OPTION_CHOICE,
     .fallback = "none",
     .choices = compat_names,
     .offset = offsetof(struct realm_config, compat),
     .words = "other defaults of the options below, as programs know them from another router; "
              "see config/moving.md"},
    {.name = "roles",
     .type = OPTION_SET,
     .fallback = "broker,dealer",
     .choices = role_names,
     .offset = AT(core.roles),
     .words = "what the realm is: a broker (publish, subscribe), a dealer (calls), or both"},
    {.name = "role_check",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.role_check),
     .words = "a session that does what no role in its HELLO covers has broken the protocol"},
    {.name = "anonymous_role",
     .type = OPTION_TEXT,
     .min = 1,
     .fallback = "anonymous",
     .offset = AT(core.anonymous_role),
     .words = "authrole of sessions that did not authenticate"},
    {.name = "anonymous_admin",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.anonymous_admin),
     .words = "sessions that did not authenticate may kill, remove and modify others"},
    {.name = "uri_check",
     .type = OPTION_SWITCH,
     .fallback = "loose",
     .choices = uri_names,
     .offset = AT(core.strict_uris),
     .words = "grammar of URIs; strict: a-z, 0-9, _ and dots"},
    {.name = "reserved_prefixes",
     .type = OPTION_TEXTS,
     .fallback = "wamp,nexus",
     .offset = AT(core.reserved_prefixes),
     .words = "what URIs of the router begin with; \"wamp\" must be among them"},
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
    {.name = "auth_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "10s",
     .min = 100,
     .max = 600000,
     .offset = AT(core.auth_timeout_ms),
     .words = "with a policy: HELLO to CHALLENGE, to AUTHENTICATE, to WELCOME"},
    {.name = "max_joining",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_MAX_JOINING),
     .min = 1,
     .max = 10000000,
     .offset = AT(core.max_joining),
     .words = "with a policy: sessions that are being opened at one time"},
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
    {.name = "disclose_caller",
     .type = OPTION_CHOICE,
     .fallback = "request",
     .choices = disclosure_names,
     .offset = AT(core.disclose_caller),
     .words = "whether callees are told who calls; request: when either side asks"},
    {.name = "disclose_callee_request",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = AT(core.disclose_callee_request),
     .words = "a callee may ask who calls; false: only callers disclose themselves"},
    {.name = "disclose_publisher",
     .type = OPTION_CHOICE,
     .fallback = "request",
     .choices = disclosure_names,
     .offset = AT(core.disclose_publisher),
     .words = "whether subscribers are told who published; request: when the publisher asks"},
    {.name = "trustlevel",
     .type = OPTION_LEVEL,
     .fallback = "none",
     .max = UINT64_C(1) << 31,
     .offset = AT(core.trustlevel),
     .words = "trust level of anonymous sessions, told to callees and subscribers that ask for it"},
    {.name = "call_default_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "0ms",
     .max = 86400000,
     .offset = AT(core.call_default_timeout_ms),
     .words = "timeout of calls that name none; 0: none"},
    {.name = "call_max_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "0ms",
     .max = 86400000,
     .offset = AT(core.call_max_timeout_ms),
     .words = "the longest timeout that a call may name; 0: any"},
    {.name = "cancel_default_mode",
     .type = OPTION_CHOICE,
     .fallback = "killnowait",
     .choices = cancel_mode_names,
     .offset = AT(core.cancel_default_mode),
     .words = "what CANCEL without a mode does"},
    {.name = "kill_grace",
     .type = OPTION_DURATION_MS,
     .fallback = "0ms",
     .max = 86400000,
     .offset = AT(core.kill_grace_ms),
     .words = "CANCEL in mode kill ends the call after that even without an answer; 0: never"},
    {.name = "reinterrupt",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.reinterrupt),
     .words = "interrupt a callee again that sends progress for a call that is over"},
    {.name = "progress_requires_cancel",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = AT(core.progress_requires_cancel),
     .words = "ask only callees that can be canceled for progressive results"},
    {.name = "invoke_unknown",
     .type = OPTION_SWITCH,
     .fallback = "violation",
     .choices = invoke_unknown_names,
     .offset = AT(core.invoke_unknown_fallback),
     .words = "a registration policy that is none; fallback: roundrobin"},
    {.name = "allow_force_reregister",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = AT(core.allow_force_reregister),
     .words = "force_reregister, by the authid of all present callees"},
    {.name = "callee_max_pending",
     .type = OPTION_COUNT,
     .fallback = "0",
     .max = 10000000,
     .offset = AT(core.callee_max_pending),
     .words = "calls that one session works on at once; 0: no bound"},
    {.name = "call_queue",
     .type = OPTION_COUNT,
     .fallback = "0",
     .max = 1000000,
     .offset = AT(core.call_queue_len),
     .words = "calls that wait for a registration whose callees are all busy; 0: they fail"},
    {.name = "call_queue_timeout",
     .type = OPTION_DURATION_MS,
     .fallback = "10s",
     .min = 10,
     .max = 86400000,
     .offset = AT(core.call_queue_timeout_ms),
     .words = "how long they wait"},
    {.name = "meta_strict",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.meta_strict),
     .words = "session details tell the standard attributes only, not what else HELLO said"},
    {.name = "http_headers_received",
     .type = OPTION_TEXTS,
     .offset = AT(core.http_headers),
     .words =
         "headers, of those that `headers` of an address lists, that session details show to "
         "everybody in transport.http_headers_received, e.g. { \"user-agent\" }; not set: none"},
    {.name = "meta_skips_causer",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.meta_skips_causer),
     .words = "meta events about subscriptions are not for the session that caused them"},
    {.name = "enable_modify_details",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = AT(core.enable_modify_details),
     .words = "the procedure wamp.session.modify_details exists"},
    {.name = "lookup_miss",
     .type = OPTION_SWITCH,
     .fallback = "null",
     .choices = lookup_miss_names,
     .offset = AT(core.lookup_miss_is_zero),
     .words = "what lookup and match of the meta API answer when there is nothing"},
    {.name = "kill_reason",
     .type = OPTION_SWITCH,
     .fallback = "killed",
     .choices = kill_reason_names,
     .offset = AT(core.kill_reason_is_normal),
     .words = "reason that a killed session is told when the killer names none: wamp.close.*"},
    {.name = "kill_results",
     .type = OPTION_CHOICE,
     .fallback = "standard",
     .choices = kill_results_names,
     .offset = AT(core.kill_results),
     .words = "answers of kill_by_authid, kill_by_authrole; standard: a list, a count"},
    {.name = "event_history",
     .type = OPTION_TABLES,
     .max = 10000,
     .section = &history_section,
     .offset = AT(core.histories),
     .count_offset = AT(core.history_count),
     .item_len = sizeof(struct history_options),
     .words = "topics whose events are kept for wamp.subscription.get_events; not set: none"},
    {.name = "history_result",
     .type = OPTION_SWITCH,
     .fallback = "flat",
     .choices = history_result_names,
     .offset = AT(core.history_result_is_list),
     .words = "answer of get_events; flat: each event is an argument; list: one, a list of events"},
    {.name = "history_max_result",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_HISTORY_MAX_RESULT),
     .min = 1,
     .max = 10000000,
     .offset = AT(core.history_max_result),
     .words = "events in one answer of get_events"},
    {.name = "retained_max_topics",
     .type = OPTION_COUNT,
     .fallback = STRING(DEFAULT_RETAINED_MAX_TOPICS),
     .min = 1,
     .max = 100000000,
     .offset = AT(core.retained.max_topics),
     .words = "topics with retained events; what comes when it is full is not retained"},
    {.name = "retained_max_bytes",
     .type = OPTION_SIZE64,
     .fallback = "64MiB",
     .min = 4096,
     .max = MAX_BYTES,
     .offset = AT(core.retained.max_bytes),
     .words = "memory of retained events"},
    {.name = "queue",
     .type = OPTION_SECTION,
     .section = &queue_section,
     .words = "what may wait for a session that reads too slowly"},
    {.name = "recheck",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = REALM_AT(rechecks),
     .words = "after that, subscriptions and registrations that the new version denies end"},
    POLICY_ROWS,
};
const struct section realm_section = SECTION_OF(realm_rows);

static const struct config_option opener_rows[] = {
    {.name = "policy",
     .type = OPTION_TEXT,
     .is_required = true,
     .min = 1,
     .offset = offsetof(struct realm_config, policy),
     .words = "path of the policy, seen from this file"},
    POLICY_ROWS,
};
const struct section opener_section = SECTION_OF(opener_rows);
#undef REALM_AT
#undef AT
