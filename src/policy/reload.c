/* reload.c -- see reload.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/reload.h"

#include "base/audit.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/admin.h"
#include "policy/handlers.h"
#include "policy/waiting.h"
#include "policy/watch.h"

#include <stdio.h>

#define DRAIN_MS   30000
#define LOOK_MS    1000  /* between two looks at a state that was out of memory */
#define REBUILD_MS 10000 /* between two states made of the same version */

static const char drain_words[] = "this version of the policy is not the current one any more";
static const char full_words[] = "the memory of the policy was full, and its state was made anew";

/* One reload, or one that waits for its turn. */
struct reload {
    uv_work_t work;
    struct list link;             /* reloads->waiting */
    struct reloads *reloads;      /* NULL: the realm has ended */
    const struct policy_use *use; /* what the other thread needs; NULL: as the realm has it then */
    struct source *source;        /* held; of a roll back, or what was read */
    bool is_check_only, is_roll_back;
    struct list wishes; /* struct reload_wish */
    char by[64];
    char words[MAX_RELOAD_LEN]; /* what is wrong; empty: nothing */
};

/* Failures of hooks by their names, in one version. */
struct failures {
    struct {
        const char *hook; /* static; NULL: free */
        uint64_t count;
    } of[24];
};

struct reloads {
    struct mind *mind;
    const struct policy_use *use;
    struct reload *current; /* under way */
    struct list waiting;
    struct watch *watch;
    struct kept_version kept[KEPT_VERSIONS];
    size_t kept_count;
    struct failures failures, failures_before; /* of the running version, of the one before */
    uint64_t probation_ends;                   /* realm_now; 0: it is over */
    uint64_t failed;
    struct realm_timer look;          /* whether the state is full of what is no garbage */
    uint64_t look_from, rebuild_from; /* realm_now; not before */
    uint64_t rebuilt;
};

/* ---- versions that are kept ---- */

static void keep(struct reloads *reloads, struct source *source, const char *by)
{
    struct kept_version *kept = reloads->kept;

    if (reloads->kept_count == KEPT_VERSIONS)
        source_drop(kept[--reloads->kept_count].source);
    memmove(kept + 1, kept, reloads->kept_count * sizeof(*kept));
    kept[0] = (struct kept_version){source_hold(source), realm_wall(reloads->mind->realm), ""};
    snprintf(kept[0].by, sizeof(kept[0].by), "%s", by);
    reloads->kept_count++;
}

const struct kept_version *reloads_history(const struct reloads *reloads, size_t i)
{
    return i < reloads->kept_count ? &reloads->kept[i] : NULL;
}

uint64_t reloads_failures(const struct reloads *reloads)
{
    return reloads->failed;
}

/* ---- another thread ---- */

static void say(void *ctx, const char *line)
{
    struct reload *reload = ctx;
    size_t len = strlen(reload->words);

    snprintf(reload->words + len, sizeof(reload->words) - len, "%s%s", len == 0 ? "" : "\n", line);
}

static void on_work(uv_work_t *work)
{
    struct reload *reload = work->data;
    const struct policy_use *use = reload->use;
    char words[SOURCE_WORDS_LEN];
    struct policy *policy;

    if (reload->source == NULL)
        reload->source = source_read_with(use->path, use->config.settings_file, words);
    if (reload->source == NULL) {
        say(reload, words);
        return;
    }
    policy = policy_of_source(reload->source, &use->config, say, reload);
    policy_free(policy);
}

/* ---- the change of versions ---- */

/* Its fibers have had their time. */
static void on_drained(struct realm_timer *timer)
{
    struct version *version = container_of(timer, struct version, drain);

    version->refs++;
    version_end(version, drain_words);
    version_drop(version);
}

static void retire(struct mind *mind, struct version *version)
{
    tasks_stop(version);
    waiting_forget(version);
    version->drain.fire = on_drained;
    realm_set_timer(mind->realm, &version->drain, realm_now(mind->realm) + DRAIN_MS);
    version_drop(version); /* it lives as long as somebody needs it */
}

void reload_core_options(const struct policy *policy, struct core_options *options)
{
    options->rules = policy->rules;
    options->limits = policy->limits;
    options->limit_count = policy->limit_count;
    options->expose = policy->expose;
    options->filterable = policy->filterable;
    options->intercepts = 0;
    for (unsigned i = 0; i < ARRAY_LEN(policy->intercepts); i++)
        options->intercepts |= policy->intercepts[i] ? 1U << i : 0;
    options->asks_filter = policy->has_filter;
}

