/* late.c -- see late.h.
 *
 * What waits are names of topics; which events they have is looked up when it is their turn. The
 * event that is asked about is held.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/late.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/audience.h"
#include "core/core_priv.h"
#include "core/details.h"
#include "core/limits.h"
#include "core/look.h"
#include "core/retained.h"

/* What one SUBSCRIBE is still to bring. */
struct late {
    struct list in_session; /* session->late */
    struct member *member;  /* borrowed */
    struct question question;
    struct look publisher;   /* of the record */
    struct record *record;   /* held: what is asked about */
    struct slice *topics;    /* owned array of owned texts: those behind it; data NULL: over */
    size_t next, count, cap; /* of topics */
    unsigned left;           /* events that it may still bring */
};

void late_init(struct core *core)
{
    map_init(&core->late.asks, rng_u64(&core->rng));
}

void late_fini(struct core *core)
{
    CHECK(core->late.asks.count == 0);
    map_fini(&core->late.asks);
}

/* ---- questions ---- */

static void late_free(struct core *core, struct late *late)
{
    map_remove(&core->late.asks, late->question.id, 0);
    list_remove(&late->in_session);
    record_drop(late->record);
    for (size_t i = 0; i < late->count; i++)
        mem_free((void *)(uintptr_t)late->topics[i].data);
    mem_free(late->topics);
    mem_free(late);
}

static struct late *find_late(const struct member *member)
{
    list_each (&member->session->late, node, after) {
        struct late *late = container_of(node, struct late, in_session);

        if (late->member == member)
            return late;
    }
    return NULL;
}

static void ask(struct core *core, struct late *late, struct record *record)
{
    const struct session *session = late->member->session;

    late->record = record_hold(record);
    late->publisher = (struct look){.id = record->publisher,
                                    .authid = record->authid,
                                    .authrole = record->authrole,
                                    .codec = DETAILS_CODEC,
                                    .details = record->details,
                                    .trustlevel = record->trustlevel};
    late->question = (struct question){.id = ++core->last_question,
                                       .ask = ASK_RETAINED,
                                       .peer = session->peer,
                                       .session = session->id,
                                       .msg = &record->msg,
                                       .needs = NEEDS_FILTER,
                                       .action = RULE_PUBLISH,
                                       .match = MATCH_EXACT,
                                       .publication = record->publication,
                                       .publisher = &late->publisher};
    map_put(&core->late.asks, late->question.id, 0, late);
    outbox_ask(core->out, session->peer, late->question.id);
}

static void add_topic(struct late *late, struct slice topic)
{
    if (late->count == late->cap) {
        late->cap = late->cap == 0 ? 8 : late->cap * 2;
        late->topics = mem_grow(late->topics, late->cap * sizeof *late->topics);
    }
    late->topics[late->count++] = slice_make(mem_copy(topic.data, topic.len), topic.len);
}

/* ---- what there is for a member ---- */

/* A look at topics, one after the other. */
struct search {
    struct core *core;
    struct member *member;
    const struct record *after; /* only those that are older; NULL: all */
    struct record *found;       /* RETAINED_ASK: the one to ask about; borrowed */
    unsigned left;
    struct late *late; /* where topics wait; NULL: none has to */
};

/* Sends the newest event of the topic that the member may have. Returns true when it has to be
 * asked about first. */
static bool choose(struct search *search, struct record *const *newest_first, size_t count)
{
    size_t i = 0;

    if (search->after != NULL) {
        while (i < count && newest_first[i] != search->after)
            i++;
        i++;
    }
    for (; i < count; i++) {
        enum retained_answer answer = retained_judge(search->core, search->member, newest_first[i]);

        if (answer == RETAINED_NO)
            continue;
        search->found = newest_first[i];
        if (answer == RETAINED_ASK)
            return true;
        retained_send(search->core, search->member, newest_first[i]);
        search->left--;
        return false;
    }
    return false;
}

static size_t count_late(const struct session *session)
{
    size_t count = 0;

    list_each (&session->late, node, after)
        count++;
    return count;
}

/* A topic that the SUBSCRIBE brings; those behind one that is asked about wait. */
static void begin_topic(void *ctx, struct slice topic, struct record *const *newest_first,
                        size_t count)
{
    struct search *search = ctx;

    if (search->left == 0)
        return;
    if (search->late != NULL) {
        if (search->late->count < search->left)
            add_topic(search->late, topic);
        return;
    }
    if (!choose(search, newest_first, count) || count_late(search->member->session) >= MAX_LATE)
        return;
    search->late = mem_zero(1, sizeof *search->late);
    search->late->member = search->member;
    search->late->left = search->left;
    list_append(&search->member->session->late, &search->late->in_session);
    ask(search->core, search->late, search->found);
}

