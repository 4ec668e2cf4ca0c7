/* service.c -- runs the router.
 *
 * Signals are blocked everywhere and fetched by one thread of their own, which
 * may log and lock like any other code: there are no signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/service.h"

#include "base/audit.h"
#include "base/check.h"
#include "daemon/exit_code.h"
#include "daemon/port_probe.h"
#include "daemon/prompt.h"
#include "daemon/tls_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors that are no connections: loops, listeners, the log. */
#define OTHER_DESCRIPTORS      64
#define DESCRIPTORS_PER_WORKER 16

struct service {
    const struct config *config;
    pthread_t signals;
    pthread_mutex_t lock;
    struct router *router; /* under lock; NULL: not yet, or no longer */
    bool is_stopping;      /* under lock */
    atomic_bool has_ended;
    int log_fd;
    struct renewals *renewals;
};

/* ---- signals ---- */

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void on_stop(struct service *service, int number)
{
    pthread_mutex_lock(&service->lock);
    bool is_second = service->is_stopping;
    service->is_stopping = true;
    if (is_second) {
        log_line(LOG_WARN, "stopping-at-once", "second signal: sessions are not closed", NULL);
        _exit(EXIT_HURRIED);
    }
    log_line(LOG_INFO, "stopping", "saying goodbye to all sessions", "signal",
             number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
    if (service->router != NULL)
        router_stop(service->router);
    pthread_mutex_unlock(&service->lock);
}

/* The file was moved away: from now on lines go into a new one under the old name. The descriptor stays
 * what it is, since other threads write to it. */
static void reopen_log(const struct service *service)
{
    const char *file = service->config->log_file;
    int fd;

    if (file == NULL)
        return;
    fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || dup3(fd, service->log_fd, O_CLOEXEC) < 0)
        log_line(LOG_ERROR, "log-not-reopened", "lines go on into the old file", "file", file,
                 "error", strerror(errno), NULL);
    if (fd >= 0)
        close(fd);
}

/* Certificates, policies and what they are given can change while it runs, and the logs be other
 * files. */
static void on_reload(struct service *service)
{
    bool has_tls = false;
    char words[512];

    for (size_t i = 0; i < service->config->router.listener_count; i++)
        has_tls = has_tls || service->config->router.listeners[i].tls != TLS_OFF;
    reopen_log(service);
    audit_reopen();
    pthread_mutex_lock(&service->lock);
    if (has_tls && service->router != NULL)
        (void)router_reload_tls(service->router, "SIGHUP", words, sizeof(words));
    if (service->router != NULL)
        renewals_read(service->renewals, service->router);
    pthread_mutex_unlock(&service->lock);
}

/* Files of certificates are other ones than before. */
static void on_certificates(void *ctx)
{
    struct service *service = ctx;
    char words[512];

    pthread_mutex_lock(&service->lock);
    if (service->router != NULL && !service->is_stopping)
        (void)router_reload_tls(service->router, "file", words, sizeof(words));
    pthread_mutex_unlock(&service->lock);
}

static void *watch_signals(void *ctx)
{
    struct service *service = ctx;
    sigset_t set;
    int number = 0;

    signal_set(&set);
    while (sigwait(&set, &number) == 0 && !atomic_load(&service->has_ended)) {
        if (number == SIGHUP)
            on_reload(service);
        else
            on_stop(service, number);
    }
    return NULL;
}

static void start_signals(struct service *service)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal_set(&set);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(pthread_create(&service->signals, NULL, watch_signals, service) == 0);
}

static void end_signals(struct service *service)
{
    atomic_store(&service->has_ended, true);
    pthread_kill(service->signals, SIGHUP); /* wakes it, no more */
    pthread_join(service->signals, NULL);
}

/* ---- before the start ---- */

static bool open_log(struct service *service)
{
    const char *file = service->config->log_file;

    service->log_fd = STDERR_FILENO;
    if (file == NULL)
        return true;
    service->log_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (service->log_fd >= 0)
        return true;
    fprintf(stderr, "nexusd: cannot open the log file \"%s\": %s\n", file, strerror(errno));
    return false;
}

/* Lines about start and stop are written at every level: scripts wait for them. */
static void set_log(const struct service *service, bool is_started)
{
    const struct config *config = service->config;
    enum log_level level = (enum log_level)config->log_level;

    if (!is_started && level > LOG_INFO)
        level = LOG_INFO;
    log_setup(&(struct log_options){level, config->is_log_json, service->log_fd});
}

static void close_log(const struct service *service)
{
    if (service->log_fd == STDERR_FILENO)
        return;
    log_setup(&(struct log_options){LOG_INFO, false, STDERR_FILENO});
    close(service->log_fd);
}

static void raise_descriptors(const struct config *config)
{
    uint64_t needed = config->router.limits.max_connections + OTHER_DESCRIPTORS +
                      (uint64_t)DESCRIPTORS_PER_WORKER * config->router.workers;
    struct rlimit limit;
    char allowed[32], wanted[32];

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
        return;
    snprintf(allowed, sizeof(allowed), "%llu", (unsigned long long)limit.rlim_cur);
    snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)needed);
    log_line(LOG_WARN, "few-descriptors",
             "limits.max_connections cannot be reached: the system allows fewer open files",
             "allowed", allowed, "needed", wanted, NULL);
}

