/* watch.c -- see watch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/watch.h"

#include "base/mem.h"

#include <uv.h>

#include <stdlib.h>

#define SETTLE_MS   200
#define MAX_FOLDERS 100

struct eye {
    uv_fs_event_t handle;
    struct watch *watch; /* NULL: it is closing */
    struct eye *next;
};

struct watch {
    struct realm *realm;
    struct realm_timer timer;
    char *path;       /* owned */
    struct eye *eyes; /* owned until they are closed */
    void (*changed)(void *ctx);
    void *ctx;
};

static void on_settled(struct realm_timer *timer)
{
    struct watch *watch = container_of(timer, struct watch, timer);

    watch->changed(watch->ctx);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    const struct eye *eye = handle->data;
    struct watch *watch = eye->watch;

    (void)name;
    (void)events;
    (void)status;
    if (watch != NULL)
        realm_set_timer(watch->realm, &watch->timer, realm_now(watch->realm) + SETTLE_MS);
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void close_eyes(struct watch *watch)
{
    while (watch->eyes != NULL) {
        struct eye *eye = watch->eyes;

        watch->eyes = eye->next;
        eye->watch = NULL;
        uv_close((uv_handle_t *)&eye->handle, on_closed);
    }
}

/* One that cannot be watched is passed over: there are signals and procedures as well. */
static void open_eye(struct watch *watch, const char *folder)
{
    struct eye *eye = mem_zero(1, sizeof(*eye));

    uv_fs_event_init(realm_loop(watch->realm), &eye->handle);
    eye->handle.data = eye;
    if (uv_fs_event_start(&eye->handle, on_event, folder, 0) != 0) {
        uv_close((uv_handle_t *)&eye->handle, on_closed);
        return;
    }
    eye->watch = watch;
    eye->next = watch->eyes;
    watch->eyes = eye;
}

/* The folder that the path itself is in. */
static void open_parent(struct watch *watch)
{
    char *slash, *copy = mem_copy(watch->path, strlen(watch->path));

    while ((slash = strrchr(copy, '/')) != NULL && slash[1] == '\0' && slash != copy)
        *slash = '\0';
    if (slash == NULL)
        open_eye(watch, ".");
    else if (slash == copy)
        open_eye(watch, "/");
    else {
        *slash = '\0';
        open_eye(watch, copy);
    }
    mem_free(copy);
}

void watch_source(struct watch *watch, const struct source *source)
{
    const char *folder;

    close_eyes(watch);
    open_parent(watch);
    for (size_t i = 0; i < MAX_FOLDERS && (folder = source_folder_at(source, i)) != NULL; i++)
        open_eye(watch, folder);
}

struct watch *watch_new(struct realm *realm, const char *path, void (*changed)(void *ctx),
                        void *ctx)
{
    struct watch *watch = mem_zero(1, sizeof(*watch));

    watch->realm = realm;
    watch->timer.fire = on_settled;
    watch->path = mem_copy(path, strlen(path));
    watch->changed = changed;
    watch->ctx = ctx;
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    realm_clear_timer(watch->realm, &watch->timer);
    close_eyes(watch);
    mem_free(watch->path);
    mem_free(watch);
}
