/* err.c -- looks errors up in the table of err.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"

const char *err_name(int err)
{
#define ERR_NAME(name, number, words) \
    case number:                      \
        return #name;

    switch (err) {
    case 0:
        return "OK";
        ERR_TABLE(ERR_NAME)
    default:
        return "ERR_UNKNOWN";
    }
#undef ERR_NAME
}

const char *err_words(int err)
{
#define ERR_WORDS(name, number, words) \
    case number:                       \
        return words;

    switch (err) {
    case 0:
        return "no error";
        ERR_TABLE(ERR_WORDS)
    default:
        return "unknown error";
    }
#undef ERR_WORDS
}
