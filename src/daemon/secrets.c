/* secrets.c -- see secrets.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/secrets.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The text of the file, owned, or NULL with errno. */
static char *read_file(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text;
    ssize_t got = 1;

    *len = 0;
    if (fd < 0)
        return NULL;
    text = mem_alloc(MAX_SECRET_LEN + 3);
    while (got > 0 && *len < MAX_SECRET_LEN + 3) {
        got = read(fd, text + *len, MAX_SECRET_LEN + 3 - *len);
        if (got > 0)
            *len += (size_t)got;
    }
    close(fd);
    if (got >= 0)
        return text;
    mem_free(text);
    return NULL;
}

/* Whose secrets they are: realms["com.acme"], router_policy. */
static void say(const char *kind, const char *name, const struct secret_source *source,
                const char *words)
{
    const char *from = source->path != NULL ? source->path : source->env;

    if (name == NULL)
        fprintf(stderr, "%s.secrets.%s: %s: %s\n", kind, source->name, from, words);
    else
        fprintf(stderr, "%s[\"%s\"].secrets.%s: %s: %s\n", kind, name, source->name, from, words);
}

static bool load(const struct secret_source *source, const char *kind, const char *name,
                 struct secret *secret)
{
    const char *words = NULL, *value = source->env == NULL ? NULL : getenv(source->env);
    size_t len = value == NULL ? 0 : strlen(value);
    char *text = source->file != NULL ? read_file(source->path, &len)
                 : value != NULL      ? mem_copy(value, len)
                                      : NULL;

    if (text == NULL)
        words = source->file != NULL ? strerror(errno) : "there is no such variable";
    if (text != NULL && len != 0 && text[len - 1] == '\n')
        len--;
    if (text != NULL && len != 0 && text[len - 1] == '\r')
        len--;
    if (text != NULL && (len == 0 || len > MAX_SECRET_LEN))
        words = len == 0 ? "it is empty" : "longer than 64 KiB";
    *secret = (struct secret){source->name, slice_make(text, len)};
    if (words != NULL)
        say(kind, name, source, words);
    return words == NULL;
}

bool secrets_load(const struct secret_sources *sources, const char *kind, const char *name,
                  struct secret **secrets)
{
    bool is_right = true;

    *secrets = NULL;
    if (sources->count == 0)
        return true;
    *secrets = mem_zero(sources->count, sizeof(**secrets));
    for (size_t i = 0; i < sources->count; i++)
        is_right &= load(&sources->at[i], kind, name, &(*secrets)[i]);
    return is_right;
}

void secrets_free(struct secret *secrets, size_t count)
{
    for (size_t i = 0; secrets != NULL && i < count; i++) {
        char *text = (char *)(uintptr_t)secrets[i].value.data;

        if (text != NULL)
            explicit_bzero(text, secrets[i].value.len);
        mem_free(text);
    }
    mem_free(secrets);
}
