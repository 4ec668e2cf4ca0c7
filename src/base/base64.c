/* base64.c -- the standard alphabet, and the one for URLs.
 *
 * Decoding is strict: no white space, no second alphabet, and the bits that a
 * last, partial group leaves over must be zero, so that two different texts
 * never stand for the same bytes except by their padding.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/base64.h"

#include "base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encoded_len(size_t len)
{
    return (len / 3 + (len % 3 != 0)) * 4;
}

void base64_encode(struct slice from, char *out)
{
    const unsigned char *in = (const unsigned char *)from.data;
    size_t left = from.len;

    for (; left >= 3; in += 3, left -= 3, out += 4) {
        unsigned group = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        out[0] = alphabet[group >> 18];
        out[1] = alphabet[(group >> 12) & 63];
        out[2] = alphabet[(group >> 6) & 63];
        out[3] = alphabet[group & 63];
    }
    if (left == 0)
        return;

    unsigned group = (unsigned)in[0] << 16 | (left == 2 ? (unsigned)in[1] << 8 : 0);
    out[0] = alphabet[group >> 18];
    out[1] = alphabet[(group >> 12) & 63];
    out[2] = '=';
    out[3] = '=';
    if (left == 2)
        out[2] = alphabet[(group >> 6) & 63];
}

/* The six bits of a character plus one; 0 for every character outside the alphabet. */
static const unsigned char digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Takes count characters as one number of 24 bits, missing ones being zero. */
static bool read_group(const unsigned char *in, size_t count, unsigned *group)
{
    *group = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = digits[in[i]];
        if (digit == 0)
            return false;
        *group |= (digit - 1) << (18 - 6 * i);
    }
    return true;
}

static size_t without_padding(struct slice from)
{
    size_t len = from.len;

    if (len % 4 != 0 || len == 0 || from.data[len - 1] != '=')
        return len;
    return from.data[len - 2] == '=' ? len - 2 : len - 1;
}

long base64_decode(struct slice from, char *out)
{
    const unsigned char *in = (const unsigned char *)from.data;
    size_t left = without_padding(from);
    char *start = out;
    unsigned group;

    for (; left >= 4; in += 4, left -= 4) {
        if (!read_group(in, 4, &group))
            return ERR_MALFORMED;
        *out++ = (char)(group >> 16);
        *out++ = (char)(group >> 8);
        *out++ = (char)group;
    }
    if (left == 0)
        return out - start;

    /* Two characters carry one byte and 4 bits over, three carry two bytes and 2 bits over. */
    unsigned over = left == 2 ? 0xffff : 0xff;
    if (left == 1 || !read_group(in, left, &group) || (group & over) != 0)
        return ERR_MALFORMED;
    *out++ = (char)(group >> 16);
    if (left == 3)
        *out++ = (char)(group >> 8);
    return out - start;
}

size_t base64url_encode(struct slice from, char *out)
{
    size_t len = base64_encoded_len(from.len);

    base64_encode(from, out);
    while (len != 0 && out[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        if (out[i] == '+')
            out[i] = '-';
        else if (out[i] == '/')
            out[i] = '_';
    }
    return len;
}

/* Four characters at a time, put into the other alphabet. */
long base64url_decode(struct slice from, char *out)
{
    char *start = out;

    while (from.len != 0) {
        size_t len = from.len < 4 ? from.len : 4;
        char plain[4];
        long count;

        for (size_t i = 0; i < len; i++) {
            char c = from.data[i];

            if (c == '+' || c == '/' || c == '=')
                return ERR_MALFORMED;
            plain[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
        }
        count = base64_decode(slice_make(plain, len), out);
        if (count < 0)
            return count;
        out += count;
        from = slice_make(from.data + len, from.len - len);
    }
    return out - start;
}
