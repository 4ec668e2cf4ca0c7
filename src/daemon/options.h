/* options.h -- THE table of configuration options.
 *
 * A row says name, type, default, range or choices, and words for people. The
 * checker, --print-config, the commented sample and the list in --help are made
 * from it, so an option exists in all of them or in none.
 *
 * Rows write into one of three structures of config.h, by offset; a section
 * within a section (queue, limits, ...) writes into the same one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_OPTIONS_H
#define NEXUS_DAEMON_OPTIONS_H

#include "base/writer.h"
#include "daemon/tree.h"

enum option_type {
    OPTION_BOOL,        /* bool */
    OPTION_COUNT,       /* uint32_t */
    OPTION_SIZE,        /* uint32_t, bytes: 1048576, "1MiB" */
    OPTION_SIZE64,      /* uint64_t, bytes */
    OPTION_LEVEL,       /* uint32_t: the number plus one; "none" is 0 */
    OPTION_DURATION_MS, /* uint32_t: 2, 0.5, "500ms", "10s", "2m" */
    OPTION_DURATION_S,  /* uint32_t, whole seconds */
    OPTION_MODE,        /* unsigned: permission bits, "0660" */
    OPTION_CHOICE,      /* unsigned: index into choices */
    OPTION_SWITCH,      /* bool: the second of two choices */
    OPTION_SET,         /* unsigned: bit set of choices, as a list */
    OPTION_TEXT,        /* const char * */
    OPTION_POLICY,      /* const char *: "open", or the path of a policy */
    OPTION_FILE,        /* const char *: a file that can be read */
    OPTION_TEXTS,       /* const char *const *, NULL-terminated */
    OPTION_SETTINGS,    /* struct settings */
    OPTION_SECRETS,     /* struct secret_sources */
    OPTION_SECTION,     /* a table of options in the same structure */
    OPTION_TABLES,      /* an array of `item_len` each, and how many: a list of tables */
    OPTION_LISTEN,      /* the list of addresses */
    OPTION_REALMS,      /* realms by name */
    OPTION_REALM,       /* a realm without a name */
    OPTION_TEMPLATES,   /* the same by names that are no realms' */
    OPTION_OPENER,      /* the path of the router's own policy, or a table of its options */
};

struct config_option;

struct section {
    const struct config_option *options;
    size_t count;
};

struct config_option {
    const char *name;
    enum option_type type;
    bool is_required;
    bool may_be_empty;    /* OPTION_TEXTS */
    const char *fallback; /* default, as people would write it; a list with commas; NULL: none */
    uint64_t min, max;
    const char *const *choices; /* NULL-terminated */
    const struct section *section;
    size_t offset;
    size_t count_offset, item_len; /* OPTION_TABLES; the count is a size_t, at most `max` */
    const char *words;
};

#define SECTION_OF(rows)                            \
    {                                               \
        .options = (rows), .count = ARRAY_LEN(rows) \
    }

extern const struct section config_section; /* struct config */
extern const struct section listen_section; /* struct listen_config */
extern const struct section realm_section;  /* struct realm_config */
extern const struct section
    opener_section; /* struct realm_config, what a policy without a realm has of it */

/* The row with that name, or NULL. */
const struct config_option *option_find(const struct section *section, const char *name);

/* The row whose name is most like it, or NULL when none is. */
const struct config_option *option_guess(const struct section *section, const char *name);

/* What a value of that row may be: `an integer from 1 to 64`. */
const char *option_allowed(const struct config_option *option, struct arena *arena);

/* Reads a value that needs nothing but its row (no section, tables, listen, realm). False: not allowed.
 * Texts are copied to the arena. */
bool option_read(const struct config_option *option, const struct node *node, void *into,
                 struct arena *arena);

/* The same with a value as people would write it in a table of rows, which must be allowed: a list
 * has commas. */
void option_set(const struct config_option *option, const char *text, void *into,
                struct arena *arena);

/* The array of OPTION_TABLES, and how many. */
const void *option_tables(const struct config_option *option, const void *from, size_t *count);

/* Writes the defaults of a section, sections within it included. */
void options_default(const struct section *section, void *into, struct arena *arena);

/* Writes the value as Lua. False, and nothing is written: it is not set. */
bool option_print(const struct config_option *option, const void *from, struct writer *out);

/* A text as a Lua string. */
void print_quoted(struct writer *out, const char *text);
void print_text(struct writer *out, const char *text);

#endif