static void log_notes(const struct service *service, const struct report *report)
{
    const struct config *config = service->config;

    for (const struct report_line *note = report->notes.first; note != NULL; note = note->next)
        log_line(LOG_WARN, "config-note", note->text, NULL);
    for (size_t i = 0; i < config->router.realm_count; i++) {
        if (config->realms[i].policy_path == NULL)
            log_line(LOG_WARN, "open-realm", "policy \"open\": anybody may join and do everything",
                     "realm", config->realms[i].router.core.realm, NULL);
    }
    for (size_t i = 0; i < config->template_count; i++) {
        if (config->templates[i].policy_path == NULL)
            log_line(LOG_WARN, "open-template",
                     "policy \"open\": anybody may join and do everything in realms of it",
                     "template", config->templates[i].router.core.realm, NULL);
    }
    if (config->has_template && config->realm_template.policy_path == NULL)
        log_line(LOG_WARN, "open-template",
                 "policy \"open\": anybody may make a realm and do everything in it", NULL);
}

/* ---- the start ---- */

static int fail(const struct service *service, const char *words)
{
    log_line(LOG_ERROR, "cannot-start", words, NULL);
    if (service->log_fd != STDERR_FILENO)
        fprintf(stderr, "nexusd: %s\n", words);
    return EXIT_RUNTIME;
}

/* What people put into their program; NULL for unix sockets. */
static const char *url_of(const struct listen_config *listen, const char *address, char *out,
                          size_t out_len)
{
    const char *path = listen->net.paths == NULL ? "/" : listen->net.paths[0];
    bool is_websocket = (listen->protocols & 1) != 0;
    const char *scheme = is_websocket ? "ws" : "rs";

    if (listen->net.host == NULL)
        return NULL;
    if (strncmp(address, "0.0.0.0:", 8) == 0)
        snprintf(out, out_len, "%s%s://127.0.0.1%s%s", scheme, listen->is_tls ? "s" : "",
                 address + 7, is_websocket ? path : "");
    else if (strncmp(address, "[::]:", 5) == 0)
        snprintf(out, out_len, "%s%s://[::1]%s%s", scheme, listen->is_tls ? "s" : "", address + 4,
                 is_websocket ? path : "");
    else
        snprintf(out, out_len, "%s%s://%s%s", scheme, listen->is_tls ? "s" : "", address,
                 is_websocket ? path : "");
    return out;
}

static void log_addresses(const struct service *service, const struct router *router)
{
    char url[600];

    for (size_t i = 0; i < service->config->router.listener_count; i++) {
        const char *address = router_address(router, i);
        log_line(LOG_INFO, "listening", "accepting connections", "address", address, "url",
                 url_of(&service->config->listen[i], address, url, sizeof(url)), NULL);
    }
    log_line(LOG_INFO, "ready", "nexusd " NEXUS_VERSION " is ready", NULL);
}

static int run_router(struct service *service, struct router *router)
{
    pthread_mutex_lock(&service->lock);
    service->router = router;
    bool is_stopping = service->is_stopping;
    pthread_mutex_unlock(&service->lock);

    struct tls_watch *watch = tls_watch_start(service->config, on_certificates, service);
    log_addresses(service, router);
    set_log(service, true);
    if (is_stopping)
        router_stop(router);
    int err = router_run(router);
    tls_watch_stop(watch);
    set_log(service, false);
    if (err == ERR_IO)
        log_line(LOG_ERROR, "worker-failed", "cannot start the threads of all workers", NULL);
    else if (err == 0)
        log_line(LOG_INFO, "stopped", "every session was told, everything is written", NULL);
    else
        log_line(LOG_WARN, "stopped-late", "some peers did not take their last messages in time",
                 NULL);

    pthread_mutex_lock(&service->lock);
    service->router = NULL;
    pthread_mutex_unlock(&service->lock);
    /* A peer that does not read is no failure of ours: the others were told in time. */
    return err == ERR_IO ? EXIT_RUNTIME : EXIT_OK;
}

static bool open_audit(const struct service *service)
{
    const char *file = service->config->audit_file;
    char words[512];

    if (file == NULL || audit_open(file, words, sizeof(words)) == 0)
        return true;
    fail(service, words);
    return false;
}

static int start_router(struct service *service)
{
    char words[512] = "";
    int code = EXIT_RUNTIME;

    if (port_probe(service->config->router.listeners, service->config->router.listener_count, words,
                   sizeof(words)) != 0)
        return fail(service, words);
    struct router *router = router_new(&service->config->router, words, sizeof(words));
    if (router == NULL)
        return fail(service, words);
    code = run_router(service, router);
    router_free(router);
    return code;
}

int service_run(const struct config *config, const struct report *report, struct renewals *renewals)
{
    struct service service = {
        .config = config, .lock = PTHREAD_MUTEX_INITIALIZER, .renewals = renewals};

    if (!open_log(&service))
        return EXIT_RUNTIME;
    set_log(&service, false);
    if (!config->dumps_core)
        prompt_hide_memory();
    start_signals(&service);
    raise_descriptors(config);
    log_notes(&service, report);
    int code = open_audit(&service) ? start_router(&service) : EXIT_RUNTIME;
    audit_close();
    end_signals(&service);
    close_log(&service);
    return code;
}
