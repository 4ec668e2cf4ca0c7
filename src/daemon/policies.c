/* policies.c -- see policies.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/policies.h"

#include "base/mem.h"
#include "daemon/exit_code.h"
#include "daemon/secrets.h"
#include "module/host.h"
#include "policy/policy.h"
#include "state/state.h"

#include <stdio.h>

struct loaded {
    const char *path, *realm; /* borrowed from the configuration */
    struct policy *policy;    /* owned; NULL: it is not sound */
    struct policy_use use;    /* of the realm */
    struct secret *secrets;   /* owned */
    struct loaded
        *renewed; /* owned: as a later reading of the configuration has it; NULL: none does */
};

struct policies {
    struct router_state *state;        /* owned: what policies share */
    struct shared_logins *logins;      /* owned: what is known of them in all realms */
    struct policy_template *templates; /* owned */
    struct loaded *opener;             /* owned: router.lua; NULL: there is none */
    struct realm_options opener_options;
    const char *folder; /* borrowed: where they keep what outlives the router; NULL: nowhere */
    size_t realm_count; /* the first of them are those of realms with a name */
    size_t count;
    struct loaded of[];
};

static void say(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static void loaded_fini(struct loaded *loaded)
{
    policy_free(loaded->policy);
    secrets_free(loaded->secrets, loaded->use.config.secret_count);
}

static void loaded_free(struct loaded *loaded)
{
    loaded_fini(loaded);
    mem_free(loaded);
}

/* A realm before this one that names the same file; NULL: none does. */
static const struct loaded *find(const struct policies *policies, const struct loaded *of)
{
    for (const struct loaded *at = policies->of; at != of; at++) {
        if (strcmp(at->path, of->path) == 0)
            return at;
    }
    return NULL;
}

/* Takes over what the configuration says. False: a secret cannot be read, which was said; `kind` and
 * name say whose. */
static bool configure(struct loaded *loaded, const struct policies *policies,
                      const struct realm_config *config, const char *kind)
{
    loaded->path = config->policy_path;
    loaded->realm = config->router.core.realm;
    loaded->use.config = (struct host_config){.settings = config->settings.packed,
                                              .memory = config->memory,
                                              .budgets = &config->budgets,
                                              .settings_file = config->settings_file,
                                              .data_folder = policies->folder,
                                              .http_hosts = config->http_hosts,
                                              .other_realms = config->other_realms,
                                              .http_ca_file = config->http_ca_file,
                                              .c_modules = config->c_modules,
                                              .kv_max_entries = config->kv_max_entries,
                                              .kv_max_bytes = config->kv_max_bytes,
                                              .router_state = policies->state};
    loaded->use.config.secret_count = config->secrets.count;
    loaded->use.path = loaded->path;
    loaded->use.is_watched = config->is_watched;
    loaded->use.rechecks = config->rechecks;
    loaded->use.probation_ms = config->probation_ms;
    if (!secrets_load(&config->secrets, kind, config->router.core.realm, &loaded->secrets))
        return false;
    loaded->use.config.secrets = loaded->secrets;
    return true;
}

/* A file that is not sound is complained of once. */
static bool use(struct policies *policies, const struct realm_config *config,
                struct realm_options *realm, const char *kind)
{
    struct loaded *loaded;
    const struct loaded *before;

    if (config->policy_path == NULL)
        return true;
    loaded = &policies->of[policies->count++];
    if (!configure(loaded, policies, config, kind))
        return false;
    loaded->use.logins = policies->logins;
    before = find(policies, loaded);
    if (before == NULL || before->policy != NULL)
        loaded->policy = policy_load(loaded->path, &loaded->use.config, say, NULL);
    loaded->use.policy = loaded->policy;
    if (loaded->policy == NULL)
        return false;
    policy_configure(&loaded->use, realm);
    return true;
}

/* What router.lua may open, and router.lua itself. */
static bool use_templates(struct policies *policies, struct config *config)
{
    bool is_sound = true;

    policies->templates = mem_zero(config->template_count + 1, sizeof(*policies->templates));
    for (size_t i = 0; i < config->template_count; i++) {
        struct realm_config *template = &config->templates[i];
        size_t before = policies->count;

        is_sound &= use(policies, template, &template->router, "templates");
        policies->templates[i] = (struct policy_template){
            .name = template->router.core.realm,
            .options = &template->router,
            .use = policies->count == before ? NULL : &policies->of[before].use};
    }
    return is_sound;
}

/* Not a name that a realm can have. */
#define OPENER_REALM "#router"

static bool use_opener(struct policies *policies, struct config *config)
{
    struct realm_options *options = &policies->opener_options;
    struct loaded *loaded;

    if (config->opener.policy_path == NULL)
        return true;
    policies->opener = loaded = mem_zero(1, sizeof(*loaded));
    if (!configure(loaded, policies, &config->opener, "router_policy"))
        return false;
    loaded->use.config.is_router = true;
    loaded->use.templates = policies->templates;
    loaded->use.template_count = config->template_count;
    loaded->policy = policy_load(loaded->path, &loaded->use.config, say, NULL);
    loaded->use.policy = loaded->policy;
    if (loaded->policy == NULL)
        return false;
    core_defaults(&options->core);
    options->core.realm = OPENER_REALM;
    policy_configure(&loaded->use, options);
    config->router.opener = options;
    return true;
}

static bool has_certificates(const struct listener_options *listener)
{
    return listener->tls_client != TLS_CLIENT_NONE;
}

static bool has_cookies(const struct listener_options *listener)
{
    return listener->cookie_name != NULL;
}

/* What can never happen is no mistake, but nobody means it. */
static const struct {
    const char *method;
    bool (*is_possible)(const struct listener_options *listener);
    const char *words;
} notes[] = {
    {"tls", has_certificates,
     "no address asks for certificates of clients (listen, tls.client_certificate)"},
    {"cookie", has_cookies, "no address gives out cookies (listen, cookie)"},
};

static void say_notes(const struct loaded *loaded, const struct config *config)
{
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        bool is_possible = !policy_offers(loaded->policy, notes[i].method);

        for (size_t at = 0; at < config->router.listener_count; at++)
            is_possible |= notes[i].is_possible(&config->listen[at].net);
        if (!is_possible)
            fprintf(stderr, "%s: note: policy.authenticate.%s is of no use: %s\n", loaded->path,
                    notes[i].method, notes[i].words);
    }
}

