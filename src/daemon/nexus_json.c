/* nexus_json.c -- the layout of the Go router nexus, key by key.
 *
 * Each section of that layout is a table of rows. A row says what type a key
 * has and what becomes of it: it is converted below, or has no counterpart
 * (said when the file asks for something), or would leave the router more open
 * than the file says, which is an error.
 *
 * nexus ignores the case of keys, and keys that it does not know; so do we, but
 * we say it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/nexus_json.h"

#include "base/check.h"
#include "daemon/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum fate {
    FATE_CONVERTED,
    FATE_NOTED,   /* no counterpart: `words` when it asks for something */
    FATE_REFUSED, /* an error when it asks for something */
};

struct row {
    const char *key;
    enum node_type type;
    enum fate fate;
    const char *words;
};

struct layout {
    const struct row *rows;
    size_t count;
};

static const struct row websocket_rows[] = {
    {"address", NODE_TEXT, FATE_CONVERTED, NULL},
    {"cert_file", NODE_TEXT, FATE_CONVERTED, NULL},
    {"key_file", NODE_TEXT, FATE_CONVERTED, NULL},
    {"keep_alive", NODE_INT, FATE_CONVERTED, NULL},
    {"enable_compression", NODE_BOOL, FATE_NOTED, "WebSockets are not compressed"},
    {"enable_tracking_cookie", NODE_BOOL, FATE_CONVERTED, NULL},
    {"enable_request_capture", NODE_BOOL, FATE_NOTED, "HTTP requests are not kept for policies"},
    {"allow_origins", NODE_TABLE, FATE_CONVERTED, NULL},
    {"out_queue_size", NODE_INT, FATE_CONVERTED, NULL},
};
static const struct row rawsocket_rows[] = {
    {"tcp_address", NODE_TEXT, FATE_CONVERTED, NULL},
    {"tcp_keepalive_interval", NODE_INT, FATE_NOTED,
     "instead of TCP keep-alive, a silent peer gets a PING (limits.ping_interval)"},
    {"unix_address", NODE_TEXT, FATE_CONVERTED, NULL},
    {"max_msg_len", NODE_INT, FATE_CONVERTED, NULL},
    {"cert_file", NODE_TEXT, FATE_CONVERTED, NULL},
    {"key_file", NODE_TEXT, FATE_CONVERTED, NULL},
    {"out_queue_size", NODE_INT, FATE_CONVERTED, NULL},
};
static const struct row metrics_rows[] = {
    {"address", NODE_TEXT, FATE_NOTED, "there is no metrics endpoint"},
};
static const struct row router_rows[] = {
    {"realms", NODE_TABLE, FATE_CONVERTED, NULL},
    {"realm_template", NODE_TABLE, FATE_CONVERTED, NULL},
    {"debug", NODE_BOOL, FATE_CONVERTED, NULL},
    {"mem_stats_log_sec", NODE_INT, FATE_NOTED, "memory statistics are not logged"},
};
static const struct row realm_rows[] = {
    {"uri", NODE_TEXT, FATE_CONVERTED, NULL},
    {"strict_uri", NODE_BOOL, FATE_CONVERTED, NULL},
    {"anonymous_auth", NODE_BOOL, FATE_CONVERTED, NULL},
    {"allow_disclose", NODE_BOOL, FATE_NOTED, "identities are not disclosed"},
    {"require_local_auth", NODE_BOOL, FATE_NOTED,
     "there are no local sessions that it could apply to"},
    {"require_local_authz", NODE_BOOL, FATE_NOTED,
     "there are no local sessions that it could apply to"},
    {"meta_strict", NODE_BOOL, FATE_NOTED, "there is no session meta API that it could apply to"},
    {"meta_include_session_details", NODE_TABLE, FATE_NOTED,
     "there is no session meta API that it could apply to"},
    {"enable_meta_kill", NODE_BOOL, FATE_NOTED, "there are no wamp.session.kill procedures"},
    {"enable_meta_modify", NODE_BOOL, FATE_NOTED,
     "there is no wamp.session.modify_details procedure"},
    {"event_history", NODE_TABLE, FATE_NOTED, "there is no event history"},
    {"authenticators", NODE_TABLE, FATE_REFUSED,
     "authentication is asked for, and there is none here; the realm would be open to anybody"},
    {"authorizer", NODE_TABLE, FATE_REFUSED,
     "authorization is asked for, and there is none here; everything would be allowed"},
};
static const struct row file_rows[] = {
    {"websocket", NODE_TABLE, FATE_CONVERTED, NULL},
    {"rawsocket", NODE_TABLE, FATE_CONVERTED, NULL},
    {"metrics", NODE_TABLE, FATE_CONVERTED, NULL},
    {"log_path", NODE_TEXT, FATE_CONVERTED, NULL},
    {"router", NODE_TABLE, FATE_CONVERTED, NULL},
};

