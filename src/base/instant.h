/* instant.h -- instants as text: RFC 3339, in UTC when we write it.
 *
 * An instant is a number of milliseconds since 1970-01-01T00:00:00Z, as the wall
 * clock has it: without leap seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_INSTANT_H
#define NEXUS_BASE_INSTANT_H

#include "base/slice.h"

#define INSTANT_LEN 24

/* The last instant that has a text: 9999-12-31T23:59:59.999Z. */
#define INSTANT_LAST UINT64_C(253402300799999)

/* Writes "2026-01-02T03:04:05.678Z" and returns it, as a slice of `text`. No NUL is added. What
 * is later than INSTANT_LAST is written as that. */
struct slice instant_format(uint64_t instant, char text[INSTANT_LEN]);

/* Reads a date and time of RFC 3339: years 0000 to 9999, "T" and "Z" in either case, or an offset;
 * a fraction of any length is cut to milliseconds. What is before 1970 becomes 0. A leap second may
 * stand at the end of a day of UTC, and is the first second of the next day. An offset may take the
 * result past INSTANT_LAST. False: it is none, and *instant is as it was. */
bool instant_parse(struct slice text, uint64_t *instant) MUST_CHECK;

/* The same, but a fraction that is no whole number of milliseconds is rounded up: the first
 * instant that is not before what the text says. */
bool instant_parse_up(struct slice text, uint64_t *instant) MUST_CHECK;

#endif
