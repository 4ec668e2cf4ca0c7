/* login_link.c -- see login_link.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/login_link.h"

static struct slice octets_of(const struct binding *binding)
{
    return slice_make(binding->octets, binding->len);
}

void login_link_read(struct login_link *link, struct auth_request *request,
                     const struct transport *transport)
{
    const struct transport_tls *tls = transport->tls;

    if (tls == NULL)
        return;
    link->bindings =
        (struct auth_bindings){.tls_unique = octets_of(&tls->unique),
                               .tls_server_end_point = octets_of(&tls->server_end_point),
                               .tls_exporter = octets_of(&tls->exporter),
                               .is_tls13 = strcmp(tls->version, "TLSv1.3") == 0};
    request->bindings = &link->bindings;
    if (tls->certificate.len == 0)
        return;
    link->certificate = (struct auth_certificate){
        .der = tls->certificate,
        .common_name = tls->common_name != NULL ? slice_of(tls->common_name) : (struct slice){0},
        .is_verified = tls->is_verified};
    request->certificate = &link->certificate;
}
