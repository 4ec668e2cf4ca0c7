/* config_realm.c -- checks realms: their names, and what their options mean together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/ready.h"
#include "daemon/compat.h"
#include "daemon/config_priv.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#define LOOSE_WORDS  "components without spaces or #, separated by dots"
#define STRICT_WORDS "components of a-z, 0-9 and _ (uri_check is strict), separated by dots"

/* ---- names ---- */

/* What other routers demand of a realm's name, and so what every client accepts. */
static bool is_portable(const char *name)
{
    size_t len = strlen(name);

    if (!isalpha((unsigned char)*name) || len < 3 || len > 255)
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("_-@.", *name) == NULL)
            return false;
    }
    return true;
}

static void check_realm_name(struct check *check, const struct node *node,
                             const struct realm_config *realm)
{
    bool is_strict = realm->router.core.strict_uris;

    if (!check_uri(node->key, MATCH_EXACT, is_strict))
        report_error(check->report, node->line, "%s: \"%s\" is no realm name: %s", node->name,
                     node->key, is_strict ? STRICT_WORDS : LOOSE_WORDS);
    else if (!is_portable(node->key))
        report_note(check->report, node->line,
                    "%s: some clients refuse that name: a letter and then 2 to 254 of letters, "
                    "digits, _ - @ . are safe",
                    node->name);
}

/* ---- options that need more than their row ---- */

static void check_prefixes(struct check *check, const struct node *node, bool is_strict,
                           const char *const *prefixes)
{
    bool has_wamp = false;

    if (node == NULL)
        return;
    for (; *prefixes != NULL; prefixes++) {
        has_wamp |= strcmp(*prefixes, "wamp") == 0;
        if (!check_uri(*prefixes, MATCH_EXACT, is_strict))
            check_refuse(check, node, arena_format(check->arena, "found \"%s\"", *prefixes),
                         is_strict ? "URIs without a dot at the end: " STRICT_WORDS
                                   : "URIs without a dot at the end: " LOOSE_WORDS);
    }
    if (!has_wamp)
        check_refuse(check, node, "\"wamp\" is missing",
                     "a list with \"wamp\" in it: the meta API has its place there");
}

static const char *pattern_words(enum match match)
{
    return match == MATCH_EXACT    ? "a topic"
           : match == MATCH_PREFIX ? "the beginning of topics; only what follows the last dot may "
                                     "be empty"
                                   : "a pattern of topics; each component may be empty";
}

static void check_pattern(struct check *check, const struct node *node, bool is_strict,
                          const struct history_options *history)
{
    const struct node *uri = node_find(node, "uri");

    if (uri == NULL || uri->type != NODE_TEXT || check_uri(history->uri, history->match, is_strict))
        return;
    check_refuse(check, uri, arena_format(check->arena, "found \"%s\"", history->uri),
                 arena_format(check->arena, "%s: %s", pattern_words(history->match),
                              is_strict ? STRICT_WORDS : LOOSE_WORDS));
}

/* False when its `match` was refused: what is said about the pattern would be beside the point. */
static bool has_match(const struct node *node, const struct history_options *history)
{
    const struct node *match = node_find(node, "match");

    return match == NULL ||
           (match->type == NODE_TEXT && strcmp(match->text, match_name(history->match)) == 0);
}

/* Two entries with one subscription: which of them holds? */
static void check_pattern_twins(struct check *check, const struct node *list,
                                const struct node *node, const struct history_options *all,
                                size_t index)
{
    const struct history_options *one = &all[index];
    const struct node *first = list->first;

    for (size_t i = 0; i < index; i++, first = first->next) {
        if (all[i].uri == NULL || all[i].match != one->match || strcmp(all[i].uri, one->uri) != 0)
            continue;
        report_error(check->report, node->line,
                     "%s: \"%s\" with match = \"%s\" is in the list twice, see %s on line %u",
                     node->name, one->uri, match_name(one->match), first->name, first->line);
        return;
    }
}

static void check_histories(struct check *check, const struct node *list,
                            const struct core_options *options)
{
    const struct history_options *histories = options->histories;
    size_t index = 0;

    if (list == NULL || list->type != NODE_TABLE || options->history_count == 0)
        return;
    if (options->roles != (ROUTER_BROKER | ROUTER_DEALER))
        check_refuse(check, list, "roles leaves one out",
                     "with both roles: events come by a broker, wamp.subscription.get_events by a "
                     "dealer");
    for (const struct node *node = list->first; node != NULL; node = node->next, index++) {
        if (histories[index].uri == NULL || !has_match(node, &histories[index]))
            continue;
        check_pattern(check, node, options->strict_uris, &histories[index]);
        check_pattern_twins(check, list, node, histories, index);
    }
}

/* What everybody may see is no place for what proves who somebody is. */
static void check_shown_headers(struct check *check, const struct node *node,
                                const char *const *names)
{
    if (node == NULL || names == NULL)
        return;
    for (; *names != NULL; names++) {
        if (!check_header_name(*names) || strcmp(*names, "authorization") == 0)
            check_refuse(check, node, arena_format(check->arena, "found \"%s\"", *names),
                         "names of headers in lower case, but not \"cookie\" nor "
                         "\"authorization\"");
    }
}

