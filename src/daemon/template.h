/* template.h -- the files of a new policy; the table is generated (src/cmake/embed.cmake).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_TEMPLATE_H
#define NEXUS_DAEMON_TEMPLATE_H

#include <stddef.h>

struct embedded {
    const char *path; /* below src/daemon/template; NULL: the end */
    const unsigned char *text;
    size_t len;
};

extern const struct embedded template_files[];

#endif
