/* transport.c -- what TLS knows of a connection, kept as long as anybody needs it.
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
