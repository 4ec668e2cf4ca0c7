/* prepare.c -- SASLprep without tables of normalization.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/prepare.h"

#include "base/utf8.h"
#include "wire/errors.h"

struct range {
    uint32_t first, last;
};

/* Assigned in Unicode 3.2, the same in NFKC, not written from right to left, and such that no two
 * of them in a row compose. */
static const struct range kept[] = {
    {0x20, 0x7e},     {0xa1, 0xa7},     {0xa9, 0xa9},     {0xab, 0xac},     {0xae, 0xae},
    {0xb0, 0xb1},     {0xb6, 0xb7},     {0xbb, 0xbb},     {0xbf, 0x131},    {0x134, 0x13e},
    {0x141, 0x148},   {0x14a, 0x17e},   {0x386, 0x386},   {0x388, 0x38a},   {0x38c, 0x38c},
    {0x38e, 0x3a1},   {0x3a3, 0x3ce},   {0x400, 0x481},   {0x48a, 0x4ce},   {0x4d0, 0x4f5},
    {0x20ac, 0x20ac}, {0x3041, 0x3094}, {0x30a1, 0x30fa}, {0x4e00, 0x9fa5}, {0xac00, 0xd7a3},
};

/* Spaces that become the one of ASCII. */
static const struct range spaces[] = {
    {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

#define SOFT_HYPHEN 0xad /* mapped to nothing */

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

int prepare_password(struct slice from, char *out, size_t *len, struct fault *fault)
{
    *len = 0;
    if (!utf8_is_valid(from))
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                         "the password is not valid UTF-8");
    for (struct slice rest = from; rest.len != 0;) {
        uint32_t c = utf8_next(&rest);

        if (is_in(c, kept, ARRAY_LEN(kept)))
            *len += utf8_put(out + *len, c);
        else if (is_in(c, spaces, ARRAY_LEN(spaces)))
            out[(*len)++] = ' ';
        else if (c != SOFT_HYPHEN)
            return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED,
                             "the password has U+%04X, which cannot be normalized here; allowed "
                             "are printable ASCII and common letters",
                             (unsigned)c);
    }
    if (*len == 0)
        return fault_set(fault, ERR_INVALID, WAMP_AUTHENTICATION_FAILED, "the password is empty");
    return 0;
}
