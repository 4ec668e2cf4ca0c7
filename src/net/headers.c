/* headers.c -- what of a WebSocket request goes up: headers that the listener names, and cookies.
 *
 * All of them together have a bound; what does not fit is left out, whole. Our own cookie says
 * who somebody is, and is nobody's to read.
 *
 * WAMP: "WebSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#include "net/priv.h"

struct kept {
    char bytes[MAX_KEPT_HEADERS_LEN];
    size_t len;
};

static bool add(struct kept *kept, struct slice name, struct slice value)
{
    char *at = kept->bytes + kept->len;

    if (name.len + value.len + 2 > sizeof kept->bytes - kept->len ||
        memchr(value.data, '\0', value.len) != NULL)
        return false;
    memcpy(at, name.data, name.len);
    at[name.len] = '\0';
    memcpy(at + name.len + 1, value.data, value.len);
    at[name.len + 1 + value.len] = '\0';
    kept->len += name.len + value.len + 2;
    return true;
}

/* lws keeps those that it knows apart from others. WSI_TOKEN_COUNT: it does not know this one. */
static enum lws_token_indexes token_of(const char *name)
{
    size_t len = strlen(name);
    int token;

    for (token = 0; token < WSI_TOKEN_COUNT; token++) {
        const char *known = (const char *)lws_token_to_string((enum lws_token_indexes)token);

        if (known != NULL && strncmp(known, name, len) == 0 && strcmp(known + len, ":") == 0)
            break;
    }
    return (enum lws_token_indexes)token;
}

static int copy_header(struct conn *conn, const char *name, char *text, int room)
{
    enum lws_token_indexes token = token_of(name);
    char custom[MAX_HEADER_NAME_LEN + 2];
    int len;

    if (token != WSI_TOKEN_COUNT)
        return lws_hdr_total_length(conn->wsi, token) == 0
                   ? -1
                   : lws_hdr_copy(conn->wsi, text, room, token);
    len = snprintf(custom, sizeof custom, "%s:", name);
    if (lws_hdr_custom_length(conn->wsi, custom, len) < 0)
        return -1;
    return lws_hdr_custom_copy(conn->wsi, text, room, custom, len);
}

static uint32_t add_headers(struct kept *kept, struct conn *conn)
{
    const char *const *names = conn->listener->options.headers;
    char text[MAX_KEPT_HEADERS_LEN];
    uint32_t count = 0;

    for (; *names != NULL; names++) {
        int len = copy_header(conn, *names, text, sizeof text);

        if (len >= 0)
            count += add(kept, slice_of(*names), slice_make(text, (size_t)len));
    }
    return count;
}

static struct slice trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return slice_make(from, (size_t)(to - from));
}

static bool add_cookie(struct kept *kept, struct conn *conn, struct slice pair)
{
    const char *own = conn->listener->options.cookie_name;
    const char *equals = memchr(pair.data, '=', pair.len);
    struct slice name;

    if (equals == NULL || equals == pair.data)
        return false;
    name = slice_make(pair.data, (size_t)(equals - pair.data));
    if (own != NULL && slice_eq(name, slice_of(own)))
        return false;
    return memchr(name.data, '\0', name.len) == NULL &&
           add(kept, name, slice_make(equals + 1, pair.len - name.len - 1));
}

static uint32_t add_cookies(struct kept *kept, struct conn *conn)
{
    char text[MAX_COOKIE_HEADER_LEN];
    int len = lws_hdr_copy(conn->wsi, text, sizeof text, WSI_TOKEN_HTTP_COOKIE);
    const char *end = text + (len < 0 ? 0 : len);
    uint32_t count = 0;

    for (const char *at = text; at < end;) {
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        const char *stop = semicolon == NULL ? end : semicolon;

        count += add_cookie(kept, conn, trimmed(at, stop));
        at = stop + 1;
    }
    return count;
}

struct transport_http *headers_keep(struct conn *conn)
{
    struct kept kept;
    uint32_t headers, cookies;

    if (conn->listener->options.headers == NULL)
        return NULL;
    kept.len = 0;
    headers = add_headers(&kept, conn);
    cookies = add_cookies(&kept, conn);
    if (headers + cookies == 0)
        return NULL;
    return transport_http_new(slice_make(kept.bytes, kept.len), headers, cookies);
}
