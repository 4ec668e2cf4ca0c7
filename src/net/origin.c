/* origin.c -- who counts as the peer of a connection, for bounds and for those who ask.
 *
 * It is the address of the socket, unless the PROXY protocol names another one; and where that
 * one is an HTTP proxy of ours, it is who this proxy says is behind it, with the upgrade to
 * WebSocket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "net/forwarded.h"
#include "net/priv.h"

#include <stdio.h>

int origin_ranges(const char *const *texts, struct proxy_range **ranges, size_t *count, char *words,
                  size_t words_len)
{
    int err = net_check_proxies(texts, words, words_len);

    *ranges = NULL;
    *count = 0;
    if (err != 0 || texts == NULL)
        return err;
    while (texts[*count] != NULL)
        ++*count;
    *ranges = mem_zero(*count, sizeof **ranges);
    for (size_t i = 0; i < *count; i++)
        CHECK(proxy_range_read(&(*ranges)[i], texts[i]));
    return 0;
}

bool origin_is_in(const struct proxy_range *ranges, size_t count,
                  const struct sockaddr_storage *from)
{
    unsigned char octets[16];

    if (count == 0 || (from->ss_family != AF_INET && from->ss_family != AF_INET6))
        return false;
    address_octets(from, octets);
    for (size_t i = 0; i < count; i++) {
        if (proxy_range_has(&ranges[i], octets))
            return true;
    }
    return false;
}

static bool count(struct conn *conn, const struct sockaddr_storage *from)
{
    bool is_full;

    conn->address = address_hold(conn->net, from, &is_full);
    conn->net->counters.refused_address += is_full;
    return !is_full;
}

void origin_wait(struct conn *conn, const struct sockaddr_storage *proxy)
{
    conn->proxy = mem_alloc(sizeof *conn->proxy);
    *conn->proxy = *proxy;
}

bool origin_begin(struct conn *conn, const struct sockaddr_storage *from)
{
    const struct listener *listener = conn->listener;

    if (!origin_is_in(listener->trusted, listener->trusted_count, from))
        return count(conn, from);
    origin_wait(conn, from);
    return true;
}

bool origin_end(struct conn *conn)
{
    struct sockaddr_storage *proxy = conn->proxy;
    bool has_room;

    if (proxy == NULL)
        return true;
    conn->proxy = NULL;
    has_room = count(conn, proxy);
    mem_free(proxy);
    mem_free(conn->forwarded);
    conn->forwarded = NULL;
    return has_room;
}

bool origin_reads_head(const struct conn *conn)
{
    return conn->proxy != NULL && conn->listener->options.forwarded_header == FORWARDED_7239;
}

bool origin_take_head(struct conn *conn, struct slice text)
{
    size_t head_len = forwarded_head_len(text), len;
    char list[MAX_FORWARDED_LEN];

    if (head_len == 0)
        return false;
    if (forwarded_collect(slice_make(text.data, head_len), list, sizeof list, &len))
        conn->forwarded = mem_copy(list, len);
    return true;
}

/* The header that is believed; -1: it is longer than we read, or unknown. */
static int copy_header(struct conn *conn, char *text, int room)
{
    size_t len;

    if (!origin_reads_head(conn))
        return lws_hdr_copy(conn->wsi, text, room, WSI_TOKEN_X_FORWARDED_FOR);
    if (conn->forwarded == NULL)
        return -1;
    len = strlen(conn->forwarded);
    memcpy(text, conn->forwarded, len);
    return (int)len;
}

static void complain(const struct conn *conn)
{
    char words[128];

    address_words_of(conn->proxy, words, sizeof words);
    log_line(LOG_WARN, "bad-forwarded-header", "a proxy does not say who is behind it", "peer",
             words, NULL);
}

static void set_peer(struct conn *conn, const struct sockaddr_storage *from)
{
    char words[128];

    address_words_of(from, words, sizeof words);
    mem_free(conn->peer);
    conn->peer = mem_copy(words, strlen(words));
}

enum origin origin_of_request(struct conn *conn)
{
    const struct listener *listener = conn->listener;
    enum forwarded_result result = FORWARDED_BAD;
    struct sockaddr_storage from = {0};
    char text[MAX_FORWARDED_LEN];
    int len;

    if (conn->proxy == NULL)
        return ORIGIN_KNOWN;
    len = copy_header(conn, text, sizeof text);
    if (len >= 0)
        result = forwarded_read((enum forwarded_header)listener->options.forwarded_header,
                                slice_make(text, (size_t)len), listener->trusted,
                                listener->trusted_count, &from);
    if (result == FORWARDED_BAD) {
        complain(conn);
        return ORIGIN_BAD;
    }
    if (result == FORWARDED_FOUND) {
        set_peer(conn, &from);
        *conn->proxy = from; /* who is counted */
    }
    return origin_end(conn) ? ORIGIN_KNOWN : ORIGIN_FULL;
}
