/* transport.c -- what is known of a connection, kept as long as anybody needs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/transport.h"

#include "base/mem.h"

struct transport_tls *transport_tls_new(struct slice certificate, struct slice common_name)
{
    struct transport_tls *tls = mem_zero(1, sizeof *tls + certificate.len + common_name.len + 1);

    atomic_init(&tls->refs, 1);
    if (certificate.len != 0) {
        memcpy(tls->bytes, certificate.data, certificate.len);
        tls->certificate = slice_make(tls->bytes, certificate.len);
    }
    if (common_name.len != 0)
        tls->common_name = memcpy(tls->bytes + certificate.len, common_name.data, common_name.len);
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
    mem_free(transport);
}
