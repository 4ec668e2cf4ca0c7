/* forwarded.c -- see forwarded.h.
 *
 * WAMP does not know of this; RFC 7239 has the grammar of Forwarded, habit that of the other one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/forwarded.h"

#include "net/priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define MAX_NODE_LEN 64 /* "[", an address of IPv6, "]:65535" */

/* What the list has said so far, from the left. */
struct reading {
    const struct proxy_range *proxies;
    size_t proxy_count;
    enum forwarded_result result;
    struct sockaddr_storage from;
};

static bool read_port(const char *text, in_port_t *port)
{
    size_t len = strlen(text);
    unsigned long value = 0;

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    for (const char *at = text; *at != '\0'; at++)
        value = value * 10 + (unsigned long)(*at - '0');
    *port = htons((uint16_t)value);
    return value <= UINT16_MAX;
}

static bool read_v6(const char *host, in_port_t port, struct sockaddr_storage *from)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

    if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
        return false;
    memcpy(from, &v6, sizeof v6);
    return true;
}

static bool read_v4(const char *host, in_port_t port, struct sockaddr_storage *from)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};

    if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return false;
    memcpy(from, &v4, sizeof v4);
    return true;
}

/* An address as people write it; a port may follow, which IPv6 needs brackets for. */
static bool read_address(char *text, struct sockaddr_storage *from)
{
    char *colon = strchr(text, ':'), *bracket;
    in_port_t port = 0;

    memset(from, 0, sizeof *from);
    if (*text == '[') {
        bracket = strchr(text, ']');
        if (bracket == NULL || (bracket[1] != '\0' && bracket[1] != ':') ||
            (bracket[1] == ':' && !read_port(bracket + 2, &port)))
            return false;
        *bracket = '\0';
        return read_v6(text + 1, port, from);
    }
    if (colon == NULL)
        return read_v4(text, 0, from);
    if (strchr(colon + 1, ':') != NULL)
        return read_v6(text, 0, from);
    *colon = '\0';
    return read_port(colon + 1, &port) && read_v4(text, port, from);
}

static bool is_ours(const struct reading *reading, const struct sockaddr_storage *from)
{
    unsigned char octets[16];

    address_octets(from, octets);
    for (size_t i = 0; i < reading->proxy_count; i++) {
        if (proxy_range_has(&reading->proxies[i], octets))
            return true;
    }
    return false;
}

/* Somebody whom the proxy does not know, or does not want to name. */
static bool is_hidden(const char *text)
{
    return *text == '\0' || *text == '_' ||
           (strncasecmp(text, "unknown", 7) == 0 && (text[7] == '\0' || text[7] == ':'));
}

/* The next node from the left: what it says takes the place of what is further left, unless it is
 * a proxy of ours, which has seen who is there. */
static void take_node(struct reading *reading, struct slice node)
{
    char text[MAX_NODE_LEN + 1];
    struct sockaddr_storage from;

    if (node.len > MAX_NODE_LEN || memchr(node.data, '\0', node.len) != NULL) {
        reading->result = FORWARDED_BAD;
        return;
    }
    if (node.len != 0)
        memcpy(text, node.data, node.len);
    text[node.len] = '\0';
    if (is_hidden(text)) {
        reading->result = FORWARDED_NOBODY;
    } else if (!read_address(text, &from)) {
        reading->result = FORWARDED_BAD;
    } else if (reading->result == FORWARDED_NOBODY || !is_ours(reading, &from)) {
        reading->result = FORWARDED_FOUND;
        reading->from = from;
    }
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* ---- X-Forwarded-For ---- */

static void read_list(struct reading *reading, struct slice text)
{
    const char *at = text.data, *end = text.data + text.len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma, *last = stop;

        at = skip_spaces(at, stop);
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        take_node(reading, slice_make(at, (size_t)(last - at)));
        at = stop + 1;
    }
}

/* ---- Forwarded ---- */

/* Of a token (RFC 7230), and the characters of addresses that should be within quotes. */
static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) || (byte != '\0' && strchr("!#$%&'*+-.^_`|~:[]", byte));
}

/* A word, or a text within quotes; moves *at behind it. False: neither. */
static bool read_value(const char **at, const char *end, char *value, size_t room, size_t *len)
{
    const char *p = *at;
    bool is_quoted = p < end && *p == '"';

    *len = 0;
    p += is_quoted;
    for (; p < end && (is_quoted ? *p != '"' : is_word(*p)); p++) {
        if (is_quoted && *p == '\\' && ++p == end)
            return false;
        if (*len < room)
            value[*len] = *p;
        ++*len;
    }
    if (is_quoted && p == end)
        return false;
    *at = p + is_quoted;
    return is_quoted || *len != 0;
}

