/* speech.c -- see speech.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "speech.h"

/* ---- values ---- */

static void put_container(struct speech *s, unsigned depth, bool is_map)
{
    unsigned count = choose(s->c, 4);

    if (is_map)
        encode_map(&s->e, COUNT_UNKNOWN);
    else
        encode_list(&s->e, COUNT_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        if (is_map)
            encode_text(&s->e, slice_make(&"abcd"[i], 1));
        speech_put_value(s, depth + 1);
    }
    encode_end(&s->e);
}

void speech_put_value(struct speech *s, unsigned depth)
{
    static const char text[] = "text \"\\\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and so on, and on";
    static const double reals[] = {0.0, 1.0, -2.5, 1e300, 5e-324, 0.1};
    unsigned len;

    switch (choose(s->c, depth > 3 ? 7 : 9)) {
    case 0:
        encode_int(&s->e, (int64_t)choose(s->c, 256) - 128);
        break;
    case 1:
        encode_uint(&s->e, UINT64_MAX >> choose(s->c, 64));
        break;
    case 2:
        encode_float(&s->e, reals[choose(s->c, ARRAY_LEN(reals))]);
        break;
    case 3:
        len = choose(s->c, 8); /* ends before the first character of more than an octet */
        encode_text(&s->e, slice_make(text, len == 7 ? sizeof(text) - 1 : len));
        break;
    case 4:
        encode_bytes(&s->e, slice_make("\x00\xff\x7f\x80", choose(s->c, 5)));
        break;
    case 5:
        encode_bool(&s->e, choose(s->c, 2) == 1);
        break;
    case 6:
        encode_null(&s->e);
        break;
    case 7:
        put_container(s, depth, false);
        break;
    default:
        put_container(s, depth, true);
        break;
    }
}

bool speech_may_stray(struct speech *s, unsigned n)
{
    return s->strays && choose_rarely(s->c, n);
}

/* A value that does not belong here, or false: the caller writes the right one. */
bool speech_put_stray(struct speech *s)
{
    if (!speech_may_stray(s, 5))
        return false;
    speech_put_value(s, 2);
    return true;
}

void speech_put_payload(struct speech *s)
{
    unsigned kind = choose(s->c, 8);

    if (kind < 2)
        return;
    if (kind < 4 && s->world->ppt_compat) {
        if (kind == 2)
            encode_text(&s->e, SLICE("a raw payload"));
        else
            encode_bytes(&s->e, slice_make("\x01\x02\xff", 3));
        return;
    }
    put_container(s, 0, false);
    if (kind > 5)
        put_container(s, 0, true);
}

/* ---- ids and URIs ---- */

void speech_put_id(struct speech *s, uint64_t id)
{
    static const uint64_t odd[] = {0, 1, 2, WAMP_ID_MAX, WAMP_ID_MAX + 1, UINT64_MAX};

    if (speech_put_stray(s))
        return;
    if (speech_may_stray(s, 5))
        encode_uint(&s->e, odd[choose(s->c, ARRAY_LEN(odd))]);
    else if (choose_rarely(s->c, 16))
        encode_float(&s->e, (double)id); /* an integral float will do */
    else
        encode_uint(&s->e, id);
}

void speech_put_request(struct speech *s)
{
    speech_put_id(s, s->peer->next_request++);
}

void speech_put_uri(struct speech *s)
{
    static const char *const uris[] = {
        "com",     "com.a",  "com.a.b", "com.a",  "com.a.b", "com.a.b.c",      "com.b", "org.x",
        "org.x.y", "com.ab", "a.b.c",   "wamp.x", "com..b",  "com.\xc3\xa9.b", "",      "com a",
    };

    if (!speech_put_stray(s))
        encode_text(&s->e, slice_of(uris[choose(s->c, ARRAY_LEN(uris))]));
}

/* What some peer has registered; any URI when it has nothing. */
void speech_put_procedure(struct speech *s)
{
    const struct world *world = s->world;
    const struct peer *callee = &world->peers[choose(s->c, world->peer_count)];
    size_t count = callee->registrations.count;

    if (count == 0)
        speech_put_uri(s);
    else
        encode_text(&s->e, callee->registrations.at[choose(s->c, 256) % count].uri);
}

