/* config.c -- checks a tree against the option table.
 *
 * One pass, all errors. Each says where it is, what was found, and what is
 * allowed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "base/ready.h"
#include "base/utf8.h"
#include "core/rules_pattern.h"
#include "daemon/config_priv.h"
#include "wire/uri.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void check_refuse(struct check *check, const struct node *node, const char *found,
                  const char *allowed)
{
    report_error(check->report, node->line, "%s: %s; allowed: %s", node->name, found, allowed);
}

size_t check_count(const struct node *table)
{
    size_t count = 0;

    for (const struct node *child = table->first; child != NULL; child = child->next)
        count++;
    return count;
}

void *check_array(struct check *check, size_t count, size_t len)
{
    size_t bytes = (count + 1) * len;

    return memset(arena_alloc(check->arena, bytes), 0, bytes);
}

bool check_uri(const char *text, enum match match, bool is_strict)
{
    struct slice uri = slice_of(text);

    return utf8_is_valid(uri) && uri_is_valid(uri, match, is_strict);
}

/* ---- sections ---- */

static void unknown_key(struct check *check, const struct section *section, const struct node *node)
{
    const struct config_option *guess = node->key == NULL ? NULL : option_guess(section, node->key);

    if (node->key == NULL)
        report_error(check->report, node->line, "%s: found %s; this table has no list items",
                     node->name, node_words(check->arena, node));
    else if (guess != NULL)
        report_error(check->report, node->line, "%s: no such option (did you mean \"%s\"?)",
                     node->name, guess->name);
    else
        report_error(check->report, node->line, "%s: no such option", node->name);
}

/* Says which one it is, and not what it says: somebody may have written the secret itself. */
static void refuse_secret(struct check *check, const struct config_option *option,
                          const struct node *node)
{
    const struct node *wrong = secrets_wrong(node);

    if (wrong == NULL)
        check_refuse(check, node, "found too many", option_allowed(option, check->arena));
    else
        check_refuse(check, wrong,
                     wrong->type == NODE_TEXT
                         ? "found a string"
                         : arena_format(check->arena, "found %s", node_words(check->arena, wrong)),
                     SECRET_WORDS);
}

static void refuse_value(struct check *check, const struct config_option *option,
                         const struct node *node)
{
    bool is_text = node->type != NODE_TEXT || utf8_is_valid(slice_of(node->text));
    const char *found = arena_format(check->arena, "found %s%s", node_words(check->arena, node),
                                     is_text ? "" : ", which is not UTF-8");

    if (option->type == OPTION_FILE && node->type == NODE_TEXT && access(node->text, R_OK) != 0)
        report_error(check->report, node->line, "%s: cannot read \"%s\": %s", node->name,
                     node->text, strerror(errno));
    else if (option->type == OPTION_SECRETS && node->type == NODE_TABLE)
        refuse_secret(check, option, node);
    else
        check_refuse(check, node, found, option_allowed(option, check->arena));
}

static void check_tables(struct check *check, const struct config_option *option,
                         const struct node *node, void *into)
{
    size_t count = check_count(node);
    char *tables, *at;

    if (count > option->max) {
        refuse_value(check, option, node);
        return;
    }
    at = tables = check_array(check, count, option->item_len);
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        options_default(option->section, at, check->arena);
        if (child->key != NULL || child->type != NODE_TABLE)
            check_refuse(check, child,
                         arena_format(check->arena, "found %s", node_words(check->arena, child)),
                         "a table of options, without a name");
        else
            check_section(check, option->section, child, at);
        at += option->item_len;
    }
    memcpy((char *)into + option->offset, &(const void *){tables}, sizeof(const void *));
    memcpy((char *)into + option->count_offset, &count, sizeof(count));
}

static void check_option(struct check *check, const struct config_option *option,
                         const struct node *node, void *into)
{
    bool is_table = node->type == NODE_TABLE;

    if (option->type == OPTION_LISTEN && is_table)
        check_listen(check, option, node);
    else if (option->type == OPTION_REALMS && is_table)
        check_realms(check, option, node);
    else if (option->type == OPTION_TEMPLATES && is_table)
        check_templates(check, option, node);
    else if (option->type == OPTION_REALM && is_table)
        check_template(check, option, node);
    else if (option->type == OPTION_OPENER && (is_table || node->type == NODE_TEXT))
        check_opener(check, option, node);
    else if (option->type == OPTION_TABLES && is_table)
        check_tables(check, option, node, into);
    else if (option->type == OPTION_SECTION && is_table)
        check_section(check, option->section, node, into);
    else if (option->section != NULL || !option_read(option, node, into, check->arena))
        refuse_value(check, option, node);
}

static void check_required(struct check *check, const struct config_option *option,
                           const struct node *table)
{
    const char *dot = *table->name == '\0' ? "" : ": ";

    if (option->type == OPTION_POLICY)
        report_error(check->report, table->line,
                     "%s%spolicy is missing: a realm must say who may come in; "
                     "ready-made policies: %s",
                     table->name, dot, ready_names(check->arena));
    else
        report_error(check->report, table->line, "%s%s%s is missing; allowed: %s", table->name, dot,
                     option->name, option_allowed(option, check->arena));
}

