/* nexus_json.c -- the layout of the Go router nexus, key by key; its realms are in nexus_realms.c.
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
#include "daemon/nexus_json_priv.h"
#include "daemon/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

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
static const struct row file_rows[] = {
    {"websocket", NODE_TABLE, FATE_CONVERTED, NULL},
    {"rawsocket", NODE_TABLE, FATE_CONVERTED, NULL},
    {"metrics", NODE_TABLE, FATE_CONVERTED, NULL},
    {"log_path", NODE_TEXT, FATE_CONVERTED, NULL},
    {"router", NODE_TABLE, FATE_CONVERTED, NULL},
};

static const struct layout websocket_layout = LAYOUT(websocket_rows);
static const struct layout rawsocket_layout = LAYOUT(rawsocket_rows);
static const struct layout metrics_layout = LAYOUT(metrics_rows);
static const struct layout file_layout = LAYOUT(file_rows);

/* ---- rows ---- */

static bool is_null(const struct node *node)
{
    return node->type == NODE_OTHER && strcmp(node->text, "null") == 0;
}

const struct node *convert_find(const struct node *table, const char *key)
{
    for (const struct node *node = table == NULL ? NULL : table->first; node != NULL;
         node = node->next) {
        if (node->key != NULL && strcasecmp(node->key, key) == 0)
            return is_null(node) ? NULL : node;
    }
    return NULL;
}

bool convert_asks(const struct node *node)
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
    if (row->fate == FATE_REFUSED && convert_asks(node))
        report_error(convert->report, node->line, "%s: %s", node->name, row->words);
    else if (node->type != row->type)
        report_error(convert->report, node->line, "%s: found %s; allowed: %s", node->name,
                     node_words(convert->arena, node), type_words(row->type));
    else if (row->fate == FATE_NOTED && convert_asks(node))
        report_note(convert->report, node->line, "%s: has no effect: %s", node->name, row->words);
}

void convert_check(struct convert *convert, const struct layout *layout, const struct node *table)
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

void convert_copy(struct convert *convert, struct node *table, const char *key,
                  const struct node *from)
{
    struct node *node = node_new(convert->arena, from->type);

    *node = *from;
    node->next = NULL;
    node->index = 0;
    node_add(convert->arena, table, key, node);
}

void convert_text(struct convert *convert, struct node *table, const char *key, const char *text)
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
    convert_text(convert, listen, "address", text);
    convert_text(convert, node_open(convert->arena, listen, "protocols"), NULL, protocol);
    return listen;
}

/* True when the section asks for TLS; half of a pair, with which nexus would serve without TLS,
 * is an error. */
static bool wants_tls(struct convert *convert, const struct node *section)
{
    const struct node *cert = convert_find(section, "cert_file"),
                      *key = convert_find(section, "key_file");

    if (convert_asks(cert) != convert_asks(key))
        report_error(convert->report, convert_asks(cert) ? cert->line : key->line,
                     "%s: cert_file and key_file are needed both; nexus would serve without TLS",
                     section->name);
    return convert_asks(cert) && convert_asks(key);
}

static void copy_tls(struct convert *convert, const struct node *section, struct node *listen)
{
    struct node *tls = node_open(convert->arena, listen, "tls");

    convert_copy(convert, tls, "cert", convert_find(section, "cert_file"));
    convert_copy(convert, tls, "key", convert_find(section, "key_file"));
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
        convert_text(convert, origins, NULL,
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
            convert_text(
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
    if (!convert_asks(cookie))
        return;
    if (node_find(listen, "origins") == NULL) {
        report_error(convert->report, cookie->line,
                     "%s: with \"*\" in allow_origins every web page could use the cookie; "
                     "list the origins",
                     cookie->name);
        return;
    }
    convert_text(convert, node_open(convert->arena, listen, "cookie"), "name", "nexus-wamp-cookie");
}

static void convert_keep_alive(struct convert *convert, const struct node *keep_alive,
                               const struct node *section)
{
    if (!convert_asks(keep_alive)) {
        report_note(convert->report, section->line,
                    "websocket.keep_alive: not set: a silent peer gets a PING all the same "
                    "(limits.ping_interval)");
        return;
    }
    struct node *limits = node_open(convert->arena, convert->root, "limits");
    convert_copy(convert, limits, "ping_interval", keep_alive);
    convert_copy(convert, limits, "ping_timeout", keep_alive);
    report_note(convert->report, keep_alive->line, "%s: holds for RawSocket as well",
                keep_alive->name);
}

static void convert_queue(struct convert *convert, const struct node *section)
{
    const struct node *size = convert_find(section, "out_queue_size");

    if (!convert_asks(size))
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
    const struct node *address = convert_find(section, "address");
    const struct node *origins = convert_find(section, "allow_origins");

    convert_check(convert, &websocket_layout, section);
    if (convert->report->errors.count != 0 || !convert_asks(address))
        return;
    bool is_tls = wants_tls(convert, section);
    struct node *listen =
        add_listen(convert, section, address, whole_address(convert, address, is_tls), "websocket");
    if (is_tls)
        copy_tls(convert, section, listen);
    if (convert_asks(origins))
        copy_origins(convert, listen, origins);
    else
        own_origins(convert, listen, address, is_tls ? "https" : "http");
    convert_cookie(convert, listen, convert_find(section, "enable_tracking_cookie"));
    convert_keep_alive(convert, convert_find(section, "keep_alive"), section);
    convert_queue(convert, section);
    report_note(convert->report, address->line,
                "%s: WebSockets are served on \"/\" and \"/ws\" (nexus: on every path)",
                address->name);
}

static void convert_rawsocket(struct convert *convert, const struct node *section)
{
    const struct node *tcp = convert_find(section, "tcp_address"),
                      *path = convert_find(section, "unix_address");
    const struct node *len = convert_find(section, "max_msg_len");

    convert_check(convert, &rawsocket_layout, section);
    if (convert->report->errors.count != 0 || (!convert_asks(tcp) && !convert_asks(path)))
        return;
    bool is_tls = wants_tls(convert, section);
    if (convert_asks(tcp)) {
        struct node *listen =
            add_listen(convert, section, tcp, whole_address(convert, tcp, is_tls), "rawsocket");
        if (is_tls)
            copy_tls(convert, section, listen);
    }
    if (convert_asks(path))
        add_listen(convert, section, path, arena_format(convert->arena, "unix:%s", path->text),
                   "rawsocket");
    if (convert_asks(len)) {
        convert_copy(convert, node_open(convert->arena, convert->root, "limits"),
                     "max_message_size", len);
        report_note(convert->report, len->line, "%s: holds for WebSocket as well", len->name);
    }
    convert_queue(convert, section);
}

/* ---- the whole ---- */

static const struct node *object(const struct node *json, const char *key)
{
    const struct node *node = convert_find(json, key);

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
    const struct node *log_path = convert_find(json, "log_path");

    convert.root->name = "";
    convert_check(&convert, &file_layout, json);
    convert_check(&convert, &metrics_layout, object(json, "metrics"));
    if (object(json, "websocket") != NULL)
        convert_websocket(&convert, object(json, "websocket"));
    if (object(json, "rawsocket") != NULL)
        convert_rawsocket(&convert, object(json, "rawsocket"));
    if (object(json, "router") != NULL)
        convert_router(&convert, object(json, "router"));
    if (log_path != NULL && convert_asks(log_path))
        convert_copy(&convert, node_open(arena, convert.root, "log"), "file", log_path);
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
