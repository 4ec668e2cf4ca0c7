/* json_number.h -- numbers as JSON spells them. Private to the room.
 *
 * WAMP: "Serializers", JSON.
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_JSON_NUMBER_H
#define NEXUS_WIRE_JSON_NUMBER_H

#include "base/arena.h"

/* The longest text that json_number_put_* writes. */
#define JSON_NUMBER_MAX 32

/* What a scan finds out on its way. */
struct json_number {
    uint64_t magnitude; /* of an integer; meaningless when is_big or is_real */
    bool is_negative;
    bool is_real; /* has a fraction or an exponent */
    bool is_big;  /* an integer beyond 64 bits */
};

/* Checks the number that begins at `at` against the grammar. Returns where it ends, or NULL. */
const char *json_number_scan(const char *at, const char *end, struct json_number *number);

/* The double nearest to a number that was scanned. */
double json_number_real(struct slice text, struct arena *arena);

/* Write digits at `out`; return how many. */
size_t json_number_put_uint(char *out, uint64_t value);

/* The shortest text that reads back as the same double, and as a float. Finite values only. */
size_t json_number_put_real(char *out, double value);

#endif
