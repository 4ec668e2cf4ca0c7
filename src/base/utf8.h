/* utf8.h -- validation of UTF-8 (RFC 3629).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_UTF8_H
#define NEXUS_BASE_UTF8_H

#include "base/slice.h"

/* True when the bytes are well-formed UTF-8: no surrogates, no overlong forms. */
bool utf8_is_valid(struct slice text);

/* Writes one code point; returns how many bytes (1..4). Surrogates become U+FFFD. */
size_t utf8_put(char out[4], uint32_t code_point);

/* Reads one code point of valid, non-empty text and moves *text past it. */
uint32_t utf8_next(struct slice *text);

#endif
