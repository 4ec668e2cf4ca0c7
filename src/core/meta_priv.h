/* meta_priv.h -- what a meta procedure is given, and how it answers.
 *
 * A handler reads its arguments, does its work, writes positional results into
 * `results`, and returns NULL; or it returns the URI of an error, with words in
 * `words`, and has done and written nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_META_PRIV_H
#define NEXUS_CORE_META_PRIV_H

#include "core/core_priv.h"
#include "core/ids.h"
#include "core/meta.h"

#define MAX_META_ARGS 4

/* One argument; borrowed from the CALL. */
struct meta_arg {
    bool is_given;
    bool is_there; /* given, and not null */
    struct token token;
    struct slice value; /* encoded */
};

struct meta_call {
    struct core *core;
    struct session *caller;
    const struct msg *msg;
    enum codec codec; /* of the arguments */
    struct meta_arg args[MAX_META_ARGS];
    struct encoder *results;   /* an open list */
    struct encoder *kwresults; /* an open map, left out of the answer when it stays empty */
    bool is_late;              /* the router does it: the answer comes with EV_ADMIN */
    char words[200];
};

typedef const char *meta_handler_fn(struct meta_call *call);

/* Sets the words of an error and returns its URI. */
const char *meta_error(struct meta_call *call, const char *uri, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The keyword argument with that name. */
struct meta_arg meta_kwarg(const struct meta_call *call, const char *name);

/* Arguments that must be there: NULL when they are, else the error. `name` is for its words. A
 * known one is an id under which the map has something, else the error is `unknown_uri`. */
const char *meta_need_id(struct meta_call *call, unsigned place, const char *name, uint64_t *id);
const char *meta_need_known(struct meta_call *call, unsigned place, const char *name,
                            const struct map *map, const char *unknown_uri, void **found);
const char *meta_need_text(struct meta_call *call, unsigned place, const char *name,
                           struct slice *text);

/* A text under this keyword, or at this place; *text stays as it is when there is none. */
const char *meta_take_text(struct meta_call *call, const char *name, unsigned place,
                           struct slice *text);

/* `reason` and `message` of kill and remove procedures. The reason is a text that lives until the
 * next step, or `fallback`. */
const char *meta_take_reason(struct meta_call *call, unsigned place, const char *fallback,
                             const char **reason);

/* Writes `[id or nothing]`: null, or 0 with the knob lookup_miss_is_zero. */
void meta_put_found(struct meta_call *call, uint64_t id);

/* Writes a list of ids. */
void meta_put_ids(struct meta_call *call, const struct ids *ids);

/* The lists of ids of an index, by match policy: {"exact": [...], ...}. */
typedef uint64_t meta_id_fn(struct match_entry *entry);
void meta_put_index(struct meta_call *call, const struct match_index *index, meta_id_fn *id_of);

/* `options.match` of the lookup procedures. */
const char *meta_take_match(struct meta_call *call, unsigned place, enum match *match);

/* meta_session.c */
meta_handler_fn meta_session_count, meta_session_list, meta_session_get, meta_session_kill,
    meta_session_kill_by_authid, meta_session_kill_by_authrole, meta_session_kill_all,
    meta_session_modify_details;

/* testament.c */
meta_handler_fn meta_add_testament, meta_flush_testaments;

/* meta_registration.c */
meta_handler_fn meta_registration_list, meta_registration_lookup, meta_registration_match,
    meta_registration_get, meta_registration_list_callees, meta_registration_count_callees,
    meta_registration_remove_callee;

/* meta_subscription.c */
meta_handler_fn meta_subscription_list, meta_subscription_lookup, meta_subscription_match,
    meta_subscription_get, meta_subscription_list_subscribers, meta_subscription_count_subscribers,
    meta_subscription_remove_subscriber;

/* history.c */
meta_handler_fn meta_subscription_get_events;

/* reflection.c */
meta_handler_fn meta_reflection_procedure_list, meta_reflection_topic_list,
    meta_reflection_error_list, meta_reflection_procedure_describe, meta_reflection_topic_describe,
    meta_reflection_error_describe, meta_reflect_define, meta_reflect_describe;

#endif