#define LAYOUT(rows)            \
    {                           \
        (rows), ARRAY_LEN(rows) \
    }
static const struct layout websocket_layout = LAYOUT(websocket_rows);
static const struct layout rawsocket_layout = LAYOUT(rawsocket_rows);
static const struct layout metrics_layout = LAYOUT(metrics_rows);
static const struct layout router_layout = LAYOUT(router_rows);
static const struct layout realm_layout = LAYOUT(realm_rows);
static const struct layout file_layout = LAYOUT(file_rows);

struct convert {
    struct arena *arena;
    struct report *report;
    struct node *root;           /* in our layout */
    const struct node *messages; /* out_queue_size; NULL: not set */
};

/* ---- rows ---- */

static bool is_null(const struct node *node)
{
    return node->type == NODE_OTHER && strcmp(node->text, "null") == 0;
}

/* The value of a key, NULL when it is missing or null. */
static const struct node *find(const struct node *table, const char *key)
{
    for (const struct node *node = table == NULL ? NULL : table->first; node != NULL;
         node = node->next) {
        if (node->key != NULL && strcasecmp(node->key, key) == 0)
            return is_null(node) ? NULL : node;
    }
    return NULL;
}

/* False for what Go calls the zero value: it asks for nothing. */
static bool asks(const struct node *node)
{
    if (node == NULL)
        return false;
    switch (node->type) {
    case NODE_BOOL:
        return node->boolean;
    case NODE_INT:
        return node->integer != 0;
    case NODE_REAL:
        return node->real != 0;
    case NODE_TEXT:
        return *node->text != '\0';
    case NODE_TABLE:
        return node->first != NULL;
    case NODE_OTHER:
        return !is_null(node);
    }
    UNREACHABLE("node type");
}

static const char *type_words(enum node_type type)
{
    static const char *const words[] = {
        [NODE_BOOL] = "true or false", [NODE_INT] = "an integer",          [NODE_REAL] = "a number",
        [NODE_TEXT] = "a string",      [NODE_TABLE] = "an object or list",
    };

    CHECK(type < NODE_OTHER);
    return words[type];
}

static void check_row(struct convert *convert, const struct row *row, const struct node *node)
{
    if (is_null(node))
        return;
    if (row->fate == FATE_REFUSED && asks(node))
        report_error(convert->report, node->line, "%s: %s", node->name, row->words);
    else if (node->type != row->type)
        report_error(convert->report, node->line, "%s: found %s; allowed: %s", node->name,
                     node_words(convert->arena, node), type_words(row->type));
    else if (row->fate == FATE_NOTED && asks(node))
        report_note(convert->report, node->line, "%s: has no effect: %s", node->name, row->words);
}

/* Checks the types of all keys of an object, and says what will be ignored. */
static void check_object(struct convert *convert, const struct layout *layout,
                         const struct node *table)
{
    for (const struct node *node = table == NULL ? NULL : table->first; node != NULL;
         node = node->next) {
        const struct row *row = layout->rows, *end = row + layout->count;
        while (node->key != NULL && row < end && strcasecmp(row->key, node->key) != 0)
            row++;
        if (node->key == NULL)
            report_error(convert->report, table->line, "%s: found a list; allowed: an object",
                         table->name);
        else if (row == end)
            report_note(convert->report, node->line,
                        "%s: nexus has no such key, it is ignored there and here", node->name);
        else
            check_row(convert, row, node);
        if (node->key == NULL)
            return;
    }
}

