/* fault.c -- fills in a fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Words that had to be cut must not end in half a character: they travel as text. */
static void trim_half_character(char *words)
{
    size_t len = strlen(words);
    size_t start = len;

    while (start > 0 && ((unsigned char)words[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)words[start - 1] & 0x80) != 0)
        start--;
    words[start] = '\0';
}

int fault_set(struct fault *fault, int err, const char *uri, const char *format, ...)
{
    va_list args;
    int len;

    if (fault == NULL)
        return err;
    fault->uri = uri;
    fault->err = err;
    va_start(args, format);
    len = vsnprintf(fault->words, sizeof(fault->words), format, args);
    va_end(args);
    if (len >= (int)sizeof(fault->words))
        trim_half_character(fault->words);
    return err;
}
