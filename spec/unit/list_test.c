/* list_test.c -- the ring and its walk.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/list.h"
#include "unit.h"

struct item {
    int number;
    struct list link;
};

static int digits_of(const struct list *head)
{
    int digits = 0;

    list_each (head, node, after)
        digits = digits * 10 + container_of(node, struct item, link)->number;
    return digits;
}

TEST(keeps_order)
{
    struct list head;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};

    list_init(&head);
    EXPECT(list_is_empty(&head));
    EXPECT(list_first(&head) == NULL);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        EXPECT(!list_is_linked(&items[i].link));
        list_append(&head, &items[i].link);
        EXPECT(list_is_linked(&items[i].link));
    }
    EXPECT_EQ(digits_of(&head), 1234);
    EXPECT(list_first(&head) == &items[0].link);

    list_remove(&items[1].link);
    EXPECT(!list_is_linked(&items[1].link));
    EXPECT_EQ(digits_of(&head), 134);
    list_append(&head, &items[1].link);
    EXPECT_EQ(digits_of(&head), 1342);
}

TEST(lets_the_walk_remove_the_current_node)
{
    struct list head;
    struct item items[6] = {0};

    list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].number = i + 1;
        list_append(&head, &items[i].link);
    }
    list_each (&head, node, after) {
        if (container_of(node, struct item, link)->number % 2 == 0)
            list_remove(node);
    }
    EXPECT_EQ(digits_of(&head), 135);
    list_each (&head, node, after)
        list_remove(node);
    EXPECT(list_is_empty(&head));
}
