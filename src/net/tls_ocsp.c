/* tls_ocsp.c -- what the issuer says of a certificate, shown with it ("stapling", RFC 6066).
 *
 * The response comes from a file that somebody else keeps fresh; it is read again with the
 * certificates. One that is not fresh any more is not shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "net/priv.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define MAX_OCSP_LEN 65536

/* How far the clock of the issuer may be ahead of ours. */
#define LEEWAY_S 300

struct staple {
    ASN1_GENERALIZEDTIME *until; /* owned; NULL: the issuer says no time */
    size_t len;
    unsigned char der[];
};

/* A staple lives as long as the context that shows it, which connections may hold for long. */
static int staple_index;

static void free_staple(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                        void *argp)
{
    struct staple *staple = ptr;

    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (staple != NULL)
        ASN1_GENERALIZEDTIME_free(staple->until);
    mem_free(staple);
}

static void make_index(void)
{
    staple_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_staple);
    CHECK(staple_index >= 0);
}

static bool is_fresh(const struct staple *staple)
{
    return staple->until == NULL || X509_cmp_time(staple->until, NULL) > 0;
}

/* OpenSSL asks when a client wants to know. */
static int on_status(SSL *ssl, void *ctx)
{
    const struct staple *staple = ctx;
    unsigned char *copy;

    if (!is_fresh(staple))
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(staple->der, staple->len);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->len); /* its own now */
    return SSL_TLSEXT_ERR_OK;
}

/* ---- reading ---- */

static struct staple *read_file(const char *path, const char **why)
{
    struct staple *staple = mem_alloc(sizeof *staple + MAX_OCSP_LEN + 1);
    FILE *file = fopen(path, "rbe");

    *staple = (struct staple){0};
    *why = file == NULL ? strerror(errno) : NULL;
    if (file != NULL) {
        staple->len = fread(staple->der, 1, MAX_OCSP_LEN + 1, file);
        if (ferror(file) != 0)
            *why = "cannot be read";
        else if (staple->len > MAX_OCSP_LEN)
            *why = "longer than 64 KiB";
        fclose(file);
    }
    if (*why == NULL)
        return staple;
    mem_free(staple);
    return NULL;
}

/* The entry about the certificate, by its serial number; clients check all the rest. */
static OCSP_SINGLERESP *find_entry(OCSP_BASICRESP *basic, const X509 *cert)
{
    const ASN1_INTEGER *wanted = X509_get0_serialNumber(cert);

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *entry = OCSP_resp_get0(basic, i);
        const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(entry);
        ASN1_INTEGER *serial = NULL;

        OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id);
        if (serial != NULL && ASN1_INTEGER_cmp(serial, wanted) == 0)
            return entry;
    }
    return NULL;
}

/* NULL: it may be shown. Takes over the time until which it is fresh. */
static const char *judge_entry(OCSP_SINGLERESP *entry, struct staple *staple)
{
    ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
    time_t soon = time(NULL) + LEEWAY_S;

    if (entry == NULL)
        return "is not about this certificate";
    if (OCSP_single_get0_status(entry, NULL, NULL, &from, &until) != V_OCSP_CERTSTATUS_GOOD)
        return "says that the certificate is not good";
    if (from == NULL || X509_cmp_time(from, &soon) > 0)
        return "is of the future";
    staple->until = until == NULL ? NULL : ASN1_STRING_dup(until);
    return NULL;
}

static const char *judge(SSL_CTX *ctx, struct staple *staple)
{
    const unsigned char *at = staple->der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)staple->len);
    OCSP_BASICRESP *basic = NULL;
    const char *why = NULL;

    if (response == NULL || at != staple->der + staple->len)
        why = "is no OCSP response in DER";
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        why = OCSP_response_status_str(OCSP_response_status(response));
    else if ((basic = OCSP_response_get1_basic(response)) == NULL)
        why = "has nothing in it";
    else
        why = judge_entry(find_entry(basic, SSL_CTX_get0_certificate(ctx)), staple);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return why;
}

int tls_staple(SSL_CTX *ctx, const char *file, char *words, size_t words_len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *why;
    struct staple *staple = read_file(file, &why);

    if (staple == NULL)
        return tls_say(words, words_len, "ocsp", file, why);
    why = judge(ctx, staple);
    if (why != NULL) {
        free_staple(NULL, staple, NULL, 0, 0, NULL);
        return tls_say(words, words_len, "ocsp", file, why);
    }
    if (!is_fresh(staple))
        log_line(LOG_WARN, "ocsp-old", "an OCSP response is not fresh any more, and is not shown",
                 "file", file, NULL);
    (void)pthread_once(&once, make_index);
    CHECK(SSL_CTX_set_ex_data(ctx, staple_index, staple) == 1);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status);
    SSL_CTX_set_tlsext_status_arg(ctx, staple);
    return 0;
}
