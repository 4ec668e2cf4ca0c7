/* config_listen.c -- the addresses of a configuration: each by itself, and together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "daemon/address.h"
#include "daemon/config_priv.h"

#include <ctype.h>
#include <string.h>

static void resolve_address(struct check *check, const struct node *node,
                            struct listen_config *listen)
{
    struct address address;
    const char *wrong = address_parse(&address, listen->address, check->arena);

    if (wrong != NULL) {
        check_refuse(check, node, arena_format(check->arena, "\"%s\": %s", listen->address, wrong),
                     ADDRESS_ALLOWED);
        return;
    }
    listen->net.host = address.host;
    listen->net.port = address.port;
    listen->net.unix_path = address.unix_path;
    listen->is_tls = address.is_tls;
}

static bool allows_any_origin(const char *const *origins)
{
    if (origins == NULL)
        return true;
    for (; *origins != NULL; origins++) {
        if (strcmp(*origins, "*") == 0)
            return true;
    }
    return false;
}

/* What one address must not say together. */
static void check_together(struct check *check, const struct node *node,
                           const struct listen_config *listen)
{
    const struct listener_options *net = &listen->net;
    const char *wrong = NULL;

    if (listen->is_tls && node_find(node, "tls") == NULL)
        wrong = "a tls:// address needs tls = { cert = FILE, key = FILE }";
    else if (net->tls_cert != NULL && net->unix_path != NULL)
        wrong = "tls is for TCP; a unix socket is as private as its file";
    else if (net->tls_cert != NULL && net->host != NULL && !listen->is_tls)
        wrong = "tls is set, but the address does not begin with tls://";
    else if (net->proxies != NULL && net->unix_path != NULL)
        wrong = "proxies is for TCP; a unix socket has no addresses";
    else if (net->trusted_proxies != NULL && net->unix_path != NULL)
        wrong = "trusted_proxies is for TCP; a unix socket has no addresses";
    else if (net->trusted_proxies != NULL && listen->is_tls &&
             net->forwarded_header == FORWARDED_7239)
        wrong = "forwarded_header = \"forwarded\" cannot be read within TLS; allowed with "
                "trusted_proxies: "
                "\"x-forwarded-for\", or an address without TLS";
    else if (net->unix_mode != 0 && net->host != NULL)
        wrong = "unix_mode is for unix: addresses";
    else if (net->cookie_name != NULL && allows_any_origin(net->origins))
        wrong = "a cookie needs origins (and not \"*\"), so that not every web page can use it";
    else if (net->default_codec != 0 && (listen->protocols & 1) == 0)
        wrong = "default_subprotocol is for WebSockets, which protocols leaves out";
    else if (net->default_codec != 0 && (net->codecs & 1U << (net->default_codec - 1)) == 0)
        wrong = "serializers leaves out what default_subprotocol names";
    if (wrong != NULL)
        report_error(check->report, node->line, "%s: %s", node->name, wrong);
}

static bool is_cookie_name(const char *name)
{
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("!#$%&'*+-.^_`|~", *name) == NULL)
            return false;
    }
    return true;
}

static void check_texts(struct check *check, const struct node *node,
                        const struct listen_config *listen)
{
    const struct listener_options *net = &listen->net;

    for (size_t i = 0; net->paths != NULL && net->paths[i] != NULL; i++) {
        if (net->paths[i][0] != '/')
            report_error(check->report, node->line,
                         "%s: paths: found \"%s\"; allowed: paths that begin with /", node->name,
                         net->paths[i]);
    }
    if (net->cookie_name != NULL && !is_cookie_name(net->cookie_name))
        report_error(check->report, node->line,
                     "%s: cookie.name: found \"%s\"; allowed: letters, digits and !#$%%&'*+-.^_`|~",
                     node->name, net->cookie_name);
    if (net->default_realm != NULL && !check_uri(net->default_realm, MATCH_EXACT, false))
        report_error(check->report, node->line,
                     "%s: default_realm: \"%s\" is no realm name: components without spaces or #, "
                     "separated by dots",
                     node->name, net->default_realm);
}

