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
    return 0;
}
