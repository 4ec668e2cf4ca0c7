/* listener.c -- listening sockets: bind, accept in batches, count, hand to lws.
 *
 * Every worker binds its own socket (SO_REUSEPORT). A connection is counted, and refused when
 * there is no room, before lws sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "net/priv.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TLS_HANDSHAKE 0x16

static int fail(int err, char *words, size_t words_len, const char *what, const char *why)
{
    snprintf(words, words_len, "%s: %s", what, why);
    return err;
}

static int err_of_errno(int number)
{
    switch (number) {
    case EADDRINUSE:
        return ERR_IN_USE;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EADDRNOTAVAIL:
    case EINVAL:
    case ENOENT:
    case ENOTDIR:
        return ERR_INVALID;
    default:
        return ERR_IO;
    }
}

/* --- accepting */

static void set_tcp_options(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void hand_over(struct conn *conn, int fd, bool is_secure)
{
    struct listener *listener = conn->listener;

    conn->is_secure = is_secure;
    side_adopt(is_secure ? listener->secure : listener->plain, conn, fd);
}

static void on_peek_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

/* Takes the poll handle off a peeking connection; returns its descriptor, still open. */
static int take_peek(struct conn *conn)
{
    uv_poll_t *poll = conn->peek;
    int fd = -1;

    uv_fileno((uv_handle_t *)poll, &fd);
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, on_peek_closed);
    conn->peek = NULL;
    return fd;
}

void listener_end_peek(struct conn *conn)
{
    int fd = take_peek(conn);

    if (fd >= 0)
        close(fd);
}

/* Wakes us when so many octets are there, or no more will come. */
static void wait_for(int fd, int octets)
{
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &octets, sizeof octets);
}

static int awaited(int fd)
{
    int octets = 1;
    socklen_t len = sizeof octets;

    (void)getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &octets, &len);
    return octets;
}

/* Looks at the head of a request as long as it is in the socket: lws shows the first of several lines
 * with the same name, which may be the one of the client. */
static void on_head(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;
    char text[MAX_HTTP_HEADER_LEN];
    ssize_t got;
    int fd = -1;

    (void)events;
    net_read_clock(conn->net);
    uv_fileno((uv_handle_t *)poll, &fd);
    got = status < 0 ? 0 : recv(fd, text, sizeof text, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || got < awaited(fd)) { /* the peer has said all that it will */
        conn_gone(conn);
        return;
    }
    if (isupper((unsigned char)text[0]) && !origin_take_head(conn, slice_make(text, (size_t)got)) &&
        (size_t)got < sizeof text) {
        wait_for(fd, (int)got + 1);
        return;
    }
    wait_for(fd, 1);
    fd = take_peek(conn);
    conn->state = CONN_OPENING; /* the clock goes on */
    hand_over(conn, fd, false);
}

/* Begins the rest when the first octets are not of interest any more. */
static void go_on(struct conn *conn, bool is_secure)
{
    int fd;

    if (!is_secure && origin_reads_head(conn)) {
        uv_poll_start(conn->peek, UV_READABLE, on_head);
        return;
    }
    fd = take_peek(conn);
    conn->state = CONN_OPENING; /* the clock goes on */
    hand_over(conn, fd, is_secure);
}

static void on_first_octet(uv_poll_t *poll, int status, int events);

/* Who it really is; false when there are too many of them. */
static bool set_origin(struct conn *conn, int fd, const struct sockaddr_storage *named)
{
    struct sockaddr_storage from = *named;
    socklen_t len = sizeof from;
    char words[128];

    if (from.ss_family != AF_UNSPEC) {
        address_words_of(&from, words, sizeof words);
        conn->peer = mem_copy(words, strlen(words));
    } else if (getpeername(fd, (struct sockaddr *)&from, &len) != 0) {
        return false;
    }
    return origin_begin(conn, &from);
}

/* Takes exactly the header out of the socket: 1 when it is complete, 0 when more must come, -1 when
 * the connection is to end. Parts of it wait in conn->rx. */