static void write_metrics(void *ctx, struct writer *page)
{
    metrics_write(ctx, page);
}

static void share(struct policies *policies, struct config *config)
{
    policies->state = router_state_open(&(struct state_options){
        .folder = config->data_path,
        .kv_max_entries = config->kv_max_entries,
        .kv_max_bytes = config->kv_max_bytes,
    });
    policies->logins = policy_share_logins();
    config->router.write_metrics = write_metrics;
    config->router.metrics_ctx = policies->state->metrics;
    config->router.knows_cookie = policy_knows_cookie;
    config->router.cookie_ctx = policies->logins;
}

struct policies *policies_load(struct config *config)
{
    size_t count = config->router.realm_count;
    size_t room = count + config->template_count + 1;
    struct policies *policies = mem_zero(1, sizeof(*policies) + room * sizeof(struct loaded));
    bool is_sound = true;

    policies->folder = config->data_path;
    share(policies, config);
    for (size_t i = 0; i < count; i++)
        is_sound &= use(policies, &config->realms[i], &config->realm_options[i], "realms");
    policies->realm_count = policies->count;
    if (config->has_template)
        is_sound &= use(policies, &config->realm_template, &config->realm_template.router,
                        "realm_template");
    is_sound &= use_templates(policies, config);
    is_sound &= use_opener(policies, config);
    if (is_sound) {
        for (size_t i = 0; i < policies->count; i++) {
            if (find(policies, &policies->of[i]) == NULL) /* once for each file */
                say_notes(&policies->of[i], config);
        }
        return policies;
    }
    policies_free(policies);
    return NULL;
}

/* ---- the configuration, read again ---- */

static bool has_secrets(const struct loaded *loaded, const struct secret *secrets, size_t count)
{
    if (loaded->use.config.secret_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!slice_eq(slice_of(loaded->secrets[i].name), slice_of(secrets[i].name)) ||
            !slice_eq(loaded->secrets[i].value, secrets[i].value))
            return false;
    }
    return true;
}

static struct loaded *find_realm(struct policies *policies, const char *realm)
{
    for (size_t i = 0; i < policies->realm_count; i++) {
        if (strcmp(policies->of[i].realm, realm) == 0)
            return &policies->of[i];
    }
    return NULL;
}

int policies_renew(struct policies *policies, const struct realm_config *config, bool has_changed,
                   const struct policy_use **use)
{
    struct loaded *first = find_realm(policies, config->router.core.realm), *last = first, *fresh;

    *use = NULL;
    if (first == NULL || config->policy_path == NULL)
        return 0;
    while (last->renewed != NULL)
        last = last->renewed;
    fresh = mem_zero(1, sizeof(*fresh));
    if (!configure(fresh, policies, config, "realms")) {
        loaded_free(fresh);
        return ERR_CONFIG;
    }
    if (has_changed || !has_secrets(last, fresh->secrets, fresh->use.config.secret_count)) {
        fresh->use.policy = first->use.policy; /* what cannot change: its file, who watches it */
        fresh->use.logins = first->use.logins;
        fresh->use.path = first->use.path;
        fresh->use.is_watched = first->use.is_watched;
        last = last->renewed = fresh;
    } else {
        loaded_free(fresh);
        fresh = NULL;
    }
    *use = last == first ? NULL : &last->use;
    return last == fresh;
}

int policies_check(const struct command_line *line)
{
    int code = EXIT_OK;

    for (int i = 0; i < line->count; i++) {
        struct policy *policy = policy_load(line->arguments[i], NULL, say, NULL);

        if (policy == NULL)
            code = EXIT_CONFIG;
        else
            printf("%s: no errors\n", line->arguments[i]);
        policy_free(policy);
    }
    return code;
}

void policies_free(struct policies *policies)
{
    if (policies == NULL)
        return;
    for (size_t i = 0; i < policies->count; i++) {
        struct loaded *renewed = policies->of[i].renewed;

        loaded_fini(&policies->of[i]);
        while (renewed != NULL) {
            struct loaded *next = renewed->renewed;

            loaded_free(renewed);
            renewed = next;
        }
    }
    if (policies->opener != NULL)
        loaded_free(policies->opener);
    mem_free(policies->templates);
    (void)router_state_close(policies->state);
    policy_unshare_logins(policies->logins);
    mem_free(policies);
}