/* The same value in our tree; its name stays that of the JSON file. */
static void copy(struct convert *convert, struct node *table, const char *key,
                 const struct node *from)
{
    struct node *node = node_new(convert->arena, from->type);

    *node = *from;
    node->next = NULL;
    node->index = 0;
    node_add(convert->arena, table, key, node);
}

static void set_text(struct convert *convert, struct node *table, const char *key, const char *text)
{
    node_add(convert->arena, table, key, node_text(convert->arena, text));
}

/* ---- listeners ---- */

/* Go's ":8080" is every address. */
static const char *whole_address(struct convert *convert, const struct node *node, bool is_tls)
{
    const char *host = "";

    if (node->text[0] == ':') {
        host = "0.0.0.0";
        report_note(convert->report, node->line,
                    "%s: \"%s\" listens on every IPv4 address; for IPv6 write \"[::]%s\"",
                    node->name, node->text, node->text);
    }
    return arena_format(convert->arena, "%s%s%s", is_tls ? "tls://" : "", host, node->text);
}

static struct node *add_listen(struct convert *convert, const struct node *section,
                               const struct node *address, const char *text, const char *protocol)
{
    struct node *listen = node_new(convert->arena, NODE_TABLE);

    listen->name = section->name;
    listen->line = address->line;
    node_add(convert->arena, node_open(convert->arena, convert->root, "listen"), NULL, listen);
    set_text(convert, listen, "address", text);
    set_text(convert, node_open(convert->arena, listen, "protocols"), NULL, protocol);
    return listen;
}

/* True when the section asks for TLS; half of a pair, with which nexus would serve without TLS,
 * is an error. */
static bool wants_tls(struct convert *convert, const struct node *section)
{
    const struct node *cert = find(section, "cert_file"), *key = find(section, "key_file");

    if (asks(cert) != asks(key))
        report_error(convert->report, asks(cert) ? cert->line : key->line,
                     "%s: cert_file and key_file are needed both; nexus would serve without TLS",
                     section->name);
    return asks(cert) && asks(key);
}

static void copy_tls(struct convert *convert, const struct node *section, struct node *listen)
{
    struct node *tls = node_open(convert->arena, listen, "tls");

    copy(convert, tls, "cert", find(section, "cert_file"));
    copy(convert, tls, "key", find(section, "key_file"));
}

/* nexus lets in pages of the host and port that they connect to; we know the usual names. */
static void own_origins(struct convert *convert, struct node *listen, const struct node *address,
                        const char *scheme)
{
    const char *hosts[] = {"localhost", "127.0.0.1", NULL};
    const char *port = strrchr(address->text, ':');
    struct node *origins = node_open(convert->arena, listen, "origins");

    if (port == NULL)
        port = "";
    if (port != address->text) {
        hosts[0] = arena_format(convert->arena, "%.*s", (int)(strlen(address->text) - strlen(port)),
                                address->text);
        hosts[1] = NULL;
    }
    /* browsers leave the usual port out */
    if (strcmp(port, strcmp(scheme, "http") == 0 ? ":80" : ":443") == 0)
        port = "";
    for (size_t i = 0; hosts[i] != NULL; i++)
        set_text(convert, origins, NULL,
                 arena_format(convert->arena, "%s://%s%s", scheme, hosts[i], port));
    report_note(convert->report, address->line,
                "websocket.allow_origins: not set: of web pages, only those from %s://%s%s may "
                "connect (nexus: those from its own host and port)",
                scheme, hosts[0], port);
}

static void copy_origin(struct convert *convert, struct node *origins, const struct node *origin)
{
    if (origin->type != NODE_TEXT || *origin->text == '\0')
        report_error(convert->report, origin->line, "%s: found %s; allowed: a host", origin->name,
                     node_words(convert->arena, origin));
    else if (strpbrk(origin->text, "*?[]^\\") != NULL)
        report_error(convert->report, origin->line,
                     "%s: the pattern \"%s\" has no counterpart: list the hosts, or \"*\" for all",
                     origin->name, origin->text);
    else
        for (int i = 0; i < 2; i++)
            set_text(
                convert, origins, NULL,
                arena_format(convert->arena, "%s://%s", i == 0 ? "http" : "https", origin->text));
}

