/* speech_meta.c -- see speech.h: calls of the router's own procedures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "speech.h"

/* What an argument is about. Most are taken from one peer, so that they fit together. */
enum kind {
    SESSION,
    SUBSCRIBED,
    REGISTERED,
    AUTHID,
    ROLES,
    URI,
    PATTERN,
    MATCHING,
    DELTA,
    LIST,
    DICT,
    SCHEMA,
    SCOPE,
    REASON,
    LIMIT,
    INSTANT,
    PUBLICATION,
    FLAG,
    OPTIONS,
    ANYTHING,
};

#define MOST_ARGUMENTS 3

#define EVENTS "subscription.get_events" /* most of all has to be asked for in many ways */

struct shape {
    const char *procedure;
    unsigned count;
    enum kind arguments[MOST_ARGUMENTS];
};

static const struct shape shapes[] = {
    {"session.count", 1, {ROLES}},
    {"session.list", 1, {ROLES}},
    {"session.get", 1, {SESSION}},
    {"session.kill", 1, {SESSION}},
    {"session.kill_by_authid", 1, {AUTHID}},
    {"session.kill_by_authrole", 1, {AUTHID}},
    {"session.kill_all", 0, {0}},
    {"session.modify_details", 2, {SESSION, DELTA}},
    {"session.add_testament", 3, {URI, LIST, DICT}},
    {"session.flush_testaments", 1, {SCOPE}},
    {"registration.list", 0, {0}},
    {"registration.lookup", 2, {PATTERN, MATCHING}},
    {"registration.match", 1, {URI}},
    {"registration.get", 1, {REGISTERED}},
    {"registration.list_callees", 1, {REGISTERED}},
    {"registration.count_callees", 1, {REGISTERED}},
    {"registration.remove_callee", 3, {REGISTERED, SESSION, REASON}},
    {"subscription.list", 0, {0}},
    {"subscription.lookup", 2, {PATTERN, MATCHING}},
    {"subscription.match", 1, {URI}},
    {"subscription.get", 1, {SUBSCRIBED}},
    {"subscription.list_subscribers", 1, {SUBSCRIBED}},
    {"subscription.count_subscribers", 1, {SUBSCRIBED}},
    {"subscription.count_suscribers", 1, {SUBSCRIBED}},
    {"subscription.remove_subscriber", 3, {SUBSCRIBED, SESSION, REASON}},
    {EVENTS, 2, {SUBSCRIBED, LIMIT}},
    {"reflection.procedure.list", 0, {0}},
    {"reflection.topic.list", 0, {0}},
    {"reflection.error.list", 0, {0}},
    {"reflection.procedure.describe", 1, {URI}},
    {"reflection.topic.describe", 1, {URI}},
    {"reflection.error.describe", 1, {URI}},
    {"reflect.define", 2, {URI, SCHEMA}},
    {"reflect.describe", 1, {URI}},
};

/* All that there are: a new one without a shape is noticed. */
static const char *const procedures[] = {
#include "meta_procedures.inc"
};

struct keyword {
    const char *name;
    enum kind kind;
};

/* Those from this place on are of get_events. */
#define FIRST_OF_EVENTS 6

static const struct keyword keywords[] = {
    {"reason", REASON},
    {"message", URI},
    {"scope", SCOPE},
    {"scope", SCOPE},
    {"publish_options", OPTIONS},
    {"publish_options", OPTIONS},
    {"limit", LIMIT},
    {"reverse", FLAG},
    {"topic", URI},
    {"from_time", INSTANT},
    {"after_time", INSTANT},
    {"until_time", INSTANT},
    {"before_time", INSTANT},
    {"from_publication", PUBLICATION},
    {"after_publication", PUBLICATION},
    {"until_publication", PUBLICATION},
    {"before_publication", PUBLICATION},
};

/* ---- values ---- */

static void put_held(struct speech *s, const struct held_list *list)
{
    encode_uint(&s->e, list->count == 0 ? 1 + choose(s->c, 8)
                                        : list->at[choose(s->c, 256) % list->count].id);
}

static void put_entry(struct speech *s, const char *key, const char *const *values, unsigned count)
{
    encode_map(&s->e, 1);
    encode_text(&s->e, slice_of(key));
    speech_put_name(s, values, count);
    encode_end(&s->e);
}

static void put_roles(struct speech *s)
{
    static const char *const roles[] = {"anonymous", "admin"};

    encode_list(&s->e, 1);
    speech_put_name(s, roles, ARRAY_LEN(roles));
    encode_end(&s->e);
}

static void put_delta(struct speech *s)
{
    static const char *const keys[] = {"x_team", "x_more", "authid", "realm", "x_other"};

    encode_map(&s->e, 1);
    speech_put_name(s, keys, ARRAY_LEN(keys));
    speech_put_value(s, 1);
    encode_end(&s->e);
}

static void put_container(struct speech *s, bool is_map)
{
    if (is_map)
        encode_map(&s->e, COUNT_UNKNOWN);
    else
        encode_list(&s->e, COUNT_UNKNOWN);
    for (unsigned i = choose(s->c, 3); i != 0; i--) {
        if (is_map)
            encode_text(&s->e, slice_make(&"abc"[i], 1));
        speech_put_value(s, 1);
    }
    encode_end(&s->e);
}

