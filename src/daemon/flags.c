/* flags.c -- THE table of flags, and what they become: the same tree that a file becomes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/flags.h"

#include "daemon/address.h"
#include "daemon/config.h"
#include "daemon/exit_code.h"
#include "daemon/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/*   name            letter argument words */
#define FLAG_TABLE(X)                                                                            \
    X(CONFIG, "config", 'c', "FILE", "configuration: Lua, or *.json in the layout of nexus")     \
    X(REALM, "realm", 'r', "NAME", "without a file: a realm; may be repeated")                   \
    X(WS, "ws", 'w', "ADDRESS",                                                                  \
      "without a file: listen there (WebSocket, RawSocket, HTTP); may be repeated")              \
    X(UNIX, "unix", 'u', "PATH", "without a file: listen on a unix socket; may be repeated")     \
    X(POLICY, "policy", 'p', "POLICY", "without a file: policy of the realms (default: open)")   \
    X(TLS_CERT, "tls-cert", 0, "FILE", "without a file: certificate; --ws addresses become TLS") \
    X(TLS_KEY, "tls-key", 0, "FILE", "without a file: private key of the certificate")           \
    X(WORKERS, "workers", 'n', "N", "threads that serve connections")                            \
    X(LOG_LEVEL, "log-level", 'l', "LEVEL", "debug, info, warn or error")                        \
    X(LOG_FORMAT, "log-format", 0, "FORMAT", "text or json")                                     \
    X(CHECK, "check-config", 0, NULL, "say what is wrong with the configuration, and end")       \
    X(PRINT, "print-config", 0, NULL, "print the configuration with every value, and end")       \
    X(SAMPLE, "sample-config", 0, NULL, "print a commented configuration, and end")              \
    X(VERSION, "version", 'v', NULL, "print the version, and end")                               \
    X(HELP, "help", 'h', NULL, "print this, and end")

#define FLAG_ENUM(id, name, letter, argument, words) FLAG_##id,
enum flag_id { FLAG_TABLE(FLAG_ENUM) FLAG_COUNT };

static const struct flag {
    const char *name;
    char letter;
    const char *argument; /* NULL: none */
    const char *words;
} flag_rows[] = {
#define FLAG_ROW(id, name, letter, argument, words) {name, letter, argument, words},
    FLAG_TABLE(FLAG_ROW)};

/* getopt_long's number of a flag: above all letters. */
#define FLAG_BASE 1000

struct parsing {
    struct flags *flags;
    struct arena *arena;
    const char *values[FLAG_COUNT]; /* of flags that are given once */
    bool is_short_way;              /* a flag that stands for a file */
};

static int usage(const char *words, const char *what)
{
    fprintf(stderr, "nexusd: %s%s; try nexusd --help\n", words, what);
    return EXIT_USAGE;
}

static struct node *named(struct arena *arena, const char *text, const char *name)
{
    struct node *node = node_text(arena, text);

    node->name = name;
    return node;
}

static void add_realm(struct parsing *parsing, const char *name)
{
    struct arena *arena = parsing->arena;
    struct node *realms = node_open(arena, parsing->flags->tree, "realms");

    if (node_find(realms, name) == NULL)
        node_open(arena, realms, name)->name = "--realm";
}

static void add_listen(struct parsing *parsing, const char *address, const char *flag)
{
    struct arena *arena = parsing->arena;
    struct node *listen = node_new(arena, NODE_TABLE);

    listen->name = flag;
    node_add(arena, listen, "address", named(arena, address, flag));
    node_add(arena, node_open(arena, parsing->flags->tree, "listen"), NULL, listen);
}

static void take(struct parsing *parsing, enum flag_id id, const char *value)
{
    struct flags *flags = parsing->flags;

    switch (id) {
    case FLAG_REALM:
        add_realm(parsing, value);
        break;
    case FLAG_WS:
        add_listen(parsing, value, "--ws");
        break;
    case FLAG_UNIX:
        add_listen(parsing, arena_format(parsing->arena, "unix:%s", value), "--unix");
        break;
    case FLAG_CHECK:
        flags->task = TASK_CHECK;
        break;
    case FLAG_PRINT:
        flags->task = TASK_PRINT;
        break;
    case FLAG_SAMPLE:
        flags->task = TASK_SAMPLE;
        break;
    case FLAG_VERSION:
        flags->task = TASK_VERSION;
        break;
    case FLAG_HELP:
        flags->task = TASK_HELP;
        break;
    case FLAG_CONFIG:
    case FLAG_POLICY:
    case FLAG_TLS_CERT:
    case FLAG_TLS_KEY:
    case FLAG_WORKERS:
    case FLAG_LOG_LEVEL:
    case FLAG_LOG_FORMAT:
    case FLAG_COUNT:
        parsing->values[id] = value;
        break;
    }
    parsing->is_short_way |= (id >= FLAG_REALM && id <= FLAG_TLS_KEY);
}

