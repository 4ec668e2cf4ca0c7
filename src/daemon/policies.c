/* policies.c -- see policies.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/policies.h"

#include "base/mem.h"
#include "daemon/exit_code.h"
#include "policy/policy.h"

#include <stdio.h>

struct loaded {
    const char *path;      /* borrowed from the configuration */
    struct policy *policy; /* owned; NULL: it is not sound */
};

struct policies {
    size_t count;
    struct loaded of[];
};

static void say(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

/* Realms that name the same file share what was read of it. */
static struct policy *find(struct policies *policies, const char *path)
{
    struct loaded *at = policies->of;

    for (; at != policies->of + policies->count; at++) {
        if (strcmp(at->path, path) == 0)
            return at->policy;
    }
    *at = (struct loaded){path, policy_load(path, NULL, say, NULL)};
    policies->count++;
    return at->policy;
}

static bool use(struct policies *policies, const struct realm_config *config,
                struct realm_options *realm)
{
    struct policy *policy;

    if (config->policy_path == NULL)
        return true;
    policy = find(policies, config->policy_path);
    if (policy == NULL)
        return false;
    realm->core.rules = policy_rules(policy);
    realm->core.asks_join = true;
    realm->decider = &policy_decider;
    realm->decider_ctx = policy;
    return true;
}

static bool has_certificates(const struct config *config)
{
    bool has = false;

    for (size_t i = 0; i < config->router.listener_count; i++)
        has |= config->listen[i].net.tls_client != TLS_CLIENT_NONE;
    return has;
}

/* What can never happen is no mistake, but nobody means it. */
static void say_notes(const struct policies *policies, const struct config *config)
{
    for (size_t i = 0; i < policies->count; i++) {
        if (policy_offers(policies->of[i].policy, "tls") && !has_certificates(config))
            fprintf(stderr,
                    "%s: note: policy.authenticate.tls is of no use: no address asks for "
                    "certificates of clients (listen, tls.client_certificate)\n",
                    policies->of[i].path);
    }
}

struct policies *policies_load(struct config *config)
{
    size_t count = config->router.realm_count;
    struct policies *policies =
        mem_zero(1, sizeof(*policies) + (count + 1) * sizeof(struct loaded));
    bool is_sound = true;

    for (size_t i = 0; i < count; i++)
        is_sound &= use(policies, &config->realms[i], &config->realm_options[i]);
    if (config->has_template)
        is_sound &= use(policies, &config->realm_template, &config->realm_template.router);
    if (is_sound) {
        say_notes(policies, config);
        return policies;
    }
    policies_free(policies);
    return NULL;
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
    for (size_t i = 0; i < policies->count; i++)
        policy_free(policies->of[i].policy);
    mem_free(policies);
}
