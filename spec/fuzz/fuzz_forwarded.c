/* fuzz_forwarded.c -- X-Forwarded-For and Forwarded, with any octets.
 *
 * Input: one octet that says which header, then the header. Laws: an address that is found is one;
 * what a proxy of ours adds at the end counts, whatever stood before, unless the list cannot be
 * read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "fuzz.h"
#include "net/forwarded.h"

#include <netinet/in.h>
#include <string.h>

static bool is_192_0_2_7(const struct sockaddr_storage *from)
{
    struct sockaddr_in v4;

    memcpy(&v4, from, sizeof v4);
    return from->ss_family == AF_INET && v4.sin_addr.s_addr == htonl(0xc0000207);
}

/* A line at the end of a head is at the end of the list. */
static void try_head(struct slice lines)
{
    static const char added[] = "\r\nForwarded: for=192.0.2.7\r\n\r\n";
    char list[1000], *head = mem_alloc(lines.len + sizeof added);
    size_t len, head_len;

    memcpy(head, lines.data, lines.len);
    memcpy(head + lines.len, added, sizeof added - 1);
    head_len = forwarded_head_len(slice_make(head, lines.len + sizeof added - 1));
    CHECK(head_len != 0);
    if (forwarded_collect(slice_make(head, head_len), list, sizeof list, &len)) {
        CHECK(memchr(list, '\0', len) == NULL);
        CHECK(head_len != lines.len + sizeof added - 1 ||
              (len >= 14 && memcmp(list + len - 13, "for=192.0.2.7", 13) == 0));
    }
    mem_free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const added[] = {", 192.0.2.7", ", for=192.0.2.7"};
    struct sockaddr_storage from = {0};
    struct proxy_range ours;
    enum forwarded_header header;
    enum forwarded_result result;
    size_t more;
    char *text;

    if (len == 0)
        return 0;
    CHECK(proxy_range_read(&ours, "10.0.0.0/8"));
    header = (data[0] & 1) == 0 ? FORWARDED_X_FOR : FORWARDED_7239;
    more = strlen(added[header]);
    text = mem_alloc(len - 1 + more);
    memcpy(text, data + 1, len - 1);
    memcpy(text + len - 1, added[header], more);

    result = forwarded_read(header, slice_make(text, len - 1), &ours, 1, &from);
    if (result == FORWARDED_FOUND)
        CHECK(from.ss_family == AF_INET || from.ss_family == AF_INET6);
    result = forwarded_read(header, slice_make(text, len - 1 + more), &ours, 1, &from);
    if (header == FORWARDED_X_FOR || result != FORWARDED_BAD)
        CHECK(result == FORWARDED_FOUND && is_192_0_2_7(&from));
    mem_free(text);
    try_head(slice_make((const char *)data, len));
    return 0;
}
