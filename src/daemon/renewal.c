/* renewal.c -- see renewal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/renewal.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* One reading that has changed something. The router borrows from it. */
struct reading {
    struct reading *before; /* owned */
    struct arena arena;
    struct report report;
    struct config config;
    struct node *root;
    struct policy_changes *changes; /* owned: of all realms that are not as at the start */
};

struct renewals {
    const struct flags *flags;
    const struct node *first;
    struct policies *policies;
    struct reading *last; /* owned; NULL: nothing has changed so far */
};

static const struct policy_changes no_changes = {.by = "SIGHUP"};

/* ---- reading ---- */

static void log_refused(const char *words)
{
    log_line(LOG_ERROR, "configuration-refused", words, NULL);
}

/* Runs a command of this program; its lines on standard error are logged. Returns its status, or -1. */
static int run(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int ends[2], status = -1;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    errno = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    close(ends[1]);
    if (errno == 0) {
        FILE *lines = fdopen(ends[0], "r");
        char line[1024];

        while (lines != NULL && fgets(line, sizeof(line), lines) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            log_line(LOG_WARN, "configuration-read", line, NULL);
        }
        if (lines != NULL)
            fclose(lines);
        if (waitpid(pid, &status, 0) < 0)
            status = -1;
    } else {
        close(ends[0]);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

/* The file is a program, and one that never ends would end this process: so another one looks first. */
static bool is_sound(const char *file)
{
    static char name[] = "nexusd", config[] = "--config", print[] = "--print-config";

    return run((char *[]){name, config, (char *)(uintptr_t)file, print, NULL}) == 0;
}

static void reading_free(struct reading *reading)
{
    mem_free(reading->changes);
    if (reading->root != NULL)
        config_fini(&reading->config);
    report_fini(&reading->report);
    arena_fini(&reading->arena);
    mem_free(reading);
}

static struct reading *read_again(const struct flags *flags)
{
    struct reading *reading;

    if (!is_sound(flags->config)) {
        log_refused("the configuration is wrong, and stays as it was");
        return NULL;
    }
    reading = mem_zero(1, sizeof(*reading));
    arena_init(&reading->arena);
    report_init(&reading->report, flags->config);
    reading->root = config_read(flags->config, &reading->arena, &reading->report);
    if (reading->root != NULL) {
        flags_override(flags, reading->root, &reading->arena);
        if (config_check(&reading->config, reading->root, &reading->report) == 0)
            return reading;
    }
    log_refused("the configuration has changed while it was read, and stays as it was");
    reading_free(reading);
    return NULL;
}

/* ---- what differs ---- */

/* Of a realm: what its policy is given, and how it is read. */
static const char *const live[] = {"settings",     "secrets",   "http_hosts", "http_ca_file",
                                   "other_realms", "c_modules", "memory",     "budgets",
                                   "recheck",      "probation"};

static bool is_live(const struct node *node)
{
    for (size_t i = 0; node->key != NULL && i < ARRAY_LEN(live); i++) {
        if (strcmp(node->key, live[i]) == 0)
            return true;
    }
    return false;
}

/* The child that stands in the same place; NULL: none does. */
static const struct node *twin(const struct node *table, const struct node *of)
{
    const struct node *child = table->first;

    if (of->key != NULL)
        return node_find(table, of->key);
    while (child != NULL && (child->key != NULL || child->index != of->index))
        child = child->next;
    return child;
}

static bool is_same(const struct node *a, const struct node *b);

static bool has_all(const struct node *table, const struct node *of)
{
    for (const struct node *child = of->first; child != NULL; child = child->next) {
        const struct node *other = twin(table, child);

        if (other == NULL || !is_same(child, other))
            return false;
    }
    return true;
}

/* NULL is what is not there. */
static bool is_same(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL || a->type != b->type)
        return a == b;
    switch (a->type) {
    case NODE_BOOL:
        return a->boolean == b->boolean;
    case NODE_INT:
        return a->integer == b->integer;
    case NODE_REAL:
        return !(a->real < b->real) && !(a->real > b->real);
    case NODE_TEXT:
    case NODE_OTHER:
        return strcmp(a->text, b->text) == 0;
    case NODE_TABLE:
        return has_all(a, b) && has_all(b, a);
    }
    return false;
}

static void say_restart(const struct node *node)
{
    log_line(LOG_WARN, "needs-restart",
             "the configuration says something else now, which begins with the next start",
             "option", node->name, NULL);
}

typedef void compare_fn(const struct node *then, const struct node *now);

/* Each child of two tables, with its twin or NULL for it. */
static void each_pair(const struct node *then, const struct node *now, compare_fn *fn)
{
    for (const struct node *child = now->first; child != NULL; child = child->next)
        fn(twin(then, child), child);
    for (const struct node *child = then->first; child != NULL; child = child->next) {
        if (twin(now, child) == NULL)
            fn(child, NULL);
    }
}

static bool is_table(const struct node *node)
{
    return node != NULL && node->type == NODE_TABLE;
}

static void compare(const struct node *then, const struct node *now)
{
    const struct node *there = now == NULL ? then : now;

    CHECK(there != NULL);
    if (is_table(then) && is_table(now))
        each_pair(then, now, compare);
    else if (!is_same(then, now))
        say_restart(there);
}

static void compare_of_realm(const struct node *then, const struct node *now)
{
    bool is_the_policys = now == NULL ? is_live(then) : is_live(now);

    if (!is_the_policys)
        compare(then, now);
}

static void compare_realm(const struct node *then, const struct node *now)
{
    if (then == NULL || now == NULL)
        compare(then, now);
    else
        each_pair(then, now, compare_of_realm);
}

static void compare_top(const struct node *then, const struct node *now)
{
    if (then != NULL && now != NULL && then->key != NULL && strcmp(then->key, "realms") == 0)
        each_pair(then, now, compare_realm);
    else
        compare(then, now);
}

/* Whether the policy of the realm is given something else than before. */
static bool has_changed(const struct node *then, const struct node *now, const char *realm)
{
    const struct node *a = node_find(node_find(then, "realms"), realm);
    const struct node *b = node_find(node_find(now, "realms"), realm);

    for (size_t i = 0; a != NULL && b != NULL && i < ARRAY_LEN(live); i++) {
        if (!is_same(node_find(a, live[i]), node_find(b, live[i])))
            return true;
    }
    return false;
}

/* ---- from outside ---- */

struct renewals *renewals_new(const struct flags *flags, const struct node *root,
                              struct policies *policies)
{
    struct renewals *renewals = mem_zero(1, sizeof(*renewals));

    *renewals = (struct renewals){.flags = flags, .first = root, .policies = policies};
    return renewals;
}

void renewals_free(struct renewals *renewals)
{
    while (renewals->last != NULL) {
        struct reading *reading = renewals->last;

        renewals->last = reading->before;
        reading_free(reading);
    }
    mem_free(renewals);
}

/* Fills in the changes of a reading. True: there is one that was not there before. */
static bool collect(struct renewals *renewals, struct reading *reading)
{
    const struct node *then = renewals->last == NULL ? renewals->first : renewals->last->root;
    size_t count = reading->config.router.realm_count;
    struct policy_changes *changes =
        mem_zero(1, sizeof(*changes) + count * sizeof(struct policy_change));
    bool is_new = false;

    changes->by = no_changes.by;
    for (size_t i = 0; i < count; i++) {
        const struct realm_config *config = &reading->config.realms[i];
        const char *realm = config->router.core.realm;
        const struct policy_use *use;
        int done = policies_renew(renewals->policies, config,
                                  has_changed(then, reading->root, realm), &use);

        is_new |= done > 0;
        if (done < 0)
            log_line(LOG_ERROR, "configuration-refused",
                     "a secret cannot be read; the policy goes on with what it has", "realm", realm,
                     NULL);
        if (use != NULL)
            changes->of[changes->count++] = (struct policy_change){realm, use};
    }
    reading->changes = changes;
    return is_new;
}

void renewals_read(struct renewals *renewals, struct router *router)
{
    struct reading *reading = NULL;

    if (renewals->flags->config == NULL)
        log_line(LOG_WARN, "reload-not-supported",
                 "there is no file of a configuration that could be read again", NULL);
    else
        reading = read_again(renewals->flags);
    if (reading != NULL) {
        each_pair(renewals->first, reading->root, compare_top);
        if (collect(renewals, reading)) {
            reading->before = renewals->last;
            renewals->last = reading;
        } else {
            reading_free(reading);
        }
    }
    policy_reload_all(router, renewals->last == NULL ? &no_changes : renewals->last->changes);
}
