/* uri.c -- validity, components, and matching of URIs, by definition.
 *
 * WAMP: "URIs", "Pattern-based Subscriptions", "Pattern-based Registrations".
 * SPDX-License-Identifier: MIT
 */
#include "wire/uri.h"

#include "base/utf8.h"

const char *match_name(enum match match)
{
    static const char *const names[MATCH_COUNT] = {
        [MATCH_EXACT] = "exact",
        [MATCH_PREFIX] = "prefix",
        [MATCH_WILDCARD] = "wildcard",
    };

    return names[match];
}

/* White space above ASCII; everything else there may stand in a loose URI. */
static bool is_wide_space(uint32_t c)
{
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Loose: no white space (the separators U+001C to U+001F count as such), no '#', no U+0000. */
static bool is_loose(unsigned char c)
{
    return c > 0x20 ? c != '#' : c != 0 && c != 0x20 && !(c >= 9 && c <= 13) && c < 0x1c;
}

static bool is_strict(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* True when all characters but the points are allowed. */
static bool has_valid_characters(struct slice uri, bool strict)
{
    while (uri.len != 0) {
        unsigned char c = (unsigned char)uri.data[0];

        if (c >= 0x80) {
            if (strict || is_wide_space(utf8_next(&uri)))
                return false;
            continue;
        }
        if (c != '.' && !(strict ? is_strict(c) : is_loose(c)))
            return false;
        uri = slice_make(uri.data + 1, uri.len - 1);
    }
    return true;
}

struct slice uri_component(struct slice *rest, bool *more)
{
    const char *point = rest->len == 0 ? NULL : memchr(rest->data, '.', rest->len);
    struct slice component = *rest;

    *more = point != NULL;
    if (point == NULL) {
        *rest = (struct slice){0};
        return component;
    }
    component.len = (size_t)(point - rest->data);
    *rest = slice_make(point + 1, rest->len - component.len - 1);
    return component;
}

bool uri_is_valid(struct slice uri, enum match use, bool strict)
{
    unsigned count = 0;
    bool more = true;

    if (uri.len > MAX_URI_LEN || !has_valid_characters(uri, strict))
        return false;
    while (more) {
        struct slice component = uri_component(&uri, &more);

        if (++count > MAX_URI_COMPONENTS)
            return false;
        /* Empty components: anywhere in a wildcard, only at the end of a prefix. */
        if (component.len == 0 && use != MATCH_WILDCARD && (use == MATCH_EXACT || more))
            return false;
    }
    return true;
}

bool uri_is_reserved(struct slice uri, enum match use)
{
    /* A prefix or wildcard names reserved URIs when it spells the first component itself, so
     * the question is the same for every use. */
    (void)use;
    return slice_starts_with(uri, SLICE("wamp")) && (uri.len == 4 || uri.data[4] == '.');
}

static bool matches_wildcard(struct slice pattern, struct slice uri)
{
    bool more_pattern = true, more_uri = true;

    while (more_pattern && more_uri) {
        struct slice want = uri_component(&pattern, &more_pattern);
        struct slice have = uri_component(&uri, &more_uri);

        if (want.len == 0 ? have.len == 0 : !slice_eq(want, have))
            return false;
    }
    return !more_pattern && !more_uri;
}

bool uri_matches(struct slice pattern, enum match match, struct slice uri)
{
    switch (match) {
    case MATCH_EXACT:
        return slice_eq(pattern, uri);
    case MATCH_PREFIX:
        return slice_starts_with(uri, pattern);
    case MATCH_WILDCARD:
        return matches_wildcard(pattern, uri);
    case MATCH_COUNT:
        break;
    }
    return false;
}