static int take_proxy_header(struct conn *conn, int fd)
{
    unsigned char data[PROXY_MAX_LEN];
    size_t had = conn->rx_len, header_len = 0;
    struct sockaddr_storage from;
    enum proxy_result result;
    ssize_t got;

    got = recv(fd, data + had, sizeof data - had, MSG_PEEK);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    if (had != 0)
        memcpy(data, conn->rx, had);
    result = proxy_read(data, had + (size_t)got, &from, &header_len);
    if (result == PROXY_BAD) {
        char words[128];

        address_words(fd, NULL, words, sizeof words);
        log_line(LOG_WARN, "bad-proxy-header", "a proxy sent no header of the PROXY protocol",
                 "peer", words, NULL);
        return -1;
    }
    if (result == PROXY_MORE)
        header_len = had + (size_t)got;
    if (recv(fd, data, header_len - had, 0) != (ssize_t)(header_len - had))
        return -1;
    if (result == PROXY_MORE) {
        conn_append(conn, data, header_len - had);
        return 0;
    }
    conn_drop_rx(conn);
    conn->awaits_proxy = false;
    return set_origin(conn, fd, &from) ? 1 : -1;
}

static void on_proxy_header(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;
    enum tls_mode tls = conn->listener->options.tls;
    int fd = -1, result;

    (void)events;
    net_read_clock(conn->net);
    uv_fileno((uv_handle_t *)poll, &fd);
    result = status < 0 ? -1 : take_proxy_header(conn, fd);
    if (result < 0)
        conn_gone(conn);
    else if (result > 0 && tls == TLS_AUTO)
        uv_poll_start(poll, UV_READABLE, on_first_octet);
    else if (result > 0)
        go_on(conn, tls == TLS_ON);
}

static void on_first_octet(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;
    struct net *net = conn->net;
    unsigned char first = 0;
    ssize_t got;
    int fd = -1;

    (void)events;
    net_read_clock(net);
    uv_fileno((uv_handle_t *)poll, &fd);
    got = status < 0 ? 0 : recv(fd, &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        conn_gone(conn);
        return;
    }
    go_on(conn, first == TLS_HANDSHAKE);
}

static void peek(struct conn *conn, int fd)
{
    uv_poll_t *poll = mem_zero(1, sizeof *poll);

    if (uv_poll_init(&conn->net->loop, poll, fd) != 0) {
        mem_free(poll);
        close(fd);
        conn_gone(conn);
        return;
    }
    poll->data = conn;
    conn->peek = poll;
    conn->state = CONN_PEEKING;
    uv_poll_start(poll, UV_READABLE,
                  conn->awaits_proxy                        ? on_proxy_header
                  : conn->listener->options.tls == TLS_AUTO ? on_first_octet
                                                            : on_head);
}

/* Whether something must be seen of it before lws gets it. */
static bool is_peeked(const struct conn *conn)
{
    enum tls_mode tls = conn->listener->options.tls;

    return conn->awaits_proxy || tls == TLS_AUTO || (tls == TLS_OFF && origin_reads_head(conn));
}

static bool is_proxy(const struct listener *listener, const struct sockaddr_storage *from)
{
    return listener->options.unix_path == NULL &&
           origin_is_in(listener->proxies, listener->proxy_count, from);
}

/* Room for one more? Some above the limit are let in to be told why they must go. */
static bool is_refused(struct net *net, bool *is_doomed)
{
    *is_doomed = net->counters.connections - net->doomed >= net->limits.max_connections;
    if (!*is_doomed)
        return false;
    net->counters.refused_full++;
    return net->doomed >= MAX_DOOMED;
}

static void take_in(struct listener *listener, int fd, const struct sockaddr_storage *from)
{
    struct net *net = listener->net;
    struct address *address = NULL;
    bool is_doomed, is_full = false, awaits_proxy = is_proxy(listener, from);
    bool is_trusted =
        !awaits_proxy && origin_is_in(listener->trusted, listener->trusted_count, from);
    struct conn *conn;

    if (is_refused(net, &is_doomed)) {
        close(fd);
        return;
    }
    if (!awaits_proxy && !is_trusted) /* those behind a proxy are counted when it has named them */
        address = address_hold(net, from, &is_full);
    if (is_full) {
        net->counters.refused_address++;
        close(fd);
        return;
    }
    net->counters.accepted++;
    conn = conn_new(net, listener);
    conn->address = address;
    if (is_trusted)
        origin_wait(conn, from);
    conn->awaits_proxy = awaits_proxy;
    conn->is_doomed = is_doomed;
    net->doomed += is_doomed;
    if (listener->options.unix_path == NULL)
        set_tcp_options(fd);
    if (is_peeked(conn))
        peek(conn, fd);
    else
        hand_over(conn, fd, listener->options.tls == TLS_ON);
}

