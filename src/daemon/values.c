/* values.c -- one value of one option: from a node, to Lua, and what it may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/ready.h"
#include "base/utf8.h"
#include "daemon/options.h"
#include "daemon/realm_values.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};
static const struct unit times_ms[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit times_s[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};

static const struct unit *units_of(enum option_type type)
{
    return type == OPTION_SIZE || type == OPTION_SIZE64 ? sizes
           : type == OPTION_DURATION_MS                 ? times_ms
                                                        : times_s;
}

/* ---- what is allowed ---- */

static const char *choice_list(const struct config_option *option, struct arena *arena)
{
    const char *list = "";

    for (size_t i = 0; option->choices[i] != NULL; i++)
        list = arena_format(arena, "%s%s\"%s\"", list, i == 0 ? "" : ", ", option->choices[i]);
    return list;
}

/* A number in the largest unit that divides it. */
static const char *in_units(struct arena *arena, const struct unit *units, uint64_t value)
{
    const struct unit *unit = units;

    while (unit->factor != 1 && (value == 0 || value % unit->factor != 0))
        unit++;
    return arena_format(arena, "%" PRIu64 "%s", value / unit->factor, unit->name);
}

const char *option_allowed(const struct config_option *option, struct arena *arena)
{
    const struct unit *units = units_of(option->type);

    switch (option->type) {
    case OPTION_BOOL:
        return "true or false";
    case OPTION_COUNT:
        return arena_format(arena, "an integer from %" PRIu64 " to %" PRIu64, option->min,
                            option->max);
    case OPTION_LEVEL:
        return arena_format(arena, "an integer from %" PRIu64 " to %" PRIu64 ", or \"none\"",
                            option->min, option->max);
    case OPTION_SIZE:
    case OPTION_SIZE64:
        return arena_format(arena, "bytes or a string such as \"16MiB\", from %s to %s",
                            in_units(arena, units, option->min),
                            in_units(arena, units, option->max));
    case OPTION_DURATION_MS:
    case OPTION_DURATION_S:
        return arena_format(arena, "seconds or a string such as \"%s\", from %s to %s",
                            option->type == OPTION_DURATION_S ? "7d" : "500ms",
                            in_units(arena, units, option->min),
                            in_units(arena, units, option->max));
    case OPTION_MODE:
        return "an octal string from \"0001\" to \"0777\"";
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        return choice_list(option, arena);
    case OPTION_SET:
        return arena_format(arena, "a list of one or more of %s", choice_list(option, arena));
    case OPTION_TEXT:
        return option->min == 0 ? "a string" : "a string that is not empty";
    case OPTION_POLICY:
        return arena_format(arena, "%s, or the path of a policy, with a / or .lua in it",
                            ready_names(arena));
    case OPTION_FILE:
        return "the name of a file that can be read";
    case OPTION_TEXTS:
        return "a list of strings";
    case OPTION_SETTINGS:
        return SETTINGS_WORDS;
    case OPTION_SECRETS:
        return SECRETS_WORDS;
    case OPTION_TABLES:
        return arena_format(arena, "a list of tables, at most %" PRIu64 ", e.g. { { %s = ... } }",
                            option->max, option->section->options[0].name);
    case OPTION_LISTEN:
        return "a list of addresses";
    case OPTION_REALMS:
        return "a table of realms, by name";
    case OPTION_TEMPLATES:
        return "a table such as { tenant = { policy = \"tenant.lua\" } }";
    case OPTION_OPENER:
        return "the path of a policy, or a table such as { policy = \"router.lua\", settings = { "
               "... } }";
    case OPTION_SECTION:
    case OPTION_REALM:
        return "a table of options";
    }
    UNREACHABLE("option type");
}

/* ---- reading ---- */