/* The preset comes before everything else that the realm says. */
static void set_defaults(struct check *check, const struct section *section,
                         const struct node *node, struct realm_config *realm)
{
    const struct node *compat = node_find(node, "compat");

    options_default(section, realm, check->arena);
    if (compat != NULL && option_read(option_find(section, "compat"), compat, realm, check->arena))
        compat_apply(realm, check->arena);
}

const char *check_path(struct check *check, const char *path)
{
    const char *file = check->report->file;
    const char *slash = strrchr(file, '/');

    if (path == NULL || *path == '/' || slash == NULL)
        return path;
    return arena_format(check->arena, "%.*s%s", (int)(slash - file) + 1, file, path);
}

/* Files are seen from that of the configuration. */
static void check_secrets(struct check *check, const struct node *node,
                          const struct secret_sources *secrets)
{
    for (size_t i = 0; node != NULL && i < secrets->count; i++) {
        struct secret_source *source = &secrets->at[i];

        source->path = check_path(check, source->file);
        if (source->path != NULL && access(source->path, R_OK) != 0)
            report_error(check->report, node->line, "%s.%s: cannot read \"%s\": %s", node->name,
                         source->name, source->path, strerror(errno));
    }
}

static void check_rows(struct check *check, const struct section *section, const struct node *node,
                       struct realm_config *realm)
{
    const struct core_options *options = &realm->router.core;

    set_defaults(check, section, node, realm);
    check_section(check, section, node, realm);
    if (realm->policy != NULL && strcmp(realm->policy, "open") != 0) {
        realm->policy_path = ready_path(realm->policy, check->arena);
        if (realm->policy_path == NULL)
            realm->policy_path = check_path(check, realm->policy);
    }
    realm->settings_file = check_path(check, settings_file(&realm->settings));
    check_secrets(check, node_find(node, "secrets"), &realm->secrets);
    check_prefixes(check, node_find(node, "reserved_prefixes"), options->strict_uris,
                   options->reserved_prefixes);
    check_histories(check, node_find(node, "event_history"), options);
    check_shown_headers(check, node_find(node, "http_headers_received"), options->http_headers);
}

/* ---- realms ---- */

static void check_realm(struct check *check, const struct config_option *option,
                        const struct node *node, struct realm_config *realm)
{
    if (node->key == NULL || node->type != NODE_TABLE) {
        check_refuse(check, node,
                     arena_format(check->arena, "found %s", node_words(check->arena, node)),
                     "[\"name\"] = { policy = \"open\" }");
        return;
    }
    check_rows(check, option->section, node, realm);
    check_realm_name(check, node, realm);
    realm->router.core.realm = arena_format(check->arena, "%s", node->key);
}

void check_realms(struct check *check, const struct config_option *option, const struct node *node)
{
    struct config *config = check->config;
    size_t index = 0;

    config->router.realm_count = check_count(node);
    config->realms = check_array(check, config->router.realm_count, sizeof(*config->realms));
    for (const struct node *child = node->first; child != NULL; child = child->next)
        check_realm(check, option, child, &config->realms[index++]);
}

static bool is_word(const char *name)
{
    return *name != '\0' && strlen(name) <= 100 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               strlen(name);
}

void check_templates(struct check *check, const struct config_option *option,
                     const struct node *node)
{
    struct config *config = check->config;
    struct realm_config *at;

    config->template_count = check_count(node);
    config->templates = at = check_array(check, config->template_count, sizeof(*at));
    for (const struct node *child = node->first; child != NULL; child = child->next, at++) {
        if (child->key == NULL || child->type != NODE_TABLE || !is_word(child->key)) {
            check_refuse(check, child,
                         arena_format(check->arena, "found %s", node_words(check->arena, child)),
                         "name = { policy = \"tenant.lua\" }, with names of letters, digits, _ "
                         "and -");
            continue;
        }
        check_rows(check, option->section, child, at);
        at->router.core.realm = arena_format(check->arena, "%s", child->key);
    }
}

void check_template(struct check *check, const struct config_option *option,
                    const struct node *node)
{
    check->config->has_template = true;
    check_rows(check, option->section, node, &check->config->realm_template);
}

/* ---- the router's own policy ---- */

/* A ready-made policy has its part of the router beside it. */
static const char *router_path(struct check *check, const char *policy)
{
    const char *ready = policy == NULL ? NULL : ready_path(policy, check->arena);

    if (ready == NULL)
        return check_path(check, policy);
    return arena_format(check->arena, "%s/router.lua", ready);
}

void check_opener(struct check *check, const struct config_option *option, const struct node *node)
{
    struct realm_config *opener = &check->config->opener;
    const struct config_option *policy = option_find(option->section, "policy");

    options_default(option->section, opener, check->arena);
    if (node->type == NODE_TABLE)
        check_section(check, option->section, node, opener);
    else if (!option_read(policy, node, opener, check->arena))
        check_refuse(check, node,
                     arena_format(check->arena, "found %s", node_words(check->arena, node)),
                     option_allowed(option, check->arena));
    opener->policy_path = router_path(check, opener->policy);
    opener->settings_file = check_path(check, settings_file(&opener->settings));
    if (node->type == NODE_TABLE)
        check_secrets(check, node_find(node, "secrets"), &opener->secrets);
}
