/* config_print.c -- the option table as text: a configuration with all its values, the commented
 * sample, and the list in --help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/config.h"
#include "daemon/options.h"

#include <stdio.h>

#define INDENT        4
#define NOT_COMMENTED SIZE_MAX

struct printer {
    struct writer *out;
    size_t depth;
    size_t commented_at; /* depth at which "-- " stands in front of each line */
    bool is_sample;      /* words above each option, options commented out */
};

static void put_spaces(struct printer *p, size_t count)
{
    while (count-- != 0)
        writer_put(p->out, ' ');
}

static void begin_line(struct printer *p)
{
    if (p->commented_at == NOT_COMMENTED) {
        put_spaces(p, p->depth * INDENT);
        return;
    }
    put_spaces(p, p->commented_at * INDENT);
    print_text(p->out, "-- ");
    put_spaces(p, (p->depth - p->commented_at) * INDENT);
}

static void put_line(struct printer *p, const char *text)
{
    begin_line(p);
    print_text(p->out, text);
    writer_put(p->out, '\n');
}

static void open_table(struct printer *p, const char *key, bool is_quoted)
{
    begin_line(p);
    if (key != NULL && is_quoted) {
        writer_put(p->out, '[');
        print_quoted(p->out, key);
        writer_put(p->out, ']');
    } else if (key != NULL) {
        print_text(p->out, key);
    }
    print_text(p->out, key == NULL ? "{\n" : " = {\n");
    p->depth++;
}

static void close_table(struct printer *p)
{
    p->depth--;
    put_line(p, "},");
}

static void put_words(struct printer *p, const struct config_option *option)
{
    if (!p->is_sample)
        return;
    begin_line(p);
    print_text(p->out, "-- ");
    print_text(p->out, option->words);
    writer_put(p->out, '\n');
}

/* Sections such as tls are there when what they need most is. */
static bool is_present(const struct config_option *option, const void *from)
{
    const char *text;

    if (!option->section->options[0].is_required)
        return true;
    memcpy(&text, (const char *)from + option->offset, sizeof(text));
    return text != NULL;
}

static void put_value(struct printer *p, const struct config_option *option, const void *from)
{
    struct writer value;

    writer_init(&value, 64);
    bool is_set = option_print(option, from, &value);
    begin_line(p);
    if (!is_set && !p->is_sample)
        print_text(p->out, "-- ");
    print_text(p->out, option->name);
    print_text(p->out, " = ");
    struct slice text = writer_slice(&value);
    if (is_set && text.data != NULL)
        writer_write(p->out, text.data, text.len);
    else
        print_text(p->out, "nil");
    print_text(p->out, ",\n");
    writer_fini(&value);
}

static void put_section(struct printer *p, const struct section *section, const void *from);

static void put_nil(struct printer *p, const struct config_option *option)
{
    begin_line(p);
    print_text(p->out, "-- ");
    print_text(p->out, option->name);
    print_text(p->out, " = nil,\n");
}

/* The sample shows one table with its defaults. */
static void sample_table(struct printer *p, const struct config_option *option)
{
    struct arena arena;

    arena_init(&arena);
    void *table = memset(arena_alloc(&arena, option->item_len), 0, option->item_len);
    options_default(option->section, table, &arena);
    open_table(p, NULL, false);
    put_section(p, option->section, table);
    close_table(p);
    arena_fini(&arena);
}

static void put_tables(struct printer *p, const struct config_option *option, const void *from)
{
    size_t count;
    const char *table = option_tables(option, from, &count);

    if (count == 0 && !p->is_sample) {
        put_nil(p, option);
        return;
    }
    open_table(p, option->name, false);
    if (p->is_sample)
        sample_table(p, option);
    for (size_t i = 0; i < count; i++, table += option->item_len) {
        open_table(p, NULL, false);
        put_section(p, option->section, table);
        close_table(p);
    }
    close_table(p);
}

