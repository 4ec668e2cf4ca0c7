/* nexus_json_priv.h -- what the files that convert nexus's layout share. Not for others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_NEXUS_JSON_PRIV_H
#define NEXUS_DAEMON_NEXUS_JSON_PRIV_H

#include "daemon/report.h"
#include "daemon/tree.h"

enum fate {
    FATE_CONVERTED,
    FATE_NOTED,   /* no counterpart: `words` when it asks for something */
    FATE_REFUSED, /* an error when it asks for something */
};

struct row {
    const char *key;
    enum node_type type;
    enum fate fate;
    const char *words;
};

struct layout {
    const struct row *rows;
    size_t count;
};

#define LAYOUT(rows)            \
    {                           \
        (rows), ARRAY_LEN(rows) \
    }

struct convert {
    struct arena *arena;
    struct report *report;
    struct node *root;           /* in our layout */
    const struct node *messages; /* out_queue_size; NULL: not set */
};

/* The value of a key, NULL when it is missing or null. */
const struct node *convert_find(const struct node *table, const char *key);

/* False for what Go calls the zero value, and for NULL: it asks for nothing. */
bool convert_asks(const struct node *node);

/* Checks the types of all keys of an object, and says what will be ignored. */
void convert_check(struct convert *convert, const struct layout *layout, const struct node *table);

/* The same value in our tree; its name stays that of the JSON file. */
void convert_copy(struct convert *convert, struct node *table, const char *key,
                  const struct node *from);

void convert_text(struct convert *convert, struct node *table, const char *key, const char *text);

/* The realms, and the rest of `router`. */
void convert_router(struct convert *convert, const struct node *router);

#endif
