/* admin_client.c -- see admin_client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/admin_client.h"

#include "base/mem.h"
#include "wire/rawsocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LENGTH_CODE 15 /* 16 MiB */
#define SERIALIZER      2  /* MessagePack */

struct admin_client {
    const char *command, *path; /* for words */
    int fd;
    uint64_t requests;
    char *bytes; /* owned: of the last message */
    struct arena arena;
    struct msg msg;
};

/* ---- octets ---- */

static bool complain(const struct admin_client *client, const char *words)
{
    fprintf(stderr, "nexusd %s: %s: %s\n", client->command, client->path, words);
    return false;
}

static bool complain_errno(const struct admin_client *client)
{
    return complain(client, errno == EAGAIN ? "no answer in 60 s" : strerror(errno));
}

static bool write_all(const struct admin_client *client, const void *data, size_t len)
{
    const char *at = data;

    while (len != 0) {
        ssize_t done = send(client->fd, at, len, MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return complain_errno(client);
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static bool read_all(const struct admin_client *client, void *data, size_t len)
{
    char *at = data;

    while (len != 0) {
        ssize_t done = recv(client->fd, at, len, 0);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return complain_errno(client);
        if (done == 0)
            return complain(client, "the router has closed the connection");
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static bool write_frame(const struct admin_client *client, enum rawsocket_frame type,
                        struct slice bytes)
{
    unsigned char header[RAWSOCKET_HEADER_LEN];

    rawsocket_write_header(header, type, (uint32_t)bytes.len);
    return write_all(client, header, sizeof(header)) && write_all(client, bytes.data, bytes.len);
}

/* The next frame, into client->bytes. */
static bool read_frame(struct admin_client *client, enum rawsocket_frame *type, uint32_t *len)
{
    unsigned char header[RAWSOCKET_HEADER_LEN];

    if (!read_all(client, header, sizeof(header)))
        return false;
    if (rawsocket_read_header(header, RAWSOCKET_MAX_LEN, type, len) != 0)
        return complain(client, "that is no answer of a router");
    mem_free(client->bytes);
    client->bytes = mem_alloc(*len + 1);
    return read_all(client, client->bytes, *len);
}

/* ---- messages ---- */

static bool receive(struct admin_client *client)
{
    static const struct msg_limits limits = {.raw_payload = true};
    enum rawsocket_frame type;
    struct fault fault;
    uint32_t len;

    for (;;) {
        if (!read_frame(client, &type, &len))
            return false;
        if (type == RAWSOCKET_MESSAGE)
            break;
        if (type == RAWSOCKET_PING &&
            !write_frame(client, RAWSOCKET_PONG, slice_make(client->bytes, len)))
            return false;
    }
    arena_reset(&client->arena);
    if (msg_decode(&client->msg, CODEC_MSGPACK, slice_make(client->bytes, len), &limits,
                   &client->arena, &fault) != 0)
        return complain(client, fault.words);
    return true;
}

static bool send_encoded(struct admin_client *client, struct encoder *e)
{
    struct blob *blob = encode_finish(e);
    bool is_sent = write_frame(client, RAWSOCKET_MESSAGE, blob_slice(blob));

    blob_drop(blob);
    return is_sent;
}

static void begin(struct encoder *e, enum msg_type type)
{
    encode_start(e, CODEC_MSGPACK, 256);
    encode_list(e, COUNT_UNKNOWN);
    encode_uint(e, type);
}

/* ---- the session ---- */

static bool connect_to(struct admin_client *client)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ADMIN_TIMEOUT_S};
    const unsigned char hello[] = {RAWSOCKET_MAGIC, MAX_LENGTH_CODE << 4 | SERIALIZER, 0, 0};
    unsigned char answer[RAWSOCKET_HANDSHAKE_LEN];

    if (strlen(client->path) >= sizeof(at.sun_path))
        return complain(client, "longer than 107 characters");
    memcpy(at.sun_path, client->path, strlen(client->path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(client->fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        return complain_errno(client);
    if (!write_all(client, hello, sizeof(hello)) || !read_all(client, answer, sizeof(answer)))
        return false;
    if (answer[0] != RAWSOCKET_MAGIC || (answer[1] & 15) != SERIALIZER)
        return complain(client, "that is no admin_socket of a router");
    return true;
}

static bool join(struct admin_client *client, const char *realm)
{
    static const char *const roles[] = {"caller"};
    char words[400];
    struct encoder e;

    begin(&e, MSG_HELLO);
    encode_text(&e, slice_of(realm == NULL ? "" : realm));
    encode_map(&e, COUNT_UNKNOWN);
    encode_text(&e, SLICE("roles"));
    encode_map(&e, 1);
    encode_text(&e, slice_of(roles[0]));
    encode_map(&e, 0);
    encode_end(&e);
    encode_end(&e);
    encode_end(&e);
    encode_end(&e);
    if (!send_encoded(client, &e) || !receive(client))
        return false;
    if (client->msg.type == MSG_WELCOME)
        return true;
    snprintf(words, sizeof(words), "realm \"%s\": %.*s", realm == NULL ? "" : realm,
             (int)(client->msg.text.len < 200 ? client->msg.text.len : 200),
             client->msg.text.len == 0 ? "" : client->msg.text.data);
    return complain(client, client->msg.type == MSG_CHALLENGE
                                ? "it asks for a login: that is no admin_socket"
                                : words);
}

const char *admin_socket(const char *flag)
{
    const char *named = flag == NULL ? getenv("NEXUS_ADMIN") : flag;

    return named == NULL || *named == '\0' ? NULL : named;
}

struct admin_client *admin_open(const char *command, const char *path, const char *realm)
{
    struct admin_client *client = mem_zero(1, sizeof(*client));

    client->command = command;
    client->path = path;
    client->fd = -1;
    arena_init(&client->arena);
    if (connect_to(client) && join(client, realm))
        return client;
    admin_close(client);
    return NULL;
}

void admin_close(struct admin_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    mem_free(client->bytes);
    arena_fini(&client->arena);
    mem_free(client);
}

const struct msg *admin_call(struct admin_client *client, const char *uri,
                             void (*put)(struct encoder *e, const void *ctx), const void *ctx)
{
    struct encoder e;

    begin(&e, MSG_CALL);
    encode_uint(&e, ++client->requests);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    if (put != NULL) {
        encode_list(&e, COUNT_UNKNOWN);
        put(&e, ctx);
        encode_end(&e);
    }
    encode_end(&e);
    if (!send_encoded(client, &e))
        return NULL;
    while (receive(client)) {
        if (client->msg.type == MSG_RESULT || client->msg.type == MSG_ERROR)
            return &client->msg;
        if (client->msg.type == MSG_GOODBYE || client->msg.type == MSG_ABORT) {
            complain(client, "the router ended the session");
            return NULL;
        }
    }
    return NULL;
}

struct arena *admin_arena(struct admin_client *client)
{
    return &client->arena;
}
