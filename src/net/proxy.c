/* proxy.c -- the header of the PROXY protocol, versions 1 and 2, and who may send it.
 *
 * It says where a connection comes from that a proxy forwards. Pure: octets in, an address out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/proxy.h"

#include "net/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V2_HEAD_LEN 16

static const unsigned char v1_mark[] = "PROXY ";
static const unsigned char v2_mark[] = "\r\n\r\n\0\r\nQUIT\n";

static bool read_port(const char *text, in_port_t *port)
{
    unsigned value = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || at - text == 5)
            return false;
        value = value * 10 + (unsigned)(*at - '0');
    }
    *port = htons((uint16_t)value);
    return *text != '\0' && (*text != '0' || text[1] == '\0') && value <= UINT16_MAX;
}

static bool read_v1_address(char **words, struct sockaddr_storage *from)
{
    bool is_v6 = strcmp(words[1], "TCP6") == 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct in6_addr to;
    in_port_t port, to_port;

    if ((!is_v6 && strcmp(words[1], "TCP4") != 0) || !read_port(words[4], &port) ||
        !read_port(words[5], &to_port) || inet_pton(is_v6 ? AF_INET6 : AF_INET, words[3], &to) != 1)
        return false;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, words[2],
                  is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
        return false;
    v4.sin_port = v6.sin6_port = port;
    if (is_v6)
        memcpy(from, &v6, sizeof v6);
    else
        memcpy(from, &v4, sizeof v4);
    return true;
}

/* `PROXY TCP4 192.0.2.1 192.0.2.2 1234 443`, single spaces between the words. */
static bool read_v1_line(const unsigned char *data, size_t len, struct sockaddr_storage *from)
{
    char line[PROXY_V1_MAX_LEN + 1], *words[6], *at = line;
    unsigned count = 0;

    if (memchr(data, '\0', len) != NULL)
        return false;
    memcpy(line, data, len);
    line[len] = '\0';
    if (strcmp(line, "PROXY UNKNOWN") == 0 || strncmp(line, "PROXY UNKNOWN ", 14) == 0)
        return true;
    while (count < ARRAY_LEN(words)) {
        words[count++] = at;
        at = strchr(at, ' ');
        if (at == NULL)
            break;
        *at++ = '\0';
    }
    return count == ARRAY_LEN(words) && at == NULL && read_v1_address(words, from);
}

static enum proxy_result read_v1(const unsigned char *data, size_t len,
                                 struct sockaddr_storage *from, size_t *header_len)
{
    size_t max = len < PROXY_V1_MAX_LEN ? len : PROXY_V1_MAX_LEN;
    const unsigned char *end = memchr(data, '\n', max);

    if (end == NULL)
        return len >= PROXY_V1_MAX_LEN ? PROXY_BAD : PROXY_MORE;
    *header_len = (size_t)(end - data) + 1;
    if (end[-1] != '\r' || !read_v1_line(data, *header_len - 2, from))
        return PROXY_BAD;
    return PROXY_DONE;
}

/* Families: 0x11 TCP over IPv4, 0x21 over IPv6. Others name no address that we could use. */
static bool read_v2_address(const unsigned char *data, size_t len, struct sockaddr_storage *from)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (data[13] == 0x11 && len >= 12) {
        memcpy(&v4.sin_addr, data + V2_HEAD_LEN, 4);
        memcpy(&v4.sin_port, data + V2_HEAD_LEN + 8, 2);
        memcpy(from, &v4, sizeof v4);
        return true;
    }
    if (data[13] == 0x21 && len >= 36) {
        memcpy(&v6.sin6_addr, data + V2_HEAD_LEN, 16);
        memcpy(&v6.sin6_port, data + V2_HEAD_LEN + 32, 2);
        memcpy(from, &v6, sizeof v6);
        return true;
    }
    return data[13] == 0x00;
}

static enum proxy_result read_v2(const unsigned char *data, size_t len,
                                 struct sockaddr_storage *from, size_t *header_len)
{
    size_t rest;

    if (len < V2_HEAD_LEN)
        return PROXY_MORE;
    rest = (size_t)data[14] << 8 | data[15];
    if ((data[12] != 0x20 && data[12] != 0x21) || V2_HEAD_LEN + rest > PROXY_MAX_LEN)
        return PROXY_BAD;
    if (len < V2_HEAD_LEN + rest)
        return PROXY_MORE;
    *header_len = V2_HEAD_LEN + rest;
    if (data[12] == 0x20) /* the proxy itself, asking whether we live */
        return PROXY_DONE;
    return read_v2_address(data, rest, from) ? PROXY_DONE : PROXY_BAD;
}

enum proxy_result proxy_read(const unsigned char *data, size_t len, struct sockaddr_storage *from,
                             size_t *header_len)
{
    size_t v1 = sizeof v1_mark - 1, v2 = sizeof v2_mark - 1;

    memset(from, 0, sizeof *from);
    if (memcmp(data, v1_mark, len < v1 ? len : v1) == 0)
        return len < v1 ? PROXY_MORE : read_v1(data, len, from, header_len);
    if (memcmp(data, v2_mark, len < v2 ? len : v2) == 0)
        return len < v2 ? PROXY_MORE : read_v2(data, len, from, header_len);
    return PROXY_BAD;
}

bool proxy_range_read(struct proxy_range *range, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char host[INET6_ADDRSTRLEN];
    unsigned max = 128, bits = 0;

    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    memset(range, 0, sizeof *range);
    if (inet_pton(AF_INET, host, range->octets + 12) == 1) {
        range->octets[10] = range->octets[11] = 0xff;
        max = 32;
    } else if (inet_pton(AF_INET6, host, range->octets) != 1) {
        return false;
    }
    if (slash == NULL) {
        range->bits = 128;
        return true;
    }
    if (slash[1] == '\0' || strlen(slash + 1) > 3 ||
        strspn(slash + 1, "0123456789") != strlen(slash + 1))
        return false;
    bits = (unsigned)strtoul(slash + 1, NULL, 10);
    range->bits = 128 - max + bits;
    return bits <= max;
}

bool proxy_range_has(const struct proxy_range *range, const unsigned char octets[16])
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    unsigned mask = 0xff00u >> rest & 0xff;

    return memcmp(range->octets, octets, whole) == 0 &&
           (rest == 0 || ((range->octets[whole] ^ octets[whole]) & mask) == 0);
}

int net_check_proxies(const char *const *texts, char *words, size_t words_len)
{
    struct proxy_range range;

    for (; texts != NULL && *texts != NULL; texts++) {
        if (proxy_range_read(&range, *texts))
            continue;
        snprintf(words, words_len,
                 "found \"%s\"; allowed: addresses such as \"10.0.0.1\" and ranges "
                 "such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
                 *texts);
        return ERR_INVALID;
    }
    return 0;
}