static void check_proxies(struct check *check, const struct node *node,
                          const struct listen_config *listen)
{
    const struct node *proxies = node_find(node, "proxies");
    const struct node *trusted = node_find(node, "trusted_proxies");
    char words[512];

    if (proxies != NULL && net_check_proxies(listen->net.proxies, words, sizeof(words)) != 0)
        report_error(check->report, proxies->line, "%s: %s", proxies->name, words);
    if (trusted != NULL &&
        net_check_proxies(listen->net.trusted_proxies, words, sizeof(words)) != 0)
        report_error(check->report, trusted->line, "%s: %s", trusted->name, words);
}

bool check_header_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len != 0 && len <= MAX_HEADER_NAME_LEN && name[len] == '\0' &&
           strcmp(name, "cookie") != 0;
}

static void check_headers(struct check *check, const struct node *node,
                          const struct listen_config *listen)
{
    const struct node *headers = node_find(node, "headers");
    const char *const *name = listen->net.headers;

    for (; headers != NULL && name != NULL && *name != NULL; name++) {
        if (!check_header_name(*name))
            report_error(check->report, headers->line,
                         "%s: found \"%s\"; allowed: names of headers in lower case, up to %d "
                         "characters, but not \"cookie\": policies have transport.cookies",
                         headers->name, *name, MAX_HEADER_NAME_LEN);
    }
}

/* What OpenSSL thinks of the words that are for it. */
static void check_tls(struct check *check, const struct node *node,
                      const struct listen_config *listen)
{
    const struct node *tls = node_find(node, "tls");
    char words[512];

    if (tls != NULL && net_check_tls(&listen->net, words, sizeof(words)) != 0)
        report_error(check->report, tls->line, "%s.%s", tls->name, words);
}

static void check_twins(struct check *check, const struct node *node, size_t index)
{
    const struct listen_config *all = check->config->listen, *one = &all[index];

    for (size_t i = 0; i < index; i++) {
        const struct listener_options *a = &all[i].net, *b = &one->net;
        bool is_unix = a->unix_path != NULL && b->unix_path != NULL;
        bool is_tcp = a->host != NULL && b->host != NULL;
        if ((is_unix && strcmp(a->unix_path, b->unix_path) == 0) ||
            (is_tcp && strcmp(a->port, "0") != 0 && strcmp(a->host, b->host) == 0 &&
             strcmp(a->port, b->port) == 0))
            report_error(check->report, node->line, "%s: \"%s\" is in the list twice", node->name,
                         one->address);
    }
}

static void check_one_listen(struct check *check, const struct config_option *option,
                             const struct node *node, size_t index)
{
    struct listen_config *listen = &check->config->listen[index];

    options_default(option->section, listen, check->arena);
    if (node->key != NULL || (node->type != NODE_TEXT && node->type != NODE_TABLE)) {
        check_refuse(
            check, node, arena_format(check->arena, "found %s", node_words(check->arena, node)),
            "a list of addresses, each " ADDRESS_ALLOWED ", or a table with address = and options");
        return;
    }
    if (node->type == NODE_TEXT)
        listen->address = arena_format(check->arena, "%s", node->text);
    else
        check_section(check, option->section, node, listen);
    if (listen->address == NULL)
        return;
    resolve_address(check, node, listen);
    check_together(check, node, listen);
    check_texts(check, node, listen);
    check_proxies(check, node, listen);
    check_headers(check, node, listen);
    check_tls(check, node, listen);
    check_twins(check, node, index);
}

void check_listen(struct check *check, const struct config_option *option, const struct node *node)
{
    struct config *config = check->config;
    size_t count = check_count(node), index = 0;

    if (count == 0)
        check_refuse(check, node, "found an empty list", option_allowed(option, check->arena));
    config->listen = check_array(check, count, sizeof(*config->listen));
    for (const struct node *child = node->first; child != NULL; child = child->next)
        check_one_listen(check, option, child, index++);
    config->router.listener_count = count;
}