static void put_option(struct printer *p, const struct config_option *option, const void *from)
{
    bool is_outer = p->is_sample && p->commented_at == NOT_COMMENTED && !option->is_required;

    put_words(p, option);
    if (is_outer)
        p->commented_at = p->depth;
    if (option->type == OPTION_TABLES) {
        put_tables(p, option, from);
    } else if (option->type != OPTION_SECTION) {
        put_value(p, option, from);
    } else if (p->is_sample || is_present(option, from)) {
        open_table(p, option->name, false);
        put_section(p, option->section, from);
        close_table(p);
    } else {
        put_nil(p, option);
    }
    if (is_outer)
        p->commented_at = NOT_COMMENTED;
}

static void put_section(struct printer *p, const struct section *section, const void *from)
{
    for (size_t i = 0; i < section->count; i++)
        put_option(p, &section->options[i], from);
}

/* ---- --print-config ---- */

static void put_listen(struct printer *p, const struct config *config)
{
    open_table(p, "listen", false);
    for (size_t i = 0; i < config->router.listener_count; i++) {
        if (config->listen[i].net.is_admin)
            continue; /* option admin_socket */
        open_table(p, NULL, false);
        put_section(p, &listen_section, &config->listen[i]);
        close_table(p);
    }
    close_table(p);
}

static void put_realms(struct printer *p, const struct config *config)
{
    open_table(p, "realms", false);
    for (size_t i = 0; i < config->router.realm_count; i++) {
        open_table(p, config->realms[i].router.core.realm, true);
        put_section(p, &realm_section, &config->realms[i]);
        close_table(p);
    }
    close_table(p);
}

static void put_templates(struct printer *p, const struct config *config)
{
    if (config->template_count == 0) {
        put_line(p, "-- templates = nil,");
        return;
    }
    open_table(p, "templates", false);
    for (size_t i = 0; i < config->template_count; i++) {
        open_table(p, config->templates[i].router.core.realm, true);
        put_section(p, &realm_section, &config->templates[i]);
        close_table(p);
    }
    close_table(p);
}

static void put_template(struct printer *p, const struct config *config)
{
    if (!config->has_template) {
        put_line(p, "-- realm_template = nil,");
        return;
    }
    open_table(p, "realm_template", false);
    put_section(p, &realm_section, &config->realm_template);
    close_table(p);
}

static void put_opener(struct printer *p, const struct config_option *option,
                       const struct config *config)
{
    if (config->opener.policy == NULL) {
        put_nil(p, option);
        return;
    }
    open_table(p, option->name, false);
    put_section(p, option->section, &config->opener);
    close_table(p);
}

void config_print(const struct config *config, struct writer *out)
{
    struct printer p = {out, 1, NOT_COMMENTED, false};

    print_text(out, "return {\n");
    for (size_t i = 0; i < config_section.count; i++) {
        const struct config_option *option = &config_section.options[i];
        if (option->type == OPTION_LISTEN)
            put_listen(&p, config);
        else if (option->type == OPTION_REALMS)
            put_realms(&p, config);
        else if (option->type == OPTION_REALM)
            put_template(&p, config);
        else if (option->type == OPTION_TEMPLATES)
            put_templates(&p, config);
        else if (option->type == OPTION_OPENER)
            put_opener(&p, option, config);
        else
            put_option(&p, option, config);
    }
    print_text(out, "}\n");
}

/* ---- the sample ---- */

static const char sample_head[] =
    "-- Configuration of nexusd: a Lua table. It runs as it stands:\n"
    "--\n"
    "--     nexusd --config config/nexusd.lua\n"
    "--\n"
    "-- Options in comments show their defaults; nil means: not set. Durations are seconds, or\n"
    "-- strings such as \"500ms\", \"10s\", \"2m\"; sizes are bytes, or \"64KiB\", \"16MiB\". "
    "Names of\n"
    "-- files are relative to the folder in which nexusd is started, if not said otherwise. The\n"
    "-- file can compute: it has Lua's string, table, math and utf8, and env \"NAME\" for an\n"
    "-- environment variable, but no way to the world outside. `nexusd --check-config` finds\n"
    "-- mistakes, `--print-config` shows every value in effect.\n"
    "return {\n";

