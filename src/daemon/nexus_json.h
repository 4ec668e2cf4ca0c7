/* nexus_json.h -- a configuration in the layout of nexusd of the Go router nexus becomes a tree in ours.
 *
 * What has no counterpart, or another meaning, is reported; what would make the
 * router less safe than the file asks is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_NEXUS_JSON_H
#define NEXUS_DAEMON_NEXUS_JSON_H

#include "daemon/report.h"
#include "daemon/tree.h"

/* Reads the JSON text; NULL, with an error in the report, when it is no JSON object. */
struct node *json_file_read(struct slice text, struct arena *arena, struct report *report);

/* Says the same in our layout. Names and lines of the nodes stay those of the JSON file. */
struct node *nexus_json_convert(const struct node *json, struct arena *arena,
                                struct report *report);

#endif
