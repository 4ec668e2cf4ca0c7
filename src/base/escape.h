/* escape.h -- text of strangers within a line of ours.
 *
 * Whatever is not printable is escaped, so nobody forges a line or talks to the terminal of the
 * reader.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_ESCAPE_H
#define NEXUS_BASE_ESCAPE_H

#include "base/writer.h"

/* Text shows octets that are no UTF-8 as \xNN; JSON has no way to, and gets U+FFFD. */
enum escape_form { ESCAPE_TEXT, ESCAPE_JSON };

/* Writes the characters of a text; `marks` are those that need a backslash. */
void escape_put(struct writer *w, struct slice text, const char *marks, enum escape_form form);

#endif