static void copy_origins(struct convert *convert, struct node *listen, const struct node *list)
{
    for (const struct node *origin = list->first; origin != NULL; origin = origin->next) {
        if (origin->type == NODE_TEXT && strcmp(origin->text, "*") == 0)
            return;
    }
    struct node *origins = node_open(convert->arena, listen, "origins");
    for (const struct node *origin = list->first; origin != NULL; origin = origin->next)
        copy_origin(convert, origins, origin);
}

static void convert_cookie(struct convert *convert, struct node *listen, const struct node *cookie)
{
    if (!asks(cookie))
        return;
    if (node_find(listen, "origins") == NULL) {
        report_error(convert->report, cookie->line,
                     "%s: with \"*\" in allow_origins every web page could use the cookie; "
                     "list the origins",
                     cookie->name);
        return;
    }
    set_text(convert, node_open(convert->arena, listen, "cookie"), "name", "nexus-wamp-cookie");
}

static void convert_keep_alive(struct convert *convert, const struct node *keep_alive,
                               const struct node *section)
{
    if (!asks(keep_alive)) {
        report_note(convert->report, section->line,
                    "websocket.keep_alive: not set: a silent peer gets a PING all the same "
                    "(limits.ping_interval)");
        return;
    }
    struct node *limits = node_open(convert->arena, convert->root, "limits");
    copy(convert, limits, "ping_interval", keep_alive);
    copy(convert, limits, "ping_timeout", keep_alive);
    report_note(convert->report, keep_alive->line, "%s: holds for RawSocket as well",
                keep_alive->name);
}

static void convert_queue(struct convert *convert, const struct node *section)
{
    const struct node *size = find(section, "out_queue_size");

    if (!asks(size))
        return;
    if (convert->messages != NULL && convert->messages->integer != size->integer)
        report_note(convert->report, size->line,
                    "%s: WebSocket and RawSocket have one queue length here: the larger counts",
                    size->name);
    if (convert->messages == NULL || size->integer > convert->messages->integer)
        convert->messages = size;
}

static void convert_websocket(struct convert *convert, const struct node *section)
{
    const struct node *address = find(section, "address");
    const struct node *origins = find(section, "allow_origins");

    check_object(convert, &websocket_layout, section);
    if (convert->report->errors.count != 0 || !asks(address))
        return;
    bool is_tls = wants_tls(convert, section);
    struct node *listen =
        add_listen(convert, section, address, whole_address(convert, address, is_tls), "websocket");
    if (is_tls)
        copy_tls(convert, section, listen);
    if (asks(origins))
        copy_origins(convert, listen, origins);
    else
        own_origins(convert, listen, address, is_tls ? "https" : "http");
    convert_cookie(convert, listen, find(section, "enable_tracking_cookie"));
    convert_keep_alive(convert, find(section, "keep_alive"), section);
    convert_queue(convert, section);
    report_note(convert->report, address->line,
                "%s: WebSockets are served on \"/\" and \"/ws\" (nexus: on every path)",
                address->name);
}

static void convert_rawsocket(struct convert *convert, const struct node *section)
{
    const struct node *tcp = find(section, "tcp_address"), *path = find(section, "unix_address");
    const struct node *len = find(section, "max_msg_len");

    check_object(convert, &rawsocket_layout, section);
    if (convert->report->errors.count != 0 || (!asks(tcp) && !asks(path)))
        return;
    bool is_tls = wants_tls(convert, section);
    if (asks(tcp)) {
        struct node *listen =
            add_listen(convert, section, tcp, whole_address(convert, tcp, is_tls), "rawsocket");
        if (is_tls)
            copy_tls(convert, section, listen);
    }
    if (asks(path))
        add_listen(convert, section, path, arena_format(convert->arena, "unix:%s", path->text),
                   "rawsocket");
    if (asks(len)) {
        copy(convert, node_open(convert->arena, convert->root, "limits"), "max_message_size", len);
        report_note(convert->report, len->line, "%s: holds for WebSocket as well", len->name);
    }
    convert_queue(convert, section);
}

/* ---- realms ---- */