/* ---- overrides ---- */

static int add_override(struct parsing *parsing, enum flag_id id, const struct section *section,
                        const char *key, struct node *table)
{
    const char *value = parsing->values[id];
    const struct config_option *option = option_find(section, key);
    struct arena *arena = parsing->arena;
    struct config scratch;

    if (value == NULL)
        return EXIT_OK;
    bool is_number = option->type == OPTION_COUNT && *value != '\0' && strlen(value) < 10 &&
                     strspn(value, "0123456789") == strlen(value);
    struct node *node =
        is_number ? node_int(arena, strtol(value, NULL, 10)) : node_text(arena, value);
    node_add(arena, table, key, node);
    if (option_read(option, node, &scratch, arena))
        return EXIT_OK;
    fprintf(stderr, "nexusd: --%s: found \"%s\"; allowed: %s\n", flag_rows[id].name, value,
            option_allowed(option, arena));
    return EXIT_USAGE;
}

static int add_overrides(struct parsing *parsing)
{
    struct arena *arena = parsing->arena;
    struct node *top = node_new(arena, NODE_TABLE);
    const struct section *log = option_find(&config_section, "log")->section;
    struct node *log_table = node_new(arena, NODE_TABLE);

    parsing->flags->overrides = top;
    if (add_override(parsing, FLAG_WORKERS, &config_section, "workers", top) != EXIT_OK ||
        add_override(parsing, FLAG_LOG_LEVEL, log, "level", log_table) != EXIT_OK ||
        add_override(parsing, FLAG_LOG_FORMAT, log, "format", log_table) != EXIT_OK)
        return EXIT_USAGE;
    if (log_table->first != NULL)
        node_add(arena, top, "log", log_table);
    return EXIT_OK;
}

void flags_override(const struct flags *flags, struct node *root, struct arena *arena)
{
    for (const struct node *node = flags->overrides->first; node != NULL; node = node->next) {
        struct node *into = root;
        const struct node *from = node;
        const struct node *end = node->next;
        if (node->type == NODE_TABLE) {
            into = node_open(arena, root, node->key);
            from = node->first;
            end = NULL;
        }
        if (into->type != NODE_TABLE)
            continue; /* config_check refuses it */
        for (; from != end; from = from->next) {
            struct node *copy = node_new(arena, from->type);
            *copy = *from;
            copy->next = NULL;
            node_remove(into, from->key);
            node_add(arena, into, from->key, copy);
        }
    }
}

/* ---- the short way ---- */

/* A flag stands for all --ws addresses, so that they are one service. */
static void add_tls(struct parsing *parsing)
{
    const char *cert = parsing->values[FLAG_TLS_CERT], *key = parsing->values[FLAG_TLS_KEY];
    struct arena *arena = parsing->arena;
    const struct node *listen = node_find(parsing->flags->tree, "listen");

    if (cert == NULL || listen == NULL)
        return;
    for (struct node *node = listen->first; node != NULL; node = node->next) {
        struct node *address = node_find(node, "address");
        if (strcmp(node->name, "--ws") != 0)
            continue;
        if (strncmp(address->text, "tls://", 6) != 0)
            address->text = arena_format(arena, "tls://%s", address->text);
        struct node *tls = node_open(arena, node, "tls");
        node_add(arena, tls, "cert", named(arena, cert, "--tls-cert"));
        node_add(arena, tls, "key", named(arena, key, "--tls-key"));
    }
}

static void add_policy(struct parsing *parsing)
{
    const char *policy = parsing->values[FLAG_POLICY];
    const struct node *realms = node_find(parsing->flags->tree, "realms");

    for (struct node *realm = realms->first; realm != NULL; realm = realm->next)
        node_add(parsing->arena, realm, "policy",
                 named(parsing->arena, policy == NULL ? "open" : policy, "--policy"));
}

