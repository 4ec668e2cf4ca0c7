/* candidates.c -- see candidates.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/candidates.h"

#include "core/amend.h"
#include "core/audience.h"
#include "core/core_priv.h"
#include "core/filter.h"

/* Those who could get a publication, being visited. */
struct candidates {
    const struct session *excluded;
    struct filter_set filters;
    const struct audience_test *rule; /* NULL: everybody */
    struct slice rkey;
    candidate_fn *fn;
    void *ctx;
    bool is_over;
};

static bool is_candidate(const struct candidates *c, const struct member *member,
                         const struct shard *shard)
{
    const struct session *session = member->session;

    return session != c->excluded && (shard == NULL || !shard_is_elsewhere(member, shard)) &&
           filters_pass(&c->filters, session) &&
           (c->rule == NULL || audience_admits(c->rule, session));
}

static void visit(void *ctx, struct match_entry *entry)
{
    const struct subscription *sub = container_of(entry, struct subscription, entry);
    struct candidates *c = ctx;
    const struct shard *shard = c->rkey.data == NULL ? NULL : broker_choose_shard(sub, c->rkey);

    for (size_t i = 0; i < sub->member_count && !c->is_over; i++)
        if (is_candidate(c, sub->members[i], shard))
            c->is_over = !c->fn(c->ctx, sub->members[i]->session);
}

void core_each_candidate(struct core *core, const struct question *question,
                         const struct grant *grant, candidate_fn *fn, void *ctx)
{
    static const struct grant nothing = {0};
    const struct session *session = map_get(&core->by_id, question->session, 0);
    struct candidates c = {.fn = fn, .ctx = ctx};
    struct audience_publisher publisher = {.session = session};
    struct amended amended;
    struct fault fault;

    if (session == NULL)
        return;
    if (question->ask == ASK_RETAINED) {
        (void)fn(ctx, session);
        return;
    }
    if (amend_request(core, session, question->msg, &question->given,
                      grant == NULL ? &nothing : grant, &amended) != NULL ||
        !uri_is_valid(amended.msg.text, MATCH_EXACT, core->options.strict_uris) ||
        filters_build(&c.filters, &amended.options, amended.msg.codec, &core->intern,
                      core->options.empty_eligible_is_absent, &core->scratch, &fault) < 0)
        return; /* nobody will get it */
    c.excluded = amended.options.exclude_me ? session : NULL;
    c.rkey = amended.options.rkey;
    if (question->given.audience != NULL)
        c.rule = audience_read(question->given.audience, core, &publisher);
    match_all(&core->broker.index, amended.msg.text, visit, &c);
}

const struct session *core_candidate(const struct core *core, uint64_t session)
{
    return map_get(&core->by_id, session, 0);
}

uint64_t core_candidate_id(const struct session *session)
{
    return session->id;
}

bool core_candidate_has(const struct core *core, const struct session *session,
                        struct slice attribute, const struct token *value)
{
    uint32_t key = intern_find_text(&core->intern, attribute);
    uint32_t number = intern_find_token(&core->intern, value);

    if (number == INTERN_NONE)
        return false;
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == key && session->tags[i].value == number)
            return true;
    return false;
}

struct search {
    const struct session *excluded;
    bool found;
};

static void look_for(void *ctx, struct match_entry *entry)
{
    const struct subscription *sub = container_of(entry, struct subscription, entry);
    struct search *search = ctx;

    search->found |= sub->log != NULL || sub->member_count > 1 ||
                     (sub->member_count == 1 && sub->members[0]->session != search->excluded);
}

bool candidates_exist(const struct core *core, struct slice topic, const struct session *excluded)
{
    struct search search = {excluded, false};

    match_all(&core->broker.index, topic, look_for, &search);
    return search.found;
}
