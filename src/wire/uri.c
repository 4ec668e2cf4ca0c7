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
#define IS_LOOSE(c) \
    ((c) > 0x20 ? (c) != '#' : (c) != 0 && (c) != 0x20 && !((c) >= 9 && (c) <= 13) && (c) < 0x1c)
#define IS_STRICT(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= '0' && (c) <= '9') || (c) == '_')

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

/* What an octet is to a URI: nearly all are looked up and need no thought. */
enum octet { OCTET_BAD, OCTET_STRICT, OCTET_LOOSE, OCTET_POINT, OCTET_WIDE };

#define OCTET(c)                   \
    ((c) >= 0x80    ? OCTET_WIDE   \
     : (c) == '.'   ? OCTET_POINT  \
     : IS_STRICT(c) ? OCTET_STRICT \
     : IS_LOOSE(c)  ? OCTET_LOOSE  \
                    : OCTET_BAD)
#define OCTETS_4(c)  OCTET(c), OCTET((c) + 1), OCTET((c) + 2), OCTET((c) + 3)
#define OCTETS_16(c) OCTETS_4(c), OCTETS_4((c) + 4), OCTETS_4((c) + 8), OCTETS_4((c) + 12)
#define OCTETS_64(c) OCTETS_16(c), OCTETS_16((c) + 16), OCTETS_16((c) + 32), OCTETS_16((c) + 48)

static const unsigned char octets[256] = {OCTETS_64(0), OCTETS_64(64), OCTETS_64(128),
                                          OCTETS_64(192)};

/* An octet that is no plain character: a character above ASCII, or one that has no place here.
 * Moves *at past it. */
static bool is_valid_other(const char **at, const char *end, bool strict)
{
    struct slice rest = slice_make(*at, (size_t)(end - *at));
    unsigned char octet = octets[(unsigned char)**at];

    if (strict || octet == OCTET_BAD)
        return false;
    if (octet == OCTET_LOOSE) {
        ++*at;
        return true;
    }
    if (is_wide_space(utf8_next(&rest)))
        return false;
    *at = rest.data;
    return true;
}

bool uri_is_valid(struct slice uri, enum match use, bool strict)
{
    const char *at = uri.data, *end = at + uri.len;
    unsigned points = 0;
    bool is_empty = true; /* the component at hand, so far */
    bool is_text = false; /* known to be UTF-8 to its end */

    if (uri.len > MAX_URI_LEN)
        return false;
    while (at != end) {
        unsigned char octet = octets[(unsigned char)*at];

        if (LIKELY(octet == OCTET_STRICT)) {
            at++;
            is_empty = false;
        } else if (octet == OCTET_POINT) {
            /* Empty components: anywhere in a wildcard, only at the end of a prefix. */
            if ((is_empty && use != MATCH_WILDCARD) || ++points == MAX_URI_COMPONENTS)
                return false;
            at++;
            is_empty = true;
        } else {
            if (octet == OCTET_WIDE && !is_text &&
                !utf8_is_valid(slice_make(at, (size_t)(end - at))))
                return false;
            is_text |= octet == OCTET_WIDE;
            if (!is_valid_other(&at, end, strict))
                return false;
            is_empty = false;
        }
    }
    return !is_empty || use != MATCH_EXACT;
}

bool uri_is_within(struct slice uri, struct slice prefix)
{
    return slice_starts_with(uri, prefix) && (uri.len == prefix.len || uri.data[prefix.len] == '.');
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
