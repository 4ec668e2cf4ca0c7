/* rules_pattern.c -- parsing patterns, and comparing them with URIs and with each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/rules_pattern.h"

#include "base/err.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_SHOWN 60 /* octets of a component that an error quotes */

/* A pattern being read. */
struct reader {
    struct rules_pattern *pattern;
    struct rules_component *at; /* the pattern's, to be filled */
    struct rules_error *error;
    size_t pos; /* of the component at hand */
};

/* The beginning of the text, as much of it as an error shows; never half a character. */
static struct slice shown(struct slice text)
{
    if (text.len <= MAX_SHOWN)
        return text;
    text.len = MAX_SHOWN;
    while (text.len != 0 && ((unsigned char)text.data[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

PRINTF_LIKE(3, 4) static int fail(struct rules_error *error, size_t at, const char *format, ...)
{
    va_list args;

    error->at = at;
    va_start(args, format);
    (void)vsnprintf(error->words, sizeof(error->words), format, args);
    va_end(args);
    return ERR_CONFIG;
}

static bool is_name_octet(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* The length of the name that the text begins with. */
static size_t name_len(struct slice text)
{
    size_t len = 0;

    while (len < text.len && is_name_octet(text.data[len]))
        len++;
    return len;
}

static struct slice after(struct slice text, size_t len)
{
    return slice_make(text.data + len, text.len - len);
}

/* The component at the start of the text. A point between braces does not end it. */
static struct slice cut_component(struct slice text)
{
    size_t len = 0;
    bool is_braced = text.len != 0 && text.data[0] == '{';

    while (len < text.len && (is_braced || text.data[len] != '.')) {
        if (text.data[len] == '}')
            is_braced = false;
        len++;
    }
    return slice_make(text.data, len);
}

static int parse_capture(struct reader *r, struct rules_component *to, struct slice name)
{
    const struct rules_pattern *pattern = r->pattern;

    for (size_t i = 0; i < pattern->count; i++) {
        if (r->at[i].kind == RULES_ANY && slice_eq(r->at[i].text, name))
            return fail(r->error, r->pos, "{%.*s} captures twice; give each capture its own name",
                        SLICE_ARG(shown(name)));
    }
    if (pattern->captures == MAX_RULE_CAPTURES)
        return fail(r->error, r->pos, "more than %d captures; write * for those not needed",
                    MAX_RULE_CAPTURES);
    r->pattern->captures++;
    *to = (struct rules_component){RULES_ANY, name};
    return 0;
}

/* "{name}" or "{session.name}". */
static int parse_braces(struct reader *r, struct rules_component *to, struct slice text)
{
    struct slice inner = after(text, 1), field;
    size_t len = name_len(inner);

    if (memchr(text.data, '}', text.len) == NULL)
        return fail(r->error, r->pos, "'{' without '}'");
    if (len != 0 && inner.data[len] == '}' && len + 2 == text.len)
        return parse_capture(r, to, slice_make(inner.data, len));
    if (inner.data[len] == '.') {
        field = after(inner, len + 1);
        if (!slice_eq(slice_make(inner.data, len), SLICE("session")))
            return fail(r->error, r->pos, "\"%.*s\": only {session.x} has a point between braces",
                        SLICE_ARG(shown(text)));
        len = name_len(field);
        if (len != 0 && len + 1 == field.len && field.data[len] == '}') {
            *to = (struct rules_component){RULES_SESSION, slice_make(field.data, len)};
            return 0;
        }
    }
    return fail(r->error, r->pos,
                "\"%.*s\" is not a component: {name} or {session.name} stands alone, and a name "
                "has letters, digits, '_' and '-'",
                SLICE_ARG(shown(text)));
}

static int parse_component(struct reader *r, struct rules_component *to, struct slice text)
{
    if (text.len == 0)
        return fail(r->error, r->pos, "component %zu is empty; write * for any component",
                    r->pattern->count + 1);
    if (slice_eq(text, SLICE("*"))) {
        *to = (struct rules_component){.kind = RULES_ANY};
        return 0;
    }
    if (text.data[0] == '{')
        return parse_braces(r, to, text);
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("*{}", text.data[i]) != NULL && text.data[i] != '\0')
            return fail(r->error, r->pos + i,
                        "\"%.*s\": '%c' is no part of a component; *, ** and "
                        "{name} are components of their own",
                        SLICE_ARG(shown(text)), text.data[i]);
    }
    if (!uri_is_valid(text, MATCH_EXACT, false))
        return fail(r->error, r->pos,
                    "component %zu is in no URI: those have no white space, no "
                    "'#' and no U+0000",
                    r->pattern->count + 1);
    *to = (struct rules_component){RULES_LITERAL, text};
    return 0;
}

static int parse_components(struct reader *r)
{
    struct rules_pattern *pattern = r->pattern;
    bool more = true;

    while (more) {
        struct slice rest = after(pattern->text, r->pos);
        struct slice text = cut_component(rest);

        more = text.len != rest.len;
        if (slice_eq(text, SLICE("**"))) {
            if (more)
                return fail(r->error, r->pos, "** is only allowed as the last component");
            pattern->has_rest = true;
            return 0;
        }
        if (pattern->count == MAX_URI_COMPONENTS)
            return fail(r->error, r->pos, "more than %d components, which no URI has",
                        MAX_URI_COMPONENTS);

        int err = parse_component(r, &r->at[pattern->count], text);
        if (err != 0)
            return err;
        pattern->count++;
        r->pos += text.len + 1;
    }
    return 0;
}

/* How many components there are at most. */
static size_t count_components(struct slice text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '.';
    return count < MAX_URI_COMPONENTS ? count : MAX_URI_COMPONENTS;
}

int rules_pattern_parse(struct rules_pattern *pattern, struct arena *arena, struct slice text,
                        struct rules_error *error)
{
    struct reader r = {.pattern = pattern, .error = error};

    *pattern = (struct rules_pattern){.text = text};
    if (text.len == 0)
        return fail(error, 0, "a pattern is empty; ** is all URIs");
    if (text.len > MAX_URI_LEN)
        return fail(error, MAX_URI_LEN, "a pattern has %zu octets; %d are allowed", text.len,
                    MAX_URI_LEN);
    if (!utf8_is_valid(text))
        return fail(error, 0, "a pattern is not valid UTF-8");
    r.at = arena_alloc(arena, count_components(text) * sizeof(*r.at));
    pattern->at = r.at;
    return parse_components(&r);
}

static bool component_matches(const struct rules_component *want, struct slice have,
                              rules_attribute_fn *attribute, void *ctx)
{
    struct slice value;

    switch (want->kind) {
    case RULES_LITERAL:
        return have.data != NULL && slice_eq(want->text, have);
    case RULES_SESSION:
        value = attribute(ctx, want->text);
        return have.data != NULL && value.data != NULL && slice_eq(value, have);
    case RULES_ANY:
        return true;
    case RULES_REST:
        break;
    }
    return false;
}

bool rules_pattern_matches(const struct rules_pattern *pattern, const struct rules_point *point,
                           rules_attribute_fn *attribute, void *ctx)
{
    if (pattern->has_rest ? point->count < pattern->count : point->count != pattern->count)
        return false;
    for (size_t i = 0; i < pattern->count; i++) {
        if (!component_matches(&pattern->at[i], point->at[i], attribute, ctx))
            return false;
    }
    return true;
}

static int kind_at(const struct rules_pattern *pattern, size_t i)
{
    /* Behind the end there is nothing to say, which is as good as a literal: only a ** can be
     * there in another pattern that matches the same URI. */
    if (i < pattern->count)
        return (int)pattern->at[i].kind;
    return pattern->has_rest ? RULES_REST : RULES_LITERAL;
}

int rules_pattern_compare(const struct rules_pattern *a, const struct rules_pattern *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count;

    for (size_t i = 0; i <= shorter; i++) {
        int difference = kind_at(a, i) - kind_at(b, i);

        if (difference != 0)
            return difference;
    }
    return 0;
}

bool rules_pattern_equal(const struct rules_pattern *a, const struct rules_pattern *b)
{
    if (a->count != b->count || a->has_rest != b->has_rest)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->at[i].kind != b->at[i].kind ||
            (a->at[i].kind != RULES_ANY && !slice_eq(a->at[i].text, b->at[i].text)))
            return false;
    }
    return true;
}

bool rules_point_split(struct rules_point *point, struct slice uri)
{
    bool more = true;

    point->count = 0;
    while (more) {
        if (point->count == MAX_URI_COMPONENTS)
            return false;

        struct slice component = uri_component(&uri, &more);
        if (component.len == 0)
            component.data = NULL;
        point->at[point->count++] = component;
    }
    return true;
}
