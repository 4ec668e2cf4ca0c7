/* http.c -- the little HTTP that we speak: the status page, and who may become a WebSocket.
 *
 * lws has parsed the request. It would pick the subprotocol itself and hang up without a
 * word when there is none; so everything is decided here before it looks, and refusals are
 * answered. Requests are judged in this order: room, path, method, Origin, version, key,
 * subprotocol.
 *
 * WAMP: "WebSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

#include <stdio.h>
#include <strings.h>

enum { GOES_ON = 0, HANG_UP = -1 };

struct answer {
    unsigned status;
    const char *reason, *type, *headers; /* headers: whole lines, or NULL */
    struct slice body;
    bool is_last;
};

/* Nobody reads the body of a request here. lws 4.1.6 would, and when the request came in one
 * piece with another it never returns from that: such a request is the last one. */
static bool has_body(struct conn *conn)
{
    return lws_hdr_total_length(conn->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) != 0 ||
           lws_hdr_total_length(conn->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) != 0;
}

/* Of several requests the head of the first alone was looked at. */
static bool is_last_request(struct conn *conn)
{
    return has_body(conn) || origin_reads_head(conn);
}

static bool answer(struct conn *conn, const struct answer *answer)
{
    struct writer out;
    char head[512];
    int head_len =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %u %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n",
                 answer->status, answer->reason, answer->type, answer->body.len,
                 answer->headers == NULL ? "" : answer->headers,
                 answer->is_last || is_last_request(conn) ? "Connection: close\r\n" : "");
    bool is_written;

    writer_init(&out, (size_t)head_len + answer->body.len);
    writer_write(&out, head, (size_t)head_len);
    if (answer->body.data != NULL)
        writer_write(&out, answer->body.data, answer->body.len);
    is_written =
        lws_write(conn->wsi, (unsigned char *)out.blob->data, out.len, LWS_WRITE_HTTP) >= 0;
    conn->net->counters.bytes_out += out.len;
    writer_fini(&out);
    return is_written;
}

/* Answers with one line of text and ends the connection. */
static int refuse(struct conn *conn, unsigned status, const char *reason, const char *headers,
                  const char *words)
{
    char body[256];
    struct answer no = {status, reason, "text/plain", headers, {body, 0}, true};

    no.body.len = (size_t)snprintf(body, sizeof body, "%s\n", words);
    answer(conn, &no);
    return HANG_UP;
}

static int go_on(struct conn *conn)
{
    conn->has_handshake = true; /* it was a good request */
    if (is_last_request(conn))
        return HANG_UP;
    conn_set_state(conn, CONN_OPENING);
    return lws_http_transaction_completed(conn->wsi) ? HANG_UP : GOES_ON;
}

static int send_status(struct conn *conn, enum page form)
{
    static const char *const types[PAGE_COUNT] = {"text/html", "application/json",
                                                  "text/plain; version=0.0.4"};
    struct answer page = {.status = 200, .reason = "OK", .type = types[form]};
    struct writer body;
    bool is_written;

    writer_init(&body, 0);
    conn->net->handler.on_status(conn->net->ctx, form, &body);
    page.body = writer_slice(&body);
    is_written = answer(conn, &page);
    writer_fini(&body);
    return is_written ? go_on(conn) : HANG_UP;
}

static int refuse_full(struct conn *conn)
{
    return refuse(conn, 503, "Service Unavailable", "Retry-After: 5\r\n", "too many connections");
}

/* 0: it is known who asks; else what lws gets. */
static int learn_origin(struct conn *conn)
{
    switch (origin_of_request(conn)) {
    case ORIGIN_KNOWN:
        break;
    case ORIGIN_FULL:
        return refuse_full(conn);
    case ORIGIN_BAD:
        return refuse(conn, 400, "Bad Request", NULL,
                      "the proxy in between does not say who is behind it");
    }
    return GOES_ON;
}

