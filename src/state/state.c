/* state.c -- see state.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/state.h"

#include "base/log.h"
#include "base/mem.h"

struct state *state_open(const struct state_options *options)
{
    struct state *state = mem_zero(1, sizeof(*state));

    state->kv = kv_space_new(&(struct kv_space_options){.realm = options->realm,
                                                        .folder = options->folder,
                                                        .max_entries = options->kv_max_entries,
                                                        .max_bytes = options->kv_max_bytes});
    state->limiters = limiters_new(options->max_buckets);
    if (options->metrics != NULL) {
        state->metrics = metrics_scope_new(options->metrics, options->realm, options->max_series);
        state->counts = metrics_scope_new(options->metrics, options->realm, 0);
    }
    return state;
}

static int close_space(struct kv_space *space)
{
    struct kv_error error = {0};
    int err = kv_space_close(space, &error);

    if (err != 0)
        log_line(LOG_ERROR, "store-lost", "changes of stores are lost", "error", error.words, NULL);
    return err;
}

int state_close(struct state *state)
{
    int err;

    if (state == NULL)
        return 0;
    err = close_space(state->kv);
    limiters_free(state->limiters);
    metrics_scope_free(state->metrics);
    metrics_scope_free(state->counts);
    mem_free(state);
    return err;
}

struct router_state *router_state_open(const struct state_options *options)
{
    struct router_state *state = mem_zero(1, sizeof(*state));

    state->kv = kv_space_new(&(struct kv_space_options){.folder = options->folder,
                                                        .max_entries = options->kv_max_entries,
                                                        .max_bytes = options->kv_max_bytes,
                                                        .is_shared = true});
    state->metrics = metrics_new();
    return state;
}

int router_state_close(struct router_state *state)
{
    int err;

    if (state == NULL)
        return 0;
    err = close_space(state->kv);
    metrics_free(state->metrics);
    mem_free(state);
    return err;
}
