/* thread_kit.h -- one router with one listener in a thread of its own, and peers that speak JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_THREAD_KIT_H
#define NEXUS_SPEC_THREAD_KIT_H

#include "peer.h"
#include "router/router.h"
#include "unit.h"

#include <pthread.h>

static struct router *router;
static pthread_t thread;
static struct frame frame;
static char port[16];

static const struct listener_options any_port = {
    .host = "127.0.0.1", .port = "0", .codecs = 1u << CODEC_JSON, .websocket = true};

/* Makes the router; kit_run runs it. */
static inline void kit_make(const struct router_options *options)
{
    char words[200] = "";

    router = router_new(options, words, sizeof words);
    EXPECT_STR(words, "");
    (void)snprintf(port, sizeof port, "%s", strrchr(router_address(router, 0), ':') + 1);
}

static inline void *kit_thread(void *arg)
{
    (void)arg;
    (void)router_run(router);
    return NULL;
}

static inline void kit_run(void)
{
    EXPECT_EQ(pthread_create(&thread, NULL, kit_thread, NULL), 0);
}

static inline void stop(void)
{
    router_stop(router);
    pthread_join(thread, NULL);
    router_free(router);
}

static inline void say(struct peer *peer, const char *message)
{
    EXPECT(ws_send(peer, 1, true, slice_of(message)));
}

/* The next message must begin so. */
static inline void hear(struct peer *peer, const char *begin)
{
    EXPECT(ws_read(peer, &frame));
    EXPECT_SLICE(slice_make(frame.data, strlen(begin)), slice_of(begin));
}

#endif