void check_section(struct check *check, const struct section *section, const struct node *table,
                   void *into)
{
    for (const struct node *node = table->first; node != NULL; node = node->next) {
        const struct config_option *option =
            node->key == NULL ? NULL : option_find(section, node->key);
        if (option == NULL)
            unknown_key(check, section, node);
        else
            check_option(check, option, node, into);
    }
    for (size_t i = 0; i < section->count; i++) {
        const struct config_option *option = &section->options[i];
        if (option->is_required && node_find(table, option->name) == NULL)
            check_required(check, option, table);
    }
}

/* ---- the whole ---- */

static void check_queue(struct check *check, const struct node *node,
                        const struct realm_config *realm)
{
    const struct queue_limits *queue = &realm->router.queue;

    if (queue->hard_bytes < queue->max_bytes)
        report_error(check->report, node->line,
                     "%s: queue.hard_bytes (%u) is less than queue.bytes (%u)", node->name,
                     queue->hard_bytes, queue->max_bytes);
}

static bool is_kept(const struct config *config, const char *header)
{
    for (size_t i = 0; i < config->router.listener_count; i++) {
        const char *const *name = config->listen[i].net.headers;

        while (name != NULL && *name != NULL && strcmp(*name, header) != 0)
            name++;
        if (name != NULL && *name != NULL)
            return true;
    }
    return false;
}

static void check_shown(struct check *check, const struct node *node,
                        const struct realm_config *realm)
{
    const char *const *name = realm->router.core.http_headers;

    for (; name != NULL && *name != NULL; name++) {
        if (!is_kept(check->config, *name))
            report_note(
                check->report, node->line,
                "%s.http_headers_received: no address keeps \"%s\"; `headers` of an address "
                "lists what is kept",
                node->name, *name);
    }
}

static void check_others(struct check *check, const struct node *node,
                         const struct realm_config *realm)
{
    const char *const *name = realm->other_realms;
    struct rules_pattern pattern;
    struct rules_error error;
    struct arena arena;

    arena_init(&arena);
    for (; name != NULL && *name != NULL; name++) {
        if (rules_pattern_parse(&pattern, &arena, slice_of(*name), &error) != 0)
            report_error(check->report, node->line, "%s.other_realms: found \"%s\": %s", node->name,
                         *name, error.words);
    }
    arena_fini(&arena);
}

/* What a realm says is held against what is said elsewhere. */
static void check_wholly(struct check *check, const struct node *node,
                         const struct realm_config *realm)
{
    check_queue(check, node, realm);
    check_shown(check, node, realm);
    check_others(check, node, realm);
}

static void check_all_realms(struct check *check, const struct node *root)
{
    const struct node *realms = node_find(root, "realms");
    const struct node *templates = node_find(root, "templates");
    const struct node *pattern = node_find(root, "realm_template");
    size_t index = 0, number = 0;

    if (realms != NULL && check->config->realms != NULL) {
        for (const struct node *node = realms->first; node != NULL; node = node->next)
            check_wholly(check, node, &check->config->realms[index++]);
    }
    if (templates != NULL && check->config->templates != NULL) {
        for (const struct node *node = templates->first; node != NULL; node = node->next)
            check_wholly(check, node, &check->config->templates[number++]);
    }
    if (pattern != NULL && check->config->has_template)
        check_wholly(check, pattern, &check->config->realm_template);
}

/* Names in HELLO are held to the strict grammar only when no realm could be missed by it. */
static bool all_are_strict(const struct config *config)
{
    for (size_t i = 0; i < config->router.realm_count; i++) {
        if (!config->realms[i].router.core.strict_uris)
            return false;
    }
    for (size_t i = 0; i < config->template_count; i++) {
        if (!config->templates[i].router.core.strict_uris)
            return false;
    }
    return !config->has_template || config->realm_template.router.core.strict_uris;
}

static enum tls_mode tls_mode(const struct listen_config *listen)
{
    if (!listen->is_tls)
        return TLS_OFF;
    return listen->is_tls_optional ? TLS_AUTO : TLS_ON;
}

/* The realm of a HELLO that names none: the first one that has a policy. */
static const char *first_with_policy(const struct config *config)
{
    for (size_t i = 0; i < config->router.realm_count; i++) {
        if (config->realms[i].policy_path != NULL)
            return config->realms[i].router.core.realm;
    }
    return NULL;
}

