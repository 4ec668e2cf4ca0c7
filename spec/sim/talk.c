/* talk.c -- see talk.h: picks what happens next, and writes the messages of peers.
 *
 * Everything is written with the encoders of wire, so a message has the same
 * chances in every serializer. POLITE peers choose among what is legal; the
 * others stray from it now and then, RUDE ones down to the octets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "talk.h"

#include "wire/errors.h"

struct speech {
    struct world *world;
    struct peer *peer;
    struct choices *c;
    struct encoder e;
    bool strays; /* the message at hand need not be right */
};

/* ---- values ---- */

static void put_value(struct speech *s, unsigned depth);

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
        put_value(s, depth + 1);
    }
    encode_end(&s->e);
}

static void put_value(struct speech *s, unsigned depth)
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

static bool may_stray(struct speech *s, unsigned n)
{
    return s->strays && choose_rarely(s->c, n);
}

/* A value that does not belong here, or false: the caller writes the right one. */
static bool put_stray(struct speech *s)
{
    if (!may_stray(s, 5))
        return false;
    put_value(s, 2);
    return true;
}

static void put_payload(struct speech *s)
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

static void put_id(struct speech *s, uint64_t id)
{
    static const uint64_t odd[] = {0, 1, 2, WAMP_ID_MAX, WAMP_ID_MAX + 1, UINT64_MAX};

    if (put_stray(s))
        return;
    if (may_stray(s, 5))
        encode_uint(&s->e, odd[choose(s->c, ARRAY_LEN(odd))]);
    else if (choose_rarely(s->c, 16))
        encode_float(&s->e, (double)id); /* an integral float will do */
    else
        encode_uint(&s->e, id);
}

static void put_request(struct speech *s)
{
    put_id(s, s->peer->next_request++);
}

static void put_uri(struct speech *s)
{
    static const char *const uris[] = {
        "com",     "com.a",  "com.a.b", "com.a",  "com.a.b", "com.a.b.c",      "com.b", "org.x",
        "org.x.y", "com.ab", "a.b.c",   "wamp.x", "com..b",  "com.\xc3\xa9.b", "",      "com a",
    };

    if (!put_stray(s))
        encode_text(&s->e, slice_of(uris[choose(s->c, ARRAY_LEN(uris))]));
}

/* What some peer has registered; any URI when it has nothing. */
static void put_procedure(struct speech *s)
{
    const struct world *world = s->world;
    const struct peer *callee = &world->peers[choose(s->c, world->peer_count)];
    size_t count = callee->registrations.count;

    if (count == 0)
        put_uri(s);
    else
        encode_text(&s->e, callee->registrations.at[choose(s->c, 256) % count].uri);
}

static void put_pattern(struct speech *s)
{
    static const char *const patterns[] = {
        "com.a", "com.a.b",  "com.", "com",   "",      "com.a.", "com..b", ".a.", "..",
        "com..", "com.a..c", ".",    "org.x", "wamp.", "com#",   "co",     "...", ".b.",
    };

    if (choose(s->c, 2) == 1)
        put_uri(s);
    else if (!put_stray(s))
        encode_text(&s->e, slice_of(patterns[choose(s->c, ARRAY_LEN(patterns))]));
}

/* ---- options ---- */

enum option_kind { BOOL, NATURAL, TEXT, MATCH, INVOKE, MODE, SESSIONS, AUTHIDS, AUTHROLES, TEAMS };

struct option {
    const char *key;
    enum option_kind kind;
};

static const struct option publish_options[] = {
    {"acknowledge", BOOL},
    {"acknowledge", BOOL},
    {"exclude_me", BOOL},
    {"eligible", SESSIONS},
    {"exclude", SESSIONS},
    {"eligible_authid", AUTHIDS},
    {"exclude_authid", AUTHIDS},
    {"eligible_authrole", AUTHROLES},
    {"exclude_authrole", AUTHROLES},
    {"eligible_x_team", TEAMS},
    {"exclude_x_team", TEAMS},
    {"rkey", TEXT},
    {"transaction_hash", TEXT},
    {"retain", BOOL},
    {"x_unknown", TEXT},
};
static const struct option subscribe_options[] = {
    {"match", MATCH}, {"match", MATCH}, {"get_retained", BOOL}, {"nkey", TEXT}};
