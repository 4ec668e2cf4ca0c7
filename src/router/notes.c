/* notes.c -- see notes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "router/notes.h"

#include "base/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/look.h"
#include "router/router_priv.h"
#include "wire/errors.h"

#include <stdio.h>

#define OTHERS 0 /* in place of a hash: those of a session that are too many to be told apart */

/* Requests of one session for one URI that were denied. */
struct denial {
    struct realm_timer timer; /* in worker->deadlines: when the next line is due */
    struct worker *worker;
    const struct realm *realm;
    uint64_t session, key;
    uint64_t count; /* since the last line */
    uint8_t action, match;
    struct slice authid, authrole, uri, error; /* point into `bytes` */
    char bytes[];
};

/* ---- for people ---- */

/* A decision that does not fit the message is a mistake of whoever decides. */
static enum log_level level_of(const struct action *action)
{
    return action->kind == NOTE_DENIED && action->notice->cause != NULL ? LOG_WARN : LOG_DEBUG;
}

static void log_note(struct worker *worker, const struct realm *realm, const struct action *action)
{
    static const char *const ids[] = {"session-joined",     "session-left",   "session-refused",
                                      "protocol-violation", "session-killed", "request-denied"};
    static const char *const words[] = {"a session begins",           "a session ends",
                                        "a session was refused",      "a peer broke the protocol",
                                        "a session ends another one", "a request is not allowed"};
    const struct notice *notice = action->notice;
    char session[24], peer_id[24];
    const struct peer *peer = pump_find(worker, action->peer);

    if (!log_is_on(level_of(action)))
        return;
    (void)snprintf(session, sizeof session, "%llu", (unsigned long long)action->key);
    (void)snprintf(peer_id, sizeof peer_id, "%llx", (unsigned long long)action->peer);
    log_line(level_of(action), ids[action->kind], words[action->kind], "realm", realm->name,
             "session", action->key == 0 ? NULL : session, "peer",
             peer == NULL ? NULL : peer->transport.peer, "connection", peer_id, "detail",
             notice->words, "uri", notice->uri.data, "cause", notice->cause, NULL);
}

/* ---- for the audit log ---- */

static struct audit_line begin(const char *event, const struct realm *realm, uint64_t session)
{
    struct audit_line line;

    audit_begin(&line, event);
    audit_text(&line, "realm", slice_make(realm->name, realm->name_len));
    if (session != 0)
        audit_number(&line, "session", session);
    return line;
}

/* The texts of the details of a session, and of the transport within, that are named. */
static void add_details(struct audit_line *line, enum codec codec, struct slice details,
                        struct arena *arena, const char *const *names)
{
    struct dict_walk detail;

    dict_walk(&detail, codec, details, arena);
    while (dict_next(&detail)) {
        if (detail.token.type == TOKEN_MAP && slice_eq(detail.key, SLICE("transport"))) {
            static const char *const transport[] = {"type", "transport", "peer", "address", NULL};

            add_details(line, codec, detail.value, arena, transport);
        }
        for (const char *const *name = names; *name != NULL; name += 2)
            if (detail.token.type == TOKEN_TEXT && slice_eq(detail.key, slice_of(*name)))
                audit_text(line, name[1], detail.token.text);
    }
}

static void write_joined(struct worker *worker, const struct realm *realm, uint64_t session)
{
    static const char *const names[] = {"authid",       "authid",       "authrole",
                                        "authrole",     "authmethod",   "authmethod",
                                        "authprovider", "authprovider", NULL};
    struct audit_line line = begin("join", realm, session);
    struct look look;

    if (core_look(realm->core, session, &look))
        add_details(&line, look.codec, look.details, &worker->scratch, names);
    audit_end(&line);
}

static void write_refused(const struct realm *realm, const struct notice *notice)
{
    struct audit_line line = begin("refuse", realm, 0);

    audit_text(&line, "authid", notice->authid);
    audit_text(&line, "address", slice_of(notice->address));
    audit_text(&line, "reason", slice_of(notice->words));
    audit_text(&line, "message", slice_of(notice->text));
    audit_text(&line, "cause", slice_of(notice->cause));
    audit_end(&line);
}