static struct slice *declared_names(const struct policy *policy)
{
    struct slice *names = mem_alloc((policy->attribute_count + 1) * sizeof(*names));

    for (size_t i = 0; i < policy->attribute_count; i++)
        names[i] = policy->attributes[i].name;
    return names;
}

static void swap(struct reload *reload, struct policy *policy)
{
    struct mind *mind = reload->reloads->mind;
    struct version *before = mind->current;
    struct core_options options;
    struct slice *declared = declared_names(policy);
    struct renewal renewal = {.options = &options,
                              .declared = declared,
                              .declared_count = policy->attribute_count,
                              .rechecks = reload->use->rechecks};
    struct event ev = {.type = EV_RULES, .renewal = &renewal};

    bool was_held = fibers_hold(&mind->fibers); /* all of it, before code sees some of it */

    core_defaults(&options);
    reload_core_options(policy, &options);
    mind->current = mind_version(mind, policy);
    realm_step(mind->realm, &ev);
    mem_free(declared);
    handlers_swap(mind, before);
    if (before != NULL)
        lifecycle_unloaded(mind, before); /* the old one first: it may leave something to the new */
    lifecycle_loaded(mind, before);
    if (before != NULL)
        retire(mind, before);
    fibers_release(&mind->fibers, was_held);
}

/* A state is made of what was checked, and takes over. */
static void take_over(struct reload *reload)
{
    struct reloads *reloads = reload->reloads;
    struct mind *mind = reloads->mind;
    struct policy *policy = policy_instance(reload->source, &reload->use->config, mind->state,
                                            realm_name(mind->realm), say, reload);
    struct slice taken;
    char line[300];

    if (policy == NULL)
        return;
    if (handlers_conflict(mind, policy, &taken)) {
        snprintf(line, sizeof(line), "%s: policy.procedures[\"%.*s\"]: a client has registered it",
                 source_entry(reload->source)->label, SLICE_ARG(taken));
        say(reload, line);
        policy_free(policy);
        return;
    }
    swap(reload, policy);
}

/* ---- what comes of it ---- */

static void begin_next(struct reloads *reloads);

static void tell(struct reload *reload, const struct reload_report *report)
{
    list_each (&reload->wishes, node, after) {
        struct reload_wish *wish = container_of(node, struct reload_wish, link);

        list_remove(node);
        wish->told(wish, report);
    }
}

static void write_log(const struct reload *reload, const struct reload_report *report)
{
    const struct mind *mind = reload->reloads->mind;

    if (!report->is_done)
        log_line(LOG_ERROR, "policy-reload-failed", report->words, "realm", realm_name(mind->realm),
                 "by", reload->by, "version", report->previous, NULL);
    else if (report->is_new)
        log_line(LOG_INFO, reload->is_roll_back ? "policy-rolled-back" : "policy-reloaded",
                 reload->is_roll_back ? "a version from before decides again"
                                      : "another version of the policy decides",
                 "realm", realm_name(mind->realm), "by", reload->by, "version", report->version,
                 "previous", report->previous, NULL);
    if (!report->is_done || report->is_new)
        audit_reload("policy", realm_name(mind->realm), report->version, reload->by, report->words);
}

static void note_success(struct reload *reload, const char *previous)
{
    struct reloads *reloads = reload->reloads;
    bool is_same_source = strcmp(source_version(reload->source), previous) == 0;

    reloads->use = reloads->mind->use = reload->use;
    if (!is_same_source)
        keep(reloads, reload->source, reload->by);
    reloads->failures_before = reloads->failures;
    reloads->failures = (struct failures){0};
    reloads->probation_ends = 0;
    if (reloads->use->probation_ms != 0 && !reload->is_roll_back && *previous != '\0' &&
        !is_same_source)
        reloads->probation_ends = realm_now(reloads->mind->realm) + reloads->use->probation_ms;
    if (reloads->watch != NULL)
        watch_source(reloads->watch, reload->source);
}

static void finish(struct reload *reload)
{
    struct reloads *reloads = reload->reloads;
    struct mind *mind = reloads->mind;
    char previous[SOURCE_VERSION_LEN + 1] = "";
    struct reload_report report = {.previous = previous};
    bool is_same = false;

    if (mind->current != NULL)
        memcpy(previous, policy_version(mind->current->policy), sizeof(previous));
    if (*reload->words == '\0' && !reload->is_check_only) {
        is_same =
            reload->use == reloads->use && strcmp(source_version(reload->source), previous) == 0;
        if (!is_same)
            take_over(reload);
    }
    report.is_done = *reload->words == '\0';
    report.is_new = report.is_done && !is_same && !reload->is_check_only;
    report.words = report.is_done ? NULL : reload->words;
    report.version = reload->source == NULL ? "" : source_version(reload->source);
    if (report.is_new)
        note_success(reload, previous);
    if (!report.is_done && !reload->is_check_only) {
        reloads->failed++;
        counts_failed_reload(&mind->counts);
    }
    if (!reload->is_check_only) {
        write_log(reload, &report);
        admin_publish_reload(mind, reload->by, &report);
    }
    tell(reload, &report);
}