static void fill_realm(struct convert *convert, const struct node *from, struct node *realm)
{
    const struct node *anonymous = find(from, "anonymous_auth");

    realm->name = from->name;
    realm->line = from->line;
    if (asks(anonymous))
        set_text(convert, realm, "policy", "open");
    else
        report_error(convert->report, anonymous == NULL ? from->line : anonymous->line,
                     "%s.anonymous_auth: %s: sessions must authenticate, and no method of "
                     "authentication is there yet; allowed: true",
                     from->name, anonymous == NULL ? "not set" : "false");
    if (asks(find(from, "strict_uri")))
        set_text(convert, realm, "uri_check", "strict");
    if (convert->messages != NULL)
        copy(convert, node_open(convert->arena, realm, "queue"), "messages", convert->messages);
}

static void convert_realm(struct convert *convert, struct node *realms, const struct node *from)
{
    const struct node *uri = find(from, "uri");

    check_object(convert, &realm_layout, from);
    if (from->type != NODE_TABLE || uri == NULL || uri->type != NODE_TEXT) {
        report_error(convert->report, from->line, "%s: a realm needs a uri", from->name);
        return;
    }
    if (node_find(realms, uri->text) != NULL) {
        report_error(convert->report, uri->line, "%s: \"%s\" is in the list twice", uri->name,
                     uri->text);
        return;
    }
    struct node *realm = node_new(convert->arena, NODE_TABLE);
    node_add(convert->arena, realms, uri->text, realm);
    fill_realm(convert, from, realm);
}

static void convert_router(struct convert *convert, const struct node *router)
{
    const struct node *list = find(router, "realms"), *pattern = find(router, "realm_template");

    check_object(convert, &router_layout, router);
    if (list != NULL && list->type == NODE_TABLE) {
        struct node *realms = node_open(convert->arena, convert->root, "realms");
        for (const struct node *realm = list->first; realm != NULL; realm = realm->next)
            convert_realm(convert, realms, realm);
    }
    if (pattern != NULL && pattern->type == NODE_TABLE) {
        check_object(convert, &realm_layout, pattern);
        if (asks(find(pattern, "uri")))
            report_note(convert->report, pattern->line,
                        "%s.uri: has no effect: a realm is named by the peer that asks for it",
                        pattern->name);
        fill_realm(convert, pattern, node_open(convert->arena, convert->root, "realm_template"));
    }
    if (asks(find(router, "debug")))
        set_text(convert, node_open(convert->arena, convert->root, "log"), "level", "debug");
}

static const struct node *object(const struct node *json, const char *key)
{
    const struct node *node = find(json, key);

    return node != NULL && node->type == NODE_TABLE ? node : NULL;
}

static const char *queue_default(void)
{
    const struct section *queue = option_find(&realm_section, "queue")->section;

    return option_find(queue, "messages")->fallback;
}

struct node *nexus_json_convert(const struct node *json, struct arena *arena, struct report *report)
{
    struct convert convert = {arena, report, node_new(arena, NODE_TABLE), NULL};
    const struct node *log_path = find(json, "log_path");

    convert.root->name = "";
    check_object(&convert, &file_layout, json);
    check_object(&convert, &metrics_layout, object(json, "metrics"));
    if (object(json, "websocket") != NULL)
        convert_websocket(&convert, object(json, "websocket"));
    if (object(json, "rawsocket") != NULL)
        convert_rawsocket(&convert, object(json, "rawsocket"));
    if (object(json, "router") != NULL)
        convert_router(&convert, object(json, "router"));
    if (log_path != NULL && asks(log_path))
        copy(&convert, node_open(arena, convert.root, "log"), "file", log_path);
    else
        report_note(report, 0,
                    "log_path: not set: lines go to standard error (nexus: standard "
                    "output)");
    if (convert.messages == NULL)
        report_note(report, 0,
                    "out_queue_size: not set: %s messages may wait for a session (nexus: 64)",
                    queue_default());
    if (node_find(convert.root, "listen") == NULL && report->errors.count == 0)
        report_error(report, 0,
                     "no address: websocket.address, rawsocket.tcp_address or "
                     "rawsocket.unix_address is needed");
    return report->errors.count == 0 ? convert.root : NULL;
}
