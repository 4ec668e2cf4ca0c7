/* distance.c -- see distance.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/distance.h"

#include "base/check.h"

#include <ctype.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool is_same(char a, char b, bool any_case)
{
    return a == b || (any_case && tolower((unsigned char)a) == tolower((unsigned char)b));
}

unsigned distance_between(struct slice a, struct slice b, bool any_case)
{
    unsigned rows[3][MAX_DISTANCE_LEN + 1];

    CHECK(a.len <= MAX_DISTANCE_LEN && b.len <= MAX_DISTANCE_LEN);
    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool differs = !is_same(a.data[i - 1], b.data[j - 1], any_case);

            row[j] = least(above[j - 1] + differs, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}
