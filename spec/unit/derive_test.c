/* derive_test.c -- jobs of all addresses have their turn; each one comes back once, or is canceled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/derive.h"
#include "unit.h"

#include <uv.h>

#define MANY (DERIVE_MAX_LANE + 8)

struct order {
    struct derivation derivation; /* first */
    unsigned number;
    unsigned done_at; /* 0: not done */
    bool is_taken, has_key;
};

static struct order orders[MANY * 20];
static unsigned done_count;

static void on_done(struct derivation *derivation, struct auth_job *job)
{
    struct order *order = (struct order *)derivation;

    EXPECT_EQ(order->done_at, 0u);
    order->done_at = ++done_count;
    order->has_key = job->is_done;
    auth_job_free(job);
}

static struct auth_job *make_job(void)
{
    struct kdf kdf = {.kind = KDF_ARGON2ID, .iterations = 1, .memory = 1024, .lanes = 1};

    return auth_job_new(&kdf, SLICE("password"), SLICE("saltsalt"), 32);
}

static bool add(struct derive_desk *desk, const char *address, struct order *order)
{
    struct auth_job *job = make_job();

    *order = (struct order){.derivation.done = on_done};
    order->is_taken = derive_add(desk, address, &order->derivation, job);
    if (!order->is_taken)
        auth_job_free(job);
    return order->is_taken;
}

static void turn_until(uv_loop_t *loop, unsigned count)
{
    for (unsigned i = 0; i < 30000 && done_count < count; i++) {
        uv_run(loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    EXPECT_EQ(done_count, count);
}

static void end(uv_loop_t *loop, struct derive_desk *desk)
{
    derive_close(desk);
    while (uv_loop_close(loop) != 0)
        uv_run(loop, UV_RUN_NOWAIT);
}

TEST(others_wait_for_one_job_of_a_flood)
{
    uv_loop_t loop;
    struct derive_desk *desk;
    unsigned taken = 0;

    uv_loop_init(&loop);
    desk = derive_open(&loop);
    done_count = 0;
    for (unsigned i = 0; i < MANY; i++)
        taken += add(desk, "192.0.2.1", &orders[i]) ? 1 : 0;
    /* some may have begun meanwhile, and left room for later ones */
    EXPECT(taken >= DERIVE_MAX_LANE && taken < MANY);
    EXPECT(add(desk, "192.0.2.2", &orders[MANY]));
    EXPECT(add(desk, "192.0.2.3", &orders[MANY + 1]));
    turn_until(&loop, taken + 2);
    /* before most of the flood: what ran, and a turn of each lane for each thread */
    EXPECT(orders[MANY].done_at <= taken - DERIVE_MAX_LANE + 3 * DERIVE_MAX_THREADS);
    EXPECT(orders[MANY + 1].done_at <= taken - DERIVE_MAX_LANE + 3 * DERIVE_MAX_THREADS);
    for (unsigned i = 0; i < MANY; i++)
        EXPECT_EQ(orders[i].has_key, orders[i].is_taken);
    end(&loop, desk);
}

TEST(what_is_canceled_does_not_come_back)
{
    uv_loop_t loop;
    struct derive_desk *desk;

    uv_loop_init(&loop);
    desk = derive_open(&loop);
    done_count = 0;
    for (unsigned i = 0; i < 20; i++)
        EXPECT(add(desk, "192.0.2.1", &orders[i]));
    usleep(3000); /* the first ones may run, or be done, by now */
    for (unsigned i = 0; i < 20; i += 2)
        derive_cancel(&orders[i].derivation);
    turn_until(&loop, 10);
    for (unsigned i = 0; i < 20; i++)
        EXPECT_EQ(orders[i].done_at != 0, i % 2 == 1);
    derive_cancel(&orders[1].derivation); /* nothing is under way: nothing happens */
    for (unsigned i = 0; i < 5; i++)
        EXPECT(add(desk, "192.0.2.1", &orders[i]));
    for (unsigned i = 0; i < 5; i++)
        derive_cancel(&orders[i].derivation);
    end(&loop, desk);
}

TEST(there_is_a_bound_for_all)
{
    uv_loop_t loop;
    struct derive_desk *desk;
    unsigned taken = 0;
    char address[DERIVE_ADDRESS_LEN];

    uv_loop_init(&loop);
    desk = derive_open(&loop);
    done_count = 0;
    for (unsigned i = 0; i < ARRAY_LEN(orders); i++) {
        snprintf(address, sizeof(address), "192.0.2.%u", i / 60);
        if (add(desk, address, &orders[taken]))
            taken++;
    }
    EXPECT(taken >= DERIVE_MAX_JOBS && taken < ARRAY_LEN(orders));
    for (unsigned i = 0; i < taken; i++)
        derive_cancel(&orders[i].derivation);
    end(&loop, desk);
}

TEST(desks_come_and_go)
{
    uv_loop_t loop;
    struct derive_desk *first, *second;

    uv_loop_init(&loop);
    done_count = 0;
    first = derive_open(&loop);
    second = derive_open(&loop);
    EXPECT(add(second, "192.0.2.1", &orders[0]));
    derive_close(first);
    turn_until(&loop, 1);
    derive_close(second);
    derive_close(NULL);
    first = derive_open(&loop);
    EXPECT(add(first, "192.0.2.1", &orders[1]));
    turn_until(&loop, 2);
    end(&loop, first);
}