/* One more address, behind those of `listen`. */
static void add_admin_socket(struct check *check, const struct node *root)
{
    struct config *config = check->config;
    const char *path = check_path(check, config->admin_socket);
    size_t count = config->router.listener_count;
    struct listen_config *all = check_array(check, count + 1, sizeof(*all));

    for (size_t i = 0; i < count; i++) {
        const char *other = config->listen[i].net.unix_path;

        all[i] = config->listen[i];
        if (other != NULL && strcmp(other, path) == 0)
            report_error(check->report, node_find(root, "admin_socket")->line,
                         "admin_socket: \"%s\" is an address of listen as well", path);
    }
    options_default(option_find(&config_section, "listen")->section, &all[count], check->arena);
    all[count].address = arena_format(check->arena, "unix:%s", path);
    all[count].protocols = 2;
    all[count].net.unix_path = path;
    all[count].net.unix_mode = 0600;
    all[count].net.is_admin = true;
    all[count].net.default_realm = first_with_policy(config);
    config->listen = all;
    config->router.listener_count++;
}

static bool reads_requests(const struct realm_config *realm)
{
    return realm->policy_path != NULL || realm->router.core.http_headers != NULL;
}

/* Whether there may be a realm in which anybody looks at what is kept of HTTP requests. */
static bool is_any_read(const struct config *config)
{
    bool is_read = config->has_template && reads_requests(&config->realm_template);

    for (size_t i = 0; i < config->router.realm_count; i++)
        is_read |= reads_requests(&config->realms[i]);
    for (size_t i = 0; i < config->template_count; i++)
        is_read |= reads_requests(&config->templates[i]);
    return is_read;
}

static void build_listeners(struct check *check)
{
    struct config *config = check->config;
    bool is_read = is_any_read(config);
    size_t count = config->router.listener_count;
    struct listener_options *listeners = check_array(check, count, sizeof(*listeners));

    for (size_t i = 0; i < count; i++) {
        const struct listen_config *listen = &config->listen[i];
        listeners[i] = listen->net;
        if (!is_read)
            listeners[i].headers = NULL;
        listeners[i].tls = tls_mode(listen);
        listeners[i].websocket = (listen->protocols & 1) != 0;
        listeners[i].rawsocket = (listen->protocols & 2) != 0;
    }
    config->router.listeners = listeners;
}

static void build_realms(struct check *check)
{
    struct config *config = check->config;
    size_t count = config->router.realm_count;
    struct realm_options *realms = check_array(check, count, sizeof(*realms));
    const char *agent = *config->agent == '\0' ? NULL : config->agent;

    for (size_t i = 0; i < count; i++) {
        realms[i] = config->realms[i].router;
        realms[i].core.agent = agent;
    }
    config->router.realms = config->realm_options = realms;
    config->router.strict_uris = all_are_strict(config);
    config->realm_template.router.core.agent = agent;
    for (size_t i = 0; i < config->template_count; i++)
        config->templates[i].router.core.agent = agent;
    config->router.realm_template = config->has_template ? &config->realm_template.router : NULL;
}

/* What opens realms, and what it opens, come together, and alone. */
static void check_opening(struct check *check, const struct node *root)
{
    const struct node *opener = node_find(root, "router_policy");
    const struct node *templates = node_find(root, "templates");

    if (opener != NULL && node_find(root, "realm_template") != NULL)
        report_error(check->report, opener->line,
                     "router_policy: there is a realm_template as well, for the same realms");
    if (opener != NULL && (templates == NULL || check->config->template_count == 0))
        report_note(check->report, opener->line,
                    "router_policy: it can open nothing; templates = { tenant = { policy = "
                    "\"tenant.lua\" } } is missing");
    if (opener == NULL && templates != NULL)
        report_error(check->report, templates->line,
                     "templates: nobody opens realms; router_policy = \"router.lua\" is missing");
}

int config_check(struct config *config, const struct node *root, struct report *report)
{
    struct check check = {config, report, &config->arena};
    struct realm_config plain;

    *config = (struct config){0};
    arena_init(&config->arena);
    options_default(&config_section, config, check.arena);
    options_default(&realm_section, &config->realm_template, check.arena);
    plain = config->realm_template;
    config->router.limits.queue = plain.router.queue; /* until a session has a realm */

    check_section(&check, &config_section, root, config);
    config->data_path = check_path(&check, config->data_folder);
    check_opening(&check, root);
    if (config->realms == NULL || config->router.realm_count == 0) {
        const struct node *realms = node_find(root, "realms");
        if (!config->has_template && node_find(root, "realm_template") == NULL &&
            node_find(root, "router_policy") == NULL &&
            (realms == NULL || realms->type == NODE_TABLE))
            report_error(report, realms == NULL ? 0 : realms->line,
                         "no realm: realms = { [\"realm1\"] = { policy = \"open\" } } is missing, "
                         "or a realm_template");
    }
    if (report->errors.count == 0)
        check_all_realms(&check, root);
    if (report->errors.count == 0 && config->admin_socket != NULL)
        add_admin_socket(&check, root);
    if (report->errors.count != 0)
        return ERR_CONFIG;
    build_listeners(&check);
    build_realms(&check);
    return 0;
}

void config_fini(struct config *config)
{
    arena_fini(&config->arena);
}