/* Of a session that is there its end is told as well, with the reason. */
static void write_violation(struct worker *worker, const struct realm *realm,
                            const struct action *action)
{
    const struct peer *peer = pump_find(worker, action->peer);
    struct audit_line line;

    if (action->notice->authid.len != 0)
        return;
    line = begin("refuse", realm, 0);
    audit_text(&line, "address", slice_of(peer == NULL ? NULL : peer->transport.peer));
    audit_text(&line, "reason", SLICE(WAMP_PROTOCOL_VIOLATION));
    audit_text(&line, "message", slice_of(action->notice->words));
    audit_end(&line);
}

static void write_left(const struct realm *realm, uint64_t session, const struct notice *notice)
{
    struct audit_line line = begin("leave", realm, session);

    audit_text(&line, "authid", notice->authid);
    audit_text(&line, "authrole", notice->authrole);
    audit_text(&line, "reason", slice_of(notice->words));
    audit_end(&line);
}

static void write_killed(const struct realm *realm, uint64_t session, const struct notice *notice)
{
    struct audit_line line = begin("kill", realm, session);

    audit_text(&line, "authid", notice->authid);
    audit_text(&line, "authrole", notice->authrole);
    audit_text(&line, "reason", slice_of(notice->words));
    if (notice->by != 0)
        audit_number(&line, "by_session", notice->by);
    audit_text(&line, "by_authid", notice->by == 0 ? SLICE("policy") : notice->by_authid);
    audit_text(&line, "by_authrole", notice->by_authrole);
    audit_text(&line, "procedure", notice->uri);
    audit_end(&line);
}

/* ---- denials ---- */

static void write_denied(const struct denial *denial, uint64_t count, bool is_summary)
{
    struct audit_line line = begin("deny", denial->realm, denial->session);

    audit_text(&line, "authid", denial->authid);
    audit_text(&line, "authrole", denial->authrole);
    if (denial->key == OTHERS) {
        audit_text(&line, "uri", SLICE("others"));
    } else {
        audit_text(&line, "action", slice_of(rules_action_name((enum rule_action)denial->action)));
        audit_text(&line, "uri", denial->uri);
        if (denial->match != MATCH_EXACT)
            audit_text(&line, "match", slice_of(match_name((enum match)denial->match)));
        audit_text(&line, "error", denial->error);
    }
    audit_number(&line, "count", count);
    if (is_summary)
        audit_number(&line, "seconds", DENIAL_SUMMARY_MS / 1000);
    audit_end(&line);
}

/* How many denials of the session are in worker->denials. */
static size_t count_of(const struct worker *worker, uint64_t session)
{
    return (size_t)(uintptr_t)map_get(&worker->denied, session, 0);
}

static void set_count(struct worker *worker, uint64_t session, size_t count)
{
    if (count == 0)
        map_remove(&worker->denied, session, 0);
    else
        map_put(&worker->denied, session, 0, (void *)(uintptr_t)count);
}

static void denial_free(struct denial *denial)
{
    set_count(denial->worker, denial->session, count_of(denial->worker, denial->session) - 1);
    deadlines_cancel(&denial->worker->deadlines, &denial->timer.deadline);
    map_remove(&denial->worker->denials, denial->session, denial->key);
    mem_free(denial);
}