/* "1.5MiB", "10s" and plain numbers (in `plain` of the smallest unit), without a remainder. */
static bool read_amount(const struct node *node, const struct unit *units, double plain,
                        uint64_t *amount)
{
    double value = 0;
    char *rest;

    if (node->type == NODE_INT || node->type == NODE_REAL) {
        value = (node->type == NODE_INT ? (double)node->integer : node->real) * plain;
    } else {
        if (node->type != NODE_TEXT || !isdigit((unsigned char)node->text[0]))
            return false;
        value = strtod(node->text, &rest);
        if (rest != node->text + strspn(node->text, "0123456789."))
            return false;
        while (*rest == ' ')
            rest++;
        while (strcmp(units->name, rest) != 0) {
            if (units++->factor == 1)
                return false;
        }
        value *= (double)units->factor;
    }
    if (!(value >= 0 && value <= 1e15) || fabs(value - round(value)) > 1e-6)
        return false;
    *amount = (uint64_t)llround(value);
    return true;
}

static bool read_number(const struct config_option *option, const struct node *node,
                        uint64_t *number)
{
    bool is_read;

    if (option->type == OPTION_COUNT || option->type == OPTION_LEVEL) {
        is_read = node->type == NODE_INT && node->integer >= 0;
        *number = is_read ? (uint64_t)node->integer : 0;
        if (node->type == NODE_REAL && node->real >= 0 && node->real <= 1e15 &&
            node->real == floor(node->real)) {
            is_read = true;
            *number = (uint64_t)node->real;
        }
    } else {
        is_read = read_amount(node, units_of(option->type),
                              option->type == OPTION_DURATION_MS ? 1000 : 1, number);
    }
    return is_read && *number >= option->min && *number <= option->max;
}

/* A level is kept as the number above it, so that 0 is none. */
static bool read_level(const struct config_option *option, const struct node *node,
                       uint64_t *number)
{
    bool is_none = node->type == NODE_TEXT && strcmp(node->text, "none") == 0;

    *number = 0;
    if (is_none)
        return true;
    if (!read_number(option, node, number))
        return false;
    ++*number;
    return true;
}

static bool read_choice(const struct config_option *option, const struct node *node,
                        unsigned *index)
{
    if (node->type != NODE_TEXT)
        return false;
    for (*index = 0; option->choices[*index] != NULL; ++*index) {
        if (strcmp(option->choices[*index], node->text) == 0)
            return true;
    }
    return false;
}

static bool is_list(const struct node *node)
{
    int64_t index = 1;

    if (node->type != NODE_TABLE || node->first == NULL)
        return false;
    for (const struct node *item = node->first; item != NULL; item = item->next, index++) {
        if (item->key != NULL || item->index != index)
            return false;
    }
    return true;
}

static bool read_set(const struct config_option *option, const struct node *node, unsigned *set)
{
    unsigned index;

    *set = 0;
    if (!is_list(node))
        return false;
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        if (!read_choice(option, item, &index))
            return false;
        *set |= 1U << index;
    }
    return true;
}

static bool read_texts(const struct config_option *option, const struct node *node,
                       const char *const **texts, struct arena *arena)
{
    bool is_empty = node->type == NODE_TABLE && node->first == NULL;
    size_t count = 0;

    if (is_empty ? !option->may_be_empty : !is_list(node))
        return false;
    for (const struct node *item = node->first; item != NULL; item = item->next, count++) {
        if (item->type != NODE_TEXT || *item->text == '\0' || !utf8_is_valid(slice_of(item->text)))
            return false;
    }
    const char **list = arena_alloc(arena, (count + 1) * sizeof(*list)), **at = list;
    for (const struct node *item = node->first; item != NULL; item = item->next)
        *at++ = arena_format(arena, "%s", item->text);
    *at = NULL;
    *texts = list;
    return true;
}

static bool read_mode(const struct node *node, unsigned *mode)
{
    if (node->type != NODE_TEXT || node->text[0] == '\0' || strlen(node->text) > 4 ||
        strspn(node->text, "01234567") != strlen(node->text))
        return false;
    *mode = (unsigned)strtoul(node->text, NULL, 8);
    return *mode >= 1 && *mode <= 0777;
}

/* A word that is no path is more likely a mistake. */
static bool is_policy(const char *text)
{
    return ready_is(text) || strchr(text, '/') != NULL || strstr(text, ".lua") != NULL;
}

