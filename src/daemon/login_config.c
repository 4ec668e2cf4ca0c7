/* login_config.c -- see login_config.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/login_config.h"

#include "policy/logins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_SECRET_FILE_LEN 4096

typedef int read_fn(struct logins *logins, struct slice text, struct fault *fault);

static bool say(const char *option, const char *from, const char *words)
{
    fprintf(stderr, "logins.%s: %s: %s\n", option, from, words);
    return false;
}

/* Fills the buffer; false after words. */
static bool read_file(const char *option, const char *path, char *buf, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    *len = 0;
    if (fd < 0)
        return say(option, path, strerror(errno));
    while (got > 0 && *len < MAX_SECRET_FILE_LEN) {
        got = read(fd, buf + *len, MAX_SECRET_FILE_LEN - *len);
        if (got > 0)
            *len += (size_t)got;
    }
    close(fd);
    if (got < 0)
        return say(option, path, strerror(errno));
    return *len < MAX_SECRET_FILE_LEN || say(option, path, "longer than 4 KiB");
}

static bool from_file(struct logins *logins, const char *option, const char *path, read_fn *read)
{
    char text[MAX_SECRET_FILE_LEN];
    struct fault fault;
    size_t len;
    bool is_read = read_file(option, path, text, &len);

    if (is_read && read(logins, slice_make(text, len), &fault) != 0)
        is_read = say(option, path, fault.words);
    explicit_bzero(text, sizeof(text));
    return is_read;
}

static bool from_env(struct logins *logins, const char *option, const char *name, read_fn *read)
{
    const char *text = getenv(name);
    struct fault fault;

    if (text == NULL)
        return say(option, name, "there is no such variable in the environment");
    return read(logins, slice_of(text), &fault) == 0 || say(option, name, fault.words);
}

bool login_config_use(const struct config *config)
{
    const struct login_config *from = &config->logins;
    struct logins logins = {.require_binding = from->require_binding,
                            .tls_unique_tls13 = from->tls_unique_tls13,
                            .reveal_principal = from->reveal_principal,
                            .scram_compat = from->scram_compat,
                            .free_failures = from->free_failures,
                            .max_delay_ms = from->max_delay_ms};
    bool is_sound = true;

    if (from->secret_file != NULL && from->secret_env != NULL)
        is_sound = say("secret_env", from->secret_env, "there is a secret_file as well");
    else if (from->secret_file != NULL)
        is_sound = from_file(&logins, "secret_file", from->secret_file, logins_read_secret);
    else if (from->secret_env != NULL)
        is_sound = from_env(&logins, "secret_env", from->secret_env, logins_read_secret);
    if (from->router_key_file != NULL && from->router_key_env != NULL)
        is_sound =
            say("router_key_env", from->router_key_env, "there is a router_key_file as well");
    else if (from->router_key_file != NULL)
        is_sound &=
            from_file(&logins, "router_key_file", from->router_key_file, logins_read_router_key);
    else if (from->router_key_env != NULL)
        is_sound &=
            from_env(&logins, "router_key_env", from->router_key_env, logins_read_router_key);
    if (is_sound)
        logins_use(&logins);
    explicit_bzero(&logins, sizeof(logins));
    return is_sound;
}
