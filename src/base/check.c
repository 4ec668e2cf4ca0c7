/* check.c -- says which belief was wrong, and aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *cond, const char *file, int line, const char *func)
{
    fprintf(stderr, "%s:%d: %s: this should hold and does not: %s\n", file, line, func, cond);
    abort();
}
