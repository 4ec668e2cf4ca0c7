/* govern.c -- see govern.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/govern.h"

#include "base/mem.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/limits.h"
#include "core/notice.h"
#include "core/permit.h"
#include "wire/errors.h"

/* ---- other rules ---- */

const char *const *govern_copy_names(const char *const *names)
{
    size_t count = 0, len = 0;
    const char **copy;
    char *at;

    if (names == NULL)
        return NULL;
    for (; names[count] != NULL; count++)
        len += strlen(names[count]) + 1;
    copy = mem_alloc((count + 1) * sizeof *copy + len);
    at = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = memcpy(at, names[i], strlen(names[i]) + 1);
        at += strlen(names[i]) + 1;
    }
    copy[count] = NULL;
    return copy;
}

static void take_names(const char *const **own, const char *const *names)
{
    mem_free((void *)(uintptr_t)*own);
    *own = govern_copy_names(names);
}

static void take_options(struct core *core, const struct core_options *options)
{
    core->options.rules = options->rules;
    core->options.intercepts = options->intercepts;
    core->options.asks_filter = options->asks_filter;
    take_names(&core->options.expose, options->expose);
    take_names(&core->options.filterable, options->filterable);
}

void govern_renew(struct core *core, const struct renewal *renewal)
{
    const struct map_entry *at;
    size_t i = 0;

    take_options(core, renewal->options);
    kept_clear(core);
    throttle_renew(core, renewal->options->limits, renewal->options->limit_count);
    while ((at = map_next(&core->by_id, &i)) != NULL) {
        struct session *session = at->value;

        session->rule_role = permit_role(core, intern_get_text(&core->intern, session->authrole));
        details_disown(core, session, renewal->declared, renewal->declared_count);
    }
    if (renewal->rechecks)
        recheck_all(core);
}

/* ---- one session ---- */

void govern_set(struct core *core, const struct change *change)
{
    struct session *session = map_get(&core->by_id, change->session, 0);

    change->fault->err = 0;
    if (session == NULL)
        (void)fault_set(change->fault, ERR_CLOSED, WAMP_NO_SUCH_SESSION, "the session has ended");
    else if (details_modify(core, session, change->codec, change->attributes, change->fault) == 0)
        change->fault->err = 0;
}

void govern_end(struct core *core, const struct ending *ending)
{
    struct session *session = map_get(&core->by_id, ending->session, 0);

    if (session == NULL || session->is_trusted)
        return;
    notice_killed(core, session, NULL, (struct slice){0}, ending->reason);
    if (ending->is_abort)
        session_abort(core, session, ending->reason, ending->words);
    else
        session_shut_down(core, session, ending->reason, slice_of(ending->words));
}

int core_set_vars(struct core *core, uint64_t session, enum codec codec, struct slice vars)
{
    struct session *found = map_get(&core->by_id, session, 0);
    struct blob *blob;

    if (found == NULL)
        return ERR_CLOSED;
    blob = transcode(codec, vars, DETAILS_CODEC);
    if (blob->len > MAX_VARS_LEN) {
        blob_drop(blob);
        return ERR_TOO_LONG;
    }
    mem_free((void *)(uintptr_t)found->vars.data);
    found->vars = slice_make(mem_copy(blob->data, blob->len), blob->len);
    blob_drop(blob);
    return 0;
}

/* ---- sessions that end ---- */

static struct slice copy_to(char **at, struct slice from)
{
    struct slice copy = slice_make(*at, from.len);

    if (from.len != 0)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return copy;
}

struct left *left_new(const struct look *look, const char *reason)
{
    struct left *left =
        mem_alloc(sizeof *left + look->authid.len + look->authrole.len + look->authmethod.len +
                  look->authprovider.len + look->details.len + look->vars.len + strlen(reason) + 1);
    char *at = left->bytes;

    left->look = *look;
    transport_tls_hold(look->tls);
    transport_http_hold(look->http);
    left->look.authid = copy_to(&at, look->authid);
    left->look.authrole = copy_to(&at, look->authrole);
    left->look.authmethod = copy_to(&at, look->authmethod);
    left->look.authprovider = copy_to(&at, look->authprovider);
    left->look.details = copy_to(&at, look->details);
    left->look.vars = copy_to(&at, look->vars);
    left->reason = memcpy(at, reason, strlen(reason) + 1);
    return left;
}

void left_free(struct left *left)
{
    if (left == NULL)
        return;
    transport_tls_drop(left->look.tls);
    transport_http_drop(left->look.http);
    mem_free(left);
}

struct left *govern_leave(const struct core *core, const struct session *session,
                          const char *reason)
{
    struct look look;

    look_at(core, session, &look);
    return left_new(&look, reason);
}
