/* config.h -- everything that nexusd is told before it starts.
 *
 * A tree (tree.h) is checked against the option table (options.h) and becomes
 * the options of a router. All errors are found in one pass and reported.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_CONFIG_H
#define NEXUS_DAEMON_CONFIG_H

#include "base/log.h"
#include "daemon/realm_values.h"
#include "daemon/report.h"
#include "daemon/tree.h"
#include "policy/policy.h"
#include "router/router.h"

struct listen_config {
    struct listener_options net; /* host, port and what is told apart by scheme: see address.h */
    const char *address;         /* as written */
    unsigned protocols;          /* bit set: WebSocket, RawSocket */
    bool is_tls_optional;
    bool is_tls; /* asked for by the address */
};

struct realm_config {
    struct realm_options router;
    const char *policy;      /* as written: "open", or a path */
    const char *policy_path; /* from where the program runs; NULL: "open" */
    unsigned compat;         /* enum compat */
    uint32_t kv_max_entries; /* of the stores of a policy, all together */
    uint64_t kv_max_bytes;
    struct settings settings;
    const char *settings_file; /* from where the program runs; NULL: none is named */
    struct secret_sources secrets;
    const char *const *http_hosts, *const *c_modules, *const *other_realms; /* NULL: none */
    const char *http_ca_file;                                               /* NULL: the system's */
    uint64_t memory; /* bytes of a state of Lua */
    struct policy_budgets budgets;
    bool rechecks, is_watched;
    uint32_t probation_ms;
};

/* Of all realms with a policy; see policy/logins.h. */
struct login_config {
    const char *secret_file, *secret_env, *router_key_file, *router_key_env;
    bool require_binding, tls_unique_tls13, reveal_principal, scram_compat;
    uint32_t free_failures, max_delay_ms;
};

struct config {
    struct router_options router; /* listeners and realms point into the arrays below */
    struct listen_config *listen;
    struct realm_config *realms;
    struct realm_options *realm_options; /* what router.realms points to */
    struct realm_config realm_template;
    bool has_template;
    struct realm_config *templates; /* for router.lua; core.realm is the name of the template */
    size_t template_count;
    struct realm_config opener; /* router.lua; policy NULL: nobody opens realms */
    const char *agent;
    const char *admin_socket; /* as written; NULL: there is none. Its listener is the last one */
    struct login_config logins;
    const char *data_folder; /* as written */
    const char *data_path;   /* from where the program runs; NULL: nothing can be kept on disk */
    uint32_t kv_max_entries; /* of stores that realms share */
    uint64_t kv_max_bytes;
    unsigned log_level; /* enum log_level */
    bool is_log_json;
    const char *log_file;   /* NULL: standard error */
    const char *audit_file; /* NULL: there is none */
    uint32_t certificate_check_ms;
    bool dumps_core;
    struct arena arena; /* owns all of it */
};

/* Reads a file: Lua, or the layout of the Go router nexus when it ends in .json. NULL, with
 * errors in the report, when it cannot be read. */
struct node *config_read(const char *path, struct arena *arena, struct report *report);

/* Checks the tree and fills in `config`. Returns 0 or ERR_CONFIG, with errors in the report.
 * config_fini is needed in both cases. */
int config_check(struct config *config, const struct node *root, struct report *report);
void config_fini(struct config *config);

/* Writes the whole configuration, defaults included, as a file that says the same. */
void config_print(const struct config *config, struct writer *out);

/* Writes the commented file that ships as config/nexusd.lua. */
void config_print_sample(struct writer *out);

/* Writes one line for each option: name, default, words. */
void config_print_options(struct writer *out);

#endif
