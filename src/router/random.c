/* random.c -- random numbers of the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "router/router_priv.h"

#include <errno.h>
#include <sys/random.h>

void random_fill(void *ctx, void *buf, size_t len)
{
    char *at = buf;

    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got > 0);
        at += got;
        len -= (size_t)got;
    }
}