static void reload_free(struct reload *reload)
{
    source_drop(reload->source);
    mem_free(reload);
}

static void on_worked(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    struct reloads *reloads = reload->reloads;

    (void)status;
    if (reloads == NULL) { /* the realm has ended meanwhile */
        reload_free(reload);
        return;
    }
    reloads->current = NULL;
    finish(reload);
    reload_free(reload);
    begin_next(reloads);
}

static void begin_next(struct reloads *reloads)
{
    struct list *node = list_first(&reloads->waiting);

    if (reloads->current != NULL || node == NULL || reloads->mind->is_stopped)
        return;
    list_remove(node);
    reloads->current = container_of(node, struct reload, link);
    if (reloads->current->use == NULL)
        reloads->current->use = reloads->use;
    CHECK(uv_queue_work(realm_loop(reloads->mind->realm), &reloads->current->work, on_work,
                        on_worked) == 0);
}

static struct reload *add(struct reloads *reloads, const char *by, struct reload_wish *wish)
{
    struct reload *reload = mem_zero(1, sizeof(*reload));

    reload->work.data = reload;
    reload->reloads = reloads;
    list_init(&reload->wishes);
    if (wish != NULL)
        list_append(&reload->wishes, &wish->link);
    snprintf(reload->by, sizeof(reload->by), "%s", by);
    list_append(&reloads->waiting, &reload->link);
    return reload;
}

void reloads_wish(struct reloads *reloads, const char *by, struct reload_wish *wish)
{
    static const struct reload_report nowhere = {
        .words = "this policy is in no file, so it cannot be read again",
        .version = "",
        .previous = ""};
    struct list *last = reloads->waiting.prev;

    if (reloads->use->path == NULL) {
        if (wish != NULL)
            wish->told(wish, &nowhere);
        return;
    }
    if (last != &reloads->waiting) { /* one that has not begun does for both */
        struct reload *reload = container_of(last, struct reload, link);

        if (!reload->is_roll_back && !reload->is_check_only) {
            if (wish != NULL)
                list_append(&reload->wishes, &wish->link);
            return;
        }
    }
    (void)add(reloads, by, wish);
    begin_next(reloads);
}

void reloads_configure(struct reloads *reloads, const struct policy_use *use, const char *by)
{
    add(reloads, by, NULL)->use = use;
    begin_next(reloads);
}

void reloads_check(struct reloads *reloads, struct reload_wish *wish)
{
    add(reloads, "check", wish)->is_check_only = true;
    begin_next(reloads);
}

bool reloads_roll_back(struct reloads *reloads, const char *version, const char *by,
                       struct reload_wish *wish)
{
    for (size_t i = 0; i < reloads->kept_count; i++) {
        struct reload *reload;

        if (strcmp(source_version(reloads->kept[i].source), version) != 0)
            continue;
        reload = add(reloads, by, wish);
        reload->is_roll_back = true;
        reload->source = source_hold(reloads->kept[i].source);
        begin_next(reloads);
        return true;
    }
    return false;
}

bool reloads_is_busy(const struct reloads *reloads)
{
    return reloads->current != NULL;
}

/* ---- probation ---- */

static uint64_t *failures_of(struct failures *failures, const char *hook)
{
    size_t i = 0;

    while (i < ARRAY_LEN(failures->of) - 1 && failures->of[i].hook != NULL &&
           strcmp(failures->of[i].hook, hook) != 0)
        i++;
    failures->of[i].hook = hook;
    return &failures->of[i].count;
}

void reloads_note_failure(struct reloads *reloads, const struct fiber *fiber)
{
    struct mind *mind = reloads->mind;
    const char *hook = fiber->kind->hook;
    uint64_t *count;

    if (fiber->version != mind->current)
        return;
    count = failures_of(&reloads->failures, hook);
    ++*count;
    if (reloads->probation_ends == 0 || reloads->kept_count < 2 || mind->is_stopped)
        return;
    if (realm_now(mind->realm) >= reloads->probation_ends) {
        reloads->probation_ends = 0;
        return;
    }
    if (*failures_of(&reloads->failures_before, hook) != 0)
        return; /* it is no worse than the one before */
    reloads->probation_ends = 0;
    log_line(LOG_WARN, "policy-on-probation", "the new version fails where the old one did not",
             "realm", realm_name(mind->realm), "hook", hook, NULL);
    (void)reloads_roll_back(reloads, source_version(reloads->kept[1].source), "probation", NULL);
}

