/* logins.c -- see logins.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "policy/login_settings.h"
#include "wire/errors.h"

#include <uv.h>

#include <errno.h>
#include <sys/random.h>

#define MIN_SECRET_LEN 32

const struct logins logins_default = {
    .scram_compat = true, .free_failures = 3, .max_delay_ms = 10000};

static struct logins used = {.scram_compat = true, .free_failures = 3, .max_delay_ms = 10000};

void logins_use(const struct logins *logins)
{
    used = *logins;
}

const struct logins *logins_used(void)
{
    return &used;
}

void login_fill_random(void *ctx, void *buf, size_t len)
{
    char *at = buf;

    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got <= 0)
            continue;
        at += got;
        len -= (size_t)got;
    }
}

/* The same one in all realms, whenever they were made. */
static unsigned char made_up[DIGEST_LEN];

static void make_up(void)
{
    login_fill_random(NULL, made_up, sizeof(made_up));
}

void logins_init_settings(struct auth_settings *settings, struct rng *rng)
{
    static uv_once_t once = UV_ONCE_INIT;

    uv_once(&once, make_up);
    auth_settings_init(settings, rng);
    settings->mock_provider = SLICE("policy"); /* as login_welcome.c has it */
    memcpy(settings->key, used.has_secret ? used.secret : made_up, sizeof(settings->key));
    settings->has_router_key = used.has_router_key;
    memcpy(settings->router_seed, used.router_seed, sizeof(settings->router_seed));
    settings->require_binding = used.require_binding;
    settings->tls_unique_tls13 = used.tls_unique_tls13;
    settings->reveal_principal = used.reveal_principal;
}

/* ---- texts ---- */

static struct slice trimmed(struct slice text)
{
    while (text.len != 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL)
        text.len--;
    return text;
}

int logins_read_secret(struct logins *logins, struct slice text, struct fault *fault)
{
    struct slice secret = trimmed(text);

    if (secret.len < MIN_SECRET_LEN)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "found %zu bytes; allowed: %d or more", secret.len, MIN_SECRET_LEN);
    digest_sha256(secret, logins->secret);
    logins->has_secret = true;
    return 0;
}

int logins_read_router_key(struct logins *logins, struct slice text, struct fault *fault)
{
    struct slice key = trimmed(text);

    if (!digest_unhex(key, logins->router_seed, sizeof(logins->router_seed)))
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "found %zu bytes that are no private key; allowed: 64 hex digits",
                         key.len);
    logins->has_router_key = true;
    return 0;
}
