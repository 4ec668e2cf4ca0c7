/* transport.c -- what is known of a connection, kept as long as anybody needs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/transport.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Copies a text to *at, with a NUL; NULL when there is none. */
static const char *keep_text(struct slice text, char **at)
{
    char *kept = *at;

    if (text.len == 0)
        return NULL;
    memcpy(kept, text.data, text.len);
    kept[text.len] = '\0';
    *at += text.len + 1;
    return kept;
}

struct transport_tls *transport_tls_new(const struct transport_certificate *certificate)
{
    struct slice der = certificate->der;
    size_t room = der.len + certificate->common_name.len + certificate->subject.len +
                  certificate->issuer.len + 3;
    struct transport_tls *tls = mem_zero(1, sizeof *tls + room);
    char *at = tls->bytes + der.len;

    atomic_init(&tls->refs, 1);
    if (der.len != 0) {
        memcpy(tls->bytes, der.data, der.len);
        tls->certificate = slice_make(tls->bytes, der.len);
    }
    tls->common_name = keep_text(certificate->common_name, &at);
    tls->subject = keep_text(certificate->subject, &at);
    tls->issuer = keep_text(certificate->issuer, &at);
    return tls;
}

struct transport_tls *transport_tls_hold(struct transport_tls *tls)
{
    if (tls != NULL)
        atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void transport_tls_drop(struct transport_tls *tls)
{
    if (tls != NULL && atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) == 1)
        mem_free(tls);
}

struct transport_http *transport_http_new(struct slice bytes, uint32_t header_count,
                                          uint32_t cookie_count)
{
    struct transport_http *http = mem_alloc(sizeof *http + bytes.len);

    atomic_init(&http->refs, 1);
    http->header_count = header_count;
    http->cookie_count = cookie_count;
    memcpy(http->bytes, bytes.data, bytes.len);
    return http;
}

struct transport_http *transport_http_hold(struct transport_http *http)
{
    if (http != NULL)
        atomic_fetch_add_explicit(&http->refs, 1, memory_order_relaxed);
    return http;
}

void transport_http_drop(struct transport_http *http)
{
    if (http != NULL && atomic_fetch_sub_explicit(&http->refs, 1, memory_order_acq_rel) == 1)
        mem_free(http);
}

static size_t text_room(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* Moves a string to *at. */
static void move_text(const char **text, char **at)
{
    size_t len = text_room(*text);

    if (len == 0)
        return;
    *text = memcpy(*at, *text, len);
    *at += len;
}

struct transport *transport_copy(const struct transport *transport)
{
    struct transport *copy = mem_alloc(sizeof *copy + text_room(transport->protocol) +
                                       text_room(transport->peer) + text_room(transport->cookie));
    char *at = (char *)(copy + 1);

    *copy = *transport;
    copy->default_realm = NULL;
    transport_tls_hold(copy->tls);
    transport_http_hold(copy->http);
    move_text(&copy->protocol, &at);
    move_text(&copy->peer, &at);
    move_text(&copy->cookie, &at);
    return copy;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    transport_tls_drop(transport->tls);
    transport_http_drop(transport->http);
    mem_free(transport);
}

bool transport_network(struct slice peer, char network[TRANSPORT_NETWORK_LEN])
{
    char text[INET6_ADDRSTRLEN + sizeof("tcp6:[%")];
    unsigned char at[16];
    size_t end = peer.len;

    while (end > 0 && peer.data[end - 1] != ':')
        end--;
    if (end == 0 || end > sizeof(text))
        return false;
    memcpy(text, peer.data, end - 1);
    text[end - 1] = '\0';
    if (strncmp(text, "tcp4:", 5) == 0 && inet_pton(AF_INET, text + 5, at) == 1)
        return inet_ntop(AF_INET, at, network, TRANSPORT_NETWORK_LEN) != NULL;
    text[strcspn(text, "]%")] = '\0';
    if (strncmp(text, "tcp6:[", 6) != 0 || inet_pton(AF_INET6, text + 6, at) != 1)
        return false;
    (void)snprintf(network, TRANSPORT_NETWORK_LEN, "%x:%x:%x:%x", at[0] << 8 | at[1],
                   at[2] << 8 | at[3], at[4] << 8 | at[5], at[6] << 8 | at[7]);
    return true;
}