static const struct option register_options[] = {
    {"match", MATCH},   {"match", MATCH},         {"invoke", INVOKE},
    {"invoke", INVOKE}, {"concurrency", NATURAL}, {"force_reregister", BOOL},
};
static const struct option call_options[] = {{"timeout", NATURAL},
                                             {"receive_progress", BOOL},
                                             {"disclose_me", BOOL},
                                             {"runmode", TEXT},
                                             {"transaction_hash", TEXT}};
static const struct option yield_options[] = {{"progress", BOOL}, {"x_own", TEXT}};
static const struct option error_options[] = {{"x_own", TEXT}, {"_y", NATURAL}};
static const struct option cancel_options[] = {{"mode", MODE}};

static void put_name(struct speech *s, const char *const *names, unsigned count)
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
        put_name(s, names, most);
    encode_end(&s->e);
}

static void put_option_value(struct speech *s, enum option_kind kind)
{
    static const char *const matches[] = {"exact", "prefix", "wildcard"};
    static const char *const invokes[] = {"single", "roundrobin", "random", "first", "last"};
    static const char *const modes[] = {"killnowait", "kill", "skip"};
    static const char *const roles[] = {"anonymous", "admin"};
    static const char *const teams[] = {"red", "blue", "green"};

    switch (kind) {
    case BOOL:
        encode_bool(&s->e, choose(s->c, 2) == 1);
        break;
    case NATURAL:
        encode_uint(&s->e, choose(s->c, 256));
        break;
    case TEXT:
        encode_text(&s->e, SLICE("some text"));
        break;
    case MATCH:
        put_name(s, matches, ARRAY_LEN(matches));
        break;
    case INVOKE:
        put_name(s, invokes, ARRAY_LEN(invokes));
        break;
    case MODE:
        put_name(s, modes, ARRAY_LEN(modes));
        break;
    case SESSIONS:
        put_sessions(s);
        break;
    case AUTHIDS:
        put_names(s, teams, 2); /* authids are random here: nobody has these */
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

static void put_options(struct speech *s, const struct option *options, unsigned most, bool ppt)
{
    unsigned count = choose(s->c, 4);

    if (put_stray(s))
        return;
    encode_map(&s->e, COUNT_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        const struct option *option = &options[choose(s->c, most)];

        encode_text(&s->e, slice_of(option->key));
        if (!put_stray(s))
            put_option_value(s, option->kind);
    }
    if (ppt)
        put_ppt(s);
    encode_end(&s->e);
}

#define PUT_OPTIONS(s, options, ppt) put_options(s, options, ARRAY_LEN(options), ppt)

/* ---- saying it ---- */

static void begin(struct speech *s, enum msg_type type)
{
    s->strays = s->peer->manners != POLITE && choose_rarely(s->c, 32);
    encode_start(&s->e, s->peer->transport.codec, 0);
    encode_list(&s->e, COUNT_UNKNOWN);
    encode_uint(&s->e, (uint64_t)type);
}

static void say(struct speech *s)
{
    struct blob *blob;

    if (may_stray(s, 5))
        put_value(s, 2); /* one element too much */
    encode_end(&s->e);
    blob = encode_finish(&s->e);
    if (s->peer->manners == RUDE && choose_rarely(s->c, 24)) {
        for (unsigned i = choose(s->c, 4); i != 0 && blob->len != 0; i--)
            blob->data[choose(s->c, 256) % blob->len] = (char)choose(s->c, 256);
        if (choose_rarely(s->c, 4))
            blob->len = choose(s->c, 256) % (blob->len + 1);
    }
    world_say(s->world, s->peer, blob_slice(blob));
    blob_drop(blob);
}

/* Octets that need not be anything. */
static void say_octets(struct speech *s)
{
    char octets[64];
    unsigned len = choose(s->c, sizeof(octets) + 1);

    for (unsigned i = 0; i < len; i++)
        octets[i] = (char)choose(s->c, 256);
    world_say(s->world, s->peer, slice_make(octets, len));
}

/* ---- messages ---- */

static void put_features(struct speech *s)
{
    static const char *const features[] = {"payload_passthru_mode", "payload_transparency",
                                           "call_canceling"};

    encode_map(&s->e, 1);
    encode_text(&s->e, SLICE("features"));
    encode_map(&s->e, ARRAY_LEN(features));
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        encode_text(&s->e, slice_of(features[i]));
        encode_bool(&s->e, s->peer->has_features);
    }
    encode_end(&s->e);
    encode_end(&s->e);
}

static void say_hello(struct speech *s)
{
    static const char *const roles[] = {"publisher", "subscriber", "caller", "callee"};
    static const char *const teams[] = {"red", "blue"};
    unsigned realm = choose(s->c, s->world->realm_count);

    s->peer->has_features = choose(s->c, 2) == 1;
    begin(s, MSG_HELLO);
    if (realm == 0 && choose(s->c, 2) == 1)
        encode_null(&s->e);
    else if (may_stray(s, 4))
        put_uri(s);
    else
        encode_text(&s->e, slice_of(world_realm(realm)));
    encode_map(&s->e, COUNT_UNKNOWN);
    encode_text(&s->e, SLICE("roles"));
    if (!put_stray(s)) {
        encode_map(&s->e, ARRAY_LEN(roles));
        for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
            encode_text(&s->e, slice_of(roles[i]));
            if (!put_stray(s))
                put_features(s);
        }
        encode_end(&s->e);
    }
    encode_text(&s->e, SLICE("x_team"));
    put_name(s, teams, ARRAY_LEN(teams));
    if (may_stray(s, 4)) {
        encode_text(&s->e, SLICE("authmethods"));
        put_value(s, 0);
    }
    encode_end(&s->e);
    say(s);
}

