/* deadlines_test.c -- the heap against a table that is searched from end to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/deadlines.h"
#include "base/rng.h"
#include "unit.h"

#define NODES 200

struct model_row {
    struct deadline node;
    bool is_set;
    uint64_t at, order;
};

static struct model_row *earliest(struct model_row *rows)
{
    struct model_row *first = NULL;

    for (size_t i = 0; i < NODES; i++) {
        struct model_row *row = &rows[i];
        if (!row->is_set)
            continue;
        if (first == NULL || row->at < first->at ||
            (row->at == first->at && row->order < first->order))
            first = row;
    }
    return first;
}

static void compare(const struct deadlines *d, struct model_row *rows)
{
    const struct model_row *first = earliest(rows);
    size_t count = 0, due = 0;

    for (size_t i = 0; i < NODES; i++) {
        EXPECT_EQ(deadline_is_set(&rows[i].node), rows[i].is_set);
        count += rows[i].is_set;
        due += rows[i].is_set && rows[i].at <= rows[0].at;
    }
    EXPECT_EQ(deadlines_count_due(d, rows[0].at), due);
    EXPECT_EQ(d->count, count);
    EXPECT_EQ(deadlines_next(d), first == NULL ? NEVER : first->at);
    for (size_t i = 0; i < d->count; i++)
        EXPECT_EQ(d->heap[i]->place, i + 1);
}

static void take_due(struct deadlines *d, struct model_row *rows, uint64_t now)
{
    for (;;) {
        struct model_row *first = earliest(rows);
        struct deadline *node = deadlines_due(d, now);
        if (first == NULL || first->at > now) {
            EXPECT(node == NULL);
            return;
        }
        EXPECT(node == &first->node);
        first->is_set = false;
    }
}

TEST(behaves_like_the_model)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct model_row rows[NODES] = {0};
        uint64_t state = seed, order = 0, now = 0;
        struct rng rng;
        struct deadlines d;

        rng_init(&rng, rng_fill_seeded, &state);
        deadlines_init(&d);
        for (size_t step = 0; step < 5000; step++) {
            struct model_row *row = &rows[rng_below(&rng, NODES)];
            uint64_t dice = rng_below(&rng, 100);
            if (dice < 70) {
                row->is_set = true;
                row->at = now + rng_below(&rng, 40);
                row->order = order++;
                deadlines_set(&d, &row->node, row->at);
            } else if (dice < 95) {
                row->is_set = false;
                deadlines_cancel(&d, &row->node);
            } else {
                now += rng_below(&rng, 30);
                take_due(&d, rows, now);
            }
            compare(&d, rows);
        }
        take_due(&d, rows, NEVER);
        compare(&d, rows);
        deadlines_fini(&d);
    }
}

TEST(equal_instants_come_in_the_order_of_setting)
{
    struct deadlines d;
    struct deadline nodes[50] = {0};

    deadlines_init(&d);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        deadlines_set(&d, &nodes[i], 1000);
    deadlines_set(&d, &nodes[0], 1000); /* moved: now it is the last */
    EXPECT(deadlines_due(&d, 999) == NULL);
    for (size_t i = 1; i < ARRAY_LEN(nodes); i++)
        EXPECT(deadlines_due(&d, 1000) == &nodes[i]);
    EXPECT(deadlines_due(&d, 1000) == &nodes[0]);
    EXPECT(deadlines_due(&d, 1000) == NULL);
    deadlines_fini(&d);
}

TEST(is_empty_at_first)
{
    struct deadlines d;
    struct deadline node = {0};

    deadlines_init(&d);
    EXPECT(deadlines_next(&d) == NEVER);
    EXPECT(deadlines_due(&d, NEVER) == NULL);
    deadlines_cancel(&d, &node);
    deadlines_fini(&d);
}

TEST(notices_a_node_of_another_heap)
{
    struct deadlines mine, other;
    struct deadline node = {0};

    deadlines_init(&mine);
    deadlines_init(&other);
    deadlines_set(&mine, &node, 5);
    EXPECT_ABORT(deadlines_cancel(&other, &node));
    EXPECT_ABORT(deadlines_set(&other, &node, 6));
    deadlines_fini(&mine);
}
