/* tls_watch.c -- see tls_watch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/tls_watch.h"

#include "auth/digest.h"
#include "base/check.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* Of a file that is longer only so much is compared. */
#define MAX_READ_LEN ((size_t)1024 * 1024)

/* What a file looks like from outside; all zero: there is none. */
struct looks {
    dev_t device;
    ino_t inode;
    off_t len;
    struct timespec changed, modified;
};

struct watched {
    const char *path; /* borrowed from the configuration */
    struct looks looks;
    unsigned char digest[DIGEST_LEN]; /* of what was in it when it was last believed */
};

struct tls_watch {
    void (*changed)(void *ctx);
    void *ctx;
    uint32_t interval_ms;
    size_t count;
    struct watched *files; /* array owned */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_ending; /* under lock */
};

/* ---- files ---- */

static void add(struct tls_watch *watch, const char *path)
{
    for (size_t i = 0; path != NULL && i < watch->count; i++) {
        if (strcmp(watch->files[i].path, path) == 0)
            return;
    }
    if (path == NULL)
        return;
    watch->files = mem_grow(watch->files, (watch->count + 1) * sizeof(*watch->files));
    watch->files[watch->count++] = (struct watched){.path = path};
}

static void add_listener(struct tls_watch *watch, const struct listener_options *options)
{
    if (options->tls == TLS_OFF)
        return;
    add(watch, options->tls_cert);
    add(watch, options->tls_key);
    add(watch, options->tls_ocsp);
    add(watch, options->tls_client_ca);
    for (size_t i = 0; i < options->tls_certificate_count; i++) {
        add(watch, options->tls_certificates[i].cert);
        add(watch, options->tls_certificates[i].key);
        add(watch, options->tls_certificates[i].ocsp);
    }
}

static struct looks look(const char *path)
{
    struct looks looks;
    struct stat facts;

    memset(&looks, 0, sizeof(looks));
    if (stat(path, &facts) != 0)
        return looks;
    looks.device = facts.st_dev;
    looks.inode = facts.st_ino;
    looks.len = facts.st_size;
    looks.changed = facts.st_ctim;
    looks.modified = facts.st_mtim;
    return looks;
}

/* True when one of them looks other than the last time. */
static bool have_new_looks(struct tls_watch *watch)
{
    bool is_new = false;

    for (size_t i = 0; i < watch->count; i++) {
        struct looks looks = look(watch->files[i].path);

        is_new |= memcmp(&looks, &watch->files[i].looks, sizeof(looks)) != 0;
        watch->files[i].looks = looks;
    }
    return is_new;
}

static void digest_file(const char *path, unsigned char digest[DIGEST_LEN])
{
    char *text = mem_alloc(MAX_READ_LEN);
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file != NULL) {
        setbuf(file, NULL); /* no copies of keys */
        len = fread(text, 1, MAX_READ_LEN, file);
        fclose(file);
    }
    digest_sha256(slice_make(text, len), digest);
    digest_wipe(text, len);
    mem_free(text);
}

/* True when there is something else in one of them. */
static bool have_new_contents(struct tls_watch *watch)
{
    unsigned char digest[DIGEST_LEN];
    bool is_new = false;

    for (size_t i = 0; i < watch->count; i++) {
        digest_file(watch->files[i].path, digest);
        is_new |= memcmp(digest, watch->files[i].digest, sizeof(digest)) != 0;
        memcpy(watch->files[i].digest, digest, sizeof(digest));
    }
    return is_new;
}

/* ---- the thread ---- */

/* False when it is the end. */
static bool wait_for(struct tls_watch *watch, uint32_t ms)
{
    struct timespec until;
    bool goes_on;
    int err = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_ending && err == 0)
        err = pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    goes_on = !watch->is_ending;
    pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

/* They have changed: waits until they do not any more. False when it is the end. */
static bool settle(struct tls_watch *watch)
{
    uint32_t quiet = 0;

    while (quiet < TLS_SETTLED_MS) {
        if (!wait_for(watch, TLS_STEP_MS))
            return false;
        quiet = have_new_looks(watch) ? 0 : quiet + TLS_STEP_MS;
    }
    return true;
}

static void *run(void *ctx)
{
    struct tls_watch *watch = ctx;

    while (wait_for(watch, watch->interval_ms)) {
        if (!have_new_looks(watch))
            continue;
        if (!settle(watch))
            break;
        if (have_new_contents(watch))
            watch->changed(watch->ctx);
    }
    return NULL;
}

struct tls_watch *tls_watch_start(const struct config *config, void (*changed)(void *ctx),
                                  void *ctx)
{
    struct tls_watch *watch = mem_zero(1, sizeof(*watch));
    pthread_condattr_t clock;

    watch->changed = changed;
    watch->ctx = ctx;
    watch->interval_ms = config->certificate_check_ms;
    for (size_t i = 0; i < config->router.listener_count; i++)
        add_listener(watch, &config->router.listeners[i]);
    if (watch->count == 0 || watch->interval_ms == 0) {
        mem_free(watch->files);
        mem_free(watch);
        return NULL;
    }
    (void)have_new_looks(watch);
    (void)have_new_contents(watch);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &clock);
    pthread_condattr_destroy(&clock);
    CHECK(pthread_create(&watch->thread, NULL, run, watch) == 0);
    return watch;
}

void tls_watch_stop(struct tls_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->is_ending = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->lock);
    pthread_cond_destroy(&watch->wake);
    mem_free(watch->files);
    mem_free(watch);
}