void speech_put_pattern(struct speech *s)
{
    static const char *const patterns[] = {
        "com.a",
        "com.a.b",
        "com.",
        "com",
        "",
        "com.a.",
        "com..b",
        ".a.",
        "..",
        "com..",
        "com.a..c",
        ".",
        "org.x",
        "wamp.",
        "com#",
        "co",
        "...",
        ".b.",
        "wamp",
        "nexus.",
        "wamp.session.on_join",
        "wamp.subscription.",
        "wamp..",
        "wamp.registration.",
        "wamp.session.on_leave",
        "wamp.subscription.on_create",
        "wamp..on_delete",
    };

    if (choose(s->c, 2) == 1)
        speech_put_uri(s);
    else if (!speech_put_stray(s))
        encode_text(&s->e, slice_of(patterns[choose(s->c, ARRAY_LEN(patterns))]));
}

/* ---- options ---- */

enum option_kind {
    BOOL,
    NATURAL,
    COUNT,
    TEXT,
    KEY,
    MATCH,
    INVOKE,
    MODE,
    RUNMODE,
    SESSIONS,
    AUTHIDS,
    AUTHROLES,
    TEAMS
};

struct option {
    const char *key;
    enum option_kind kind;
};

static const struct option publish_options[] = {
    {"acknowledge", BOOL},
    {"acknowledge", BOOL},
    {"exclude_me", BOOL},
    {"disclose_me", BOOL},
    {"eligible", SESSIONS},
    {"exclude", SESSIONS},
    {"eligible_authid", AUTHIDS},
    {"exclude_authid", AUTHIDS},
    {"eligible_authrole", AUTHROLES},
    {"exclude_authrole", AUTHROLES},
    {"eligible_x_team", TEAMS},
    {"exclude_x_team", TEAMS},
    {"rkey", KEY},
    {"transaction_hash", TEXT},
    {"retain", BOOL},
    {"retain", BOOL},
    {"x_unknown", TEXT},
};
static const struct option subscribe_options[] = {
    {"match", MATCH}, {"match", MATCH}, {"get_retained", BOOL}, {"nkey", KEY}};
static const struct option register_options[] = {
    {"match", MATCH},   {"match", MATCH},          {"invoke", INVOKE},
    {"invoke", INVOKE}, {"concurrency", COUNT},    {"force_reregister", BOOL},
    {"nkey", KEY},      {"disclose_caller", BOOL}, {"forward_timeout", BOOL},
};
static const struct option call_options[] = {{"timeout", NATURAL},      {"receive_progress", BOOL},
                                             {"disclose_me", BOOL},     {"receive_progress", BOOL},
                                             {"runmode", RUNMODE},      {"rkey", KEY},
                                             {"transaction_hash", TEXT}};
static const struct option yield_options[] = {{"progress", BOOL}, {"x_own", TEXT}};
static const struct option other_options[] = {{"x_own", TEXT}, {"_y", NATURAL}};
static const struct option cancel_options[] = {{"mode", MODE}};

void speech_put_name(struct speech *s, const char *const *names, unsigned count)
{
    encode_text(&s->e, slice_of(names[choose(s->c, count)]));
}

/* A list of session ids: of the peers next to each other. */
static void put_sessions(struct speech *s)
{
    unsigned count = choose(s->c, 4), first = choose(s->c, s->world->peer_count);

    encode_list(&s->e, count);
    for (unsigned i = 0; i < count; i++) {
        uint64_t id = s->world->peers[(first + i) % s->world->peer_count].session;

        encode_uint(&s->e, id == 0 ? 1 : id);
    }
    encode_end(&s->e);
}

static void put_names(struct speech *s, const char *const *names, unsigned most)
{
    unsigned count = choose(s->c, 3);

    encode_list(&s->e, count);
    for (unsigned i = 0; i < count; i++)
        speech_put_name(s, names, most);
    encode_end(&s->e);
}

/* A list of authids: of the peers next to each other. */
static void put_authids(struct speech *s)
{
    unsigned count = choose(s->c, 3), first = choose(s->c, s->world->peer_count);

    encode_list(&s->e, count);
    for (unsigned i = 0; i < count; i++)
        encode_text(&s->e, slice_of(s->world->peers[(first + i) % s->world->peer_count].authid));
    encode_end(&s->e);
}

