/* types.c -- see types.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/types.h"

#include "policy/check.h"
#include "policy/module.h"
#include "policy/shapes.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_TABLES 100
#define PREFIX     "nexus."

/* Every table there is; those of one name follow each other by `first`. */
struct tables {
    const struct module_table *of[MAX_TABLES];
    size_t count;
};

PRINTF_LIKE(2, 3) static void put(struct writer *out, const char *format, ...)
{
    char text[1200];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    writer_write(out, text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

static void add(struct tables *tables, const struct module_table *const *more)
{
    for (; *more != NULL && tables->count < MAX_TABLES; more++)
        tables->of[tables->count++] = *more;
}

static void collect(struct tables *tables)
{
    tables->count = 0;
    add(tables, module_tables());
    add(tables, policy_tables());
    add(tables, shapes_tables());
}

/* No table before it has its name. */
static bool is_first(const struct tables *tables, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(tables->of[k]->name, tables->of[i]->name) == 0)
            return false;
    }
    return true;
}

static bool is_main(const char *name)
{
    return strcmp(name, "nexus") == 0;
}

/* "nexus.Database", as opposed to "nexus.uri". */
static bool is_class(const char *name)
{
    return !is_main(name) && name[strlen(PREFIX)] >= 'A' && name[strlen(PREFIX)] <= 'Z';
}

static bool has_row(const struct tables *tables, const char *table, const char *row)
{
    for (size_t i = 0; i < tables->count; i++) {
        const struct module_row *at = tables->of[i]->rows;

        while (strcmp(tables->of[i]->name, table) == 0 && at->name != NULL) {
            if (strcmp(at++->name, row) == 0)
                return true;
        }
    }
    return false;
}

/* A function to be called for each row of the tables of one name. */
typedef void put_row_fn(struct writer *out, const char *table, const struct module_row *row);

static void each_row(struct writer *out, const struct tables *tables, const char *name,
                     put_row_fn *put_row)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (strcmp(tables->of[i]->name, name) != 0)
            continue;
        for (const struct module_row *row = tables->of[i]->rows; row->name != NULL; row++) {
            if (row->type != NULL)
                put_row(out, name, row);
        }
    }
}

/* What may be in a table of that name, once. */
static void each_table(struct writer *out, const struct tables *tables, bool wants_classes,
                       void (*put_table)(struct writer *out, const struct tables *tables,
                                         const char *name))
{
    for (size_t i = 0; i < tables->count; i++) {
        const char *name = tables->of[i]->name;

        if (is_first(tables, i) && is_class(name) == wants_classes)
            put_table(out, tables, name);
    }
}

/* ---- annotations ---- */

/* Metamethods are operators; "fun(a: X, b: Y): Z" becomes "band(Y): Z". */
static void put_operator(struct writer *out, const struct module_row *row)
{
    const char *second = strstr(row->type, ", b: "), *end = strchr(row->type, ')');

    if (strcmp(row->name, "__call") == 0)
        put(out, "---@overload %s\n", row->type);
    else if (second != NULL && end != NULL)
        put(out, "---@operator %s(%.*s)%s\n", row->name + 2, (int)(end - second - 5), second + 5,
            end + 1);
}

static void put_field(struct writer *out, const char *table, const struct module_row *row)
{
    (void)table;
    if (strncmp(row->name, "__", 2) == 0)
        put_operator(out, row);
    else
        put(out, "---@field %s %s # %s\n", row->name, row->type, row->words);
}

static void put_annotations(struct writer *out, const struct tables *tables, const char *name)
{
    put(out, "\n---@class %s\n", name);
    each_row(out, tables, name, put_field);
    if (!is_main(name))
        return;
    for (size_t i = 0; i < tables->count; i++) {
        const char *other = tables->of[i]->name;

        if (is_first(tables, i) && !is_main(other) && !is_class(other) &&
            !has_row(tables, "nexus", other + strlen(PREFIX)))
            put(out, "---@field %s %s\n", other + strlen(PREFIX), other);
    }
}

/* An optional field: "x?". */
static void put_keys(struct writer *out, const char *name, const struct check_key *key)
{
    put(out, "\n---@class %s\n", name);
    for (; key->name != NULL; key++)
        put(out, "---@field %s%s %s # %s\n", key->name, strcmp(key->name, "api") == 0 ? "" : "?",
            key->type, key->words);
}

void types_write(struct writer *out)
{
    struct tables tables;

    collect(&tables);
    put(out, "---@meta nexus\n"
             "-- The module nexus, for editors. Written by `nexusd types`; changes are lost.\n"
             "-- SPDX-License-Identifier: MIT\n");
    put_keys(out, "nexus.Policy", check_keys);
    put_keys(out, "nexus.RouterPolicy", check_router_keys);
    each_table(out, &tables, true, put_annotations);
    each_table(out, &tables, false, put_annotations);
    put(out, "\nlocal nexus = {}\n\nreturn nexus\n");
}

/* ---- the reference ---- */

static void put_function(struct writer *out, const char *table, const struct module_row *row)
{
    bool is_method = is_class(table);

    if (strncmp(row->name, "__", 2) == 0) {
        put(out, "- `%s`: %s", row->type, row->words);
    } else if (strncmp(row->type, "fun(", 4) != 0) {
        put(out, "- `%s%s%s`: `%s`. %s", is_method ? "" : table, is_method ? "" : ".", row->name,
            row->type, row->words);
    } else {
        const char *self = strncmp(row->type + 4, "self", 4) == 0 ? row->type + 8 : NULL;

        if (self != NULL) { /* it is written before the colon */
            self += strcspn(self, ",)");
            self += strspn(self, ", ");
        }
        put(out, "- `%s%s%s(%s`: %s", is_method ? "" : table, is_method ? ":" : ".", row->name,
            self == NULL ? row->type + 4 : self, row->words);
    }
    if (row->errors != NULL)
        put(out, " Raises: %s.", row->errors);
    put(out, "\n");
}

static void put_section(struct writer *out, const struct tables *tables, const char *name)
{
    put(out, "\n### `%s`\n\n", name);
    each_row(out, tables, name, put_function);
}

/* What only comes and goes has nothing to tell. */
static void put_class(struct writer *out, const struct tables *tables, const char *name)
{
    size_t before = out->len, heading;

    put(out, "\n### `%s`\n\n", name);
    heading = out->len;
    each_row(out, tables, name, put_function);
    if (out->len == heading)
        out->len = before;
}

void types_write_reference(struct writer *out)
{
    struct tables tables;

    collect(&tables);
    put(out, "# Reference of policies\n\n"
             "What a policy may be made of. Written by `nexusd types --reference` from the tables "
             "that\npolicies are checked by. Types are as the language server of Lua has them: `?` "
             "may be nil.\n\n"
             "## The policy table\n\n");
    for (const struct check_key *key = check_keys; key->name != NULL; key++)
        put(out, "- `policy.%s`: `%s`. %s\n", key->name, key->type, key->words);
    put(out, "\n## The policy of the router\n\n");
    for (const struct check_key *key = check_router_keys; key->name != NULL; key++)
        put(out, "- `router.%s`: `%s`. %s\n", key->name, key->type, key->words);
    put(out, "\n## The module `nexus`\n");
    each_table(out, &tables, false, put_section);
    put(out, "\n## Objects and tables\n");
    each_table(out, &tables, true, put_class);
}