static void sample_listen(struct printer *p, const struct config_option *option)
{
    struct listen_config listen = {.address = "tls://0.0.0.0:8443"};
    struct arena arena;

    arena_init(&arena);
    options_default(option->section, &listen, &arena);
    put_words(p, option);
    open_table(p, option->name, false);
    put_line(p, "\"127.0.0.1:8080\",");
    p->commented_at = p->depth;
    put_line(p, "An address with options is a table:");
    open_table(p, NULL, false);
    put_section(p, option->section, &listen);
    close_table(p);
    p->commented_at = NOT_COMMENTED;
    close_table(p);
    arena_fini(&arena);
}

static void sample_realm(struct printer *p, const struct config_option *option, const char *name)
{
    struct realm_config realm = {.policy = "open"};
    struct arena arena;

    arena_init(&arena);
    options_default(option->section, &realm, &arena);
    open_table(p, name, p->commented_at == NOT_COMMENTED);
    put_section(p, option->section, &realm);
    close_table(p);
    arena_fini(&arena);
}

static void sample_realms(struct printer *p, const struct config_option *option)
{
    put_words(p, option);
    open_table(p, option->name, false);
    sample_realm(p, option, "realm1");
    close_table(p);
}

static void sample_template(struct printer *p, const struct config_option *option)
{
    put_words(p, option);
    p->commented_at = p->depth;
    sample_realm(p, option, option->name);
    p->commented_at = NOT_COMMENTED;
}

/* Its rows are those of a realm, which stand above. */
static void sample_nothing(struct printer *p, const struct config_option *option)
{
    put_words(p, option);
    put_nil(p, option);
}

void config_print_sample(struct writer *out)
{
    struct printer p = {out, 1, NOT_COMMENTED, true};
    struct config config = {0};

    arena_init(&config.arena);
    options_default(&config_section, &config, &config.arena);
    print_text(out, sample_head);
    for (size_t i = 0; i < config_section.count; i++) {
        const struct config_option *option = &config_section.options[i];
        if (i != 0)
            writer_put(out, '\n');
        if (option->type == OPTION_LISTEN)
            sample_listen(&p, option);
        else if (option->type == OPTION_REALMS)
            sample_realms(&p, option);
        else if (option->type == OPTION_REALM)
            sample_template(&p, option);
        else if (option->type == OPTION_TEMPLATES || option->type == OPTION_OPENER)
            sample_nothing(&p, option);
        else
            put_option(&p, option, &config);
    }
    print_text(out, "}\n");
    config_fini(&config);
}

/* ---- the list in --help ---- */

static void list_section(struct writer *out, const struct section *section, const char *prefix)
{
    char name[80], line[400];

    for (size_t i = 0; i < section->count; i++) {
        const struct config_option *option = &section->options[i];
        bool is_realm = option->type == OPTION_REALM || option->type == OPTION_TEMPLATES ||
                        option->type == OPTION_OPENER; /* has the options of realms */
        snprintf(name, sizeof(name), "%s%s", prefix, option->name);
        if (option->type == OPTION_REALMS)
            snprintf(name, sizeof(name), "%s%s[NAME]", prefix, option->name);
        else if (option->type == OPTION_LISTEN || option->type == OPTION_TABLES)
            snprintf(name, sizeof(name), "%s%s[N]", prefix, option->name);
        snprintf(line, sizeof(line), "  %-43s %s%s%s%s\n", name, option->words,
                 option->fallback == NULL ? "" : " (",
                 option->fallback == NULL ? "" : option->fallback,
                 option->fallback == NULL ? "" : ")");
        print_text(out, line);
        if (option->section == NULL || is_realm)
            continue;
        strncat(name, ".", sizeof(name) - strlen(name) - 1);
        list_section(out, option->section, name);
    }
}

void config_print_options(struct writer *out)
{
    list_section(out, &config_section, "");
}
