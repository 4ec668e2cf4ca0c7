/* realm_values.h -- options of a realm whose names are the user's: settings and secrets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_REALM_VALUES_H
#define NEXUS_DAEMON_REALM_VALUES_H

#include "base/writer.h"
#include "daemon/tree.h"

/* Any values; all in the arena. */
struct settings {
    struct slice packed;     /* MessagePack dict; len 0: not set */
    const struct node *node; /* a copy, for printing */
};

/* Where the value of a secret is: one of file and env; `path` is the file, seen from here. */
struct secret_source {
    const char *name, *file, *path, *env;
};

struct secret_sources {
    struct secret_source *at; /* NULL: not set */
    size_t count;
};

#define SETTINGS_WORDS "a table: numbers, strings, booleans, and lists and tables of them"
#define SECRETS_WORDS \
    "a table such as { jwt_key = { file = \"/etc/nexus/jwt.key\" }, pin = { env = \"PIN\" } }"
#define SECRET_WORDS "{ file = \"/etc/nexus/key\" }, or { env = \"KEY\" }, under a name"

/* False: the node is none. */
bool settings_read(const struct node *node, struct settings *settings, struct arena *arena);
bool secrets_read(const struct node *node, struct secret_sources *secrets, struct arena *arena);

/* The first one that is no secret, or NULL: there are too many. */
const struct node *secrets_wrong(const struct node *node);

/* `file`, when it names Lua or JSON; else NULL. */
const char *settings_file(const struct settings *settings);

/* As Lua, on one line. False: not set. */
bool settings_print(const struct settings *settings, struct writer *out);
bool secrets_print(const struct secret_sources *secrets, struct writer *out);

#endif