static void put_option_value(struct speech *s, enum option_kind kind)
{
    static const char *const matches[] = {"exact", "prefix", "wildcard"};
    static const char *const invokes[] = {"single", "roundrobin", "random", "first", "last"};
    static const char *const modes[] = {"killnowait", "kill", "skip"};
    static const char *const runmodes[] = {"partition", "partition", "any"};
    static const char *const roles[] = {"anonymous", "admin"};
    static const char *const teams[] = {"red", "blue", "green"};
    static const char *const keys[] = {"one", "two", "three", ""};

    switch (kind) {
    case BOOL:
        encode_bool(&s->e, choose(s->c, 2) == 1);
        break;
    case NATURAL:
        encode_uint(&s->e, choose(s->c, 256));
        break;
    case COUNT:
        encode_uint(&s->e, choose(s->c, 4));
        break;
    case RUNMODE:
        speech_put_name(s, runmodes, ARRAY_LEN(runmodes));
        break;
    case TEXT:
        encode_text(&s->e, SLICE("some text"));
        break;
    case KEY:
        speech_put_name(s, keys, ARRAY_LEN(keys));
        break;
    case MATCH:
        speech_put_name(s, matches, ARRAY_LEN(matches));
        break;
    case INVOKE:
        speech_put_name(s, invokes, ARRAY_LEN(invokes));
        break;
    case MODE:
        speech_put_name(s, modes, ARRAY_LEN(modes));
        break;
    case SESSIONS:
        put_sessions(s);
        break;
    case AUTHIDS:
        put_authids(s);
        break;
    case AUTHROLES:
        put_names(s, roles, ARRAY_LEN(roles));
        break;
    case TEAMS:
        put_names(s, teams, ARRAY_LEN(teams));
        break;
    }
}

/* Payload passthru mode, from those who announced it. */
static void put_ppt(struct speech *s)
{
    if (!choose_rarely(s->c, 8) || (s->peer->manners == POLITE && !s->peer->has_features))
        return;
    encode_text(&s->e, SLICE("ppt_scheme"));
    encode_text(&s->e, SLICE("x_scheme"));
    encode_text(&s->e, SLICE("ppt_serializer"));
    encode_text(&s->e, SLICE("native"));
}

/* More chunks follow, from those who announced that. */
static void put_progress(struct speech *s)
{
    if (!choose_rarely(s->c, 3) || (s->peer->manners == POLITE && !s->peer->has_features))
        return;
    encode_text(&s->e, SLICE("progress"));
    encode_bool(&s->e, true);
}

/* The options a message may carry. */
static const struct option *options_of(enum msg_type type, unsigned *count)
{
#define CASE(name, table)          \
    case MSG_##name:               \
        *count = ARRAY_LEN(table); \
        return table

    switch ((unsigned)type) {
        CASE(PUBLISH, publish_options);
        CASE(SUBSCRIBE, subscribe_options);
        CASE(REGISTER, register_options);
        CASE(CALL, call_options);
        CASE(CANCEL, cancel_options);
        CASE(YIELD, yield_options);
    default:
        *count = ARRAY_LEN(other_options);
        return other_options;
    }
#undef CASE
}

static bool can_have_ppt(enum msg_type type)
{
    return type == MSG_PUBLISH || type == MSG_CALL || type == MSG_YIELD || type == MSG_ERROR;
}

void speech_put_options(struct speech *s, enum msg_type type)
{
    unsigned most, count = choose(s->c, 4);
    const struct option *options = options_of(type, &most);

    if (speech_put_stray(s))
        return;
    encode_map(&s->e, COUNT_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        const struct option *option = &options[choose(s->c, most)];

        encode_text(&s->e, slice_of(option->key));
        if (!speech_put_stray(s))
            put_option_value(s, option->kind);
    }
    if (can_have_ppt(type))
        put_ppt(s);
    if (type == MSG_CALL)
        put_progress(s);
    encode_end(&s->e);
}

void speech_put_publish_options(struct speech *s)
{
    unsigned count = choose(s->c, 3);

    encode_map(&s->e, COUNT_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        const struct option *option = &publish_options[choose(s->c, ARRAY_LEN(publish_options))];

        encode_text(&s->e, slice_of(option->key));
        if (choose_rarely(s->c, 16))
            speech_put_value(s, 2);
        else
            put_option_value(s, option->kind);
    }
    if (choose_rarely(s->c, 4))
        put_ppt(s);
    encode_end(&s->e);
}