int http_request(struct conn *conn, struct slice path)
{
    struct answer missing = {404, "Not Found", "text/plain", NULL, SLICE("no such page\n"), false};

    conn_received(conn, path.len);
    if (conn->is_doomed)
        return refuse_full(conn);
    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_GET_URI) == 0)
        return refuse(conn, 405, "Method Not Allowed", "Allow: GET\r\n", "only GET is allowed");
    if (slice_eq(path, SLICE("/")))
        return send_status(conn, PAGE_HTML);
    if (slice_eq(path, SLICE("/status.json")))
        return send_status(conn, PAGE_JSON);
    if (slice_eq(path, SLICE("/metrics")) && conn->listener->options.serves_metrics)
        return send_status(conn, PAGE_METRICS);
    return answer(conn, &missing) ? go_on(conn) : HANG_UP;
}

static bool is_listed(const char *const *list, const char *word)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static bool has_path(struct conn *conn)
{
    static const char *const usual[] = {"/", "/ws", NULL};
    const char *const *paths = conn->listener->options.paths;
    char path[MAX_PATH_LEN];

    if (lws_hdr_copy(conn->wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0)
        return false;
    return is_listed(paths == NULL ? usual : paths, path);
}

/* Who sends no Origin is no browser, and the list is about browsers. */
static bool has_origin(struct conn *conn)
{
    const char *const *origins = conn->listener->options.origins;
    char origin[MAX_PATH_LEN];

    if (origins == NULL || lws_hdr_total_length(conn->wsi, WSI_TOKEN_ORIGIN) == 0)
        return true;
    if (lws_hdr_copy(conn->wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) <= 0)
        return false;
    for (; *origins != NULL; origins++)
        if (strcmp(*origins, "*") == 0 || strcasecmp(*origins, origin) == 0)
            return true;
    return false;
}

static struct slice trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return slice_make(from, (size_t)(to - from));
}

/* Of a client that has no list. lws takes the first of its table then, and names none. */
static bool take_default(struct conn *conn)
{
    unsigned codec = conn->listener->options.default_codec;

    if (codec == 0)
        return false;
    conn->codec = (uint8_t)(codec - 1);
    return true;
}

/* The first entry of the client's list that we speak and the listener allows. lws, with only
 * those in its table, comes to the same result. Of a list that was cut at
 * MAX_SUBPROTOCOLS_LEN the last entry may not be whole and is not looked at. */
static bool choose_protocol(struct conn *conn)
{
    char list[MAX_SUBPROTOCOLS_LEN + 1];
    int len = lws_hdr_copy(conn->wsi, list, sizeof list, WSI_TOKEN_PROTOCOL);
    const char *at = list;
    const char *end = list + (len < 0 ? 0 : len);

    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_PROTOCOL) == 0)
        return take_default(conn);
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        enum codec codec = codec_of_protocol(trimmed(at, stop));
        bool is_cut = comma == NULL && len >= MAX_SUBPROTOCOLS_LEN;

        if (codec < CODEC_COUNT && (conn->listener->options.codecs & 1u << codec) != 0 && !is_cut) {
            conn->codec = (uint8_t)codec;
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static bool is_cookie(struct slice value)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    if (value.len != COOKIE_LEN)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (memchr(allowed, value.data[i], sizeof allowed - 1) == NULL)
            return false;
    return true;
}

/* The value of our cookie in a Cookie header, or an empty slice. */
static struct slice find_cookie(const char *header, const char *name)
{
    size_t name_len = strlen(name);
    const char *end = header + strlen(header);

    while (header < end) {
        const char *semicolon = memchr(header, ';', (size_t)(end - header));
        const char *stop = semicolon == NULL ? end : semicolon;
        struct slice pair = trimmed(header, stop);

        if (pair.len > name_len && memcmp(pair.data, name, name_len) == 0 &&
            pair.data[name_len] == '=') {
            struct slice value = {pair.data + name_len + 1, pair.len - name_len - 1};

            if (is_cookie(value))
                return value;
        }
        header = stop + 1;
    }
    return (struct slice){0};
}