void late_begin(struct core *core, struct member *member)
{
    const struct match_entry *entry = &member->subscription->entry;
    struct search search = {.core = core, .member = member, .left = MAX_RETAINED_AT_ONCE};

    late_forget(core, member); /* what an earlier SUBSCRIBE was to bring comes with this one */
    core->store.ops->retained(core->store.store, entry->match, entry->uri, SIZE_MAX, begin_topic,
                              &search);
}

/* ---- going on ---- */

static void go_on_topic(void *ctx, struct slice topic, struct record *const *newest_first,
                        size_t count)
{
    struct search *search = ctx;

    (void)topic;
    if (choose(search, newest_first, count))
        ask(search->core, search->late, search->found);
}

/* The question is answered: other events of its topic, if `is_denied`, then those that wait. */
static void go_on(struct core *core, struct late *late, bool is_denied)
{
    struct search search = {.core = core, .member = late->member, .late = late, .left = late->left};
    struct record *record = late->record;

    map_remove(&core->late.asks, late->question.id, 0);
    late->record = NULL;
    late->question.id = 0;
    if (is_denied) {
        search.after = record;
        core->store.ops->retained(core->store.store, MATCH_EXACT, record->msg.text, 1, go_on_topic,
                                  &search);
        search.after = NULL;
    }
    record_drop(record);
    while (late->record == NULL && late->next < late->count && search.left != 0) {
        struct slice topic = late->topics[late->next++];

        if (topic.data != NULL)
            core->store.ops->retained(core->store.store, MATCH_EXACT, topic, 1, go_on_topic,
                                      &search);
    }
    late->left = search.left;
    if (late->record == NULL)
        late_free(core, late);
}

/* Whether the late subscriber is in it; NULL: everybody is. */
static bool is_in(struct core *core, const struct late *late, const struct audience *audience)
{
    const struct audience_publisher publisher = {.codec = DETAILS_CODEC,
                                                 .details = late->record->details};

    if (audience == NULL)
        return true;
    core->counters.filter_per_session += audience_per_session(audience);
    return audience_admits(audience_read(audience, core, &publisher), late->member->session);
}

bool late_decide(struct core *core, const struct decision *decision)
{
    struct late *late = map_get(&core->late.asks, decision->question, 0);
    bool is_allowed;

    if (late == NULL)
        return false;
    CHECK(decision->verdict == VERDICT_ALLOW || decision->verdict == VERDICT_DENY);
    is_allowed = decision->verdict == VERDICT_ALLOW &&
                 is_in(core, late, decision->grant.audience) &&
                 is_in(core, late, decision->audience);
    if (is_allowed) {
        retained_send(core, late->member, late->record);
        late->left--;
    } else {
        core->counters.filtered++;
    }
    go_on(core, late, !is_allowed);
    return true;
}

void late_overtake(struct core *core, struct member *member, struct slice topic)
{
    struct late *late = find_late(member);

    if (late == NULL)
        return;
    for (size_t i = late->next; i < late->count; i++) {
        if (!slice_eq(late->topics[i], topic))
            continue;
        mem_free((void *)(uintptr_t)late->topics[i].data);
        late->topics[i] = (struct slice){0};
    }
    if (!slice_eq(late->record->msg.text, topic))
        return;
    outbox_unask(core->out, member->session->peer, late->question.id);
    go_on(core, late, false);
}

void late_forget(struct core *core, struct member *member)
{
    struct late *late;

    if (LIKELY(list_is_empty(&member->session->late)))
        return;
    late = find_late(member);
    if (late == NULL)
        return;
    outbox_unask(core->out, member->session->peer, late->question.id);
    late_free(core, late);
}

const struct question *late_question(const struct core *core, uint64_t id)
{
    const struct late *late = map_get(&core->late.asks, id, 0);

    return late == NULL ? NULL : &late->question;
}

size_t late_check(const struct core *core, const struct session *session)
{
    size_t count = 0;

    list_each (&session->late, node, after) {
        const struct late *late = container_of(node, struct late, in_session);

        CHECK(late->record != NULL && late->question.msg == &late->record->msg);
        CHECK(late->member->session == session && find_late(late->member) == late);
        CHECK(map_get(&core->late.asks, late->question.id, 0) == late);
        CHECK(late->next <= late->count && late->left <= MAX_RETAINED_AT_ONCE);
        count++;
    }
    CHECK(count <= MAX_LATE);
    return count;
}