static void on_backoff(uv_timer_t *timer)
{
    listener_resume_all(timer->data);
}

static void back_off(struct listener *listener, int why)
{
    struct net *net = listener->net;

    log_line(LOG_WARN, "accept-failed", "cannot accept connections, trying again soon", "error",
             strerror(why), NULL);
    list_each (&net->listeners, node, after) {
        struct listener *other = container_of(node, struct listener, node);

        if (other->is_accepting)
            uv_poll_stop(&other->poll);
        other->is_accepting = false;
    }
    uv_timer_start(&net->backoff, on_backoff, ACCEPT_BACKOFF_MS, 0);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)events;
    if (status < 0)
        return;
    net_read_clock(listener->net);
    for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take_in(listener, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            back_off(listener, errno);
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        return;
    }
}

void listener_resume_all(struct net *net)
{
    list_each (&net->listeners, node, after) {
        struct listener *listener = container_of(node, struct listener, node);

        if (listener->is_accepting || listener->is_closed)
            continue;
        listener->is_accepting = true;
        uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    }
}

/* --- binding */

static int bind_tcp_to(const struct addrinfo *to, int *fd)
{
    int on = 1;

    *fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(*fd, to->ai_addr, to->ai_addrlen) == 0 && listen(*fd, LISTEN_BACKLOG) == 0)
        return 0;
    on = errno;
    close(*fd);
    *fd = -1;
    return on;
}

static int bind_tcp(const struct listener_options *options, int *fd, char *words, size_t words_len)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char what[300];
    int err;

    snprintf(what, sizeof what, "cannot listen on %s port %s",
             options->host == NULL ? "*" : options->host, options->port);
    err = getaddrinfo(options->host, options->port, &hints, &found);
    if (err != 0)
        return fail(ERR_INVALID, words, words_len, what, gai_strerror(err));
    err = bind_tcp_to(found, fd);
    freeaddrinfo(found);
    return err == 0 ? 0 : fail(err_of_errno(err), words, words_len, what, strerror(err));
}

/* A socket file that nobody listens on is left over from a crash and is removed. */
static int remove_stale(const struct sockaddr_un *at, char *words, size_t words_len)
{
    struct stat file;
    int fd, err;

    if (lstat(at->sun_path, &file) != 0)
        return 0;
    if (!S_ISSOCK(file.st_mode))
        return fail(ERR_IN_USE, words, words_len, at->sun_path, "exists and is no socket");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(ERR_IO, words, words_len, at->sun_path, strerror(errno));
    err = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : errno;
    close(fd);
    if (err != ECONNREFUSED)
        return fail(err == EACCES ? ERR_DENIED : ERR_IN_USE, words, words_len, at->sun_path,
                    err == EACCES ? strerror(err) : "another process listens there");
    if (unlink(at->sun_path) != 0)
        return fail(err_of_errno(errno), words, words_len, at->sun_path, strerror(errno));
    return 0;
}

static int bind_unix_at(struct listener *listener, const struct sockaddr_un *at)
{
    unsigned mode = listener->options.unix_mode;
    struct stat file;

    if (bind(listener->fd, (const struct sockaddr *)at, sizeof *at) != 0)
        return errno;
    listener->unix_path = mem_copy(at->sun_path, strlen(at->sun_path));
    if (mode != 0 && chmod(at->sun_path, (mode_t)mode) != 0)
        return errno;
    if (stat(at->sun_path, &file) != 0)
        return errno;
    listener->unix_dev = file.st_dev;
    listener->unix_ino = file.st_ino;
    return listen(listener->fd, LISTEN_BACKLOG) == 0 ? 0 : errno;
}

static int bind_unix(struct listener *listener, char *words, size_t words_len)
{
    const char *path = listener->options.unix_path;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int err;

    if (strlen(path) >= sizeof at.sun_path)
        return fail(ERR_INVALID, words, words_len, path, "longer than 107 characters");
    memcpy(at.sun_path, path, strlen(path) + 1);
    err = remove_stale(&at, words, words_len);
    if (err != 0)
        return err;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return fail(ERR_IO, words, words_len, path, strerror(errno));
    err = bind_unix_at(listener, &at);
    return err == 0 ? 0 : fail(err_of_errno(err), words, words_len, path, strerror(err));
}