static void say_subscribe(struct speech *s)
{
    begin(s, MSG_SUBSCRIBE);
    put_request(s);
    PUT_OPTIONS(s, subscribe_options, false);
    put_pattern(s);
    say(s);
}

static void say_register(struct speech *s)
{
    begin(s, MSG_REGISTER);
    put_request(s);
    PUT_OPTIONS(s, register_options, false);
    put_pattern(s);
    say(s);
}

/* UNSUBSCRIBE and UNREGISTER: of what is held, or of something else. */
static void say_leave(struct speech *s, enum msg_type type, const struct held_list *held)
{
    uint64_t id = 1 + choose(s->c, 64);

    if (held->count != 0 && id > 8)
        id = held->at[id % held->count].id;
    begin(s, type);
    put_request(s);
    put_id(s, id);
    if (choose_rarely(s->c, 4)) {
        encode_map(&s->e, 0);
        encode_end(&s->e);
    }
    say(s);
}

static void say_publish(struct speech *s)
{
    begin(s, MSG_PUBLISH);
    put_request(s);
    PUT_OPTIONS(s, publish_options, true);
    put_uri(s);
    put_payload(s);
    say(s);
}

static void say_call(struct speech *s)
{
    begin(s, MSG_CALL);
    put_request(s);
    PUT_OPTIONS(s, call_options, true);
    put_procedure(s);
    put_payload(s);
    say(s);
}

/* The invocation to answer, or one that is long over. 0: there was none yet. */
static uint64_t pick_invocation(struct speech *s, bool is_late)
{
    const struct numbers *open = &s->peer->invocations;

    if (s->peer->last_invocation == 0)
        return 0;
    if (open->count != 0 && !is_late)
        return open->at[choose(s->c, 256) % open->count];
    return 1 + choose(s->c, 256) % s->peer->last_invocation;
}

static void say_answer(struct speech *s, bool is_late)
{
    uint64_t id = pick_invocation(s, is_late);

    if (id == 0) {
        world_pass(s->world, 1);
        return;
    }
    if (choose(s->c, 4) != 3) {
        begin(s, MSG_YIELD);
        put_id(s, id);
        PUT_OPTIONS(s, yield_options, true);
    } else {
        begin(s, MSG_ERROR);
        if (!put_stray(s))
            encode_uint(&s->e, MSG_INVOCATION);
        put_id(s, id);
        PUT_OPTIONS(s, error_options, true);
        put_uri(s);
    }
    put_payload(s);
    say(s);
}