static void put_schema(struct speech *s)
{
    static const char *const kinds[] = {"procedure", "topic", "error", "kind"};

    if (choose_rarely(s->c, 3))
        encode_null(&s->e);
    else if (choose(s->c, 2) == 1)
        put_container(s, true);
    else
        put_entry(s, "kind", kinds, ARRAY_LEN(kinds));
}

static void put_text_of(struct speech *s, enum kind kind)
{
    static const char *const scopes[] = {"destroyed", "detached", "destroyed", "else"};
    static const char *const reasons[] = {"com.example.because", "wamp.close.killed", "a b", ""};
    static const char *const instants[] = {"2026-01-01T00:00:00Z", "2026-01-01T00:00:05.5+00:00",
                                           "1970-01-01T00:00:00Z", "2026-13-01"};

    if (kind == SCOPE)
        speech_put_name(s, scopes, ARRAY_LEN(scopes));
    else if (kind == REASON)
        speech_put_name(s, reasons, ARRAY_LEN(reasons));
    else
        speech_put_name(s, instants, ARRAY_LEN(instants));
}

static void put_id_of(struct speech *s, const struct peer *peer, enum kind kind)
{
    const struct world *world = s->world;
    const struct realm *realm = &world->realms[s->peer->realm];

    if (kind == PUBLICATION)
        encode_uint(&s->e, realm->publications[choose(s->c, ARRAY_LEN(realm->publications))]);
    else if (kind == SUBSCRIBED && world->options.history_count != 0 && choose(s->c, 2) == 1)
        encode_uint(&s->e, 1 + choose(s->c, (unsigned)world->options.history_count));
    else if (kind == SUBSCRIBED)
        put_held(s, &peer->subscriptions);
    else if (kind == REGISTERED)
        put_held(s, &peer->registrations);
    else
        encode_uint(&s->e, peer->session == 0 ? 1 : peer->session);
}

static void put_argument(struct speech *s, const struct peer *peer, enum kind kind)
{
    static const char *const matches[] = {"exact", "prefix", "wildcard", "else"};

    if (choose_rarely(s->c, 16))
        kind = ANYTHING;
    switch (kind) {
    case SESSION:
    case SUBSCRIBED:
    case REGISTERED:
    case PUBLICATION:
        put_id_of(s, peer, kind);
        break;
    case AUTHID:
        encode_text(&s->e, choose_rarely(s->c, 16) ? SLICE("anonymous") : slice_of(peer->authid));
        break;
    case ROLES:
        put_roles(s);
        break;
    case URI:
        speech_put_uri(s);
        break;
    case PATTERN:
        speech_put_pattern(s);
        break;
    case MATCHING:
        put_entry(s, "match", matches, ARRAY_LEN(matches));
        break;
    case DELTA:
        put_delta(s);
        break;
    case LIST:
    case DICT:
        put_container(s, kind == DICT);
        break;
    case SCHEMA:
        put_schema(s);
        break;
    case SCOPE:
    case REASON:
    case INSTANT:
        put_text_of(s, kind);
        break;
    case LIMIT:
        encode_uint(&s->e, choose(s->c, 5));
        break;
    case FLAG:
        encode_bool(&s->e, choose(s->c, 2) == 1);
        break;
    case OPTIONS:
        speech_put_publish_options(s);
        break;
    case ANYTHING:
        speech_put_value(s, 1);
        break;
    }
}

/* ---- the call ---- */

static const struct shape *shape_of(const char *procedure)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if (strcmp(shapes[i].procedure, procedure) == 0)
            return &shapes[i];
    UNREACHABLE("a meta procedure whose arguments nobody has thought of");
}

static void put_keywords(struct speech *s, const struct shape *shape, const struct peer *peer,
                         unsigned count)
{
    unsigned first = strcmp(shape->procedure, EVENTS) == 0 ? FIRST_OF_EVENTS : 0;

    encode_map(&s->e, COUNT_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        const struct keyword *keyword =
            &keywords[first + choose(s->c, ARRAY_LEN(keywords) - first)];

        encode_text(&s->e, slice_of(keyword->name));
        put_argument(s, peer, keyword->kind);
    }
    encode_end(&s->e);
}

void speech_put_meta_call(struct speech *s)
{
    const struct shape *shape = shape_of(
        choose_rarely(s->c, 12) ? EVENTS : procedures[choose(s->c, ARRAY_LEN(procedures))]);
    const struct peer *peer = &s->world->peers[choose(s->c, s->world->peer_count)];
    unsigned count = choose_rarely(s->c, 8) ? choose(s->c, MOST_ARGUMENTS + 1) : shape->count;
    unsigned keys = choose(s->c, 3);
    char uri[80];

    (void)snprintf(uri, sizeof(uri), "wamp.%s", shape->procedure);
    encode_text(&s->e, slice_of(uri));
    if (count == 0 && keys == 0)
        return;
    encode_list(&s->e, count);
    for (unsigned i = 0; i < count; i++)
        put_argument(s, peer, i < shape->count ? shape->arguments[i] : ANYTHING);
    encode_end(&s->e);
    if (keys != 0)
        put_keywords(s, shape, peer, keys);
}
