/* web_loop.c -- libcurl on a loop of libuv: its sockets and its timer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "module/web_priv.h"

struct web_socket {
    uv_poll_t poll;
    struct web *web; /* held */
    curl_socket_t fd;
};

void web_drop(struct web *web)
{
    if (--web->refs != 0)
        return;
    for (char **host = web->hosts; *host != NULL; host++)
        mem_free(*host);
    mem_free(web->hosts);
    mem_free(web->ca_file);
    mem_free(web);
}

static void act(struct web *web, curl_socket_t fd, int events)
{
    int running;

    web->refs++;
    if (web->multi != NULL) {
        (void)curl_multi_socket_action(web->multi, fd, events, &running);
        web_collect(web);
    }
    web_drop(web);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct web_socket *socket = container_of(poll, struct web_socket, poll);
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    if ((events & UV_READABLE) != 0)
        flags |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        flags |= CURL_CSELECT_OUT;
    act(socket->web, socket->fd, flags);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct web_socket *socket = container_of((uv_poll_t *)(void *)handle, struct web_socket, poll);

    web_drop(socket->web);
    mem_free(socket);
}

static struct web_socket *socket_new(struct web *web, curl_socket_t fd)
{
    struct web_socket *socket = mem_zero(1, sizeof(*socket));

    if (uv_poll_init(web->loop, &socket->poll, fd) != 0) {
        mem_free(socket);
        return NULL;
    }
    socket->web = web;
    socket->fd = fd;
    web->refs++;
    curl_multi_assign(web->multi, fd, socket);
    return socket;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *found)
{
    struct web *web = ctx;
    struct web_socket *socket = found;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket == NULL)
            return 0;
        curl_multi_assign(web->multi, fd, NULL);
        uv_poll_stop(&socket->poll);
        uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
        return 0;
    }
    if (socket == NULL && (socket = socket_new(web, fd)) == NULL)
        return -1;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= UV_READABLE;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&socket->poll, events, on_readable) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(container_of(timer, struct web, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
    struct web *web = ctx;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(&web->timer);
    else
        uv_timer_start(&web->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    web_drop(container_of((uv_timer_t *)(void *)handle, struct web, timer));
}

static char **copy_hosts(const char *const *hosts)
{
    size_t count = 0;
    char **copies;

    while (hosts != NULL && hosts[count] != NULL)
        count++;
    copies = mem_zero(count + 1, sizeof(*copies));
    for (size_t i = 0; i < count; i++)
        copies[i] = mem_copy(hosts[i], strlen(hosts[i]));
    return copies;
}

struct web *web_new(const struct host *host)
{
    const char *ca_file = host->config->http_ca_file;
    struct web *web = mem_zero(1, sizeof(*web));

    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    web->multi = curl_multi_init();
    CHECK(web->multi != NULL);
    web->loop = host->loop;
    web->refs = 2; /* the host's and the timer's */
    list_init(&web->queue);
    list_init(&web->running);
    web->hosts = copy_hosts(host->config->http_hosts);
    if (ca_file != NULL)
        web->ca_file = mem_copy(ca_file, strlen(ca_file));
    uv_timer_init(web->loop, &web->timer);
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
    curl_multi_setopt(web->multi, CURLMOPT_MAXCONNECTS, (long)MAX_WEB_KEPT);
    return web;
}

void web_end(struct web *web)
{
    curl_multi_cleanup(web->multi);
    web->multi = NULL;
    uv_timer_stop(&web->timer);
    uv_close((uv_handle_t *)&web->timer, on_timer_closed);
    web_drop(web);
}
