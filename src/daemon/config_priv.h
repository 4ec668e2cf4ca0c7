/* config_priv.h -- what the files of the checker share. Not for others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_CONFIG_PRIV_H
#define NEXUS_DAEMON_CONFIG_PRIV_H

#include "daemon/config.h"
#include "daemon/options.h"

struct check {
    struct config *config;
    struct report *report;
    struct arena *arena; /* of the config */
};

/* Reports `name: found; allowed: ...`. */
void check_refuse(struct check *check, const struct node *node, const char *found,
                  const char *allowed);

/* How many children; and an array, zeroed and never NULL. */
size_t check_count(const struct node *table);
void *check_array(struct check *check, size_t count, size_t len);

/* A path, seen from the file that names it; without one (the command line), from here. */
const char *check_path(struct check *check, const char *path);

/* True for a URI, and for a pattern of URIs. The text may be anything. */
bool check_uri(const char *text, enum match match, bool is_strict);

/* A header that may be kept of a request: in lower case, and not that of cookies. */
bool check_header_name(const char *name);

/* Reads a table of options. */
void check_section(struct check *check, const struct section *section, const struct node *table,
                   void *into);

/* The addresses. */
void check_listen(struct check *check, const struct config_option *option, const struct node *node);

/* The realms by name, the one without, and who opens others. */
void check_realms(struct check *check, const struct config_option *option, const struct node *node);
void check_templates(struct check *check, const struct config_option *option,
                     const struct node *node);
void check_template(struct check *check, const struct config_option *option,
                    const struct node *node);
void check_opener(struct check *check, const struct config_option *option, const struct node *node);

#endif