static bool read_text(const struct config_option *option, const struct node *node,
                      const char **text, struct arena *arena)
{
    bool is_file = option->type == OPTION_FILE;

    if (node->type != NODE_TEXT || strlen(node->text) < option->min)
        return false;
    if (is_file ? access(node->text, R_OK) != 0 : !utf8_is_valid(slice_of(node->text)))
        return false;
    if (option->type == OPTION_POLICY && !is_policy(node->text))
        return false;
    *text = arena_format(arena, "%s", node->text);
    return true;
}

bool option_read(const struct config_option *option, const struct node *node, void *into,
                 struct arena *arena)
{
    char *field = (char *)into + option->offset;
    uint64_t number = 0;
    unsigned index = 0;
    const char *text = NULL;
    const char *const *texts = NULL;

    switch (option->type) {
    case OPTION_BOOL:
        *(bool *)field = node->boolean;
        return node->type == NODE_BOOL;
    case OPTION_SIZE64:
        if (!read_number(option, node, &number))
            return false;
        memcpy(field, &number, sizeof(number));
        return true;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_LEVEL:
    case OPTION_DURATION_MS:
    case OPTION_DURATION_S:
        if (option->type == OPTION_LEVEL ? !read_level(option, node, &number)
                                         : !read_number(option, node, &number))
            return false;
        memcpy(field, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return true;
    case OPTION_MODE:
    case OPTION_CHOICE:
    case OPTION_SET:
        if (option->type == OPTION_MODE     ? !read_mode(node, &index)
            : option->type == OPTION_CHOICE ? !read_choice(option, node, &index)
                                            : !read_set(option, node, &index))
            return false;
        memcpy(field, &index, sizeof(index));
        return true;
    case OPTION_SWITCH:
        if (!read_choice(option, node, &index))
            return false;
        *(bool *)field = index != 0;
        return true;
    case OPTION_TEXT:
    case OPTION_POLICY:
    case OPTION_FILE:
        if (!read_text(option, node, &text, arena))
            return false;
        memcpy(field, &text, sizeof(text));
        return true;
    case OPTION_TEXTS:
        if (!read_texts(option, node, &texts, arena))
            return false;
        memcpy(field, &texts, sizeof(texts));
        return true;
    case OPTION_SETTINGS:
        return settings_read(node, (struct settings *)(void *)field, arena);
    case OPTION_SECRETS:
        return secrets_read(node, (struct secret_sources *)(void *)field, arena);
    case OPTION_SECTION:
    case OPTION_TABLES:
    case OPTION_LISTEN:
    case OPTION_REALMS:
    case OPTION_REALM:
    case OPTION_TEMPLATES:
    case OPTION_OPENER:
        break;
    }
    UNREACHABLE("option type");
}

const void *option_tables(const struct config_option *option, const void *from, size_t *count)
{
    const void *tables;

    memcpy(&tables, (const char *)from + option->offset, sizeof(tables));
    memcpy(count, (const char *)from + option->count_offset, sizeof(*count));
    return tables;
}

/* ---- defaults ---- */

static struct node *node_of(const struct config_option *option, const char *text,
                            struct arena *arena)
{
    if (option->type == OPTION_BOOL)
        return node_bool(arena, strcmp(text, "true") == 0);
    if (option->type == OPTION_COUNT)
        return node_int(arena, strtoll(text, NULL, 10));
    if (option->type != OPTION_SET && option->type != OPTION_TEXTS)
        return node_text(arena, text);

    struct node *list = node_new(arena, NODE_TABLE);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        node_add(arena, list, NULL, node_text(arena, arena_format(arena, "%.*s", (int)len, text)));
        text += len + (text[len] == ',');
    }
    return list;
}

void option_set(const struct config_option *option, const char *text, void *into,
                struct arena *arena)
{
    CHECK(option_read(option, node_of(option, text, arena), into, arena));
}

void options_default(const struct section *section, void *into, struct arena *arena)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct config_option *option = &section->options[i];
        if (option->type == OPTION_SECTION)
            options_default(option->section, into, arena);
        else if (option->fallback != NULL)
            option_set(option, option->fallback, into, arena);
    }
}

/* ---- printing ---- */

void print_text(struct writer *out, const char *text)
{
    writer_write(out, text, strlen(text));
}

