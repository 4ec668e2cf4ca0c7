/* web_place.c -- who may be asked: URLs, and the hosts that the configuration allows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/base.h"
#include "module/web_priv.h"

#include <stdio.h>
#include <strings.h>

/* The length of the host in "host", "host:port" and "[::1]:port"; *port is what is behind, or NULL. */
static size_t split_port(const char *allowed, const char **port)
{
    const char *colon = strrchr(allowed, ':');
    bool is_port =
        colon != NULL && (*allowed == '[' ? colon[-1] == ']' : strchr(allowed, ':') == colon);

    *port = is_port ? colon + 1 : NULL;
    return is_port ? (size_t)(colon - allowed) : strlen(allowed);
}

static bool host_matches(const char *allowed, const char *host, const char *port)
{
    const char *wanted_port;
    size_t len = split_port(allowed, &wanted_port), host_len = strlen(host);

    if (wanted_port != NULL && strcmp(wanted_port, port) != 0)
        return false;
    if (len > 2 && allowed[0] == '*' && allowed[1] == '.')
        return host_len > len - 1 &&
               strncasecmp(host + host_len - (len - 1), allowed + 1, len - 1) == 0;
    return host_len == len && strncasecmp(host, allowed, len) == 0;
}

static char *part_of(CURLU *place, CURLUPart part)
{
    char *text = NULL;

    if (curl_url_get(place, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) !=
        CURLUE_OK)
        return NULL;
    return text;
}

static const char *check_parts(const char *const *hosts, const char *scheme, const char *host,
                               const char *port, char *words, size_t len)
{
    if (scheme == NULL || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        snprintf(words, len, "the scheme is %.40s; allowed: http, https",
                 scheme == NULL ? "missing" : scheme);
        return words;
    }
    if (host == NULL || port == NULL || *host == '\0') {
        snprintf(words, len, "there is no host in the URL");
        return words;
    }
    for (; hosts != NULL && *hosts != NULL; hosts++) {
        if (host_matches(*hosts, host, port))
            return NULL;
    }
    snprintf(words, len, "the host %.200s:%s is not among http_hosts of the configuration", host,
             port);
    return words;
}

const char *web_check_place(const char *const *hosts, CURLU *place, char *words, size_t len)
{
    char *scheme = part_of(place, CURLUPART_SCHEME), *host = part_of(place, CURLUPART_HOST);
    char *port = part_of(place, CURLUPART_PORT), *user = part_of(place, CURLUPART_USER);
    const char *found = check_parts(hosts, scheme, host, port, words, len);

    if (found == NULL && user != NULL) {
        snprintf(words, len, "a name or password in the URL; they belong into a header");
        found = words;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    return found;
}

const char *web_check(const struct host *host, CURLU *place, char *words, size_t len)
{
    return web_check_place(host->config->http_hosts, place, words, len);
}

bool web_is_same_host(CURLU *a, CURLU *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    bool is_same = true;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char *left = part_of(a, parts[i]), *right = part_of(b, parts[i]);

        is_same = is_same && left != NULL && right != NULL && strcasecmp(left, right) == 0;
        curl_free(left);
        curl_free(right);
    }
    return is_same;
}
