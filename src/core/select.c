/* select.c -- see select.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/select.h"

#include "core/core_priv.h"
#include "core/shard.h"

static bool is_busy(const struct core *core, const struct callee *callee)
{
    uint32_t max = core->options.callee_max_pending;

    return (callee->concurrency != 0 && callee->pending >= callee->concurrency) ||
           (max != 0 && !callee->session->is_trusted && callee->session->invocation_count >= max);
}

static bool was_tried(const struct selection *s, const struct callee *callee)
{
    for (size_t i = 0; i < s->tried_count; i++)
        if (s->tried[i] == callee->session->id)
            return true;
    return false;
}

static bool is_candidate(const struct core *core, const struct selection *s,
                         const struct callee *callee)
{
    return !is_busy(core, callee) && (callee->session->features & s->features) == s->features &&
           !was_tried(s, callee);
}

/* The shard of the call: the highest score among those not tried. A busy one does not pass it
 * on: a shard is a shard. */
static struct callee *select_shard(const struct core *core, const struct registration *reg,
                                   const struct selection *s)
{
    struct callee *best = NULL;
    uint64_t best_score = 0;

    for (size_t i = 0; i < reg->callee_count; i++) {
        struct callee *callee = reg->callees[i];
        uint64_t score = shard_score(s->rkey, callee->nkey);

        if (was_tried(s, callee))
            continue;
        if (best == NULL || shard_beats(score, callee->nkey, best_score, best->nkey)) {
            best = callee;
            best_score = score;
        }
    }
    return best != NULL && is_candidate(core, s, best) ? best : NULL;
}

static struct callee *select_random(struct core *core, const struct registration *reg,
                                    const struct selection *s)
{
    struct callee *chosen = NULL;
    uint64_t seen = 0;

    for (size_t i = 0; i < reg->callee_count; i++)
        if (is_candidate(core, s, reg->callees[i]) && rng_below(&core->rng, ++seen) == 0)
            chosen = reg->callees[i];
    return chosen;
}

/* Where the walk over the callees begins: after the one that has just refused. */
static size_t place_after_refusal(const struct registration *reg, const struct selection *s,
                                  size_t otherwise)
{
    for (size_t i = 0; s->tried_count != 0 && i < reg->callee_count; i++)
        if (reg->callees[i]->session->id == s->tried[s->tried_count - 1])
            return i + 1;
    return otherwise;
}

static struct callee *select_roundrobin(const struct core *core, struct registration *reg,
                                        const struct selection *s)
{
    size_t start = place_after_refusal(reg, s, reg->cursor);

    for (size_t i = 0; i < reg->callee_count; i++) {
        size_t place = (start + i) % reg->callee_count;

        if (!is_candidate(core, s, reg->callees[place]))
            continue;
        reg->cursor = place + 1; /* behind the last: whoever comes next, else the first */
        return reg->callees[place];
    }
    return NULL;
}

static struct callee *select_first(const struct core *core, const struct registration *reg,
                                   const struct selection *s)
{
    for (size_t i = place_after_refusal(reg, s, 0); i < reg->callee_count; i++)
        if (is_candidate(core, s, reg->callees[i]))
            return reg->callees[i];
    return NULL;
}

static struct callee *select_last(const struct core *core, const struct registration *reg,
                                  const struct selection *s)
{
    size_t refused = place_after_refusal(reg, s, reg->callee_count + 1) - 1;

    for (size_t i = refused; i-- > 0;)
        if (is_candidate(core, s, reg->callees[i]))
            return reg->callees[i];
    return NULL;
}

struct callee *select_callee(struct core *core, struct registration *reg, const struct selection *s)
{
    if (s->rkey.data != NULL)
        return select_shard(core, reg, s);
    switch (reg->invoke) {
    case INVOKE_ROUNDROBIN:
        return select_roundrobin(core, reg, s);
    case INVOKE_RANDOM:
        return select_random(core, reg, s);
    case INVOKE_LAST:
        return select_last(core, reg, s);
    case INVOKE_SINGLE:
    case INVOKE_FIRST:
    case INVOKE_COUNT:
        break;
    }
    return select_first(core, reg, s);
}