static void write_bound(const struct listener *listener, char *bound, size_t bound_len)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (bound == NULL)
        return;
    if (listener->options.unix_path != NULL) {
        snprintf(bound, bound_len, "%s", listener->options.unix_path);
        return;
    }
    if (getsockname(listener->fd, (struct sockaddr *)&at, &len) != 0 ||
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        snprintf(bound, bound_len, "?");
        return;
    }
    snprintf(bound, bound_len, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* --- life */

static int open_sides(struct listener *listener, struct tls_files *files, char *words,
                      size_t words_len)
{
    const struct listener_options *options = &listener->options;

    if (options->tls != TLS_ON)
        listener->plain = side_new(listener->net, options, NULL);
    if (options->tls != TLS_OFF)
        listener->secure = side_new(listener->net, options, files);
    if ((options->tls != TLS_ON && listener->plain == NULL) ||
        (options->tls != TLS_OFF && listener->secure == NULL))
        return fail(ERR_IO, words, words_len, "libwebsockets", "gives no context");
    return 0;
}

static int read_proxies(struct listener *listener, char *words, size_t words_len)
{
    int err = origin_ranges(listener->options.proxies, &listener->proxies, &listener->proxy_count,
                            words, words_len);

    return err != 0 ? err
                    : origin_ranges(listener->options.trusted_proxies, &listener->trusted,
                                    &listener->trusted_count, words, words_len);
}

static int open_listener(struct listener *listener, char *words, size_t words_len)
{
    const struct listener_options *options = &listener->options;
    struct tls_files *files = NULL;
    int err;

    if (options->unix_path != NULL && options->tls != TLS_OFF)
        return fail(ERR_INVALID, words, words_len, options->unix_path,
                    "TLS on a unix socket is not supported");
    if (options->unix_path == NULL && options->port == NULL)
        return fail(ERR_INVALID, words, words_len, "listener", "neither a port nor a unix path");
    err = read_proxies(listener, words, words_len);
    if (err != 0)
        return err;
    if (options->tls != TLS_OFF) {
        files = net_load_tls(options, words, words_len);
        if (files == NULL)
            return ERR_TLS;
    }
    err = options->unix_path != NULL ? bind_unix(listener, words, words_len)
                                     : bind_tcp(options, &listener->fd, words, words_len);
    if (err == 0)
        err = open_sides(listener, files, words, words_len);
    tls_files_drop(files);
    return err;
}

void net_use_tls(struct net *net, unsigned id, struct tls_files *files)
{
    list_each (&net->listeners, node, after) {
        struct listener *listener = container_of(node, struct listener, node);

        if (listener->options.id == id && listener->secure != NULL)
            tls_files_use(listener->secure, files);
    }
}

int net_listen(struct net *net, const struct listener_options *options, char *bound,
               size_t bound_len, char *words, size_t words_len)
{
    struct listener *listener = mem_zero(1, sizeof *listener);
    int err;

    listener->net = net;
    listener->options = *options;
    listener->fd = -1;
    listener->is_closed = true;
    list_append(&net->listeners, &listener->node);
    err = open_listener(listener, words, words_len);
    if (err == 0 && uv_poll_init(&net->loop, &listener->poll, listener->fd) != 0)
        err = fail(ERR_IO, words, words_len, "libuv", "cannot watch a listening socket");
    if (err != 0) {
        listener_free(listener);
        return err;
    }
    listener->poll.data = listener;
    listener->is_closed = false;
    write_bound(listener, bound, bound_len);
    listener_resume_all(net);
    return 0;
}

/* The file is removed only while it is the one that we made. */
static void remove_file(struct listener *listener)
{
    struct stat file;

    if (listener->unix_path == NULL)
        return;
    if (lstat(listener->unix_path, &file) == 0 && file.st_dev == listener->unix_dev &&
        file.st_ino == listener->unix_ino)
        unlink(listener->unix_path);
    mem_free(listener->unix_path);
    listener->unix_path = NULL;
}

void listener_close(struct listener *listener)
{
    if (!listener->is_closed) {
        uv_close((uv_handle_t *)&listener->poll, NULL);
        listener->is_closed = true;
        listener->is_accepting = false;
    }
    remove_file(listener);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

/* The connections of the listener are gone by now or go with its contexts. */
void listener_free(struct listener *listener)
{
    listener_close(listener);
    side_free(listener->plain);
    side_free(listener->secure);
    uv_run(&listener->net->loop, UV_RUN_NOWAIT); /* lets go of the poll handle */
    list_remove(&listener->node);
    mem_free(listener->proxies);
    mem_free(listener->trusted);
    mem_free(listener);
}
