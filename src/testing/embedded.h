/* embedded.h -- the modules of lua/nexus that are in the program as well. Private to the room; the
 * table is generated (src/cmake/embed.cmake).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_TESTING_EMBEDDED_H
#define NEXUS_TESTING_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *module; /* "nexus.testing.runner"; NULL: the end */
    const unsigned char *text;
    size_t len;
};

extern const struct embedded embedded_files[];

#endif