/* Messages that change nothing, and those that only the router may send. */
static void say_rest(struct speech *s)
{
    unsigned which = choose(s->c, s->peer->manners == RUDE ? 4 : 2);

    if (which == 0) {
        begin(s, MSG_CANCEL);
        put_id(s, s->peer->calls.count != 0 ? s->peer->calls.at[0] : 1);
        PUT_OPTIONS(s, cancel_options, false);
    } else if (which == 1) {
        begin(s, MSG_EVENT_RECEIVED);
        put_id(s, 1 + choose(s->c, 256));
    } else if (which == 2) {
        begin(s, MSG_SUBSCRIBED);
        put_id(s, 1);
        put_id(s, 1);
    } else {
        begin(s, MSG_WELCOME);
        put_id(s, 1);
        PUT_OPTIONS(s, error_options, false);
    }
    say(s);
}

static void say_farewell(struct speech *s, enum msg_type type)
{
    begin(s, type);
    PUT_OPTIONS(s, error_options, false);
    encode_text(&s->e, type == MSG_GOODBYE ? SLICE(WAMP_CLOSE_NORMAL) : SLICE("com.example.bye"));
    say(s);
}

/* ---- what happens next ---- */

static void do_leave(struct speech *s)
{
    switch (choose(s->c, 4)) {
    case 0:
        say_farewell(s, MSG_ABORT);
        break;
    case 1:
        world_close(s->world, s->peer);
        break;
    default:
        say_farewell(s, MSG_GOODBYE);
        break;
    }
}

static void do_in_realm(struct speech *s)
{
    unsigned which = choose(s->c, 32);

    if (which < 4)
        say_subscribe(s);
    else if (which < 5)
        say_leave(s, MSG_UNSUBSCRIBE, &s->peer->subscriptions);
    else if (which < 10)
        say_publish(s);
    else if (which < 13)
        say_register(s);
    else if (which < 14)
        say_leave(s, MSG_UNREGISTER, &s->peer->registrations);
    else if (which < 19)
        say_call(s);
    else if (which < 25)
        say_answer(s, false);
    else if (which < 26)
        say_answer(s, true);
    else if (which < 27)
        world_unsent(s->world, s->peer, pick_invocation(s, false));
    else if (which < 28)
        say_rest(s);
    else if (which < 29 && s->peer->manners == RUDE && choose_rarely(s->c, 4))
        say_octets(s);
    else if (which < 30 && choose_rarely(s->c, 4))
        do_leave(s);
    else
        world_pass(s->world, choose(s->c, 256) * 10);
}

static void do_in_lobby(struct speech *s)
{
    if (s->peer->manners == RUDE && choose_rarely(s->c, 8))
        say_octets(s);
    else if (s->peer->manners != POLITE && choose_rarely(s->c, 16))
        say_publish(s);
    else if (choose_rarely(s->c, 16))
        do_leave(s);
    else
        say_hello(s);
}

static void do_shut_down(struct speech *s)
{
    switch (choose(s->c, 4)) {
    case 0:
        say_publish(s);
        break;
    case 1:
        world_pass(s->world, choose(s->c, 256) * 40);
        break;
    case 2:
        do_leave(s);
        break;
    default:
        say_farewell(s, MSG_GOODBYE);
        break;
    }
}

static void do_away(struct speech *s)
{
    enum codec codec = (enum codec)choose(s->c, CODEC_COUNT);
    unsigned send_max = choose(s->c, 8);

    world_open(s->world, s->peer, codec, send_max == 7 ? 64 : UINT32_MAX);
}

void talk_step(struct world *world, struct choices *c)
{
    static const char *const reasons[] = {WAMP_CLOSE_REALM, WAMP_CLOSE_SYSTEM_SHUTDOWN};
    struct speech s = {.world = world, .c = c};

    if (choose_rarely(c, 256) && choose_rarely(c, 4)) {
        world_close_realm(world, choose(c, world->realm_count), reasons[choose(c, 2)]);
        return;
    }
    s.peer = &world->peers[choose(c, world->peer_count)];
    switch (s.peer->place) {
    case AWAY:
        do_away(&s);
        break;
    case IN_LOBBY:
        do_in_lobby(&s);
        break;
    case IN_REALM:
        do_in_realm(&s);
        break;
    case SHUT_DOWN:
        do_shut_down(&s);
        break;
    }
}
