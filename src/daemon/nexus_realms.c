/* nexus_realms.c -- `router` of nexus's layout: the realms.
 *
 * A realm gets the habits of nexus (compat.c), and then what the file asks for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/nexus_json_priv.h"
#include "daemon/options.h"

#include <stdlib.h>

static const struct row history_rows[] = {
    {"topic", NODE_TEXT, FATE_CONVERTED, NULL},
    {"match", NODE_TEXT, FATE_CONVERTED, NULL},
    {"limit", NODE_INT, FATE_CONVERTED, NULL},
};
static const struct row realm_rows[] = {
    {"uri", NODE_TEXT, FATE_CONVERTED, NULL},
    {"strict_uri", NODE_BOOL, FATE_CONVERTED, NULL},
    {"anonymous_auth", NODE_BOOL, FATE_CONVERTED, NULL},
    {"allow_disclose", NODE_BOOL, FATE_CONVERTED, NULL},
    {"require_local_auth", NODE_BOOL, FATE_NOTED,
     "there are no local sessions that it could apply to"},
    {"require_local_authz", NODE_BOOL, FATE_NOTED,
     "there are no local sessions that it could apply to"},
    {"meta_strict", NODE_BOOL, FATE_CONVERTED, NULL},
    {"meta_include_session_details", NODE_TABLE, FATE_NOTED,
     "where meta_strict is on, session details are the standard attributes only"},
    {"enable_meta_kill", NODE_BOOL, FATE_CONVERTED, NULL},
    {"enable_meta_modify", NODE_BOOL, FATE_CONVERTED, NULL},
    {"event_history", NODE_TABLE, FATE_CONVERTED, NULL},
    {"authenticators", NODE_TABLE, FATE_REFUSED,
     "who comes in is a policy in Lua here; without one the realm would be open to anybody"},
    {"authorizer", NODE_TABLE, FATE_REFUSED,
     "who may do what is a policy in Lua here; without one everything would be allowed"},
};
static const struct row router_rows[] = {
    {"realms", NODE_TABLE, FATE_CONVERTED, NULL},
    {"realm_template", NODE_TABLE, FATE_CONVERTED, NULL},
    {"debug", NODE_BOOL, FATE_CONVERTED, NULL},
    {"mem_stats_log_sec", NODE_INT, FATE_NOTED, "memory statistics are not logged"},
};

static const struct layout history_layout = LAYOUT(history_rows);
static const struct layout realm_layout = LAYOUT(realm_rows);
static const struct layout router_layout = LAYOUT(router_rows);

static void set_flag(struct convert *convert, struct node *realm, const char *key, bool is_set)
{
    node_add(convert->arena, realm, key, node_bool(convert->arena, is_set));
}

/* ---- event history ---- */

/* Returns how many events are kept. */
static int64_t convert_history(struct convert *convert, struct node *list, const struct node *from)
{
    const struct node *topic = convert_find(from, "topic"), *match = convert_find(from, "match");
    const struct node *limit = convert_find(from, "limit");
    struct node *history = node_new(convert->arena, NODE_TABLE);

    convert_check(convert, &history_layout, from);
    history->name = from->name;
    history->line = from->line;
    node_add(convert->arena, list, NULL, history);
    if (topic == NULL)
        report_error(convert->report, from->line, "%s: topic is missing; allowed: a string",
                     from->name);
    else
        convert_copy(convert, history, "uri", topic);
    if (convert_asks(match))
        convert_copy(convert, history, "match", match);
    if (convert_asks(limit))
        convert_copy(convert, history, "limit", limit);
    else
        report_note(convert->report, from->line, "%s.limit: not set: 1000 events are kept",
                    from->name);
    return limit == NULL ? 0 : limit->integer;
}