static char *new_cookie(struct net *net)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[COOKIE_LEN];
    char value[COOKIE_LEN];

    rng_bytes(&net->rng, bytes, sizeof bytes);
    for (size_t i = 0; i < COOKIE_LEN; i++)
        value[i] = digits[bytes[i] & 63];
    return mem_copy(value, COOKIE_LEN);
}

static bool is_known(struct conn *conn, const char *cookie)
{
    const struct net *net = conn->net;

    return net->handler.knows_cookie != NULL && net->handler.knows_cookie(net->ctx, cookie);
}

/* One that stands for nobody may have been put there by anybody, who then would know the cookie of
 * whoever logs in with it. */
static void take_cookie(struct conn *conn)
{
    const char *name = conn->listener->options.cookie_name;
    char header[MAX_COOKIE_HEADER_LEN];
    struct slice value = {0};

    if (name == NULL)
        return;
    if (lws_hdr_copy(conn->wsi, header, sizeof header, WSI_TOKEN_HTTP_COOKIE) > 0)
        value = find_cookie(header, name);
    mem_free(conn->cookie);
    conn->cookie = value.len == 0 ? NULL : mem_copy(value.data, value.len);
    conn->sets_cookie = conn->cookie == NULL || !is_known(conn, conn->cookie);
    if (conn->sets_cookie) {
        mem_free(conn->cookie);
        conn->cookie = new_cookie(conn->net);
    }
}

static bool is_version_13(struct conn *conn)
{
    char version[4];

    return lws_hdr_copy(conn->wsi, version, sizeof version, WSI_TOKEN_VERSION) > 0 &&
           strcmp(version, "13") == 0;
}

int http_upgrade(struct conn *conn, const char *to)
{
    const struct listener_options *options = &conn->listener->options;

    conn_received(conn, 0);
    if (conn->is_doomed)
        return refuse_full(conn);
    if (learn_origin(conn) != GOES_ON)
        return HANG_UP;
    if (strcasecmp(to, "websocket") != 0)
        return refuse(conn, 400, "Bad Request", NULL, "the only upgrade here is websocket");
    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_GET_URI) == 0)
        return refuse(conn, 405, "Method Not Allowed", "Allow: GET\r\n", "only GET is allowed");
    if (!options->websocket || !has_path(conn))
        return refuse(conn, 404, "Not Found", NULL, "no WebSocket at this path");
    if (!has_origin(conn))
        return refuse(conn, 403, "Forbidden", NULL, "this Origin is not allowed");
    if (!is_version_13(conn))
        return refuse(conn, 426, "Upgrade Required", "Sec-WebSocket-Version: 13\r\n",
                      "WebSocket version 13 is needed");
    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_KEY) == 0 ||
        lws_hdr_total_length(conn->wsi, WSI_TOKEN_HOST) == 0)
        return refuse(conn, 400, "Bad Request", NULL, "Host and Sec-WebSocket-Key are needed");
    if (!choose_protocol(conn))
        return refuse(conn, 400, "Bad Request", NULL,
                      "Sec-WebSocket-Protocol names no subprotocol that is served here");
    take_cookie(conn);
    transport_http_drop(conn->http);
    conn->http = headers_keep(conn);
    return GOES_ON;
}

int http_add_headers(struct conn *conn, struct lws_process_html_args *args)
{
    int len;

    if (!conn->sets_cookie)
        return 0;
    len = snprintf(args->p, (size_t)args->max_len,
                   "Set-Cookie: %s=%s; Max-Age=%u; Path=/; HttpOnly; SameSite=Lax%s\r\n",
                   conn->listener->options.cookie_name, conn->cookie,
                   conn->listener->options.cookie_max_age_s, conn->is_secure ? "; Secure" : "");
    if (len >= args->max_len)
        return -1;
    args->p += len;
    return 0;
}
