/* utf8.c -- well-formed UTF-8: runs of ASCII in words, the rest byte by byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"

#include "base/check.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load_word(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static bool is_tail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The number of bytes of the well-formed sequence at `at`, which does not begin with ASCII; 0
 * when there is none. The second byte has a narrower range after some lead bytes: this is what
 * keeps out overlong forms (e0, f0), surrogates (ed) and numbers above U+10FFFF (f4). */
static size_t sequence_len(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];

    if (lead < 0xc2 || lead > 0xf4 || left < 2)
        return 0;
    if (lead < 0xe0)
        return is_tail(at[1]) ? 2 : 0;

    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high || left < 3 || !is_tail(at[2]))
        return 0;
    if (lead < 0xf0)
        return 3;
    return left >= 4 && is_tail(at[3]) ? 4 : 0;
}

bool utf8_is_valid(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t left = text.len;

    while (left != 0) {
        while (left >= 16 && ((load_word(at) | load_word(at + 8)) & HIGH_BITS) == 0) {
            at += 16;
            left -= 16;
        }
        if (left >= 8 && (load_word(at) & HIGH_BITS) == 0) {
            at += 8;
            left -= 8;
        }
        while (left != 0 && *at < 0x80) {
            at++;
            left--;
        }
        while (left != 0 && *at >= 0x80) {
            size_t len = sequence_len(at, left);
            if (len == 0)
                return false;
            at += len;
            left -= len;
        }
    }
    return true;
}

size_t utf8_put(char out[4], uint32_t code_point)
{
    if ((code_point >= 0xd800 && code_point <= 0xdfff) || code_point > 0x10ffff)
        code_point = 0xfffd;
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | (code_point >> 6));
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | (code_point >> 12));
        out[1] = (char)(0x80 | ((code_point >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code_point >> 18));
    out[1] = (char)(0x80 | ((code_point >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code_point >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

uint32_t utf8_next(struct slice *text)
{
    CHECK(text->len != 0);
    unsigned char lead = (unsigned char)text->data[0];
    size_t len = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t code_point = len == 1 ? lead : lead & (0xffU >> (len + 1));

    CHECK(len <= text->len);
    for (size_t i = 1; i < len; i++)
        code_point = (code_point << 6) | ((unsigned char)text->data[i] & 0x3f);
    text->data += len;
    text->len -= len;
    return code_point;
}