/* ---- memory that has run out ---- */

/* Less than a quarter is free. */
static bool is_full(const struct mind *mind)
{
    const struct vm *vm = mind->current->policy->vm;

    return vm_memory(vm) > vm_memory_max(vm) / 4 * 3;
}

/* A new state of the running version takes over; what waits in the old one ends as an error. */
static void rebuild(struct reloads *reloads)
{
    struct mind *mind = reloads->mind;
    struct version *full = mind->current;
    struct reload *reload = mem_zero(1, sizeof(*reload)); /* never queued: for the words */

    reload->reloads = reloads;
    reload->use = reloads->use;
    reload->source = source_hold(full->policy->source);
    full->refs++;
    take_over(reload);
    if (*reload->words == '\0') {
        reloads->rebuilt++;
        counts_rebuilt(&mind->counts);
        log_line(LOG_WARN, "policy-rebuilt",
                 "the state of the policy was full; a new one of the same version decides", "realm",
                 realm_name(mind->realm), "version", policy_version(full->policy), NULL);
        version_end(full, full_words);
    } else {
        log_line(LOG_ERROR, "policy-rebuild-failed", reload->words, "realm",
                 realm_name(mind->realm), "version", policy_version(full->policy), NULL);
    }
    version_drop(full);
    source_drop(reload->source);
    mem_free(reload);
}

static void on_look(struct realm_timer *timer)
{
    struct reloads *reloads = container_of(timer, struct reloads, look);
    struct mind *mind = reloads->mind;
    uint64_t now = realm_now(mind->realm);

    if (mind->is_stopped || mind->current == NULL || !is_full(mind))
        return;
    vm_collect(mind->current->policy->vm, true);
    counts_memory(&mind->counts, vm_memory(mind->current->policy->vm));
    if (!is_full(mind) || now < reloads->rebuild_from || reloads->current != NULL)
        return;
    reloads->rebuild_from = now + REBUILD_MS;
    rebuild(reloads);
}

void reloads_note_memory(struct reloads *reloads, const struct fiber *fiber)
{
    struct mind *mind = reloads->mind;
    uint64_t now = realm_now(mind->realm);

    if (fiber->version != mind->current || mind->is_stopped || now < reloads->look_from)
        return;
    reloads->look_from = now + LOOK_MS;
    realm_set_timer(mind->realm, &reloads->look, now);
}

uint64_t reloads_rebuilt(const struct reloads *reloads)
{
    return reloads->rebuilt;
}

/* ---- the beginning and the end ---- */

static void on_change(void *ctx)
{
    reloads_wish(ctx, "file", NULL);
}

struct reloads *reloads_new(struct mind *mind, const struct policy_use *use)
{
    struct reloads *reloads = mem_zero(1, sizeof(*reloads));

    reloads->mind = mind;
    reloads->use = use;
    reloads->look.fire = on_look;
    list_init(&reloads->waiting);
    return reloads;
}

void reloads_start(struct reloads *reloads)
{
    struct mind *mind = reloads->mind;

    if (mind->current == NULL)
        return;
    keep(reloads, mind->current->policy->source, "start");
    if (!reloads->use->is_watched || reloads->use->path == NULL)
        return;
    reloads->watch = watch_new(mind->realm, reloads->use->path, on_change, reloads);
    watch_source(reloads->watch, mind->current->policy->source);
}

void reloads_stop(struct reloads *reloads)
{
    static const struct reload_report over = {
        .words = "the realm is closing", .version = "", .previous = ""};

    watch_free(reloads->watch);
    reloads->watch = NULL;
    realm_clear_timer(reloads->mind->realm, &reloads->look);
    if (reloads->current != NULL) {
        tell(reloads->current, &over);
        reloads->current->reloads = NULL;
    }
    reloads->current = NULL;
    list_each (&reloads->waiting, node, after) {
        struct reload *reload = container_of(node, struct reload, link);

        list_remove(node);
        tell(reload, &over);
        reload_free(reload);
    }
}

void reloads_free(struct reloads *reloads)
{
    while (reloads->kept_count != 0)
        source_drop(reloads->kept[--reloads->kept_count].source);
    mem_free(reloads);
}