/* What a hop says: the value of `for`. */
struct hop {
    unsigned nodes;
    char node[MAX_NODE_LEN + 1];
    size_t node_len; /* 0: it names nobody, and so hides who was there; may be more than fits */
};

/* `for=192.0.2.7`, `proto=https`, ... */
static bool read_pair(struct hop *hop, const char **at, const char *end)
{
    char name[8], value[MAX_NODE_LEN + 1];
    size_t name_len, value_len;

    if (!read_value(at, end, name, sizeof name, &name_len) || *at == end || **at != '=')
        return false;
    ++*at;
    if (!read_value(at, end, value, sizeof value, &value_len))
        return false;
    if (name_len != 3 || strncasecmp(name, "for", 3) != 0)
        return true;
    hop->node_len = value_len;
    memcpy(hop->node, value, value_len < sizeof value ? value_len : sizeof value);
    return ++hop->nodes == 1;
}

/* Pairs with ; between them: one hop. *has_more: a comma follows. False: it cannot be read. */
static bool read_hop(struct reading *reading, const char **at, const char *end, bool *has_more)
{
    struct hop hop = {0};
    bool has_pair = true;

    while (has_pair) {
        *at = skip_spaces(*at, end);
        if (*at < end && **at != ';' && **at != ',' && !read_pair(&hop, at, end))
            return false;
        *at = skip_spaces(*at, end);
        has_pair = *at < end && **at == ';';
        *at += has_pair;
    }
    *has_more = *at < end;
    if (*has_more && **at != ',')
        return false;
    *at += *has_more;
    take_node(reading, slice_make(hop.node, hop.node_len));
    return true;
}

static bool read_hops(struct reading *reading, struct slice text)
{
    const char *at = text.data, *end = text.data + text.len;
    bool has_more = true;

    while (has_more) {
        if (!read_hop(reading, &at, end, &has_more))
            return false;
    }
    return true;
}

/* ---- lines of a head ---- */

/* The next line without its end; moves *at behind it. False: there is no whole one. */
static bool take_line(const char **at, const char *end, struct slice *line)
{
    const char *stop = *at == end ? NULL : memchr(*at, '\n', (size_t)(end - *at));

    if (stop == NULL)
        return false;
    *line = slice_make(*at, (size_t)(stop - *at));
    if (line->len != 0 && line->data[line->len - 1] == '\r')
        line->len--;
    *at = stop + 1;
    return true;
}

size_t forwarded_head_len(struct slice text)
{
    const char *at = text.data, *end = text.data + text.len;
    struct slice line;

    while (take_line(&at, end, &line)) {
        if (line.len == 0)
            return (size_t)(at - text.data);
    }
    return 0;
}

/* What follows the name in a line of that header; NULL: it is another one. */
static const char *value_of(struct slice line)
{
    static const char name[] = "forwarded";
    size_t len = sizeof name - 1;

    return line.len > len && strncasecmp(line.data, name, len) == 0 ? line.data + len : NULL;
}

bool forwarded_collect(struct slice head, char *list, size_t room, size_t *len)
{
    const char *at = head.data, *end = head.data + head.len, *value;
    struct slice line;

    *len = 0;
    while (take_line(&at, end, &line)) {
        if (line.len != 0 && (*line.data == ' ' || *line.data == '\t'))
            return false; /* it goes on with the line before, for some */
        value = value_of(line);
        if (value == NULL || (*value != ':' && *value != ' ' && *value != '\t'))
            continue;
        size_t value_len = line.len - (size_t)(value + 1 - line.data);
        if (*value != ':' || value_len + 1 > room - *len ||
            memchr(value + 1, '\0', value_len) != NULL)
            return false;
        if (*len != 0)
            list[(*len)++] = ',';
        memcpy(list + *len, value + 1, value_len);
        *len += value_len;
    }
    return true;
}

enum forwarded_result forwarded_read(enum forwarded_header header, struct slice text,
                                     const struct proxy_range *proxies, size_t proxy_count,
                                     struct sockaddr_storage *from)
{
    struct reading reading = {.proxies = proxies, .proxy_count = proxy_count};
    bool is_list = true;

    if (text.len == 0)
        return FORWARDED_NOBODY;
    if (header == FORWARDED_X_FOR)
        read_list(&reading, text);
    else
        is_list = read_hops(&reading, text);
    if (!is_list)
        return FORWARDED_BAD;
    if (reading.result == FORWARDED_FOUND)
        *from = reading.from;
    return reading.result;
}