/* The minute is over: what came in it is one line, and another minute begins. */
static void on_minute(struct realm_timer *timer)
{
    struct denial *denial = container_of(timer, struct denial, timer);
    struct worker *worker = denial->worker;

    if (denial->count == 0) {
        denial_free(denial);
        return;
    }
    write_denied(denial, denial->count, true);
    denial->count = 0;
    deadlines_set(&worker->deadlines, &timer->deadline, net_now(worker->net) + DENIAL_SUMMARY_MS);
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = {*at, text.len};

    if (text.len != 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return kept;
}

static struct denial *denial_new(struct worker *worker, const struct realm *realm, uint64_t session,
                                 uint64_t key, const struct notice *notice)
{
    struct slice error = slice_of(notice->words);
    struct denial *denial = mem_alloc(sizeof *denial + notice->authid.len + notice->authrole.len +
                                      notice->uri.len + error.len);
    char *at = denial->bytes;

    *denial = (struct denial){.timer = {.fire = on_minute},
                              .worker = worker,
                              .realm = realm,
                              .session = session,
                              .key = key,
                              .action = notice->action,
                              .match = notice->match};
    denial->authid = keep(&at, notice->authid);
    denial->authrole = keep(&at, notice->authrole);
    denial->uri = keep(&at, notice->uri);
    denial->error = keep(&at, error);
    map_put(&worker->denials, session, key, denial);
    set_count(worker, session, count_of(worker, session) + 1);
    deadlines_set(&worker->deadlines, &denial->timer.deadline,
                  net_now(worker->net) + DENIAL_SUMMARY_MS);
    return denial;
}

static void write_others(struct worker *worker)
{
    struct audit_line line;

    if (worker->other_denials == 0)
        return;
    audit_begin(&line, "deny");
    audit_text(&line, "uri", SLICE("others"));
    audit_number(&line, "count", worker->other_denials);
    audit_end(&line);
    worker->other_denials = 0;
}

static void on_denied(struct worker *worker, const struct realm *realm, uint64_t session,
                      const struct notice *notice)
{
    uint64_t key = hash_bytes(notice->uri, worker->denials.seed,
                              (uint64_t)notice->action << 8 | notice->match);
    struct denial *denial = map_get(&worker->denials, session, key);

    if (denial == NULL && count_of(worker, session) >= MAX_DENIALS_OF_SESSION) {
        key = OTHERS;
        denial = map_get(&worker->denials, session, key);
    }
    if (denial != NULL) {
        denial->count++;
    } else if (worker->denials.count < MAX_DENIALS) {
        write_others(worker);
        write_denied(denial_new(worker, realm, session, key, notice), 1, false);
    } else {
        worker->other_denials++;
    }
}

void notes_init(struct worker *worker)
{
    map_init(&worker->denials, (uint64_t)(uintptr_t)&worker->denials);
    map_init(&worker->denied, (uint64_t)(uintptr_t)&worker->denied);
}

void notes_fini(struct worker *worker)
{
    for (;;) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&worker->denials, &at);
        struct denial *denial;

        if (entry == NULL)
            break;
        denial = entry->value;
        if (denial->count != 0)
            write_denied(denial, denial->count, true);
        denial_free(denial);
    }
    write_others(worker);
    map_fini(&worker->denials);
    map_fini(&worker->denied);
}

void notes_forget(struct worker *worker, const struct realm *realm)
{
    const struct map_entry *entry;
    size_t at = 0;

    while ((entry = map_next(&worker->denials, &at)) != NULL) {
        struct denial *denial = entry->value;

        if (denial->realm != realm)
            continue;
        if (denial->count != 0)
            write_denied(denial, denial->count, true);
        denial_free(denial);
        at = 0; /* the map has moved */
    }
}

/* ---- what the pump brings ---- */

void notes_write(struct worker *worker, const struct realm *realm, const struct action *action)
{
    log_note(worker, realm, action);
    if (!audit_is_on() || peer_is_local(action->peer)) /* our own code is nobody */
        return;
    switch ((enum note)action->kind) {
    case NOTE_JOINED:
        write_joined(worker, realm, action->key);
        break;
    case NOTE_LEFT:
        write_left(realm, action->key, action->notice);
        break;
    case NOTE_REFUSED:
        write_refused(realm, action->notice);
        break;
    case NOTE_KILLED:
        write_killed(realm, action->key, action->notice);
        break;
    case NOTE_DENIED:
        on_denied(worker, realm, action->key, action->notice);
        break;
    case NOTE_VIOLATION:
        write_violation(worker, realm, action);
        break;
    case NOTE_COUNT:
        break;
    }
}

void notes_refused(const struct peer *peer, struct slice realm, const char *reason)
{
    struct audit_line line;

    if (!audit_is_on())
        return;
    audit_begin(&line, "refuse");
    audit_text(&line, "realm", realm);
    audit_text(&line, "address", slice_of(peer->transport.peer));
    audit_text(&line, "reason", slice_of(reason));
    audit_end(&line);
}