void print_quoted(struct writer *out, const char *text)
{
    char escape[8];

    writer_put(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            snprintf(escape, sizeof(escape), "\\x%02x", byte);
            print_text(out, escape);
            continue;
        }
        if (byte == '"' || byte == '\\')
            writer_put(out, '\\');
        writer_put(out, *text);
    }
    writer_put(out, '"');
}

static void print_number(const struct config_option *option, uint64_t number, struct writer *out)
{
    struct arena arena;

    arena_init(&arena);
    const char *text = option->type == OPTION_COUNT
                           ? arena_format(&arena, "%" PRIu64, number)
                           : in_units(&arena, units_of(option->type), number);
    if (number == 0)
        print_text(out, "0");
    else if (isdigit((unsigned char)text[strlen(text) - 1]))
        print_text(out, text);
    else
        print_quoted(out, text);
    arena_fini(&arena);
}

static void print_level(uint32_t number, struct writer *out)
{
    char text[16];

    if (number == 0) {
        print_quoted(out, "none");
        return;
    }
    snprintf(text, sizeof(text), "%" PRIu32, number - 1);
    print_text(out, text);
}

static void print_set(const struct config_option *option, unsigned set, struct writer *out)
{
    const char *comma = "{ ";

    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if ((set >> i & 1) == 0)
            continue;
        print_text(out, comma);
        print_quoted(out, option->choices[i]);
        comma = ", ";
    }
    print_text(out, " }");
}

static void print_texts(const char *const *texts, struct writer *out)
{
    if (texts[0] == NULL)
        print_text(out, "{");
    for (size_t i = 0; texts[i] != NULL; i++) {
        print_text(out, i == 0 ? "{ " : ", ");
        print_quoted(out, texts[i]);
    }
    print_text(out, texts[0] == NULL ? "}" : " }");
}

static bool print_mode(unsigned mode, struct writer *out)
{
    char text[16];

    if (mode == 0)
        return false;
    snprintf(text, sizeof(text), "%04o", mode);
    print_quoted(out, text);
    return true;
}

bool option_print(const struct config_option *option, const void *from, struct writer *out)
{
    const char *field = (const char *)from + option->offset;
    uint32_t number = 0;
    uint64_t bytes = 0;
    const char *text = NULL;
    const char *const *texts = NULL;

    switch (option->type) {
    case OPTION_BOOL:
        print_text(out, *(const bool *)field ? "true" : "false");
        return true;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION_MS:
    case OPTION_DURATION_S:
        memcpy(&number, field, sizeof(number));
        print_number(option, number, out);
        return true;
    case OPTION_SIZE64:
        memcpy(&bytes, field, sizeof(bytes));
        print_number(option, bytes, out);
        return true;
    case OPTION_LEVEL:
        memcpy(&number, field, sizeof(number));
        print_level(number, out);
        return true;
    case OPTION_MODE:
        memcpy(&number, field, sizeof(number));
        return print_mode(number, out);
    case OPTION_CHOICE:
        memcpy(&number, field, sizeof(number));
        print_quoted(out, option->choices[number]);
        return true;
    case OPTION_SWITCH:
        print_quoted(out, option->choices[*(const bool *)field]);
        return true;
    case OPTION_SET:
        memcpy(&number, field, sizeof(number));
        print_set(option, number, out);
        return true;
    case OPTION_TEXT:
    case OPTION_POLICY:
    case OPTION_FILE:
        memcpy(&text, field, sizeof(text));
        if (text != NULL)
            print_quoted(out, text);
        return text != NULL;
    case OPTION_TEXTS:
        memcpy(&texts, field, sizeof(texts));
        if (texts != NULL)
            print_texts(texts, out);
        return texts != NULL;
    case OPTION_SETTINGS:
        return settings_print((const struct settings *)(const void *)field, out);
    case OPTION_SECRETS:
        return secrets_print((const struct secret_sources *)(const void *)field, out);
    case OPTION_SECTION:
    case OPTION_TABLES:
    case OPTION_LISTEN:
    case OPTION_REALMS:
    case OPTION_REALM:
    case OPTION_TEMPLATES:
    case OPTION_OPENER:
        break;
    }
    UNREACHABLE("option type");
}