static int64_t max_result(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* nexus answers with all that it has, so an answer may be as long as the longest history. */
static void convert_histories(struct convert *convert, const struct node *from, struct node *realm)
{
    const struct config_option *option = option_find(&realm_section, "history_max_result");
    int64_t longest = max_result(option->fallback), kept;

    if (from == NULL || from->type != NODE_TABLE)
        return;
    struct node *list = node_open(convert->arena, realm, "event_history");
    list->name = from->name;
    list->line = from->line;
    for (const struct node *entry = from->first; entry != NULL; entry = entry->next) {
        if (entry->key != NULL || entry->type != NODE_TABLE) {
            report_error(convert->report, entry->line,
                         "%s: found %s; allowed: an object with topic, match and limit",
                         entry->name, node_words(convert->arena, entry));
            continue;
        }
        kept = convert_history(convert, list, entry);
        longest = kept > longest && kept <= (int64_t)option->max ? kept : longest;
    }
    if (longest > max_result(option->fallback))
        node_add(convert->arena, realm, option->name, node_int(convert->arena, longest));
}

/* ---- realms ---- */

static void set_policy(struct convert *convert, const struct node *from, struct node *realm)
{
    const struct node *anonymous = convert_find(from, "anonymous_auth");

    if (convert_asks(anonymous))
        convert_text(convert, realm, "policy", "open");
    else
        report_error(convert->report, anonymous == NULL ? from->line : anonymous->line,
                     "%s.anonymous_auth: %s: sessions must authenticate, which a policy in Lua "
                     "says here; allowed in this file: true",
                     from->name, anonymous == NULL ? "not set" : "false");
}

/* Whoever may reach these procedures in nexus may use them: authorizers are refused above. */
static void set_admin(struct convert *convert, const struct node *from, struct node *realm)
{
    const struct node *modify = convert_find(from, "enable_meta_modify");
    bool may_kill = convert_asks(convert_find(from, "enable_meta_kill"));

    set_flag(convert, realm, "anonymous_admin", may_kill);
    set_flag(convert, realm, "enable_modify_details", convert_asks(modify));
    if (convert_asks(modify) && !may_kill)
        report_note(convert->report, modify->line,
                    "%s: nobody may use it without enable_meta_kill: here, who may modify may kill "
                    "(anonymous_admin)",
                    modify->name);
}

static void fill_realm(struct convert *convert, const struct node *from, struct node *realm)
{
    realm->name = from->name;
    realm->line = from->line;
    set_policy(convert, from, realm);
    convert_text(convert, realm, "compat", "nexus");
    if (convert_asks(convert_find(from, "strict_uri")))
        convert_text(convert, realm, "uri_check", "strict");
    if (convert_asks(convert_find(from, "allow_disclose"))) {
        convert_text(convert, realm, "disclose_caller", "request");
        convert_text(convert, realm, "disclose_publisher", "request");
    }
    set_flag(convert, realm, "meta_strict", convert_asks(convert_find(from, "meta_strict")));
    set_admin(convert, from, realm);
    convert_histories(convert, convert_find(from, "event_history"), realm);
    if (convert->messages != NULL)
        convert_copy(convert, node_open(convert->arena, realm, "queue"), "messages",
                     convert->messages);
}

static void convert_realm(struct convert *convert, struct node *realms, const struct node *from)
{
    const struct node *uri = convert_find(from, "uri");

    convert_check(convert, &realm_layout, from);
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

void convert_router(struct convert *convert, const struct node *router)
{
    const struct node *list = convert_find(router, "realms"),
                      *pattern = convert_find(router, "realm_template");

    convert_check(convert, &router_layout, router);
    if (list != NULL && list->type == NODE_TABLE) {
        struct node *realms = node_open(convert->arena, convert->root, "realms");
        for (const struct node *realm = list->first; realm != NULL; realm = realm->next)
            convert_realm(convert, realms, realm);
    }
    if (pattern != NULL && pattern->type == NODE_TABLE) {
        convert_check(convert, &realm_layout, pattern);
        if (convert_asks(convert_find(pattern, "uri")))
            report_note(convert->report, pattern->line,
                        "%s.uri: has no effect: a realm is named by the peer that asks for it",
                        pattern->name);
        fill_realm(convert, pattern, node_open(convert->arena, convert->root, "realm_template"));
    }
    if (convert_asks(convert_find(router, "debug")))
        convert_text(convert, node_open(convert->arena, convert->root, "log"), "level", "debug");
}