static int finish_short_way(struct parsing *parsing)
{
    const struct node *tree = parsing->flags->tree;
    const char *cert = parsing->values[FLAG_TLS_CERT], *key = parsing->values[FLAG_TLS_KEY];

    if (node_find(tree, "listen") == NULL)
        return usage("missing: ", "--ws ADDRESS (or --unix PATH)");
    if (node_find(tree, "realms") == NULL)
        return usage("missing: ", "--realm NAME");
    if ((cert == NULL) != (key == NULL))
        return usage("missing: ", cert == NULL ? "--tls-cert FILE" : "--tls-key FILE");
    add_tls(parsing);
    add_policy(parsing);
    return EXIT_OK;
}

static int finish(struct parsing *parsing)
{
    struct flags *flags = parsing->flags;

    flags->config = parsing->values[FLAG_CONFIG];
    if (flags->task >= TASK_SAMPLE)
        return EXIT_OK;
    if (add_overrides(parsing) != EXIT_OK)
        return EXIT_USAGE;
    if (flags->config == NULL && !parsing->is_short_way)
        return usage("", "nothing to serve: give --config FILE, or --realm NAME --ws ADDRESS");
    if (flags->config != NULL && parsing->is_short_way)
        return usage("", "--config says it all: --realm, --ws, --unix, --policy, --tls-cert and "
                         "--tls-key go without it");
    return flags->config == NULL ? finish_short_way(parsing) : EXIT_OK;
}

/* ---- the command line ---- */

/* Makes what getopt_long wants of the table. */
static void make_tables(struct option names[FLAG_COUNT + 1], char letters[2 * FLAG_COUNT + 2])
{
    *letters++ = ':'; /* a missing argument is told apart from an unknown flag */
    for (int i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flag_rows[i];
        names[i] = (struct option){flag->name, flag->argument != NULL, NULL, FLAG_BASE + i};
        if (flag->letter == 0)
            continue;
        *letters++ = flag->letter;
        if (flag->argument != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    names[FLAG_COUNT] = (struct option){0};
}

static enum flag_id flag_of(int value)
{
    if (value >= FLAG_BASE)
        return (enum flag_id)(value - FLAG_BASE);
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (value != 0 && flag_rows[i].letter == value)
            return (enum flag_id)i;
    }
    return FLAG_COUNT;
}

/* A letter when getopt was at letters, else the whole word. */
static int complain(const char *words, char **argv)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < FLAG_BASE;

    return usage(words, is_letter ? letter : argv[optind - 1]);
}

int flags_parse(struct flags *flags, int argc, char **argv, struct arena *arena)
{
    struct parsing parsing = {.flags = flags, .arena = arena};
    struct option names[FLAG_COUNT + 1];
    char letters[2 * FLAG_COUNT + 2];
    int value;

    *flags = (struct flags){.tree = node_new(arena, NODE_TABLE)};
    flags->tree->name = "";
    make_tables(names, letters);
    while ((value = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        if (value == '?')
            return complain("unknown flag, or an argument too many: ", argv);
        if (value == ':')
            return complain("an argument is missing: ", argv);
        take(&parsing, flag_of(value), optarg);
    }
    if (optind < argc)
        return usage("unknown argument: ", argv[optind]);
    return finish(&parsing);
}

/* ---- --help ---- */

static void print_flag(struct writer *out, const struct flag *flag)
{
    char line[200], letter[8] = "    ";

    if (flag->letter != 0)
        snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    int len =
        snprintf(line, sizeof(line), "  %s--%s%s%s", letter, flag->name,
                 flag->argument == NULL ? "" : " ", flag->argument == NULL ? "" : flag->argument);
    snprintf(line + len, sizeof(line) - (size_t)len, "%*s%s\n", len < 28 ? 28 - len : 1, "",
             flag->words);
    print_text(out, line);
}

void flags_print_help(struct writer *out)
{
    char line[200];

    print_text(out, "\nFlags:\n");
    for (int i = 0; i < FLAG_COUNT; i++)
        print_flag(out, &flag_rows[i]);

    print_text(out, "\nAn ADDRESS is " ADDRESS_ALLOWED ".\n\nIt ends with:\n");
#define PRINT_EXIT_CODE(name, number, words)                         \
    snprintf(line, sizeof(line), "  %-4d %s\n", (int)(name), words); \
    print_text(out, line);
    EXIT_CODE_TABLE(PRINT_EXIT_CODE)

    print_text(out, "\nSIGTERM and SIGINT say goodbye to all sessions and end it; a second one "
                    "ends it at once.\n\n"
                    "Options of the configuration file, and their defaults "
                    "(--sample-config shows how it looks):\n");
    config_print_options(out);
}
