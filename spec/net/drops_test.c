/* drops_test.c -- what was dropped is reported: all of it, once, and not too often.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/limits.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

#define MESSAGE_LEN 1000
#define BURST       20000 /* far more than a queue and the buffers of the kernel hold */

static struct server server;
static struct peer peer;
static struct frame frame;

struct burst {
    uint64_t to;
    unsigned count;
};

static void send_burst(struct server *with, void *arg)
{
    const struct burst *burst = arg;

    for (unsigned i = 0; i < burst->count; i++)
        (void)net_send(with->net, burst->to, blob_new(MESSAGE_LEN), SEND_EVENT, i % 7);
}

static void flood(uint64_t to)
{
    struct burst burst = {.to = to, .count = BURST};

    server_do(&server, send_burst, &burst);
}

static uint64_t sum_of(const struct net_counters *counters)
{
    return counters->dropped_newest + counters->dropped_oldest + counters->conflated;
}

static uint64_t reported_of(uint64_t id)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < server.report_count; i++)
        sum += server.reports[i].id == id ? server.reports[i].count : 0;
    return sum;
}

static void open_peer(struct peer *with)
{
    EXPECT(peer_open_raw(with, "127.0.0.1", server.port, false));
    EXPECT(raw_send(with, 0, SLICE("ready")));
    EXPECT(raw_read(with, &frame));
}

static void start(enum overflow overflow)
{
    struct server_options options = server_defaults();

    options.limits.queue = (struct queue_limits){100, 1 << 20, 4 << 20, overflow};
    server_start(&server, &options);
    open_peer(&peer);
}

static void stop(void)
{
    peer_close(&peer);
    server_stop(&server);
}

static bool has_report(struct server *with)
{
    return with->report_count >= 1;
}

static bool has_two_reports(struct server *with)
{
    return with->report_count >= 2;
}

/* Two bursts within a second are one report. */
static void expect_exact(enum overflow overflow)
{
    struct net_counters counters;
    uint64_t began, first;

    start(overflow);
    began = clock_ms();
    flood(server.last_id);
    flood(server.last_id);
    counters = server_counters(&server);
    first = sum_of(&counters);
    EXPECT(first > BURST);
    EXPECT_EQ(server.report_count, 0);
    EXPECT(server_wait(&server, has_report));
    EXPECT_EQ(server.reports[0].id, server.last_id);
    EXPECT_EQ(server.reports[0].count, first);
    EXPECT(server.reports[0].at - began >= DROPS_REPORT_MS - 50);
    stop();
}

TEST(newest_are_reported)
{
    expect_exact(OVERFLOW_DROP_NEWEST);
}

TEST(oldest_are_reported)
{
    expect_exact(OVERFLOW_DROP_OLDEST);
}

TEST(conflated_ones_are_reported)
{
    expect_exact(OVERFLOW_CONFLATE);
}

TEST(later_ones_are_for_the_next_report)
{
    struct net_counters counters;

    start(OVERFLOW_DROP_OLDEST);
    flood(server.last_id);
    EXPECT(server_wait(&server, has_report));
    flood(server.last_id);
    EXPECT(server_wait(&server, has_two_reports));
    counters = server_counters(&server);
    EXPECT(server.reports[1].count > 0);
    EXPECT_EQ(reported_of(server.last_id), sum_of(&counters));
    EXPECT(server.reports[1].at - server.reports[0].at >= DROPS_REPORT_MS - 50);
    usleep((DROPS_REPORT_MS + 200) * 1000);
    EXPECT_EQ(server.report_count, 2); /* nothing new, nothing said */
    stop();
}

TEST(each_connection_has_a_report_of_its_own)
{
    struct burst small = {.count = 50};
    struct net_counters counters;
    struct peer other, third;
    uint64_t ids[3];

    start(OVERFLOW_DROP_NEWEST);
    ids[0] = server.last_id;
    open_peer(&other);
    ids[1] = server.last_id;
    open_peer(&third);
    ids[2] = small.to = server.last_id;
    flood(ids[0]);
    flood(ids[1]);
    server_do(&server, send_burst, &small); /* fits */
    EXPECT(server_wait(&server, has_two_reports));
    counters = server_counters(&server);
    EXPECT_EQ(server.report_count, 2);
    EXPECT(reported_of(ids[0]) > 0 && reported_of(ids[1]) > 0);
    EXPECT_EQ(reported_of(ids[0]) + reported_of(ids[1]), counters.dropped_newest);
    EXPECT_EQ(reported_of(ids[2]), 0);
    peer_close(&other);
    peer_close(&third);
    stop();
}

TEST(what_is_left_is_reported_before_the_end)
{
    start(OVERFLOW_DROP_NEWEST);
    flood(server.last_id);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.report_count, 1);
    EXPECT_EQ(server.reports[0].closes, 0);
    EXPECT_EQ(server.reports[0].count, server_counters(&server).dropped_newest);
    usleep((DROPS_REPORT_MS + 200) * 1000);
    EXPECT_EQ(server.report_count, 1);
    server_stop(&server);
}

TEST(what_is_left_is_reported_when_all_ends)
{
    uint64_t dropped;

    start(OVERFLOW_DROP_OLDEST);
    flood(server.last_id);
    dropped = server_counters(&server).dropped_oldest;
    server_stop(&server);
    EXPECT_EQ(server.report_count, 1);
    EXPECT_EQ(server.reports[0].count, dropped);
    EXPECT_EQ(server.reports[0].closes, 0);
    peer_close(&peer);
}

static void take(struct server *with, void *arg)
{
    *(uint64_t *)arg = net_take_dropped(with->net, with->last_id);
}

TEST(what_was_taken_is_not_reported)
{
    uint64_t taken = 1, before;

    start(OVERFLOW_DROP_NEWEST);
    server_do(&server, take, &taken);
    EXPECT_EQ(taken, 0);
    flood(server.last_id);
    before = server_counters(&server).dropped_newest;
    server_do(&server, take, &taken);
    EXPECT_EQ(taken, before);
    flood(server.last_id);
    EXPECT(server_wait(&server, has_report));
    EXPECT_EQ(server.report_count, 1);
    EXPECT_EQ(server.reports[0].count, server_counters(&server).dropped_newest - before);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_do(&server, take, &taken);
    EXPECT_EQ(taken, 0); /* nobody has that id any more */
    EXPECT_EQ(server.report_count, 1);
    server_stop(&server);
}

TEST(who_loses_all_the_time_is_reported_once_a_second)
{
    struct burst burst = {.count = 200};
    uint64_t until;

    start(OVERFLOW_DROP_NEWEST);
    burst.to = server.last_id;
    until = clock_ms() + 3 * DROPS_REPORT_MS + 500;
    while (clock_ms() < until) {
        server_do(&server, send_burst, &burst);
        usleep(5000);
    }
    EXPECT(server.report_count == 2 || server.report_count == 3); /* 2: on a busy machine */
    for (unsigned i = 1; i < server.report_count; i++)
        EXPECT(server.reports[i].at - server.reports[i - 1].at >= DROPS_REPORT_MS - 50);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(reported_of(burst.to), server_counters(&server).dropped_newest);
    server_stop(&server);
}
